"""How many networks should run side by side: `python -m benchmarks.chunks` prints the speed over
chunk sizes, for `devices.py`.
"""

import argparse
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp

import wannjax
from benchmarks.common import express_all, machine, measure, print_table, random_genomes, write_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", default="CartPoleSwingUp-v0")
    parser.add_argument("--population", type=int, default=192)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/chunks.json"))
    options = parser.parse_args()

    weights = jnp.array(wannjax.WannConfig().weights)
    rows, record = [], []
    for episodes in (1, 8, 32):
        for chunk in (4, 8, 16, 32, 64, 128, 256):
            problem = wannjax.make(options.environment, network_chunk=chunk)
            genomes = random_genomes(0, options.population, nodes=29, connections=52, inputs=problem.inputs, outputs=problem.outputs)
            networks = express_all(genomes)
            evaluate = partial(problem.evaluate, jax.random.key(1), networks, weights, episodes=episodes)
            timing = measure(evaluate, options.repeats)
            lanes, steps = len(weights) * episodes, int(timing.result.computed_steps)
            speed = steps / timing.cpu / 1e6
            rows.append([f"{lanes} lanes x {chunk} networks", str(lanes * chunk), f"{speed:.1f}"])
            record.append({"lanes": lanes, "chunk": chunk, "million_steps_per_cpu_second": speed})
    print_table(f"Chunk sizes on {options.environment}", ["chunk", "values a step", "M steps/CPU-s"], rows)
    write_json(options.json, {"machine": machine(), "rows": record})


if __name__ == "__main__":
    main()
