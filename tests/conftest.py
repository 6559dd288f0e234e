"""Settings that must stand before JAX starts its backend and before wannjax is imported."""

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

import jax
from hypothesis import settings
from jaxtyping import install_import_hook

jax.config.update("jax_num_cpu_devices", 2)

# The tests of one worker, and the processes that they start, share many programs; between workers the folder would need a lock.
_CACHE = tempfile.TemporaryDirectory(prefix="wannjax-tests-")
for _option, _value in {"jax_compilation_cache_dir": _CACHE.name, "jax_persistent_cache_min_compile_time_secs": 0.0}.items():
    jax.config.update(_option, _value)
    os.environ[_option.upper()] = str(_value)
jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_configure(config):
    """Compiles without most optimisations, which takes two thirds of the time; the nightly tests and the notebooks compile as users do."""
    quick = config.getoption("markexpr") != "nightly"
    jax.config.update("jax_disable_most_optimizations", quick)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int(quick))


collect_ignore = ["saved_run.py"]  # a program that tests run, which doctest collection would import

# Annotations are checked in every module but these, each listed by its own name, since a package's name includes all below it.
_UNCHECKED = (
    "swing_up.py",  # as is gymnax's custom, fields are annotated as plain numbers, while JAX rebuilds them with tracers inside
    "double_pole.py",
    "varied.py",
    "config.py",  # its own checks are what is tested
    "settings.py",
    "__init__.py",
)
_PACKAGE = Path(find_spec("wannjax").origin).parent
_MODULES = [
    ".".join(("wannjax", *path.relative_to(_PACKAGE).with_suffix("").parts))
    for path in sorted(_PACKAGE.rglob("*.py"))
    if path.name not in _UNCHECKED
]
install_import_hook(_MODULES, "beartype.beartype")

settings.register_profile("default", max_examples=30, deadline=None)
settings.load_profile("default")
