"""The command line: `wannjax evolve`, `wannjax evaluate`, `wannjax environments`."""

import argparse
import os
import sys
import time
from dataclasses import MISSING, fields
from pathlib import Path

from wannjax import devices


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code. Bad input is one line on standard error and exit code 2."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        devices.use_all_cores()
        devices.cache_compilations()
        return options.run(options)
    except (ValueError, OSError) as error:
        print(f"wannjax: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("wannjax: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    from wannjax.config import PRESETS, WannConfig

    parser = argparse.ArgumentParser(prog="wannjax", description="Evolve weight agnostic neural networks on accelerators.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    evolve = commands.add_parser("evolve", help="search for a network that solves an environment with one shared weight")
    evolve.add_argument("environment", metavar="ENV", help="an environment, see `wannjax environments`")
    evolve.add_argument("--seed", type=int, default=0, help="same seed, same result (default: 0)")
    evolve.add_argument("--out", type=Path, default=None, help="run directory (default: runs/ENV-seedSEED-TIME)")
    evolve.add_argument("--overwrite", action="store_true", help="replace the files of an existing run directory")
    evolve.add_argument("--preset", default="default", help=f"one of {', '.join(PRESETS)}; the options below change it (default: default)")
    group = evolve.add_argument_group("settings", "defaults shown are those of the default preset")
    for setting in fields(WannConfig):
        assert setting.default is not MISSING
        many = isinstance(setting.default, tuple)
        group.add_argument(
            "--" + setting.name.replace("_", "-"),
            type=type(setting.default[0] if many else setting.default),
            nargs="+" if many else None,
            default=argparse.SUPPRESS,
            metavar=setting.name.upper(),
            help=f"{setting.metadata['meaning']}; {setting.metadata['allowed']} (default: {_plain(setting.default)})",
        )
    evolve.set_defaults(run=_evolve)

    evaluate = commands.add_parser("evaluate", help="print the table of scores of a champion")
    evaluate.add_argument("network", type=Path, metavar="RUN_OR_FILE", help="a run directory, or a .json or .out network file")
    evaluate.add_argument("environment", metavar="ENV", nargs="?", help="needed for a file")
    evaluate.add_argument("--episodes", type=int, default=100, help="fresh episodes per score (default: 100)")
    evaluate.add_argument("--seed", type=int, default=1, help="of the fresh episodes (default: 1)")
    evaluate.set_defaults(run=_evaluate)

    environments = commands.add_parser("environments", help="list the environments")
    environments.set_defaults(run=_environments)
    return parser


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _evolve(options: argparse.Namespace) -> int:
    from rich.console import Console

    import wannjax
    from wannjax import runs
    from wannjax.config import WannConfig
    from wannjax.tables import report_table

    changes = {f.name: getattr(options, f.name) for f in fields(WannConfig) if hasattr(options, f.name)}
    config = WannConfig.preset(options.preset, **changes)
    problem = wannjax.make(options.environment)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    directory = options.out or Path("runs") / f"{options.environment}-seed{options.seed}-{stamp}"
    runs.claim(directory, overwrite=options.overwrite)
    result = wannjax.evolve(problem, config, seed=options.seed)
    runs.write(directory, result)

    console = Console()
    report = wannjax.evaluate(result.champion, problem, seed=options.seed + 1, weights=config.weights)
    console.print(report_table(report, problem.name))
    history, (count, seconds) = result.history, result.compilations
    speed = history["alive_steps"].sum() / history["rollout_seconds"].sum() / 1e6
    console.print(
        f"{len(history['generation'])} generations in {result.seconds:.0f} s"
        f"{' (interrupted)' if result.interrupted else ''}; {speed:.1f} M alive environment steps/s; "
        f"{count} programs compiled in {seconds:.0f} s\nwritten to {directory}{os.sep}",
        highlight=False,
    )
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from rich.console import Console

    import wannjax
    from wannjax import runs
    from wannjax.tables import report_table

    is_run = options.network.is_dir()
    name = options.environment or (runs.problem_name(options.network) if is_run else None)
    if name is None:
        raise ValueError("ENV: must be given for a network file")
    problem = wannjax.make(name)
    path = options.network / runs.CHAMPION if is_run else options.network
    network = wannjax.load(path, inputs=problem.inputs, outputs=problem.outputs)
    report = wannjax.evaluate(network, problem, episodes=options.episodes, seed=options.seed)
    Console().print(report_table(report, problem.name))
    return 0


def _environments(_options: argparse.Namespace) -> int:
    import wannjax

    print("\n".join(sorted(wannjax.environment_names())))
    return 0
