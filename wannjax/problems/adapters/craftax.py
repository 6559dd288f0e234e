"""Craftax and Craftax-Classic, by their own reset and step."""

from typing import Any

from craftax.craftax_env import make_craftax_env_from_name

from wannjax.common.validation import require_count
from wannjax.problems.adapters.action_spaces import action_space_of
from wannjax.problems.adapters.library import LibraryEnvironment, Moved

_NEVER = 2**31 - 1


class CraftaxEnvironment(LibraryEnvironment):
    """The environment that Craftax calls `name`; `options` replace entries of its parameters.

    Craftax tells one end of an episode only, so its own limit of time, which `max_steps` is by
    default, is moved out of reach: what is left is termination.
    """

    def __init__(self, name: str, *, max_steps: int | None = None, **options: Any):
        self.env, self.name = make_craftax_env_from_name(name, auto_reset=False), f"craftax:{name}"
        params = self.env.default_params
        self.max_steps = require_count("max_steps", params.max_timesteps if max_steps is None else max_steps)
        self.params = params.replace(max_timesteps=_NEVER, **options)
        self.actions = action_space_of(self.env.action_space(self.params), self.name)
        self.describe()

    @staticmethod
    def names() -> list[str]:
        return [f"Craftax-{kind}-v1" for kind in ("Symbolic", "Pixels", "Classic-Symbolic", "Classic-Pixels")]

    def begin(self, key, params):
        return self.env.reset_env(key, params)

    def advance(self, key, state, action, params):
        observation, state, reward, done, _ = self.env.step_env(key, state, action, params)
        return Moved(observation, state, reward, done)
