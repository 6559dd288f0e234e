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
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Key

from wannjax.common.validation import require


class Discrete(NamedTuple):
    """The actions 0 to `n` - 1."""

    n: int
    dtype: Any = jnp.int32

    @property
    def outputs(self) -> int:
        """How many outputs of a network choose an action."""
        return self.n

    def action(self, outputs: Float32[Array, " O"]) -> Array:
        """The index of the greatest output."""
        return jnp.argmax(outputs).astype(self.dtype)


class Box(NamedTuple):
    """Real actions between bounds, which may be infinite: arrays of the action's shape."""

    low: Float[np.ndarray, "..."]
    high: Float[np.ndarray, "..."]
    dtype: Any = jnp.float32

    @property
    def outputs(self) -> int:
        """How many outputs of a network choose an action."""
        return int(np.prod(self.low.shape))

    def action(self, outputs: Float32[Array, " O"]) -> Array:
        """The outputs clipped to [-1, 1] and stretched to the bounds; where these are infinite, the
        outputs as they are.
        """
        reach = (self.high - self.low) / 2  # infinite where a bound is
        bounded = np.isfinite(reach)
        centre = np.where(bounded, self.high, 0.0) - np.where(bounded, reach, 0.0)
        outputs = outputs.reshape(self.low.shape)
        action = jnp.where(bounded, centre + reach * jnp.clip(outputs, -1.0, 1.0), outputs)
        return jnp.clip(action, self.low, self.high).astype(self.dtype)


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


class Environment(ABC):
    """An environment. One of your own subclasses this, with the attributes without a default,
    `reset` and `step`.

    Attributes:
        name: for people and for files.
        inputs: I, the length of an observation.
        actions: the action space, `Discrete` or `Box`.
        max_steps: the length of an episode at the most.
        params: what `reset` and `step` are given: any pytree. It is an argument of compiled
            programs and no constant in them, so that another value compiles nothing.
        input_names, output_names: of the parts of an observation and of the outputs, for people;
            empty where they have none.
        observation_shape: of an observation before it is flattened, where it is one array.
        differentiable: whether gradients flow through actions and dynamics (see `with_gradients`).
        context_names: the parameters that differ from episode to episode, by name (see
            `context_of`).
        picture: what draws an episode: a function of matplotlib's axes and a
            `pictures.rendering.Film`, or the name of one that `pictures.rendering` has; empty for
            the observations over time.
    """

    name: str
    inputs: int
    actions: Discrete | Box
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
