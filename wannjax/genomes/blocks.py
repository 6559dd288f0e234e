"""Building blocks: small wirings of two to five nodes that recur in networks, and the files that
hold them.

A block has no weights, inputs or outputs of its own: in a network, its roots (nodes without a
source in the block) read something and its sinks are read by something. Files may come from
strangers: see `common/files.py`, whose rules hold here.

To change how a block is called, edit `Block.name`; nothing reads names.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise, permutations, product
from typing import Any

from wannjax.common.files import VERSION, Pathlike, as_path, read_document, write_text
from wannjax.common.validation import require, require_type
from wannjax.networks.activations import NAMES

FORMAT = "wannjax blocks"
SMALLEST, LARGEST = 2, 5
"""Nodes of a block."""
MOST = 1000
"""Blocks of a library."""


@dataclass(frozen=True)
class Block:
    """A connected, acyclic wiring of 2 to 5 nodes. Nodes are put into a normal order, so that
    isomorphic blocks are equal.

    Attributes:
        activations: the name of each node's activation, layer by layer: sinks last, every other
            node one layer before the first of its targets.
        connections: (source, target) by position, each pair once, source before target.

    Raises ValueError, naming the argument, for anything else.

    >>> Block(("tanh", "abs", "step"), ((0, 2), (1, 2)))
    Block(activations=('abs', 'tanh', 'step'), connections=((0, 2), (1, 2)))
    """

    activations: tuple[str, ...]
    connections: tuple[tuple[int, int], ...]

    def __post_init__(self):
        names, pairs = self.activations, self.connections
        allowed = f"{SMALLEST} to {LARGEST} names from {', '.join(NAMES[1:])}"
        require("activations", names, allowed, SMALLEST <= len(names) <= LARGEST and all(name in NAMES[1:] for name in names))
        allowed = f"pairs of positions, each once, with 0 <= source < target < {len(names)}"
        forward = all(0 <= source < target < len(names) for source, target in pairs)
        require("connections", pairs, allowed, forward and len(set(pairs)) == len(pairs))
        require("connections", pairs, "such that all nodes hang together", _hang_together(len(names), pairs))
        names, pairs = _normal_order(names, pairs)
        object.__setattr__(self, "activations", names)
        object.__setattr__(self, "connections", pairs)

    @property
    def size(self) -> int:
        """Nodes."""
        return len(self.activations)

    @property
    def roots(self) -> tuple[int, ...]:
        """The nodes without a source in the block."""
        return tuple(sorted(set(range(self.size)) - {target for _, target in self.connections}))

    @property
    def sinks(self) -> tuple[int, ...]:
        """The nodes without a target in the block."""
        return tuple(sorted(set(range(self.size)) - {source for source, _ in self.connections}))

    def __str__(self) -> str:
        return self.name

    @property
    def layers(self) -> tuple[int, ...]:
        """The layer of each node, from 0."""
        return _layers(self.size, self.connections)

    @property
    def name(self) -> str:
        """What a reader calls it; different blocks have different names.

        Its layers, as if every node of one read every node of the one before; in brackets which
        connections there are besides, and which of these are missing, by position from 1.

        >>> Block(("abs", "relu", "tanh"), ((0, 2), (1, 2))).name
        'abs+relu→tanh'
        >>> Block(("abs", "relu", "tanh"), ((0, 1), (0, 2), (1, 2))).name
        'abs→relu→tanh [1→3]'
        """
        layers = [list(group) for _, group in groupby(range(self.size), key=self.layers.__getitem__)]
        plain = {pair for left, right in pairwise(layers) for pair in product(left, right)}
        notes = [f"{s + 1}→{t + 1}" for s, t in self.connections if (s, t) not in plain]
        notes += [f"no {s + 1}→{t + 1}" for s, t in sorted(plain - set(self.connections))]
        text = "→".join("+".join(self.activations[node] for node in layer) for layer in layers)
        return f"{text} [{', '.join(notes)}]" if notes else text


def save_blocks(path: Pathlike, blocks: Iterable[Block]) -> None:
    """Writes a library as JSON that a person can read. Raises ValueError unless there are 1 to 1000
    different blocks.
    """
    require_type("blocks", blocks, "a list of blocks", isinstance(blocks, Iterable))
    blocks = tuple(blocks)
    require_library("blocks", blocks)
    lines = [json.dumps({"name": b.name, "activations": b.activations, "connections": b.connections}, ensure_ascii=False) for b in blocks]
    head = f'"format": {json.dumps(FORMAT)}, "version": {VERSION}'
    write_text(as_path(path), f'{{{head}, "blocks": [\n' + ",\n".join(lines) + "\n]}\n")


def load_blocks(path: Pathlike) -> tuple[Block, ...]:
    """Reads the blocks that `save_blocks` wrote; names are for the reader only, and not read.

    Raises ValueError for anything that is not such a file, and OSError when it cannot be read.
    """
    return read_document(path, "not a wannjax block library", _library, FORMAT)


def _library(document: Any) -> tuple[Block, ...]:
    entries = document["blocks"]
    require("blocks", type(entries).__name__, "a list", isinstance(entries, list))
    require("blocks", len(entries), f"1 to {MOST} blocks", 1 <= len(entries) <= MOST)
    blocks = tuple(map(block_of, entries))
    require_library("blocks", blocks)
    return blocks


def block_of(entry: Any) -> Block:
    """The block that a JSON object describes. Raises ValueError."""
    require("block", type(entry).__name__, "an object", isinstance(entry, dict))
    names, pairs = entry.get("activations"), entry.get("connections")
    require("activations", names, "a list of names", isinstance(names, list) and all(isinstance(name, str) for name in names))
    fine = isinstance(pairs, list) and all(isinstance(pair, list) and list(map(type, pair)) == [int, int] for pair in pairs)
    require("connections", pairs, "a list of pairs of whole numbers", fine)
    return Block(tuple(names), tuple((source, target) for source, target in pairs))


def require_library(name: str, blocks: tuple[Block, ...]) -> None:
    """Raises ValueError unless these are blocks, 1 to 1000, and none twice."""
    require(name, len(blocks), f"1 to {MOST} blocks", 1 <= len(blocks) <= MOST)
    seen = set()
    for block in blocks:
        require(name, block, "blocks, each once", isinstance(block, Block) and block not in seen)
        seen.add(block)


def _hang_together(size: int, connections: tuple[tuple[int, int], ...]) -> bool:
    group = list(range(size))
    for source, target in connections:
        group = [group[source] if each == group[target] else each for each in group]
    return len(set(group)) == 1


def _layers(size: int, connections: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    heights = [0] * size
    for source, target in sorted(connections, reverse=True):
        heights[source] = max(heights[source], heights[target] + 1)
    return tuple(max(heights) - height for height in heights)


def _normal_order(names: tuple[str, ...], pairs: tuple[tuple[int, int], ...]) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Nodes by layer, then by activation; among those that share both, the order whose connections
    sort first.
    """
    layers = _layers(len(names), pairs)
    order = sorted(range(len(names)), key=lambda node: (layers[node], names[node]))
    ties = [list(group) for _, group in groupby(order, key=lambda node: (layers[node], names[node]))]
    best = None
    for parts in product(*map(permutations, ties)):
        place = {node: position for position, node in enumerate(node for part in parts for node in part)}
        moved = tuple(sorted((place[source], place[target]) for source, target in pairs))
        best = moved if best is None else min(best, moved)
    assert best is not None
    return tuple(names[node] for node in order), best
