"""Environments on the host as problems: all networks × shared weights × episodes step as one batch.

A lane is one episode of one network. In every time step one compiled forward pass (see
`host_lanes`) gives the actions of all lanes that are alive, and the environment steps these and no
others.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int, Key, UInt8
from PIL import Image

from wannjax.common.files import reason_of
from wannjax.common.keys import Purpose
from wannjax.common.validation import as_weights, require, require_count, require_text, require_type
from wannjax.common.wording import counted
from wannjax.networks.network import Network, take
from wannjax.networks.tape import ALL_ACTIVATIONS
from wannjax.problems.host_environment import FRAMES, HostEnvironment, HostStep
from wannjax.problems.host_lanes import Lanes
from wannjax.problems.problem import Evaluation, check_population
from wannjax.problems.rollouts import RolloutProblem, Rollouts
from wannjax.problems.spaces import ActionSpace

Found = TypeVar("Found")

_HIGHEST = 256
"""Rows of a picture, at the most."""
_NEEDED = ("name", "inputs", "actions", "max_steps")


class Seen(NamedTuple):
    """One time step of the lanes that were alive before it.

    Attributes:
        alive: int[n], the lanes.
        values, outputs: float32[rows, n], float32[O, n], what their networks computed.
        rewards: float32[n].
        pictures: what a camera saw before the step, n files in PNG; empty without a camera.
    """

    alive: Int[np.ndarray, " n"]
    values: Float32[np.ndarray, "rows n"]
    outputs: Float32[np.ndarray, "O n"]
    rewards: Float32[np.ndarray, " n"]
    pictures: list[bytes]


class HostProblem(RolloutProblem):
    """Any `HostEnvironment` as a problem: the return of an episode is the score.

    What the outputs of a network do is said in `EnvironmentProblem`. An action that is not finite
    reaches no environment: it ends its episode, whose return is then not finite either.

    Attributes:
        environment: the environment.
        max_steps: the length of an episode at the most.
        lanes: episodes that run side by side, at the most.
    """

    params = None

    def __init__(
        self,
        environment: HostEnvironment,
        *,
        input_names: tuple[str, ...] = (),
        output_names: tuple[str, ...] = (),
        lanes: int = 1024,
    ):
        """
        Args:
            environment: see `HostEnvironment`; of a class that knows a single episode,
                `SideBySide` makes one.
            input_names, output_names: for people; those of the environment when empty.
            lanes: episodes that run side by side, at the most: more memory, and less time for the
                last ones. Changes no score.

        Raises:
            ValueError: what is no `HostEnvironment`, names that `checked_names` refuses, or another
                argument out of range.
            TypeError: a class in place of an environment.
        """
        require_type("environment", environment, "a HostEnvironment", not isinstance(environment, type))
        wanted = "a HostEnvironment (SideBySide makes one of a class of one episode)"
        require("environment", environment, wanted, isinstance(environment, HostEnvironment))
        missing = [name for name in _NEEDED if not hasattr(environment, name)]
        require("environment", type(environment).__name__, f"a HostEnvironment with {', '.join(missing)}", not missing)
        require_text("name", environment.name)
        wanted = "a Discrete, a MultiDiscrete, a MultiBinary or a Box"
        require("actions", environment.actions, wanted, isinstance(environment.actions, ActionSpace))
        self.lanes = require_count("lanes", lanes)
        require_count("max_steps", environment.max_steps)
        require_count("inputs", environment.inputs)
        super().__init__(environment, input_names, output_names)
        self.environment: HostEnvironment = environment

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

        Raises ValueError for what the environment raises, and for what it returns that is not of
        its contract.
        """
        episodes = require_count("episodes", episodes)
        weights = as_weights(weights)
        keys = jnp.tile(jax.random.split(key, episodes), len(weights))
        found = self.rollout(keys, networks, jnp.repeat(weights, episodes), activation_ids=activation_ids)
        returns, steps = (each.reshape(-1, len(weights), episodes) for each in (found.returns, found.steps))
        return Evaluation(jnp.mean(returns, axis=2), jnp.sum(steps, axis=2), found.computed_steps, returns)

    def rollout(
        self,
        keys: Key[Array, " L"],
        networks: Network,
        gain: Float[Array, " L"],
        *,
        activation_ids: tuple[int, ...] = ALL_ACTIVATIONS,
    ) -> Rollouts:
        """One episode of every network on every lane: see `RolloutProblem`. No step is
        computed but those that are alive.
        """
        check_population(networks, self)
        networks = jax.device_get(networks)
        seeds, weights = seeds_of(keys), np.asarray(gain, np.float32)
        count, lanes = len(networks.steps), len(seeds)
        returns, steps = np.zeros(count * lanes), np.zeros(count * lanes, np.int32)
        for some in np.array_split(np.arange(count * lanes), -(-count * lanes // self.lanes)):
            own, lane = np.divmod(some, lanes)
            returns[some], steps[some] = self._run(seeds[lane], _one_a_lane(networks, own, lane), weights[lane], activation_ids)
        grid = count, lanes
        return Rollouts(jnp.asarray(returns.reshape(grid), jnp.float32), jnp.asarray(steps.reshape(grid)), jnp.float32(steps.sum()))

    def look_on(self, keys: Key[Array, " L"], network: Network, gain: Float[Array, " L"], see: Callable[[Seen], None]) -> None:
        """The episodes that `rollout` scores, of one network, with `see` called after every time
        step.
        """
        lanes = np.arange(len(gain))
        networks = jax.tree.map(lambda leaf: leaf[None], jax.device_get(network))
        own = _one_a_lane(networks, np.zeros_like(lanes), lanes)
        self._run(seeds_of(keys), own, np.asarray(gain, np.float32), ALL_ACTIVATIONS, see)

    def _run(self, seeds, networks: Network, gain, activation_ids, see: Callable[[Seen], None] | None = None):
        """The returns and lengths [n] of one episode of each of n networks."""
        returns, steps = np.zeros(len(seeds)), np.zeros(len(seeds), np.int32)
        lanes = Lanes(networks, gain, self.environment.actions, activation_ids)
        filmed, pictures = see is not None and self.environment.picture == FRAMES, list[bytes]()

        def act(alive, observations):
            nonlocal pictures
            actions = lanes.act(alive, observations)
            if filmed:
                pictures = [_png(frame) for frame in self._from("frames", partial(self.environment.frames, alive))]
            return actions

        for alive, (_, rewards, *_) in self.played(seeds, act):
            if see is not None:
                rows = lanes.place[alive]
                see(Seen(alive, np.asarray(lanes.values)[:, rows, 0], np.asarray(lanes.outputs)[rows].T, rewards, pictures))
            returns[alive] += rewards
            steps[alive] += 1
        return returns, steps

    def played(
        self, seeds: Int[np.ndarray, " n"], act: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> Iterator[tuple[Int[np.ndarray, " alive"], HostStep]]:
        """The episodes of these seeds, in place of all others: in every time step the lanes that
        are alive before it, and what their actions lead to.

        Args:
            act: (these lanes, their observations) → their actions.
        """
        observations = self._observations("reset", self._from("reset", partial(self.environment.reset, seeds)), len(seeds))
        alive = np.arange(len(seeds))
        for _ in range(self.max_steps):
            if not len(alive):
                break
            after = self._after(alive, act(alive, observations))
            yield alive, after
            observations, _, terminated, truncated = after
            goes_on = ~(terminated | truncated)
            alive, observations = alive[goes_on], observations[goes_on]

    def _after(self, alive, actions) -> HostStep:
        """What the actions lead to. One that is not finite terminates its lane, with a reward that
        is not a number.
        """
        fine = np.isfinite(actions).reshape(len(alive), -1).all(axis=1)
        if fine.all():
            return self._stepped(alive, actions)
        count = len(alive)
        found = np.zeros((count, self.inputs), np.float32), np.full(count, np.nan), np.ones(count, bool), np.zeros(count, bool)
        if fine.any():
            for whole, part in zip(found, self._stepped(alive[fine], actions[fine]), strict=True):
                whole[fine] = part
        return found

    def _stepped(self, alive, actions) -> HostStep:
        """As `_after`, of actions that are finite."""
        after = self._from("step", partial(self.environment.step, actions, alive))
        parts = "observations, rewards, terminated and truncated"
        given = f"{self.name} with a {type(after).__name__}" + (f" of {len(after)}" if isinstance(after, tuple) else "")
        require("environment", given, f"one whose step returns {parts}", isinstance(after, tuple) and len(after) == 4)
        rewards, terminated, truncated = np.asarray(after[1], np.float32), np.asarray(after[2], bool), np.asarray(after[3], bool)
        shapes = [each.shape for each in (rewards, terminated, truncated)]
        wanted = f"one whose step returns {parts} of {counted(len(alive), 'lane')}"
        require("environment", f"{self.name} with shapes {shapes}", wanted, shapes == [(len(alive),)] * 3)
        return self._observations("step", after[0], len(alive)), rewards, terminated, truncated

    def _observations(self, function: str, found: object, count: int) -> Float32[np.ndarray, "n I"]:
        observations, shape = np.asarray(found, np.float32), (count, self.inputs)
        given = f"{self.name} with shape {observations.shape}"
        require("environment", given, f"one whose {function} returns observations {shape}", observations.shape == shape)
        return observations

    def _from(self, function: str, call: Callable[[], Found]) -> Found:
        """What a function of the environment returns. Raises ValueError, of one line, for whatever
        it raises, and gives back what it holds.
        """
        try:
            return call()
        except Exception as error:  # whatever a user's code raises
            self.environment.close()
            raise ValueError(f"environment: {function} of {self.name} fails: {type(error).__name__}: {reason_of(error)}") from error


def seeds_of(keys: Key[Array, " L"]) -> Int[np.ndarray, " L"]:
    """The seed, from 0 to 2**31 - 1, of the episode of each key."""
    bits = jax.vmap(lambda key: jax.random.bits(jax.random.fold_in(key, Purpose.EPISODE_START), (), jnp.uint32))(keys)
    return np.asarray(bits).astype(np.int64) >> 1


def _one_a_lane(networks: Network, own: Int[np.ndarray, " n"], lane: Int[np.ndarray, " n"]) -> Network:
    """The networks [n] that are `own`, with those of their weights, if these differ, that belong to
    the `lane`.
    """
    if networks.weights is None or networks.weights.ndim == 3:
        return take(networks, own)
    return replace(take(replace(networks, weights=None), own), weights=networks.weights[own, :, :, lane])


def _png(frame: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """A frame, of which thousands are held, as a file."""
    file = io.BytesIO()
    Image.fromarray(frame[:: -(-frame.shape[0] // _HIGHEST), :: -(-frame.shape[0] // _HIGHEST)]).save(file, "PNG", compress_level=1)
    return file.getvalue()
