"""gymnax's environments; its own resets at the end of an episode are left out."""

import copy
from typing import Any

import jax
import jax.numpy as jnp

from wannjax.common.validation import require, require_type, whole
from wannjax.problems.adapters.action_spaces import action_space_of
from wannjax.problems.adapters.library import LibraryEnvironment, Moved
from wannjax.problems.adapters.names import NAMES
from wannjax.problems.environment_problem import EnvironmentProblem
from wannjax.problems.spaces import Box


class GymnaxEnvironment(LibraryEnvironment):
    """The gymnax `Environment` `env`, with `params`; its defaults when None.

    Raises ValueError for an action space that `adapters.action_spaces` does not know, and where no
    length limit is known.
    """

    def __init__(self, env: Any, params: Any = None, *, name: str | None = None, max_steps: int | None = None):
        require_type("env", env, "a gymnax environment", not isinstance(env, type))
        require("env", env, "a gymnax environment (wannjax.make(name) takes names)", hasattr(env, "step_env"))
        self.env, self.name, self.picture = env, name or env.name, env.name
        self.params = env.default_params if params is None else params
        known = getattr(self.params, "max_steps_in_episode", None)
        limit = int(known) if max_steps is None and known is not None else max_steps
        self.max_steps = whole("max_steps", limit, "an integer >= 1, or known from the environment's parameters", 1)
        self.describe()
        self.actions = action_space_of(env.action_space(self.params), self.name)
        real = isinstance(self.actions, Box) and not self.actions.integral
        self.differentiable = real and getattr(env, "supports_transition_gradients", False)
        known_inputs, known_outputs = NAMES.get(self.name, ((), ()))
        self.input_names = getattr(env, "input_names", known_inputs or self.input_names)
        self.output_names = getattr(env, "output_names", known_outputs)

    def begin(self, key, params):
        return self.env.reset_env(key, _narrow(params))

    def advance(self, key, state, action, params):
        params = _narrow(params)
        observation, state, reward, terminated, _ = self.env.step_env(key, state, action, params)
        return Moved(observation, state, reward, terminated, self.env.is_truncated(state, params))

    def with_gradients(self) -> "GymnaxEnvironment":
        other = copy.copy(super().with_gradients())
        other.env = self.env.with_transition_gradients()
        return other


def _narrow(params: Any) -> Any:
    """Parameters of 64 bits, which only JAX's mode for these makes, in 32."""

    def narrow(leaf):
        kind = {"int64": jnp.int32, "float64": jnp.float32}.get(str(getattr(leaf, "dtype", "")))
        return leaf if kind is None else leaf.astype(kind)

    return jax.tree.map(narrow, params)


class GymnaxProblem(EnvironmentProblem):
    """A gymnax environment as a problem: `EnvironmentProblem` of a `GymnaxEnvironment`."""

    def __init__(
        self,
        env: Any,
        env_params: Any = None,
        *,
        name: str | None = None,
        max_steps: int | None = None,
        input_names: tuple[str, ...] = (),
        output_names: tuple[str, ...] = (),
        network_chunk: int | None = None,
        polynomials: bool = True,
    ):
        """
        Args:
            env: a gymnax `Environment`.
            env_params: its parameters; the defaults when None.
            name: the environment's own when None.
            max_steps: length limit of an episode; the parameters' `max_steps_in_episode` when None.
            input_names, output_names, network_chunk, polynomials: see `EnvironmentProblem`.

        Raises:
            ValueError: the action space is not one of those in `problems.spaces`, or no length
                limit is known.
        """
        environment = GymnaxEnvironment(env, env_params, name=name, max_steps=max_steps)
        super().__init__(
            environment, input_names=input_names, output_names=output_names, network_chunk=network_chunk, polynomials=polynomials
        )
