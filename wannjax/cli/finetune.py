"""`wannjax finetune`: train the individual weights of a champion. Every field of a method's
settings is an option.
"""

import argparse
import os
from functools import partial
from pathlib import Path
from typing import Any

import wannjax
from wannjax.cli.options import (
    add_network_arguments,
    add_process_options,
    add_saving_option,
    add_settings_of,
    exit_code,
    given_settings,
    named_early,
    network_and_problem,
    new_directory,
)
from wannjax.cli.tables import report_table
from wannjax.common import hosts
from wannjax.common.terminal import say
from wannjax.common.validation import require
from wannjax.common.wording import counted
from wannjax.finetuning import METHODS, method_for
from wannjax.runs import run_directory

HELP = "train the individual weights of a champion"


def add_options(command: argparse.ArgumentParser) -> None:
    add_network_arguments(command)
    command.add_argument("--method", default=None, help=f"one of {', '.join(METHODS)} (default: what suits the problem)")
    command.add_argument("--decay", type=float, default=0.0, help="decoupled weight decay (default: 0)")
    command.add_argument("--steps", type=int, default=500, help="of training, at the most (default: 500)")
    command.add_argument("--patience", type=int, default=None, help="end after so many checks that found nothing better (default: never)")
    command.add_argument(
        "--starts", type=float, nargs="+", default=None, help="shared weights to start from (default: own weights, or the sweep's)"
    )
    command.add_argument("--seed", type=int, default=0, help="same seed, same result (default: 0)")
    command.add_argument("--out", type=Path, default=None, help="directory (default: the run's, or runs/ENV-finetune-seedSEED-TIME)")
    command.add_argument("--overwrite", action="store_true", help="replace an earlier training's files")
    command.add_argument("--resume", action="store_true", help="continue from the directory's newest checkpoint, with the same options")
    add_saving_option(command)
    add_process_options(command)


def add_settings(command: argparse.ArgumentParser, arguments: list[str]) -> None:
    """Adds the settings of the method that `arguments` name; those of all methods where they name
    none, since the problem decides.
    """
    named = METHODS.get(named_early(arguments, "--method") or "")
    if named is None:
        group = command.add_argument_group("settings of the methods", "--help with a --method lists that one's alone")
        add_settings_of(group, list(METHODS.values()))
    else:
        add_settings_of(command.add_argument_group(f"settings of {named.name}"), [named])


def run(options: argparse.Namespace) -> int:
    network, problem = network_and_problem(options)
    method: Any = method_for(options.method, problem)
    method = method.replace(**_settings(options, method, problem))
    directory = options.out or (
        options.network if options.network.is_dir() else new_directory(f"{problem.name}-finetune", f"seed{options.seed}")
    )
    if not options.resume:
        hosts.by_first(partial(run_directory.require_untrained, directory, overwrite=options.overwrite))
    elif options.network.is_dir():  # where by now there may be a tuned network beside the champion
        network = run_directory.network_in_training(directory) or network
    tuned = wannjax.finetune(
        network,
        problem,
        method=method,
        decay=options.decay,
        steps=options.steps,
        patience=options.patience,
        starts=options.starts,
        seed=options.seed,
        run_dir=directory,
        resume=options.resume,
        save_every=options.save_every,
    )
    code = exit_code(interrupted=tuned.interrupted)
    if not hosts.is_first():
        return code

    say(report_table(wannjax.evaluate(tuned.network, problem, seed=options.seed)))
    steps = counted(int(tuned.history["step"][-1]), "step")
    state = f" (interrupted after {steps})" if tuned.interrupted else f" and {steps}"
    say(
        f"tuned by {method.name} in {tuned.seconds:.0f} s{state}; the best start: {tuned.start}\nwritten to {directory}{os.sep}",
    )
    return code


def _settings(options: argparse.Namespace, method: Any, problem: Any) -> dict[str, Any]:
    """The settings of the method that were given. Raises ValueError for one that only other methods
    have.
    """
    own = given_settings(options, type(method))
    for other in METHODS.values():
        for name, value in given_settings(options, other).items():
            allowed = f"a setting of {method.name}, which suits {problem.name} (or give --method {other.name})"
            require(f"--{name.replace('_', '-')}", value, allowed, name in own)
    return own
