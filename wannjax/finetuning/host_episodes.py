"""Whole episodes of an environment on the host, for training: its lanes begin together, so that
each runs to its end, and none is followed by another.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int

from wannjax.problems.host_problem import HostProblem


class Episodes(NamedTuple):
    """What M × L episodes were, of T time steps at the most.

    Attributes:
        observations, reward: float32[T, M, L, I] and [T, M, L], zeros after the end of an episode.
        choice, log_probability: float32[T, M, L, O] and [T, M, L], what the policy chose, and how
            likely it was to; whatever after the end.
        steps: int32[M, L], of each.
        beyond: float32[M, L, I], what was seen after the last step.
        terminated: bool[M, L], whether the task has ended it, rather than cut it short.
    """

    observations: Any
    choice: Any
    log_probability: Any
    reward: Any
    steps: Any
    beyond: Any
    terminated: Any

    def spread(self) -> Float32[np.ndarray, "M I"]:
        """The standard deviation of what each member has seen."""
        running = np.arange(len(self.reward))[:, None, None] < self.steps
        seen = [self.observations[:, member][running[:, member]] for member in range(len(self.steps))]
        return np.stack([np.std(each, axis=0) for each in seen])


Act = Callable[[int, Float32[np.ndarray, "M L I"]], Any]
"""(time step, observations) → choice [M, L, O], log probability [M, L] and actions [M, L, ...]."""


def whole_episodes(problem: HostProblem, seeds: Int[np.ndarray, " L"], act: Act, members: int) -> Episodes:
    """The episodes of `seeds`, the same for all members, of which as many run side by side as the
    problem allows.
    """
    at_once = max(problem.lanes // members, 1)
    parts = [_side_by_side(problem, seeds[first : first + at_once], act, members) for first in range(0, len(seeds), at_once)]
    longest = 1 << (max(len(part.reward) for part in parts) - 1).bit_length()  # few lengths, since each is compiled
    by_time = [tuple(_padded(leaf, longest) for leaf in part[:4]) + part[4:] for part in parts]
    return Episodes(*(np.concatenate(leaves, axis=2 if place < 4 else 1) for place, leaves in enumerate(zip(*by_time, strict=True))))


def _side_by_side(problem: HostProblem, seeds, act: Act, members: int) -> Episodes:
    grid, lanes = (members, len(seeds)), members * len(seeds)
    seen, beyond = np.zeros((2, lanes, problem.inputs), np.float32)
    steps, terminated, by_time = np.zeros(lanes, np.int32), np.zeros(lanes, bool), []
    alive, observations = np.arange(lanes), problem.begin(np.tile(seeds, members))
    for time in range(problem.max_steps):
        if not len(alive):
            break
        seen[:] = 0
        seen[alive] = observations
        choice, log_probability, actions = (np.asarray(each) for each in act(time, seen.reshape(*grid, -1)))
        observations, rewards, terminated[alive], truncated = problem.step(alive, actions.reshape(lanes, *actions.shape[2:])[alive])
        reward = np.zeros(lanes, np.float32)
        reward[alive] = rewards
        by_time.append((seen.reshape(*grid, -1).copy(), choice, log_probability, reward.reshape(grid)))
        steps[alive] += 1
        beyond[alive] = observations
        goes_on = ~(terminated[alive] | truncated)
        alive, observations = alive[goes_on], observations[goes_on]
    seen_then, chosen, likely, rewarded = (np.stack(leaves) for leaves in zip(*by_time, strict=True))
    return Episodes(seen_then, chosen, likely, rewarded, steps.reshape(grid), beyond.reshape(*grid, -1), terminated.reshape(grid))


def _padded(leaf: np.ndarray, length: int) -> np.ndarray:
    return np.pad(leaf, [(0, length - len(leaf))] + [(0, 0)] * (leaf.ndim - 1))
