"""Columns of a matrix of bits as 32-bit words: `[..., words, columns]`, lowest bits first, the rows
past the last one 0.

A word holds 32 cells, so that a matrix is an eighth of one of bytes, and an operation does 32 cells
at once; and the n-th row of a column is a population count and a search in one word. Rows move and
are chosen by masks that are the same for all columns, one word for each. Functions but `pack` and
`unpack` are for one matrix; callers vmap.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Int, Int32, UInt32

WORD = 32
_UP_TO = np.uint32(0xFFFFFFFF) >> np.arange(WORD - 1, -1, -1, dtype=np.uint32)
"""Of every bit of a word, those up to and including it."""


def words_for(rows: int) -> int:
    """How many words hold so many rows."""
    return -(-rows // WORD)


def pack(mask: Bool[Array, "... rows columns"]) -> UInt32[Array, "... words columns"]:
    """The columns of a matrix as bits; by way of bytes, of which a CPU handles many at once."""
    *lead, rows, columns = mask.shape
    words = words_for(rows)
    padded = jnp.pad(mask.astype(jnp.uint8), [(0, 0)] * len(lead) + [(0, words * WORD - rows), (0, 0)])
    eights = padded.reshape(*lead, 4 * words, 8, columns)
    eights = sum(eights[..., place, :] << jnp.uint8(place) for place in range(8))
    eights = eights.reshape(*lead, words, 4, columns).astype(jnp.uint32)
    # A reduction, since XLA would compute a plain sum anew wherever a word is read.
    return jnp.sum(eights << 8 * _numbers(eights.shape, axis=-2), axis=-2, dtype=jnp.uint32)


def unpack(words: UInt32[Array | np.ndarray, "... words columns"], rows: int) -> Bool[Array, "... rows columns"]:
    """The matrix of `pack`."""
    *lead, number, columns = words.shape
    cells = (words[..., :, None, :] >> _numbers((*lead, number, WORD, columns), axis=-2)) & 1 == 1
    return cells.reshape(*lead, number * WORD, columns)[..., :rows, :]


def count(words: UInt32[Array, "... columns"]) -> Int32[Array, "... columns"]:
    """How many bits of every word are set."""
    return lax.population_count(words).astype(jnp.int32)


def is_set(words: UInt32[Array, "words ..."], row: Int[Array, "..."], *column: Int[Array, "..."]) -> Bool[Array, "..."]:
    """Whether the bits of rows, in their columns if there are several, are set."""
    return (words[(row // WORD, *column)] >> (row % WORD).astype(jnp.uint32)) & 1 == 1


def below(rows: Int[Array, "*columns"] | int, words: int) -> UInt32[Array, "words *columns"]:
    """The bits of the first so many rows."""
    return _words_of(_all_rows(words, rows) < jnp.asarray(rows)[None, ..., None])


def bit(row: Int[Array, "*columns"], words: int) -> UInt32[Array, "words *columns"]:
    """The bit of one row; none of a negative one."""
    return _words_of(_all_rows(words, row) == row[None, ..., None])


def _all_rows(words: int, like):
    return jnp.arange(words * WORD, dtype=jnp.int32).reshape(words, *(1,) * jnp.ndim(like), WORD)


def _words_of(chosen: Bool[Array, "*words 32"]):
    # A reduction, for the same reason.
    return jnp.sum(jnp.where(chosen, jnp.uint32(1) << _numbers(chosen.shape, axis=-1), 0), axis=-1, dtype=jnp.uint32)


def _numbers(shape: tuple[int, ...], axis: int):
    """Every place's number along an axis."""
    return lax.broadcasted_iota(jnp.uint32, shape, len(shape) + axis)


def nth_bit(words: UInt32[Array, "words S"], ends: Int32[Array, "words S"], n: Int[Array, "K S"]) -> Int32[Array, "K S"]:
    """The rows of the n-th set bits (from 0) of each column; meaningless where there are not that
    many. `ends` are the numbers of bits up to and including every word.
    """
    word = jnp.sum(ends[:, None, :] <= n[None, :, :], axis=0)
    word = jnp.minimum(word, words.shape[0] - 1)
    before = jnp.where(word > 0, jnp.take_along_axis(ends, jnp.maximum(word - 1, 0), axis=0), 0)
    bits = jnp.take_along_axis(words, word, axis=0)
    rest = n - before
    position = jnp.zeros_like(rest)
    for half in (16, 8, 4, 2, 1):
        low = lax.population_count(bits & jnp.uint32((1 << half) - 1)).astype(jnp.int32)
        above = rest >= low
        rest = jnp.where(above, rest - low, rest)
        bits = jnp.where(above, bits >> jnp.uint32(half), bits)
        position = position + jnp.where(above, half, 0)
    return word * WORD + position


def nth_row(column: UInt32[Array, " words"], n: Int[Array, ""]) -> Int32[Array, ""]:
    """The row of the n-th set bit (from 0) of one column; meaningless where there are not that
    many.
    """
    ends = jnp.cumsum(count(column))
    word = jnp.minimum(jnp.sum(ends <= n), column.shape[0] - 1)
    up_to = count(column[word] & _UP_TO)
    before = ends[word] - up_to[-1]
    return WORD * word + jnp.sum(up_to <= n - before)
