"""Environments as problems: the whole grid networks × shared weights × episodes as one compiled
rollout.

A lane is one (weight, episode) pair; the environments of N networks × L lanes step together,
networks in chunks, and each chunk stops when its last lane has ended. Environments never reset
themselves here: a lane that has ended is masked, so that whatever it computes afterwards (a NaN
included) reaches no score.
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Float32, Int32, Key

from wannjax.common import devices
from wannjax.common.keys import Purpose
from wannjax.common.validation import as_weights, plain, require, require_count, whole
from wannjax.networks.network import Network, tape_of, value_rows
from wannjax.networks.tape import ALL_ACTIVATIONS, forward, initial_values
from wannjax.problems.environment import Environment, Tally, Transition, led_to
from wannjax.problems.environment_check import checked_shapes
from wannjax.problems.kernels.cells import LANES
from wannjax.problems.kernels.lanes import KEY
from wannjax.problems.kernels.step import form_of, in_words, obstacle
from wannjax.problems.problem import Evaluation, check_population
from wannjax.problems.rollouts import RolloutProblem, Rollouts
from wannjax.problems.sharding import Shares, on_population, sharded
from wannjax.problems.spaces import Discrete

ProblemT = TypeVar("ProblemT", bound="EnvironmentProblem")

_TOGETHER = 8
"""Lanes that a CPU steps at once: 18 take twice as long as 24, and fewer than 8 are rounded
otherwise beside other networks.
"""


class EnvironmentProblem(RolloutProblem):
    """Any `Environment` as a problem: the return of an episode is the score.

    A discrete action is the index of the greatest output. A continuous one is the outputs clipped
    to [-1, 1] and stretched to the bounds (where these are infinite, the outputs as they are), so
    that tanh outputs, which the search finds better networks with, reach all of it. What becomes an
    action of another kind: see `MultiDiscrete`, `MultiBinary` and `Box`.

    Attributes:
        environment: the environment.
        params: what its `reset` and `step` are given.
        max_steps: the length of an episode at the most.
        form: how networks run on episodes: an "episode kernel" on a GPU, if the environment fits
            (see `kernels.episode`), else step by step, networks by a "forward kernel" (see
            `kernels.forward`); step by step by "XLA" on everything else.
        interpret: have XLA run kernels, on any device; for tests.
    """

    interpret = False

    def __init__(
        self,
        environment: Environment,
        *,
        input_names: tuple[str, ...] = (),
        output_names: tuple[str, ...] = (),
        network_chunk: int | None = None,
        polynomials: bool = True,
    ):
        """
        Args:
            environment: see `Environment`.
            input_names, output_names: for people; those of the environment when empty.
            network_chunk: networks that one device runs side by side; chosen by device and memory
                when None. Changes the speed only, but for roundings where it is 1.
            polynomials: whether the package's polynomials compute sin, cos and tan in the
                environment's `step`: faster than XLA, within 4e-7 + 2e-11·|x| of a sine or cosine
                (see `activations.half_turns`).

        Raises:
            ValueError: what does not keep to the contract of an `Environment`, names that
                `checked_names` refuses, or another argument out of range.
        """
        require("polynomials", polynomials, "True or False", isinstance(plain(polynomials), bool))
        network_chunk = None if network_chunk is None else whole("network_chunk", network_chunk, "None or an integer >= 1", 1)
        shapes = checked_shapes(environment)
        super().__init__(environment, input_names, output_names)
        self.environment: Environment = environment
        self.params, self.network_chunk, self.polynomials = environment.params, network_chunk, bool(polynomials)
        self._state_bytes = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
        self._obstacle = obstacle(environment, polynomials=self.polynomials) if devices.on_gpu() else None
        self.form = form_of(self._obstacle)
        self.together = _TOGETHER if devices.on_cpu() else 1
        self._evaluate = on_population(self._score, "episodes", "activation_ids")
        self._score_copies = on_population(self._score_packed, "episodes", "activation_ids")
        self._rollout = on_population(self._run, "activation_ids")

    @property
    def discrete(self) -> bool:
        """Whether an action is one choice: a `Discrete`."""
        return isinstance(self.environment.actions, Discrete)

    @property
    def differentiable(self) -> bool:
        """Whether gradients flow through actions and the environment's dynamics."""
        return self.environment.differentiable

    @property
    def context_names(self) -> tuple[str, ...]:
        """The parameters that differ from episode to episode, by name; none in most
        environments.
        """
        return self.environment.context_names

    def form_in_words(self) -> str:
        """How an episode runs, where there are several ways; empty on a CPU, which has one."""
        return "" if self._obstacle is None else in_words(self._obstacle)

    def evaluate(
        self,
        key: Key[Array, ""],
        networks: Network,
        weights: Float[Array, " W"],
        *,
        episodes: int,
        activation_ids: tuple[int, ...] = ALL_ACTIVATIONS,
    ) -> Evaluation:
        """Mean returns of P networks at each of W shared weights over `episodes` episodes, the same
        ones for all. See `Problem`.
        """
        check_population(networks, self)
        episodes = require_count("episodes", episodes)
        weights = as_weights(weights)
        found = self._evaluate(key, networks, weights, self.params, episodes=episodes, activation_ids=activation_ids)
        (scores, steps, returns), iterations = found
        return Evaluation(scores, steps, iterations * (len(weights) * episodes), returns)

    def _score(self, key, networks, weights, params, *, shares, episodes, activation_ids) -> Shares:
        keys = jnp.tile(jax.random.split(key, episodes), len(weights))

        def over_episodes(returns, steps):
            returns, steps = (each.reshape(-1, len(weights), episodes) for each in (returns, steps))
            return jnp.mean(returns, axis=2), jnp.sum(steps, axis=2), returns

        gain = jnp.repeat(weights, episodes)
        return self._run(keys, networks, gain, params, shares=shares, activation_ids=activation_ids, reduce=over_episodes)

    def rollout(
        self,
        keys: Key[Array, " L"],
        networks: Network,
        gain: Float[Array, " L"],
        *,
        activation_ids: tuple[int, ...] = ALL_ACTIVATIONS,
    ) -> Rollouts:
        """One episode of every network on every lane. See `RolloutProblem`."""
        check_population(networks, self)
        gain = jnp.asarray(gain, jnp.float32)
        (returns, steps), iterations = self._rollout(keys, networks, gain, self.params, activation_ids=activation_ids)
        return Rollouts(returns, steps, iterations * len(gain))

    def score_copies(
        self, key: Key[Array, ""], networks: Network, *, episodes: int, activation_ids: tuple[int, ...] = ALL_ACTIVATIONS
    ) -> Float32[Array, " P"]:
        """Mean returns over `episodes` episodes of P copies of one network. See `Problem`."""
        check_population(networks, self)
        episodes = require_count("episodes", episodes)
        scores, _ = self._score_copies(key, networks, self.params, episodes=episodes, activation_ids=activation_ids)
        return scores.reshape(-1)[: networks.activations.shape[0]]

    def _score_packed(self, key, networks: Network, params, *, shares, episodes, activation_ids) -> Shares:
        """As lanes of one network, which copies can be since they share a topology: longer rows,
        twice as fast as networks side by side.
        """
        count, tables = networks.activations.shape[0], jnp.asarray(networks.weights)
        rows = value_rows(networks)
        packed = min(devices.chunk_size(episodes, 4 * (rows + tables[0].size) * episodes), -(-count // shares))
        groups = -(-count // packed)
        filled = tables[jnp.arange(groups * packed) % count].reshape(groups, packed, *tables.shape[1:])
        weights = jnp.repeat(jnp.moveaxis(filled, 1, -1), episodes, axis=-1)
        members = replace(jax.tree.map(lambda leaf: leaf[:groups], replace(networks, weights=None)), weights=weights)
        keys = jnp.tile(jax.random.split(key, episodes), packed)

        def over_episodes(returns, _steps):
            return jnp.mean(returns.reshape(-1, packed, episodes), axis=2)

        gain = jnp.ones(packed * episodes, jnp.float32)
        # One at a time, however many devices there are: as long as a row may be, or one a device.
        return self._run(keys, members, gain, params, shares=shares, activation_ids=activation_ids, chunk=1, reduce=over_episodes)

    def with_params(self: ProblemT, params: Any) -> ProblemT:
        """This problem with other parameters of the environment; the compiled programs are
        shared.
        """
        other = copy.copy(self)
        other.params = params
        return other

    def contexts(self, keys: Key[Array, " L"], params: Any) -> Float32[Array, "L G"]:
        """The values of the parameters in `context_names` in the episodes of `keys`. Traceable."""
        return jax.vmap(lambda key: self.environment.context_of(_start_of(key), params))(keys)

    def with_gradients(self: ProblemT) -> ProblemT:
        """This problem, with gradients flowing through its dynamics. Raises ValueError where it is
        not `differentiable`.
        """
        other = copy.copy(self)
        other.environment = self.environment.with_gradients()
        return other

    def _run(self, keys, networks: Network, gain, params, *, shares, activation_ids, chunk=None, reduce=lambda *all_of: all_of) -> Shares:
        """What `reduce` makes of the returns and steps [N, L] of every chunk, and its loop
        iterations.
        """
        lanes = gain.shape[0]
        chunk = chunk or self.network_chunk or devices.chunk_size(lanes, self._bytes(networks, lanes))

        def run(networks, keys, gain, params):
            rollouts, iterations = self._run_chunk(networks, keys, gain, params, activation_ids=activation_ids)
            return reduce(*rollouts), iterations

        return sharded(run, networks, chunk, shares, keys, gain, params)

    def _bytes(self, networks: Network, lanes: int) -> int:
        """Memory that one network takes while it runs."""
        rows = value_rows(networks)
        lanes = lanes if self.form == "XLA" else -(-lanes // LANES) * LANES
        return lanes * (4 * rows + 3 * self._state_bytes) + networks.sources[0].nbytes

    def _run_chunk(self, networks: Network, keys, gain, params, *, activation_ids):
        """Runs N networks × L lanes side by side: (returns [N, L], steps [N, L]), loop
        iterations.
        """
        if self.form == "episode kernel" and str(keys.dtype) == KEY:
            from wannjax.problems.kernels import episode  # with Pallas, which takes a while to import

            observations, state = self._starts(keys, params)
            returns, steps, computed = episode.run_episodes(
                self.environment,
                networks,
                observations,
                state,
                keys,
                gain,
                params,
                max_steps=self.max_steps,
                activation_ids=activation_ids,
                polynomials=self.polynomials,
                interpret=self.interpret,
            )
            return (returns, steps), computed / returns.size
        act, memory = self._actor(networks, gain, activation_ids)
        returns, steps, time = self.run_episodes(act, memory, keys, networks.activations.shape[0], params)
        return (returns, steps), time

    def _actor(self, networks: Network, gain, activation_ids) -> tuple[Callable[[Any, Array], tuple[Any, Array]], Any]:
        """What acts for N networks on L lanes, and the memory that it starts with (see
        `run_episodes`).
        """
        if self.form == "XLA":
            tape = tape_of(networks)
            settings = {"activation_ids": activation_ids, "dynamic_length": devices.on_cpu()}
            return partial(forward, tape, gain=gain, **settings), initial_values(tape, len(gain))

        from wannjax.problems.kernels.forward import forward_in_kernel
        from wannjax.problems.kernels.tape import Tapes

        tapes = Tapes(networks, len(gain), activation_ids)
        table = jnp.zeros(tapes.table.shape, tapes.table.dtype) if tapes.remembers else None
        return partial(forward_in_kernel, tapes, gain=gain, interpret=self.interpret), table

    def run_episodes(
        self, act: Callable[[Any, Array], tuple[Any, Array]], memory: Any, keys: Key[Array, " L"], count: int, params: Any
    ) -> tuple[Float32[Array, "N L"], Int32[Array, "N L"], Int32[Array, ""]]:
        """Runs `count` = N policies × L episodes side by side until the last one has ended.
        Traceable.

        Args:
            act: (memory, observations [I, N, L]) → memory, outputs [O, N, L].
            memory: what `act` receives first.

        Returns the returns, the lengths, and the iterations that it took.
        """

        def running(carry):
            time, tally, *_ = carry
            return (time < self.max_steps) & jnp.any(tally.alive)

        def advance(carry):
            time, tally, observations, state, memory = carry
            memory, outputs = act(memory, observations)
            after = self.step(keys, time, state, outputs, params)
            return time + 1, tally.after(after), after.observation, after.state, memory

        observations, state = self.reset(keys, count, params)
        grid = (count, len(keys))
        tally = Tally(jnp.ones(grid, bool), jnp.zeros(grid, jnp.float32), jnp.zeros(grid, jnp.int32))
        time, tally, *_ = lax.while_loop(running, advance, (jnp.int32(0), tally, observations, state, memory))
        return tally.returns, tally.steps, time

    def reset(self, keys: Key[Array, " L"], count: int, params: Any) -> tuple[Float32[Array, "I N L"], Any]:
        """The first observations and states of L episodes, the same for each of `count` networks.
        Traceable.
        """
        observations, state = self._starts(keys, params)
        observations = jnp.broadcast_to(observations[:, None, :], (self.inputs, count, len(keys)))
        return observations, jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count, *leaf.shape)), state)

    def _starts(self, keys, params):
        """The first observations [I, L] and states [L, ...] of L episodes."""
        observations, state = jax.vmap(lambda key: self.environment.reset(_start_of(key), params), out_axes=(-1, 0))(keys)
        return observations.astype(jnp.float32), state

    def step(self, keys: Key[Array, " L"], time, state: Any, outputs: Float32[Array, "O N L"], params: Any) -> Transition:
        """One step of N networks × L episodes, at the step `time` of all: the transition has
        observations [I, N, L], and leading axes [N, L] on everything else. Traceable.
        """

        def one(key, state, outputs):
            return led_to(self.environment, key, state, outputs, params, polynomials=self.polynomials)

        axes = Transition(-1, 0, 0, 0, 0)  # type: ignore[arg-type]
        over_lanes = jax.vmap(one, in_axes=(0, 0, -1), out_axes=axes)
        over_networks = jax.vmap(over_lanes, in_axes=(None, 0, 1), out_axes=axes._replace(observation=1))  # type: ignore[arg-type]
        return over_networks(jax.vmap(jax.random.fold_in, (0, None))(keys, time), state, outputs)


def _start_of(key: Key[Array, ""]) -> Key[Array, ""]:
    """The key that an episode starts from, which is none of those that its steps are given."""
    return jax.random.fold_in(key, Purpose.EPISODE_START)
