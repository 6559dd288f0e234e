"""One-line errors for bad arguments, in one form: the argument, its value, and what is allowed."""

import math
from collections.abc import Sequence


def require(name: str, value: object, allowed: str, condition: bool) -> None:
    """Raises ValueError, naming the argument, its value and what is allowed, unless `condition`
    holds.

    >>> require("episodes", 0, "an integer >= 1", False)
    Traceback (most recent call last):
    ValueError: episodes: must be an integer >= 1, got 0
    """
    if not condition:
        raise ValueError(f"{name}: must be {allowed}, got {value!r}")


def require_seed(seed: object) -> None:
    """Raises ValueError unless `seed` is one that a JAX key can be made from."""
    require("seed", seed, "an integer from 0 to 2**63 - 1", isinstance(seed, int) and 0 <= seed < 2**63)


def require_count(name: str, value: object) -> None:
    """Raises ValueError unless `value` is a number of things, of which there must be one."""
    require(name, value, "an integer >= 1", isinstance(value, int) and value >= 1)


def require_weights(weights: Sequence[float]) -> None:
    """Raises ValueError unless `weights`, shared ones to measure at, are finite and at least
    one.
    """
    require("weights", weights, "finite and not empty", len(weights) > 0 and all(math.isfinite(weight) for weight in weights))
