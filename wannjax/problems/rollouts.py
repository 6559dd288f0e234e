"""What problems of environments have in common, wherever the environment lives: episodes of a whole
population, whose returns are the scores.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int32, Key

from wannjax.common.wording import counted
from wannjax.networks.network import Network
from wannjax.networks.tape import ALL_ACTIVATIONS
from wannjax.problems.problem import Evaluation, Problem, as_names, checked_names


class Rollouts(NamedTuple):
    """Episodes of P networks on L lanes.

    Attributes:
        returns: float32[P, L], undiscounted.
        steps: int32[P, L], length of each episode.
        computed_steps: float32[], environment steps that were computed, in all: a large population
            exceeds an int32.
    """

    returns: Float32[Array, "P L"]
    steps: Int32[Array, "P L"]
    computed_steps: Float32[Array, ""]


class RolloutProblem(Problem):
    """An environment as a problem: the return of an episode is the score.

    Attributes:
        environment: the environment.
        max_steps: the length of an episode at the most.
        together: what the lanes of a race are filled up to a multiple of.
    """

    metric = "return"
    stochastic = True
    sequential = True
    together = 1

    def __init__(self, environment: Any, input_names: tuple[str, ...], output_names: tuple[str, ...]):
        """`environment` has what an `Environment` has; names are those of it when empty.

        Raises ValueError for names that `checked_names` refuses.
        """
        self.environment, self.name, self.max_steps = environment, environment.name, int(environment.max_steps)
        self.inputs, self.outputs = int(environment.inputs), int(environment.actions.outputs)
        self.output_activation = environment.actions.output_activation
        input_names = as_names("input_names", input_names) or environment.input_names
        output_names = as_names("output_names", output_names) or environment.output_names
        self.input_names, self.output_names = checked_names(input_names, output_names, self.inputs, self.outputs)

    def __repr__(self) -> str:
        sizes = f"{counted(self.inputs, 'input')}, {counted(self.outputs, 'output')}, at most {counted(self.max_steps, 'step')}"
        return f"{type(self).__name__}({self.name}: {sizes})"

    def rollout(
        self,
        keys: Key[Array, " L"],
        networks: Network,
        gain: Float[Array, " L"],
        *,
        activation_ids: tuple[int, ...] = ALL_ACTIVATIONS,
    ) -> Rollouts:
        """One episode of every network on every lane.

        Args:
            keys: the episode of each lane; equal keys mean equal starts and equal noise, for all
                networks alike.
            networks: P networks; their individual weights, if any, may differ from lane to lane.
            gain: the shared weight of each lane.
        """
        raise NotImplementedError

    def evaluate_after(
        self,
        key: Key[Array, ""],
        networks: Network,
        weights: Float[Array, " W"],
        first: Float[Array | np.ndarray, "P W"] | Float[Array | np.ndarray, "P W F"],
        *,
        episodes: int,
        activation_ids: tuple[int, ...] = ALL_ACTIVATIONS,
    ) -> Evaluation:
        """The mean returns that `evaluate` gives, of which only those after the `first` are
        computed. See `Problem`.
        """
        if first.ndim == 2:  # of a subclass whose `evaluate` tells no episodes apart
            return super().evaluate_after(key, networks, weights, first, episodes=episodes, activation_ids=activation_ids)
        first, weights = jnp.asarray(first, jnp.float32), jnp.asarray(weights, jnp.float32)
        keys = jax.random.split(key, episodes)[first.shape[2] :]
        lanes = len(weights) * len(keys)
        filled = np.arange(-(-lanes // self.together) * self.together) % lanes
        gain = jnp.repeat(weights, len(keys))[filled]
        found = self.rollout(jnp.tile(keys, len(weights))[filled], networks, gain, activation_ids=activation_ids)
        rest, steps = (each[:, :lanes].reshape(*first.shape[:2], len(keys)) for each in (found.returns, found.steps))
        returns = jnp.concatenate([first, rest], axis=2)
        return Evaluation(jnp.mean(returns, axis=2), jnp.sum(steps, axis=2), found.computed_steps, returns)

    def measure(
        self,
        keys: Key[Array, " L"],
        networks: Network,
        gain: Float[Array, " L"],
        *,
        activation_ids: tuple[int, ...] = ALL_ACTIVATIONS,
    ) -> Float32[Array, "P L"]:
        """The returns of `rollout`. See `Problem`."""
        return self.rollout(keys, networks, gain, activation_ids=activation_ids).returns
