"""`wannjax environments`: list what there is to solve."""

import argparse

import wannjax
from wannjax.problems.registry import DATA_SETS

HELP = "list the environments and data sets"


def add_options(_command: argparse.ArgumentParser) -> None:
    """It has none."""


def run(_options: argparse.Namespace) -> int:
    print("\n".join([*sorted(wannjax.environment_names()), *DATA_SETS]))
    return 0
