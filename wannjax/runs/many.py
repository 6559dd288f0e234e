"""`evolve_many`: independent searches, over seeds and settings, so that a claim rests on more than
one run.

The runs take turns, generation by generation, and share compiled programs wherever their settings
leave them equal (see `Rules` of each search): the second run of a sweep over seeds compiles
nothing, and none of a sweep over WANN's rates either. Each is the run that `evolve` makes.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from wannjax.common import hosts
from wannjax.common.files import as_path
from wannjax.common.interrupts import interrupt_flag
from wannjax.common.keys import hidden_settings
from wannjax.common.validation import require, require_seed, require_type
from wannjax.common.wording import counted
from wannjax.genomes.given import given_networks
from wannjax.networks.network import Network, connection_count
from wannjax.problems.problem import Problem
from wannjax.problems.registry import as_problem
from wannjax.runs.compilations import count_compilations
from wannjax.runs.evolution import evolve
from wannjax.runs.loop import Callback, drive
from wannjax.runs.progress import ManyView
from wannjax.runs.result import Result
from wannjax.runs.resuming import HeldError
from wannjax.runs.run import Run
from wannjax.runs.seeds import directory_of, run_seeds
from wannjax.search.registry import Config, as_config

_LOOK_AGAIN = 2.0
"""Seconds until one looks again whether another process still holds a run."""


class Statistics(NamedTuple):
    """The quartiles of a figure over seeds: each float[C], or float[C, generations], for C
    settings.
    """

    lower: Float[np.ndarray, "C *generations"]
    median: Float[np.ndarray, "C *generations"]
    upper: Float[np.ndarray, "C *generations"]


@dataclass(frozen=True, eq=False)
class ManyResults:
    """What several runs found.

    Attributes:
        results: one per run: all seeds of the first settings, then of the second, and so on.
            Seconds and compilations are those of all runs up to the end of this one.
        configs, seeds: what was run, every one with every other.
        seconds: wall time of all runs.
        compilations: how many programs were compiled, and the seconds this took.
    """

    results: list[Result]
    configs: tuple[Config, ...]
    seeds: tuple[int, ...]
    seconds: float
    compilations: tuple[int, float]

    def __repr__(self) -> str:
        return f"ManyResults({self.problem_name}: {counted(len(self.configs), 'setting')}, {counted(len(self.seeds), 'seed')})"

    @property
    def problem_name(self) -> str:
        return self.results[0].problem_name

    @property
    def interrupted(self) -> bool:
        """Whether the runs ended before their last generation."""
        return self.results[0].interrupted

    @property
    def labels(self) -> tuple[str, ...]:
        """For each of the settings, those that differ among them; empty for a single one."""
        shared = set.intersection(*({field.name for field in fields(config)} for config in self.configs))
        names = [field.name for field in fields(self.configs[0]) if field.name in shared]
        names = [name for name in names if len({getattr(config, name) for config in self.configs}) > 1]
        kinds = len({config.name for config in self.configs}) > 1
        return tuple(
            ", ".join([*([config.name] if kinds else []), *(f"{name} {_plain(getattr(config, name))}" for name in names)])
            for config in self.configs
        )

    def statistics(self, column: str) -> Statistics:
        """Quartiles over seeds of a column of `Result.history`, per generation: each float[C,
        generations].

        `champion_score` is each champion's in the rounds that confirmed it, and optimistic (see
        `Record`); `champion_means` has those of the final comparison.

        Raises ValueError for a column that there is not.
        """
        known = [name for name in self.results[0].history if all(name in result.history for result in self.results)]
        require("column", column, f"one of {', '.join(known)}", column in known)
        return self._quartiles(np.array([result.history[column] for result in self.results], np.float64))

    @property
    def champion_means(self) -> Statistics:
        """Quartiles over seeds of the champions' mean score in the final comparison: each
        float[C].
        """
        return self._quartiles(np.array([result.champion_scores.mean() for result in self.results], np.float64))

    @property
    def champion_connections(self) -> Statistics:
        """Quartiles over seeds of the champions' number of connections: each float[C]."""
        return self._quartiles(np.array([connection_count(result.champion) for result in self.results], np.float64))

    def _quartiles(self, values: np.ndarray) -> Statistics:
        return Statistics(*np.quantile(values.reshape(len(self.configs), len(self.seeds), *values.shape[1:]), (0.25, 0.5, 0.75), axis=1))


def _plain(value: object) -> str:
    """A setting in a label."""
    if isinstance(value, tuple):
        return " ".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, int | float) else str(value)


class _Turns:
    """Runs that take turns, as one that is taken step by step; what is on record is a list."""

    def __init__(self, runs: list[Run]):
        self.runs = runs

    @property
    def number(self) -> int:
        return self.runs[0].number

    def advance(self) -> None:
        for run in self.runs:
            run.advance()

    def record(self, *, last: bool) -> list[Any] | None:
        return [run.records[-1] for run in self.runs] if self.number else None


def evolve_many(
    problem: Problem | str,
    config: Config | Sequence[Config] | None = None,
    *,
    seeds: Iterable[int],
    generations: int | None = None,
    start: Network | Sequence[Network] | None = None,
    progress: bool = True,
    run_dir: str | os.PathLike | None = None,
) -> ManyResults:
    """Runs an independent search for every seed. Each gives what `evolve` gives for it.

    Args:
        problem: from `wannjax.make`, or anything that fulfils `Problem`; or a name for
            `wannjax.make`.
        config: the settings; the recommended ones when None. With several, every one is run with
            every seed.
        seeds: different ones, such as `range(8)`.
        generations: overrides `config.generations`.
        start: networks that every run begins with, as in `evolve`.
        progress: show a live view.
        run_dir: a folder that is to hold a run directory for each run, such as `seed-0`, or
            `settings-1/seed-0` where there are several settings. The runs then come one after the
            other, any number of processes that make the same call share them, as those of `wannjax
            evolve --seeds` do, and each waits for all and has all results. What is there already is
            not searched again.

    Ctrl-C, or SIGTERM, ends all runs after the current generation; everything found so far is in
    the results. A second one interrupts at once. With `run_dir`, one raises KeyboardInterrupt after
    the generation, and the same call goes on.

    Raises ValueError for a setting out of range, for different numbers of generations, when no
    network of a run's generation has finite scores, and for runs of other settings in `run_dir`;
    TypeError for an argument of another kind; and OSError.
    """
    problem = as_problem(problem)
    require_type("seeds", seeds, "several integers, such as range(8)", isinstance(seeds, Iterable) and not isinstance(seeds, str))
    seeds = tuple(require_seed(seed) for seed in seeds)
    require("seeds", seeds, "different seeds, at least one", 0 < len(seeds) == len(set(seeds)))
    given = tuple(map(as_config, config)) if isinstance(config, Sequence) and not isinstance(config, str) else (as_config(config),)
    require("config", config, "settings, or several of them", len(given) > 0)
    configs = tuple(each if generations is None else each.replace(generations=generations) for each in given)
    steps = configs[0].generations
    for each in configs:
        require("generations", each.generations, f"{steps}, as in the first settings", each.generations == steps)
    begin = () if start is None else given_networks(start)
    if run_dir is not None:
        return _as_jobs(problem, configs, seeds, begin, as_path(run_dir, "run_dir"), progress)
    with ExitStack() as stack:
        compilations = stack.enter_context(count_compilations())
        interrupted = stack.enter_context(interrupt_flag("generation"))
        runs = [Run(problem, each, seed, begin) for each in configs for seed in seeds]
        hosts.require_same([{**run.identity, **hidden_settings(), "generations": steps} for run in runs])
        views = [stack.enter_context(ManyView(problem, configs[0], len(runs)))] if progress and hosts.is_first() else []
        drive(_Turns(runs), steps, views, interrupted)
        for view in views:
            view.doing("comparing the best networks of every run once more…")
        results = [run.result(compilations) for run in runs]
        seconds = runs[0].seconds
    return ManyResults(
        results, tuple(run.config for run in runs[:: len(seeds)]), seeds, seconds, (compilations.count, compilations.seconds)
    )


def _as_jobs(
    problem: Problem,
    configs: Sequence[Config],
    seeds: tuple[int, ...],
    start: Sequence[Network],
    folder: Path,
    progress: bool,
) -> ManyResults:
    """The runs as jobs, each in a directory of its own."""
    allowed = "None among processes that share one search: those that make the same call share its runs without that"
    require("run_dir", str(folder), allowed, hosts.count() == 1)
    begun, results = time.perf_counter(), list[Result]()
    with count_compilations() as compilations:
        for number, config in enumerate(configs):
            here, own = dict[int, Result](), folder if len(configs) == 1 else folder / f"settings-{number}"

            def search(seed: int, directory: Path, *tell: Callback, config=config, here=here) -> Result:
                here[seed] = evolve(
                    problem, config, seed=seed, start=start or None, callbacks=tell, progress=False, run_dir=directory, resume=True
                )
                return here[seed]

            if run_seeds(problem, config, seeds, own, search, start=start, progress=progress).interrupted:
                raise KeyboardInterrupt(f"the same call with run_dir={str(folder)!r} goes on")
            results += [here.get(seed) or _when_free(partial(search, seed, directory_of(own, seed))) for seed in seeds]
    suited_to = tuple(result.config for result in results[:: len(seeds)])
    return ManyResults(results, suited_to, seeds, time.perf_counter() - begun, (compilations.count, compilations.seconds))


def _when_free(search: Callable[[], Result]) -> Result:
    """What `search` finds in a directory, or has found, once no other process holds it."""
    while True:
        try:
            return search()
        except HeldError:
            time.sleep(_LOOK_AGAIN)
