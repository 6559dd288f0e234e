"""The command line. Every command is a file here, with what it is for, its options, and what it
does; `options.py` has what they share.
"""

import argparse
import sys

from wannjax.cli import blocks, draw, environments, evaluate, evolve, explain, finetune, formula, prune, report, resume, watch
from wannjax.cli.options import processes
from wannjax.common import devices

COMMANDS = (evolve, resume, finetune, evaluate, explain, prune, formula, draw, watch, report, blocks, environments)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code. Bad input is one line on standard error and
    exit code 2.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser(arguments).parse_args(arguments)
    try:
        devices.use_all_cores()
        devices.cache_compilations()
        with processes(options):
            return options.run(options)
    except (ValueError, OSError, ImportError) as error:
        print("wannjax:", "; ".join([str(error), *getattr(error, "__notes__", ())]), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("wannjax: interrupted", file=sys.stderr)
        return 130


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wannjax", description="Evolve weight agnostic neural networks on accelerators.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        command = commands.add_parser(module.__name__.rpartition(".")[2], help=module.HELP)
        module.add_options(command)
        command.set_defaults(run=module.run)
    for name, module in (("evolve", evolve), ("finetune", finetune)):
        module.add_settings(commands.choices[name], arguments)
    return parser
