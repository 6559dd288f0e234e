"""What the benchmarks share: random populations of a given size, timing in CPU and wall seconds,
tables, and records as JSON.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import rich.table
from rich.console import Console

import wannjax
from wannjax.common import devices
from wannjax.common.versions import versions_of
from wannjax.genomes.expression import express
from wannjax.genomes.genome import ENABLED, Genome, from_matrix
from wannjax.genomes.population import SMALLEST_CAPACITY, sizes_of
from wannjax.networks.activations import LINEAR, NAMES, PUBLISHED, activation_ids
from wannjax.networks.graph import Connection, Graph, network_of
from wannjax.networks.network import Network, take
from wannjax.problems.data import DataProblem
from wannjax.problems.problem import Problem

PACKAGES = ("jax", "jaxlib", "numpy", "gymnax")


def whole(result: wannjax.Result) -> wannjax.Result:
    """The result of a search that went to its end. Else the program ends: what is kept as a run
    must be one, and a signal ends only the search that it meets.
    """
    if result.interrupted:
        sys.exit("ended early: nothing of this search goes on record; the same command goes on from the last one that does")
    return result


class Results:
    """Runs that are kept in a file, so that none is done twice."""

    def __init__(self, path: Path):
        self.path = path
        self.runs: dict[str, dict] = json.loads(path.read_text())["runs"] if path.exists() else {}

    def of(self, run: Callable[..., dict], seeds: int, **settings: Any) -> list[dict]:
        """What `run` gives for every seed from 0 on with these settings, whole configs among
        them.
        """
        found, told = [], [getattr(value, "name", value) for value in settings.values() if not isinstance(value, dict)]
        for seed in range(seeds):
            name = json.dumps([run.__name__, settings, seed], default=asdict)
            if name not in self.runs:
                self.runs[name] = run(seed, **settings)
                write_json(self.path, {"machine": machine(), "runs": self.runs})
                shown = {key: value for key, value in self.runs[name].items() if key != "history" and not isinstance(value, dict)}
                print(f"{run.__name__} {' '.join(map(str, told))} seed {seed}: {shown}", flush=True)
            found.append(self.runs[name])
        return found


def accuracies(problem: DataProblem, network: Network, weights: Sequence[float], split: str) -> np.ndarray:
    """Of one network on a split's examples at each of the shared weights, in percent."""
    population = jax.tree.map(lambda leaf: np.asarray(leaf)[None], network)
    keys = jax.random.split(jax.random.key(0), len(weights))
    return np.asarray(problem.split(split).measure(keys, population, jnp.asarray(weights, jnp.float32))[0])


def random_genomes(seed: int, population: int, *, nodes: int, connections: int, inputs: int, outputs: int) -> Genome:
    """A population of random genomes in which every hidden node has a source and reaches an output.

    Every hidden node first draws one earlier source, every node that nothing reads yet one later
    target, and the rest of the connections are drawn uniformly from the allowed pairs. Hidden
    activations are drawn from the ten published ones.

    Args:
        nodes: bias, inputs, hidden nodes and outputs, as the published networks are counted.
        connections: enabled connections of each genome.

    Raises:
        ValueError: `nodes` leaves no hidden node, or `connections` are too few or too many for
            `nodes`.
    """
    hidden = nodes - 1 - inputs - outputs
    if hidden < 1:
        raise ValueError(f"nodes: expected more than 1 + {inputs} inputs + {outputs} outputs, got {nodes}")
    rng = np.random.default_rng(seed)
    first_hidden, targets = 1 + inputs, hidden + outputs
    matrices = np.zeros((population, first_hidden + hidden, targets), np.int8)
    allowed = np.arange(first_hidden + hidden)[:, None] - first_hidden < np.arange(targets)[None, :]
    for matrix in matrices:
        for target in range(targets):
            last_source = first_hidden + min(target, hidden)
            matrix[rng.integers(last_source), target] = ENABLED
        for node in range(hidden):
            if not matrix[first_hidden + node].any():
                matrix[first_hidden + node, rng.integers(node + 1, targets)] = ENABLED
        free = np.flatnonzero(allowed & (matrix == 0))
        missing = connections - int(np.sum(matrix == ENABLED))
        if not 0 <= missing <= free.size:
            raise ValueError(f"connections: {nodes} nodes cannot all be live with exactly {connections} of them")
        matrix.flat[rng.choice(free, missing, replace=False)] = ENABLED
    activations = np.full((population, targets), LINEAR, np.int8)
    activations[:, :hidden] = rng.choice(activation_ids(PUBLISHED), (population, hidden))
    return from_matrix(jnp.asarray(matrices), jnp.asarray(activations), inputs, outputs)


def express_all(genomes: Genome) -> Network:
    """The networks of a population of genomes, with as much room for steps as the search would give
    them.
    """
    needed, room = int(_most_steps(genomes)), SMALLEST_CAPACITY
    while needed >= room:
        room *= 2
    return _expressed(genomes, room)


@jax.jit
def _most_steps(genomes: Genome):
    return jnp.max(sizes_of(genomes).steps)


@partial(jax.jit, static_argnames="room")
def _expressed(genomes: Genome, room: int) -> Network:
    return jax.vmap(lambda genome: express(genome, room))(genomes)


def room_for(inputs: int, outputs: int, nodes: int) -> int:
    """So many nodes; where inputs and outputs leave no other, with as many hidden ones as on
    swing-up.
    """
    return nodes if nodes > 1 + inputs + outputs else nodes - 6 + inputs + outputs


def networks_for(inputs: int, outputs: int, population: int, nodes: int) -> Network:
    """Random networks with `room_for` so many nodes, and for each of `nodes` 1.8 connections, or 2
    among many inputs, since few hidden nodes read each other there. They repeat after 1024.
    """
    counted, drawn = room_for(inputs, outputs, nodes), min(population, 1024)
    connections = round((1.8 if counted == nodes else 2) * nodes)
    genomes = random_genomes(0, drawn, nodes=counted, connections=connections, inputs=inputs, outputs=outputs)
    return take(express_all(genomes), np.arange(population) % drawn)


class Timing(NamedTuple):
    """What one function returned and what it cost.

    Attributes:
        result: of the last call.
        compile: wall seconds of the first call beyond those of the median one.
        cpu: CPU-seconds of all threads of this process, median over the calls after the first.
        wall: wall seconds, likewise.
        cpu_best, wall_best: those of the fastest call. A shared core slows by half for seconds at a
            time, scalar code more than vectorised code: where the ratios of medians and of fastest
            calls differ, believe the latter.
    """

    result: Any
    compile: float
    cpu: float
    wall: float
    cpu_best: float
    wall_best: float


def measure(function: Callable[[], Any], repeats: int) -> Timing:
    """Calls `function` once to warm up and `repeats` times for the record, waiting for its result
    every time.
    """
    return measure_together([function], repeats)[0]


def measure_together(functions: Sequence[Callable[[], Any]], repeats: int) -> list[Timing]:
    """As `measure`, taking turns after every call, so that a machine whose speed drifts slows all
    functions alike.
    """
    results: list[Any] = [None] * len(functions)
    seconds = np.zeros((2, len(functions), 1 + repeats))
    for turn in range(1 + repeats):
        for i, function in enumerate(functions):
            cpu, wall = time.process_time(), time.perf_counter()
            results[i] = jax.block_until_ready(function())
            seconds[:, i, turn] = time.process_time() - cpu, time.perf_counter() - wall
    medians, best = np.median(seconds[..., 1:], axis=2), np.min(seconds[..., 1:], axis=2)
    compiling = np.maximum(seconds[1, :, 0] - medians[1], 0.0)
    return [Timing(*values) for values in zip(results, compiling.tolist(), *medians.tolist(), *best.tolist(), strict=True)]


def machine() -> dict[str, Any]:
    """What a measurement depends on besides the code: devices, processor, cores and versions."""
    return {
        "device": devices.describe(),
        "platform": jax.default_backend(),
        "processor": _processor(),
        "cores": devices.available_cores(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **versions_of(*PACKAGES),
    }


class Table(NamedTuple):
    """A table whose first column is text and whose others are numbers."""

    title: str
    columns: Sequence[str]
    rows: Iterable[Sequence[str]]
    caption: str = ""

    def in_markdown(self) -> str:
        lines = (f"| {' | '.join(cells)} |" for cells in (self.columns, ["---"] * len(self.columns), *self.rows))
        return "\n".join((f"\n{self.title}\n", *lines, f"\n{self.caption}"))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> None:
    """Prints a `Table`: for people on a terminal, and as Markdown into anything else, for the
    documentation.
    """
    if not sys.stdout.isatty():
        print(Table(title, columns, rows, caption).in_markdown(), flush=True)
        return
    table = rich.table.Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left")
    for row in rows:
        table.add_row(*row)
    Console(width=130).print(table)


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Writes `record` for people and programs to read, making the directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n")


def _processor() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def hidden_layers(problem: Problem, depth: int, connections: int) -> tuple[int, ...]:
    """The nodes of the `depth` equal hidden layers of the perceptron that has about so many
    connections.
    """

    def weights_of(hidden: tuple[int, ...]) -> int:
        sizes = (problem.inputs, *hidden, problem.outputs)
        return sum((before + 1) * after for before, after in pairwise(sizes))

    return min(((width,) * depth for width in range(1, connections)), key=lambda hidden: abs(weights_of(hidden) - connections))


def perceptron(problem: Problem, hidden: tuple[int, ...], seed: int) -> Network:
    """A plain multilayer perceptron of tanh units as a network: dense layers with biases,
    Glorot-uniform weights, zero biases.
    """
    rng = np.random.default_rng(seed)
    tanh, output = NAMES.index("tanh"), NAMES.index(problem.output_activation)
    layers = [list(range(1, 1 + problem.inputs))]
    connections = []
    for size in (*hidden, problem.outputs):
        first = layers[-1][-1] + 1
        layer = list(range(first, first + size))
        limit = np.sqrt(6 / (len(layers[-1]) + size))
        for target in layer:
            connections.append(Connection(0, target, 0.0))
            connections += [Connection(source, target, float(rng.uniform(-limit, limit))) for source in layers[-1]]
        layers.append(layer)
    activations = (tanh,) * sum(hidden) + (output,) * problem.outputs
    return network_of(Graph(problem.input_names, problem.output_names, activations, tuple(connections)))
