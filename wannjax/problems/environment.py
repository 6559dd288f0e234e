"""gymnax environments as problems: the whole grid networks × shared weights × episodes as one compiled rollout.

A lane is one (weight, episode) pair; the environments of N networks × L lanes step together, networks in blocks, and each block
stops when its last lane has ended. Environments never reset themselves here: a lane that has ended is masked, so that whatever it
computes afterwards (a NaN included) reaches no score.
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Float32, Int32, Key

from wannjax import devices
from wannjax.network import ALL_ACTIVATIONS, Network, forward, initial_values, tape_of
from wannjax.problems.names import names_for
from wannjax.problems.problem import Evaluation, Problem, alone, check_population, check_populations, checked_names
from wannjax.problems.spread import spread
from wannjax.validation import require


class Rollouts(NamedTuple):
    """Episodes of P networks on L lanes; of several runs, with a leading axis on everything.

    Attributes:
        returns: float32[P, L], undiscounted.
        steps: int32[P, L], length of each episode.
        computed_steps: float32[], environment steps that were computed, in all: a large population exceeds an int32.
    """

    returns: Float32[Array, "*runs P L"]
    steps: Int32[Array, "*runs P L"]
    computed_steps: Float32[Array, "*runs"]


class GymnaxProblem(Problem):
    """A gymnax environment whose return is the score.

    Observations are flattened. A discrete action is the index of the greatest output. A continuous one is the outputs clipped to
    [-1, 1] and stretched to the space's bounds (where these are infinite, the outputs as they are), so that tanh outputs, which
    the search finds better networks with, reach all of it.
    """

    metric = "return"
    stochastic = True

    def __init__(
        self,
        env: Any,
        env_params: Any = None,
        *,
        name: str | None = None,
        max_steps: int | None = None,
        input_names: tuple[str, ...] = (),
        output_names: tuple[str, ...] = (),
        network_block: int | None = None,
    ):
        """
        Args:
            env: a gymnax `Environment`.
            env_params: its parameters; the defaults when None.
            max_steps: length limit of an episode; the parameters' `max_steps_in_episode` when None.
            input_names, output_names: for people; those known for gymnax's environments when empty.
            network_block: networks that one device runs side by side; chosen by device and memory when None. Changes the speed only.

        Raises:
            ValueError: the action space is neither discrete nor a box, or no length limit is known.
        """
        self.env = env
        self.params = env.default_params if env_params is None else env_params
        self.name = name or env.name
        limit = getattr(self.params, "max_steps_in_episode", None) if max_steps is None else max_steps
        require("max_steps", limit, "an integer >= 1, or known from the environment's parameters", int(limit or 0) >= 1)
        self.max_steps = int(limit or 0)
        require("network_block", network_block, "None or >= 1", network_block is None or network_block >= 1)
        self.network_block = network_block

        observation, state = jax.eval_shape(env.reset_env, jax.random.key(0), self.params)
        self.inputs = sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(observation))
        self._state_bytes = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves((observation, state)))
        space = env.action_space(self.params)
        self.discrete = hasattr(space, "n")
        require("env", self.name, "an environment with a Discrete or a Box action space", self.discrete or hasattr(space, "low"))
        self.outputs = int(space.n) if self.discrete else int(np.prod(space.shape))
        self.output_activation = "linear" if self.discrete else "tanh"
        self._space = space
        if not self.discrete:
            low, high = (np.broadcast_to(np.asarray(bound, np.float32), space.shape) for bound in (space.low, space.high))
            self._reach = (high - low) / 2  # infinite where a bound is
            bounded = np.isfinite(self._reach)
            self._centre = np.where(bounded, high, 0.0) - np.where(bounded, self._reach, 0.0)
        options = devices.compiler_options()
        self._evaluate = jax.jit(self._score, static_argnames=("episodes", "among"), compiler_options=options)
        self._evaluate_many = jax.jit(self._score_many, static_argnames=("episodes", "among"), compiler_options=options)
        self._score_copies = jax.jit(self._score_packed, static_argnames=("episodes", "among"), compiler_options=options)
        self._rollout = jax.jit(self._rollout_one, static_argnames="among", compiler_options=options)
        known_inputs, known_outputs = names_for(self.name)
        self.input_names = checked_names("input_names", tuple(input_names or known_inputs), self.inputs, "input")
        self.output_names = checked_names("output_names", tuple(output_names or known_outputs), self.outputs, "output")

    def __repr__(self) -> str:
        return f"GymnaxProblem({self.name}: {self.inputs} inputs, {self.outputs} outputs, at most {self.max_steps} steps)"

    def evaluate(
        self,
        key: Key[Array, ""],
        networks: Network,
        weights: Float[Array, " W"],
        *,
        episodes: int,
        among: tuple[int, ...] = ALL_ACTIVATIONS,
    ) -> Evaluation:
        """Mean returns of P networks at each of W shared weights over `episodes` episodes, the same ones for all. See `Problem`."""
        check_population(networks, self)
        require("episodes", episodes, "an integer >= 1", episodes >= 1)
        return self._evaluate(key, networks, weights, self.params, episodes=episodes, among=among)

    def evaluate_many(
        self,
        keys: Key[Array, " runs"],
        networks: Network,
        weights: Float[Array, " W"],
        *,
        wanted: Bool[np.ndarray, " runs"],
        episodes: int,
        among: tuple[int, ...] = ALL_ACTIVATIONS,
    ) -> Evaluation:
        """`evaluate` for several runs at once, as one compiled program. See `Problem`."""
        check_populations(keys, networks, wanted, self)
        require("episodes", episodes, "an integer >= 1", episodes >= 1)
        return self._evaluate_many(keys, networks, weights, self.params, wanted, episodes=episodes, among=among)

    def _score(self, key, networks, weights, params, *, episodes, among):
        return alone(partial(self._score_many, episodes=episodes, among=among), key, networks, weights, params)

    def _score_many(self, keys, networks, weights, params, wanted, *, episodes, among):
        runs, count = len(keys), weights.shape[0]
        keys = jax.vmap(lambda key: jnp.tile(jax.random.split(key, episodes), count))(keys)
        rollouts = self._spread(keys, networks, jnp.repeat(weights, episodes), params, wanted, among=among)
        grid = rollouts.returns.reshape(runs, -1, count, episodes)
        steps = jnp.sum(rollouts.steps.reshape(grid.shape), axis=3)
        return Evaluation(jnp.mean(grid, axis=3), steps, rollouts.computed_steps)

    def rollout(
        self,
        keys: Key[Array, " L"],
        networks: Network,
        gain: Float[Array, " L"],
        *,
        among: tuple[int, ...] = ALL_ACTIVATIONS,
    ) -> Rollouts:
        """One episode of every network on every lane.

        Args:
            keys: the episode of each lane; equal keys mean equal starts and equal noise, for all networks alike.
            networks: P networks; their individual weights, if any, may differ from lane to lane.
            gain: the shared weight of each lane.
        """
        check_population(networks, self)
        return self._rollout(keys, networks, gain, self.params, among=among)

    def measure(
        self,
        keys: Key[Array, " L"],
        networks: Network,
        gain: Float[Array, " L"],
        *,
        among: tuple[int, ...] = ALL_ACTIVATIONS,
    ) -> Float32[Array, "P L"]:
        """The returns of `rollout`. See `Problem`."""
        return self.rollout(keys, networks, gain, among=among).returns

    def score_copies(
        self, key: Key[Array, ""], networks: Network, *, episodes: int, among: tuple[int, ...] = ALL_ACTIVATIONS
    ) -> Float32[Array, " P"]:
        """Mean returns over `episodes` episodes of P copies of one network. See `Problem`."""
        check_population(networks, self)
        require("episodes", episodes, "an integer >= 1", episodes >= 1)
        return self._score_copies(key, networks, self.params, episodes=episodes, among=among)

    def _score_packed(self, key, networks: Network, params, *, episodes, among):
        """As lanes of one network, which copies can be since they share a topology: longer rows, twice as fast as networks side by side."""
        count, tables = networks.activations.shape[0], jnp.asarray(networks.weights)
        rows = 2 + self.inputs + networks.activations.shape[1]
        packed = min(devices.block_size(episodes, 4 * (rows + tables[0].size) * episodes), -(-count // jax.local_device_count()))
        groups = -(-count // packed)
        filled = tables[jnp.arange(groups * packed) % count].reshape(groups, packed, *tables.shape[1:])
        weights = jnp.repeat(jnp.moveaxis(filled, 1, -1), episodes, axis=-1)
        members = replace(jax.tree.map(lambda leaf: leaf[:groups], replace(networks, weights=None)), weights=weights)
        keys = jnp.tile(jax.random.split(key, episodes), packed)
        returns = self._rollout_one(keys, members, jnp.ones(packed * episodes), params, among=among).returns
        return jnp.mean(returns.reshape(groups * packed, episodes), axis=1)[:count]

    def with_params(self, env_params: Any) -> "GymnaxProblem":
        """This problem with other parameters of the environment; the compiled programs are shared."""
        other = copy.copy(self)
        other.params = env_params
        return other

    @property
    def context_names(self) -> tuple[str, ...]:
        """The parameters that differ from episode to episode, by name; none in most environments."""
        return getattr(self.env, "context_names", ())

    def contexts(self, keys: Key[Array, " L"], params: Any) -> Float32[Array, "L G"]:
        """The values of these parameters in the episodes of `keys`. Traceable."""
        return jax.vmap(lambda key: self.env.context_of(key, params))(keys)

    @property
    def differentiable(self) -> bool:
        """Whether gradients flow through actions and the environment's dynamics."""
        return not self.discrete and getattr(self.env, "supports_transition_gradients", False)

    def with_gradients(self) -> "GymnaxProblem":
        """This problem, with gradients flowing through its dynamics. Raises ValueError where it is not `differentiable`."""
        require("problem", self.name, "an environment with continuous actions and transition gradients", self.differentiable)
        other = copy.copy(self)
        other.env = self.env.with_transition_gradients()
        return other

    def _rollout_one(self, keys, networks: Network, gain, params, *, among) -> Rollouts:
        return alone(partial(self._spread, among=among), keys, networks, gain, params)

    def _spread(self, keys, networks: Network, gain, params, wanted, *, among) -> Rollouts:
        """Episodes of the networks of several runs, each with keys of its own: a leading axis on `keys`, `networks` and the result."""
        lanes = gain.shape[0]
        block = self.network_block or devices.block_size(lanes, self._bytes(networks, lanes))
        run = partial(self._run_block, among=among)
        (returns, steps), iterations = spread(run, networks, block, wanted, keys, (gain, params))
        return Rollouts(returns, steps, iterations * lanes)

    def _bytes(self, networks: Network, lanes: int) -> int:
        """Memory that one network takes while it runs."""
        rows = 2 + self.inputs + networks.activations.shape[-1]
        return lanes * (4 * rows + 3 * self._state_bytes) + networks.sources[0, 0].nbytes

    def _run_block(self, networks: Network, keys, shared, *, among):
        """Runs N networks × L lanes side by side: (returns [N, L], steps [N, L]), loop iterations."""
        gain, params = shared
        tape = tape_of(networks)

        def act(values, observations):
            return forward(tape, values, observations, gain, among=among, dynamic_length=devices.on_cpu())

        returns, steps, time = self.run_episodes(act, initial_values(tape, len(gain)), keys, networks.activations.shape[0], params)
        return (returns, steps), time

    def run_episodes(
        self, act: Callable[[Any, Array], tuple[Any, Array]], memory: Any, keys: Key[Array, " L"], count: int, params: Any
    ) -> tuple[Float32[Array, "N L"], Int32[Array, "N L"], Int32[Array, ""]]:
        """Runs `count` = N policies × L episodes side by side until the last one has ended. Traceable.

        Args:
            act: (memory, observations [I, N, L]) → memory, outputs [O, N, L].
            memory: what `act` receives first.

        Returns the returns, the lengths, and the iterations that it took.
        """

        def running(carry):
            time, alive, *_ = carry
            return (time < self.max_steps) & jnp.any(alive)

        def advance(carry):
            time, alive, returns, steps, observations, state, memory = carry
            memory, outputs = act(memory, observations)
            observations, state, reward, ended = self.step(keys, time, state, outputs, params)
            returns = returns + jnp.where(alive, reward, 0.0)
            return time + 1, alive & ~ended, returns, steps + alive, observations, state, memory

        observations, state = self.reset(keys, count, params)
        grid = (count, len(keys))
        carry = (jnp.int32(0), jnp.ones(grid, bool), jnp.zeros(grid), jnp.zeros(grid, jnp.int32), observations, state, memory)
        time, _, returns, steps, *_ = lax.while_loop(running, advance, carry)
        return returns, steps, time

    def reset(self, keys: Key[Array, " L"], count: int, params: Any) -> tuple[Float32[Array, "I N L"], Any]:
        """The first observations and states of L episodes, the same for each of `count` networks. Traceable."""

        def one(key):
            observation, state = self.env.reset_env(key, params)
            return _flat(observation), state

        observations, state = jax.vmap(one, out_axes=(-1, 0))(keys)
        observations = jnp.broadcast_to(observations[:, None, :], (self.inputs, count, len(keys)))
        return observations, jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), state)

    def step(self, keys: Key[Array, " L"], time, state: Any, outputs: Float32[Array, "O N L"], params: Any):
        """One step of N networks × L episodes: observations [I, N, L], states, rewards [N, L], and which have ended [N, L]. Traceable."""

        def one(key, state, outputs):
            observation, state, reward, terminated, _ = self.env.step_env(key, state, self._action(outputs), params)
            ended = terminated | self.env.is_truncated(state, params)
            return _flat(observation), state, jnp.asarray(reward, jnp.float32), ended

        over_lanes = jax.vmap(one, in_axes=(0, 0, -1), out_axes=(-1, 0, 0, 0))
        over_networks = jax.vmap(over_lanes, in_axes=(None, 0, 1), out_axes=(1, 0, 0, 0))
        return over_networks(jax.vmap(jax.random.fold_in, (0, None))(keys, time), state, outputs)

    def _action(self, outputs: Float32[Array, " O"]):
        """The action that one network's outputs stand for."""
        if self.discrete:
            return jnp.argmax(outputs).astype(self._space.dtype)
        outputs = outputs.reshape(self._space.shape)
        stretched = self._centre + self._reach * jnp.clip(outputs, -1.0, 1.0)
        action = jnp.where(np.isfinite(self._reach), stretched, outputs)
        return jnp.clip(action, self._space.low, self._space.high).astype(self._space.dtype)


def _flat(observation) -> Float32[Array, " I"]:
    return jnp.concatenate([jnp.ravel(leaf).astype(jnp.float32) for leaf in jax.tree.leaves(observation)])
