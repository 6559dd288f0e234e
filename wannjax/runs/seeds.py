"""Searches over seeds as jobs: a run directory for each, in one folder, and any number of processes
that start with the same command.

A process takes the next seed that is neither done nor held by another, whose lock says so. So no
process needs to know of the others, each may come late, and where one is lost another goes on from
its checkpoint.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from wannjax.common.validation import require
from wannjax.problems.problem import Problem
from wannjax.runs import run_directory
from wannjax.runs.result import Result
from wannjax.runs.resuming import HeldError
from wannjax.runs.run import suited
from wannjax.runs.run_directory import Saved
from wannjax.search.registry import Config


class Standing(NamedTuple):
    """What there is of searches over seeds.

    Attributes:
        done: the finished runs, by seed.
        elsewhere: the seeds that other processes hold.
        interrupted: the seed whose run was ended early here; None where none was.
    """

    done: dict[int, Saved]
    elsewhere: list[int]
    interrupted: int | None


def run_seeds(
    problem: Problem, config: Config, seeds: Sequence[int], folder: Path, search: Callable[[int, Path], Result]
) -> Iterator[Standing]:
    """Runs a search for every seed that no other process has: what there is before each, and in the
    end.

    Args:
        folder: holds a run directory for each seed.
        search: runs the search of a seed in a directory, or goes on with it.

    Raises ValueError where a finished run in `folder` is of another problem or of other settings.
    """
    wanted = suited(config, problem)
    done = dict[int, Saved]()
    left, before = list(seeds), list[int]()
    while left != before:  # those that others held may be free or done by now
        before, left = left, []
        for seed in before:
            directory = folder / f"seed-{seed}"
            saved = _finished(directory, problem.name, wanted)
            if saved is None:
                yield Standing(done, left, None)
                try:
                    interrupted = search(seed, directory).interrupted
                except HeldError:
                    left.append(seed)
                    continue
                if interrupted:
                    yield Standing(done, left, seed)
                    return
                saved = run_directory.read(directory)
            done[seed] = saved
    yield Standing({seed: done[seed] for seed in seeds if seed in done}, left, None)


def _finished(directory: Path, problem: str, wanted: Config) -> Saved | None:
    """The run in a directory, if it is there and went to its last generation."""
    if not (directory / run_directory.CONFIG).exists():
        return None
    saved = run_directory.read(directory)
    require("run directory", str(directory), f"a run of {problem}, as the others, not of {saved.problem}", saved.problem == problem)
    if len(saved.history["generation"]) < wanted.generations:
        return None
    same = saved.config == wanted
    require("run directory", str(directory), "a run with these settings, and it has others: give another --out", same)
    return saved
