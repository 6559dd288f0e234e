"""The structural operator that inserts a whole building block: its nodes in consecutive slots,
connected with what is around them.

A root of the block reads one source that comes before all of it, drawn uniformly; a sink is read by
one target that comes behind all of it, drawn likewise. So all that is new takes no time, in a
recurrent search too, and connections that exist stay as they are. Nodes have the block's
activations, whether the search uses them elsewhere or not. What a block is connected with is
decided in `insert_block`.
"""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int8, Int32

from wannjax.genomes import bits
from wannjax.genomes.blocks import Block
from wannjax.genomes.genome import Genome, hidden_count
from wannjax.genomes.slots import index, move_slots
from wannjax.networks.activations import NAMES


def insert_block(genome: Genome, applies: Bool[Array, ""], draws: Float[Array, " D"], blocks: tuple[Block, ...]) -> Genome:
    """The genome with one of `blocks` inserted by uniform `draws` in [0, 1), two and one for each
    node of the largest block.

    A copy unless it `applies` and there are as many empty slots as the drawn block has nodes.
    """
    hidden, first_hidden, count = genome.hidden, 1 + genome.inputs, hidden_count(genome)
    which = index(draws[0], len(blocks))
    block = jax.tree.map(lambda leaf: jnp.asarray(leaf)[which], _tables(blocks))
    inserts = applies & (count + block.size <= hidden)
    slot = index(draws[1], count + 1)

    ends = draws[2:]
    source = index(ends, first_hidden + slot)
    behind = count - slot
    target = index(ends, behind + genome.outputs)
    target = jnp.where(target < behind, slot + block.size + target, hidden + target - behind)

    for width in (1, 2, 4):  # whose sums are all sizes
        genome = move_slots(genome, jnp.where(inserts & (block.size & width != 0), slot, hidden), hidden, 0, width)
    words, columns = genome.enabled.shape[0], jnp.arange(genome.enabled.shape[1])

    def placed(values):
        """The values [M] of the block's nodes in their columns, 0 elsewhere."""
        here = (columns[:, None] == slot + jnp.arange(len(values))[None, :]) & inserts
        return jnp.sum(jnp.where(here, values[None, :], 0), axis=1, dtype=jnp.int32)

    # What a column reads: nodes of the block; and a root's source, whose row is counted from 1, so
    # that 0 stands for none.
    inner, new = placed(block.sources), bits.bit(placed(jnp.where(block.is_root, source + 1, 0)) - 1, words)
    for node in range(len(block.genes)):
        is_source = (inner >> node) & 1 == 1
        is_source = is_source | (inserts & block.is_sink[node] & (columns == target[node]))
        new = new | jnp.where(is_source, bits.bit(first_hidden + slot + node, words)[:, None], 0)
    activations = genome.activations + placed(block.genes).astype(jnp.int8)
    return replace(genome, enabled=genome.enabled | new, activations=activations)


class _Tables(NamedTuple):
    """Blocks as arrays, padded to the M nodes of the largest; with a leading axis for several
    blocks.

    Attributes:
        size: nodes.
        genes: their activation ids.
        sources: bit s of a node's number is set where it reads node s.
        is_root, is_sink: whether a node has no source, or no target, in the block.
    """

    size: Int32[np.ndarray | Array, "*blocks"]
    genes: Int8[np.ndarray | Array, "*blocks M"]
    sources: Int32[np.ndarray | Array, "*blocks M"]
    is_root: Bool[np.ndarray | Array, "*blocks M"]
    is_sink: Bool[np.ndarray | Array, "*blocks M"]


def _tables(blocks: tuple[Block, ...]) -> _Tables:
    shape = len(blocks), max(block.size for block in blocks)
    tables = _Tables(
        np.array([block.size for block in blocks], np.int32),
        np.zeros(shape, np.int8),
        np.zeros(shape, np.int32),
        np.zeros(shape, bool),
        np.zeros(shape, bool),
    )
    for number, block in enumerate(blocks):
        tables.genes[number, : block.size] = [NAMES.index(name) for name in block.activations]
        tables.is_root[number, list(block.roots)] = tables.is_sink[number, list(block.sinks)] = True
        for source, target in block.connections:
            tables.sources[number, target] |= 1 << source
    return tables
