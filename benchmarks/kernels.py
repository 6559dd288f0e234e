"""What a generation would take on an H100, without one: programs are compiled by the card's own
compilers, and a model makes seconds of what they launch, execute and read. Nothing here is measured
on a card.

    python -m benchmarks.kernels [--populations 1024 16384 65536 262144] [--nodes 29 128] [--quick]

needs what `docs/accelerators.md` lists for compiling. Networks are random ones, as in
`benchmarks.throughput`, at 6 weights × 4 episodes: their tapes and the lengths of their episodes,
which the model needs, are those of 192 of them, run on a CPU in the same process, whose speed
stands beside the model's. A lane-step is one environment step of one network, at one weight in one
episode; `alive` ones come before the episode's end.

The model of an episode kernel, whose warps each take one network through all of its steps:

    instructions of a step    those of the loop over time + tape steps × those of the loop over the
                              tape, from the machine code, where a branch goes either way half of
                              the time
    cycles until it is done   4 for each instruction, and 33 for each of two reads in a row that a
                              tape step waits for, where they are in the nearest cache
    seconds                   of all warps' steps, by whichever is longer: the schedulers' issuing,
                              an instruction a cycle, or waiting, with as many warps at once as
                              registers and the limit of 32 allow; and never less than the longest
                              episode's steps one after another

A forward kernel is modelled likewise, once for every step of the environment. And for everything
that is launched:

    seconds                   launches × 3 µs + times that the host waits × 20 µs + bytes that are
                              read and written / 3.35 TB/s

Launches are published at 2 to 8 µs, a wait at 10 to 30 µs. Caches other than the nearest, the
unequal ends of warps and clocks below 1.755 GHz are not in the model.
"""

import argparse
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import wannjax
from benchmarks.accelerator_report import MODELLED, modelled
from benchmarks.common import networks_for, print_table, room_for, write_json
from benchmarks.compiled import Compiler, Kernel, Program, Work
from benchmarks.throughput import AMONG, EPISODES
from wannjax.common.digits import number
from wannjax.genomes.genome import enlarge
from wannjax.networks.network import Network
from wannjax.problems.environment_problem import EnvironmentProblem
from wannjax.problems.kernels.cells import LANES
from wannjax.problems.registry import make_environment
from wannjax.search.wann.config import SWEEP

CLASSIC = (
    "CartPoleSwingUp-v0",
    "CartPole-v1",
    "DoublePole-v0",
    "Pendulum-v1",
    "MountainCar-v0",
    "MountainCarContinuous-v0",
    "Acrobot-v1",
    "Reacher-misc",
)
"""Environments that must run as one kernel."""
ENVIRONMENTS = (*CLASSIC, "Breakout-MinAtar")
SAMPLE, REPEATS = 192, 3

PROCESSORS, SCHEDULERS, CLOCK, WARPS, REGISTERS = 132, 4, 1.755e9, 32, 65536
"""Of an H100: multiprocessors, and of each: schedulers, cycles a second, programs of one warp at
the most, registers."""
DEPENDENT, READ, READS = 4, 33, 2
"""Cycles from an instruction to one that needs its result; those of a read; reads in a row of a
tape step."""
COUNTED = 125
"""Cycles until the threads of a warp have counted together."""
LAUNCH, WAIT, BANDWIDTH = 3e-6, 20e-6, 3.35e12


class Sample(NamedTuple):
    """What is known of networks from running some on a CPU.

    Attributes:
        tape: steps of a network's tape, outputs included, on average.
        longest: steps of an environment until a network's last episode ends, on average.
        most: the same of the network that takes longest.
        alive: the length of an episode, on average.
        rate: alive lane-steps per CPU-second.
    """

    tape: float
    longest: float
    most: int
    alive: float
    rate: float


def sample_of(problem: EnvironmentProblem, networks: Network) -> Sample:
    keys, gain = jnp.tile(jax.random.split(jax.random.key(0), EPISODES), len(SWEEP)), jnp.repeat(jnp.array(SWEEP), EPISODES)
    seconds = []
    for _ in range(1 + REPEATS):
        begun = time.process_time()
        steps = np.asarray(problem.rollout(keys, networks, gain, activation_ids=AMONG).steps)
        seconds.append(time.process_time() - begun)
    ends = steps.max(axis=1)
    tape = float(np.mean(np.asarray(networks.steps))) + networks.outputs
    return Sample(tape, float(ends.mean()), int(ends.max()), float(steps.mean()), steps.sum() / float(np.median(seconds[1:])))


def of_work(work: Work) -> float:
    """Modelled seconds of what is launched."""
    return LAUNCH * work.launches + WAIT * work.waits + work.bytes / BANDWIDTH


def of_kernel(kernel: Kernel, population: int, steps: float, most: float, tape: float) -> float:
    """Modelled seconds of a kernel whose programs take `steps` steps of the environment, on
    average, and the longest `most`.
    """
    *of_time, of_tape = kernel.instructions
    instructions = sum(of_time) + tape * of_tape
    cycles = DEPENDENT * instructions + tape * READ * READS
    at_once = min(WARPS, REGISTERS // (LANES * (-(-kernel.registers // 8) * 8)))
    each = population * -(-len(SWEEP) * EPISODES // LANES) * steps / PROCESSORS
    return max(each * max(instructions / SCHEDULERS, cycles / at_once), most * cycles) / CLOCK


def of_program(program: Program, population: int, sample: Sample) -> float:
    """Modelled seconds of a generation's rollouts."""
    (kernel,) = program.kernels
    whole = kernel.name == "episodes"
    steps = sample.longest if whole else sample.most
    loops = sum(loop.entered * sample.most * of_work(loop.turn) for loop in program.loops)
    return of_work(program.once) + loops + of_kernel(kernel, population, steps, sample.most, sample.tape)


def generation(problem: EnvironmentProblem, networks: Network, population: int) -> tuple[Any, ...]:
    """The rollouts of a generation of networks of the size of `networks`, and their arguments, to
    be compiled.
    """

    def evaluate(key, networks, weights, params):
        return problem.with_params(params).evaluate(key, networks, weights, episodes=EPISODES, activation_ids=AMONG)

    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((population, *leaf.shape[1:]), leaf.dtype), networks)
    return evaluate, jax.random.key(0), shapes, jnp.array(SWEEP), problem.params


def rollouts(compiler: Compiler, names: list[str], sizes: list[int], populations: list[int]) -> list[dict[str, Any]]:
    """A row for every environment, size of networks and population."""
    rows: list[dict[str, Any]] = []
    for name in names:
        on_cpu = make_environment(name)
        with compiler.in_charge():
            problem = make_environment(name)
        for nodes in sizes:
            networks = networks_for(on_cpu.inputs, on_cpu.outputs, SAMPLE, nodes)
            sample = sample_of(on_cpu, networks)
            for population in populations:
                program = compiler.compile(*generation(problem, networks, population))
                seconds = of_program(program, population, sample)
                lanes = population * len(SWEEP) * EPISODES
                kernel = program.kernels[0]
                rows.append(
                    {
                        "environment": name,
                        "nodes": room_for(on_cpu.inputs, on_cpu.outputs, nodes),
                        "population": population,
                        "form": problem.form,
                        "seconds": seconds,
                        "alive_steps_per_second": lanes * sample.alive / seconds,
                        "total_steps_per_second": lanes * sample.longest / seconds,
                        "cpu_alive_steps_per_second": sample.rate,
                        "launches": program.once.launches,
                        "launches_per_step": program.loops[0].turn.launches if program.loops else 0,
                        "registers": kernel.registers,
                        "spilled": kernel.spilled,
                        "instructions": kernel.instructions,
                        "memory": program.memory,
                        **sample._asdict(),
                    }
                )
                print(f"  {name}, {nodes} nodes, population {population}: {1e3 * seconds:.3g} ms modelled", flush=True)
    return rows


def rest_of_a_generation(compiler: Compiler, population: int) -> dict[str, Program]:
    """What a generation of the default search compiles besides rollouts, by part."""
    with compiler.in_charge():
        algorithm = wannjax.WannConfig(population=population).algorithm(inputs=5, outputs=1)
        state = algorithm.init(jax.random.key(0))
    scores = jax.ShapeDtypeStruct((population, len(SWEEP)), jnp.float32)
    return {
        "ask": compiler.compile(algorithm.ask, state),
        "tell": compiler.compile(algorithm.tell, state, scores),
        "enlarge, now and then": compiler.compile(lambda genomes: enlarge(genomes, 64), state.genomes),
    }


def of_breeding(program: Program, population: int) -> float:
    """Modelled seconds: a kernel that ranks takes the population one after another, and waits for
    its threads to count together.
    """
    cycles = sum(DEPENDENT * sum(kernel.instructions) + 2 * READ + COUNTED for kernel in program.kernels)
    return of_work(program.once) + sum(of_work(loop.turn) for loop in program.loops) + population * cycles / CLOCK


ROUND_TRIPS = ("networks are ready", "scores and counts come", "the info on the generation comes", "the room that genomes need is known")
"""What the host waits for in a generation in which no network is confirmed (see
`runs.run.Run.advance`).
"""
LARGEST = 65536
"""The largest population whose breeding is compiled, since that needs one."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__.splitlines()[0])
    parser.add_argument("--environments", nargs="+", default=list(ENVIRONMENTS), help="by name")
    parser.add_argument("--populations", type=int, nargs="+", default=[1024, 16384, 65536, 262144])
    parser.add_argument("--nodes", type=int, nargs="+", default=[29, 128], help="of a network, as the published champions are counted")
    parser.add_argument("--quick", action="store_true", help="one environment and population, to see that it runs")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.environments, arguments.populations, arguments.nodes = ["CartPole-v1"], [64], [16]
    try:
        compiler = Compiler("H100")
    except ModuleNotFoundError as error:
        parser.exit(2, f"{parser.prog}: {error}\n")

    rows = rollouts(compiler, arguments.environments, arguments.nodes, arguments.populations)
    lines = [
        [
            f"{row['environment']}, {row['nodes']} nodes",
            str(row["population"]),
            row["form"],
            f"{row['launches']:.0f} + {row['launches_per_step']:.0f} a step",
            str(row["registers"]),
            ", ".join(f"{count:.0f}" for count in row["instructions"]),
            number(row["memory"] / 2**30, 0.01),
            number(1e3 * row["seconds"], 1e2 * row["seconds"]),
            number(row["alive_steps_per_second"] / 1e9, row["alive_steps_per_second"] / 1e10),
            number(row["total_steps_per_second"] / 1e9, row["total_steps_per_second"] / 1e10),
            number(row["cpu_alive_steps_per_second"] / 1e6, row["cpu_alive_steps_per_second"] / 1e7),
        ]
        for row in rows
    ]
    columns = ["environment", "population", "form", "launches", "registers", "instructions", "GiB", "ms"]
    columns += ["10⁹ alive steps/s", "10⁹ steps/s", "CPU: 10⁶ alive steps/CPU-s"]
    caption = (
        "Compiled for an H100; modelled, not measured, but for the last column. Instructions: of a step besides the tape + of a tape step."
    )
    print_table("A generation's rollouts, 6 weights × 4 episodes", columns, lines, caption)

    rest = {population: rest_of_a_generation(compiler, population) for population in arguments.populations if population <= LARGEST}
    trips = len(ROUND_TRIPS)
    parts = []
    for population, programs in rest.items():
        seconds = {name: of_breeding(program, population) for name, program in programs.items()}
        outside = seconds["ask"] + seconds["tell"] + WAIT * trips
        same = [row for row in rows if row["population"] == population and row["environment"] == arguments.environments[0]]
        share = outside / (outside + same[0]["seconds"])
        counts = [f"{program.once.launches:.0f} ({number(1e3 * seconds[name], 0.01)} ms)" for name, program in programs.items()]
        parts.append([str(population), *counts, str(trips), number(1e3 * outside, 0.01), f"{100 * share:.0f} %"])
    caption = f"Modelled, not measured. The host waits until {', '.join(ROUND_TRIPS)}."
    columns = ["population", *next(iter(rest.values())), "waits", "ms outside rollouts", f"share, {arguments.environments[0]}"]
    print_table("The rest of a generation: launches", columns, parts, caption)
    if not arguments.quick:
        rows_by_case = modelled() | {(row["environment"], row["nodes"], row["population"], row["form"]): row for row in rows}
        write_json(MODELLED, {"card": "H100", "rows": list(rows_by_case.values())})


if __name__ == "__main__":
    main()
