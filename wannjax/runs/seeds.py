"""Searches over seeds as jobs: a run directory for each, in one folder, and any number of processes
that start with the same command.

A process takes the next seed that is neither done nor held by another, whose lock says so. So no
process needs to know of the others, each may come late, and where one is lost another goes on from
its checkpoint. Every process shows all seeds, the others' by what they leave in their directories.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from wannjax.common.validation import require
from wannjax.problems.problem import Problem
from wannjax.runs import run_directory
from wannjax.runs.loop import Callback
from wannjax.runs.progress import SeedsView, describe_record
from wannjax.runs.result import Result
from wannjax.runs.resuming import HeldError
from wannjax.runs.run import suited
from wannjax.runs.run_directory import Saved
from wannjax.search.registry import Config

_LOOK_EVERY = 10.0
"""Seconds between two looks at what other processes have saved."""


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
    problem: Problem,
    config: Config,
    seeds: Sequence[int],
    folder: Path,
    search: Callable[[int, Path, Callback], Result],
) -> Standing:
    """Runs a search for every seed that no other process has, and shows all of them as they go:
    what there is in the end.

    Args:
        folder: holds a run directory for each seed.
        search: runs the search of a seed in a directory, or goes on with it, without a view of its
            own, and calls the third argument with the `Record` of every generation.

    Raises ValueError where a finished run in `folder` is of another problem or of other settings.
    """
    wanted = suited(config, problem)
    directories = {seed: folder / f"seed-{seed}" for seed in seeds}
    done = dict[int, Saved]()
    left, before = list(seeds), list[int]()
    with SeedsView(problem, wanted, {seed: run_directory.generations_saved(directories[seed]) for seed in seeds}) as view:
        while left != before:  # those that others held may be free or done by now
            before, left = left, []
            for seed in before:
                saved = _finished(directories[seed], problem.name, wanted)
                if saved is None:
                    try:
                        interrupted = search(seed, directories[seed], _teller(view, problem, seed, directories)).interrupted
                    except HeldError:
                        left.append(seed)
                        continue
                    if interrupted:
                        return Standing(done, left, seed)
                    saved = run_directory.read(directories[seed])
                done[seed] = saved
                view.end(seed, saved.mean)
    return Standing({seed: done[seed] for seed in seeds if seed in done}, left, None)


def _teller(view: SeedsView, problem: Problem, own: int, directories: dict[int, Path]) -> Callback:
    """What shows the generations of one's `own` seed, and now and then those that others have
    saved.
    """
    looked = -_LOOK_EVERY

    def tell(record: Any) -> None:
        nonlocal looked
        if time.perf_counter() - looked >= _LOOK_EVERY:
            looked = time.perf_counter()
            for seed in view.open - {own}:
                view.note(seed, run_directory.generations_saved(directories[seed]), "not here")
        view.tell(own, record.generation, describe_record(record, problem))

    return tell


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
