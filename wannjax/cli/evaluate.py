"""`wannjax evaluate`: print the table of scores of a network."""

import argparse

from wannjax.analysis.evaluation import evaluate_splits
from wannjax.cli.options import add_network_arguments, network_and_problem
from wannjax.cli.tables import report_table
from wannjax.common.terminal import say

HELP = "print the table of scores of a champion, or of what training made of it"


def add_options(command: argparse.ArgumentParser) -> None:
    add_network_arguments(command)
    command.add_argument("--episodes", type=int, default=100, help="fresh episodes per score (default: 100)")
    command.add_argument("--seed", type=int, default=1, help="of the fresh episodes (default: 1)")


def run(options: argparse.Namespace) -> int:
    network, problem = network_and_problem(options)
    say(report_table(*evaluate_splits(network, problem, episodes=options.episodes, seed=options.seed)))
    return 0
