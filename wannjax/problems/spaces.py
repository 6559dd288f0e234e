"""Action spaces: how many outputs of a network choose an action, and which action they choose.

All are checked as they are made. `action` is of one network in one step, and traceable.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from wannjax.common.validation import is_whole, plain, require, require_count, whole

ENDLESS = 3.4e38
"""From here on a bound counts as infinite: other libraries write the largest float32 for it."""

_MOST_INTEGERS = 2**24
"""Values of one part of an integer box: float32 tells no more apart."""


@dataclass(frozen=True)
class Discrete:
    """The actions `start` to `start` + `n` - 1: `start` and the index of the greatest output.

    Raises ValueError for fewer than one action, and for one that `dtype` cannot hold.

    >>> int(Discrete(3, start=-1).action(jnp.array([0.0, 2.0, 1.0])))
    0
    """

    n: int
    dtype: Any = jnp.int32
    start: int = 0

    output_activation = "linear"

    def __post_init__(self):
        object.__setattr__(self, "n", require_count("n", self.n))
        object.__setattr__(self, "start", whole("start", self.start, "an integer"))
        _require_held(self.dtype, self.start, self.start + self.n - 1)

    @property
    def outputs(self) -> int:
        """How many outputs of a network choose an action."""
        return self.n

    @property
    def groups(self) -> tuple[int, ...]:
        """The outputs of each group of which the greatest is chosen."""
        return (self.n,)

    def action(self, outputs: Float32[Array, " O"]) -> Array:
        """`start` and the index of the greatest output."""
        return jnp.argmax(outputs).astype(_canonical(self.dtype)) + _canonical(self.dtype).type(self.start)


@dataclass(frozen=True, eq=False)
class MultiDiscrete:
    """Several discrete actions at once, an array of the shape of `nvec`: part i is one of
    `start`[i] to `start`[i] + `nvec`[i] - 1. The outputs stand in groups, `nvec`[i] of them for
    part i, of which the greatest says its value.

    Raises ValueError for no part, for one without a value, and for what `dtype` cannot hold.

    >>> MultiDiscrete((2, 3)).action(jnp.array([0.0, 1.0, 5.0, 4.0, 3.0])).tolist()
    [1, 0]
    """

    nvec: Any
    dtype: Any = jnp.int32
    start: Any = 0

    output_activation = "linear"

    def __post_init__(self):
        nvec, start = np.asarray(self.nvec), np.asarray(self.start)
        counts = nvec.ndim >= 1 and nvec.size > 0 and nvec.dtype.kind in "iu" and bool(np.all(nvec >= 1))
        require("nvec", self.nvec, "integers >= 1, at least one", counts)
        fits = start.dtype.kind in "iu" and start.shape in ((), nvec.shape)
        require("start", self.start, "an integer, or one for each part of nvec", fits)
        nvec, start = nvec.astype(np.int64), np.broadcast_to(start.astype(np.int64), nvec.shape)
        _require_held(self.dtype, int(start.min()), int((start + nvec - 1).max()))
        object.__setattr__(self, "nvec", nvec)
        object.__setattr__(self, "start", start)

    @property
    def outputs(self) -> int:
        """How many outputs of a network choose an action."""
        return int(self.nvec.sum())

    @property
    def groups(self) -> tuple[int, ...]:
        """The outputs of each group of which the greatest is chosen."""
        return tuple(self.nvec.ravel().tolist())

    def action(self, outputs: Float32[Array, " O"]) -> Array:
        """The index of the greatest output of each group, and where its part starts."""
        parts = jnp.split(outputs, np.cumsum(self.groups)[:-1])
        chosen = jnp.stack([jnp.argmax(part) for part in parts]).reshape(self.nvec.shape)
        dtype = _canonical(self.dtype)
        return chosen.astype(dtype) + self.start.astype(dtype)


@dataclass(frozen=True)
class MultiBinary:
    """Switches, an array of the shape `n`, or [n]: one output for each, which is on where it is
    positive.

    Raises ValueError for no switch at all.

    >>> MultiBinary(3).action(jnp.array([0.5, -0.5, 0.0])).tolist()
    [1, 0, 0]
    """

    n: int | tuple[int, ...]
    dtype: Any = jnp.int8

    output_activation = "linear"
    groups = ()

    def __post_init__(self):
        object.__setattr__(self, "n", plain(self.n))
        sizes = self.shape != () and all(is_whole(size) and size >= 1 for size in self.shape)
        require("n", self.n, "an integer >= 1, or a shape", sizes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an action."""
        return self.n if isinstance(self.n, tuple) else (self.n,)

    @property
    def outputs(self) -> int:
        """How many outputs of a network choose an action."""
        return int(np.prod(self.shape))

    def action(self, outputs: Float32[Array, " O"]) -> Array:
        """1 where an output is positive, else 0."""
        return (outputs > 0).reshape(self.shape).astype(_canonical(self.dtype))


@dataclass(frozen=True, eq=False)
class Box:
    """Numbers between bounds, which belong to it: an array of the bounds' shape, one output for
    each of its parts.

    Of real numbers: the outputs clipped to [-1, 1] and stretched to the bounds; where these are
    infinite, as those from ±3.4e38 on are, the outputs as they are. Of integers, where `dtype` is
    one of them: every value between the bounds has an equal share of the outputs' range [-1, 1].

    `low` and `high` may be anything that numpy makes arrays of; they are broadcast against each
    other, and kept as float32, or as int64 where the box is one of integers. Raises ValueError for
    bounds that do not fit each other, that are in the wrong order, or that are not whole and finite
    in a box of integers.

    >>> box = Box(low=(0.0, -2.0), high=4.0)
    >>> box.outputs, box.action(jnp.array([0.0, 1.0])).tolist()
    (2, [2.0, 4.0])
    >>> dice = Box(1, 6, dtype=jnp.int32)
    >>> [int(dice.action(jnp.array([output]))) for output in (-1.0, -0.6, 0.0, 0.7, 1.0)]
    [1, 2, 4, 6, 6]
    """

    low: Any
    high: Any
    dtype: Any = jnp.float32

    output_activation = "tanh"
    groups = ()

    def __post_init__(self):
        bounds = f"{self.low!r} to {self.high!r}".replace("\n", "")
        try:
            low, high = np.broadcast_arrays(np.asarray(self.low, np.float64), np.asarray(self.high, np.float64))
        except (TypeError, ValueError) as error:
            raise ValueError(f"low, high: must be arrays of numbers of one shape, got {bounds}") from error
        require("low, high", bounds, "bounds of at least one number", low.size > 0)
        require("low, high", bounds, "bounds with low <= high", bool(np.all(low <= high)))
        require("dtype", self.dtype, "one of floats or integers", self.integral or jnp.issubdtype(self.dtype, jnp.floating))
        if self.integral:
            whole = np.all(np.isfinite(low) & np.isfinite(high) & (np.round(low) == low) & (np.round(high) == high))
            require("low, high", bounds, "whole and finite, in a box of integers", bool(whole))
            few = bool(np.all(high - low < _MOST_INTEGERS))
            require("low, high", bounds, f"bounds of at most {_MOST_INTEGERS} integers", few)
            low, high = low.astype(np.int64), high.astype(np.int64)
            _require_held(self.dtype, int(low.min()), int(high.max()))
        else:
            low, high = (np.where(np.abs(bound) >= ENDLESS, np.copysign(np.inf, bound), bound).astype(np.float32) for bound in (low, high))
            require("low, high", bounds, "bounds with numbers between them", bool(np.all((low < np.inf) & (high > -np.inf))))
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @property
    def integral(self) -> bool:
        """Whether this is a box of integers."""
        return _dtype(self.dtype).kind in "iu"

    @property
    def outputs(self) -> int:
        """How many outputs of a network choose an action."""
        return self.low.size

    def action(self, outputs: Float32[Array, " O"]) -> Array:
        """The action that the outputs choose."""
        outputs = outputs.reshape(self.low.shape)
        if self.integral:
            return self._integers(outputs)
        with np.errstate(over="ignore"):
            reach = (self.high - self.low) / 2  # infinite where a bound is
        bounded = np.isfinite(reach)
        centre = np.where(bounded, self.high, 0.0) - np.where(bounded, reach, 0.0)
        action = jnp.where(bounded, centre + reach * jnp.clip(outputs, -1.0, 1.0), outputs)
        return jnp.clip(action, self.low, self.high).astype(_canonical(self.dtype))

    def _integers(self, outputs):
        last = (self.high - self.low).astype(np.int32)
        share = (jnp.clip(outputs, -1.0, 1.0) + 1.0) / 2.0 * (last + 1).astype(np.float32)
        index = jnp.clip(jnp.floor(share).astype(jnp.int32), 0, last)
        # Added in the type itself, whose arithmetic wraps around: bounds may be beyond an int32.
        dtype = _canonical(self.dtype)
        return index.astype(dtype) + self.low.astype(dtype)


ActionSpace = Discrete | MultiDiscrete | MultiBinary | Box


def _dtype(dtype: Any) -> np.dtype:
    """`dtype` as numpy's. Raises ValueError for what is none."""
    try:
        return np.dtype(dtype)
    except TypeError:
        raise ValueError(f"dtype: must be a type of numbers, got {dtype!r}") from None


def _canonical(dtype: Any) -> np.dtype:
    """`dtype`, or the one of 32 bits where JAX has no more."""
    return jax.dtypes.canonicalize_dtype(dtype)


def _require_held(dtype: Any, least: int, most: int) -> None:
    """Raises ValueError unless `dtype` is one of integers that reaches from `least` to `most`."""
    held = _dtype(dtype).kind in "iu"
    require("dtype", np.dtype(dtype).name, "one of integers", held)
    limits = np.iinfo(_canonical(dtype))
    require("dtype", np.dtype(dtype).name, f"one that reaches from {least} to {most}", limits.min <= least and most <= limits.max)
