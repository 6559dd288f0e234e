"""Environments of which networks see only a part: what the rest says they have to remember."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from wannjax.common.validation import plain, require
from wannjax.problems.environment import Environment
from wannjax.problems.environments.wrapped import WrappedEnvironment


class ObservedEnvironment(WrappedEnvironment):
    """`environment`, of whose observations only the parts `columns` are seen, in that order."""

    def __init__(self, environment: Environment, columns: tuple[int, ...]):
        super().__init__(environment)
        self.columns, self.inputs = columns, len(columns)
        self.input_names = tuple(environment.input_names[i] for i in columns) if environment.input_names else ()
        self.observation_shape = (self.inputs,)

    def reset(self, key, params: Any):
        observation, state = self.environment.reset(key, params)
        return self._seen(observation), state

    def step(self, key, state: Any, action, params: Any):
        after = self.environment.step(key, state, action, params)
        return after._replace(observation=self._seen(after.observation))

    def _seen(self, observation):
        return jnp.stack([observation[i] for i in self.columns])


def observed(environment: Environment, observe: Sequence[str | int]) -> ObservedEnvironment:
    """`environment` with the parts of its observations in `observe`, each by its name or its
    number.

    Raises ValueError for a part that there is not, and for one that is there twice.
    """
    named: dict[Any, int] = {name: i for i, name in enumerate(environment.input_names)}
    known = named | {i: i for i in range(environment.inputs)}
    allowed = f"names of {', '.join(named)}, or numbers" if named else "numbers"
    allowed = f"{allowed} from 0 to {environment.inputs - 1}, each once, at least one"
    parts = [plain(part) for part in observe] if isinstance(observe, Sequence) and not isinstance(observe, str) else []
    columns = tuple(known.get(part, -1) for part in parts)
    require("observe", observe, allowed, 0 < len(columns) == len(set(columns)) and min(columns) >= 0)
    return ObservedEnvironment(environment, columns)
