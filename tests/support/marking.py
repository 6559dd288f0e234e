"""Cases of a parametrized test that are not worth a developer's time at every change."""

from typing import Any

import pytest


def slow(*cases: Any) -> list[Any]:
    """Those that CI tries, each a value or a tuple of values."""
    return [pytest.param(*case if isinstance(case, tuple) else (case,), marks=pytest.mark.slow) for case in cases]


def nightly(*cases: Any) -> list[Any]:
    """Those that are tried before a release, each a value or a tuple of values."""
    return [pytest.param(*each.values, marks=[pytest.mark.slow, pytest.mark.nightly]) for each in slow(*cases)]
