"""The keys that everything random starts from.

Their implementation is always the same, whatever `jax_default_prng_impl` says: what is drawn from a
seed is part of a result, and a run can be resumed wherever it was started. What cannot be pinned,
since it is read wherever something is drawn or computed, is in `hidden_settings`.
"""

from typing import Any

import jax
from jaxtyping import Array, Key

_HIDDEN = ("jax_threefry_partitionable", "jax_random_seed_offset", "jax_enable_x64", "jax_default_matmul_precision")


def key_of(seed: int) -> Key[Array, ""]:
    """The key of `seed`."""
    return jax.random.key(seed, impl="threefry2x32")


def hidden_settings() -> dict[str, Any]:
    """JAX's settings, by name, on which the result of a run depends besides its arguments: plain
    values.
    """
    return {name: getattr(jax.config, name) for name in _HIDDEN}
