"""`wannjax environments`: list what there is to solve."""

import argparse

from wannjax.cli.tables import environments_table
from wannjax.common.terminal import say

HELP = "list the environments and data sets: their sizes, and what they need"


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("library", metavar="LIBRARY", nargs="?", help="list those of this library, such as brax")


def run(options: argparse.Namespace) -> int:
    say(environments_table(options.library))
    return 0
