"""One-line errors for bad arguments, in one form: the argument, its value, and what is allowed."""

import inspect
import math
from collections.abc import Iterable, Sequence

from wannjax.common.wording import near


def require(name: str, value: object, allowed: str, condition: bool) -> None:
    """Raises ValueError, naming the argument, its value and what is allowed, unless `condition`
    holds.

    >>> require("episodes", 0, "an integer >= 1", False)
    Traceback (most recent call last):
    ValueError: episodes: must be an integer >= 1, got 0
    """
    if not condition:
        raise ValueError(f"{name}: must be {allowed}, got {value!r}")


def require_one_of(name: str, value: object, choices: Iterable[str]) -> None:
    """Raises ValueError, with near matches, unless `value` is one of these names."""
    choices = list(choices)
    close = near(value, choices) if isinstance(value, str) else []
    hint = f" (did you mean {' or '.join(close)}?)" if close else ""
    if value not in choices:
        raise ValueError(f"{name}: must be one of {', '.join(choices)}, got {value!r}{hint}")


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
        plain = f" {value!r}" if isinstance(value, str | int | float | bool) and len(repr(value)) < 80 else ""
        given = "None" if value is None else f"{'an' if kind[0] in 'AEIOUaeio' else 'a'} {kind}" if not plain else f"the {kind}{plain}"
    raise TypeError(f"{name}: must be {allowed}, got {given}")


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


def require_positive(name: str, value: float) -> None:
    """Raises ValueError unless `value` is finite and greater than 0."""
    require(name, value, "finite and > 0", 0 < value < float("inf"))
