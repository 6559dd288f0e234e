"""What training the weights of champions is worth: `python -m benchmarks.finetuning [--networks
FILE …] [--topologies 5] [--seed 0] [--steps 500]`.

Each champion on swing-up (that of a default run with the seed, or those of the files) is trained by
every method. Then the method that `finetune` chooses by itself trains, for as many steps and from
as many starts:
    own weights        the champion, where it has weights, from these alone
    random weights     the champion's topology from eight draws of U(-2, 2)
    random topology    as many nodes and connections as the champion's, and its activations, wired
                       at random, from the sweep and two random draws; `--topologies` of them for
                       each champion
    perceptron         tanh units, about as many weights, from eight draws of usual initial weights;
                       the best of one, two and three hidden layers by held-out score (and the
                       CPU-seconds of all three)
A score is the mean over 100 fresh episodes; the table has its mean ± sd over champions and
topologies, or, of a single one, over its episodes. CPU-seconds include compiling. Finished
trainings are kept in benchmarks/results/finetuning.json; a second call does only what is missing.
The curves of the first champion, held-out scores over seconds, are drawn into
benchmarks/results/finetuning.png.

    python -m benchmarks.finetuning --tasks

trains champions of short runs on other environments, by the method that is chosen, and puts them
beside their best shared weights.
"""

import argparse
import json
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import wannjax
from benchmarks.common import express_all, hidden_layers, machine, perceptron, print_table, random_genomes, whole, write_json
from wannjax.analysis.score_table import PAPER
from wannjax.common.digits import with_spread
from wannjax.common.validation import require
from wannjax.networks.graph import graph_of
from wannjax.networks.network import Network, connection_count, take

SWING_UP = "CartPoleSwingUp-v0"
RESULTS = Path("benchmarks/results")
STARTS = 8
METHOD_STEPS = {"gradient": 300, "policy_gradient": 300}
"""Steps of the methods that `finetune` does not choose on swing-up, set for about the same time."""
TASKS = {"CartPole-v1": (5, 200), "Pendulum-v1": (150, 500), "Acrobot-v1": (30, 200), "MountainCarContinuous-v0": (30, 300)}
"""Environment: generations of the search, and steps of training."""
CURVES = {
    "champion, evolution": "#1f4e8c",
    "own weights": "#6aa5e0",
    "champion, gradient": "#12777f",
    "champion, policy_gradient": "#6a3d9a",
    "random topology": "#c9a66b",
    "perceptron": "#c0392b",
    "random weights": "#8c510a",
}


def tuned_row(name: str, run: Callable[[], wannjax.Tuned], problem: Any) -> tuple[list[str], dict[str, Any]]:
    """One line of the table, and of the record, of a training."""
    started = time.process_time()
    tuned = run()
    cpu_seconds = time.process_time() - started
    report = wannjax.evaluate(tuned.network, problem, seed=tuned.seed)
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
        "cpu_seconds": cpu_seconds,
        "history": {key: column.tolist() for key, column in tuned.history.items()},
    }
    cells = [name, tuned.method.name, str(report.connections), str(int(tuned.history["step"][-1])), str(score), f"{cpu_seconds:.0f}"]
    return cells, record


def best_perceptron(problem: Any, connections: int, steps: int, seed: int) -> wannjax.Tuned:
    """The best trained perceptron with about `connections` weights, of three depths, by held-out
    score.
    """

    def trained(depth: int) -> wannjax.Tuned:
        hidden = hidden_layers(problem, depth, connections)
        draws = [graph_of(perceptron(problem, hidden, seed + i)).weights for i in range(STARTS)]
        return wannjax.finetune(perceptron(problem, hidden, seed), problem, steps=steps, starts=np.array(draws, np.float32), seed=seed)

    return max((trained(depth) for depth in (1, 2, 3)), key=lambda tuned: tuned.score)


def random_network(problem: Any, like: Network, seed: int) -> Network:
    """A random topology with the sizes and the activations of `like`."""
    nodes = graph_of(like).size
    genomes = random_genomes(seed, 1, nodes=nodes, connections=connection_count(like), inputs=problem.inputs, outputs=problem.outputs)
    activations = np.array(graph_of(like).activations, np.int8)
    np.random.default_rng(seed).shuffle(activations[: genomes.hidden])
    return take(express_all(replace(genomes, activations=jnp.asarray(activations)[None])), 0)


def trainings(champion: Network, problem: Any, options: argparse.Namespace) -> dict[str, Callable[[], wannjax.Tuned]]:
    """What is trained for one champion, by name and number."""
    steps, seed = options.steps, options.seed
    train = partial(wannjax.finetune, champion, problem, seed=seed)
    methods = {method: partial(train, method=method, steps=count) for method, count in METHOD_STEPS.items()}
    own = graph_of(champion).weights if graph_of(champion).has_weights else None
    topologies = {
        f"random topology {i}": lambda i=i: wannjax.finetune(random_network(problem, champion, seed + i), problem, steps=steps, seed=seed)
        for i in range(options.topologies)
    }
    return {
        "champion, evolution": partial(train, steps=steps),
        **({"own weights": partial(train, starts=np.array([own], np.float32), steps=steps)} if own else {}),
        **{f"champion, {method}": run for method, run in methods.items()},
        "random weights": partial(train, starts=STARTS, steps=steps),
        **topologies,
        "perceptron": lambda: best_perceptron(problem, connection_count(champion), steps, seed),
    }


def spread_of(means: list[float], stds: list[float]) -> str:
    """Mean ± sd over several networks, or over the episodes of a single one."""
    return with_spread(float(np.mean(means)), float(np.std(means, ddof=1)) if len(means) > 1 else stds[0])


def swing_up(options: argparse.Namespace) -> None:
    problem = wannjax.make(SWING_UP)
    path = RESULTS / "finetuning.json"
    kept: dict[str, dict[str, Any]] = json.loads(path.read_text())["runs"] if path.exists() else {}
    groups: dict[str, list[dict[str, Any]]] = {}
    files = [str(file) for file in options.networks]
    for file in files or [""]:
        champion = wannjax.load(file) if file else whole(wannjax.evolve(problem, seed=options.seed)).champion
        checksum = zlib.crc32(Path(file).read_bytes()) if file else 0  # a file may be another run's by now
        shared = wannjax.evaluate(champion, problem, seed=options.seed).tuned_shared
        single = {"connections": connection_count(champion), "mean": shared.mean, "std": shared.std}
        groups.setdefault("champion, best shared weight", []).append(single)
        for name, run in trainings(champion, problem, options).items():
            key = json.dumps([name, file, checksum, options.seed, options.steps])
            if key not in kept:
                cells, kept[key] = tuned_row(name, run, problem)
                print("  ".join([file, *cells]), flush=True)
                write_json(path, {"machine": machine(), "runs": kept})
            groups.setdefault(name.rstrip(" 0123456789"), []).append(kept[key])
    rows = []
    for name, runs in groups.items():
        connections = sorted({run["connections"] for run in runs})
        size = f"{connections[0]}" if len(connections) == 1 else f"{connections[0]}–{connections[-1]}"
        score = spread_of([run["mean"] for run in runs], [run["std"] for run in runs])
        seconds = f"{np.median([run['cpu_seconds'] for run in runs]):.0f}" if "cpu_seconds" in runs[0] else ""
        rows.append([name, runs[0].get("method", ""), str(len(runs)), size, score, f"{min(run['mean'] for run in runs):.0f}", seconds])
    rows.append(["paper's champion", "", "1", "52", PAPER[SWING_UP].tuned_weights, "", ""])
    print_table(f"Tuned weights on {SWING_UP}", ["", "method", "networks", "weights", "score", "worst", "CPU-seconds"], rows)
    draw({name: runs[0] for name, runs in groups.items()})


def draw(runs: dict[str, dict[str, Any]]) -> None:
    """The best held-out score so far over seconds."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for name, colour in CURVES.items():
        if name not in runs:
            continue
        history = runs[name]["history"]
        axes.plot(history["seconds"], np.maximum.accumulate(history["held_out_score"]), color=colour, label=name)
    shared = runs["champion, best shared weight"]["mean"]
    axes.axhline(shared, color="#5b6270", linestyle=":", label="champion, best shared weight")
    axes.axhline(932, color="#5b6270", linestyle="--", label="paper, tuned weights")
    axes.set(xlabel="seconds", ylabel="best held-out score so far", title=f"Training weights on {SWING_UP}", ylim=(0, 1000))
    axes.legend(frameon=False, loc="lower right")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(RESULTS / "finetuning.png", dpi=130)


def tasks(options: argparse.Namespace) -> None:
    rows, records = [], []
    for name, (generations, steps) in TASKS.items():
        problem = wannjax.make(name)
        champion = whole(wannjax.evolve(problem, generations=generations, seed=options.seed)).champion
        before = wannjax.evaluate(champion, problem, seed=options.seed)
        for label, starts in (("default", None), ("random weights", STARTS)):
            run = partial(wannjax.finetune, champion, problem, steps=steps, starts=starts, seed=options.seed)
            cells, record = tuned_row(name, run, problem)
            rows.append([name, label, *cells[1:4], str(before.tuned_shared), *cells[4:]])
            records.append({**record, "starts": label, "shared": before.tuned_shared.mean})
            print("  ".join(rows[-1]), flush=True)
    columns = ["", "starts", "method", "connections", "steps", "best shared weight", "tuned weights", "CPU-seconds"]
    print_table("Tuned weights on other environments", columns, rows)
    write_json(RESULTS / "finetuning-tasks.json", {"machine": machine(), "seed": options.seed, "runs": records})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=Path, nargs="+", default=[], help="champions' files; a default run when left out")
    parser.add_argument("--topologies", type=int, default=5, help="random ones for each champion (default 5)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--tasks", action="store_true", help="the other environments instead")
    options = parser.parse_args()
    wannjax.use_all_cores()
    require("topologies", options.topologies, "an integer >= 1", options.topologies >= 1)
    (tasks if options.tasks else swing_up)(options)


if __name__ == "__main__":
    main()
