"""What a policy gradient learns from: transitions, of episodes that go on from batch to batch or of
whole ones.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int, Shaped

from wannjax.finetuning.baseline import advantages
from wannjax.finetuning.host_episodes import Episodes


class Batch(NamedTuple):
    """Transitions. `memory` is that before each, `choice` are the outputs with their noise,
    `reward` is scaled by 1 - γ, `finished` the return of an episode that ended, nan elsewhere.
    """

    observations: Float32[Array, "T M L I"]
    memory: Float32[Array, "T M L V"]
    choice: Float32[Array, "T M L O"]
    log_probability: Float32[Array, "T M L"]
    value: Float32[Array, "T M L"]
    reward: Float32[Array, "T M L"]
    ended: Bool[Array, "T M L"]
    finished: Float32[Array, "T M L"]


def batch_of(episodes: Episodes, values: Callable[[Array], Array], discount: float, trace: float) -> tuple[Batch, Float32[Array, "T M L"]]:
    """The transitions of whole episodes, and their advantages; what comes after the end of one is
    of no use. `values` is what the baseline says: observations [M, L, I] → [M, L].
    """
    left = episodes.steps[None] - 1 - jnp.arange(len(episodes.reward), dtype=jnp.int32)[:, None, None]
    value = jnp.where(left >= 0, jax.vmap(values)(episodes.observations), 0.0)
    beyond = jnp.where((left == 0) & ~episodes.terminated[None], values(episodes.beyond)[None], 0.0)
    reward, ended = (1 - discount) * episodes.reward + discount * beyond, left <= 0
    seen, unknown = episodes.observations, jnp.full_like(value, jnp.nan)
    batch = Batch(seen, no_memory(seen), episodes.choice, episodes.log_probability, value, reward, ended, unknown)
    return batch, advantages(value, reward, ended, jnp.zeros_like(beyond[0]), discount, trace)


def taken(leaf: Shaped[Array, "T M L ..."], chosen: Int[Array, "M n"]) -> Shaped[Array, "n M 1 ..."]:
    """Of each member what is `chosen` of its T·L transitions, in a single lane."""
    by_member = jnp.moveaxis(leaf, 1, 0)
    flat = by_member.reshape(by_member.shape[0], by_member.shape[1] * by_member.shape[2], *by_member.shape[3:])
    return jnp.moveaxis(jax.vmap(lambda each, places: each[places])(flat, chosen), 1, 0)[:, :, None]


def no_memory(observations: Float32[Array, "*grid I"]) -> Float32[Array, "*grid 0"]:
    """The memory of networks without one."""
    return observations[..., :0]


def places_of(running: Bool[np.ndarray, "T M L"], parts: int) -> Int[np.ndarray, "M n"]:
    """Places among all T·L at which each member's episodes were still `running`: equally many of
    all members, a power of two times `parts`. Who has fewer repeats some.
    """
    places = [np.flatnonzero(running[:, member]) for member in range(running.shape[1])]
    most = max(map(len, places))
    count = parts << max(-(-most // parts) - 1, 0).bit_length()
    return np.stack([np.resize(each, count) for each in places])
