"""An environment around another one, of which it changes something."""

import copy
from typing import Any, TypeVar

from wannjax.problems.environment import Environment, Transition

WrappedT = TypeVar("WrappedT", bound="WrappedEnvironment")


class WrappedEnvironment(Environment):
    """`environment`, until a subclass says otherwise."""

    def __init__(self, environment: Environment):
        self.environment = environment
        self.name, self.inputs, self.actions, self.max_steps = (
            environment.name,
            environment.inputs,
            environment.actions,
            environment.max_steps,
        )
        self.params, self.context_names, self.differentiable = environment.params, environment.context_names, environment.differentiable
        self.input_names, self.output_names = environment.input_names, environment.output_names
        self.observation_shape = environment.observation_shape

    def with_gradients(self: WrappedT) -> WrappedT:
        wrapped = copy.copy(self)
        wrapped.environment = self.environment.with_gradients()
        return wrapped

    def reset(self, key, params: Any):
        return self.environment.reset(key, params)

    def step(self, key, state: Any, action, params: Any) -> Transition:
        return self.environment.step(key, state, action, params)

    def context_of(self, key, params: Any):
        return self.environment.context_of(key, params)

    def drawn_as(self, states: Any, params: Any) -> tuple[Environment, Any, Any]:
        return self.environment.drawn_as(states, params)
