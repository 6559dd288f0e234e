"""`wannjax explain`: print which connections and nodes matter."""

import argparse
import os
from pathlib import Path

import wannjax
from wannjax.cli.options import add_measuring_options, add_network_arguments, network_and_problem
from wannjax.cli.tables import explanation_tables
from wannjax.common.terminal import say
from wannjax.common.validation import require_count

HELP = "print which connections and nodes matter"


def add_options(command: argparse.ArgumentParser) -> None:
    add_network_arguments(command)
    command.add_argument("--top", type=int, default=12, help="how many of each are shown (default: 12)")
    add_measuring_options(command)
    command.add_argument("-o", dest="out", type=Path, default=None, metavar="DIR", help="write effects.png and weights.png there")


def run(options: argparse.Namespace) -> int:
    from wannjax.pictures.curves import draw_weights
    from wannjax.pictures.effects import draw_effects

    require_count("top", options.top)
    network, problem = network_and_problem(options)
    explanation = wannjax.explain(network, problem, episodes=options.episodes, seed=options.seed)
    say(explanation_tables(explanation, options.top))
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        draw_effects(explanation, options.out / "effects.png")
        draw_weights({str(options.network): explanation.curve}, options.out / "weights.png", title=problem.name)
        say(f"written to {options.out}{os.sep}")
    return 0
