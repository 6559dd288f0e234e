"""The structural operators of the searches: add, enable, disable or delete a connection, add or
delete a node, change an activation, and, where WANN has a library of building blocks, insert one
(`insertion.py`).

A child differs from its parent by exactly one of them. WANN draws one by relative rates (`mutate`);
NEAT chooses by itself, and asks what has changed (`changed`), since its genomes carry more than the
matrix. Those on connections share one code path, because under vmap the branches of a switch would
be computed one after the other: the operator decides which cells of the matrix qualify and what is
written, and one draw chooses among them. To add such an operator, add its row to `_TABLE`, its rate
to `Operators` and a setting to the configs.

In a recurrent search connections may also be recurrent (see `genome.py`). `add_connection` draws
one uniformly from all absent pairs of either kind, a node and itself included. A node that splits a
recurrent connection s → d takes a slot anywhere behind s, so that s → node takes no time and
node → d is recurrent: what the two delay is one time step, as before. The other operators do not
tell kinds apart.

Differences from the published code: it deletes nothing, and knows no blocks; it draws the source of
a new connection first and its target second, so that pairs are not uniform, and it demands a
strictly later *layer*; here every allowed absent pair is equally likely.
"""

from dataclasses import replace
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int

from wannjax.genomes import bits
from wannjax.genomes.blocks import Block
from wannjax.genomes.genome import ABSENT, DISABLED, ENABLED, Genome, allowed_sources, hidden_count
from wannjax.genomes.insertion import insert_block
from wannjax.genomes.slots import index, move_slots


class _Operator(NamedTuple):
    """A row of the table of operators.

    Attributes:
        name: as settings have it.
        shared: whether all searches have it.
        wanted: the cells among which it chooses; None where it does not act on connections.
        written: what it writes there.
        adds: how many enabled connections there are more after it, at the most.
    """

    name: str
    shared: bool
    wanted: int | None = None
    written: int | None = None
    adds: int = 0


_TABLE = (
    _Operator("add_node", True, wanted=ENABLED, written=DISABLED, adds=1),
    _Operator("add_connection", True, wanted=ABSENT, written=ENABLED, adds=1),
    _Operator("enable", True, wanted=DISABLED, written=ENABLED, adds=1),
    _Operator("delete_connection", True, wanted=ENABLED, written=ABSENT),
    _Operator("delete_node", True),
    _Operator("change_activation", True),
    _Operator("disable", False, wanted=ENABLED, written=DISABLED),
    _Operator("nothing", False),
)
"""The operators by their numbers; those that all searches have come first."""
_NUMBERS = {operator.name: number for number, operator in enumerate(_TABLE)}
ADD_NODE = _NUMBERS["add_node"]
ADD_CONNECTION = _NUMBERS["add_connection"]
ENABLE = _NUMBERS["enable"]
DELETE_CONNECTION = _NUMBERS["delete_connection"]
DELETE_NODE = _NUMBERS["delete_node"]
CHANGE_ACTIVATION = _NUMBERS["change_activation"]
NOTHING = _NUMBERS["nothing"]
SHARED = tuple(operator.name for operator in _TABLE if operator.shared)
"""The operators that all searches have, by their numbers."""
_ON_CONNECTIONS = tuple(operator.wanted is not None for operator in _TABLE)
_WANTED = tuple(ABSENT if operator.wanted is None else operator.wanted for operator in _TABLE)
_WRITTEN = tuple(ABSENT if operator.written is None else operator.written for operator in _TABLE)
_ADDED = tuple(operator.adds for operator in _TABLE if operator.shared)
_ENOUGH = 1 << 30
"""Room for more connections than any genome can have."""


class Operators(NamedTuple):
    """How often WANN draws each operator, as relative weights, the activation ids that hidden nodes
    take, and the blocks to insert.
    """

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
        """The relative weights by name; that of inserting a block comes last, where there are
        blocks.
        """
        return {name: getattr(self, name) for name in (*SHARED, *(("insert_block",) if self.blocks else ()))}

    @property
    def ends(self) -> Float32[np.ndarray, " rates"]:
        """Where the share of each operator ends on the way from 0 to 1."""
        sums = np.cumsum(np.array([*self.rates.values()], np.float64))
        return (sums / sums[-1]).astype(np.float32)


def draws_of(blocks: tuple[Block, ...]) -> int:
    """How many uniform draws a child takes."""
    return max((3 + block.size for block in blocks), default=4)


def most_nodes(blocks: tuple[Block, ...]) -> int:
    """How many nodes a child has more than its parent, at the most."""
    return max((block.size for block in blocks), default=1)


def most_steps(blocks: tuple[Block, ...]) -> int:
    """How many steps a child's tape has more than its parent's, at the most: where a block is
    inserted, no more than connections.
    """
    return max((len(block.connections) + len(block.roots) + len(block.sinks) for block in blocks), default=1)


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


def mutate(
    genome: Genome,
    draws: Float[Array, " D"],
    ends: Float32[Array | np.ndarray, " rates"],
    activations: tuple[int, ...],
    blocks: tuple[Block, ...] = (),
    *,
    changes: Bool[Array, ""] | bool = True,
    room: Int[Array, ""] | int = _ENOUGH,
    recurrent: bool = False,
) -> Genome:
    """One genome's child by one structural operator, chosen by uniform `draws` in [0, 1): how many
    there are, `ends`, `activations` and `blocks` are those of `Operators`. A copy unless it
    `changes`, and where it would have more than `room` enabled connections more than its parent.

    Where the drawn operator has no place to act (no free slots, no absent or disabled connection,
    no hidden node, no second activation), the child is a copy.
    """
    operator = jnp.sum(draws[0] >= ends[:-1])
    added = jnp.array([*_ADDED, most_steps(blocks)], jnp.int32)[operator]
    operator = jnp.where(changes & (added <= room), operator, NOTHING)
    if not blocks:
        return changed(genome, operator, draws, activations, recurrent=recurrent)[0]
    inserts = operator == len(ends) - 1
    genome, _ = changed(genome, jnp.where(inserts, NOTHING, operator), draws[:4], activations, recurrent=recurrent)
    return insert_block(genome, inserts, draws[1:], blocks)


def changed(
    genome: Genome,
    operator: Int[Array, ""],
    draws: Float[Array, "4"],
    activations: tuple[int, ...],
    *,
    keep: bool = False,
    recurrent: bool = False,
) -> tuple[Genome, Change]:
    """One genome's child by `operator`, and what has changed. The first of the `draws` has no say.
    With `keep`, a connection that is split stays enabled beside the new node. `recurrent` says
    whether connections may be.
    """
    new_activation = _pick(jnp.array(activations, jnp.int8), draws[3])
    genome, other_activation = _change_activation(genome, operator, draws, activations)
    genome, (row, column, exists, opened, closed) = _rewire(genome, operator, draws, new_activation, keep, recurrent)
    acts = exists | other_activation | (closed < genome.hidden)
    return genome, Change(jnp.where(acts, operator, NOTHING), row, column, opened, closed)


def _pick(table, draw):
    return table[index(draw, table.shape[0])]


def _change_activation(genome: Genome, operator: Int[Array, ""], draws, activations: tuple[int, ...]):
    """The genome with another activation of a hidden node, and whether it has."""
    count = hidden_count(genome)
    node = index(draws[1], count)
    table = jnp.array(activations, jnp.int8)
    same = table == genome.activations[node]
    present = jnp.any(same).astype(jnp.int32)
    others = len(activations) - present
    different = table[(jnp.argmax(same).astype(jnp.int32) + present + index(draws[2], others)) % len(activations)]
    applies = (operator == CHANGE_ACTIVATION) & (count > 0)
    here = applies & (jnp.arange(genome.activations.shape[0]) == node)
    child = replace(genome, activations=jnp.where(here, different, genome.activations))
    return child, applies & (others > 0)


def _closed_slot(genome: Genome, operator, draws):
    """The slot of the hidden node that is deleted; H for none."""
    count = hidden_count(genome)
    return jnp.where((operator == DELETE_NODE) & (count > 0), index(draws[1], count), genome.hidden)


def _of_operator(table: tuple[int, ...], operator):
    return jnp.array(table, jnp.int8)[operator]


def _draw_cell(genome: Genome, operator, draw, recurrent: bool):
    """Row and column of a uniformly drawn cell among those where an operator on connections may
    act, and whether there is one: the column by how many it has, then the row.
    """
    wanted = _of_operator(_WANTED, operator)
    absent = bits.below(allowed_sources(genome, recurrent=recurrent), genome.enabled.shape[0]) & ~(genome.enabled | genome.disabled)
    cells = jnp.where(wanted == ENABLED, genome.enabled, jnp.where(wanted == DISABLED, genome.disabled, absent))
    acts = jnp.array(_ON_CONNECTIONS)[operator] & ((operator != ADD_NODE) | (hidden_count(genome) < genome.hidden))
    ends = jnp.cumsum(jnp.where(acts, jnp.sum(bits.count(cells), axis=0), 0))
    choice = index(draw, ends[-1])
    column = jnp.minimum(jnp.sum(ends <= choice), ends.shape[0] - 1)
    before = jnp.where(column > 0, ends[column - 1], 0)
    return bits.nth_row(cells[:, column], choice - before), column, ends[-1] > 0


def _rewire(genome: Genome, operator, draws, new_activation, keep: bool, recurrent: bool):
    """The genome after one of the operators on nodes or connections, or none; with the row and
    column of the cell that was chosen, whether there was one, and the slots that opened and closed.
    """
    hidden, first_hidden = genome.hidden, 1 + genome.inputs
    row, column, exists = _draw_cell(genome, operator, draws[1], recurrent)
    splits = exists & (operator == ADD_NODE)

    # The new node's slot: after its source and, unless the connection is recurrent, not after its
    # target. `hidden` stands for "no insertion".
    earliest = jnp.maximum(row - first_hidden + 1, 0)
    latest = jnp.minimum(column, hidden_count(genome))
    if recurrent:
        latest = jnp.where(row - first_hidden >= column, hidden_count(genome), latest)
    slot = jnp.where(splits, earliest + index(draws[2], latest - earliest + 1), hidden)
    closed = _closed_slot(genome, operator, draws)
    genome = move_slots(genome, slot, closed, new_activation)

    count, columns = genome.enabled.shape
    written = _of_operator((ENABLED if keep else DISABLED, *_WRITTEN[1:]), operator)
    target = column + ((column >= slot) & (column < hidden)).astype(column.dtype)
    is_target, is_new_target = jnp.arange(columns) == target, jnp.arange(columns) == slot
    source, new_source = bits.bit(row, count)[:, None], bits.bit(first_hidden + slot, count)[:, None]
    chosen = jnp.where(exists & is_target, source, 0)
    new = jnp.where(splits & is_new_target, source, jnp.where(splits & is_target, new_source, 0))
    enabled = genome.enabled & ~chosen | jnp.where(written == ENABLED, chosen, 0) | new
    disabled = genome.disabled & ~chosen | jnp.where(written == DISABLED, chosen, 0)
    return replace(genome, enabled=enabled, disabled=disabled), (row, column, exists, slot, closed)
