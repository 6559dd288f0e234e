"""The keys that everything random starts from.

What is drawn from a seed has a purpose, which is part of its key: a search and the training that
follows it share no episode, though both have seed 0. Two functions that take the same seed for the
same purpose draw the same, which is how a result is made again.

Their implementation is always the same, whatever `jax_default_prng_impl` says: what is drawn from a
seed is part of a result, and a run can be resumed wherever it was started. What cannot be pinned,
since it is read wherever something is drawn or computed, is in `hidden_settings`.
"""

from enum import IntEnum
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

_HIDDEN = ("jax_threefry_partitionable", "jax_enable_x64", "jax_default_matmul_precision")
_FIRST = 1 << 31


class Purpose(IntEnum):
    """What random numbers are for: who draws them from a seed, and which part of an episode draws
    them from the episode's key. `ABSTRACT` keys are for shapes alone.

    The numbers are larger than any number of keys that one is split into: with JAX's generator, the
    key that is folded with n is the n-th of those that it can be split into.
    """

    SEARCH = _FIRST
    TRAINING = _FIRST + 1
    COLLECTION = _FIRST + 2
    EVALUATION = _FIRST + 3
    COLLECTION_EVALUATION = _FIRST + 4
    WEIGHT_CURVE = _FIRST + 5
    EXPLANATION = _FIRST + 6
    PRUNING = _FIRST + 7
    FILM = _FIRST + 8
    MOTIFS = _FIRST + 9
    EPISODE_START = _FIRST + 10
    EPISODE_CONTEXT = _FIRST + 11
    ABSTRACT = _FIRST + 12
    SPLIT = _FIRST + 13
    CONTEXTS = _FIRST + 14


def key_of(seed: int, purpose: Purpose) -> Key[Array, ""]:
    """The key of `seed`, an integer of up to 64 bits, for one purpose."""
    words = jnp.asarray([seed >> 32, seed & 0xFFFFFFFF], jnp.uint32)  # of which `jax.random.key` may drop the first
    return jax.random.fold_in(jax.random.wrap_key_data(words, impl="threefry2x32"), purpose)


def generator_of(seed: int, purpose: Purpose) -> np.random.Generator:
    """numpy's generator of `seed` for one purpose."""
    return np.random.default_rng((seed, purpose))


def hidden_settings() -> dict[str, Any]:
    """JAX's settings, by name, on which the result of a run depends besides its arguments: plain
    values.
    """
    return {name: getattr(jax.config, name) for name in _HIDDEN}
