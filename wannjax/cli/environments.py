"""`wannjax environments`: list what there is to solve."""

import argparse

from wannjax.cli.tables import environments_table
from wannjax.common.terminal import say

HELP = "list the environments and data sets: their sizes, and what they need"


def add_options(_command: argparse.ArgumentParser) -> None:
    """It has none."""


def run(_options: argparse.Namespace) -> int:
    say(environments_table())
    return 0
