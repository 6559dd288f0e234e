"""`wannjax report`: write the page on a run again."""

import argparse
from pathlib import Path

from wannjax.cli.options import add_data_option, file_of, problem_of_run
from wannjax.common.terminal import say
from wannjax.runs import run_directory

HELP = "write the page on a run again, report.html in its directory"


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="a run directory")
    command.add_argument("environment", metavar="ENV", nargs="?", help="another environment to measure it on (default: the run's)")
    add_data_option(command)


def run(options: argparse.Namespace) -> int:
    from wannjax.report.report import write

    file_of(options.run_dir, run_directory.CONFIG)
    problem = problem_of_run(options.run_dir, options)
    write(options.run_dir, problem)
    say(f"written to {options.run_dir / run_directory.REPORT}")
    return 0
