"""How fast a data set scores networks: evaluations per second of two implementations, measured in
one run.

    python -m benchmarks.data_throughput [--population 96] [--repeats 3] [--quick] [--json PATH]

An evaluation is one network at one shared weight on one example. The ways:
    published   the published algorithm in numpy: one network and one weight at a time, node by node
                over the whole batch, a dense float64 weight matrix. It runs a sample of the
                population; a rate does not depend on that.
    wannjax     `DataProblem.evaluate`, as the search calls it: population × 6 shared weights × 1
                mini-batch of 1000, which it draws.

Inputs are random, networks too: what they compute costs the same as what they learn. The first case
is as large as the paper's MNIST champion (256 inputs, 1,800 connections), the second as a champion
on 8×8 digits. The ways take turns call by call, each on one thread; CPU-seconds are those of all
threads. The table shows medians; × is the ratio to the published way, also of the fastest calls,
which a busy machine distorts least.

The two ways score the same networks on the same examples, so the last columns tell whether they
compute the same: the greatest and the median difference of the loss over the sample's networks and
weights, float32 against float64. Steps, and sines of large values, magnify rounding, so a few
networks may differ by more than the others.
"""

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from benchmarks.baselines import Matrices, apply_activation, matrices_of
from benchmarks.common import Timing, express_all, machine, measure_together, print_table, random_genomes, write_json
from wannjax.networks.activations import PUBLISHED, activation_ids
from wannjax.problems.data import DataProblem, Examples
from wannjax.search.wann.config import SWEEP

AMONG = (0, *activation_ids(PUBLISHED))
CLASSES = 10


@dataclass(frozen=True)
class Case:
    """The size of the networks, counted as the published ones are: bias, inputs, hidden nodes and
    outputs.
    """

    name: str
    inputs: int
    nodes: int
    connections: int


@dataclass(frozen=True)
class Plan:
    """The sizes of one run.

    Attributes:
        population: networks that wannjax runs.
        sample: networks that the published way runs.
        batch: examples of a mini-batch.
        examples: examples of the data set, from which mini-batches are drawn.
    """

    population: int
    repeats: int
    sample: int
    batch: int
    examples: int
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Row:
    """One way on one case."""

    case: Case
    way: str
    sample: str
    evaluations: int
    timing: Timing

    def rate(self, clock: str) -> float:
        """Evaluations per second of `clock` (`cpu`, `wall`, `cpu_best` or `wall_best`)."""
        return self.evaluations / getattr(self.timing, clock)

    def record(self) -> dict[str, Any]:
        """Everything but the result, for a file."""
        timing = {name: value for name, value in self.timing._asdict().items() if name != "result"}
        return {**asdict(self.case), "way": self.way, "sample": self.sample, "evaluations": self.evaluations, **timing}


def published_batch(weights, activations, inputs: int, outputs: int, observations) -> Float[np.ndarray, "B O"]:
    """The outputs of one network for a batch, one node at a time: all values times the node's
    column.
    """
    values = np.zeros((len(observations), len(activations)))
    values[:, 0] = 1.0
    values[:, 1 : 1 + inputs] = observations
    for node in range(1 + inputs, len(activations)):
        values[:, node] = apply_activation(activations[node], np.dot(values, weights[:, node]))
    return values[:, -outputs:]


def published_losses(networks: Matrices, shared: tuple[float, ...], examples: Examples) -> Float[np.ndarray, "P W"]:
    """The mean cross-entropy of each network at each shared weight, one after the other."""
    observations, targets = np.asarray(examples.inputs, np.float64), np.asarray(examples.targets, np.float64)
    losses = np.zeros((len(networks.weights), len(shared)))
    for i, (connections, activations) in enumerate(zip(networks.weights, networks.activations, strict=True)):
        for j, weight in enumerate(shared):
            outputs = published_batch(weight * connections, activations, networks.inputs, networks.outputs, observations)
            outputs -= outputs.max(axis=1, keepdims=True)
            losses[i, j] = np.mean(np.log(np.exp(outputs).sum(axis=1)) - np.sum(outputs * targets, axis=1))
    return losses


def compare(case: Case, plan: Plan) -> tuple[list[Row], np.ndarray]:
    """Both ways on one case, and how much their losses differ, float[sample, W]."""
    rng = np.random.default_rng(0)
    x = rng.random((plan.examples, case.inputs), np.float32)
    problem = DataProblem(x, rng.integers(CLASSES, size=plan.examples), outputs=CLASSES, validation=0.1, batch=plan.batch)
    sizes = {"nodes": case.nodes, "connections": case.connections, "inputs": case.inputs, "outputs": CLASSES}
    genomes = random_genomes(0, plan.population, **sizes)
    networks, matrices = express_all(genomes), matrices_of(jax.tree.map(lambda leaf: leaf[: plan.sample], genomes))
    key, weights = jax.random.key(0), jnp.array(SWEEP)
    # The batch that `evaluate` draws with this key; drawing it costs the published way nothing
    # here.
    examples = problem.draw(key, problem.examples, problem.batch)
    ways: dict[str, tuple[int, Callable[[], Any]]] = {
        "published": (plan.sample, lambda: published_losses(matrices, SWEEP, examples)),
        "wannjax": (plan.population, lambda: problem.evaluate(key, networks, weights, episodes=1, activation_ids=AMONG).scores),
    }
    timings = measure_together([run for _, run in ways.values()], plan.repeats)
    rows = [
        Row(case, way, f"{count}×{len(SWEEP)}×{problem.batch}", count * len(SWEEP) * problem.batch, timing)
        for (way, (count, _)), timing in zip(ways.items(), timings, strict=True)
    ]
    theirs, ours = (np.asarray(timing.result, np.float64) for timing in timings)
    return rows, np.abs(theirs + ours[: plan.sample])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data_throughput", description=__doc__.splitlines()[0])
    parser.add_argument("--population", type=int, default=96, help="networks that wannjax runs (default 96)")
    parser.add_argument("--repeats", type=int, default=3, help="timed calls after the first (default 3)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/data_throughput.json"), help="where the record goes")
    arguments = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", 1)

    cases = (Case("MNIST", 256, 850, 1800), Case("digits", 64, 105, 150))
    plan = Plan(arguments.population, arguments.repeats, sample=2, batch=1000, examples=20_000, cases=cases)
    if arguments.quick:
        plan = Plan(4, 1, sample=1, batch=100, examples=1000, cases=(Case("MNIST", 256, 400, 700), cases[1]))

    environment = machine()
    lines, record = [], []
    for case in plan.cases:
        with threadpool_limits(1):
            rows, differences = compare(case, plan)
        base = rows[0]
        for row in rows:
            ratios = [row.rate(clock) / base.rate(clock) for clock in ("cpu", "cpu_best", "wall")]
            size = f"{case.name} {case.inputs}/{case.nodes}/{case.connections}" if row is base else ""
            off = ("", "") if row is base else (f"{differences.max():.1e}", f"{np.median(differences):.1e}")
            compile_time = "" if row is base else f"{row.timing.compile:.1f} s"
            rates = [f"{row.rate(clock) / 1e3:,.1f}" for clock in ("cpu", "wall")]
            lines.append((size, row.way, row.sample, *rates, *(f"{ratio:,.0f}" for ratio in ratios), compile_time, *off))
            record.append({**row.record(), "times published, CPU": ratios[0]})
        record[-1] |= {"greatest difference of the loss": float(differences.max()), "median difference": float(np.median(differences))}
    columns = ("inputs/nodes/conns", "way", "sample", "k/CPU-s", "k/s", "× CPU", "fastest", "× wall", "compile", "max Δ", "median Δ")
    caption = "Thousand evaluations. Sample: networks × weights × examples. Fastest: × CPU of the fastest calls. Δ: of the loss.\n"
    caption += ", ".join(f"{name} {value}" for name, value in environment.items())
    print_table("Scoring networks on a mini-batch", columns, lines, caption)
    write_json(arguments.json, {"machine": environment, "plan": asdict(plan), "rows": record})


if __name__ == "__main__":
    main()
