"""`wannjax watch`: film an episode."""

import argparse
from pathlib import Path

import wannjax
from wannjax.cli.options import add_network_arguments, network_and_problem
from wannjax.common.digits import number
from wannjax.common.terminal import say

HELP = "film an episode, with the network lighting up, at several shared weights"


def add_options(command: argparse.ArgumentParser) -> None:
    add_network_arguments(command)
    command.add_argument(
        "--weights", type=float, nargs="+", default=None, help="one to six (default: -2 -0.5 1, or 1 for individual weights)"
    )
    command.add_argument("--seed", type=int, default=0, help="of the episode (default: 0)")
    command.add_argument(
        "-o", "--out", type=Path, default=Path("episode.gif"), help="the film: .gif, or .mp4 with ffmpeg (default: episode.gif)"
    )


def run(options: argparse.Namespace) -> int:
    network, problem = network_and_problem(options)
    episodes = wannjax.watch(network, problem, options.out, weights=options.weights, seed=options.seed)
    returns = ", ".join(number(value) for value in episodes.rewards.sum(axis=0))
    say(f"{problem.metric} {returns}\nwritten to {options.out}")
    return 0
