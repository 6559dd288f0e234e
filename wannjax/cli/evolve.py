"""`wannjax evolve`: search for a network. Every field of the algorithm's settings is an option."""

import argparse
import os
import shlex
from functools import partial
from pathlib import Path
from typing import Any

import wannjax
from wannjax.cli.options import (
    add_data_option,
    add_process_options,
    add_saving_option,
    add_settings_of,
    exit_code,
    given_settings,
    make_problem,
    named_early,
    networks_of,
    new_directory,
    seeds_of,
)
from wannjax.cli.tables import report_table, seeds_table
from wannjax.common import hosts
from wannjax.common.terminal import say
from wannjax.common.validation import require, require_one_of
from wannjax.common.wording import counted
from wannjax.networks.network import Network
from wannjax.problems.problem import Problem
from wannjax.runs import run_directory
from wannjax.runs.loop import Callback
from wannjax.runs.progress import describe_speed
from wannjax.runs.result import Result
from wannjax.runs.seeds import run_seeds
from wannjax.search.registry import ALGORITHMS, Config
from wannjax.search.wann.config import WannConfig

HELP = "search for a network that solves an environment with one shared weight"


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("environment", metavar="ENV", help="an environment or data set, see `wannjax environments`")
    add_data_option(command)
    command.add_argument(
        "--start",
        type=Path,
        default=None,
        metavar="RUN_OR_FILE",
        help="networks to begin with: a run's champion and front, or a .json or .out file",
    )
    command.add_argument("--seed", type=int, default=0, help="same seed, same result (default: 0)")
    command.add_argument(
        "--seeds",
        nargs="+",
        default=None,
        metavar="SEED",
        help="a search for each, such as 0-31, in folders of --out: start the same command in as many processes as there are places",
    )
    command.add_argument("--out", type=Path, default=None, help="run directory (default: runs/ENV-seedSEED-TIME)")
    command.add_argument("--overwrite", action="store_true", help="replace the files of an existing run directory")
    command.add_argument("--resume", action="store_true", help="continue the same run in --out where it has a checkpoint, for job scripts")
    add_saving_option(command)
    add_process_options(command)
    command.add_argument("--algorithm", default=WannConfig.name, help=f"one of {', '.join(ALGORITHMS)} (default: {WannConfig.name})")


def add_settings(command: argparse.ArgumentParser, arguments: list[str]) -> None:
    """Adds the settings of the algorithm that `arguments` name."""
    config = ALGORITHMS.get(named_early(arguments, "--algorithm") or WannConfig.name, WannConfig)
    presets = ", ".join(config.presets)
    command.add_argument("--preset", default="default", help=f"one of {presets}; the options below change it (default: default)")
    group = command.add_argument_group(
        f"settings of {config.name}", "defaults shown are those of the default preset; --help with another --algorithm lists that one's"
    )
    add_settings_of(group, [config])


def run(options: argparse.Namespace) -> int:
    require_one_of("algorithm", options.algorithm, ALGORITHMS)
    settings = ALGORITHMS[options.algorithm]
    config = settings.preset(options.preset, **given_settings(options, settings))
    problem = make_problem(options.environment, options)
    start = None if options.start is None else networks_of(options.start, problem)
    if options.seeds is not None:
        return run_all(problem, config, options, start)
    directory = options.out or new_directory(options.environment, f"seed{options.seed}")
    if options.resume:
        require("--resume", options.resume, "given with --out and without --overwrite", options.out is not None and not options.overwrite)
    else:
        hosts.by_first(partial(run_directory.claim, directory, overwrite=options.overwrite))
    result = wannjax.evolve(
        problem, config, seed=options.seed, start=start, run_dir=directory, resume=options.resume, save_every=options.save_every
    )
    return show(problem, result, directory)


def run_all(problem: Problem, config: Config, options: argparse.Namespace, start: list[Network] | None) -> int:
    """Searches with every seed that no other process has, and prints and draws all of them once
    they are done.
    """
    from wannjax.pictures.curves import draw_seeds  # with Matplotlib, which takes a while to import

    seeds = seeds_of(options.seeds)
    require("--seed", options.seed, "left out where there are --seeds", options.seed == 0)
    require("--overwrite", options.overwrite, "left out where there are --seeds, whose runs go on", not options.overwrite)
    folder = options.out or new_directory(options.environment, "-".join(["seeds", *options.seeds]))
    require("--out", str(folder), "a folder", not folder.is_file())

    def search(seed: int, directory: Path, tell: Callback) -> Result:
        return wannjax.evolve(
            problem,
            config,
            seed=seed,
            start=start,
            callbacks=[tell],
            progress=False,
            run_dir=directory,
            resume=True,
            save_every=options.save_every,
        )

    standing = run_seeds(problem, config, seeds, folder, search, start=start or ())
    if standing.interrupted:
        say(f"ended early: the same command with --out {shlex.quote(str(folder))} goes on")
        return exit_code(interrupted=True)
    if standing.elsewhere:
        say(f"the last process shows all seeds; others run {', '.join(map(str, standing.elsewhere))}")
        return 0
    say(seeds_table(problem.name, standing.done))
    picture = folder / run_directory.CURVES
    draw_seeds({seed: saved.history for seed, saved in standing.done.items()}, picture, title=problem.name)
    say(f"written to {folder}{os.sep}, to look at: {picture}")
    return 0


def show(problem: Problem, result: Any, directory: Path) -> int:
    """Prints what a search found, in the first process. Returns the exit code."""
    code = exit_code(interrupted=result.interrupted)
    if not hosts.is_first():
        return code

    say(report_table(result.report))
    history, (count, seconds) = result.history, result.compilations
    speed = describe_speed(problem, float(history["alive_steps"].sum()), float(history["rollout_seconds"].sum()))
    state = f" (interrupted: continue with `wannjax resume {shlex.quote(str(directory))}`)" if result.interrupted else ""
    say(
        f"{counted(len(history['generation']), 'generation')} in {result.seconds:.0f} s{state}; {speed}; "
        f"{counted(count, 'program')} compiled in {seconds:.0f} s",
        f"written to {directory}{os.sep}, to look at: {directory / run_directory.REPORT}",
    )
    return code
