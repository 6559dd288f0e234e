"""What training the weights of a champion is worth: `python -m benchmarks.finetuning [--network
FILE] [--seed 0] [--steps 500]`.

A champion of a default run on swing-up (evolved with the seed, or read from a file) is trained by
each method, and once more for twice the steps from the shared weights -1 and 1 alone. Then the
method that `finetune` chooses by itself trains, with the same number of steps, from as many starts:
    random topology    as many nodes and connections as the champion's, wired at random, from the
                       sweep's shared weights
    perceptron         one hidden layer of tanh units, about as many weights, from six draws of
                       usual initial weights
    random weights     the champion's topology from six draws of U(-2, 2)
Scores are means ± sd over 100 fresh episodes. The curves, held-out scores over seconds, are drawn
into benchmarks/results/finetuning.png.

    python -m benchmarks.finetuning --tasks

trains champions of short runs on other environments, by the method that is chosen, and puts them
beside their best shared weights.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import wannjax
from benchmarks.common import express_all, machine, perceptron, print_table, random_genomes, write_json
from wannjax.analysis.score_table import PAPER
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import graph_of
from wannjax.networks.network import Network, connection_count, take

SWING_UP = "CartPoleSwingUp-v0"
RESULTS = Path("benchmarks/results")
METHOD_STEPS = {"gradient": 300, "policy_gradient": 300}
"""Steps of the methods that `finetune` does not choose on swing-up, set for about the same time."""
TASKS = {"CartPole-v1": (5, 200), "Pendulum-v1": (150, 500), "Acrobot-v1": (30, 200), "MountainCarContinuous-v0": (30, 300)}
"""Environment: generations of the search, and steps of training."""
CURVES = {
    "champion, evolution": "#1f4e8c",
    "champion, two starts": "#6aa5e0",
    "champion, gradient": "#12777f",
    "champion, policy_gradient": "#6a3d9a",
    "random topology": "#c9a66b",
    "perceptron": "#c0392b",
    "random weights": "#8c510a",
}


def tuned_row(name: str, tuned: wannjax.Tuned, problem: Any) -> tuple[list[str], dict[str, Any]]:
    """One line of the table, and of the record."""
    report = wannjax.evaluate(tuned.network, problem, seed=tuned.seed + 1)
    score = report.tuned_weights
    assert score is not None
    record = {
        "name": name,
        "method": tuned.method.name,
        "connections": report.connections,
        "mean": score.mean,
        "std": score.std,
        "start": tuned.start,
        "seconds": tuned.seconds,
        "history": {key: column.tolist() for key, column in tuned.history.items()},
    }
    cells = [name, tuned.method.name, str(report.connections), str(int(tuned.history["step"][-1])), str(score), f"{tuned.seconds:.0f}"]
    return cells, record


def best_perceptron(problem: Any, connections: int, steps: int, seed: int) -> wannjax.Tuned:
    """The best of six trained perceptrons with about `connections` weights, by held-out score."""
    hidden = max(round((connections - problem.outputs) / (problem.inputs + 1 + problem.outputs)), 1)
    first = perceptron(problem, (hidden,), seed)
    draws = [graph_of(perceptron(problem, (hidden,), seed + i)).weights for i in range(6)]
    return wannjax.finetune(first, problem, steps=steps, starts=np.array(draws, np.float32), seed=seed)


def random_network(problem: Any, like: Network, seed: int) -> Network:
    """A random topology with the sizes of `like`."""
    nodes = graph_of(like).size
    genomes = random_genomes(seed, 1, nodes=nodes, connections=connection_count(like), inputs=problem.inputs, outputs=problem.outputs)
    output = NAMES.index(problem.output_activation)
    activations = genomes.activations.at[:, genomes.hidden :].set(output)
    return take(express_all(replace(genomes, activations=activations)), 0)


def swing_up(options: argparse.Namespace) -> None:
    problem = wannjax.make(SWING_UP)
    champion = wannjax.load(options.network) if options.network else wannjax.evolve(problem, seed=options.seed).champion
    before = wannjax.evaluate(champion, problem, seed=options.seed + 1)
    connections, steps, seed = connection_count(champion), options.steps, options.seed
    runs = {
        "champion, evolution": lambda: wannjax.finetune(champion, problem, steps=steps, seed=seed),
        "champion, two starts": lambda: wannjax.finetune(champion, problem, starts=(-1.0, 1.0), steps=2 * steps, seed=seed),
        "champion, gradient": lambda: wannjax.finetune(champion, problem, method="gradient", steps=METHOD_STEPS["gradient"], seed=seed),
        "champion, policy_gradient": lambda: wannjax.finetune(
            champion, problem, method="policy_gradient", steps=METHOD_STEPS["policy_gradient"], seed=seed
        ),
        "random topology": lambda: wannjax.finetune(random_network(problem, champion, seed), problem, steps=steps, seed=seed),
        "perceptron": lambda: best_perceptron(problem, connections, steps, seed),
        "random weights": lambda: wannjax.finetune(champion, problem, steps=steps, starts=6, seed=seed),
    }
    shared = ["champion, best shared weight", "", str(connections), "", str(before.tuned_shared), ""]
    rows, records = [shared], []
    for name, run in runs.items():
        cells, record = tuned_row(name, run(), problem)
        rows.append(cells)
        records.append(record)
        print("  ".join(cells), flush=True)
    rows.append(["paper's champion", "", "52", "", PAPER[SWING_UP].tuned_weights, ""])
    print_table(f"Tuned weights on {SWING_UP}", ["", "method", "connections", "steps", "score", "seconds"], rows)
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for record in records:
        history = record["history"]
        best = np.maximum.accumulate(history["held_out_score"])
        axes.plot(history["seconds"], best, color=CURVES[record["name"]], label=record["name"])
    axes.axhline(before.tuned_shared.mean, color="#5b6270", linestyle=":", label="champion, best shared weight")
    axes.axhline(932, color="#5b6270", linestyle="--", label="paper, tuned weights")
    axes.set(xlabel="seconds", ylabel="best held-out score so far", title=f"Training weights on {SWING_UP}", ylim=(0, 1000))
    axes.legend(frameon=False, loc="lower right")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    RESULTS.mkdir(parents=True, exist_ok=True)
    figure.savefig(RESULTS / "finetuning.png", dpi=130)
    write_json(RESULTS / "finetuning.json", {"machine": machine(), "seed": seed, "shared": before.tuned_shared.mean, "runs": records})


def tasks(options: argparse.Namespace) -> None:
    rows, records = [], []
    for name, (generations, steps) in TASKS.items():
        problem = wannjax.make(name)
        champion = wannjax.evolve(problem, generations=generations, seed=options.seed).champion
        before = wannjax.evaluate(champion, problem, seed=options.seed + 1)
        for label, starts in (("sweep", None), ("random weights", 6)):
            tuned = wannjax.finetune(champion, problem, steps=steps, starts=starts, seed=options.seed)
            cells, record = tuned_row(name, tuned, problem)
            rows.append([name, label, *cells[1:4], str(before.tuned_shared), *cells[4:]])
            records.append({**record, "starts": label, "shared": before.tuned_shared.mean})
            print("  ".join(rows[-1]), flush=True)
    columns = ["", "starts", "method", "connections", "steps", "best shared weight", "tuned weights", "seconds"]
    print_table("Tuned weights on other environments", columns, rows)
    write_json(RESULTS / "finetuning-tasks.json", {"machine": machine(), "seed": options.seed, "runs": records})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", type=Path, default=None, help="a champion's file; a default run when left out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--tasks", action="store_true", help="the other environments instead")
    options = parser.parse_args()
    wannjax.use_all_cores()
    (tasks if options.tasks else swing_up)(options)


if __name__ == "__main__":
    main()
