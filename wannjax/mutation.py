"""The structural operators of the searches: add, enable, disable or delete a connection, add or delete a node, change an activation.

A child differs from its parent by exactly one of them. WANN draws one by relative rates (`mutate`); NEAT chooses by itself, and asks what
has changed (`changed`), since its genomes carry more than the matrix. Those on connections share one code path, because under vmap the
branches of a switch would be computed one after the other: the operator decides which cells of the matrix qualify and what is written,
and one draw chooses among them. To add such an operator, say which cells qualify and what is written (`_WANTED`, `_WRITTEN`).

Differences from the published code: it deletes nothing; it draws the source of a new connection first and its target second, so
that pairs are not uniform, and it demands a strictly later *layer*; here every allowed absent pair is equally likely.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Float32, Int

from wannjax.genome import ABSENT, DISABLED, ENABLED, Genome, allowed, hidden_count

ADD_NODE, ADD_CONNECTION, ENABLE, DELETE_CONNECTION, DELETE_NODE, CHANGE_ACTIVATION, DISABLE, NOTHING = range(8)
_ON_CONNECTIONS = (True, True, True, True, False, False, True, False)
"""Which operators choose among connections."""
_WANTED = (ENABLED, ABSENT, DISABLED, ENABLED, ABSENT, ABSENT, ENABLED, ABSENT)
"""The cells among which each of these chooses."""
_WRITTEN = (DISABLED, ENABLED, ENABLED, ABSENT, ABSENT, ABSENT, DISABLED, ABSENT)
"""What it writes there."""


class Operators(NamedTuple):
    """How often WANN draws each operator, as relative weights, and the activation ids that hidden nodes take."""

    add_node: float
    add_connection: float
    enable: float
    delete_connection: float
    delete_node: float
    change_activation: float
    activations: tuple[int, ...]

    @property
    def ends(self) -> Float32[np.ndarray, "6"]:
        """Where the share of each operator ends on the way from 0 to 1."""
        sums = np.cumsum(np.array(self[:-1], np.float64))
        return (sums / sums[-1]).astype(np.float32)


class Change(NamedTuple):
    """What one operator did to one genome.

    Attributes:
        operator: `NOTHING` where it had no place to act.
        row, column: the cell that an operator on connections chose, in the genome as it was.
        opened, closed: the hidden slot that a node took, or left; H where none did.
    """

    operator: Int[Array, ""]
    row: Int[Array, ""]
    column: Int[Array, ""]
    opened: Int[Array, ""]
    closed: Int[Array, ""]


def mutate(genome: Genome, draws: Float[Array, "4"], ends: Float32[Array | np.ndarray, "6"], activations: tuple[int, ...]) -> Genome:
    """One genome's child by one structural operator, chosen by four uniform `draws` in [0, 1): `ends` and `activations` of `Operators`.

    Where the drawn operator has no place to act (no free slot, no absent or disabled connection, no hidden node, no second
    activation), the child is a copy.
    """
    return changed(genome, jnp.sum(draws[0] >= ends[:-1]), draws, activations)[0]


def changed(
    genome: Genome, operator: Int[Array, ""], draws: Float[Array, "4"], activations: tuple[int, ...], *, keep: bool = False
) -> tuple[Genome, Change]:
    """One genome's child by `operator`, and what has changed. The first of the `draws` has no say. With `keep`, a connection that is split
    stays enabled beside the new node."""
    new_activation = _pick(jnp.array(activations, jnp.int8), draws[3])
    genome, other_activation = _change_activation(genome, operator, draws, activations)
    genome, closed = _delete_node(genome, operator, draws)
    genome, (row, column, exists, opened) = _rewire(genome, operator, draws, new_activation, keep)
    acts = exists | other_activation | (closed < genome.hidden)
    return genome, Change(jnp.where(acts, operator, NOTHING), row, column, opened, closed)


def _index(draw, count):
    """A uniform index below `count`; 0 when there is none."""
    return jnp.minimum(jnp.floor(draw * count).astype(jnp.int32), jnp.maximum(count - 1, 0))


def _pick(table, draw):
    return table[_index(draw, table.shape[0])]


def _change_activation(genome: Genome, operator: Int[Array, ""], draws, activations: tuple[int, ...]):
    """The genome with another activation of a hidden node, and whether it has."""
    count = hidden_count(genome)
    node = _index(draws[1], count)
    table = jnp.array(activations, jnp.int8)
    same = table == genome.activations[node]
    others = len(activations) - jnp.any(same)
    different = table[(jnp.argmax(same) + jnp.any(same) + _index(draws[2], others)) % len(activations)]
    applies = (operator == CHANGE_ACTIVATION) & (count > 0)
    here = applies & (jnp.arange(genome.activations.shape[0]) == node)
    child = Genome(genome.connections, jnp.where(here, different, genome.activations), genome.inputs, genome.outputs)
    return child, applies & (others > 0)


def _delete_node(genome: Genome, operator, draws):
    """The genome without a hidden node and all its connections, and the slot that it left; H for none."""
    count = hidden_count(genome)
    slot = jnp.where((operator == DELETE_NODE) & (count > 0), _index(draws[1], count), genome.hidden)
    connections = close_slot(close_slot(genome.connections, 0, 1 + genome.inputs, genome.hidden, slot), 1, 0, genome.hidden, slot)
    return Genome(connections, close_slot(genome.activations, 0, 0, genome.hidden, slot), genome.inputs, genome.outputs), slot


def close_slot(array, axis: int, first: int, hidden: int, slot):
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
    return (genome.connections == _of_operator(_WANTED, operator)) & allowed(genome) & room & jnp.array(_ON_CONNECTIONS)[operator]


def _of_operator(table: tuple[int, ...], operator):
    return jnp.array(table, jnp.int8)[operator]


def _draw_cell(mask, draw):
    """Row and column of a uniformly drawn true cell of `mask`, and whether there is one."""
    ends = jnp.cumsum(jnp.sum(mask, axis=0, dtype=jnp.int32))
    choice = _index(draw, ends[-1])
    column = jnp.sum(ends <= choice)
    before = jnp.where(column > 0, ends[column - 1], 0)
    row = jnp.sum(jnp.cumsum(mask[:, column], dtype=jnp.int32) <= choice - before)
    return row, column, ends[-1] > 0


def _rewire(genome: Genome, operator, draws, new_activation, keep: bool):
    """The genome after one of the operators on connections, or none; with the row and column of the cell that was chosen, whether there was
    one, and the slot that was opened."""
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
    written = _of_operator((ENABLED if keep else DISABLED, *_WRITTEN[1:]), operator)
    target = column + ((column >= slot) & (column < hidden))
    connections = jnp.where(exists & (rows == row) & (columns == target), written, connections)
    into_new = (rows == row) & (columns == slot)
    out_of_new = (rows - first_hidden == slot) & (columns == target)
    connections = jnp.where(splits & (into_new | out_of_new), jnp.int8(ENABLED), connections)
    return Genome(connections, activations, genome.inputs, genome.outputs), (row, column, exists, slot)


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

    return (
        jnp.concatenate([slots, matrix[:, hidden:]], axis=1),
        jnp.concatenate([insert(genome.activations[:hidden], slot, activation), genome.activations[hidden:]]),
    )


def insert(slots, slot, value):
    """`slots` [H] with `value` at `slot`, and those from there on shifted by one; the last one falls off. Unchanged where `slot` is H."""
    position = jnp.arange(slots.shape[0])
    shifted = jnp.concatenate([slots[:1], slots[:-1]])
    return jnp.where(position > slot, shifted, jnp.where(position == slot, value, slots))
