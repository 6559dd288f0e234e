"""Back-propagation: through the loss of a data set, through a function that is a score, or through
the dynamics of an environment that is differentiable.

Through a long episode gradients explode: on swing-up they are not finite for weights beyond ±1.4.
So the gradient that flows from one time step's state, observation and memory to the step before is
scaled down, episode by episode, to a norm of `clip` at the most; through sequences of data, that of
the memory is. That makes it finite, at the price of a bias: the far future counts less.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array

from wannjax.common import devices
from wannjax.common.per_device import PerDevice, on_devices
from wannjax.common.settings import Settings, count, positive, rate, setting
from wannjax.common.validation import require
from wannjax.finetuning.method import Trainer, bounded, bounded_memory, climber, where_lanes
from wannjax.networks import gradients
from wannjax.networks.gradients import SURROGATE, Topology
from wannjax.problems.capabilities import Episodic, Scored, Supervised
from wannjax.problems.sequences import ALL, at_each_time, over_time

_SEGMENT = 32
"""Time steps whose values are kept together on the backward pass; all others are computed again."""


@dataclass(frozen=True)
class Gradient(Settings):
    """Settings of back-propagation. Raises ValueError, naming the field, its value and what is
    allowed.
    """

    name = "gradient"
    updates = 1

    episodes: int = count(16, "episodes of a step in an environment or of a function")
    batch: int = count(0, "examples of a step on data: all where there are not more; 0 for the problem's own mini-batch", 0)
    clip: float = setting(
        1.0, "bound of the norm of the gradient that flows from one time step to the one before", "> 0", lambda value: value > 0
    )
    surrogate: float = rate(SURROGATE, "sharpness of the surrogate gradient of `step` activations, which are flat; 0 for none")
    learning_rate: float = positive(0.01, "of Adam, where no optimizer is given")

    def trainer(self, problem: Any, topology: Topology, optimizer: optax.GradientTransformation) -> Trainer:
        if isinstance(problem, Supervised):
            return climber(self._through_data(problem, topology), optimizer)
        if isinstance(problem, Scored) and problem.traceable:
            return climber(self._through_function(problem, topology), optimizer)
        able = isinstance(problem, Episodic) and problem.differentiable
        require("method", f"gradient for {problem.name}", "one that needs no gradients of the problem, which has none", able)
        return climber(self._through_dynamics(problem.with_gradients(), topology), optimizer)

    def _through_data(self, problem: Supervised, topology: Topology):
        loss = jax.vmap(jax.vmap(problem.loss, in_axes=(-1, 0)), in_axes=(1, None))

        batch = min(self.batch or problem.batch, problem.size)

        def climb(key, weights, examples, *, shares):
            # Filled up to equal shares for all devices; what is filled in does not count.
            places = jnp.arange(_equal_shares(batch, shares), dtype=jnp.int32).reshape(shares, -1)

            def on_device(share, key, weights, examples):
                own = places[share]
                inputs, targets = jax.tree.map(lambda leaf: leaf[own % batch], tuple(problem.draw(key, examples, batch)))

                def score(weights):
                    losses = self._losses(problem, topology, loss, weights, inputs, targets)
                    scores = -jnp.sum(jnp.where(own < batch, losses, 0.0), axis=1) * (shares / batch)
                    return jnp.sum(scores), scores

                return jax.grad(score, has_aux=True)(weights)

            return on_devices(on_device, shares, key, weights, examples)

        compiled = PerDevice(climb, _mean)
        return lambda key, weights: compiled(key, weights, problem.examples)

    def _losses(self, problem: Supervised, topology: Topology, loss, weights, inputs, targets):
        """The losses [M, n] of M copies."""
        if problem.sequences is None:
            return loss(gradients.run_on_batch(topology, weights, inputs, surrogate=self.surrogate), targets)
        grid = weights.shape[0], inputs.shape[0]

        def run(memory, seen):
            seen = jnp.broadcast_to(seen[:, None], (seen.shape[0], *grid))
            return gradients.step(topology, weights, bounded_memory(self.clip, memory), seen, surrogate=self.surrogate)

        through = at_each_time if problem.sequences == ALL else over_time
        return through(run, loss, gradients.no_memory(topology, *grid), jnp.moveaxis(inputs, 0, -1), targets)

    def _through_function(self, problem: Scored, topology: Topology):
        def score_of(weights, key):
            def run(batch):
                return gradients.run_on_batch(topology, weights[None], batch, surrogate=self.surrogate)[:, 0].T

            return problem.scored(key, run)

        def score(weights, keys):
            over_keys = jax.vmap(score_of, in_axes=(None, 0))
            scores = jnp.mean(jax.vmap(over_keys, in_axes=(0, None))(weights, keys), axis=1)
            return jnp.sum(scores), scores

        return PerDevice(partial(_over_episodes, score, self.episodes if problem.stochastic else 1), _mean)

    def _through_dynamics(self, problem: Episodic, topology: Topology):
        segments = -(-problem.max_steps // _SEGMENT)

        def score(weights, keys, params):
            def advance(carry, time):
                observations, state, memory, alive, returns = carry
                new_memory, outputs = gradients.step(topology, weights, memory, observations, surrogate=self.surrogate)
                after = problem.step(keys, time, state, outputs, params)
                passed = jnp.concatenate([after.observation, new_memory]) if memory.shape[0] else after.observation
                passed, new_state = bounded(self.clip, (jnp.moveaxis(passed, 0, -1), after.state))
                returns = returns + jnp.where(alive, after.reward, 0.0)
                # Where an episode has ended nothing moves any more, so that nothing can overflow.
                passed = jnp.moveaxis(passed, -1, 0)
                new_observations = jnp.where(alive, passed[: problem.inputs], observations)
                new_memory = jnp.where(alive, passed[problem.inputs :], memory)
                new_state = jax.tree.map(partial(where_lanes, alive), new_state, state)
                return (new_observations, new_state, new_memory, alive & ~after.ended & (time + 1 < problem.max_steps), returns), None

            def segment(carry, start):
                return lax.scan(advance, carry, start + jnp.arange(_SEGMENT, dtype=jnp.int32))

            observations, state = problem.reset(keys, weights.shape[0], params)
            grid = weights.shape[0], keys.shape[0]
            carry = observations, state, gradients.no_memory(topology, *grid), jnp.ones(grid, bool), jnp.zeros(grid, jnp.float32)
            (*_, returns), _ = lax.scan(jax.checkpoint(segment), carry, jnp.arange(segments, dtype=jnp.int32) * _SEGMENT)
            scores = jnp.mean(returns, axis=1)
            return jnp.sum(scores), scores

        compiled = PerDevice(partial(_over_episodes, score, self.episodes), _mean, compiler_options=devices.compiler_options())
        return lambda key, weights: compiled(key, weights, problem.params)


def _equal_shares(count: int, shares: int) -> int:
    """The least number from `count` on that so many devices can share equally."""
    return -(-count // shares) * shares


def _over_episodes(score: Callable[..., tuple[Array, Array]], episodes: int, key, weights, *params, shares: int):
    """The gradient of `score(weights, keys, *params)`, and the scores, on equal shares of the
    episodes.
    """

    def on_device(share, key, weights, *params):
        keys = jax.random.split(key, _equal_shares(episodes, shares)).reshape(shares, -1)
        return jax.grad(score, has_aux=True)(weights, keys[share], *params)

    return on_devices(on_device, shares, key, weights, *params)


def _mean(shares):
    """The mean over equal shares of a batch: the gradient, and the scores."""
    return jax.tree.map(lambda leaf: leaf.mean(axis=0), shares)
