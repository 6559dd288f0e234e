"""What the adapters of JAX's libraries have in common: a library's own code runs under JAX's usual
types, and its observations, whatever pytrees they are, are flattened.
"""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Key

from wannjax.common.keys import Purpose, key_of
from wannjax.problems.environment import Environment, Transition
from wannjax.problems.spaces import Box


class Moved(NamedTuple):
    """What a step of a library leads to; the parts are those of a `Transition`, of any types."""

    observation: Any
    state: Any
    reward: Any
    terminated: Any
    truncated: Any = False


class LibraryEnvironment(Environment):
    """An environment of a library, which a subclass's `begin` and `advance` reset and step; it
    calls `describe` when these work, and gives the attributes that it does not.
    """

    @abstractmethod
    def begin(self, key: Key[Array, ""], params: Any) -> tuple[Any, Any]:
        """The observation and state of the library's reset."""

    @abstractmethod
    def advance(self, key: Key[Array, ""], state: Any, action: Array, params: Any) -> Moved:
        """What the library's step leads to."""

    def describe(self) -> Any:
        """Takes the size, shape and names of an observation from the library's reset; returns the
        shapes and types of the observation and of the state.
        """
        with usual_types():
            observation, state = jax.eval_shape(lambda key: self.begin(key, self.params), key_of(0, Purpose.ABSTRACT))
        self.inputs = sum(leaf.size for leaf in jax.tree.leaves(observation))
        self.observation_shape = getattr(observation, "shape", ())
        self.input_names = _names(observation)
        return observation, state

    def reset(self, key, params):
        with usual_types():
            observation, state = self.begin(key, params)
            state = jax.tree.map(jnp.asarray, state)
        return _flat(observation), state

    def step(self, key, state, action, params):
        with usual_types():
            # A copy, since brax writes into the dictionaries of the state that it steps.
            after = self.advance(key, jax.tree.map(lambda leaf: leaf, state), action, params)
            behind = jax.tree.map(_as_before, after.state, state)
            terminated, truncated = (jnp.asarray(end).astype(bool) for end in (after.terminated, after.truncated))
            reward = jnp.asarray(after.reward, jnp.float32)
        return Transition(_flat(after.observation), behind, reward, terminated, truncated)


class StatefulEnvironment(LibraryEnvironment):
    """One whose state holds all that a step leads to, as brax's and what is made after it; its
    actions are real numbers in [-1, 1].

    What it calls `done` is termination; there is no truncation but by the length of an episode.
    """

    env: Any

    def begin(self, key, params):
        state = self.env.reset(key)
        return state.obs, state

    def advance(self, key, state, action, params):
        after = self.env.step(state, action)
        return Moved(after.obs, after, after.reward, after.done)

    def describe(self) -> Any:
        self.actions = Box(jnp.full(self.env.action_size, -1.0), 1.0)
        return super().describe()


@contextmanager
def usual_types() -> Iterator[None]:
    """What a library's own code runs in, since it counts on JAX's usual promotion, to 32 bits."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield


def _as_before(leaf: Any, before: Any) -> Array:
    """A part of a state of the type that it had: libraries put plain numbers among them."""
    leaf = jnp.asarray(leaf)
    return leaf if leaf.dtype == before.dtype else leaf.astype(before.dtype)


def _flat(observation: Any) -> Float32[Array, " I"]:
    return jnp.concatenate([jnp.ravel(leaf).astype(jnp.float32) for leaf in jax.tree.leaves(observation)])


def _names(observation: Any) -> tuple[str, ...]:
    """The fields or keys that a flattened observation comes from, with indices where one holds an
    array; none where the observation is one array.
    """
    if hasattr(observation, "shape"):
        return ()
    names = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(observation):
        field = jax.tree_util.keystr(path, simple=True, separator=".")
        names += [" ".join([field, ",".join(map(str, place))]) if place else field for place in np.ndindex(leaf.shape)]
    return tuple(names)
