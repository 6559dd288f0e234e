"""What the tests of data problems share: some examples, and a loss of one's own."""

import jax.numpy as jnp
import numpy as np
import oracle


def examples(count=40, seed=2):
    """Inputs [n, 3], and a label of two classes for each."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 3)).astype(np.float32)
    return x, (x[:, 0] + 0.3 * rng.normal(size=count) > 0).astype(np.int64)


def cubic(outputs, target):
    """A loss of one's own: targets are [n, 2, 1], and the outputs do not stand where they do."""
    return jnp.sum(jnp.abs(outputs[::-1] - target[:, 0]) ** 3)


def calm_and_overflowing():
    """Genes of two networks: one gives two of its three inputs, the other the square of the first, which overflows where that is huge."""
    squared = np.zeros((1 + 3 + 1, 1 + 2), np.int8)
    squared[1, 0] = squared[4, 1] = squared[2, 2] = 1
    overflows = oracle.Genes(squared, np.array([11, 1, 1], np.int8), 3, 2)
    linear = np.zeros_like(squared)
    linear[2, 1] = linear[3, 2] = 1
    calm = oracle.Genes(linear, np.array([0, 1, 1], np.int8), 3, 2)
    return calm, overflows
