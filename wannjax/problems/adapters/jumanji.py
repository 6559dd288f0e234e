"""jumanji's environments, by their own reset and step. What a mask forbids is never chosen."""

from typing import Any

import jax.numpy as jnp
import jumanji
import numpy as np
from jumanji import specs

from wannjax.common.validation import require_count
from wannjax.problems.adapters.library import LibraryEnvironment, Moved
from wannjax.problems.spaces import ActionSpace, Box, Discrete, MultiDiscrete

MAX_STEPS = 1000
"""Of an episode, where the environment has no limit of its own."""
_MOVES = ("up", "right", "down", "left")
_OUTPUTS = {name: _MOVES for name in ("Game2048-v1", "Maze-v0", "Snake-v1")}
"""Names of the outputs, by environment."""


class Preferences(Box):
    """Real numbers, of which an environment takes the greatest that its mask allows."""

    output_activation = "linear"


class JumanjiEnvironment(LibraryEnvironment):
    """The environment that is registered as `name`, with `options` of its own.

    Where it masks actions, the outputs are preferences: one for every action, or one for every
    action of each agent. An episode is truncated where jumanji ends it without saying, by a
    discount of 0, that nothing follows. The rewards of several agents are summed.
    """

    def __init__(self, name: str, *, max_steps: int | None = None, **options: Any):
        self.env, self.name = jumanji.make(name, **options), f"jumanji:{name}"
        limit = getattr(self.env, "time_limit", MAX_STEPS) if max_steps is None else max_steps
        self.max_steps = require_count("max_steps", int(limit))
        _, (_, mask) = self.describe()
        self.actions = _action_space(self.env.action_spec) if mask is None else Preferences(np.full(mask.size, -np.inf), np.inf)
        self.output_names = _OUTPUTS.get(name, ())

    @staticmethod
    def names() -> list[str]:
        return list(jumanji.registered_environments())

    def begin(self, key, params):
        state, first = self.env.reset(key)
        return first.observation, (state, _mask(first))

    def advance(self, key, state, action, params):
        state, mask = state
        state, now = self.env.step(state, action if mask is None else self._allowed(action, mask))
        over = jnp.all(now.discount == 0)
        return Moved(now.observation, (state, _mask(now)), jnp.sum(now.reward), now.last() & over, now.last() & ~over)

    def _allowed(self, preferences, mask):
        """The action that is preferred to all others that the mask allows."""
        spec = self.env.action_spec
        preferences = jnp.where(mask, preferences.reshape(mask.shape), -jnp.inf)
        if isinstance(spec, specs.MultiDiscreteArray) and mask.shape == tuple(spec.num_values.tolist()):
            action = jnp.stack(jnp.unravel_index(jnp.argmax(preferences), mask.shape))
        else:
            action = jnp.argmax(preferences, axis=-1)
        return action.astype(spec.dtype)


def _mask(timestep: Any) -> Any:
    """What the actions are masked by, where they are."""
    return getattr(timestep.observation, "action_mask", None)


def _action_space(spec: Any) -> ActionSpace:
    if isinstance(spec, specs.DiscreteArray):
        return Discrete(int(spec.num_values), spec.dtype)
    if isinstance(spec, specs.MultiDiscreteArray):
        return MultiDiscrete(np.asarray(spec.num_values), spec.dtype)
    return Box(np.broadcast_to(spec.minimum, spec.shape), np.broadcast_to(spec.maximum, spec.shape), spec.dtype)
