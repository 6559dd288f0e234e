"""What several commands share: their options, and what these stand for."""

import argparse
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import wannjax
from wannjax.common import hosts
from wannjax.common.interrupts import terminated
from wannjax.common.settings import Settings
from wannjax.common.validation import require
from wannjax.problems.registry import is_known
from wannjax.runs import run_directory
from wannjax.runs.resuming import SAVE_EVERY


def add_saving_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--save-every", type=float, default=SAVE_EVERY, metavar="SECONDS", help=f"time between checkpoints (default: {SAVE_EVERY:g})"
    )


def add_process_options(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("several processes", "the same command in each of them; process 0 writes, and each its islands")
    group.add_argument("--distributed", action="store_true", help="this is one of several, as a cluster such as SLURM tells")
    group.add_argument("--coordinator", default=None, metavar="HOST:PORT", help="elsewhere: of process 0, a free port")
    group.add_argument("--processes", type=int, default=None, help="elsewhere: how many there are")
    group.add_argument("--process", type=int, default=None, help="elsewhere: which one this is, from 0")


def processes(options: argparse.Namespace) -> AbstractContextManager[None]:
    """What the commands that several processes can share run in."""
    if getattr(options, "seeds", None) is not None:  # each searches by itself, see `wannjax.runs.seeds`
        return nullcontext()
    given = [getattr(options, name, None) for name in ("coordinator", "processes", "process")]
    if getattr(options, "distributed", False) or given != [None] * 3:
        return wannjax.distributed(*given)
    return nullcontext()


def add_data_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, default=None, metavar="PATH", help="the files of mnist")


def add_network_argument(command: argparse.ArgumentParser) -> None:
    command.add_argument("network", type=Path, metavar="RUN_OR_FILE", help="a run directory, or a .json or .out network file")


def require_there(path: Path) -> None:
    """Raises ValueError for a run or file that there is not."""
    if not path.exists():
        raise ValueError(f"{path}: no such run or file")


def file_of(path: Path, name: str) -> Path:
    """The file called `name` of a run directory, or the file that `path` is itself. Raises
    ValueError where there is none.
    """
    require_there(path)
    if path.is_dir() and not (path / name).is_file():
        raise ValueError(f"{path}: is no run directory with a {name}")
    return path / name if path.is_dir() else path


def network_path(options: argparse.Namespace) -> Path:
    """The file that RUN_OR_FILE stands for. Raises ValueError where there is none."""
    return file_of(options.network, run_directory.network_path(options.network).name)


def networks_of(path: Path, problem: Any) -> list[wannjax.Network]:
    """A run's champion and its front, or the network in a file. Raises ValueError where there is
    none.
    """
    require_there(path)
    champion = wannjax.load(file_of(path, run_directory.CHAMPION), inputs=problem.inputs, outputs=problem.outputs)
    return [champion, *wannjax.load_front(file_of(path, run_directory.FRONT))] if path.is_dir() else [champion]


def add_network_arguments(command: argparse.ArgumentParser) -> None:
    add_network_argument(command)
    command.add_argument("environment", metavar="ENV", nargs="?", help="needed for a file")
    add_data_option(command)


def add_measuring_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--episodes", type=int, default=4, help="per shared weight in each of eight rounds (default: 4)")
    command.add_argument("--seed", type=int, default=0, help="of the episodes (default: 0)")


def make_problem(name: str, options: argparse.Namespace):
    """What ENV and --data stand for."""
    given = options.data is not None
    fits = given == (name == "mnist")
    require("--data", str(options.data) if given else "nothing", "given for mnist, and for nothing else: PATH of its files", fits)
    return wannjax.make(name, **({"path": options.data} if given else {}))


def problem_of_run(directory: Path, options: argparse.Namespace, name: str | None = None):
    """The problem of a run directory, or that called ENV where the command takes it. Raises
    ValueError for one that was made in Python.
    """
    other = getattr(options, "environment", None)
    if other is not None:
        return make_problem(other, options)
    name = name or run_directory.problem_name(directory)
    if not is_known(name):
        ways = "give ENV to use another" if hasattr(options, "environment") else "go on there, with evolve(..., run_dir=..., resume=True)"
        raise ValueError(f"{directory}: its problem was made in Python: {name!r} is no name that this command knows; {ways}")
    return make_problem(name, options)


def network_and_problem(options: argparse.Namespace):
    """What RUN_OR_FILE and ENV stand for."""
    path = network_path(options)
    if options.environment is None and not options.network.is_dir():
        raise ValueError("ENV: must be given for a network file")
    problem = problem_of_run(options.network, options)
    return wannjax.load(path, inputs=problem.inputs, outputs=problem.outputs), problem


def new_directory(name: str, seeds: str) -> Path:
    """One that says when it was made, the same for all processes."""
    return Path("runs") / hosts.text_from_first(f"{name}-{seeds}-{time.strftime('%Y%m%d-%H%M%S')}")


def exit_code(*, interrupted: bool) -> int:
    """What a run that ended ends with: 0, unless SIGTERM, in any process, ended it early."""
    return hosts.TRY_AGAIN if interrupted and hosts.any_of(terminated())[0] else 0


_MOST_SEEDS = 100_000


def seeds_of(words: Sequence[str]) -> list[int]:
    """The seeds that words such as "0-31" or "7" name, in order. Raises ValueError."""
    seeds = list[int]()
    for word in words:
        first, dash, last = word.partition("-")
        number = first.isdecimal() and (last.isdecimal() if dash else True) and int(first) <= int(last or first)
        require("--seeds", word, "a number or a range of them, such as 0-31", number)
        require("--seeds", word, f"{_MOST_SEEDS} seeds at the most", int(last or first) - int(first) < _MOST_SEEDS)
        seeds.extend(range(int(first), int(last or first) + 1))
    require("--seeds", " ".join(words), "different seeds", len(seeds) == len(set(seeds)))
    return seeds


def named_early(arguments: list[str], option: str) -> str | None:
    """What `arguments` name by an option that decides which other options there are; None where it
    is not given.
    """
    early = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    early.add_argument(option, dest="named", default=None)
    try:
        return early.parse_known_args(arguments)[0].named
    except argparse.ArgumentError:  # which the full parser will explain
        return None


def add_settings_of(group: argparse._ArgumentGroup, kinds: Sequence[type[Settings]]) -> None:
    """Adds an option for every setting of these kinds; of one that several have, which is of the
    same type in all, the help tells what it means in each.
    """
    meanings: dict[str, list[tuple[type[Settings], Field]]] = {}
    for kind in kinds:
        for setting in fields(kind):
            meanings.setdefault(setting.name, []).append((kind, setting))
    for name, owners in meanings.items():
        default: Any = owners[0][1].default
        many, of_file = isinstance(default, tuple), owners[0][1].metadata["load"] is not None
        meaning = ". ".join(f"{kind.name}: {_help_of(setting)}" if len(kinds) > 1 else _help_of(setting) for kind, setting in owners)
        option = "--" + name.replace("_", "-")
        if isinstance(default, bool):
            group.add_argument(option, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=meaning)
            continue
        group.add_argument(
            option,
            type=Path if of_file else type(default[0] if many else default),
            nargs="+" if many and not of_file else None,
            default=argparse.SUPPRESS,
            metavar="FILE" if of_file else name.upper(),
            help=meaning,
        )


def _help_of(setting: Field) -> str:
    default = "none" if setting.metadata["load"] is not None else _plain(setting.default)
    return f"{setting.metadata['meaning']}; {setting.metadata['allowed']} (default: {default})"


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def given_settings(options: argparse.Namespace, kind: type[Settings]) -> dict[str, Any]:
    """The settings of this kind that were given, those that are files loaded."""
    given = {setting: getattr(options, setting.name) for setting in fields(kind) if hasattr(options, setting.name)}
    return {
        setting.name: value if setting.metadata["load"] is None else setting.metadata["load"](value) for setting, value in given.items()
    }
