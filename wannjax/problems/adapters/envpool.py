"""envpool's environments: a pool for every batch of episodes. Observations are flattened.

A pool is given the seeds of its environments when it is made, and resets what has ended when that
is stepped again, to an episode of no known seed. So every batch has a pool of its own, which takes
14 µs an environment where BipedalWalker's reset takes 270 µs and a step 65 µs; and what has ended
is not stepped again.
"""

from typing import Any

import envpool
import numpy as np
from gymnasium import spaces
from jaxtyping import Float, Float32, Int, Shaped, UInt8

from wannjax.common import devices
from wannjax.common.validation import require, require_count, whole
from wannjax.problems.adapters.action_spaces import action_space_of
from wannjax.problems.adapters.names import NAMES
from wannjax.problems.host_environment import FRAMES, HostEnvironment, HostStep

_CAMERAS = ("envpool.box2d", "envpool.classic_control")
"""Modules whose environments can be rendered anywhere; others end the process without a display."""


class EnvpoolEnvironment(HostEnvironment):
    """The environment that envpool calls `name`, with `options` of its own.

    Raises ValueError for spaces that a network cannot read or choose from, and where no length
    limit is known.
    """

    def __init__(self, name: str, *, max_steps: int | None = None, threads: int | None = None, **options: Any):
        """
        Args:
            max_steps: the length of an episode at the most; envpool's own when None.
            threads: that step a pool; as many as there are cores when None.
        """
        require("max_episode_steps", options.get("max_episode_steps"), "given as max_steps", "max_episode_steps" not in options)
        spec = envpool.make_spec(name, **options)
        limit = spec.config.max_episode_steps if max_steps is None else max_steps
        self.max_steps = whole("max_steps", limit, "an integer >= 1, or known to envpool", 1)
        threads = devices.available_cores() if threads is None else require_count("threads", threads)
        self.name, self._id, self._space = f"envpool:{name}", name, spec.observation_space
        self._pool: Any = None
        self._options = {"num_threads": threads, "max_episode_steps": self.max_steps, **options}
        if envpool.registration.registry.specs[name][0] in _CAMERAS:
            self.picture = FRAMES
            self._options["render_mode"] = "rgb_array"
        described = f"{name} with {' '.join(repr(self._space).split())}"
        wanted = "an environment whose observations are made of Box and Discrete spaces"
        require("env", described, wanted, all(isinstance(leaf, spaces.Box | spaces.Discrete) for leaf in _leaves(self._space)))
        self.inputs = sum(int(leaf.n if isinstance(leaf, spaces.Discrete) else np.prod(leaf.shape)) for leaf in _leaves(self._space))
        self.observation_shape = self._space.shape if isinstance(self._space, spaces.Box) else ()
        self.actions = action_space_of(spec.action_space, name)
        self.input_names, self.output_names = NAMES.get(name, ((), ()))

    @staticmethod
    def names() -> list[str]:
        return envpool.list_all_envs()

    def reset(self, seeds: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n I"]:
        self.close()
        self._pool = envpool.make_gymnasium(self._id, num_envs=len(seeds), seed=seeds.tolist(), **self._options)
        return _flat(self._space, self._pool.reset()[0])

    def step(self, actions: Shaped[np.ndarray, "n ..."], lanes: Int[np.ndarray, " n"]) -> HostStep:
        observations, rewards, terminated, truncated, _ = self._pool.step(actions, lanes)
        return _flat(self._space, observations), rewards, terminated, truncated

    def frames(self, lanes: Int[np.ndarray, " n"]) -> UInt8[np.ndarray, "n height width 3"]:
        return self._pool.render(env_ids=lanes)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
        self._pool = None


def _leaves(space: Any) -> list[Any]:
    """The spaces that a space is made of."""
    return [leaf for part in space.values() for leaf in _leaves(part)] if isinstance(space, spaces.Dict) else [space]


def _flat(space: Any, observations: Any) -> Float32[np.ndarray, "n I"]:
    """What gymnasium's `flatten` makes of each of n observations, which have one leading axis."""
    if isinstance(space, spaces.Dict):
        return np.concatenate([_flat(part, observations[name]) for name, part in space.items()], axis=1)
    if isinstance(space, spaces.Discrete):
        return np.eye(int(space.n), dtype=np.float32)[np.asarray(observations).reshape(-1) - space.start]
    return np.asarray(observations, np.float32).reshape(len(observations), -1)
