"""What a run spends outside rollouts, how soon its first generation is on screen, and how much
memory it takes.

`python -m benchmarks.driver` prints the split of the median generation at the default population
and at 4096 (expressing, ranking, selecting, mutating, bookkeeping and transfers against rollouts,
confirmation included), the share of a run that its checkpoints take, the peak memory of each run,
and the seconds from process start to the first generation with an empty and with a warm compilation
cache. Every run is a process of its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import machine, print_table, write_json
from wannjax.search.wann.config import WannConfig

DEFAULT = WannConfig().population

RUN = """
import json, resource, sys, tempfile, time
from wannjax.common import devices
devices.use_all_cores()
devices.cache_compilations()
import numpy as np, wannjax
from wannjax.runs.checkpoints import Checkpoints
population, generations, environment = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
first, saving, save = [], [], Checkpoints.save

def timed_save(checkpoints, checkpoint):
    begun = time.perf_counter()
    save(checkpoints, checkpoint)
    saving.append(time.perf_counter() - begun)

Checkpoints.save = timed_save
with tempfile.TemporaryDirectory() as directory:
    result = wannjax.evolve(
        wannjax.make(environment),
        wannjax.WannConfig(population=population, generations=generations),
        progress=False,
        callbacks=[lambda record: first.append(time.time()) if not first else None],
        run_dir=directory,
    )
history = result.history
tail = slice(generations // 3, None)
outside = history["seconds"] - history["rollout_seconds"]
print(json.dumps({
    "first_generation": first[0],
    "generation_ms": 1e3 * float(np.median(history["seconds"][tail])),
    "outside_ms": 1e3 * float(np.median(outside[tail])),
    "share": float(np.median((outside / history["seconds"])[tail])),
    "saving_ms": 1e3 * float(np.median(saving)),
    "saving_share": sum(saving) / float(history["seconds"].sum()),
    "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    "compilations": result.compilations[0],
    "compile_seconds": result.compilations[1],
    "seconds": result.seconds,
}))
"""


def run(population: int, generations: int, environment: str, cache: str) -> dict[str, float]:
    """One run in a process of its own, with its compilation cache in the folder `cache`."""
    command = [sys.executable, "-c", RUN, str(population), str(generations), environment]
    started = time.time()
    process = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "JAX_COMPILATION_CACHE_DIR": cache})
    if process.returncode:
        raise RuntimeError(f"the run failed:\n{process.stderr}")
    outcome = json.loads(process.stdout.splitlines()[-1])
    return {**outcome, "first_generation": outcome["first_generation"] - started}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", default="CartPoleSwingUp-v0")
    parser.add_argument("--generations", type=int, default=150, help="of the run at the default population; a fifth of it at 4096")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/driver.json"))
    options = parser.parse_args()

    rows, record = [], {}
    with tempfile.TemporaryDirectory() as cache:
        for label, population, generations in (
            ("default, empty cache", DEFAULT, options.generations),
            ("default, warm cache", DEFAULT, options.generations),
            ("population 4096", 4096, max(options.generations // 5, 3)),
        ):
            outcome = run(population, generations, options.environment, cache)
            record[label] = outcome
            rows.append(
                [
                    label,
                    f"{outcome['generation_ms']:.0f}",
                    f"{outcome['outside_ms']:.1f}",
                    f"{100 * outcome['share']:.1f} %",
                    f"{outcome['saving_ms']:.0f}",
                    f"{100 * outcome['saving_share']:.2f} %",
                    f"{outcome['peak_gib']:.2f}",
                    f"{outcome['first_generation']:.1f}",
                    f"{outcome['compilations']:.0f}",
                    f"{outcome['compile_seconds']:.1f}",
                ]
            )
    columns = [
        "run",
        "generation ms",
        "outside rollouts ms",
        "share",
        "a checkpoint ms",
        "share",
        "peak GiB",
        "first generation s",
        "programs",
        "compiling s",
    ]
    print_table(f"Driver on {options.environment} (medians of the last two thirds of the generations)", columns, rows)
    write_json(options.json, {"machine": machine(), "runs": record})


if __name__ == "__main__":
    main()
