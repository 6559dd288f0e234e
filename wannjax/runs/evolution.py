"""`evolve`: the driver of one search. It adds what a run needs (progress, history, checkpoints, an
orderly end) and decides nothing.
"""

import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from wannjax.analysis.evaluation import Report
from wannjax.common import hosts
from wannjax.common.files import as_path
from wannjax.common.interrupts import interrupt_flag
from wannjax.common.keys import hidden_settings
from wannjax.common.validation import require, require_seed
from wannjax.genomes.given import given_networks
from wannjax.networks.network import Network
from wannjax.problems.problem import Problem
from wannjax.problems.registry import as_problem, is_known
from wannjax.runs import run_directory
from wannjax.runs.compilations import count_compilations
from wannjax.runs.ending import Ending
from wannjax.runs.loop import Callback, as_callbacks, drive
from wannjax.runs.progress import LiveView
from wannjax.runs.result import Result
from wannjax.runs.resuming import SAVE_EVERY, saving
from wannjax.runs.run import Run
from wannjax.search.registry import ALGORITHMS, Config, as_config


def evolve(
    problem: Problem | str,
    config: Config | None = None,
    *,
    generations: int | None = None,
    seed: int = 0,
    start: Network | Sequence[Network] | None = None,
    callbacks: Iterable[Callback] = (),
    progress: bool = True,
    run_dir: str | os.PathLike | None = None,
    resume: bool = False,
    save_every: float = SAVE_EVERY,
    finish: Callable[[Path, Problem], Report | None] | None = None,
) -> Result:
    """Evolves networks for `problem`: weight-agnostic ones, or with a `NeatConfig` those with
    weights of their own.

    Args:
        problem: from `wannjax.make`, or anything that fulfils `Problem`; or a name for
            `wannjax.make`.
        config: the settings of a WANN or NEAT search; the recommended WANN search when None.
        generations: overrides `config.generations`.
        seed: the same seed gives the same result, however many CPU devices there are.
        start: networks to begin with, of as many inputs and outputs as the problem has: one, or
            several, such as another run's `result.front`. They and mutated copies of them are the
            first population, of every island. WANN takes their topology, NEAT also their weights (1
            for those without). None: networks without hidden nodes.
        callbacks: called with a `Record` after every generation; a true return value ends the run.
        progress: show a live view.
        run_dir: a directory for the run: checkpoints while it goes on, and at its end the files
            that the command line leaves.
        resume: continue the run in `run_dir` where its newest checkpoint stands, to the same result
            as if it had not been stopped; start it if there is none. `generations` may differ from
            before, and `start` may be left out; all else must be the same.
        save_every: seconds between two checkpoints, at the least; 0 saves every generation.
        finish: called in the end with `run_dir`, which holds all data of the run, and `problem`;
            what it returns is the result's `report`. `wannjax.evolve` gives a function that leaves
            the page and the pictures there, unless another one, or None, is given.

    Ctrl-C, or SIGTERM, ends the run after the current generation; everything found so far is in the
    result. A second Ctrl-C interrupts at once, and leaves the champion so far, the best networks
    and the history in `run_dir`.

    Raises:
        ValueError: a setting out of range; no network of a generation had finite scores; `run_dir`
            holds another run, or one without `resume`, or is used by another process; a setting of
            JAX that draws or rounds otherwise than in the run that is resumed.
        TypeError: no problem, no settings, or no list of callbacks.
        OSError: a checkpoint cannot be written.
    """
    problem, config, callbacks = as_problem(problem), as_config(config), as_callbacks(callbacks)
    config = config if generations is None else config.replace(generations=generations)
    seed = require_seed(seed)
    require("finish", finish, "a function, or None", finish is None or callable(finish))
    named = ALGORITHMS.get(config.name) is type(config)
    if finish is not None and run_dir is not None:
        allowed = "in wannjax.search.registry.ALGORITHMS to leave a report in run_dir; finish=None leaves none"
        require("config", type(config).__name__, allowed, named)
    with ExitStack() as stack:
        compilations = stack.enter_context(count_compilations())
        interrupted = stack.enter_context(interrupt_flag("generation"))
        run = Run(problem, config, seed, () if start is None else given_networks(start))
        arguments = {"generations": config.generations, "resume": resume, "saved": run_dir is not None}
        hosts.require_same({**run.identity, **hidden_settings(), **arguments})
        saver = stack.enter_context(saving(run_dir, run_directory.CHECKPOINTS, run, resume=resume, every=save_every, parts=run.parts))
        view = None
        if progress and hosts.is_first():
            view = stack.enter_context(LiveView(problem, config, run.number))
            callbacks.insert(0, view)
        directory = as_path(run_dir, "run_dir") if run_dir is not None and hosts.is_first() else None

        def leave(directory: Path) -> bool:
            standing = run.standing(compilations)
            if standing is not None:
                run_directory.write(directory, standing)
            return standing is not None

        again = f"`wannjax resume {shlex.quote(str(run_dir))}`" if named and is_known(problem.name) else "`resume=True`"
        ending = stack.enter_context(Ending(run, "generation", again, directory, leave, view, saver))
        interrupted.answer = ending.answer
        drive(run, config.generations, callbacks, interrupted, saver)
        ending.begin("comparing the best networks once more…")
        result = run.result(compilations)
        if directory is not None:
            run_directory.write(directory, result)
            if finish is not None:
                ending.begin(f"measuring and drawing, for the report in {directory}…")
                result = replace(result, report=finish(directory, problem))
            run_directory.mark_complete(directory)
    return result
