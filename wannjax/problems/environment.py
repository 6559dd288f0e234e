"""gymnax environments as problems: the whole grid networks × shared weights × episodes as one compiled rollout.

A lane is one (weight, episode) pair; the environments of N networks × L lanes step together, networks in blocks, and each block
stops when its last lane has ended. Environments never reset themselves here: a lane that has ended is masked, so that whatever it
computes afterwards (a NaN included) reaches no score.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec
from jaxtyping import Array, Float, Float32, Int32, Key

from wannjax import devices
from wannjax.graph import default_names
from wannjax.network import ALL_ACTIVATIONS, Network, forward, initial_values, tape_of
from wannjax.problems.names import names_for
from wannjax.problems.problem import Evaluation
from wannjax.validation import require


class Rollouts(NamedTuple):
    """Episodes of P networks on L lanes.

    Attributes:
        returns: float32[P, L], undiscounted.
        steps: int32[P, L], length of each episode.
        computed_steps: float32[], environment steps that were computed, in all: a large population exceeds an int32.
    """

    returns: Float32[Array, "P L"]
    steps: Int32[Array, "P L"]
    computed_steps: Float32[Array, ""]


class GymnaxProblem:
    """A gymnax environment whose return is the score.

    Observations are flattened. A discrete action is the index of the greatest output. A continuous one is the outputs clipped to
    [-1, 1] and stretched to the space's bounds (where these are infinite, the outputs as they are), so that tanh outputs, which
    the search finds better networks with, reach all of it.
    """

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
        self._rollout = jax.jit(self._spread, static_argnames="among", compiler_options=options)
        known_inputs, known_outputs = names_for(self.name)
        self.input_names = _checked_names("input_names", tuple(input_names or known_inputs), self.inputs, "input")
        self.output_names = _checked_names("output_names", tuple(output_names or known_outputs), self.outputs, "output")

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
        self._check(networks)
        require("episodes", episodes, "an integer >= 1", episodes >= 1)
        return self._evaluate(key, networks, weights, self.params, episodes=episodes, among=among)

    def _score(self, key, networks, weights, params, *, episodes, among):
        count = weights.shape[0]
        keys = jnp.tile(jax.random.split(key, episodes), count)
        rollouts = self._spread(keys, networks, jnp.repeat(weights, episodes), params, among=among)
        grid = rollouts.returns.reshape(-1, count, episodes)
        steps = jnp.sum(rollouts.steps.reshape(grid.shape), axis=2)
        return Evaluation(jnp.mean(grid, axis=2), steps, rollouts.computed_steps)

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
        self._check(networks)
        return self._rollout(keys, networks, gain, self.params, among=among)

    def _check(self, networks: Network) -> None:
        require("networks", networks, "a population: add a leading axis to a single network", networks.activations.ndim == 2)
        require(
            "networks",
            f"{networks.inputs} inputs and {networks.outputs} outputs",
            f"of {self.inputs} inputs and {self.outputs} outputs, as {self.name} needs",
            (networks.inputs, networks.outputs) == (self.inputs, self.outputs),
        )

    def _spread(self, keys, networks: Network, gain, params, *, among) -> Rollouts:
        """Spreads the population over all devices, and over blocks within each."""
        mesh = jax.make_mesh((jax.device_count(),), ("population",), axis_types=(jax.sharding.AxisType.Auto,))
        count, lanes = networks.activations.shape[0], gain.shape[0]
        block = self.network_block or devices.network_block(lanes, self._bytes(networks, lanes))
        per_device = -(-count // mesh.size)
        blocks = -(-per_device // block)
        block = -(-per_device // blocks)
        padded = mesh.size * blocks * block

        # Neighbours in length share a block, and every device gets its share of the long ones. Padding repeats the shortest network.
        order = jnp.argsort(networks.steps)
        order = jnp.concatenate([jnp.full(padded - count, order[0]), order])
        order = order.reshape(blocks, block, mesh.size).transpose(2, 0, 1)
        arranged = jax.tree.map(lambda leaf: leaf[order], networks)

        run = partial(self._run_block, among=among)
        everywhere, split = PartitionSpec(), PartitionSpec("population")

        @partial(
            jax.shard_map,
            mesh=mesh,
            in_specs=(split, everywhere, everywhere, everywhere),
            out_specs=split,
            check_vma=False,
        )
        def on_device(networks, keys, gain, params):
            local = jax.tree.map(lambda leaf: leaf[0], networks)
            results = lax.map(lambda some: run(some, keys, gain, params), local)
            return jax.tree.map(lambda leaf: leaf[None], results)

        returns, steps, block_steps = on_device(arranged, keys, gain, params)
        position = jnp.zeros(count, jnp.int32).at[order.reshape(-1)].set(jnp.arange(padded, dtype=jnp.int32))
        return Rollouts(
            returns.reshape(padded, lanes)[position],
            steps.reshape(padded, lanes)[position],
            jnp.sum(block_steps, dtype=jnp.float32) * block * lanes,
        )

    def _bytes(self, networks: Network, lanes: int) -> int:
        """Memory that one network takes while it runs."""
        rows = 2 + self.inputs + networks.activations.shape[1]
        return lanes * (4 * rows + 3 * self._state_bytes) + networks.sources[0].nbytes

    def _run_block(self, networks: Network, keys, gain, params, *, among):
        """Runs N networks × L lanes side by side until the last one has ended: returns [N, L], steps [N, L], loop iterations."""
        count, lanes = networks.activations.shape[0], gain.shape[0]
        tape = tape_of(networks)
        dynamic = devices.on_cpu()

        def observe(observation):
            return jnp.concatenate([jnp.ravel(leaf).astype(jnp.float32) for leaf in jax.tree.leaves(observation)])

        def reset(key):
            observation, state = self.env.reset_env(key, params)
            return observe(observation), state

        def step(key, state, outputs):
            observation, state, reward, terminated, _ = self.env.step_env(key, state, self._action(outputs), params)
            ended = terminated | self.env.is_truncated(state, params)
            return observe(observation), state, jnp.asarray(reward, jnp.float32), ended

        over_lanes = jax.vmap(step, in_axes=(0, 0, -1), out_axes=(-1, 0, 0, 0))
        over_networks = jax.vmap(over_lanes, in_axes=(None, 0, 1), out_axes=(1, 0, 0, 0))

        def running(carry):
            time, alive, *_ = carry
            return (time < self.max_steps) & jnp.any(alive)

        def advance(carry):
            time, alive, returns, steps, observations, state, values = carry
            values, outputs = forward(tape, values, observations, gain, among=among, dynamic_length=dynamic)
            step_keys = jax.vmap(jax.random.fold_in, (0, None))(keys, time)
            observations, state, reward, ended = over_networks(step_keys, state, outputs)
            returns = returns + jnp.where(alive, reward, 0.0)
            return time + 1, alive & ~ended, returns, steps + alive, observations, state, values

        observations, state = jax.vmap(reset, out_axes=(-1, 0))(keys)
        observations = jnp.broadcast_to(observations[:, None, :], (self.inputs, count, lanes))
        state = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), state)
        grid = (count, lanes)
        carry = (
            jnp.int32(0),
            jnp.ones(grid, bool),
            jnp.zeros(grid),
            jnp.zeros(grid, jnp.int32),
            observations,
            state,
            initial_values(tape, lanes),
        )
        time, _, returns, steps, *_ = lax.while_loop(running, advance, carry)
        return returns, steps, time

    def _action(self, outputs: Float32[Array, " O"]):
        """The action that one network's outputs stand for."""
        if self.discrete:
            return jnp.argmax(outputs).astype(self._space.dtype)
        outputs = outputs.reshape(self._space.shape)
        stretched = self._centre + self._reach * jnp.clip(outputs, -1.0, 1.0)
        action = jnp.where(np.isfinite(self._reach), stretched, outputs)
        return jnp.clip(action, self._space.low, self._space.high).astype(self._space.dtype)


def _checked_names(argument: str, names: tuple[str, ...], count: int, default: str) -> tuple[str, ...]:
    if not names:
        return default_names(count, default)
    require(argument, names, f"{count} names", len(names) == count)
    return names
