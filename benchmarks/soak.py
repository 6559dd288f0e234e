"""A long run at small size: `python -m benchmarks.soak [--generations 2000] [--population 32]`.

Looks for what only time shows: memory that grows, programs that are compiled again although nothing
grows any more, generations that become slower for the same work. Prints each quarter of the run,
and ends with exit code 1 when the last quarter takes more than 2 % more memory than the second,
when anything was compiled in it, or when the same work, a population that is scored again and
again, takes 10 % more CPU-seconds than it did in the second.
"""

import argparse
import gc
import itertools
import os
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import wannjax
from benchmarks.common import machine, print_table, write_json
from wannjax.runs.compilations import count_compilations

MEMORY, SLOWNESS = 1.02, 1.10
"""What the last quarter may take, relative to the second one."""
PROBES = 20
"""How often in a quarter the same population is scored."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generations", type=int, default=2000)
    parser.add_argument("--population", type=int, default=32)
    parser.add_argument("--environment", default="CartPoleSwingUp-v0")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/soak.json"))
    options = parser.parse_args()

    wannjax.use_all_cores()
    memory, compiled, probed = [], [], []

    # Deletions balance additions, so that genomes stop growing.
    config = wannjax.WannConfig(population=options.population, generations=options.generations, delete_node=0.4)
    problem = wannjax.make(options.environment, max_steps=200)
    algorithm = config.algorithm(inputs=problem.inputs, outputs=problem.outputs)
    same = jax.block_until_ready(algorithm.ask(algorithm.init(jax.random.key(1))))
    sweep, every = jnp.array(config.weights), max(options.generations // (4 * PROBES), 1)

    def probe() -> float:
        """CPU-seconds that scoring the same population takes."""
        begun = time.process_time()
        jax.block_until_ready(problem.evaluate(jax.random.key(2), same, sweep, episodes=64, activation_ids=algorithm.activation_ids))
        return time.process_time() - begun

    probe()
    with tempfile.TemporaryDirectory() as directory, count_compilations() as so_far:

        def look(record) -> None:
            probed.append(probe() if record.generation % every == 0 else float("nan"))
            memory.append(resident_bytes())
            compiled.append(so_far.count)

        result = wannjax.evolve(problem, config, callbacks=[look], progress=False, run_dir=directory, save_every=1.0)
    gc.collect()

    history = result.history
    outside = history["seconds"] - history["rollout_seconds"]
    ends = np.linspace(0, options.generations, 5).astype(int)
    quarters = []
    for start, end in itertools.pairwise(ends):
        part = slice(start, end)
        quarters.append(
            {
                "generations": f"{start + 1} to {end}",
                "memory": float(np.median(memory[part])),
                "compiled": compiled[end - 1] - compiled[start],
                "outside": float(np.median(outside[part])),
                "probe": float(np.nanmedian(probed[part])),
                "largest": int(history["largest_hidden"][part].max()),
            }
        )
    rows = [
        [
            quarter["generations"],
            f"{quarter['memory'] / 2**20:.1f}",
            str(quarter["compiled"]),
            f"{1e3 * quarter['outside']:.1f}",
            f"{1e3 * quarter['probe']:.0f}",
            str(quarter["largest"]),
        ]
        for quarter in quarters
    ]
    columns = ["generations", "memory MiB", "programs compiled", "outside rollouts ms", "the same work, CPU-ms", "hidden nodes, largest"]
    print_table(f"Soak: population {options.population}, {options.environment}, {result.seconds:.0f} s", columns, rows)
    write_json(options.json, {"machine": machine(), "quarters": quarters})

    _, second, _, last = quarters
    faults = []
    if last["memory"] > MEMORY * second["memory"]:
        faults.append(f"memory grew by {last['memory'] / second['memory'] - 1:.1%}")
    if last["compiled"]:
        faults.append(f"{last['compiled']} programs were compiled in the last quarter")
    if last["probe"] > SLOWNESS * second["probe"]:
        faults.append(f"the same work takes {last['probe'] / second['probe']:.2f} times as long")
    print("; ".join(faults) or "memory flat, nothing compiled again, no slow-down")
    return bool(faults)


def resident_bytes() -> int:
    """Memory of this process that is in use now."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
