"""What an environment that lives on the host is to a problem: reset and step in numpy, of many
episodes side by side. An adapter makes one of a library's; `side_by_side` makes one of a class that
knows a single episode.

The contract is as raw as that of an `Environment`: nothing resets itself, and termination, which is
of the task, is told from truncation, which only cuts an episode short. A lane that has ended is not
stepped again.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped, UInt8

from wannjax.problems.spaces import ActionSpace

FRAMES = "frames"
"""The picture of an episode that a camera takes."""

HostStep = tuple[Float[np.ndarray, "n I"], Float[np.ndarray, " n"], Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]
"""Observations, rewards, whether the task has ended each episode, and whether it is cut short."""


class HostEnvironment(ABC):
    """An environment on the host. One of your own subclasses this, with the attributes without a
    default, `reset` and `step`.

    Attributes:
        name: for people and for files.
        inputs: I, the length of an observation.
        actions: the action space: a `Discrete`, `MultiDiscrete`, `MultiBinary` or `Box`.
        max_steps: the length of an episode at the most.
        input_names, output_names: of the parts of an observation and of the outputs, for people;
            empty where they have none.
        observation_shape: of an observation before it is flattened, where it is one array.
        picture: what draws an episode: `FRAMES` where there are `frames`; else see `Environment`.
    """

    name: str
    inputs: int
    actions: ActionSpace
    max_steps: int
    input_names: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    observation_shape: tuple[int, ...] = ()
    picture: str | Callable[[Any, Any], Any] = ""

    @abstractmethod
    def reset(self, seeds: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n I"]:
        """Begins n episodes in the lanes 0 to n - 1, in place of all that there were, and returns
        their first observations. Equal seeds, from 0 to 2**31 - 1, mean equal episodes.
        """

    @abstractmethod
    def step(self, actions: Shaped[np.ndarray, "n ..."], lanes: Int[np.ndarray, " n"]) -> HostStep:
        """What the actions lead to in these lanes, in ascending order; all others stand still."""

    def frames(self, lanes: Int[np.ndarray, " n"]) -> UInt8[np.ndarray, "n height width 3"]:
        """What a camera sees in these lanes, where `picture` says that there is one."""
        raise NotImplementedError(f"{self.name} has no camera")

    def close(self) -> None:
        """Gives back what the episodes hold. The next `reset` begins anew."""
        return None

    def drawn_as(self, states: Any, params: Any) -> tuple["HostEnvironment", Any, Any]:
        """What a picture of one episode shows: see `Environment.drawn_as`."""
        return self, states, params
