"""A learned baseline: a small perceptron for each member, which says what will follow an
observation, and memory, on average; and what was better or worse than that.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Bool, Float32, Key


class Baseline:
    """The perceptrons of M members.

    Attributes:
        optimizer: that trains them.
    """

    def __init__(self, inputs: int):
        """`inputs` are the numbers that each sees, I of an observation and V of the memory."""
        from flax import linen  # where it is used, since importing it takes a while

        self._inputs = inputs
        self._model: Any = linen.Sequential([linen.Dense(64), linen.tanh, linen.Dense(64), linen.tanh, linen.Dense(1)])
        self.optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))

    def init(self, key: Key[Array, ""], members: int) -> tuple[Any, Any]:
        """Their parameters and the optimizer's states, both with leading axis M."""
        one = jnp.zeros((1, self._inputs), jnp.float32)
        params = jax.vmap(lambda key: self._model.init(key, one))(jax.random.split(key, members))
        return params, jax.vmap(self.optimizer.init)(params)

    def values(self, params: Any, observations: Float32[Array, "M B I"], memory: Float32[Array, "M B V"]) -> Float32[Array, "M B"]:
        """What each member's perceptron says."""

        def one(params, observations, memory):
            return self._model.apply(params, jnp.arcsinh(jnp.concatenate([observations, memory], axis=-1)))[..., 0]

        return jax.vmap(one)(params, observations, memory)


def advantages(
    value: Float32[Array, "T M L"],
    reward: Float32[Array, "T M L"],
    ended: Bool[Array, "T M L"],
    last_value: Float32[Array, "M L"],
    discount: float,
    trace: float,
) -> Float32[Array, "T M L"]:
    """Generalized advantage estimates (Schulman et al. 2016, arXiv 1506.02438) of transitions.

    Args:
        value: the baseline before each.
        reward: of each, with what lies beyond where an episode was cut short; in the measure of
            `value`.
        ended: whether it ended an episode.
        last_value: the baseline after the last one.
        discount, trace: γ and λ.
    """

    def back(carry, now):
        advantage, next_value = carry
        value, reward, ended = now
        onward = jnp.where(ended, 0.0, discount)
        delta = reward + onward * next_value - value
        advantage = delta + onward * trace * advantage
        return (advantage, value), advantage

    return lax.scan(back, (jnp.zeros_like(last_value), last_value), (value, reward, ended), reverse=True)[1]
