"""How fast the weights of one network train on data, beside a flax MLP of as many weights.

    python -m benchmarks.training_speed [--network FILE] [--members 6] [--repeats 20] [--json PATH]

One step is the gradient of the mean cross-entropy over one mini-batch and an update by Adam, for 6
members side by side. Three ways take turns:
    network     a step of `Gradient` on `DataProblem`, as `finetune` takes it.
    MLP         flax's, with one hidden layer of tanh units: so many that it has about as many
                weights and biases as the network has connections.
    wide MLP    the same with as many units as the network has hidden nodes: as many activations,
                and far more weights.

Networks are random, in the shapes below: MNIST's champion as published (1849 connections), on
random inputs, and one for digits; or the network in FILE with random inputs. CPU-seconds are
medians over calls after the first, on one thread.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array
from threadpoolctl import threadpool_limits

import wannjax
from benchmarks.classification import hidden_units
from benchmarks.common import express_all, machine, measure_together, print_table, random_genomes, write_json
from wannjax import DataProblem, Gradient, Network
from wannjax.networks.gradients import topology_of
from wannjax.networks.graph import graph_of
from wannjax.networks.network import take

SHAPES = {
    "MNIST": {"inputs": 256, "outputs": 10, "hidden": 100, "connections": 1849},
    "digits": {"inputs": 64, "outputs": 10, "hidden": 40, "connections": 200},
}
BATCHES = (256, 1000)
EXAMPLES = 2000
RATE = 0.01
WAYS = ("network", "MLP", "wide MLP")
COLUMNS = (
    *("network", "weights", "batch", "ms", "µs an example"),
    *("MLP, ms", "weights", "wide MLP, ms", "weights", "× MLP", "× wide MLP"),
)


def random_network(inputs: int, outputs: int, hidden: int, connections: int) -> Network:
    nodes = 1 + inputs + hidden + outputs
    return take(express_all(random_genomes(0, 1, nodes=nodes, connections=connections, inputs=inputs, outputs=outputs)), 0)


def random_data(inputs: int, outputs: int, batch: int) -> DataProblem:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(size=(EXAMPLES, inputs)), rng.integers(outputs, size=EXAMPLES)
    return DataProblem(x, y, validation=0, batch=batch, outputs=outputs, name="random")


def step_of_network(network: Network, problem: DataProblem, members: int) -> tuple[Callable[[], Any], int]:
    """What takes one step, and how many weights each member has."""
    topology = topology_of(network)
    trainer = Gradient().trainer(problem, topology, optax.adam(RATE))
    weights = jax.random.normal(jax.random.key(0), (members, topology.connections), jnp.float32)
    state = trainer.init(jax.random.key(1), weights)
    return lambda: trainer.step(jax.random.key(2), state), topology.connections


def step_of_mlp(hidden: int, problem: DataProblem, members: int) -> tuple[Callable[[], Any], int]:
    """The same of flax's MLP with one hidden layer."""
    model, optimizer = nn.Sequential([nn.Dense(hidden), nn.tanh, nn.Dense(problem.outputs)]), optax.adam(RATE)

    def loss(params: Any, inputs: Array, targets: Array):
        return jnp.mean(jax.vmap(problem.loss)(jnp.asarray(model.apply(params, inputs)), targets))

    @jax.jit
    def step(key, params, state, examples):
        inputs, targets = problem.draw(key, examples, problem.batch)
        losses, gradients = jax.vmap(jax.value_and_grad(loss), in_axes=(0, None, None))(params, inputs, targets)
        updates, state = jax.vmap(optimizer.update)(gradients, state, params)
        return optax.apply_updates(params, updates), state, losses

    params = jax.vmap(lambda key: model.init(key, problem.examples.inputs[:1]))(jax.random.split(jax.random.key(0), members))
    state = jax.vmap(optimizer.init)(params)
    count = sum(leaf.size for leaf in jax.tree.leaves(params)) // members
    return lambda: step(jax.random.key(2), params, state, problem.examples), count


def compare(name: str, network: Network, batch: int, members: int, repeats: int) -> dict[str, Any]:
    """All three on one shape and batch."""
    problem = random_data(network.inputs, network.outputs, batch)
    own, weights = step_of_network(network, problem, members)
    wide, wide_weights = step_of_mlp(len(graph_of(network).activations) - network.outputs, problem, members)
    small, small_weights = step_of_mlp(hidden_units(weights, problem), problem, members)
    timings = measure_together([own, small, wide], repeats)
    seconds = dict(zip(WAYS, (timing.cpu for timing in timings), strict=True))
    sizes = {"weights": weights, "weights of MLP": small_weights, "weights of wide MLP": wide_weights}
    return {"name": name, "batch": batch, "members": members, **sizes, **seconds}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_speed", description=__doc__.splitlines()[0])
    parser.add_argument("--network", type=Path, help="a network file, instead of the random networks")
    parser.add_argument("--members", type=int, default=6, help="trained side by side (default 6)")
    parser.add_argument("--repeats", type=int, default=20, help="timed steps after the first (default 20)")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/training_speed.json"), help="where the record goes")
    arguments = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", 1)

    networks = {name: random_network(**shape) for name, shape in SHAPES.items()}
    if arguments.network:
        networks = {arguments.network.stem: wannjax.load(arguments.network)}
    environment = machine()
    with threadpool_limits(1):
        shapes = [(name, network, batch) for name, network in networks.items() for batch in BATCHES]
        rows = [compare(*shape, arguments.members, arguments.repeats) for shape in shapes]
    lines = []
    for row in rows:
        each = row["network"] / row["batch"] / row["members"]
        cells = [f"{row['weights']:,}", f"{row['batch']}", f"{1e3 * row['network']:.2f}", f"{1e6 * each:.2f}"]
        cells += [cell for way in WAYS[1:] for cell in (f"{1e3 * row[way]:.2f}", f"{row[f'weights of {way}']:,}")]
        lines.append((row["name"], *cells, *(f"{row['network'] / row[way]:.1f}" for way in WAYS[1:])))
    caption = f"CPU-seconds of a step of {arguments.members} members; an example is one of one member.\n"
    caption += ", ".join(f"{what} {value}" for what, value in environment.items())
    print_table("Training on data, a step", COLUMNS, lines, caption)
    write_json(arguments.json, {"machine": environment, "rows": rows})


if __name__ == "__main__":
    main()
