"""`wannjax draw`: draw a network."""

import argparse
from pathlib import Path

import wannjax
from wannjax.cli.options import add_network_argument, network_path
from wannjax.common.terminal import say

HELP = "draw a network"


def add_options(command: argparse.ArgumentParser) -> None:
    add_network_argument(command)
    command.add_argument("-o", "--out", type=Path, required=True, help="the picture: .svg, .png, .pdf, or .html to zoom and pan in")
    command.add_argument("--labels", action="store_true", help="write h1, h2, ... beside hidden nodes: their names in formulas and tables")
    command.add_argument("--title", default="", help="above the picture (default: how large the network is)")


def run(options: argparse.Namespace) -> int:
    wannjax.draw(wannjax.load(network_path(options)), options.out, title=options.title, labels=options.labels)
    say(f"written to {options.out}")
    return 0
