"""The connected sub-graphs of a network's hidden nodes and outputs, counted by wiring and
activations; and rewired networks to compare the counts with.

Sub-graphs are induced: a set of nodes with all connections among them. Bias and inputs are no part
of them, nor are recurrent connections: a block is what happens within one time step. The
enumeration is ESU (Wernicke 2006, "Efficient detection of network motifs"), which meets every
connected set once; here level by level, all sets of one size side by side, so that numpy does the
work.
"""

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np

from wannjax.genomes.blocks import Block
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Graph

MOST_SETS = 2_000_000
"""Connected sets of one size in one network, above which counting is refused."""

_ATTEMPTS = 20
"""Swaps that are tried for each connection of a rewired network; those that are not possible count,
so that all outcomes are as likely.
"""


class Wiring(NamedTuple):
    """How N hidden nodes and outputs are connected, in order of evaluation.

    Attributes:
        activations: int[N].
        adjacency: bool[N, N], [source, target]; upper triangular.
    """

    activations: np.ndarray
    adjacency: np.ndarray


def wiring_of(graph: Graph) -> Wiring:
    """The wiring of a network's hidden nodes and outputs."""
    count, first = len(graph.activations), graph.first_hidden
    adjacency = np.zeros((count, count), bool)
    for connection in graph.connections:
        if connection.source >= first and not connection.is_recurrent:
            adjacency[connection.source - first, connection.target - first] = True
    return Wiring(np.array(graph.activations, np.int64), adjacency)


def count_blocks(wiring: Wiring, largest: int) -> Counter[Block]:
    """How often each block of 2 to `largest` nodes occurs. Raises ValueError for networks with more
    than 2 million sets of one size.
    """
    counts: Counter[Block] = Counter()
    for sets in connected_sets(wiring.adjacency, largest):
        size = sets.shape[1]
        pairs = list(combinations(range(size), 2))
        codes = np.zeros(len(sets), np.int64)
        for node in range(size):
            codes = codes * len(NAMES) + wiring.activations[sets[:, node]]
        for source, target in pairs:
            codes = codes * 2 + wiring.adjacency[sets[:, source], sets[:, target]]
        for code, occurrences in zip(*map(np.ndarray.tolist, np.unique(codes, return_counts=True)), strict=True):
            counts[_block(size, code)] += occurrences
    return counts


@lru_cache(maxsize=1 << 18)
def _block(size: int, code: int) -> Block:
    """The block that `count_blocks` encodes."""
    connections, names = [], []
    for pair in reversed(list(combinations(range(size), 2))):
        code, connected = divmod(code, 2)
        if connected:
            connections.append(pair)
    for _ in range(size):
        code, activation = divmod(code, len(NAMES))
        names.append(NAMES[activation])
    return Block(tuple(reversed(names)), tuple(connections))


def connected_sets(adjacency: np.ndarray, largest: int) -> Iterator[np.ndarray]:
    """The connected sets of 2, 3, … `largest` nodes, as int[sets, size] with ascending nodes."""
    neighbours = adjacency | adjacency.T
    nodes = np.arange(len(adjacency))
    # A set grows only by nodes of its extension: later than its root, and neighbours of no member
    # but the newest.
    sets, extension, closed = nodes[:, None], neighbours & (nodes[None, :] > nodes[:, None]), neighbours | np.eye(len(nodes), dtype=bool)
    for size in range(2, largest + 1):
        found = int(np.count_nonzero(extension))
        if found > MOST_SETS:
            raise ValueError(f"largest: a network has {found} connected sets of {size} nodes, more than the {MOST_SETS} that are counted")
        which, new = np.nonzero(extension)
        sets = np.concatenate([sets[which], new[:, None]], axis=1)
        yield np.sort(sets, axis=1)
        if size < largest:
            fresh = neighbours[new] & ~closed[which] & (nodes[None, :] > sets[:, :1])
            extension = (extension[which] & (nodes[None, :] > new[:, None])) | fresh
            closed = closed[which] | neighbours[new]


def rewired(wiring: Wiring, rng: np.random.Generator) -> Wiring:
    """A random wiring with the same activations, in which every node has as many sources and as
    many targets as before.

    Pairs of connections exchange their targets, a→b and c→d becoming a→d and c→b, where both still
    lead forward in the order of evaluation and neither exists (Milo et al. 2002, "Network motifs").
    """
    adjacency = wiring.adjacency.copy()
    sources, targets = (ends.tolist() for ends in np.nonzero(adjacency))
    present = set(zip(sources, targets, strict=True))
    count = len(sources)
    for i, j in rng.integers(count, size=(_ATTEMPTS * count, 2)).tolist() if count else ():
        a, b, c, d = sources[i], targets[i], sources[j], targets[j]
        if a < d and c < b and (a, d) not in present and (c, b) not in present:
            present -= {(a, b), (c, d)}
            present |= {(a, d), (c, b)}
            targets[i], targets[j] = d, b
    adjacency[:] = False
    adjacency[sources, targets] = True
    return Wiring(wiring.activations, adjacency)
