"""gymnasium's environments, each a copy of its own in `SideBySide`. Observations are flattened.

gymnasium's vector environments are left out: they reset what has ended, step all lanes or none, and
take a process for each.
"""

from functools import partial
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces.utils import flatdim, flatten

from wannjax.common.validation import require, whole
from wannjax.problems.adapters.action_spaces import action_space_of
from wannjax.problems.adapters.names import NAMES
from wannjax.problems.host_environment import FRAMES
from wannjax.problems.side_by_side import SideBySide

_CAMERA = "rgb_array"
_LEFTOVERS = "gymnasium.envs.box2d"
"""Where a reset leaves something of the last episode's world behind, which changes the next one: an
episode then has an environment to itself. To make one takes a thirtieth of the time of its reset.
"""


class GymnasiumEnvironment(SideBySide):
    """The gymnasium environment that is registered as `name`, with `options` of its own.

    Raises ValueError for spaces that a network cannot read or choose from, and where no length
    limit is known.
    """

    def __init__(self, name: str, *, max_steps: int | None = None, workers: int = 1, **options: Any):
        """
        Args:
            max_steps: the length of an episode at the most; that of the registry when None.
            workers: see `SideBySide`.
        """
        super().__init__(partial(_Single, name, max_steps, options), workers=workers)

    @staticmethod
    def names() -> list[str]:
        """What is registered and can be made without a plugin."""
        return [name for name, spec in gymnasium.registry.items() if spec.entry_point is not None and "/" not in name]


class _Single:
    """A `SingleEnvironment`."""

    def __init__(self, name: str, max_steps: int | None, options: dict[str, Any]):
        require("max_episode_steps", options.get("max_episode_steps"), "given as max_steps", "max_episode_steps" not in options)
        spec = gymnasium.spec(name)
        limit = spec.max_episode_steps if max_steps is None else max_steps
        self.max_steps = whole("max_steps", limit, "an integer >= 1, or known to gymnasium", 1)
        # The problem keeps the limit; gymnasium's own is taken off.
        options = {"max_episode_steps": -1, "disable_env_checker": True, **options}
        if "render_mode" not in options and _CAMERA in gymnasium.make(name, **options).metadata.get("render_modes", ()):
            options["render_mode"] = _CAMERA
        self._make = partial(gymnasium.make, name, **options)
        self._used, self._afresh = False, str(spec.entry_point).startswith(_LEFTOVERS)
        self.env, self.name = self._make(), f"gymnasium:{name}"
        self.picture = FRAMES if self.env.render_mode == _CAMERA else ""
        space = self.env.observation_space
        try:
            self.inputs = int(flatdim(space))
        except (NotImplementedError, ValueError) as error:
            described = f"{name} with {' '.join(repr(space).split())}"
            raise ValueError(f"env: must be an environment whose observations can be flattened, got {described}") from error
        self.observation_shape = space.shape if isinstance(space, gymnasium.spaces.Box) else ()
        self.actions = action_space_of(self.env.action_space, name)
        self.input_names, self.output_names = NAMES.get(name, ((), ()))

    def reset(self, seed: int) -> np.ndarray:
        if self._used and self._afresh:
            self.env.close()
            self.env = self._make()
        self._used = True
        return self._flat(self.env.reset(seed=seed)[0])

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool]:
        space = self.env.action_space
        observation, reward, terminated, truncated, _ = self.env.step(np.asarray(action, space.dtype)[()])
        return self._flat(observation), float(reward), terminated, truncated

    def frame(self) -> np.ndarray:
        return np.asarray(self.env.render(), np.uint8)

    def close(self) -> None:
        self.env.close()

    def _flat(self, observation: Any) -> np.ndarray:
        return np.asarray(flatten(self.env.observation_space, observation), np.float32)
