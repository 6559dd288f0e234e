"""Whole episodes of an environment on the host, for training: its lanes begin together, so that
each runs to its end, and none is followed by another.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int

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

    @property
    def running(self) -> Bool[np.ndarray, "T M L"]:
        """Which time steps are those of an episode, and not after its end."""
        return np.arange(len(self.reward))[:, None, None] < self.steps

    def spread(self) -> Float32[np.ndarray, "M I"]:
        """The standard deviation of what each member has seen."""
        running = self.running
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
    beyond, steps, terminated = np.zeros((lanes, problem.inputs), np.float32), np.zeros(lanes, np.int32), np.zeros(lanes, bool)
    chosen, rewarded = list[tuple[np.ndarray, ...]](), list[np.ndarray]()

    def choose(alive, observations):
        seen = np.zeros((*grid, problem.inputs), np.float32)
        seen.reshape(lanes, -1)[alive] = observations
        choice, log_probability, actions = (np.asarray(each) for each in act(len(chosen), seen))
        chosen.append((seen, choice, log_probability))
        return actions.reshape(lanes, *actions.shape[2:])[alive]

    for alive, (after, rewards, ends, _) in problem.played(np.tile(seeds, members), choose):
        reward = np.zeros(lanes, np.float32)
        reward[alive] = rewards
        rewarded.append(reward.reshape(grid))
        beyond[alive], terminated[alive] = after, ends
        steps[alive] += 1
    observations, choice, log_probability = (np.stack(leaves) for leaves in zip(*chosen, strict=True))
    by_lane = steps.reshape(grid), beyond.reshape(*grid, -1), terminated.reshape(grid)
    return Episodes(observations, choice, log_probability, np.stack(rewarded), *by_lane)


def _padded(leaf: np.ndarray, length: int) -> np.ndarray:
    return np.pad(leaf, [(0, length - len(leaf))] + [(0, 0)] * (leaf.ndim - 1))
