"""Environments whose parameters differ from episode to episode: a pole of another length every time.

The drawn values ride in the state, so a varied environment is an environment like any other. Which values occur is a table in the
parameters, not in the code: problems that differ in the table share their compiled programs.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from gymnax.environments import environment

from wannjax.validation import require

CONTEXTS = 512
"""Rows of the table of values."""


@struct.dataclass
class VariedState(environment.EnvState):
    inner: Any = None
    context: Any = None


@struct.dataclass
class VariedParams(environment.EnvParams):
    inner: Any = None
    contexts: Any = None


class VariedEnvironment(environment.Environment[VariedState, VariedParams]):
    """`env` with the parameters `context_names` drawn from the rows of a table at the start of every episode.

    Its `context` is what was drawn, one value per name.
    """

    def __init__(self, env: Any, env_params: Any, names: tuple[str, ...]):
        super().__init__()
        self.env, self.context_names = env, names
        self.inner_params = env_params
        self._supports_transition_gradients = getattr(env, "supports_transition_gradients", False)

    @property
    def default_params(self) -> VariedParams:
        usual = jnp.array([[getattr(self.inner_params, name) for name in self.context_names]], jnp.float32)
        return VariedParams(max_steps_in_episode=self.inner_params.max_steps_in_episode, inner=self.inner_params, contexts=usual)

    def with_transition_gradients(self):
        other = super().with_transition_gradients()
        other.env = self.env.with_transition_gradients()
        return other

    def context_of(self, key, params: VariedParams):
        """The row that the episode of `key` draws."""
        return params.contexts[jax.random.randint(jax.random.fold_in(key, 1), (), 0, params.contexts.shape[0])]

    def _params(self, context, params: VariedParams):
        return params.inner.replace(**{name: context[i] for i, name in enumerate(self.context_names)})

    def reset_env(self, key, params: VariedParams):
        context = self.context_of(key, params)
        observation, inner = self.env.reset_env(key, self._params(context, params))
        return observation, VariedState(time=inner.time, inner=inner, context=context)

    def step_env(self, key, state: VariedState, action, params: VariedParams):
        own = self._params(state.context, params)
        observation, inner, reward, terminated, info = self.env.step_env(key, state.inner, action, own)
        return observation, VariedState(time=inner.time, inner=inner, context=state.context), reward, terminated, info

    def is_truncated(self, state: VariedState, params: VariedParams):
        return self.env.is_truncated(state.inner, self._params(state.context, params))

    def is_terminated(self, state: VariedState, params: VariedParams):
        return self.env.is_terminated(state.inner, self._params(state.context, params))

    @property
    def name(self) -> str:
        return self.env.name

    @property
    def num_actions(self) -> int:
        return self.env.num_actions

    def action_space(self, params: VariedParams | None = None):
        return self.env.action_space(self.inner_params)

    def observation_space(self, params: VariedParams):
        return self.env.observation_space(self.inner_params)


def varied(env: Any, env_params: Any, vary: dict[str, tuple[float, float]], seed: int = 0) -> tuple[VariedEnvironment, VariedParams]:
    """`env` with each parameter in `vary` drawn uniformly between two bounds, from a table of `CONTEXTS` rows made from `seed`.

    Raises ValueError for a parameter that `env_params` does not have, and for bounds that are not ascending and finite.
    """
    require("vary", vary, "a dict of parameter names with bounds, at least one", isinstance(vary, dict) and len(vary) > 0)
    known = [name for name in vars(env_params) if name != "max_steps_in_episode"]
    for name, bounds in vary.items():
        require("vary", name, f"a parameter of the environment, one of {', '.join(known)}", name in known)
        ordered = isinstance(bounds, tuple | list) and len(bounds) == 2 and -np.inf < bounds[0] < bounds[1] < np.inf
        require(f"vary[{name!r}]", bounds, "(low, high), finite and ascending", ordered)
    low, high = np.array(list(vary.values()), np.float32).T
    contexts = np.random.default_rng(seed).uniform(low, high, (CONTEXTS, len(vary))).astype(np.float32)
    environment = VariedEnvironment(env, env_params, tuple(vary))
    return environment, environment.default_params.replace(contexts=jnp.asarray(contexts))
