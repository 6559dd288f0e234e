"""The paper's biped, on BipedalWalker-v3: `python -m benchmarks.biped [--algorithm wann]
[--seed 0]`.

A search; of its champion and its front the network that walks best at one of the sweep's weights,
chosen on episodes of its own; the training of that one, and the paper's four columns on 100 fresh
episodes each, beside the paper's own (of BipedalWalker-v2) and its published champion measured on
v3. NEAT has the same number of episodes by `--algorithm neat`. The network is drawn and filmed.

A call that was ended (Ctrl-C, SIGTERM, kill) is made again and goes on; a longer `--generations`
goes on with the same search. All of it is in one folder of `--runs`. Needs
`pip install "wannjax[envpool]"`.
"""

import argparse
import json
import resource
from dataclasses import asdict
from pathlib import Path

import numpy as np

import wannjax
from benchmarks.common import machine, print_table, write_json
from wannjax.analysis.score_table import PAPER
from wannjax.common import devices
from wannjax.problems.problem import Problem
from wannjax.search.registry import Config
from wannjax.search.wann.config import SWEEP

PAPER_EPISODES = 480 * 6 * 4 * 2048
"""Of the paper's search: population × weights × episodes × generations."""
CHOOSING = 8
"""Whole episodes, at each weight of the sweep, that choose a network."""
FOUND = "search.json"
PUBLISHED = ("", "-58 ± 118", "241", "331.4 ± 0.9")
"""The published champion on v3 over 100 episodes: at random shared weights, at -2, and with its own
tuned weights.
"""


def config_for(options: argparse.Namespace) -> Config:
    """The settings of the search. NEAT, which has one weight to score, has as many generations more
    as the sweep has weights.
    """
    shared = {"population": options.population, "episodes": options.episodes, "confirm_episodes": 16, "candidates": 4}
    if options.algorithm == "neat":
        return wannjax.NeatConfig(generations=options.generations * len(SWEEP), **shared)
    return wannjax.WannConfig(generations=options.generations, initial_density=0.25, racing=options.racing, **shared)


def searched(searching: Problem, problem: Problem, config: Config, seed: int, folder: Path, of_search: Path) -> bool:
    """Searches, and leaves the network that walks best at one of the sweep's weights, and what it
    cost; false where it was ended early.
    """
    result = wannjax.evolve(searching, config, seed=seed, run_dir=folder, resume=True, finish=None)
    if result.interrupted:
        return False
    of_search.mkdir(exist_ok=True)
    wannjax.save(of_search / "champion.json", result.champion)
    curves = [
        (network, wannjax.weight_curve(network, problem, weights=config.weights, episodes=CHOOSING, seed=seed))
        for network in [result.champion, *result.front]
    ]
    walker, curve = max(curves, key=lambda found: found[1].means.max())
    wannjax.save(of_search / "walker.json", walker)
    history = result.history
    found = {
        "generations": len(history["generation"]),
        "champion's mean": float(result.champion_scores.mean()),
        "walker's best": float(curve.means.max()),
        "steps": int(history["alive_steps"].sum()),
        "seconds": float(history["seconds"].sum()),
    }
    write_json(of_search / FOUND, found)
    return True


def trained(walker: wannjax.Network, problem: Problem, best: float, options: argparse.Namespace, folder: Path) -> wannjax.Tuned:
    """The network with weights of its own: from those that it has, or from the `best` shared
    one.
    """
    starts = [best] if walker.weights is None else None
    method = wannjax.EvolutionStrategy(population=24, episodes=2)
    return wannjax.finetune(
        walker, problem, method=method, steps=options.steps, starts=starts, seed=options.seed, run_dir=folder, resume=True, finish=None
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithm", default="wann", choices=["wann", "neat"])
    parser.add_argument(
        "--environment", default="envpool:BipedalWalker-v3", choices=["envpool:BipedalWalker-v3", "gymnasium:BipedalWalker-v3"]
    )
    parser.add_argument("--population", type=int, default=256)
    parser.add_argument("--episodes", type=int, default=2, help="per shared weight and generation")
    parser.add_argument("--racing", type=int, default=1, help="of these, for all networks; NEAT has no races")
    parser.add_argument("--generations", type=int, default=500, help="of the WANN search; NEAT has six times as many")
    parser.add_argument("--steps", type=int, default=150, help="of training")
    parser.add_argument("--measured", type=int, default=100, help="episodes of each figure")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--search-steps", type=int, default=None, help="of an episode in the search; the environment's own limit by default"
    )
    parser.add_argument("--runs", type=Path, default=Path("benchmarks/results/biped"), help="the folder for everything")
    options = parser.parse_args()

    devices.cache_compilations()
    problem = wannjax.make(options.environment)
    searching = wannjax.make(options.environment, max_steps=options.search_steps)
    config = config_for(options)
    settings = (options.algorithm, options.population, options.episodes, options.racing, options.search_steps or "whole")
    folder = options.runs / f"{'-'.join(map(str, settings))}-seed{options.seed}"
    budget = config.population * len(config.weights) * config.episodes * config.generations
    print(
        f"{budget:,} episodes of search at the most, {budget / PAPER_EPISODES:.3f} of the paper's {PAPER_EPISODES:,}; in {folder}",
        flush=True,
    )

    of_search = folder / f"after-{config.generations}"  # what follows depends on the champion
    if not (of_search / FOUND).exists() and not searched(searching, problem, config, options.seed, folder, of_search):
        print("ended early: the same command goes on")
        return
    found = json.loads((of_search / FOUND).read_text())
    walker = wannjax.load(of_search / "walker.json")
    print(", ".join(f"{name} {value:,.0f}" for name, value in found.items()), flush=True)
    wannjax.draw(walker, of_search / "walker.svg", title=problem.name)
    best = wannjax.weight_curve(walker, problem, weights=np.linspace(-2.5, 2.5, 21).tolist(), episodes=8, seed=options.seed).best_weight
    tuned = trained(walker, problem, best, options, of_search)
    if tuned.interrupted:
        print("ended early: the same command goes on")
        return
    wannjax.save(of_search / "tuned.json", tuned.network)
    report = wannjax.evaluate(tuned.network, problem, episodes=options.measured, seed=options.seed)
    shared = wannjax.watch(walker, problem, of_search / "walker.gif", weights=(best,), seed=options.seed)
    own = wannjax.watch(tuned.network, problem, of_search / "tuned.gif", seed=options.seed)
    print(f"films: returns {shared.rewards.sum():.0f} and {own.rewards.sum():.0f}, in {of_search}", flush=True)

    columns = [report.random_weights, report.random_shared, report.tuned_shared, report.tuned_weights]
    name = f"{options.algorithm}, seed {options.seed}, {budget / 1e6:.2f} M episodes"
    rows = [
        [name, str(report.connections), *map(str, columns)],
        [f"paper, {PAPER_EPISODES / 1e6:.1f} M episodes", "210", *PAPER[options.environment]],
        ["its published champion, on v3", "210", *PUBLISHED],
    ]
    head = ["", "connections", "random weights", "random shared", "tuned shared", "trained"]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    caption = (
        f"{options.environment}, {options.measured} fresh episodes a figure; the paper's are of v2. "
        f"{found['seconds'] / 3600:.1f} h of search, {found['steps'] / 1e6:.0f} M steps, {memory:.1f} GB at the most."
    )
    print_table("The biped", head, rows, caption)
    scores = {f"{weight:g}": score._asdict() for weight, score in report.per_weight.items()}
    figures = {"columns": [None if column is None else column._asdict() for column in columns], "per weight": scores}
    found |= {"episodes": budget, "paper's episodes": PAPER_EPISODES, "memory": memory}
    found["settings"] = {name: value for name, value in asdict(config).items() if isinstance(value, int | float | str)}
    write_json(of_search / "biped.json", {"machine": machine(), "steps of a search's episode": options.search_steps, **found, **figures})


if __name__ == "__main__":
    main()
