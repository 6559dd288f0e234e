"""What a swing-up champion does at each shared weight: `python -m benchmarks.by_weight [RUN …]
[--generations 5]`.

A RUN is the directory of a finished search (by default those of `benchmarks.champions`). Its
champion, and with `--generations` some of the champions before it, run 32 fresh episodes at each
weight of the sweep:
    score        the mean return.
    force        the mean |force| of the first 200 steps, of 1 at the most.
    full         the share of these steps with all of the force.
    upright      the first step at which the pole is within 25° of standing: the median.
    up           the share of the steps from then on at which it is; 0.5 of one that spins.
    a step       the mean reward of those.
    off-centre   the mean |x| at them, in metres.
    saturated    the share of hidden nodes that can saturate and do, over the whole episode.
The last table has the medians over the runs.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import wannjax
from benchmarks.champions import SEEDS
from benchmarks.common import machine, print_table, write_json
from wannjax.analysis.activity import activity
from wannjax.analysis.episodes import episodes_of
from wannjax.networks.network import Network
from wannjax.problems.environment_problem import EnvironmentProblem
from wannjax.runs import run_directory
from wannjax.runs.past_champions import load_growth
from wannjax.search.wann.config import SWEEP

EPISODES = 32
SWING = 200
"""Steps in which the pole is swung up."""
COLUMNS = ("score", "force", "full", "upright", "up", "a step", "off-centre", "saturated")


def figures_of(network: Network, problem: EnvironmentProblem, seed: int) -> dict[str, dict[str, float]]:
    """By weight, the columns above."""
    key = jax.random.key(seed)
    keys = jax.random.split(key, EPISODES)
    weights = np.repeat(np.array(SWEEP, np.float32), EPISODES)
    seen = episodes_of(network, problem, jnp.tile(keys, len(SWEEP)), jnp.asarray(weights))
    saturated = activity(key, network, problem, jnp.array(SWEEP), episodes=EPISODES).saturated[: -network.outputs]
    figures = {}
    for i, weight in enumerate(SWEEP):
        lanes = weights == weight
        alive, rewards = seen.alive[:, lanes], seen.rewards[:, lanes]
        force = np.abs(seen.values[:SWING, -1, lanes])  # an output, which is a tanh, is the force
        stands = alive & (seen.states.cos_theta[:, lanes] > np.cos(np.radians(25)))
        first = np.where(stands.any(axis=0), stands.argmax(axis=0), problem.max_steps)
        later = alive & (np.arange(len(alive))[:, None] >= first)
        node = saturated[:, i][~np.isnan(saturated[:, i])]
        figures[f"{weight:g}"] = {
            "score": float(rewards.sum(axis=0).mean()),
            "force": float(force[alive[:SWING]].mean()),
            "full": float((force[alive[:SWING]] > 0.99).mean()),
            "upright": float(np.median(first)),
            "up": float(stands.sum() / max(later.sum(), 1)),
            "a step": float(rewards[stands].mean()) if stands.any() else 0.0,
            "off-centre": float(np.abs(seen.states.x[:, lanes])[stands].mean()) if stands.any() else float("nan"),
            "saturated": float(node.mean()) if len(node) else float("nan"),
        }
    return figures


def rows_of(figures: dict[str, dict[str, float]], name: str) -> list[list[str]]:
    return [[name, weight, *(f"{each[column]:.3g}" for column in COLUMNS)] for weight, each in figures.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = [Path(f"benchmarks/results/champions/CartPoleSwingUp-v0-default-{seed}") for seed in SEEDS]
    parser.add_argument("runs", type=Path, nargs="*", default=default, metavar="RUN")
    parser.add_argument("--generations", type=int, default=0, help="champions before the last one (default 0)")
    parser.add_argument("--seed", type=int, default=0, help="of the fresh episodes (default 0)")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/by_weight.json"), help="where the record goes")
    options = parser.parse_args()

    wannjax.use_all_cores()
    problem = wannjax.make("CartPoleSwingUp-v0")
    assert isinstance(problem, EnvironmentProblem)
    record, rows = {}, []
    for run in options.runs:
        stages = load_growth(run / run_directory.GROWTH)[-1 - options.generations : -1] if options.generations else []
        networks = {f"{run.name}, generation {stage.generation}": stage.network for stage in stages}
        networks[run.name] = wannjax.load(run / run_directory.CHAMPION)
        for name, network in networks.items():
            record[name] = figures_of(network, problem, options.seed)
            rows += rows_of(record[name], name)
    head = ("champion", "weight", *COLUMNS)
    print_table(f"Swing-up by shared weight, {EPISODES} fresh episodes each", head, rows)
    last = [record[run.name] for run in options.runs]
    medians = {weight: {column: float(np.median([each[weight][column] for each in last])) for column in COLUMNS} for weight in last[0]}
    print_table(f"Medians of {len(last)} champions", head, rows_of(medians, "median"))
    write_json(options.json, {"machine": machine(), "champions": record})


if __name__ == "__main__":
    main()
