"""Arrays of one lane inside a kernel, where all that there is are vectors with one place a lane.

An array is a `Cells`: a vector for each of its cells. So whatever moves cells is bookkeeping, and
no work for the kernel: it is done on the numbers of the cells (`numbers_of`, `at`).
"""

from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

LANES = 32
"""The length of all vectors: that of a warp, whose threads have a lane each."""


class UnfitError(Exception):
    """What a function needs that lanes do not have, in words."""


@dataclass(frozen=True)
class Cells:
    """An array of one lane.

    Attributes:
        shape, dtype: the array's.
        values: its cells in row-major order: a vector [LANES], or a number where all lanes have the
            same; of keys, pairs of them.
    """

    shape: tuple[int, ...]
    dtype: Any
    values: tuple[Any, ...]


def is_key(dtype: Any) -> bool:
    """Whether it is a type of keys."""
    return jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key)


def constant(value: Any, dtype: Any) -> Cells:
    """An array that is known, and the same for all lanes."""
    if is_key(dtype):
        return keys_of(constant(jax.random.key_data(value), jnp.uint32), dtype)
    value = np.asarray(value, dtype)
    return Cells(value.shape, value.dtype, tuple(value.ravel()))


def vector(value: Any, dtype: Any) -> jax.Array:
    """A cell's value as a vector of `dtype`."""
    if isinstance(value, jax.Array):
        return value if value.ndim else lax.broadcast(value, (LANES,))
    return lax.full((LANES,), np.asarray(value, dtype)[()], dtype)


def vectors_of(cells: Cells) -> list[Any]:
    """All cells as vectors, keys as pairs of them."""
    if is_key(cells.dtype):
        return [tuple(vector(word, jnp.uint32) for word in key) for key in cells.values]
    return [vector(value, cells.dtype) for value in cells.values]


def numbers_of(*arrays: Cells) -> list[np.ndarray]:
    """The numbers of the cells of arrays, counted through all of them, in the shapes of each."""
    ends = np.cumsum([len(array.values) for array in arrays])
    return [np.arange(end - len(array.values), end).reshape(array.shape) for end, array in zip(ends, arrays, strict=True)]


def at(numbers: np.ndarray, *arrays: Cells) -> Cells:
    """The array of those cells."""
    values = [value for array in arrays for value in array.values]
    return Cells(numbers.shape, arrays[0].dtype, tuple(values[number] for number in numbers.ravel()))


def broadcast(array: Cells, shape: tuple[int, ...]) -> Cells:
    """As numpy broadcasts it."""
    return at(np.broadcast_to(numbers_of(array)[0], shape), array)


def chosen(condition: jax.Array, yes: Cells, no: Cells) -> Cells:
    """The cells of `yes` on the lanes where `condition` holds, those of `no` on the others."""

    def choose(one, other):
        return jax.tree.map(lambda a, b: lax.select(condition, a, b), one, other)

    return replace(yes, values=tuple(map(choose, vectors_of(yes), vectors_of(no))))


def keys_of(words: Cells, dtype: Any) -> Cells:
    """The keys that uint32[..., 2] are."""
    return Cells(words.shape[:-1], dtype, tuple(zip(words.values[::2], words.values[1::2], strict=True)))


def words_of(keys: Cells) -> Cells:
    """The uint32[..., 2] that keys are."""
    return Cells((*keys.shape, 2), np.dtype(np.uint32), tuple(chain(*keys.values)))
