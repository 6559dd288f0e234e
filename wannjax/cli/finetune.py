"""`wannjax finetune`: train the individual weights of a champion."""

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

import wannjax
from wannjax.cli.options import add_network_arguments, add_saving_option, network_and_problem, new_directory
from wannjax.cli.tables import report_table
from wannjax.finetuning import method_for
from wannjax.runs import run_directory

HELP = "train the individual weights of a champion"


def add_options(command: argparse.ArgumentParser) -> None:
    add_network_arguments(command)
    command.add_argument("--method", default=None, help="gradient, policy_gradient or evolution (default: what suits the problem)")
    command.add_argument("--steps", type=int, default=500, help="of training (default: 500)")
    command.add_argument("--learning-rate", type=float, default=None, help="of Adam (default: the method's)")
    command.add_argument(
        "--starts", type=float, nargs="+", default=None, help="shared weights to start from (default: own weights, or the sweep's)"
    )
    command.add_argument("--seed", type=int, default=0, help="same seed, same result (default: 0)")
    command.add_argument("--out", type=Path, default=None, help="directory (default: the run's, or runs/ENV-finetune-seedSEED-TIME)")
    command.add_argument("--overwrite", action="store_true", help="replace an earlier training's files")
    command.add_argument("--resume", action="store_true", help="continue from the directory's newest checkpoint, with the same options")
    add_saving_option(command)


def run(options: argparse.Namespace) -> int:
    network, problem = network_and_problem(options)
    method: Any = method_for(options.method, problem)
    if options.learning_rate is not None:
        method = replace(method, learning_rate=options.learning_rate)
    directory = options.out or (options.network if options.network.is_dir() else new_directory(f"{problem.name}-finetune", options.seed))
    if not options.resume:
        run_directory.require_untrained(directory, overwrite=options.overwrite)
    tuned = wannjax.finetune(
        network,
        problem,
        method=method,
        steps=options.steps,
        starts=options.starts,
        seed=options.seed,
        run_dir=directory,
        resume=options.resume,
        save_every=options.save_every,
    )

    console = Console()
    console.print(report_table(wannjax.evaluate(tuned.network, problem, seed=options.seed + 1), problem))
    state = f" (interrupted after {int(tuned.history['step'][-1])} steps)" if tuned.interrupted else ""
    console.print(
        f"tuned by {method.name} in {tuned.seconds:.0f} s{state}; the best start: {tuned.start}\nwritten to {directory}{os.sep}",
        highlight=False,
    )
    return 0
