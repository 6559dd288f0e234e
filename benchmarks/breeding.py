"""What breeding costs: `python -m benchmarks.breeding` prints the CPU time of `ask` and `tell` of
the WANN search over sizes of genomes.

Genomes have grown by mutation, from those that a data search starts with, until the largest fills
three quarters of its slots; scores are random.
"""

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.common import machine, measure_together, print_table, write_json
from wannjax.genomes.genome import enlarge
from wannjax.genomes.population import SMALLEST_CAPACITY, larger, sizes_of
from wannjax.search.algorithm import Algorithm
from wannjax.search.wann.algorithm import WannState
from wannjax.search.wann.config import WannConfig

CASES = ((1024, 5, 1, 32), (960, 256, 10, 32), (960, 256, 10, 128), (960, 256, 10, 256), (960, 256, 10, 448))
"""Genomes, inputs, outputs, slots."""
GROWN = 64
"""Genomes that grow; the population repeats them."""


def bred(population: int, inputs: int, outputs: int, slots: int) -> tuple[Algorithm, WannState]:
    """A search, and a state of it whose genomes have so many slots."""
    few = WannConfig(population=GROWN).algorithm(inputs=inputs, outputs=outputs)
    rng, state = np.random.default_rng(0), few.init(jax.random.key(0))
    state = replace(state, genomes=enlarge(state.genomes, slots))
    while np.max(state.sizes.hidden) < 3 * slots // 4:
        larger_is_better = np.asarray(state.sizes.hidden)[:, None] + rng.normal(size=(GROWN, 6))
        state, _ = few.tell(state, larger_is_better.astype(np.float32))
    which = rng.integers(GROWN, size=population)
    genomes = jax.tree.map(lambda leaf: leaf[which], state.genomes)
    sizes = sizes_of(genomes)
    algorithm = WannConfig(population=population).algorithm(inputs=inputs, outputs=outputs)
    room = larger(SMALLEST_CAPACITY, int(np.max(sizes.steps)))
    return algorithm, replace(algorithm.init(jax.random.key(1)), genomes=genomes, sizes=sizes, steps=room)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/breeding.json"))
    options = parser.parse_args()

    rows, record = [], []
    for case in CASES:
        algorithm, state = bred(*case)
        scores = jnp.asarray(np.random.default_rng(1).normal(size=(case[0], 6)), jnp.float32)
        timings = measure_together([partial(algorithm.ask, state), partial(algorithm.tell, state, scores)], options.repeats)
        ask, tell = (timing._replace(result=None) for timing in timings)
        hidden, connections = (float(np.mean(sizes)) for sizes in state.sizes[:2])
        size = f"{case[0]} of {case[1]} inputs, {case[3]} slots"
        megabytes = sum(leaf.nbytes for leaf in jax.tree.leaves(state.genomes)) / 1e6
        figures = (f"{hidden:.0f}", f"{connections:.0f}", f"{megabytes:.0f}")
        times = (f"{1e3 * seconds:.0f}" for seconds in (ask.cpu, tell.cpu, ask.cpu + tell.cpu, ask.wall + tell.wall))
        rows.append([size, *figures, *times])
        record.append({"case": case, "hidden": hidden, "connections": connections, "ask": ask._asdict(), "tell": tell._asdict()})
    columns = ["genomes", "hidden", "connections", "MB", "ask", "tell", "both", "both, wall"]
    print_table(f"Milliseconds of CPU, median of {options.repeats}", columns, rows)
    write_json(options.json, {"machine": machine(), "rows": record})


if __name__ == "__main__":
    main()
