"""Episodes step by step: what a network saw, computed and did, for pictures and analyses.

The steps are those of scoring (`EnvironmentProblem.reset`, `.step`, `tape.forward`), with the
same keys, so that an episode that is looked at is one that was scored.
"""

from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Key

from wannjax.common import devices
from wannjax.networks.activations import SUM
from wannjax.networks.network import Network, tape_of
from wannjax.networks.tape import FIRST_INPUT, forward, initial_values
from wannjax.problems.capabilities import Episodic
from wannjax.problems.host_problem import HostProblem, Seen
from wannjax.problems.problem import check_sizes


class Episodes(NamedTuple):
    """Episodes of one network on L lanes, T time steps. After an episode's end, whatever is in its
    arrays means nothing.

    Attributes:
        states: the environment's state before every step; a pytree with leading axes [T, L]. Of an
            environment on the host the picture that its camera took, as PNG; None without a camera.
        values: float32[T, N, L], of every node in the graph's order: bias, inputs, hidden nodes,
            outputs.
        rewards: float32[T, L], 0 after the end.
        alive: bool[T, L], whether the step belongs to the episode.
    """

    states: Any
    values: Float32[np.ndarray, "T N L"]
    rewards: Float32[np.ndarray, "T L"]
    alive: Bool[np.ndarray, "T L"]

    @property
    def steps(self) -> np.ndarray:
        """The length of every episode."""
        return self.alive.sum(axis=0)


def episodes_of(network: Network, problem: Episodic | HostProblem, keys: Key[Array, " L"], gain: Float32[Array, " L"]) -> Episodes:
    """The episodes that `problem.rollout` scores for the same `keys` and shared weights `gain`,
    step by step, up to the end of the longest.

    Raises ValueError unless the network has the inputs and outputs that `problem` needs.
    """
    check_sizes(network, problem)
    plain = replace(network, input_names=(), output_names=())
    if isinstance(problem, HostProblem):
        states, values, rewards, alive = _on_host(problem, plain, keys, gain)
    else:
        states, values, rewards, alive = jax.tree.map(np.asarray, _program()(problem, plain, keys, gain, problem.params))
    length = int(alive.any(axis=1).sum())
    is_node = np.asarray(network.activations)[: int(network.steps)] != SUM
    hidden = FIRST_INPUT + network.inputs + np.flatnonzero(is_node)
    last = values.shape[1] - network.outputs
    rows = np.concatenate([np.arange(1, FIRST_INPUT + network.inputs), hidden, np.arange(last, last + network.outputs)])
    return Episodes(*jax.tree.map(lambda leaf: leaf[:length], (states, values[:, rows], rewards, alive)))


@cache
def _program():
    """Compiled once per problem and size of network."""
    return jax.jit(_run, static_argnums=0, compiler_options=devices.compiler_options())


def _run(problem: Episodic, network: Network, keys, gain, params):
    tape = tape_of(jax.tree.map(lambda leaf: leaf[None], network))

    def advance(carry, time):
        alive, observations, state, memory = carry
        memory, outputs = forward(tape, memory, observations, gain, dynamic_length=devices.on_cpu())
        after = problem.step(keys, time, state, outputs, params)
        seen = (state, jnp.concatenate([memory, outputs]), jnp.where(alive, after.reward, 0.0), alive)
        return (alive & ~after.ended, after.observation, after.state, memory), seen

    observations, state = problem.reset(keys, 1, params)
    alive = jnp.ones((1, len(keys)), bool)
    carry = (alive, observations, state, initial_values(tape, len(keys)))
    _, (states, values, rewards, alive) = lax.scan(advance, carry, jnp.arange(problem.max_steps, dtype=jnp.int32))
    return jax.tree.map(lambda leaf: leaf[:, 0], states), values[:, :, 0], rewards[:, 0], alive[:, 0]


def _on_host(problem: HostProblem, network: Network, keys, gain):
    """As `_run`, of an environment on the host."""
    seen: list[Seen] = []
    problem.look_on(keys, network, gain, seen.append)
    steps, lanes = len(seen), len(gain)
    rows, outputs = seen[0].values.shape[0], network.outputs
    values, alive = np.zeros((steps, rows + outputs, lanes), np.float32), np.zeros((steps, lanes), bool)
    rewards, states = np.zeros((steps, lanes), np.float32), np.full((steps, lanes), b"", object)
    for time, now in enumerate(seen):
        values[time][:, now.alive] = np.concatenate([now.values, now.outputs])
        rewards[time, now.alive], alive[time, now.alive] = now.rewards, True
        for lane, picture in zip(now.alive, now.pictures, strict=False):
            states[time, lane] = picture
    return states if seen[0].pictures else None, values, rewards, alive
