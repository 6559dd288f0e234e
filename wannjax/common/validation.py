"""One-line errors for bad arguments, in one form: the argument, its value, and what is allowed."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np


def require(name: str, value: object, allowed: str, condition: bool) -> None:
    """Raises ValueError, naming the argument, its value and what is allowed, unless `condition`
    holds.

    >>> require("episodes", 0, "an integer >= 1", False)
    Traceback (most recent call last):
    ValueError: episodes: must be an integer >= 1, got 0
    """
    if not condition:
        raise ValueError(f"{name}: must be {allowed}, got {value!r}")


def plain(value: Any) -> Any:
    """Numbers and arrays of numpy and JAX, lists of them too, as Python's own: ints, floats, bools
    and tuples. Anything else as it is.

    >>> plain(np.linspace(-1, 1, 3)), plain([np.int64(3), np.float64(0.5)])
    ((-1.0, 0.0, 1.0), (3, 0.5))
    """
    if isinstance(value, np.generic | np.ndarray | jax.Array) and not isinstance(value, jax.core.Tracer):
        value = value.tolist()
    return tuple(map(plain, value)) if type(value) in (list, tuple) else value


def whole(name: str, value: object, allowed: str, least: int, most: float = math.inf) -> int:
    """`value` as an int. Raises ValueError unless it is a whole number, of Python, numpy or JAX,
    from `least` to `most`; bools are none.
    """
    found = plain(value)
    fine = isinstance(found, int) and not isinstance(found, bool) and least <= found <= most
    require(name, value, allowed, fine)
    return found


def require_seed(seed: object) -> int:
    """`seed` as an int. Raises ValueError unless it is one that a JAX key can be made from."""
    return whole("seed", seed, "an integer from 0 to 2**63 - 1", 0, 2**63 - 1)


def require_count(name: str, value: object, least: int = 1) -> int:
    """`value` as an int. Raises ValueError unless it is a number of things, of which there must be
    at least so many.
    """
    return whole(name, value, f"an integer >= {least}", least)


def require_weights(weights: Sequence[float] | np.ndarray) -> tuple[float, ...]:
    """`weights` as floats. Raises ValueError unless they, shared ones to measure at, are finite and
    at least one.
    """
    found = plain(weights)
    found = tuple(found) if isinstance(found, Iterable) else ()
    numbers = all(isinstance(weight, int | float) and math.isfinite(weight) for weight in found)
    require("weights", weights, "finite and not empty", len(found) > 0 and numbers)
    return tuple(map(float, found))


def require_positive(name: str, value: float) -> None:
    """Raises ValueError unless `value` is finite and greater than 0."""
    require(name, value, "finite and > 0", 0 < value < float("inf"))
