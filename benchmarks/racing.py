"""What a race saves: `python -m benchmarks.racing [--environment envpool:BipedalWalker-v3]
[--seeds 0 1 2 3]`.

Three studies; `--studies` chooses among them. "swing-up" and "host" search with and without a race
(`--racing` says how many episodes come first; 0 is none) for the same CPU-seconds: swing-up by the
defaults of when races were tried (four episodes, parents by weights), and an environment on the
host, where steps are costly. The tables have environment steps and seconds per generation, and the
champion's mean score on fresh episodes, medians with the least and the greatest over the seeds.
"parents" counts how many of the parents that are selected after all episodes are ahead after the
first ones.

Every run is kept in the JSON file as soon as it is done; a second call does only what is missing.
CPU-seconds leave out generations in which something is compiled. The host needs
`pip install "wannjax[envpool]"` or `"wannjax[gymnasium]"`.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import wannjax
from benchmarks.common import machine, print_table, write_json
from wannjax.common import devices
from wannjax.common.keys import Purpose, key_of
from wannjax.problems.problem import Problem
from wannjax.runs.compilations import count_compilations
from wannjax.runs.records import Record, history_of
from wannjax.runs.run import Run
from wannjax.search.racing import Race
from wannjax.search.ranking import means
from wannjax.search.selection import lexicase
from wannjax.search.wann.algorithm import cases_of
from wannjax.search.wann.config import SWEEP

SWING_UP = "CartPoleSwingUp-v0"
FOUR: dict[str, Any] = dict(episodes=4, cases="weights")
"""What searches on both have: the defaults of when races were tried."""
MEASURED = 64
"""Fresh episodes per shared weight that measure a champion."""


def search(problem: Problem, config: wannjax.WannConfig, seed: int, seconds: float) -> dict[str, float]:
    """What a search of so many CPU-seconds, generations that compile left out, finds and what its
    generations cost.
    """
    run, costs = Run(problem, config, seed), list[float]()
    with count_compilations() as compilations:
        while sum(costs) < seconds:
            compiled, begun = compilations.count, time.process_time()
            run.advance()
            if compilations.count == compiled:
                costs.append(time.process_time() - begun)
    champion = jax.tree.map(lambda leaf: leaf[None], run.champions.archive[0].network)
    key, ids = key_of(seed, Purpose.EVALUATION), run.algorithm.activation_ids
    scores = problem.evaluate(key, champion, run.sweep, episodes=MEASURED, activation_ids=ids).scores
    history = history_of(run.records, Record)
    return {
        "score": float(np.mean(scores)),
        "generations": run.number,
        "steps": float(np.median(history["alive_steps"])),
        "CPU-seconds": float(np.median(costs)),
        "wall seconds": float(np.median(history["seconds"])),
    }


def parents(seed: int, population: int, generations: int, cases: str) -> dict[str, float]:
    """The share of the parents, selected after all of four episodes of swing-up, that are in the
    half, or in the half of that half, after the first one: by a race's rule, and by the mean alone.
    """
    problem = wannjax.make(SWING_UP)
    config = wannjax.WannConfig(population=population, cases=cases, output_activation=problem.output_activation)
    algorithm = config.algorithm(inputs=problem.inputs, outputs=problem.outputs)
    state = algorithm.init(jax.random.key(seed))
    select = jax.jit(lambda key, *scores: lexicase(key, *cases_of(*scores), tolerance=config.tolerance, count=population))
    found: list[dict[str, float]] = []
    for episode_key, parent_key in jax.random.split(jax.random.key(seed + 1), (generations, 2)):
        evaluation = problem.evaluate(
            episode_key, algorithm.ask(state), jnp.array(SWEEP), episodes=4, activation_ids=algorithm.activation_ids
        )
        each = np.asarray(evaluation.by_episode)
        told = each if algorithm.by_episode else evaluation.scores
        chosen = np.asarray(select(parent_key, evaluation.scores, told.reshape(population, -1)))
        first = each[:, :, 0]
        half = Race(1, 1).ahead(first)
        by_mean = np.argsort(-means(first), kind="stable")
        halves = {
            "half": half,
            "quarter": half[Race(1, 1).ahead(first[half])],
            "half by mean": by_mean[: len(half)],
            "quarter by mean": by_mean[: -(-len(half) // 2)],
        }
        found.append({name: float(np.isin(chosen, some).mean()) for name, some in halves.items()})
        state = algorithm.enlarge(algorithm.tell(state, told)[0])
    thirds = np.array_split([list(each.values()) for each in found], 3)
    return {f"{name}, part {i + 1}": float(third[:, j].mean()) for j, name in enumerate(halves) for i, third in enumerate(thirds)}


def problem_and_settings(study: str, options: argparse.Namespace) -> tuple[Problem, wannjax.WannConfig]:
    if study == "swing-up":
        return wannjax.make(SWING_UP, max_steps=options.max_steps), wannjax.WannConfig(population=options.population, **FOUR)
    problem = wannjax.make(options.environment, max_steps=options.max_steps)
    few: dict[str, Any] = dict(confirm_episodes=16, candidates=4, initial_density=0.25)
    return problem, wannjax.WannConfig(population=options.host_population, **few, **FOUR)


def _cell(values: list[float]) -> str:
    return f"{np.median(values):.4g} ({min(values):.4g} to {max(values):.4g})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", nargs="+", default=["swing-up", "host", "parents"], choices=["swing-up", "host", "parents"])
    parser.add_argument("--environment", default="envpool:BipedalWalker-v3", help="on the host (default: %(default)s)")
    parser.add_argument("--racing", type=int, nargs="+", default=[0, 1, 2], help="episodes of four that come first (default: 0 1 2)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3], help="a search each (default: 0 1 2 3)")
    parser.add_argument("--seconds", type=float, default=200, help="CPU-seconds of a search on swing-up (default: 200)")
    parser.add_argument("--host-seconds", type=float, default=1200, help="CPU-seconds of a search on the host (default: 1200)")
    parser.add_argument("--population", type=int, default=1024, help="on swing-up (default: 1024)")
    parser.add_argument("--host-population", type=int, default=256, help="on the host (default: 256)")
    parser.add_argument("--generations", type=int, default=60, help="in which parents are counted (default: 60)")
    parser.add_argument("--max-steps", type=int, default=None, help="of an episode; the environment's own limit by default")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/racing.json"), help="where the record goes")
    options = parser.parse_args()
    wannjax.use_all_cores()
    devices.cache_compilations()
    runs: dict[str, dict[str, Any]] = json.loads(options.json.read_text())["runs"] if options.json.exists() else {}

    def kept(name: str, run) -> dict[str, Any]:
        """What is on record, or else what `run` gives, which then is."""
        if name not in runs:
            runs[name] = run()
            write_json(options.json, {"machine": machine(), "runs": runs})
            print(f"{name}: {runs[name]}", flush=True)
        return runs[name]

    for study in [each for each in options.studies if each != "parents"]:
        problem, config = problem_and_settings(study, options)
        seconds = options.seconds if study == "swing-up" else options.host_seconds
        limit = "" if options.max_steps is None else f", {options.max_steps} steps"
        about = f"{problem.name}{limit}, population {config.population}, {seconds:g} CPU-seconds"
        found: dict[int, list[dict[str, Any]]] = {racing: [] for racing in options.racing}
        for seed in options.seeds:
            for racing, of in found.items():
                settings = config.replace(racing=racing)
                of.append(kept(f"{about}, racing {racing}, seed {seed}", lambda: search(problem, settings, seed, seconds)))  # noqa: B023
        columns = ("steps", "CPU-seconds", "wall seconds", "generations", "score")
        rows = [(f"{racing or 'none'}", *(_cell([run[name] for run in of]) for name in columns)) for racing, of in found.items()]
        heads = ("racing", "steps a generation", "CPU-seconds", "wall seconds", "generations", "champion's mean")
        caption = f"Seeds {', '.join(map(str, options.seeds))}; four episodes at each shared weight: median (least to greatest)."
        print_table(about, heads, rows, caption)

    if "parents" in options.studies:
        rows = []
        for cases in ("weights", "episodes"):
            about = f"parents by {cases}, {options.host_population} networks, {options.generations} generations"
            counts = [
                kept(f"{about}, seed {seed}", lambda: parents(seed, options.host_population, options.generations, cases))  # noqa: B023
                for seed in options.seeds
            ]
            kinds = ("half", "half by mean", "quarter", "quarter by mean")
            shares = {kind: [value for each in counts for name, value in each.items() if name.startswith(f"{kind}, ")] for kind in kinds}
            rows.append((cases, *(f"{100 * min(some):.0f} to {100 * max(some):.0f} %" for some in shares.values())))
        caption = "Of the parents that four episodes of swing-up select: least and greatest of three parts of every run."
        print_table("Parents that are ahead after the first episode", ("cases", *kinds), rows, caption)


if __name__ == "__main__":
    main()
