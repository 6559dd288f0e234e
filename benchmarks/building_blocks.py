"""Do building blocks of one task help on another? `python -m benchmarks.building_blocks [--source
ENV] [--target ENV] [--seeds 0 1 …]`.

Searches on the source task leave fronts, from which a library is mined. The target task is then
searched three times with each seed: without blocks, with the library, and with as many random
blocks of the same sizes and numbers of connections, other ones for every seed. Champions are scored
on 100 fresh episodes per weight, and compared seed by seed. Fronts, library and picture are kept
beside the JSON file that keeps the runs; a second call does only what is missing.
"""

import argparse
import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

import wannjax
from benchmarks.common import machine, print_table, whole, write_json
from wannjax.cli.tables import motifs_table
from wannjax.common.validation import require
from wannjax.genomes.blocks import Block
from wannjax.networks.files import save_front
from wannjax.pictures.motif_drawing import draw_motifs
from wannjax.search.wann.config import APERIODIC

PLAIN, MINED, RANDOM = "no blocks", "mined blocks", "random blocks"


def random_block(rng: np.random.Generator, size: int, connections: int) -> Block:
    """A block drawn uniformly among wirings of that many nodes and connections in a row, and
    activations that searches use.
    """
    pairs = list(combinations(range(size), 2))
    while True:
        drawn = rng.choice(len(pairs), connections, replace=False)
        try:
            return Block(tuple(rng.choice(APERIODIC, size).tolist()), tuple(pairs[i] for i in drawn))
        except ValueError:  # the nodes do not hang together
            continue


def random_library(library: Sequence[Block], seed: int) -> tuple[Block, ...]:
    """As many different blocks, of the same sizes and numbers of connections, none of them in
    `library`.
    """
    rng, blocks = np.random.default_rng(seed), list[Block]()
    for block in library:
        while (drawn := random_block(rng, block.size, len(block.connections))) in {*blocks, *library}:
            pass
        blocks.append(drawn)
    return tuple(blocks)


def mine(source: str, directory: Path, seeds: Sequence[int], config: wannjax.WannConfig, top: int) -> tuple[Block, ...]:
    """The library of the source task, with its table and picture; fronts that are in `directory`
    already are not searched again.
    """
    problem, fronts = wannjax.make(source), []
    for seed in seeds:
        path = directory / f"{source}-{config.population}x{config.generations}-{seed}.json"
        if not path.exists():
            result = whole(wannjax.evolve(problem, config, seed=seed, progress=False))
            path.parent.mkdir(parents=True, exist_ok=True)
            save_front(path, result.front, result.front_scores, config.weights)
            print(f"{source}, seed {seed}: champion {np.mean(result.champion_scores):.1f} in {result.seconds:.0f} s", flush=True)
        fronts.append(wannjax.load_front(path))
    motifs = wannjax.mine_motifs(fronts).top(top)
    Console(width=130).print(motifs_table(motifs), highlight=False)
    wannjax.save_blocks(directory / "blocks.json", motifs.blocks)
    draw_motifs(motifs, directory / "blocks.png")
    return motifs.blocks


def search(target: str, seed: int, config: wannjax.WannConfig) -> dict[str, Any]:
    """One search on the target task: its champion on fresh episodes, and the champion half
    way by the round that confirmed it, which is optimistic.
    """
    problem = wannjax.make(target)
    result = whole(wannjax.evolve(problem, config, seed=seed, progress=False))
    report = wannjax.evaluate(result.champion, problem, seed=seed)
    return {
        "mean": report.mean,
        "best": report.tuned_shared.mean,
        "half way": float(result.history["champion_score"][(config.generations - 1) // 2]),
        "connections": report.connections,
        "seconds": result.seconds - result.compilations[1],  # random blocks, other ones for every seed, are compiled for each
    }


def comparison(better: Sequence[float], worse: Sequence[float]) -> list[str]:
    """Mean paired difference ± standard error, wins, and the p-values of Wilcoxon's signed-rank
    test and the sign test, two-sided.
    """
    from scipy.stats import binomtest, wilcoxon  # a second to import

    differences = np.subtract(better, worse)
    differs = differences[differences != 0]
    wins = int(np.sum(differs > 0))
    error = np.std(differences, ddof=1) / np.sqrt(len(differences)) if len(differences) > 1 else np.nan
    ranks = wilcoxon(differs).pvalue if len(differs) else 1.0
    signs = binomtest(wins, len(differs)).pvalue if len(differs) else 1.0
    return [f"{np.mean(differences):+.1f} ± {error:.1f}", f"{wins} of {len(differences)}", f"{ranks:.3f}", f"{signs:.3f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="CartPoleSwingUp-v0", metavar="ENV")
    parser.add_argument("--target", default="Pendulum-v1", metavar="ENV")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(16)), help="of the searches on the target")
    parser.add_argument("--source-seeds", type=int, nargs="+", default=list(range(100, 112)), help="of the searches that are mined")
    parser.add_argument("--population", type=int, default=128)
    parser.add_argument("--generations", type=int, default=150)
    parser.add_argument("--source-generations", type=int, default=100)
    parser.add_argument("--top", type=int, default=12, help="blocks of the library")
    parser.add_argument("--rate", type=float, default=0.10, help="of inserting a block, relative to the other operators' 1.4 in all")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/building_blocks.json"))
    options = parser.parse_args()
    require("top", options.top, "an integer from 1 to 24", 1 <= options.top <= 24)  # of two nodes there are only 64 blocks to draw

    wannjax.use_all_cores()
    config = wannjax.WannConfig(population=options.population, generations=options.source_generations)
    library = mine(options.source, options.json.with_suffix(""), options.source_seeds, config, options.top)
    config = config.replace(generations=options.generations)

    record = json.loads(options.json.read_text()) if options.json.exists() else {"runs": []}
    settings = {name: getattr(options, name) for name in ("target", "population", "generations", "rate")}
    settings["library"] = [block.name for block in library]
    runs = {(run["arm"], run["seed"]): run for run in record["runs"] if run["settings"] == settings}
    for seed in options.seeds:
        for arm, blocks in ((PLAIN, ()), (MINED, library), (RANDOM, random_library(library, seed))):
            if (arm, seed) not in runs:
                own = config.replace(blocks=blocks, insert_block=options.rate if blocks else 0.0)
                run = {"arm": arm, "seed": seed, "settings": settings, **search(options.target, seed, own)}
                runs[arm, seed] = run
                record["runs"].append(run)
                print(f"{options.target}, seed {seed}, {arm}: {run['mean']:.1f} in {run['seconds']:.0f} s", flush=True)
                write_json(options.json, {**record, "machine": machine()})

    keys = ["mean", "best", "half way", "connections", "seconds"]
    columns = {(arm, key): [runs[arm, seed][key] for seed in options.seeds] for arm in (PLAIN, MINED, RANDOM) for key in keys}
    rows = [[arm, *(f"{np.median(columns[arm, key]):.1f}" for key in keys)] for arm in (PLAIN, MINED, RANDOM)]
    print_table(f"Champions of {len(options.seeds)} searches on {options.target}, medians", ["search", *keys], rows)
    rows = [
        [f"{better} against {worse}: {key}", *comparison(columns[better, key], columns[worse, key])]
        for key in ("mean", "half way")
        for better, worse in ((MINED, PLAIN), (RANDOM, PLAIN), (MINED, RANDOM))
    ]
    print_table("Paired by seed", ["", "difference", "better", "p, Wilcoxon", "p, signs"], rows)


if __name__ == "__main__":
    main()
