"""One-line errors for bad arguments, in one form: the argument, its value, and what is allowed."""

import inspect
import math
import sys
from collections.abc import Iterable, Sequence
from textwrap import shorten
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from wannjax.common.wording import did_you_mean


def require(name: str, value: object, allowed: str, condition: bool) -> None:
    """Raises ValueError, naming the argument, its value and what is allowed, unless `condition`
    holds.

    >>> require("episodes", 0, "an integer >= 1", False)
    Traceback (most recent call last):
    ValueError: episodes: must be an integer >= 1, got 0
    """
    if condition:
        return
    shown = repr(value)
    if "\n" in shown:
        shown = f"{type(value).__name__} of shape {value.shape}" if hasattr(value, "shape") else shorten(shown, 200, placeholder=" …")
    raise ValueError(f"{name}: must be {allowed}, got {shown}")


def require_one_of(name: str, value: object, choices: Iterable[str]) -> None:
    """Raises ValueError, with near matches, unless `value` is one of these names."""
    choices = list(choices)
    if value not in choices:
        meant = f" ({question})" if isinstance(value, str) and (question := did_you_mean(value, choices)) else ""
        raise ValueError(f"{name}: must be one of {', '.join(choices)}, got {value!r}{meant}")


def require_type(name: str, value: object, allowed: str, condition: bool) -> None:
    """Raises TypeError, naming the argument, what it must be and how to get one, and the kind of
    thing that it is, unless `condition` holds.

    >>> require_type("network", "a.json", "a Network (load(path) reads one)", False)
    Traceback (most recent call last):
    TypeError: network: must be a Network (load(path) reads one), got the str 'a.json'
    """
    if condition:
        return
    if isinstance(value, type):
        given = f"the class {value.__name__} and not an instance"
    elif inspect.isroutine(value):
        given = f"the function {value.__name__}"
    else:
        kind = type(value).__name__
        shown = f" {value!r}" if isinstance(value, str | int | float | bool) and len(repr(value)) < 80 else ""
        given = "None" if value is None else f"{'an' if kind[0] in 'AEIOUaeio' else 'a'} {kind}" if not shown else f"the {kind}{shown}"
    raise TypeError(f"{name}: must be {allowed}, got {given}")


def plain(value: Any) -> Any:
    """Numbers and arrays of numpy and JAX, lists of them too, as Python's own: ints, floats, bools
    and tuples. Anything else as it is.

    >>> plain(np.linspace(-1, 1, 3)), plain([np.int64(3), np.float64(0.5)])
    ((-1.0, 0.0, 1.0), (3, 0.5))
    """
    if isinstance(value, np.generic | np.ndarray | jax.Array) and not isinstance(value, jax.core.Tracer):
        value = value.tolist()
    return tuple(map(plain, value)) if type(value) in (list, tuple) else value


def is_whole(value: object) -> bool:
    """Whether `value` is a whole number of Python's; bools are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def whole(name: str, value: object, allowed: str, least: float = -math.inf, most: float = math.inf) -> int:
    """`value` as an int. Raises ValueError unless it is a whole number, of Python, numpy or JAX,
    from `least` to `most`; bools are none.
    """
    found = plain(value)
    require(name, value, allowed, is_whole(found) and least <= found <= most)
    return found


def real(name: str, value: object, allowed: str, least: float = -sys.float_info.max, most: float = sys.float_info.max) -> float:
    """`value` as a float. Raises ValueError unless it is a number, of Python, numpy or JAX, from
    `least` to `most`, which are finite; bools are none.
    """
    found = plain(value)
    require(name, value, allowed, isinstance(found, int | float) and not isinstance(found, bool) and least <= found <= most)
    return float(found)


def require_text(name: str, value: object) -> None:
    """Raises ValueError unless `value` is a string that is not empty and that a file can hold, as
    half of a pair of surrogates cannot be held.
    """
    fine = isinstance(value, str) and value != "" and not any("\ud800" <= letter <= "\udfff" for letter in value)
    require(name, value, "a string of whole characters that is not empty", fine)


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


def as_weights(weights: Any) -> Float32[Array, " W"]:
    """Shared weights to score at, as an array. Raises ValueError unless they are numbers in one
    row, at least one. Traceable.
    """
    try:
        found = jnp.asarray(weights, jnp.float32)
    except (TypeError, ValueError):
        found = jnp.zeros(0)
    require("weights", weights, "numbers [W], at least one", found.ndim == 1 and found.size > 0)
    return found
