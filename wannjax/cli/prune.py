"""`wannjax prune`: remove what the score does not need."""

import argparse
from pathlib import Path

import wannjax
from wannjax.cli.options import add_measuring_options, add_network_arguments, network_and_problem
from wannjax.cli.tables import pruned_table
from wannjax.common.files import ending_of, require_folder
from wannjax.common.terminal import say
from wannjax.common.validation import require

HELP = "remove what the score does not need"


def add_options(command: argparse.ArgumentParser) -> None:
    add_network_arguments(command)
    command.add_argument("--tolerance", type=float, required=True, help="mean score that may be lost in all, in units of the score")
    add_measuring_options(command)
    command.add_argument("-o", dest="out", type=Path, required=True, metavar="FILE", help="the smaller network, .json or .out")


def run(options: argparse.Namespace) -> int:
    require("-o", str(options.out), "a name that ends in .json or .out", ending_of(options.out) in (".json", ".out"))
    require_folder(options.out)
    network, problem = network_and_problem(options)
    pruned = wannjax.prune(network, problem, tolerance=options.tolerance, episodes=options.episodes, seed=options.seed)
    wannjax.save(options.out, pruned.network)
    say(pruned_table(pruned))
    say(f"written to {options.out}")
    return 0
