"""`wannjax formula`: print a network as formulas."""

import argparse

import wannjax
from wannjax.cli.options import add_network_argument, network_path
from wannjax.common.terminal import say

HELP = "print a network as formulas"


def add_options(command: argparse.ArgumentParser) -> None:
    add_network_argument(command)
    command.add_argument("--weight", type=float, default=None, help="the shared weight (default: the symbol w; 1 for a trained network)")
    language = command.add_mutually_exclusive_group()
    language.add_argument("--latex", action="store_true", help="as LaTeX")
    language.add_argument("--python", action="store_true", help="as a Python function")


def run(options: argparse.Namespace) -> int:
    network = wannjax.load(network_path(options))
    weight = 1.0 if options.weight is None and network.weights is not None else options.weight
    formulas = wannjax.formula(network, weight=weight)
    say(formulas.latex() if options.latex else formulas.python().rstrip() if options.python else str(formulas))
    return 0
