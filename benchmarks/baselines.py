"""What wannjax is compared with: the published algorithm in numpy, rewritten here; the same loop in
numba; and the dense padded matrix in plain JAX.

All are written as anyone would write them, and run a `Genome` as a weight matrix over the nodes
`[bias | inputs | hidden | outputs]`. numba, which is imported where it is used, is no dependency:
`pip install numba`.
"""

import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Float32, Int, Int32, Key

from wannjax.genomes.genome import ENABLED, Genome
from wannjax.problems.environment_problem import EnvironmentProblem


class Matrices(NamedTuple):
    """Networks as matrices, with a leading axis P.

    Attributes:
        weights: float64[P, M, M]; 1 where node `row` feeds node `column`, else 0.
        activations: int64[P, M]; activation ids.
        inputs, outputs: I and O.
    """

    weights: Float[np.ndarray, "P M M"]
    activations: Int[np.ndarray, "P M"]
    inputs: int
    outputs: int


def matrices_of(genomes: Genome) -> Matrices:
    """The weight matrices of a population of genomes without empty slots."""
    enabled = np.asarray(genomes.connections) == ENABLED
    activations = np.asarray(genomes.activations)
    count, first_target = len(enabled), 1 + genomes.inputs
    nodes = first_target + activations.shape[1]
    weights = np.zeros((count, nodes, nodes))
    weights[:, : enabled.shape[1], first_target:] = enabled
    ids = np.zeros((count, nodes), int)
    ids[:, first_target:] = activations
    return Matrices(weights, ids, genomes.inputs, genomes.outputs)


def apply_activation(activation: int, x: float) -> float:
    """One published activation, by its id."""
    if activation == 1:
        return x
    elif activation == 2:
        return 1.0 * (x > 0.0)
    elif activation == 3:
        return np.sin(np.pi * x)
    elif activation == 4:
        return np.exp(-np.multiply(x, x) / 2.0)
    elif activation == 5:
        return np.tanh(x)
    elif activation == 6:
        return (np.tanh(x / 2.0) + 1.0) / 2.0
    elif activation == 7:
        return -x
    elif activation == 8:
        return np.abs(x)
    elif activation == 9:
        return np.maximum(0.0, x)
    elif activation == 10:
        return np.cos(np.pi * x)
    raise ValueError(f"activation: expected 1 to 10, got {activation}")


def published_forward(weights, activations, inputs: int, outputs: int, observation) -> Float[np.ndarray, " O"]:
    """The outputs of one network for one observation, one node at a time."""
    values = np.zeros(len(activations))
    values[0] = 1.0
    values[1 : 1 + inputs] = observation
    for node in range(1 + inputs, len(activations)):
        values[node] = apply_activation(activations[node], np.dot(values, weights[:, node]))
    return values[-outputs:]


class SwingUp:
    """CartPoleSwingUp, one environment step at a time (equations as in Gaier & Ha 2019)."""

    def reset(self, rng: np.random.Generator):
        self.state = rng.normal((0.0, 0.0, np.pi, 0.0), 0.2)
        return self.observe()

    def observe(self):
        x, x_dot, theta, theta_dot = self.state
        return np.array([x, x_dot, np.cos(theta), np.sin(theta), theta_dot])

    def step(self, outputs):
        force = 10.0 * np.clip(outputs, -1.0, 1.0)[0]
        x, x_dot, theta, theta_dot = self.state
        s, c = math.sin(theta), math.cos(theta)
        swing, pull = 0.3 * theta_dot**2 * s, force - 0.1 * x_dot
        x_acceleration = (-2 * swing + 3 * 0.5 * 9.82 * s * c + 4 * pull) / (4 * 1.0 - 3 * 0.5 * c**2)
        theta_acceleration = (-3 * swing * c + 6 * 1.0 * 9.82 * s + 6 * pull * c) / (4 * 0.6 * 1.0 - 3 * 0.3 * c**2)
        x, x_dot = x + 0.01 * x_dot, x_dot + 0.01 * x_acceleration
        theta, theta_dot = theta + 0.01 * theta_dot, theta_dot + 0.01 * theta_acceleration
        self.state = np.array([x, x_dot, theta, theta_dot])
        reward = (np.cos(theta) + 1.0) / 2.0 * np.cos(np.pi * x / 4.8)
        return self.observe(), reward, abs(x) > 2.4


class CartPole:
    """CartPole-v1, one environment step at a time (equations as in gymnasium)."""

    def reset(self, rng: np.random.Generator):
        self.state = rng.uniform(-0.05, 0.05, 4)
        return self.state

    def step(self, outputs):
        force = 10.0 if np.argmax(outputs) == 1 else -10.0
        x, x_dot, theta, theta_dot = self.state
        s, c = math.sin(theta), math.cos(theta)
        push = (force + 0.05 * theta_dot**2 * s) / 1.1
        theta_acceleration = (9.8 * s - c * push) / (0.5 * (4.0 / 3.0 - 0.1 * c**2 / 1.1))
        x_acceleration = push - 0.05 * theta_acceleration * c / 1.1
        x, x_dot = x + 0.02 * x_dot, x_dot + 0.02 * x_acceleration
        theta, theta_dot = theta + 0.02 * theta_dot, theta_dot + 0.02 * theta_acceleration
        self.state = np.array([x, x_dot, theta, theta_dot])
        return self.state, 1.0, abs(x) > 2.4 or abs(theta) > 12 * np.pi / 180


NUMPY_ENVIRONMENTS: dict[str, Callable[[], Any]] = {"CartPoleSwingUp-v0": SwingUp, "CartPole-v1": CartPole}


class Played(NamedTuple):
    """Returns of episodes, float64[P, W], and the environment steps that they took."""

    returns: Float[np.ndarray, "P W"]
    steps: int


def published(environment: str, networks: Matrices, weights: tuple[float, ...], max_steps: int) -> Played:
    """One episode of each network at each shared weight, one after the other."""
    rng, steps = np.random.default_rng(0), 0
    returns = np.zeros((len(networks.weights), len(weights)))
    for row, (connections, activations) in enumerate(zip(networks.weights, networks.activations, strict=True)):
        for column, weight in enumerate(weights):
            matrix, env = weight * connections, NUMPY_ENVIRONMENTS[environment]()
            observation, score = env.reset(rng), 0.0
            for _ in range(max_steps):
                outputs = published_forward(matrix, activations, networks.inputs, networks.outputs, observation)
                observation, reward, ended = env.step(outputs)
                score += reward
                steps += 1
                if ended:
                    break
            returns[row, column] = score
    return Played(returns, steps)


def _see_swing_up(state, seen):
    seen[0], seen[1], seen[2], seen[3], seen[4] = state[0], state[1], math.cos(state[2]), math.sin(state[2]), state[3]


def _advance_swing_up(state, outputs):
    force = 10.0 * min(max(outputs[0], -1.0), 1.0)
    x, x_dot, theta, theta_dot = state[0], state[1], state[2], state[3]
    s, c = math.sin(theta), math.cos(theta)
    swing, pull = 0.3 * theta_dot * theta_dot * s, force - 0.1 * x_dot
    state[0] = x + 0.01 * x_dot
    state[1] = x_dot + 0.01 * (-2 * swing + 3 * 0.5 * 9.82 * s * c + 4 * pull) / (4 * 1.0 - 3 * 0.5 * c * c)
    state[2] = theta + 0.01 * theta_dot
    state[3] = theta_dot + 0.01 * (-3 * swing * c + 6 * 1.0 * 9.82 * s + 6 * pull * c) / (4 * 0.6 * 1.0 - 3 * 0.3 * c * c)
    return (math.cos(state[2]) + 1.0) / 2.0 * math.cos(math.pi * state[0] / 4.8), abs(state[0]) > 2.4


def _see_cart_pole(state, seen):
    seen[0], seen[1], seen[2], seen[3] = state[0], state[1], state[2], state[3]


def _advance_cart_pole(state, outputs):
    force = 10.0 if outputs[1] > outputs[0] else -10.0
    x, x_dot, theta, theta_dot = state[0], state[1], state[2], state[3]
    s, c = math.sin(theta), math.cos(theta)
    push = (force + 0.05 * theta_dot * theta_dot * s) / 1.1
    theta_acceleration = (9.8 * s - c * push) / (0.5 * (4.0 / 3.0 - 0.1 * c * c / 1.1))
    state[0] = x + 0.02 * x_dot
    state[1] = x_dot + 0.02 * (push - 0.05 * theta_acceleration * c / 1.1)
    state[2] = theta + 0.02 * theta_dot
    state[3] = theta_dot + 0.02 * theta_acceleration
    return 1.0, abs(state[0]) > 2.4 or abs(state[2]) > 12 * math.pi / 180


_SCALAR_ENVIRONMENTS = {"CartPoleSwingUp-v0": (_see_swing_up, _advance_swing_up), "CartPole-v1": (_see_cart_pole, _advance_cart_pole)}


@cache
def _compiled(environment: str) -> Callable[..., int]:
    """The loop of `published` for one environment, compiled by numba, over the connections that
    there are.
    """
    from numba import njit

    see, advance = map(njit, _SCALAR_ENVIRONMENTS[environment])
    activate = njit(apply_activation)

    @njit
    def play(states, sources, offsets, activations, weights, inputs, outputs, max_steps, returns):
        nodes, steps = activations.shape[1], 0
        values = np.zeros(nodes)
        values[0] = 1.0
        for row in range(len(activations)):
            for column in range(len(weights)):
                state = states[row, column]
                for _ in range(max_steps):
                    see(state, values[1 : 1 + inputs])
                    for node in range(1 + inputs, nodes):
                        total = 0.0
                        for place in range(offsets[row, node], offsets[row, node + 1]):
                            total += values[sources[row, place]]
                        values[node] = activate(activations[row, node], weights[column] * total)
                    reward, ended = advance(state, values[nodes - outputs :])
                    returns[row, column] += reward
                    steps += 1
                    if ended:
                        break
        return steps

    return play


def in_numba(environment: str, networks: Matrices, weights: tuple[float, ...], max_steps: int) -> Played:
    """As `published`, on the same episodes, in numba."""
    rng, count = np.random.default_rng(0), len(networks.weights)
    env = NUMPY_ENVIRONMENTS[environment]()
    states, returns = np.zeros((count, len(weights), 4)), np.zeros((count, len(weights)))
    for row in range(count):
        for column in range(len(weights)):
            env.reset(rng)
            states[row, column] = env.state
    enabled = networks.weights.transpose(0, 2, 1) != 0  # by target, then by source
    offsets = np.zeros((count, enabled.shape[1] + 1), int)
    offsets[:, 1:] = np.cumsum(enabled.sum(axis=2), axis=1)
    sources = np.zeros((count, offsets.max()), int)
    for row, each in enumerate(enabled):
        sources[row, : offsets[row, -1]] = np.nonzero(each)[1]
    play, sizes = _compiled(environment), (networks.inputs, networks.outputs, max_steps)
    return Played(returns, play(states, sources, offsets, networks.activations, np.array(weights), *sizes, returns))


_BRANCHES = (
    lambda x: x,
    lambda x: x,
    lambda x: (x > 0).astype(x.dtype),
    lambda x: jnp.sin(jnp.pi * x),
    lambda x: jnp.exp(-x * x / 2),
    jnp.tanh,
    jax.nn.sigmoid,
    lambda x: -x,
    jnp.abs,
    jax.nn.relu,
    lambda x: jnp.cos(jnp.pi * x),
)


def dense_forward(weights, activations, inputs: int, outputs: int, observation) -> Float32[Array, " O"]:
    """The outputs of one network for one observation: the vector of values times one node's column
    after the other.

    Repeating values @ weights as often as the network is deep instead took 1.3 (128 nodes) to 3
    times (29 nodes) as long.
    """
    nodes = activations.shape[0]
    values = jnp.concatenate([jnp.ones(1), observation, jnp.zeros(nodes - 1 - inputs)])

    def visit(node, values):
        return values.at[node].set(lax.switch(activations[node], _BRANCHES, values @ weights[:, node]))

    return lax.fori_loop(1 + inputs, nodes, visit, values)[-outputs:]


@partial(jax.jit, static_argnames=("problem", "inputs", "outputs", "max_steps"))
def dense(
    problem: EnvironmentProblem,
    keys: Key[Array, " L"],
    weights: Float32[Array, "P M M"],
    activations: Int[Array, "P M"],
    gain: Float32[Array, " L"],
    *,
    inputs: int,
    outputs: int,
    max_steps: int,
) -> tuple[Float32[Array, "P L"], Int32[Array, "P L"]]:
    """Returns and lengths of one episode of every network on every lane: one episode, vmapped over
    lanes and over networks.
    """
    environment: Any = problem.environment
    env, params = environment.env, problem.params
    space = env.action_space(params)

    def episode(key, weights, activations, gain):
        def running(carry):
            time, ended, *_ = carry
            return (time < max_steps) & ~ended

        def advance(carry):
            time, _, score, observation, state = carry
            values = dense_forward(gain * weights, activations, inputs, outputs, observation)
            action = jnp.argmax(values) if problem.discrete else jnp.clip(values, space.low, space.high)
            observation, state, reward, terminated, _ = env.step_env(jax.random.fold_in(key, time), state, action, params)
            return time + 1, terminated | env.is_truncated(state, params), score + reward, observation, state

        observation, state = env.reset_env(key, params)
        time, _, score, *_ = lax.while_loop(running, advance, (jnp.int32(0), False, jnp.float32(0), observation, state))
        return score, time

    over_lanes = jax.vmap(episode, in_axes=(0, None, None, 0))
    return jax.vmap(over_lanes, in_axes=(None, 0, 0, None))(keys, weights, activations, gain)
