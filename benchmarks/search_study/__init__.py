"""Which settings and which other searches find better networks: `python -m
benchmarks.search_study`, see `__main__.py`.
"""
