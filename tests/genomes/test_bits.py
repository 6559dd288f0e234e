"""Matrices as bits, against numpy's booleans."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from marking import slow

from wannjax.genomes import bits


@pytest.mark.parametrize("rows", [100, *slow(1, 32)])
def test_bits_are_what_a_matrix_of_booleans_is(rows):
    rng = np.random.default_rng(rows)
    matrix = rng.random((3, rows, 7)) < 0.4
    words = bits.pack(jnp.asarray(matrix))
    np.testing.assert_array_equal(bits.unpack(words, rows), matrix)
    np.testing.assert_array_equal(np.sum(bits.count(words), axis=1), matrix.sum(axis=1))
    assert not np.any(bits.unpack(words, 32 * words.shape[1])[:, rows:])

    count = words.shape[1]
    ends = np.array([0, 1, rows, 32 * count])
    below = bits.unpack(bits.below(jnp.asarray(ends), count), 32 * count)
    np.testing.assert_array_equal(below, np.arange(32 * count)[:, None] < ends)
    chosen = np.array([-1, 0, rows - 1, 32 * count - 1])
    one = bits.unpack(bits.bit(jnp.asarray(chosen), count), 32 * count)
    np.testing.assert_array_equal(one, np.arange(32 * count)[:, None] == chosen)

    for each, cells in zip(words, matrix, strict=True):
        ends = jnp.cumsum(bits.count(each), axis=0)
        n = np.broadcast_to(np.arange(rows)[:, None], (rows, 7))
        places = np.asarray(bits.nth_bit(each, ends, jnp.asarray(n)))
        by_column = np.asarray(jax.vmap(jax.vmap(bits.nth_row, (None, 0)), (1, None))(each, jnp.arange(rows)))
        for column in range(7):
            expected = np.flatnonzero(cells[:, column])
            np.testing.assert_array_equal(places[: len(expected), column], expected)
            np.testing.assert_array_equal(by_column[column, : len(expected)], expected)
