"""The structural operators of the WANN search: add, enable or delete a connection, add or delete a node, change an activation, and,
where there is a library of building blocks, insert one.

A child differs from its parent by exactly one of them. Those on connections share one code path, because under vmap the branches of a
switch would be computed one after the other: the operator decides which cells of the matrix qualify and what is written, and one
draw chooses among them. To add such an operator, say which cells qualify and what is written (`_WANTED`, `_WRITTEN`).

Differences from the published code: it deletes nothing, and knows no blocks; it draws the source of a new connection first and its
target second, so that pairs are not uniform, and it demands a strictly later *layer*; here every allowed absent pair is equally likely.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from wannjax.activations import NAMES
from wannjax.blocks import Block
from wannjax.genome import ABSENT, DISABLED, ENABLED, Genome, allowed, hidden_count

ADD_NODE, ADD_CONNECTION, ENABLE, DELETE_CONNECTION, DELETE_NODE, CHANGE_ACTIVATION, INSERT_BLOCK = range(7)
_WANTED = (ENABLED, ABSENT, DISABLED, ENABLED)
"""The cells among which each operator on connections chooses."""
_WRITTEN = (DISABLED, ENABLED, ENABLED, ABSENT)
"""What it writes there."""


class Operators(NamedTuple):
    """How often each operator is drawn, as relative weights, the activation ids that hidden nodes take, and the blocks to insert."""

    add_node: float
    add_connection: float
    enable: float
    delete_connection: float
    delete_node: float
    change_activation: float
    activations: tuple[int, ...]
    insert_block: float = 0.0
    blocks: tuple[Block, ...] = ()

    @property
    def rates(self) -> dict[str, float]:
        """The relative weights by name, in the order of the operators' numbers; without blocks there is nothing to insert."""
        names = self._fields[:INSERT_BLOCK] + (("insert_block",) if self.blocks else ())
        return {name: getattr(self, name) for name in names}

    @property
    def draws(self) -> int:
        """How many uniform numbers a mutation takes."""
        return 3 + max(block.size for block in self.blocks) if self.blocks else 4

    @property
    def most_nodes(self) -> int:
        """How many nodes a mutation adds at the most."""
        return max((block.size for block in self.blocks), default=1)

    @property
    def most_steps(self) -> int:
        """How many steps a mutation adds to a network's tape at the most: no more than connections, where a block is inserted."""
        return max((len(block.connections) + len(block.roots) + len(block.sinks) for block in self.blocks), default=1)


def mutate(genome: Genome, draws: Float[Array, " D"], operators: Operators) -> Genome:
    """One genome's child by one structural operator, chosen by `operators.draws` uniform `draws` in [0, 1).

    Where the drawn operator has no place to act (no free slots, no absent or disabled connection, no hidden node, no second
    activation), the child is a copy.
    """
    operator = _choose(draws[0], tuple(operators.rates.values()))
    new_activation = _pick(jnp.array(operators.activations, jnp.int8), draws[3])
    genome = _change_activation(genome, operator, draws, operators.activations)
    genome = _rewire(_delete_node(genome, operator, draws), operator, draws, new_activation)
    return _insert_block(genome, operator == INSERT_BLOCK, draws[1:], operators.blocks) if operators.blocks else genome


def _choose(draw, weights):
    """The index drawn with probability proportional to `weights`."""
    ends = jnp.cumsum(jnp.array(weights, jnp.float32)) / sum(weights)
    return jnp.sum(draw >= ends[:-1])


def _index(draw, count):
    """A uniform index below `count`; 0 when there is none."""
    return jnp.minimum(jnp.floor(draw * count).astype(jnp.int32), jnp.maximum(count - 1, 0))


def _pick(table, draw):
    return table[_index(draw, table.shape[0])]


def _change_activation(genome: Genome, operator: Int[Array, ""], draws, activations: tuple[int, ...]) -> Genome:
    count = hidden_count(genome)
    node = _index(draws[1], count)
    table = jnp.array(activations, jnp.int8)
    same = table == genome.activations[node]
    others = len(activations) - jnp.any(same)
    different = table[(jnp.argmax(same) + jnp.any(same) + _index(draws[2], others)) % len(activations)]
    applies = (operator == CHANGE_ACTIVATION) & (count > 0)
    here = applies & (jnp.arange(genome.activations.shape[0]) == node)
    return Genome(genome.connections, jnp.where(here, different, genome.activations), genome.inputs, genome.outputs)


def _delete_node(genome: Genome, operator, draws) -> Genome:
    """Deletes a hidden node and all its connections."""
    count = hidden_count(genome)
    slot = jnp.where((operator == DELETE_NODE) & (count > 0), _index(draws[1], count), genome.hidden)
    connections = _close_slot(_close_slot(genome.connections, 0, 1 + genome.inputs, genome.hidden, slot), 1, 0, genome.hidden, slot)
    return Genome(connections, _close_slot(genome.activations, 0, 0, genome.hidden, slot), genome.inputs, genome.outputs)


def _close_slot(array, axis: int, first: int, hidden: int, slot):
    """Shifts the slots behind `slot` back by one along `axis`, where they start at `first`; `hidden` stands for none. No gather."""
    slots, rest = jnp.split(array, [first + hidden], axis=axis)
    ahead = lax.slice_in_dim(slots, 1, None, axis=axis)
    empty = jnp.zeros_like(lax.slice_in_dim(slots, 0, 1, axis=axis))
    position = lax.broadcasted_iota(jnp.int32, slots.shape, axis) - first
    slots = jnp.where(position >= slot, jnp.concatenate([ahead, empty], axis=axis), slots)
    return jnp.concatenate([slots, rest], axis=axis)


def _candidates(genome: Genome, operator):
    """The cells among which an operator on connections chooses; none for the other operators."""
    room = (hidden_count(genome) < genome.hidden) | (operator != ADD_NODE)
    return (genome.connections == _of_operator(_WANTED, operator)) & allowed(genome) & room & (operator <= DELETE_CONNECTION)


def _of_operator(table: tuple[int, ...], operator):
    return jnp.array(table, jnp.int8)[jnp.minimum(operator, len(table) - 1)]


def _draw_cell(mask, draw):
    """Row and column of a uniformly drawn true cell of `mask`, and whether there is one."""
    ends = jnp.cumsum(jnp.sum(mask, axis=0, dtype=jnp.int32))
    choice = _index(draw, ends[-1])
    column = jnp.sum(ends <= choice)
    before = jnp.where(column > 0, ends[column - 1], 0)
    row = jnp.sum(jnp.cumsum(mask[:, column], dtype=jnp.int32) <= choice - before)
    return row, column, ends[-1] > 0


def _rewire(genome: Genome, operator, draws, new_activation) -> Genome:
    """Applies one of the operators on connections, or none."""
    hidden, first_hidden = genome.hidden, 1 + genome.inputs
    row, column, exists = _draw_cell(_candidates(genome, operator), draws[1])
    splits = exists & (operator == ADD_NODE)

    # The new node's slot: after its source and not after its target. `hidden` stands for "no insertion".
    earliest = jnp.maximum(row - first_hidden + 1, 0)
    latest = jnp.minimum(column, hidden_count(genome))
    slot = jnp.where(splits, earliest + _index(draws[2], latest - earliest + 1), hidden)
    connections, activations = _open_slot(genome, slot, new_activation)

    rows = jnp.arange(connections.shape[0])[:, None]
    columns = jnp.arange(connections.shape[1])[None, :]
    column = column + ((column >= slot) & (column < hidden))
    connections = jnp.where(exists & (rows == row) & (columns == column), _of_operator(_WRITTEN, operator), connections)
    into_new = (rows == row) & (columns == slot)
    out_of_new = (rows - first_hidden == slot) & (columns == column)
    connections = jnp.where(splits & (into_new | out_of_new), jnp.int8(ENABLED), connections)
    return Genome(connections, activations, genome.inputs, genome.outputs)


def _open_slot(genome: Genome, slot, activation):
    """Shifts the hidden slots from `slot` on by one; the last one, empty, falls off. Shifts are static: no gather."""
    hidden, first_hidden = genome.hidden, 1 + genome.inputs
    matrix = genome.connections
    position = jnp.arange(matrix.shape[0])[:, None] - first_hidden
    down = jnp.concatenate([matrix[:1], matrix[:-1]], axis=0)
    matrix = jnp.where(position > slot, down, jnp.where(position == slot, jnp.int8(ABSENT), matrix))

    position = jnp.arange(hidden)[None, :]
    slots = matrix[:, :hidden]
    right = jnp.concatenate([slots[:, :1], slots[:, :-1]], axis=1)
    slots = jnp.where(position > slot, right, jnp.where(position == slot, jnp.int8(ABSENT), slots))

    position = jnp.arange(hidden)
    genes = genome.activations[:hidden]
    shifted = jnp.concatenate([genes[:1], genes[:-1]])
    genes = jnp.where(position > slot, shifted, jnp.where(position == slot, activation, genes))
    return (
        jnp.concatenate([slots, matrix[:, hidden:]], axis=1),
        jnp.concatenate([genes, genome.activations[hidden:]]),
    )


def _insert_block(genome: Genome, applies: Bool[Array, ""], draws: Float[Array, " D"], blocks: tuple[Block, ...]) -> Genome:
    """Inserts one of `blocks` as consecutive slots: each of its roots reads any source before them, and each of its sinks is read by any
    target behind them. Connections that exist stay as they are."""
    hidden, first_hidden, count = genome.hidden, 1 + genome.inputs, hidden_count(genome)
    sources, targets = genome.connections.shape
    which = _index(draws[0], len(blocks))
    sizes, genes, inner, is_root, is_sink = (jnp.asarray(table)[which] for table in _tables(blocks))
    applies = applies & (count + sizes <= hidden)
    slot = _index(draws[1], count + 1)

    node = jnp.arange(genes.shape[0])
    ends = draws[2 : 2 + len(node)]
    exists = applies & (node < sizes)
    for i in reversed(range(genes.shape[0])):  # of the block's nodes, of which there are few
        connections, activations = _open_slot(genome, jnp.where(exists[i], slot, hidden), genes[i])
        genome = Genome(connections, activations, genome.inputs, genome.outputs)

    source = _index(ends, first_hidden + slot)
    behind = count - slot
    target = _index(ends, behind + genome.outputs)
    target = jnp.where(target < behind, slot + sizes + target, hidden + target - behind)
    row = _one_hot(first_hidden + slot + node, sources, exists)
    column = _one_hot(slot + node, targets, exists)
    reads = _one_hot(source, sources, exists & is_root)
    feeds = _one_hot(target, targets, exists & is_sink) | _product(inner, column)
    new = _product(row.T, feeds) | _product(reads.T, column)
    return Genome(jnp.where(new, jnp.int8(ENABLED), genome.connections), genome.activations, genome.inputs, genome.outputs)


def _tables(blocks: tuple[Block, ...]):
    """Sizes [B], activation ids [B, M], connections [B, M, M], roots [B, M] and sinks [B, M] of `blocks`, padded to the largest."""
    largest = max(block.size for block in blocks)
    genes = np.zeros((len(blocks), largest), np.int8)
    inner = np.zeros((len(blocks), largest, largest), bool)
    roots, sinks = np.zeros((2, len(blocks), largest), bool)
    for i, block in enumerate(blocks):
        genes[i, : block.size] = [NAMES.index(name) for name in block.activations]
        inner[i][tuple(zip(*block.connections, strict=True))] = True
        roots[i, list(block.roots)] = sinks[i, list(block.sinks)] = True
    return np.array([block.size for block in blocks], np.int32), genes, inner, roots, sinks


def _one_hot(positions, length: int, where):
    """bool[M, length]: a row for each of the positions [M]; empty unless `where`."""
    return (jnp.arange(length)[None, :] == positions[:, None]) & where[:, None]


def _product(left, right):
    """The product of two boolean matrices."""
    return left.astype(jnp.float32) @ right.astype(jnp.float32) > 0
