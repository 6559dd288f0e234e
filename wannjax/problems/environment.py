"""What an environment is to a problem: reset and step, whatever library it comes from. An adapter
makes one of a library's.

The contract is raw. An environment never resets itself; it tells termination, which is of the task,
from truncation, which only cuts an episode short; and what it computes after an episode's end
reaches nobody. All functions are of one episode, and traceable.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32, Key

from wannjax.common.validation import require
from wannjax.problems.polynomials import with_polynomials
from wannjax.problems.spaces import ActionSpace


class Transition(NamedTuple):
    """What a step leads to, in one episode, or with the same leading axes on everything in many.

    Attributes:
        observation: float32[I].
        state: any pytree of arrays.
        reward: float32[].
        terminated: bool[], whether the task has ended the episode.
        truncated: bool[], whether the environment cuts it short, though the task would go on.
    """

    observation: Float32[Array, "..."]
    state: Any
    reward: Float32[Array, "..."]
    terminated: Bool[Array, "..."]
    truncated: Bool[Array, "..."]

    @property
    def ended(self) -> Bool[Array, "..."]:
        """Whether the episode is over, for either reason."""
        return self.terminated | self.truncated


EnvironmentT = TypeVar("EnvironmentT", bound="Environment")


class Tally(NamedTuple):
    """What is counted of an episode under way, or with the same leading axes on everything of many.

    Attributes:
        alive: bool[], whether it goes on.
        returns: float32[], the sum of its rewards so far.
        steps: int32[], its length so far.
    """

    alive: Bool[Array, "..."]
    returns: Float32[Array, "..."]
    steps: Int32[Array, "..."]

    def after(self, transition: Transition) -> "Tally":
        """The tally one step on. Nothing is added to what has ended."""
        returns = self.returns + jnp.where(self.alive, transition.reward, 0.0)
        return Tally(self.alive & ~transition.ended, returns, self.steps + self.alive.astype(jnp.int32))


class Environment(ABC):
    """An environment. One of your own subclasses this, with the attributes without a default,
    `reset` and `step`.

    Attributes:
        name: for people and for files.
        inputs: I, the length of an observation.
        actions: the action space: a `Discrete`, `MultiDiscrete`, `MultiBinary` or `Box`.
        max_steps: the length of an episode at the most.
        params: what `reset` and `step` are given: any pytree. It is an argument of compiled
            programs and no constant in them, so that another value compiles nothing.
        input_names, output_names: of the parts of an observation and of the outputs, for people;
            empty where they have none.
        observation_shape: of an observation before it is flattened, where it is one array.
        differentiable: whether gradients flow through actions, which must be real, and dynamics
            (see `with_gradients`).
        context_names: the parameters that differ from episode to episode, by name (see
            `context_of`).
        picture: what draws an episode: a function of matplotlib's axes and a
            `pictures.rendering.Film`, or the name of one that `pictures.rendering` has; empty for
            the observations over time.
    """

    name: str
    inputs: int
    actions: ActionSpace
    max_steps: int
    params: Any = None
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    observation_shape: tuple[int, ...] = ()
    differentiable: bool = False
    context_names: tuple[str, ...] = ()
    picture: str | Callable[[Any, Any], Any] = ""

    @abstractmethod
    def reset(self, key: Key[Array, ""], params: Any) -> tuple[Float32[Array, " I"], Any]:
        """The first observation and state of the episode of `key`."""

    @abstractmethod
    def step(self, key: Key[Array, ""], state: Any, action: Array, params: Any) -> Transition:
        """What `action` leads to; `key` draws the noise of this step."""

    def with_gradients(self: EnvironmentT) -> EnvironmentT:
        """This environment, with gradients flowing through its dynamics. Raises ValueError where it
        is not `differentiable`.
        """
        require("environment", self.name, "one with gradients of its dynamics", self.differentiable)
        return self

    def context_of(self, key: Key[Array, ""], params: Any) -> Float32[Array, " G"]:
        """The values of the parameters in `context_names` in the episode of `key`."""
        return jnp.zeros(0, jnp.float32)

    def drawn_as(self, states: Any, params: Any) -> tuple["Environment", Any, Any]:
        """The environment that a picture of one episode shows, its states and params: this one,
        unless it wraps another.
        """
        return self, states, params


def led_to(
    environment: Environment, key: Key[Array, ""], state: Any, outputs: Float32[Array, " O"], params: Any, *, polynomials: bool
) -> Transition:
    """What the action that a network's outputs choose leads to, in one episode; with `polynomials`,
    the step's sin, cos and tan are those of `with_polynomials`. Traceable.
    """
    step = with_polynomials(environment.step) if polynomials else environment.step
    after = step(key, state, environment.actions.action(outputs), params)
    return after._replace(observation=after.observation.astype(jnp.float32), reward=after.reward.astype(jnp.float32))
