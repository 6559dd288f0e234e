"""How far one search spreads over processes: `python -m benchmarks.scaling [--population 1024]
[--generations 40] [--repeats 3]`.

The same search runs as one process and as two, each on a core of its own with one device, to the
same result. They take turns, and the fastest of several runs counts, since other work on the
machine only slows them. From the run of one and the time of an exchange comes a model, which is
checked against the run of two:

    T(N) = outside + rollouts / N + (N - 1) exchange,    efficiency(N) = T(1) / (N T(N))

`outside` is what every process does by itself (breeding, expressing, champions and
records), `exchange` what it takes to send the scores around a ring of two. The model then says what
to expect of 8, 64 and 512 devices, for this population and for larger ones, of which `rollouts` and
`outside` grow in proportion. Devices as fast as one core are assumed; a faster one makes `rollouts`
shorter and `outside` weigh more.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

DEVICES = (8, 64, 512)


def worker(population: int, generations: int, coordinator: str, processes: int, process: int) -> None:
    """One of the processes; prints the medians of its later generations."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[process % len(cores)]})
    import wannjax
    from wannjax.common import hosts

    config = wannjax.WannConfig(population=population, generations=generations)
    payload = np.zeros(bytes_sent(config, processes), np.uint8)
    with wannjax.distributed(coordinator, processes, process):
        result = wannjax.evolve(wannjax.make("CartPoleSwingUp-v0"), config, progress=False)
        times = []
        for _ in range(200):
            begun = time.perf_counter()
            hosts.gather(payload)
            times.append(time.perf_counter() - begun)
    later = slice(generations // 4, None)
    seconds, rollouts = (result.history[name][later] for name in ("seconds", "rollout_seconds"))
    found = {
        "seconds": float(np.median(seconds)),
        "outside": float(np.median(seconds - rollouts)),
        "exchange": float(np.median(times)),
        "champion": float(result.champion_scores.mean()),
    }
    print(json.dumps(found))


def bytes_sent(config, processes: int) -> int:
    """What one process sends a generation: a score for every weight and the steps of each network
    of its share, and one count.
    """
    return -(-config.population // processes) * (4 * len(config.weights) + 8) + 8


def measured(population: int, generations: int, processes: int) -> dict[str, float]:
    """The run by that many processes, as the first one saw it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "benchmarks.scaling", "--population", str(population), "--generations", str(generations)]
    workers = [
        subprocess.Popen([*command, "--worker", coordinator, str(processes), str(i)], stdout=subprocess.PIPE, text=True)
        for i in range(processes)
    ]
    outputs = [each.communicate()[0] for each in workers]
    if any(each.returncode for each in workers):
        raise RuntimeError("a process failed, see above")
    return json.loads(outputs[0].splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--population", type=int, default=1024)
    parser.add_argument("--generations", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/scaling.json"))
    parser.add_argument("--worker", nargs=3, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        coordinator, processes, process = options.worker
        worker(options.population, options.generations, coordinator, int(processes), int(process))
        return

    from benchmarks.common import machine, print_table, write_json
    from wannjax.search.wann.config import WannConfig

    turns = [[measured(options.population, options.generations, processes) for processes in (1, 2)] for _ in range(options.repeats)]
    one, two = ({name: min(run[name] for run in runs) for name in runs[0]} for runs in zip(*turns, strict=True))
    if one["champion"] != two["champion"]:
        raise RuntimeError("two processes found something else than one")
    outside, rollouts, exchange = one["outside"], one["seconds"] - one["outside"], two["exchange"]

    def predicted(devices: int, times: int = 1) -> float:
        """Seconds a generation with `times` as large a population."""
        return times * (outside + rollouts / devices) + (devices - 1) * exchange

    rows = [
        ["one process, measured", f"{1e3 * one['seconds']:.0f}", ""],
        ["two processes, measured", f"{1e3 * two['seconds']:.0f}", f"{one['seconds'] / two['seconds'] / 2:.2f}"],
        ["two, by the model", f"{1e3 * predicted(2):.0f}", f"{predicted(1) / predicted(2) / 2:.2f}"],
    ]
    print_table(f"A generation of {options.population} networks, medians", ["", "ms", "efficiency"], rows)
    sent = bytes_sent(WannConfig(population=options.population), 2)
    print(f"an exchange of {sent} bytes from each of two: {1e3 * exchange:.2f} ms; serial share {outside / one['seconds']:.1%}")
    scales = (1, 16, 256)
    table = {times: {n: predicted(1, times) / predicted(n, times) / n for n in DEVICES} for times in scales}
    rows = [[f"{times * options.population}", *(f"{table[times][n]:.2f}" for n in DEVICES)] for times in scales]
    print_table("Efficiency by the model", ["population", *(f"{n} devices" for n in DEVICES)], rows)
    write_json(options.json, {"machine": machine(), "population": options.population, "one": one, "two": two, "efficiency": table})


if __name__ == "__main__":
    main()
