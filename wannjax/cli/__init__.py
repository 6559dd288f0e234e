"""The command line. Every command is a file here, with what it is for, its options, and what it
does; `options.py` has what they share.
"""

import argparse
import os
import signal
import sys
from typing import NoReturn

import wannjax
from wannjax.cli import blocks, draw, environments, evaluate, evolve, explain, finetune, formula, prune, report, resume, watch
from wannjax.cli.options import processes
from wannjax.common import devices, hosts, starting, terminal
from wannjax.common.wording import did_you_mean, suggestion

COMMANDS = (evolve, resume, finetune, evaluate, explain, prune, formula, draw, watch, report, blocks, environments)
INTERRUPTED = 130
"""The exit code after Ctrl-C."""
_NAMES = {module: module.__name__.rpartition(".")[2] for module in COMMANDS}


def command() -> NoReturn:
    """The program. After Ctrl-C it ends at once, since threads that still compile can abort a usual
    end. SIGTERM outside of a run, which ends in order, ends it as one that is to be started again.
    """
    signal.signal(signal.SIGTERM, _end_at_once)
    code = main()
    if code == INTERRUPTED:
        terminal.flush()
        os._exit(code)
    sys.exit(code)


def _end_at_once(_number: int, _frame: object) -> NoReturn:
    os.write(2, b"wannjax: ended by SIGTERM\n")
    os._exit(hosts.TRY_AGAIN)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code. Bad input is one line on standard error and
    exit code 2.
    """
    starting.started()
    terminal.print_anything()
    try:
        try:
            return _run(sys.argv[1:] if arguments is None else arguments)
        finally:
            terminal.flush()
    except (ValueError, OSError, ImportError) as error:
        _complain(str(error), error)
        return 2
    except KeyboardInterrupt as error:
        _complain("interrupted", error)
        return INTERRUPTED


def _run(arguments: list[str]) -> int:
    options = _parsed(arguments)
    devices.use_all_cores()
    try:
        devices.cache_compilations()
    except OSError as error:
        _complain(f"compiled programs are not kept: {error}")
    with processes(options):
        devices.require_devices()
        return options.run(options)


def _complain(message: str, error: BaseException | None = None) -> None:
    """Prints one line on standard error, the notes on an error included."""
    terminal.screen(stderr=True).print("; ".join([f"wannjax: {message}", *getattr(error, "__notes__", ())]), soft_wrap=True)


class _Parser(argparse.ArgumentParser):
    """Whose errors are one line, as all others are."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see `{self.prog} --help`)")


def _parsed(arguments: list[str]) -> argparse.Namespace:
    """The options. Raises ValueError for what is unknown, with near matches."""
    if arguments and not arguments[0].startswith("-") and arguments[0] not in _NAMES.values():
        raise ValueError(f"command: {arguments[0]!r} is unknown; {suggestion(arguments[0], _NAMES.values())}")
    parser = _parser(arguments)
    options, unknown = parser.parse_known_args(arguments)
    for each in unknown:
        name = each.partition("=")[0]
        if name.startswith("--"):
            hint = did_you_mean(name, options.known) or f"see `wannjax {options.command} --help`"
            raise ValueError(f"{name}: is no option of {options.command}; {hint}")
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return options


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    parser = _Parser(prog="wannjax", description="Evolve weight agnostic neural networks on accelerators.")
    parser.add_argument("--version", action="version", version=f"wannjax {wannjax.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for module, name in _NAMES.items():
        command = commands.add_parser(name, help=module.HELP)
        module.add_options(command)
        command.set_defaults(run=module.run, known=command._option_string_actions)
    for module in (evolve, finetune):
        module.add_settings(commands.choices[_NAMES[module]], arguments)
    return parser
