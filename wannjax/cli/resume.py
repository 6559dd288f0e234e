"""`wannjax resume`: continue a search from its newest checkpoint."""

import argparse
from pathlib import Path

import wannjax
from wannjax.cli.evolve import show
from wannjax.cli.options import add_data_option, add_process_options, add_saving_option, problem_of_run, require_there
from wannjax.runs import run_directory

HELP = "continue a search from its newest checkpoint"


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="a run directory")
    command.add_argument("--generations", type=int, default=None, help="of the whole run (default: as many as it was to have)")
    add_data_option(command)
    add_saving_option(command)
    add_process_options(command)


def run(options: argparse.Namespace) -> int:
    require_there(options.run_dir)
    name, config, seed = run_directory.saved_search(options.run_dir)
    problem = problem_of_run(options.run_dir, options, name)
    result = wannjax.evolve(
        problem,
        config,
        generations=options.generations,
        seed=seed,
        run_dir=options.run_dir,
        resume=True,
        save_every=options.save_every,
    )
    return show(problem, result, options.run_dir)
