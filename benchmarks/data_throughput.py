"""How fast a data set scores the networks of a real search, in three ways that take turns, and what
the fastest one spends its time on.

    python -m benchmarks.data_throughput [--mnist PATH] [--population 960]
        [--generations 1 20 100 300] [--repeats 3] [--json PATH]

A default WANN search runs on digits, or on MNIST where `fetch_mnist` has left it, with one
mini-batch of 1000 for each generation. At the generations asked for, its population is scored on
one batch of 1000 at 6 shared weights by:
    published   the published algorithm in numpy: one network and one weight at a time, node by node
                over the whole batch, a dense float64 weight matrix. It runs two networks; a rate
                does not depend on that.
    tape        the networks side by side, each with its own steps.
    distinct    every distinct step of the population once: what `DataProblem.evaluate` does.

An evaluation is one network at one shared weight on one example. CPU-seconds are medians over calls
after the first, on one thread. Merging and forward are measured apart, the latter with the losses
of two networks; the loss is what is left. Breeding is `ask` and `tell`, everything of a generation
but scoring; its share is of both together. Δ is the greatest difference of a score, over 1 + its
size: to the tape's, and to the published way's in float64 over its two networks.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

import wannjax
from benchmarks.baselines import Matrices, apply_activation
from benchmarks.common import machine, measure_together, print_table, write_json
from wannjax.networks.graph import graph_of
from wannjax.networks.network import Network, take
from wannjax.problems import datasets
from wannjax.problems.data import DataProblem
from wannjax.problems.splits import Examples
from wannjax.search.algorithm import Algorithm

BATCH, SAMPLE = 1000, 2
COLUMNS = (
    *("generation", "steps", "distinct steps", "published", "tape", "distinct", "× tape"),
    *("merging", "forward", "loss", "breeding", "its share", "Δ tape", "Δ published"),
)


def matrices_of_network(network: Network) -> Matrices:
    """The weight matrix of one network, as a population of one."""
    graph = graph_of(network)
    nodes = 1 + network.inputs + len(graph.activations)
    weights, ids = np.zeros((1, nodes, nodes)), np.zeros((1, nodes), int)
    ids[0, 1 + network.inputs :] = graph.activations
    for connection in graph.connections:
        weights[0, connection.source, connection.target] = 1
    return Matrices(weights, ids, network.inputs, network.outputs)


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


def published_scores(networks: list[Matrices], shared: tuple[float, ...], examples: Examples) -> Float[np.ndarray, "P W"]:
    """Minus the mean cross-entropy of each network at each shared weight, one after the other."""
    observations, targets = np.asarray(examples.inputs, np.float64), np.asarray(examples.targets, np.float64)
    scores = np.zeros((len(networks), len(shared)))
    for i, network in enumerate(networks):
        for j, weight in enumerate(shared):
            outputs = published_batch(weight * network.weights[0], network.activations[0], network.inputs, network.outputs, observations)
            outputs -= outputs.max(axis=1, keepdims=True)
            scores[i, j] = np.mean(np.sum(outputs * targets, axis=1) - np.log(np.exp(outputs).sum(axis=1)))
    return scores


def difference(scores, wanted) -> float:
    """The greatest |difference| over 1 + size."""
    return float(np.max(np.abs(scores - wanted) / (1 + np.abs(wanted))))


def compare(
    problem: DataProblem, networks: Network, shared: tuple[float, ...], ids: tuple[int, ...], breed: Callable[[Any], Any], repeats: int
) -> dict[str, Any]:
    """All ways on one population, the parts of the fastest, and what it takes to `breed` from
    scores.
    """
    key, weights, count = jax.random.key(0), jnp.array(shared), len(networks.steps)
    examples = problem.draw(key, problem.examples, BATCH)
    sample = [matrices_of_network(take(networks, i)) for i in range(SAMPLE)]
    distinct = problem._distinct
    blocks = problem._drawn(key, problem.examples, count=BATCH)
    merged = jax.device_get(distinct._merge(networks))
    few = merged._replace(outputs=merged.outputs[:SAMPLE])
    known = np.asarray(problem.evaluate(key, networks, weights, episodes=1, activation_ids=ids).scores)
    ways = {
        "published": lambda: published_scores(sample, shared, examples),
        "tape": lambda: problem._evaluate(key, networks, weights, problem.examples, count=BATCH, activation_ids=ids)[0][0],
        "distinct": lambda: problem.evaluate(key, networks, weights, episodes=1, activation_ids=ids).scores,
        "merging": lambda: distinct._merge(networks),
        "forward": lambda: distinct.sums(few, blocks, weights, ids),
        "breeding": lambda: breed(known),
    }
    timings = dict(zip(ways, measure_together(list(ways.values()), repeats), strict=True))
    rates = {way: count * len(shared) * BATCH / timings[way].cpu for way in ("tape", "distinct")}
    scores = np.asarray(timings["distinct"].result, np.float64)
    parts = {part: timings[part].cpu for part in ("merging", "forward")}
    breeding = timings["breeding"].cpu
    return {
        "steps": int(np.sum(networks.steps)) + count * networks.outputs,
        "distinct steps": int(merged.ends[2]),
        "published": SAMPLE * len(shared) * BATCH / timings["published"].cpu,
        **rates,
        "times tape": rates["distinct"] / rates["tape"],
        **parts,
        "loss": timings["distinct"].cpu - sum(parts.values()),
        "breeding": breeding,
        "share": breeding / (breeding + timings["distinct"].cpu),
        "difference to tape": difference(scores, np.asarray(timings["tape"].result, np.float64)),
        "difference to published": difference(scores[:SAMPLE], timings["published"].result),
    }


def bred(algorithm: Algorithm, state: Any, scores: Float[np.ndarray, "P W"]) -> tuple[Any, Any]:
    """What a search does in a generation besides scoring."""
    return algorithm.ask(state), algorithm.tell(state, scores)


def search(name: str, problem: DataProblem, population: int, generations: list[int], repeats: int) -> list[dict[str, Any]]:
    """A search of one seed, compared at the generations asked for."""
    config = wannjax.WannConfig(population=population, output_activation=problem.output_activation)
    algorithm = config.algorithm(inputs=problem.inputs, outputs=problem.outputs)
    state, weights, rows = algorithm.init(jax.random.key(0)), jnp.array(config.weights), []
    for generation in range(1, max(generations) + 1):
        networks, ids = jax.device_get(algorithm.ask(state)), algorithm.activation_ids
        if generation in generations:
            row = compare(problem, networks, config.weights, ids, partial(bred, algorithm, state), repeats)
            rows.append({"data": name, "population": population, "generation": generation, **row})
        key = jax.random.fold_in(jax.random.key(1), generation)
        scores = np.asarray(problem.evaluate(key, networks, weights, episodes=1, activation_ids=ids).scores)
        state = algorithm.enlarge(algorithm.tell(state, scores)[0])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data_throughput", description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=Path, help="the file of `benchmarks.fetch_mnist`: also search on MNIST")
    parser.add_argument("--population", type=int, default=960, help="networks (default 960)")
    parser.add_argument("--generations", type=int, nargs="+", default=[1, 20, 100, 300], help="when to measure (default 1 20 100 300)")
    parser.add_argument("--repeats", type=int, default=3, help="timed calls after the first (default 3)")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/data_throughput.json"), help="where the record goes")
    arguments = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", 1)

    data = {"digits": datasets.digits()}
    if arguments.mnist:
        data["MNIST"] = datasets.mnist(arguments.mnist)
    environment, record = machine(), []
    for name, (x, y, *_) in data.items():
        problem = DataProblem(x, y, batch=BATCH, name=name)
        with threadpool_limits(1):
            rows = search(name, problem, arguments.population, arguments.generations, arguments.repeats)
        record += rows
        lines = []
        for row in rows:
            rates = [f"{row[way] / 1e6:,.2f}" for way in ("published", "tape", "distinct")]
            seconds = [f"{1e3 * row[part]:,.0f}" for part in ("merging", "forward", "loss", "breeding")]
            off = [f"{row[to]:.1e}" for to in ("difference to tape", "difference to published")]
            counts = [f"{row[what]:,}" for what in ("generation", "steps", "distinct steps")]
            lines.append((*counts, *rates, f"{row['times tape']:.1f}", *seconds, f"{100 * row['share']:.0f} %", *off))
        caption = (
            f"Population {arguments.population}. Ways: million evaluations per CPU-second. "
            "Merging, forward, loss, breeding: CPU-milliseconds.\n"
        )
        caption += ", ".join(f"{what} {value}" for what, value in environment.items())
        print_table(f"Scoring a generation on {name}", COLUMNS, lines, caption)
    write_json(arguments.json, {"machine": environment, "rows": record})


if __name__ == "__main__":
    main()
