"""Searches over seeds as jobs: a run directory for each, in one folder, and any number of processes
that start with the same command.

A process takes the next seed that is neither done nor held by another, whose lock says so. So no
process needs to know of the others, each may come late, and where one is lost another goes on from
its checkpoint. Every process shows all seeds, the others' by what they leave in their directories.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from wannjax.common.interrupts import interrupt_flag
from wannjax.common.validation import require
from wannjax.networks.network import Network
from wannjax.problems.problem import Problem
from wannjax.runs import run_directory
from wannjax.runs.loop import Callback
from wannjax.runs.progress import SeedsView, describe_record
from wannjax.runs.result import Result
from wannjax.runs.resuming import HeldError
from wannjax.runs.run import documents_of, suited
from wannjax.runs.run_directory import Saved
from wannjax.search.registry import Config

_LOOK_EVERY = 10.0
"""Seconds between two looks at what other processes have saved."""


class Standing(NamedTuple):
    """What there is of searches over seeds.

    Attributes:
        done: the finished runs, by seed.
        elsewhere: the seeds that other processes hold.
        interrupted: whether this process ended before there was nothing left to do for it.
    """

    done: dict[int, Saved]
    elsewhere: list[int]
    interrupted: bool


def directory_of(folder: Path, seed: int) -> Path:
    """The run directory of a seed."""
    return folder / f"seed-{seed}"


def run_seeds(
    problem: Problem,
    config: Config,
    seeds: Sequence[int],
    folder: Path,
    search: Callable[[int, Path, Callback], Result],
    start: Sequence[Network] = (),
    found: Callable[[int, Saved], None] = lambda seed, saved: None,
    progress: bool = True,
) -> Standing:
    """Runs a search for every seed that no other process has, and shows all of them as they go:
    what there is in the end.

    Args:
        folder: holds a run directory for each seed.
        search: runs the search of a seed in a directory, or goes on with it, without a view of its
            own, and calls the third argument with the `Record` of every generation.
        start: networks that every search begins with, where some are given.
        found: called with every run that is done, as soon as this process knows of it.
        progress: show a live view.

    Raises ValueError where a finished run in `folder` is of another problem, of other settings, or
    began with other networks than those that are given.
    """
    wanted = suited(config, problem)
    directories = {seed: directory_of(folder, seed) for seed in seeds}
    console = None if progress else Console(quiet=True)
    done = dict[int, Saved]()
    left, before = list(seeds), list[int]()
    begun = {seed: run_directory.generations_saved(directory) for seed, directory in directories.items()}
    with interrupt_flag("seed") as interrupted, SeedsView(problem, wanted, begun, console) as view:
        while left != before and not interrupted():  # those that others held may be free or done by now
            before, left = left, []
            for seed in before:
                saved = _finished(directories[seed], seed, problem.name, wanted, start)
                if saved is None:
                    try:
                        result = search(seed, directories[seed], _teller(view, problem, seed, directories))
                    except HeldError:
                        left.append(seed)
                        continue
                    if result.interrupted:
                        return Standing(done, left, True)
                    saved = run_directory.read(directories[seed], type(wanted))
                done[seed] = saved
                found(seed, saved)
                view.end(seed, saved.mean)
                if interrupted():
                    break
    standing = {seed: done[seed] for seed in seeds if seed in done}
    return Standing(standing, left, interrupted() and len(standing) + len(left) < len(seeds))


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


def _finished(directory: Path, seed: int, problem: str, wanted: Config, start: Sequence[Network]) -> Saved | None:
    """The run in a directory, if it is there and came to its end."""
    if not (directory / run_directory.CONFIG).exists():
        return None
    saved = run_directory.read(directory, type(wanted))

    def has(what: str, is_the_same: bool) -> None:
        require("run directory", str(directory), f"a run of these seeds and settings, and it has {what}: give another --out", is_the_same)

    has(f"the problem {saved.problem}", saved.problem == problem)
    has(f"the seed {saved.seed}", saved.seed == seed)
    if not saved.complete or len(saved.history["generation"]) < wanted.generations:
        return None
    there, here = asdict(saved.config), asdict(wanted)
    has(", ".join(f"{name} {there.get(name)}" for name in here if there.get(name) != here[name]), saved.config == wanted)
    has("another start", not start or run_directory.start_saved(directory) in (None, documents_of(start)))
    return saved
