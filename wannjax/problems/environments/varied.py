"""Environments whose parameters differ from episode to episode: a pole of another length every
time.

The drawn values ride in the state, so a varied environment is an environment like any other. Which
values occur is a table in the parameters, not in the code: problems that differ in the table share
their compiled programs.
"""

from dataclasses import is_dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from wannjax.common.keys import Purpose, generator_of
from wannjax.common.validation import plain, require
from wannjax.problems.environment import Environment
from wannjax.problems.environments.wrapped import WrappedEnvironment

CONTEXTS = 512
"""Rows of the table of values."""


class VariedState(NamedTuple):
    """The environment's own state, and what this episode drew."""

    inner: Any
    context: Float32[Array, "... G"]


class VariedParams(NamedTuple):
    """The environment's own parameters, and the table that episodes draw a row of."""

    inner: Any
    contexts: Float32[Array, "rows G"]


class VariedEnvironment(WrappedEnvironment):
    """`environment` with the parameters `context_names` drawn from the rows of `contexts` [rows, G]
    at the start of every episode.
    """

    def __init__(self, environment: Environment, names: tuple[str, ...], contexts: Float32[Array, "rows G"]):
        super().__init__(environment)
        self.context_names, self.params = names, VariedParams(environment.params, contexts)

    def context_of(self, key, params: VariedParams):
        """The row that the episode of `key` draws."""
        return params.contexts[
            jax.random.randint(jax.random.fold_in(key, Purpose.EPISODE_CONTEXT), (), 0, params.contexts.shape[0], jnp.int32)
        ]

    def reset(self, key, params: VariedParams):
        context = self.context_of(key, params)
        observation, inner = self.environment.reset(key, self._inner_params(context, params))
        return observation, VariedState(inner, context)

    def step(self, key, state: VariedState, action, params: VariedParams):
        after = self.environment.step(key, state.inner, action, self._inner_params(state.context, params))
        return after._replace(state=VariedState(after.state, state.context))

    def drawn_as(self, states: VariedState, params: VariedParams):
        return self.environment.drawn_as(states.inner, self._inner_params(states.context[0], params))

    def _inner_params(self, context, params: VariedParams):
        return replace(params.inner, **{name: context[i] for i, name in enumerate(self.context_names)})


def varied(environment: Environment, vary: dict[str, tuple[float, float]], seed: int = 0) -> VariedEnvironment:
    """`environment`, whose parameters are a dataclass, with each parameter in `vary` drawn
    uniformly between two bounds, from a table of `CONTEXTS` rows made from `seed`.

    Raises ValueError for a parameter that it does not have, and for bounds that are not ascending
    and finite.
    """
    require("vary", vary, "a dict of parameter names with bounds, at least one", isinstance(vary, dict) and len(vary) > 0)
    known = [name for name in vars(environment.params) if name != "max_steps_in_episode"] if is_dataclass(environment.params) else []
    for name, bounds in vary.items():
        require("vary", name, f"a parameter of the environment, one of {', '.join(known)}", name in known)
        pair = plain(bounds)
        ordered = isinstance(pair, tuple) and len(pair) == 2 and -np.inf < pair[0] < pair[1] < np.inf
        require(f"vary[{name!r}]", bounds, "(low, high), finite and ascending", ordered)
    low, high = np.array(list(vary.values()), np.float32).T
    contexts = generator_of(seed, Purpose.CONTEXTS).uniform(low, high, (CONTEXTS, len(vary))).astype(np.float32)
    return VariedEnvironment(environment, tuple(vary), jnp.asarray(contexts))
