"""How far one search spreads over processes: `python -m benchmarks.scaling [--population 1024]
[--islands 4] [--generations 24]`.

The same search on islands runs as one process, as two and as four, each with one device on one of
the machine's cores, to the same result; and a search on one island, which all processes breed, as
one process. What each part of a generation costs is counted in CPU-seconds, since other work on the
machine lengthens wall time. From these costs comes a model of a generation on N devices, each as
fast as one core or a hundred times as fast, with P networks in all:

    islands apart:  T = P/N (rollouts + breeding) + confirmation + P overview + exchanges
    bred by all:    T = P/N rollouts + P breeding + confirmation + P overview + exchanges

`overview` is what every process does with the scores of all networks: records and champions.
`confirmation` are two of the candidates' networks on fresh episodes, in the share of generations
that have candidates. An exchange is one among groups of every prime factor p of N in turn (see
`hosts.hops`): each takes p - 1 times the latency of the interconnect, and what it takes to start
one; and all bytes go through its bandwidth. Efficiency is T(1) / (N T(N)). What
the model leaves out is waiting for the slowest. It is measured, as the share of their time that
processes with a core each would wait: what each generation takes the slowest of them, by CPU time,
is what it takes all. And it is simulated: times of an island's generation that
vary by a factor of e^σ (log-normal), with a barrier after every generation, as there is one, and
with one every 10 or 100, as islands would need that meet only to exchange migrants.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wannjax.common.hosts import hops

DEVICES = (8, 64, 512)
POPULATIONS = (1024, 65_536, 1_048_576)
SIGMAS = (0.05, 0.2, 0.5)
BARRIERS = (1, 10, 100)
SEED = 3


class Interconnect(NamedTuple):
    """Seconds from one device to the next, and bytes a second."""

    latency: float
    bandwidth: float


INTERCONNECTS = {"fast": Interconnect(20e-6, 12.5e9), "slow": Interconnect(200e-6, 0.125e9)}
"""Such as 100 Gbit/s between hosts of one rack, and 1 Gbit/s of a plain network."""
FASTER = {"as one core": 1.0, "100 × a core": 100.0}
"""Devices: how many times as fast they are as one core at what a device does; overviews and the
start of an exchange are the host's work.
"""


class Costs(NamedTuple):
    """Seconds.

    Attributes:
        rollouts, breeding, overview: of one network.
        confirmation: of a generation, on average.
        exchange: to start one among the groups of one factor.
        exchanges: of a generation, on average.
    """

    rollouts: float
    breeding: float
    overview: float
    confirmation: float
    exchange: float
    exchanges: float


def worker(population: int, islands: int, generations: int, coordinator: str, processes: int, process: int) -> None:
    """One of the processes; prints what the later generations took."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[process % len(cores)]})
    import jax

    import wannjax
    from wannjax.common import hosts
    from wannjax.runs.run import Run

    spent: dict[str, float] = {}

    def timed(part, function):
        def call(*arguments, **settings):
            begun = time.process_time()
            result = jax.block_until_ready(function(*arguments, **settings))
            few = part == "rollouts" and len(arguments[1].steps) <= config.candidates
            name = "confirmation" if few else part
            spent[name] = spent.get(name, 0.0) + time.process_time() - begun
            return result

        return call

    config = wannjax.WannConfig(population=population, islands=islands, generations=generations)
    with wannjax.distributed(coordinator, processes, process):
        problem = wannjax.make("CartPoleSwingUp-v0")
        run = Run(problem, config, SEED)
        breeding = {name: timed("breeding", getattr(run.algorithm, name)) for name in ("ask", "tell", "enlarge")}
        run.algorithm = run.algorithm._replace(**breeding)
        object.__setattr__(problem, "evaluate", timed("rollouts", problem.evaluate))
        sent, gather = [0], hosts.gather

        def counted(*arrays):
            sent[0] += sum(array.nbytes for array in arrays)
            return gather(*arrays)

        hosts.gather = counted
        rows, walls, confirmed = [], [], 0
        for _ in range(generations):
            spent.clear()
            begun, wall = time.process_time(), time.perf_counter()
            run.advance()
            walls.append(time.perf_counter() - wall)
            rows.append({**spent, "cpu": time.process_time() - begun})
            confirmed += "confirmation" in spent
        hosts.gather = gather
        payload, starts = np.zeros(16, np.uint8), []
        for _ in range(100):
            begun = time.process_time()
            hosts.gather(payload)
            starts.append(time.process_time() - begun)
    later = rows[generations // 3 :]
    medians = {name: float(np.median([row.get(name, 0.0) for row in later])) for name in ("cpu", "rollouts", "breeding")}
    found = {
        **medians,
        "wall": float(np.median(walls[generations // 3 :])),
        "confirmation": float(np.mean([row.get("confirmation", 0.0) for row in later])),
        "confirmed": confirmed / generations,
        "exchange": float(np.median(starts)),
        "sent": sent[0] / generations,
        "generations": [row["cpu"] for row in later],
        "champion": run.champions.standing[0],
        "mean scores": [record.mean_score for record in run.records],
    }
    print(json.dumps(found))


def measured(population: int, islands: int, generations: int, processes: int) -> list[dict]:
    """The run by that many processes, as each saw it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    sizes = ["--population", str(population), "--islands", str(islands), "--generations", str(generations)]
    command = [sys.executable, "-m", "benchmarks.scaling", *sizes, "--worker", coordinator, str(processes)]
    workers = [subprocess.Popen([*command, str(i)], stdout=subprocess.PIPE, text=True) for i in range(processes)]
    outputs = [each.communicate()[0] for each in workers]
    if any(each.returncode for each in workers):
        raise RuntimeError("a process failed, see above")
    return [json.loads(output.splitlines()[-1]) for output in outputs]


def overview_cost(population: int) -> float:
    """CPU-seconds that a process spends on the scores of each network of all."""
    from wannjax.runs.champions import Champions
    from wannjax.runs.records import Overview, Work, recorded

    rng = np.random.default_rng(0)
    mean, connections = rng.normal(size=population).astype(np.float32), rng.integers(5, 90, population, np.int32)
    found = Overview(mean, connections, np.ones(population, bool), 9.0, 40, {}, Work())
    times = []
    for _ in range(20):
        begun = time.process_time()
        Champions().promising(mean[np.flatnonzero(found.ahead)], connections, 8)
        recorded(1, found, (1.0, 2), 0.0)
        times.append(time.process_time() - begun)
    return float(np.median(times)) / population


def generation(costs: Costs, population: int, devices: int, link: Interconnect, faster: float, *, apart: bool) -> float:
    """Seconds of a generation by the model."""
    own = population / devices
    per_network = 9 if apart else 32
    breeding = costs.breeding * (own if apart else population)
    work = (costs.rollouts * own + breeding + costs.confirmation) / faster + costs.overview * population
    if devices == 1:
        return work
    steps = sum(costs.exchange + (factor - 1) * link.latency for factor in hops(devices))
    return work + costs.exchanges * steps + population * per_network / link.bandwidth


def stragglers(sigma: float, devices: int, barrier: int, generations: int = 1000) -> float:
    """The efficiency that waiting leaves, where all meet after every `barrier` generations."""
    rng = np.random.default_rng((devices, barrier))
    waited = []
    for _ in range(generations // barrier):
        times = rng.lognormal(-(sigma**2) / 2, sigma, (barrier, devices)).sum(axis=0)  # of mean 1 each
        waited.append(times.max())
    return generations / float(np.sum(waited))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--population", type=int, default=1024)
    parser.add_argument("--islands", type=int, default=4)
    parser.add_argument("--generations", type=int, default=24)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/scaling.json"))
    parser.add_argument("--worker", nargs=3, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        coordinator, processes, process = options.worker
        worker(options.population, options.islands, options.generations, coordinator, int(processes), int(process))
        return

    from benchmarks.common import machine, print_table, write_json

    counts = [count for count in (1, 2, 4) if count <= options.islands]
    runs = {count: measured(options.population, options.islands, options.generations, count) for count in counts}
    one = runs[1][0]
    if any(each["mean scores"] != one["mean scores"] or each["champion"] != one["champion"] for run in runs.values() for each in run):
        raise RuntimeError("several processes found something else than one")
    alone = measured(options.population, 1, options.generations, 1)[0]

    rows = []
    for count, run in runs.items():
        parts = [sum(each[name] for each in run) for name in ("cpu", "rollouts", "breeding", "confirmation")]
        slowest = max(each["cpu"] for each in run)
        each_generation = np.array([each["generations"] for each in run])
        waiting = 1 - each_generation.sum() / (count * each_generation.max(axis=0).sum())
        shares = one["cpu"] / slowest / count, waiting
        sent = max(each["sent"] for each in run)
        rows.append([str(count), *(f"{1e3 * part:.0f}" for part in parts), *(f"{share:.2f}" for share in shares), f"{sent:.0f}"])
    names = ["processes", "CPU-ms in all", "rollouts", "breeding", "confirmation", "efficiency", "waiting", "bytes sent by each"]
    print_table(f"A generation of {options.population} networks on {options.islands} islands: medians, by CPU time", names, rows)
    print(f"one island, one process: {1e3 * alone['cpu']:.0f} CPU-ms, of which breeding {1e3 * alone['breeding']:.0f}")

    costs = Costs(
        rollouts=one["rollouts"] / options.population,
        breeding=one["breeding"] / options.population,
        overview=overview_cost(POPULATIONS[1]),
        confirmation=one["confirmation"] / 4,  # 8 candidates, two for each of four processes
        exchange=max(each["exchange"] for each in runs[counts[-1]]) / len(hops(counts[-1])),
        exchanges=3 + 2 * one["confirmed"],
    )
    table = {}
    rows = []
    for population in POPULATIONS:
        for speed, faster in FASTER.items():
            for way, apart in (("islands apart", True), ("bred by all", False)):
                cells = []
                for link in INTERCONNECTS.values():
                    single = generation(costs, population, 1, link, faster, apart=apart)
                    for devices in DEVICES:
                        cells.append(single / devices / generation(costs, population, devices, link, faster, apart=apart))
                table[f"{population}, {speed}, {way}"] = cells
                rows.append([f"{population:,}", speed, way, *(f"{cell:.2f}" for cell in cells)])
    columns = [f"{devices}, {name}" for name in INTERCONNECTS for devices in DEVICES]
    print_table("Efficiency by the model: devices, interconnect", ["population", "device", "scheme", *columns], rows)

    waiting = {sigma: {barrier: [stragglers(sigma, devices, barrier) for devices in DEVICES] for barrier in BARRIERS} for sigma in SIGMAS}
    rows = [
        [f"{sigma:g}", "every generation" if barrier == 1 else f"every {barrier}", *(f"{cell:.2f}" for cell in cells)]
        for sigma, each in waiting.items()
        for barrier, cells in each.items()
    ]
    print_table("Efficiency that waiting for the slowest leaves, simulated", ["σ", "barrier", *map(str, DEVICES)], rows)
    write_json(
        options.json,
        {
            "machine": machine(),
            "sizes": {"population": options.population, "islands": options.islands, "generations": options.generations},
            "runs": runs,
            "one island": alone,
            "costs": costs._asdict(),
            "efficiency": table,
            "waiting": waiting,
        },
    )


if __name__ == "__main__":
    main()
