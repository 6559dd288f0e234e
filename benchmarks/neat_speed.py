"""What a generation of NEAT costs on CartPole-v1: `python -m benchmarks.neat_speed [--population
1000] [--slots 20 50]`.

A population is bred with random scores until its largest genome fills the slots, and cut to exactly
these. Then whole generations are timed: one episode of at most 500 steps for every network, and
everything outside rollouts (speciation, children, expression, the transfer of scores and sizes).
Networks of random scores fall at once, so that most lane-steps belong to episodes that have ended;
so a second task lets no pole fall: then every step is a useful one, which is what a population that
has learned the task costs.

The table names what an established JAX library for NEAT, TensorNEAT 0.1.0, was measured at on two
such cores.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import wannjax
from benchmarks.common import machine, print_table, write_json
from wannjax.genomes.genome import from_matrix
from wannjax.problems.registry import make_environment
from wannjax.search.algorithm import Algorithm
from wannjax.search.neat.state import NeatState

PEER = {20: 0.24, 50: 0.08}
"""TensorNEAT's million lane-steps per second, by slots."""
PEER_OUTSIDE = 0.77
"""Its seconds outside rollouts, at population 1000."""
GROWTH: dict[str, Any] = {"add_node": 0.3, "add_connection": 0.3, "enable": 0.1, "disable": 0.1}
"""Rates at which genomes fill their slots soon."""


class Cost(NamedTuple):
    """Medians over generations.

    Attributes:
        outside: seconds outside rollouts.
        rollouts: seconds of rollouts.
        steps: lane-steps computed a generation.
        alive: lane-steps of unfinished episodes.
    """

    outside: float
    rollouts: float
    steps: float
    alive: float


def filled(algorithm: Algorithm, population: int, slots: int, seed: int) -> NeatState:
    """A state whose largest genome has `slots` - 1 hidden nodes, on exactly so many slots."""
    rng = np.random.default_rng(seed)
    state = algorithm.init(jax.random.key(seed))
    while int(np.max(state.sizes.hidden)) < slots - 1:
        state = algorithm.enlarge(algorithm.tell(state, rng.random((population, 1), np.float32))[0])
    return resized(state, slots)


def resized(state: NeatState, hidden: int) -> NeatState:
    """The same state on another number of slots, none of them used that falls away."""
    genomes, before = state.genomes, state.genomes.hidden
    first, outputs = 1 + genomes.inputs, genomes.outputs

    def fitted(array: Any, axis: int, start: int):
        slots, rest = jnp.split(array, [start + min(before, hidden)], axis=axis)
        rest = jax.lax.slice_in_dim(rest, max(before - hidden, 0), None, axis=axis)
        shape = list(slots.shape)
        shape[axis] = max(hidden - before, 0)
        return jnp.concatenate([slots, jnp.zeros(shape, array.dtype), rest], axis=axis)

    connections = fitted(fitted(genomes.connections, 1, first), 2, 0)
    columns = jnp.where(state.genes.columns >= before, state.genes.columns + hidden - before, state.genes.columns)
    assert connections.shape[1:] == (first + hidden, hidden + outputs)
    return replace(
        state,
        genomes=from_matrix(connections, fitted(genomes.activations, 1, 0), genomes.inputs, outputs),
        genes=state.genes._replace(columns=columns),
        ids=fitted(state.ids, 1, 0),
    )


def cost(problem: wannjax.EnvironmentProblem, algorithm: Algorithm, state: NeatState, repeats: int) -> Cost:
    """The cost of a generation from `state`, the same one every time, the first one left out."""
    weights, rows = jnp.ones(1), []
    for repeat in range(1 + repeats):
        begun = time.perf_counter()
        networks = jax.block_until_ready(algorithm.ask(state))
        asked = time.perf_counter()
        evaluation = problem.evaluate(jax.random.key(repeat), networks, weights, episodes=1, activation_ids=algorithm.activation_ids)
        scores = np.asarray(evaluation.scores)
        scored = time.perf_counter()
        _, info = jax.block_until_ready(algorithm.tell(state, scores))
        jax.device_get(info)
        outside = time.perf_counter() - scored + asked - begun
        alive = int(np.asarray(evaluation.steps).sum())
        rows.append((outside, scored - asked, float(evaluation.computed_steps), alive))
    return Cost(*np.median(rows[1:], axis=0).tolist())


def unfailing() -> wannjax.EnvironmentProblem:
    """CartPole-v1 on an endless track, with poles that may tilt."""
    problem = make_environment("CartPole-v1")
    return problem.with_params(problem.params.replace(x_threshold=jnp.inf, theta_threshold_radians=jnp.inf))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--population", type=int, default=1000)
    parser.add_argument("--slots", type=int, nargs="+", default=[20, 50])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/neat_speed.json"))
    options = parser.parse_args()

    wannjax.use_all_cores()
    config = wannjax.NeatConfig(population=options.population, **GROWTH)
    tasks = {"falling": make_environment("CartPole-v1"), "never falling": unfailing()}
    algorithm = config.algorithm(inputs=4, outputs=2)
    rows, record = [], []
    for slots in options.slots:
        state = filled(algorithm, options.population, slots, seed=0)
        nodes, connections = (float(np.median(each)) for each in (state.sizes.hidden, state.sizes.connections))
        for label, problem in tasks.items():
            measured = cost(problem, algorithm, state, options.repeats)
            speed = measured.steps / measured.rollouts / 1e6
            alive = measured.alive / measured.rollouts / 1e6
            peer = PEER.get(slots)
            rows.append(
                [
                    f"{slots} slots, {label}",
                    f"{nodes:.0f}",
                    f"{connections:.0f}",
                    f"{speed:.2f}",
                    f"{alive:.2f}",
                    f"{speed / peer:.0f} ×" if peer else "",
                    f"{measured.rollouts:.3f}",
                    f"{measured.outside:.3f}",
                    f"{PEER_OUTSIDE / measured.outside:.0f} ×",
                ]
            )
            record.append({"slots": slots, "task": label, "hidden": nodes, "connections": connections, **measured._asdict()})
    columns = ["", "hidden", "connections", "M lane-steps/s", "of these alive", "peer", "rollouts s", "outside s", "peer"]
    print_table(f"A generation of NEAT on CartPole-v1, population {options.population}", columns, rows)
    write_json(options.json, {"machine": machine(), "population": options.population, "runs": record})


if __name__ == "__main__":
    main()
