"""Motifs: the building blocks that recur in the fronts of many runs, more often than wiring at
random would have it.

To rank by something else, or to keep other motifs, edit `mine_motifs`; what is counted is in
`subgraphs.py`.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wannjax.analysis.subgraphs import count_blocks, rewired, wiring_of
from wannjax.common.keys import Purpose, generator_of
from wannjax.common.validation import require, require_count, require_seed, require_type, whole
from wannjax.genomes.blocks import LARGEST, SMALLEST, Block
from wannjax.networks.graph import graph_of
from wannjax.networks.network import Network


@dataclass(frozen=True)
class Motif:
    """A block and how it recurs.

    Attributes:
        block: which one.
        count: occurrences per network, averaged over each front and then over runs.
        expected: the same, of rewired networks.
        z: how many standard deviations of the baseline `count` is above `expected`.
        networks: the networks with at least one occurrence.
        runs: the runs with at least one such network.
    """

    block: Block
    count: float
    expected: float
    z: float
    networks: int
    runs: int

    @property
    def spread(self) -> float:
        """The standard deviation of the baseline, in the unit of `count`."""
        return abs((self.count - self.expected) / self.z) if self.z else 0.0


@dataclass(frozen=True)
class Motifs:
    """What recurs in the fronts of runs.

    Attributes:
        ranked: the motifs, highest z-score first.
        networks, runs: how many were looked at.
        draws: of the baseline.
    """

    ranked: tuple[Motif, ...]
    networks: int
    runs: int
    draws: int

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks, in the same order: a library."""
        return tuple(motif.block for motif in self.ranked)

    def top(self, count: int) -> "Motifs":
        """The best `count` of those that occur more often than at random. Raises ValueError for a
        count below 1.
        """
        count = require_count("top", count)
        return replace(self, ranked=tuple(motif for motif in self.ranked[:count] if motif.z > 0))


def mine_motifs(
    fronts: Sequence[Sequence[Network]], *, largest: int = LARGEST, least_runs: int | None = None, draws: int = 200, seed: int = 0
) -> Motifs:
    """The blocks that recur in `fronts`, one per run.

    The networks of a front descend from each other, so that a run counts as one observation: a draw
    takes one network of each front in turn, counts its blocks, and subtracts those of the same
    network rewired, its degrees and activations kept. The z-score is the mean of the draws' sum
    over runs, in units of its standard deviation from draw to draw, which is at least that of a
    single occurrence in all draws. Recurrent connections are no part of blocks, which take no time:
    they are passed over.

    Args:
        largest: nodes of a block at the most, 2 to 5.
        least_runs: motifs that fewer runs show are left out; half of the runs when None, and at
            least two where there are two.
        draws: of the baseline, at least 100.
        seed: of the baseline; the same seed gives the same z-scores.

    Raises ValueError for arguments out of range, and for a network with more than 2 million
    sub-graphs of one size.
    """
    lists = isinstance(fronts, Sequence) and all(isinstance(front, Sequence) for front in fronts)
    require_type("fronts", fronts, "a list of fronts, each a list of networks, such as [result.front]", lists)
    require("fronts", len(fronts), "one or more fronts, none empty", len(fronts) > 0 and all(len(front) > 0 for front in fronts))
    largest = whole("largest", largest, f"an integer from {SMALLEST} to {LARGEST}", SMALLEST, LARGEST)
    runs = len(fronts)
    if least_runs is None:
        least_runs = max(min(2, runs), -(-runs // 2))
    least_runs = whole("least_runs", least_runs, f"an integer from 1 to {runs}, the number of runs", 1, runs)
    draws = require_count("draws", draws, least=100)
    seed = require_seed(seed)

    wirings = [[wiring_of(graph_of(network)) for network in front] for front in fronts]
    counts = [[count_blocks(wiring, largest) for wiring in front] for front in wirings]
    shown_by = [Counter(block for count in front for block in count) for front in counts]
    recurring = Counter(block for front in shown_by for block in front)
    kept = [block for block, number in recurring.items() if number >= least_runs]
    column = {block: place for place, block in enumerate(kept)}

    rng = generator_of(seed, Purpose.MOTIFS)
    excess: dict[Block, np.ndarray] = defaultdict(lambda: np.zeros(draws))
    for front, found in zip(wirings, counts, strict=True):
        for draw in range(draws):
            for sign, count in ((1, found[draw % len(front)]), (-1, count_blocks(rewired(front[draw % len(front)], rng), largest))):
                for block in column.keys() & count.keys():
                    excess[block][draw] += sign * count[block]

    motifs = []
    for block in kept:
        mean, spread = excess[block].mean(), max(excess[block].std(ddof=1), 1 / np.sqrt(draws))
        per_network = float(np.mean([np.mean([count[block] for count in front]) for front in counts]))
        motifs.append(
            Motif(
                block,
                per_network,
                per_network - float(mean) / runs,
                float(mean / spread),
                sum(front[block] for front in shown_by),
                recurring[block],
            )
        )
    motifs.sort(key=lambda motif: (-motif.z, -motif.runs, motif.block.size, motif.block.name))
    return Motifs(tuple(motifs), sum(map(len, fronts)), runs, draws)
