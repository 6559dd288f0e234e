"""How fast networks are run: environment steps per second of four implementations, measured in one
run.

    python -m benchmarks.throughput [--device cpu|gpu|tpu] [--population 192] [--repeats 5]
        [--quick] [--json PATH]

The ways:
    published   the published algorithm in numpy, as rewritten in `baselines.py`: one network, one
                node, one environment step at a time.
    numba       the same loop compiled by numba, over the connections that there are: what a user
                might write instead. Left out where numba is not installed (`pip install numba`).
    dense       padded weight matrices in plain JAX, one episode vmapped over lanes and networks.
    wannjax     `problem.evaluate`, as the search calls it: population × 6 shared weights × 4
                episodes.

The first and dense run a sample of the population over shortened episodes; a rate does not depend
on that. All networks of a case have the same number of nodes, so nothing of the dense matrices is
padding, which is in their favour.

How to read it: a lane is one (weight, episode) pair of one network, and a lane-step one environment
step of it. `total` counts every lane-step that was computed, `alive` those before the episode's
end, which alone are useful; random networks end early, so a chunk of them runs long after most
lanes have ended, while the networks of a search live longer. CPU-seconds are those of all threads;
on a shared machine they drift too, though less than wall seconds, so the ways of a case take turns
call by call. `published` and `numba` compute no other steps than alive ones. The table shows
medians, the findings also the fastest calls, which a busy machine distorts least.

Cost per connection is linear when the time per lane-step grows no faster than the number of
connections; the two sizes take turns as well. One core against all is the wall time of the same
wannjax evaluation in processes of their own, with 1 and with N CPU devices.

The roofline is arithmetic only: floating-point operations of the tape per second, over the core's
measured peak, a loop of fused multiply-adds on vectors that stay in the first-level cache. A tape
step takes `FLOPS_PER_TAPE_STEP` = 55: K + 1 for the sum and the gain, 4 for step, inverse, abs and
relu, 20 for sin and cos (8 + 2 to reduce and fold, 10 for the polynomial), 27 for tanh, sigmoid and
gaussian (exp counted as 20). A lane-step takes that times the network's steps, about 1,500 at 29
nodes. Selects, memory and the environment's own arithmetic come on top and are not counted: the
share is a lower bound.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.baselines import dense, in_numba, matrices_of, published
from benchmarks.common import Timing, express_all, machine, measure, measure_together, print_table, random_genomes, write_json
from wannjax.common import devices
from wannjax.common.digits import number
from wannjax.genomes.genome import Genome
from wannjax.networks.activations import PUBLISHED, activation_ids
from wannjax.networks.tape import FAN_IN
from wannjax.problems import registry
from wannjax.problems.environment_problem import EnvironmentProblem
from wannjax.search.wann.config import SWEEP

ENVIRONMENTS = ("CartPoleSwingUp-v0", "CartPole-v1")
EPISODES = 4
AMONG = (0, *activation_ids(PUBLISHED))
CHAMPION = (29, 52)
"""Nodes and connections of the published swing-up champion."""

FLOPS_PER_TAPE_STEP = FAN_IN + 1 + 4 + 20 + 27


@dataclass(frozen=True)
class Plan:
    """The sizes of one run.

    Attributes:
        population: networks that wannjax runs.
        sizes: (nodes, connections) of the cases; linearity compares the first and the last.
        sample: networks that the other two run.
        sample_steps: the limit of their episodes.
    """

    population: int
    repeats: int
    sizes: tuple[tuple[int, int], ...]
    sample: int
    sample_steps: int


@dataclass(frozen=True)
class Row:
    """One way on one case; `flops` are those of the tape per lane-step (0 for the other ways)."""

    environment: str
    nodes: int
    connections: int
    way: str
    sample: str
    total: int
    alive: int
    timing: Timing
    flops: float = 0.0

    def rate(self, clock: str, steps: str = "total") -> float:
        """Lane-steps (`total` or `alive`) per second of `clock` (`cpu`, `wall`, `cpu_best` or
        `wall_best`).
        """
        return getattr(self, steps) / getattr(self.timing, clock)

    def record(self) -> dict[str, Any]:
        """Everything but the result, for a file."""
        timing = {name: value for name, value in self.timing._asdict().items() if name != "result"}
        return {**{name: value for name, value in vars(self).items() if name != "timing"}, **timing}


class Way(NamedTuple):
    """One way on one case: what to time, and the row that its timing makes."""

    run: Callable[[], Any]
    row: Callable[[Timing], Row]


def genomes_of(problem: EnvironmentProblem, size: tuple[int, int], population: int) -> Genome:
    nodes, connections = size
    return random_genomes(0, population, nodes=nodes, connections=connections, inputs=problem.inputs, outputs=problem.outputs)


def published_way(problem: EnvironmentProblem, size: tuple[int, int], plan: Plan) -> Way:
    networks = matrices_of(genomes_of(problem, size, plan.sample))

    def row(timing: Timing) -> Row:
        sample = f"{plan.sample}×{len(SWEEP)}×1"
        steps = timing.result.steps
        return Row(problem.name, *size, "published", sample, steps, steps, timing)

    return Way(lambda: published(problem.name, networks, SWEEP, plan.sample_steps), row)


def numba_way(problem: EnvironmentProblem, size: tuple[int, int], plan: Plan) -> Way:
    networks = matrices_of(genomes_of(problem, size, plan.population))

    def row(timing: Timing) -> Row:
        steps = timing.result.steps
        return Row(problem.name, *size, "numba", f"{plan.population}×{len(SWEEP)}×1", steps, steps, timing)

    return Way(lambda: in_numba(problem.name, networks, SWEEP, problem.max_steps), row)


def dense_way(problem: EnvironmentProblem, size: tuple[int, int], plan: Plan) -> Way:
    networks = matrices_of(genomes_of(problem, size, plan.sample))
    keys = jnp.tile(jax.random.split(jax.random.key(0), EPISODES), len(SWEEP))
    gain = jnp.repeat(jnp.array(SWEEP), EPISODES)
    weights, activations = jnp.asarray(networks.weights, jnp.float32), jnp.asarray(networks.activations)
    static = {"inputs": problem.inputs, "outputs": problem.outputs, "max_steps": plan.sample_steps}

    def row(timing: Timing) -> Row:
        lengths = np.asarray(timing.result[1])
        sample = f"{plan.sample}×{len(SWEEP)}×{EPISODES}"
        total, alive = int(lengths.max()) * lengths.size, int(lengths.sum())
        return Row(problem.name, *size, "dense", sample, total, alive, timing)

    return Way(lambda: dense(problem, keys, weights, activations, gain, **static), row)


def wannjax_way(problem: EnvironmentProblem, size: tuple[int, int], plan: Plan) -> Way:
    networks = express_all(genomes_of(problem, size, plan.population))
    key, weights = jax.random.key(0), jnp.array(SWEEP)

    def row(timing: Timing) -> Row:
        total, alive = int(timing.result.computed_steps), int(jnp.sum(timing.result.steps))
        sample = f"{plan.population}×{len(SWEEP)}×{EPISODES}"
        flops = FLOPS_PER_TAPE_STEP * float(jnp.mean(networks.steps) + networks.outputs)
        return Row(problem.name, *size, "wannjax", sample, total, alive, timing, flops)

    return Way(lambda: problem.evaluate(key, networks, weights, episodes=EPISODES, activation_ids=AMONG), row)


def rows_of(ways: list[Way], repeats: int) -> list[Row]:
    """Measures `ways`, which take turns."""
    timings = measure_together([way.run for way in ways], repeats)
    return [way.row(timing) for way, timing in zip(ways, timings, strict=True)]


def measured_peak(clock: str, repeats: int) -> float:
    """Floating-point operations per second of `clock` in a loop of fused multiply-adds in float32,
    on all devices.
    """
    # A chain is how many operations a vector undergoes between load and store: few wait for memory,
    # many for each other.
    size, chains, operations = (1024, (4, 8, 16), 4e8) if devices.on_cpu() else (1 << 22, (64, 128, 256), 4e12)
    values = jnp.ones(size)

    def peak_of(chain: int) -> float:
        turns = int(operations / (2 * chain * values.size))

        @jax.jit
        def run(values):
            def turn(_, values):
                for _ in range(chain):
                    values = values * 0.999 + 0.001
                return values

            return lax.fori_loop(0, turns, turn, values)

        timing = measure(lambda: run(values), repeats)
        return 2 * chain * values.size * turns / getattr(timing, f"{clock}_best")

    return jax.device_count() * max(peak_of(chain) for chain in chains)


def wall_seconds_on(cores: int, plan: Plan) -> float:
    """Wall seconds of the fastest call of the first wannjax case in a process of its own with
    `cores` CPU devices.
    """
    sizes = ["--population", str(plan.population), "--repeats", str(plan.repeats)]
    command = [sys.executable, "-m", "benchmarks.throughput", "--device", "cpu", "--cores", str(cores), *sizes]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)["wall_best"]


def compare(plan: Plan) -> list[Row]:
    """Every way on every case; the ways of a case take turns."""
    rows, ways = [], [published_way, *([numba_way] if find_spec("numba") else []), dense_way, wannjax_way]
    for environment in ENVIRONMENTS:
        problem = registry.make_environment(environment)
        for size in dict.fromkeys((CHAMPION, *plan.sizes)):
            rows += rows_of([way(problem, size, plan) for way in ways], plan.repeats)
    return rows


def print_rows(rows: list[Row], plan: Plan, clock: str) -> None:
    """One table for each environment: millions of lane-steps, and what wannjax does for one of the
    others.
    """
    unit = "CPU-second" if clock == "cpu" else "second"
    caption = f"Million lane-steps per {unit}; the episodes of published and dense stop after {plan.sample_steps} steps."
    by_case = {(row.environment, row.nodes, row.way): row for row in rows}
    ways = list(dict.fromkeys(row.way for row in rows))
    others = [way for way in ways if way in ("published", "numba")]
    columns = [*ways, "wannjax, alive steps", *(f"× {other}{steps}" for other in others for steps in ("", ", alive steps"))]
    for environment in ENVIRONMENTS:
        lines = []
        for first in (row for row in rows if row.environment == environment and row.way == ways[0]):
            case = {way: by_case[environment, first.nodes, way] for way in ways}
            ours = {steps: case["wannjax"].rate(clock, steps) for steps in ("total", "alive")}
            rates = [*(case[way].rate(clock) for way in ways), ours["alive"]]
            ratios = [ours[steps] / case[other].rate(clock) for other in others for steps in ours]
            cells = [*(number(rate / 1e6, rate / 1e7) for rate in rates), *(number(ratio, ratio / 10) for ratio in ratios)]
            lines.append([f"{first.nodes} / {first.connections}", *cells])
        print_table(environment, [f"{environment}: nodes / connections", *columns], lines, caption)


def findings(rows: list[Row], plan: Plan, clock: str) -> dict[str, float]:
    """The figures that the project sets targets for, by name."""
    by_case = {(row.environment, row.nodes, row.way): row for row in rows}
    figures: dict[str, float] = {}
    clocks = {"median calls": clock, "fastest calls": f"{clock}_best"}
    for environment in ENVIRONMENTS:
        ours, theirs = (by_case[environment, CHAMPION[0], way] for way in ("wannjax", "published"))
        problem = registry.make_environment(environment)
        by_xla = registry.make_environment(environment, polynomials=False)
        polynomials, library = rows_of([wannjax_way(each, CHAMPION, plan) for each in (problem, by_xla)], plan.repeats)
        small, large = rows_of([wannjax_way(problem, size, plan) for size in (plan.sizes[0], plan.sizes[-1])], plan.repeats)
        for calls, seconds in clocks.items():
            name = f"{environment}: times published, {CHAMPION[0]} nodes, {calls}"
            figures[name] = ours.rate(seconds) / theirs.rate(seconds)
            name = f"{environment}: time({large.nodes}) / time({small.nodes}), {calls}"
            figures[name] = small.rate(seconds) / large.rate(seconds)
            name = f"{environment}: times as fast as with XLA's sin and cos, {CHAMPION[0]} nodes, {calls}"
            figures[name] = polynomials.rate(seconds) / library.rate(seconds)
        figures[f"{environment}: connections({large.nodes}) / connections({small.nodes})"] = large.connections / small.connections
    figures["measured peak, GFLOP/s"] = measured_peak(clock, plan.repeats) / 1e9
    for row in rows:
        if row.way == "wannjax":
            name = f"{row.environment}: share of the peak, {row.nodes} nodes, {row.flops:.0f} FLOP a lane-step"
            figures[name] = row.rate(f"{clock}_best") * row.flops / 1e9 / figures["measured peak, GFLOP/s"]
    if devices.on_cpu() and devices.available_cores() > 1:
        cores = devices.available_cores()
        name = f"{ENVIRONMENTS[0]}: speed-up of {cores} cores over 1, wall, fastest calls"
        figures[name] = wall_seconds_on(1, plan) / wall_seconds_on(cores, plan)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "gpu", "tpu"), help="platform to run on; JAX's choice when absent")
    parser.add_argument("--population", type=int, default=192, help="networks that wannjax runs (default 192)")
    parser.add_argument("--repeats", type=int, default=5, help="timed calls after the first (default 5)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/throughput.json"), help="where the record goes")
    parser.add_argument("--cores", type=int, help="only print wannjax on the first case with so many CPU devices, as JSON")
    arguments = parser.parse_args()
    if arguments.device:
        jax.config.update("jax_platforms", arguments.device)
    jax.config.update("jax_num_cpu_devices", arguments.cores or 1)

    plan = Plan(arguments.population, arguments.repeats, tuple((n, round(1.8 * n)) for n in (16, 32, 64, 128)), 16, 100)
    if arguments.quick:
        plan = Plan(16, 1, ((16, 29), CHAMPION), 4, 20)
    if arguments.cores:
        (row,) = rows_of([wannjax_way(registry.make_environment(ENVIRONMENTS[0]), CHAMPION, plan)], plan.repeats)
        print(json.dumps(row.record()))
        return

    clock = "cpu" if devices.on_cpu() else "wall"
    environment = machine()
    rows = compare(plan)
    figures = findings(rows, plan, clock)
    print_rows(rows, plan, clock)
    caption = ", ".join(f"{name} {value}" for name, value in environment.items())
    print_table("Findings", ("figure", "value"), [(name, f"{value:,.4g}") for name, value in figures.items()], caption)
    write_json(
        arguments.json,
        {
            "machine": environment,
            "plan": asdict(plan),
            "clock": clock,
            "rows": [row.record() for row in rows],
            "findings": figures,
        },
    )


if __name__ == "__main__":
    main()
