"""Tasks that need memory, by searches of WANN with it and without: `python -m
benchmarks.remembering [--tasks NAME …] [--seeds N]`.

    MemoryChain    gymnax's: a bit that is shown in the first step is asked for in the sixth.
    UmbrellaChain  gymnax's: what is taken along in the first of ten steps pays in the last, and
                   rewards between are chance.
    MetaMaze       gymnax's: the last action and reward are seen, and a goal that was found once can
                   be found again.
    parity         whether the ones among 8 bits that are seen one after another are odd in number.
    recall         the first of 8 bits.

Of the games the score is the mean return over 100 fresh episodes; of the sequences it is the
accuracy in percent on 1,000 fresh ones of 8 bits and, with the same weights, of 32. The best weight
of sequences is the one that is best on other sequences of 8. Finished runs are kept in the JSON
file; a second call does only what is missing.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import wannjax
from benchmarks.common import Results, accuracies, print_table, whole
from benchmarks.tasks import quartiles
from wannjax.networks.network import connection_count
from wannjax.problems.data import DataProblem

GAMES = {"MemoryChain": "MemoryChain-bsuite", "UmbrellaChain": "UmbrellaChain-bsuite", "MetaMaze": "MetaMaze-misc"}
SEQUENCES = {"parity": lambda bits: bits.sum(axis=1) % 2, "recall": lambda bits: bits[:, 0]}
LENGTH, LONGER = 8, 32


def sequences(task: str, length: int, seed: int) -> DataProblem:
    """A thousand sequences of ±1 [1000, length, 2] and their classes to learn from, and as many to
    test on. The second input is 1 at the first bit, and else 0.
    """
    bits = np.random.default_rng(seed).integers(0, 2, (2, 1000, length))
    first = np.broadcast_to(np.arange(length) == 0, bits.shape)
    inputs = np.stack([2 * bits - 1, first], axis=-1).astype(np.float32)
    classes = [SEQUENCES[task](each) for each in bits]
    return DataProblem(inputs[0], classes[0], x_test=inputs[1], y_test=classes[1], sequences="last", seed=seed)


def remember(seed: int, task: str, memory: bool, generations: int) -> dict[str, Any]:
    """One search, and its champion on what it has not seen."""
    config = wannjax.WannConfig(recurrent=memory, generations=generations)
    problem = wannjax.make(GAMES[task]) if task in GAMES else sequences(task, LENGTH, seed)
    result = whole(wannjax.evolve(problem, config, seed=seed, progress=False))
    champion, found = result.champion, {"connections": connection_count(result.champion), "seconds": result.seconds}
    if not isinstance(problem, DataProblem):
        report = wannjax.evaluate(champion, problem, seed=seed)
        return {**found, "mean": report.mean, "best": report.tuned_shared.mean}
    chosen = accuracies(problem, champion, config.weights, "validation").argmax()
    for length, of in ((LENGTH, ""), (LONGER, " of longer")):
        fresh = accuracies(sequences(task, length, 1000 + seed), champion, config.weights, "test")
        found |= {f"mean{of}": float(fresh.mean()), f"best{of}": float(fresh[chosen])}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=[*GAMES, *SEQUENCES], choices=[*GAMES, *SEQUENCES])
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on (default: 5)")
    parser.add_argument("--generations", type=int, default=50, help="of a search (default: 50)")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/remembering.json"))
    options = parser.parse_args()

    wannjax.use_all_cores()
    results = Results(options.json)
    columns = ("mean", "best", "mean of longer", "best of longer", "connections", "seconds")
    rows = []
    for task in options.tasks:
        for memory in (True, False):
            runs = results.of(remember, options.seeds, task=task, memory=memory, generations=options.generations)
            each = " ".join(f"{run['mean']:.3g}" for run in runs)
            cells = [quartiles([run[key] for run in runs]) if key in runs[0] else "" for key in columns]
            rows.append([f"{task}, with memory" if memory else f"{task}, without", each, *cells])
    header = ["task", "mean, by seed", "mean, sweep", "best weight", f"mean, {LONGER} bits", f"best, {LONGER} bits", *columns[4:]]
    print_table("Tasks that need memory: medians and quartiles", header, rows)


if __name__ == "__main__":
    main()
