"""Which settings suit a search on data: `python -m benchmarks.data_study [--variants NAME …]
[--seeds 21 22 23] [--mnist PATH]`.

Every variant evolves networks on digits, or on MNIST where `fetch_mnist` has left it, with every
seed, from the default settings but for what `VARIANTS` says. The table has what the champion scores
on the test examples, medians with the least and the greatest over the seeds: the mean accuracy over
the sweep and that of the best shared weight (chosen on the validation examples), its connections,
and the CPU-seconds of the search. Runs are kept in the JSON file; a second call does only what is
missing.
"""

import argparse
import copy
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax

import wannjax
from benchmarks.common import accuracies, machine, print_table, whole, write_json
from wannjax.networks.activations import NAMES
from wannjax.networks.network import connection_count
from wannjax.problems import datasets
from wannjax.problems.data import DataProblem
from wannjax.problems.problem import Evaluation
from wannjax.problems.splits import Examples

GENERATIONS = 300
SWEEP = wannjax.WannConfig().weights


class Groups(DataProblem):
    """Tells apart the scores of groups of examples, as if each group were an episode.

    Attributes:
        groups: how many there are; None: one of each class.
    """

    groups: int | None = 10

    def evaluate(self, key, networks, weights, **options) -> Evaluation:
        count = min(options["episodes"] * self.batch, self.size)
        drawn = self.draw(key, self.examples, count)
        classes = np.argmax(np.asarray(drawn.targets), axis=1)
        group_of = classes if self.groups is None else np.arange(count) % self.groups
        found = []
        for group in np.unique(group_of):
            part = copy.copy(self)
            part.examples = Examples(*(leaf[group_of == group] for leaf in drawn))
            found.append(DataProblem.evaluate(part, key, networks, weights, **{**options, "episodes": count}))
        scores = jnp.stack([each.scores for each in found], axis=2)
        shares = jnp.asarray(np.bincount(group_of)[np.unique(group_of)] / count, jnp.float32)
        computed = jnp.sum(jnp.stack([each.computed_steps for each in found]))
        return Evaluation(scores @ shares, jnp.full(scores.shape[:2], count, jnp.int32), computed, scores)


class Classes(Groups):
    """Tells apart the scores of classes."""

    groups = None


def margin(outputs, target):
    """How much the output of the right class lacks to be 1 above all others."""
    others = jnp.max(jnp.where(target > 0, -jnp.inf, outputs))
    return jax.nn.relu(1 - jnp.sum(outputs * target) + others)


def wrong(outputs, target):
    """1 where the greatest output is not that of the right class."""
    return jnp.where(jnp.argmax(outputs) == jnp.argmax(target), 0.0, 1.0)


def balanced(x, labels, **options) -> DataProblem:
    """A problem whose loss is cross-entropy, as if there were as many training examples of each
    class.
    """
    counts = np.bincount(labels)

    def loss(outputs, target):
        return optax.softmax_cross_entropy(outputs, target) * jnp.sum(target * (counts.mean() / counts))

    return DataProblem(x, np.eye(len(counts), dtype=np.float32)[labels], loss=loss, outputs=len(counts), **options)


class Variant(NamedTuple):
    """What differs from the default search.

    Attributes:
        settings: of the search.
        problem: what makes the problem.
        options: of the problem.
    """

    settings: Mapping[str, Any] = MappingProxyType({})
    problem: Callable[..., DataProblem] = DataProblem
    options: Mapping[str, Any] = MappingProxyType({})


VARIANTS = {
    "default": Variant(),
    "1 connection an output at the start": Variant({"initial_fan_in": 1}),
    "2 connections": Variant({"initial_fan_in": 2}),
    "8 connections": Variant({"initial_fan_in": 8}),
    "0.05 of all connections, the paper's": Variant({"initial_density": 0.05}),
    "half of all connections": Variant({"initial_fan_in": 10**6}),
    "cases: 10 groups × weights": Variant({"cases": "episodes"}, Groups),
    "cases: classes × weights": Variant({"cases": "episodes"}, Classes),
    "300 examples a generation": Variant({"episodes": 1}, options={"batch": 300}),
    "half the tolerance": Variant({"tolerance": 0.25}),
    "twice the tolerance": Variant({"tolerance": 1.0}),
    "by rank, tournaments of 8": Variant({"selection": "tournament", "tournament": 8}),
    "deletions at 40 % of their rates": Variant({"delete_connection": 0.1, "delete_node": 0.06}),
    "loss: balanced by class": Variant(problem=balanced),
    "loss: margin": Variant(options={"loss": margin, "outputs": 10}),
    "loss: errors": Variant(options={"loss": wrong, "outputs": 10}),
    "all activations": Variant({"activations": NAMES[1:]}),
}


def run(variant: Variant, seed: int, data: datasets.Dataset) -> dict[str, float]:
    """What one search finds, in percent, and what it takes."""
    options = {"seed": 0, **variant.options}
    problem = variant.problem(
        data.x_train, data.y_train if "loss" not in options else np.eye(10, dtype=np.float32)[data.y_train], **options
    )
    config = wannjax.WannConfig(generations=GENERATIONS, **variant.settings)
    begun = time.process_time()
    champion = whole(wannjax.evolve(problem, config, seed=seed, progress=False)).champion
    seconds = time.process_time() - begun
    measured = DataProblem(data.x_train, data.y_train, x_test=data.x_test, y_test=data.y_test)
    grid = np.linspace(-3, 3, 121).tolist()
    chosen = accuracies(measured, champion, grid, "validation").argmax()
    return {
        "mean": float(accuracies(measured, champion, SWEEP, "test").mean()),
        "tuned": float(accuracies(measured, champion, grid, "test")[chosen]),
        "connections": connection_count(champion),
        "seconds": seconds,
    }


def _cell(values: list[float]) -> str:
    return f"{np.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", nargs="+", choices=tuple(VARIANTS), default=list(VARIANTS), metavar="NAME", help="default: all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[21, 22, 23], help="one search each (default 21 22 23)")
    parser.add_argument("--mnist", type=Path, help="the file of `benchmarks.fetch_mnist`: search on MNIST")
    parser.add_argument("--json", type=Path, help="where the record goes (default benchmarks/results/data_study-NAME.json)")
    options = parser.parse_args()
    wannjax.use_all_cores()
    data = datasets.mnist(options.mnist) if options.mnist else datasets.digits()
    on = "MNIST" if options.mnist else "digits"
    path = options.json or Path(f"benchmarks/results/data_study-{on}.json")
    runs = json.loads(path.read_text())["runs"] if path.exists() else {}
    for seed in options.seeds:
        for name in options.variants:
            label = f"{name}, seed {seed}"
            if label not in runs:
                runs[label] = run(VARIANTS[name], seed, data)
                write_json(path, {"machine": machine(), "generations": GENERATIONS, "runs": runs})
                print(f"{label}: {runs[label]}", flush=True)
    rows = []
    for name in options.variants:
        found = [runs[f"{name}, seed {seed}"] for seed in options.seeds]
        rows.append((name, *(_cell([each[what] for each in found]) for what in ("mean", "tuned", "connections", "seconds"))))
    columns = ("variant", "mean over the sweep, %", "best shared weight, %", "connections", "CPU-seconds")
    caption = f"Seeds {', '.join(map(str, options.seeds))}; {GENERATIONS} generations; test examples: median (least to greatest)."
    print_table(f"Searches on {on}", columns, rows, caption)


if __name__ == "__main__":
    main()
