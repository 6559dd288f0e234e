"""The command line: `wannjax evolve`, `wannjax resume`, `wannjax finetune`, `wannjax evaluate`, `wannjax explain`,
`wannjax prune`, `wannjax formula`, `wannjax draw`, `wannjax watch`, `wannjax report`,
`wannjax blocks`, `wannjax environments`."""

import argparse
import os
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from wannjax import devices, hosts
from wannjax.validation import require


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code. Bad input is one line on standard error and exit code 2."""
    parser = _parser(_algorithm(arguments))
    options = parser.parse_args(arguments)
    try:
        devices.use_all_cores()
        devices.cache_compilations()
        with _processes(options):
            return options.run(options)
    except (ValueError, OSError, ImportError) as error:
        print("wannjax:", "; ".join([str(error), *getattr(error, "__notes__", ())]), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("wannjax: interrupted", file=sys.stderr)
        return 130


def _algorithm(arguments: list[str] | None) -> str:
    """The search that is asked for: it decides which settings there are."""
    from wannjax.config import WannConfig

    early = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    early.add_argument("--algorithm", default=WannConfig.name)
    try:
        return early.parse_known_args(arguments)[0].algorithm
    except argparse.ArgumentError:  # which the full parser will explain
        return WannConfig.name


def _parser(algorithm: str) -> argparse.ArgumentParser:
    from wannjax.config import ALGORITHMS, WannConfig

    config = ALGORITHMS.get(algorithm, WannConfig)
    parser = argparse.ArgumentParser(prog="wannjax", description="Evolve weight agnostic neural networks on accelerators.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    evolve = commands.add_parser("evolve", help="search for a network that solves an environment with one shared weight")
    evolve.add_argument("environment", metavar="ENV", help="an environment or data set, see `wannjax environments`")
    _add_data_option(evolve)
    evolve.add_argument("--seed", type=int, default=0, help="same seed, same result (default: 0)")
    evolve.add_argument("--out", type=Path, default=None, help="run directory (default: runs/ENV-seedSEED-TIME)")
    evolve.add_argument("--overwrite", action="store_true", help="replace the files of an existing run directory")
    evolve.add_argument("--resume", action="store_true", help="continue the same run in --out where it has a checkpoint, for job scripts")
    _add_saving_option(evolve)
    _add_process_options(evolve)
    evolve.add_argument(
        "--algorithm",
        default=WannConfig.name,
        help=f"one of {', '.join(ALGORITHMS)}; each has settings of its own, which --help lists with it (default: {WannConfig.name})",
    )
    presets = ", ".join(config.presets)
    evolve.add_argument("--preset", default="default", help=f"one of {presets}; the options below change it (default: default)")
    group = evolve.add_argument_group(f"settings of {config.name}", "defaults shown are those of the default preset")
    for setting in fields(config):
        assert setting.default is not MISSING
        if setting.name == "blocks":
            meaning = f"{setting.metadata['meaning']}, from a file that `wannjax blocks -o` wrote (default: none)"
            group.add_argument("--blocks", type=Path, default=argparse.SUPPRESS, metavar="FILE", help=meaning)
            continue
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

    resume = commands.add_parser("resume", help="continue a search from its newest checkpoint")
    resume.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="a run directory")
    resume.add_argument("--generations", type=int, default=None, help="of the whole run (default: as many as it was to have)")
    _add_data_option(resume)
    _add_saving_option(resume)
    _add_process_options(resume)
    resume.set_defaults(run=_resume)

    finetune = commands.add_parser("finetune", help="train the individual weights of a champion")
    _add_network_arguments(finetune)
    finetune.add_argument("--method", default=None, help="gradient, policy_gradient or evolution (default: what suits the problem)")
    finetune.add_argument("--steps", type=int, default=500, help="of training (default: 500)")
    finetune.add_argument("--learning-rate", type=float, default=None, help="of Adam (default: the method's)")
    finetune.add_argument(
        "--starts", type=float, nargs="+", default=None, help="shared weights to start from (default: own weights, or the sweep's)"
    )
    finetune.add_argument("--seed", type=int, default=0, help="same seed, same result (default: 0)")
    finetune.add_argument("--out", type=Path, default=None, help="directory (default: the run's, or runs/ENV-finetune-seedSEED-TIME)")
    finetune.add_argument("--overwrite", action="store_true", help="replace an earlier training's files")
    finetune.add_argument("--resume", action="store_true", help="continue from the directory's newest checkpoint, with the same options")
    _add_saving_option(finetune)
    finetune.set_defaults(run=_finetune)

    evaluate = commands.add_parser("evaluate", help="print the table of scores of a champion, or of what training made of it")
    _add_network_arguments(evaluate)
    evaluate.add_argument("--episodes", type=int, default=100, help="fresh episodes per score (default: 100)")
    evaluate.add_argument("--seed", type=int, default=1, help="of the fresh episodes (default: 1)")
    evaluate.set_defaults(run=_evaluate)

    explain = commands.add_parser("explain", help="print which connections and nodes matter")
    _add_network_arguments(explain)
    explain.add_argument("--top", type=int, default=12, help="how many of each are shown (default: 12)")
    _add_measuring_options(explain)
    explain.add_argument("-o", dest="out", type=Path, default=None, metavar="DIR", help="write effects.png and weights.png there")
    explain.set_defaults(run=_explain)

    prune = commands.add_parser("prune", help="remove what the score does not need")
    _add_network_arguments(prune)
    prune.add_argument("--tolerance", type=float, required=True, help="mean score that may be lost in all, in units of the score")
    _add_measuring_options(prune)
    prune.add_argument("-o", dest="out", type=Path, required=True, metavar="FILE", help="the smaller network, .json or .out")
    prune.set_defaults(run=_prune)

    formula = commands.add_parser("formula", help="print a network as formulas")
    formula.add_argument("network", type=Path, metavar="RUN_OR_FILE", help="a run directory, or a .json or .out network file")
    formula.add_argument("--weight", type=float, default=None, help="the shared weight (default: the symbol w; 1 for a trained network)")
    language = formula.add_mutually_exclusive_group()
    language.add_argument("--latex", action="store_true", help="as LaTeX")
    language.add_argument("--python", action="store_true", help="as a Python function")
    formula.set_defaults(run=_formula)
    draw = commands.add_parser("draw", help="draw a network")
    draw.add_argument("network", type=Path, metavar="RUN_OR_FILE", help="a run directory, or a .json or .out network file")
    draw.add_argument("-o", "--out", type=Path, required=True, help="the picture: .svg, .png, .pdf, or .html to zoom and pan in")
    draw.add_argument("--title", default="", help="above the picture (default: how large the network is)")
    draw.set_defaults(run=_draw)

    watch = commands.add_parser("watch", help="film an episode, with the network lighting up, at several shared weights")
    _add_network_arguments(watch)
    watch.add_argument(
        "--weights", type=float, nargs="+", default=None, help="one to six (default: -2 -0.5 1, or 1 for individual weights)"
    )
    watch.add_argument("--seed", type=int, default=0, help="of the episode (default: 0)")
    watch.add_argument(
        "-o", "--out", type=Path, default=Path("episode.gif"), help="the film: .gif, or .mp4 with ffmpeg (default: episode.gif)"
    )
    watch.set_defaults(run=_watch)

    report = commands.add_parser("report", help="write the page on a run again, report.html in its directory")
    report.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="a run directory")
    report.add_argument("environment", metavar="ENV", nargs="?", help="another environment to measure it on (default: the run's)")
    _add_data_option(report)
    report.set_defaults(run=_report)

    blocks = commands.add_parser("blocks", help="mine the building blocks that recur in the fronts of runs")
    blocks.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="a run directory, or a front.json")
    blocks.add_argument("--top", type=int, default=12, help="how many blocks are kept (default: 12)")
    blocks.add_argument("--largest", type=int, default=5, help="nodes of a block at the most, 2 to 5 (default: 5)")
    blocks.add_argument("--least-runs", type=int, default=None, help="runs that must show a block (default: half of them)")
    blocks.add_argument("--draws", type=int, default=200, help="rewired networks of the baseline, per run (default: 200)")
    blocks.add_argument("--seed", type=int, default=0, help="of the baseline (default: 0)")
    blocks.add_argument("-o", dest="out", type=Path, default=None, metavar="FILE", help="the library, for `wannjax evolve --blocks`")
    blocks.add_argument("--picture", type=Path, default=None, metavar="FILE", help="a drawing of them: .png, .svg or .pdf")
    blocks.set_defaults(run=_blocks)

    environments = commands.add_parser("environments", help="list the environments and data sets")
    environments.set_defaults(run=_environments)
    return parser


def _add_saving_option(command: argparse.ArgumentParser) -> None:
    from wannjax.checkpoints import SAVE_EVERY

    command.add_argument(
        "--save-every", type=float, default=SAVE_EVERY, metavar="SECONDS", help=f"time between checkpoints (default: {SAVE_EVERY:g})"
    )


def _add_process_options(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("several processes", "the same command in each of them; process 0 writes the files")
    group.add_argument("--distributed", action="store_true", help="this is one of several, as a cluster such as SLURM tells")
    group.add_argument("--coordinator", default=None, metavar="HOST:PORT", help="elsewhere: of process 0, a free port")
    group.add_argument("--processes", type=int, default=None, help="elsewhere: how many there are")
    group.add_argument("--process", type=int, default=None, help="elsewhere: which one this is, from 0")


def _processes(options: argparse.Namespace) -> AbstractContextManager[None]:
    """What the commands that several processes can share run in."""
    given = [getattr(options, name, None) for name in ("coordinator", "processes", "process")]
    if getattr(options, "distributed", False) or given != [None] * 3:
        from wannjax.hosts import distributed

        return distributed(*given)
    return nullcontext()


def _add_data_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, default=None, metavar="PATH", help="the files of mnist")


def _add_network_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("network", type=Path, metavar="RUN_OR_FILE", help="a run directory, or a .json or .out network file")
    command.add_argument("environment", metavar="ENV", nargs="?", help="needed for a file")
    _add_data_option(command)


def _add_measuring_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--episodes", type=int, default=4, help="per shared weight in each of eight rounds (default: 4)")
    command.add_argument("--seed", type=int, default=0, help="of the episodes (default: 0)")


def _problem(name: str, options: argparse.Namespace):
    import wannjax

    return wannjax.make(name, **({} if options.data is None else {"path": options.data}))


def _network_and_problem(options: argparse.Namespace):
    """What RUN_OR_FILE and ENV stand for."""
    import wannjax
    from wannjax import runs

    is_run = options.network.is_dir()
    name = options.environment or (runs.problem_name(options.network) if is_run else None)
    if name is None:
        raise ValueError("ENV: must be given for a network file")
    problem = _problem(name, options)
    path = runs.network_path(options.network) if is_run else options.network
    return wannjax.load(path, inputs=problem.inputs, outputs=problem.outputs), problem


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _evolve(options: argparse.Namespace) -> int:
    import wannjax
    from wannjax import runs
    from wannjax.config import ALGORITHMS

    require("algorithm", options.algorithm, f"one of {', '.join(ALGORITHMS)}", options.algorithm in ALGORITHMS)
    settings = ALGORITHMS[options.algorithm]
    changes = {f.name: getattr(options, f.name) for f in fields(settings) if hasattr(options, f.name)}
    if "blocks" in changes:
        changes["blocks"] = wannjax.load_blocks(changes["blocks"])
    config = settings.preset(options.preset, **changes)
    problem = _problem(options.environment, options)
    directory = options.out or _new_directory(options.environment, options.seed)
    if options.resume:
        require("--resume", options.resume, "given with --out and without --overwrite", options.out is not None and not options.overwrite)
    elif hosts.is_first():
        runs.claim(directory, overwrite=options.overwrite)
    result = wannjax.evolve(problem, config, seed=options.seed, run_dir=directory, resume=options.resume, save_every=options.save_every)
    return _show(result, problem, directory)


def _resume(options: argparse.Namespace) -> int:
    import wannjax
    from wannjax import runs

    name, config, seed = runs.saved_search(options.run_dir)
    problem = _problem(name, options)
    result = wannjax.evolve(
        problem,
        config,
        generations=options.generations,
        seed=seed,
        run_dir=options.run_dir,
        resume=True,
        save_every=options.save_every,
    )
    return _show(result, problem, options.run_dir)


def _show(result: Any, problem: Any, directory: Path) -> int:
    """Prints what a search found, in the first process."""
    if not hosts.is_first():
        return 0
    from rich.console import Console

    from wannjax import runs
    from wannjax.tables import report_table

    console = Console()
    console.print(report_table(result.report, problem))
    history, (count, seconds) = result.history, result.compilations
    speed = history["alive_steps"].sum() / history["rollout_seconds"].sum() / 1e6
    state = f" (interrupted: continue with `wannjax resume {directory}`)" if result.interrupted else ""
    console.print(
        f"{len(history['generation'])} generations in {result.seconds:.0f} s{state}; {speed:.1f} M alive environment steps/s; "
        f"{count} programs compiled in {seconds:.0f} s\nwritten to {directory}{os.sep}, to look at: {directory / runs.REPORT}",
        highlight=False,
    )
    return 0


def _finetune(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from rich.console import Console

    import wannjax
    from wannjax import runs
    from wannjax.finetuning import method_for
    from wannjax.tables import report_table

    network, problem = _network_and_problem(options)
    method: Any = method_for(options.method, problem)
    if options.learning_rate is not None:
        method = replace(method, learning_rate=options.learning_rate)
    directory = options.out or (options.network if options.network.is_dir() else _new_directory(f"{problem.name}-finetune", options.seed))
    if not options.resume:
        runs.require_untrained(directory, overwrite=options.overwrite)
    tuned = wannjax.finetune(
        network,
        problem,
        method=method,
        steps=options.steps,
        starts=options.starts,
        seed=options.seed,
        run_dir=directory,
        resume=options.resume,
        save_every=options.save_every,
    )

    console = Console()
    console.print(report_table(wannjax.evaluate(tuned.network, problem, seed=options.seed + 1), problem))
    state = f" (interrupted after {int(tuned.history['step'][-1])} steps)" if tuned.interrupted else ""
    console.print(
        f"tuned by {method.name} in {tuned.seconds:.0f} s{state}; the best start: {tuned.start}\nwritten to {directory}{os.sep}",
        highlight=False,
    )
    return 0


def _new_directory(name: str, seed: int) -> Path:
    return Path("runs") / f"{name}-seed{seed}-{time.strftime('%Y%m%d-%H%M%S')}"


def _evaluate(options: argparse.Namespace) -> int:
    from rich.console import Console

    import wannjax
    from wannjax.tables import report_table

    network, problem = _network_and_problem(options)
    report = wannjax.evaluate(network, problem, episodes=options.episodes, seed=options.seed)
    Console().print(report_table(report, problem))
    return 0


def _explain(options: argparse.Namespace) -> int:
    from rich.console import Console

    import wannjax
    from wannjax.analysis.curves import draw_weights
    from wannjax.analysis.effects import draw_effects
    from wannjax.tables import explanation_tables
    from wannjax.validation import require_count

    require_count("top", options.top)
    network, problem = _network_and_problem(options)
    explanation = wannjax.explain(network, problem, episodes=options.episodes, seed=options.seed)
    Console().print(explanation_tables(explanation, options.top), highlight=False)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        draw_effects(explanation, options.out / "effects.png")
        draw_weights({str(options.network): explanation.curve}, options.out / "weights.png", title=problem.name)
        print(f"written to {options.out}{os.sep}")
    return 0


def _prune(options: argparse.Namespace) -> int:
    from rich.console import Console

    import wannjax
    from wannjax.tables import pruned_table

    require("-o", str(options.out), "a name that ends in .json or .out", options.out.suffix in (".json", ".out"))
    network, problem = _network_and_problem(options)
    pruned = wannjax.prune(network, problem, tolerance=options.tolerance, episodes=options.episodes, seed=options.seed)
    wannjax.save(options.out, pruned.network)
    Console().print(pruned_table(pruned), highlight=False)
    print(f"written to {options.out}")
    return 0


def _formula(options: argparse.Namespace) -> int:
    import wannjax
    from wannjax import runs

    path = runs.network_path(options.network) if options.network.is_dir() else options.network
    network = wannjax.load(path)
    weight = 1.0 if options.weight is None and network.weights is not None else options.weight
    formulas = wannjax.formula(network, weight=weight)
    print(formulas.latex() if options.latex else formulas.python().rstrip() if options.python else formulas)
    return 0


def _draw(options: argparse.Namespace) -> int:
    import wannjax
    from wannjax import runs

    path = runs.network_path(options.network) if options.network.is_dir() else options.network
    wannjax.draw(wannjax.load(path), options.out, title=options.title)
    print(f"written to {options.out}")
    return 0


def _watch(options: argparse.Namespace) -> int:
    import wannjax

    network, problem = _network_and_problem(options)
    episodes = wannjax.watch(network, problem, options.out, weights=options.weights, seed=options.seed)
    returns = ", ".join(f"{value:.1f}" for value in episodes.rewards.sum(axis=0))
    print(f"{problem.metric} {returns}\nwritten to {options.out}")
    return 0


def _report(options: argparse.Namespace) -> int:
    from wannjax import runs
    from wannjax.analysis.report import write_report

    problem = _problem(options.environment or runs.problem_name(options.run_dir), options)
    write_report(options.run_dir, problem)
    print(f"written to {options.run_dir / runs.REPORT}")
    return 0


def _blocks(options: argparse.Namespace) -> int:
    from rich.console import Console

    import wannjax
    from wannjax import runs
    from wannjax.analysis.motif_drawing import draw_motifs
    from wannjax.tables import motifs_table

    fronts = [wannjax.load_front(path / runs.FRONT if path.is_dir() else path) for path in options.runs]
    motifs = wannjax.mine_motifs(
        fronts, largest=options.largest, least_runs=options.least_runs, draws=options.draws, seed=options.seed
    ).top(options.top)
    require("RUN", len(fronts), "runs that share a block, or more (or give --least-runs 1)", bool(motifs.ranked))
    Console().print(motifs_table(motifs), highlight=False)
    if options.out is not None:
        wannjax.save_blocks(options.out, motifs.blocks)
        print(f"written to {options.out}")
    if options.picture is not None:
        draw_motifs(motifs, options.picture)
        print(f"written to {options.picture}")
    return 0


def _environments(_options: argparse.Namespace) -> int:
    import wannjax
    from wannjax.problems import DATA_SETS

    print("\n".join([*sorted(wannjax.environment_names()), *DATA_SETS]))
    return 0
