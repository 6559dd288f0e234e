"""Networks whose outputs have noise, so that they try things: what a policy gradient trains.

Where the greatest of all outputs, or of each group, says the action, the noise is Gumbel's, which
makes the choice a draw from their softmax; elsewhere, switches and boxes of integers included, it
is Gaussian, of a learned deviation. Without the noise it is the policy that `evaluate` scores.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Key

from wannjax.networks import gradients
from wannjax.networks.gradients import Topology


class Policy(NamedTuple):
    """What the optimizer trains; leading axis M."""

    weights: Float32[Array, "M C"]
    log_deviation: Float32[Array, "M O"]


class StochasticPolicy:
    """What policies of one topology do."""

    def __init__(self, topology: Topology, groups: tuple[int, ...], surrogate: float):
        """
        Args:
            groups: sizes of the groups of outputs of which the greatest says the action; none where
                the outputs are numbers.
            surrogate: see `gradients.step`.
        """
        self._topology, self._groups, self._surrogate = topology, groups, surrogate

    def run(
        self, policy: Policy, memory: Float32[Array, "M B V"], observations: Float32[Array, "M B I"]
    ) -> tuple[Float32[Array, "M B V"], Float32[Array, "M B O"]]:
        """Memory and outputs after the observations, without noise."""
        given = (jnp.moveaxis(each, -1, 0) for each in (memory, observations))
        memory, outputs = gradients.step(self._topology, policy.weights, *given, surrogate=self._surrogate)
        return jnp.moveaxis(memory, 0, -1), jnp.moveaxis(outputs, 0, -1)

    def noisy(self, policy: Policy, outputs: Float32[Array, "M B O"], key: Key[Array, ""]) -> Float32[Array, "M B O"]:
        """The choice: outputs with their noise."""
        if self._groups:
            return outputs + jax.random.gumbel(key, outputs.shape, jnp.float32)
        return outputs + jnp.exp(policy.log_deviation)[:, None] * jax.random.normal(key, outputs.shape, jnp.float32)

    def log_probability(
        self, policy: Policy, outputs: Float32[Array, "M B O"], choice: Float32[Array, "M B O"]
    ) -> tuple[Float32[Array, "M B"], Float32[Array, "M B"]]:
        """That of a `choice` given the outputs, and the entropy, of discrete actions only."""
        if self._groups:
            logits = self._of_groups(jax.nn.log_softmax, outputs)
            chosen = self._of_groups(lambda part: jax.nn.one_hot(jnp.argmax(part, axis=-1), part.shape[-1], dtype=jnp.float32), choice)
            return jnp.sum(chosen * logits, axis=-1), -jnp.sum(jnp.exp(logits) * logits, axis=-1)
        log_deviation = policy.log_deviation[:, None]
        scaled = (choice - outputs) * jnp.exp(-log_deviation)
        density = jnp.sum(-0.5 * scaled**2 - log_deviation, axis=-1)
        return density, jnp.zeros_like(density)

    def _of_groups(self, function, outputs):
        """`function` of each group of outputs [M, B, O]."""
        parts = jnp.split(outputs, np.cumsum(self._groups)[:-1], axis=-1)
        return jnp.concatenate([function(part) for part in parts], axis=-1)
