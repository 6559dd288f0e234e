"""What the structural operators do to hidden slots: open some, close one; and how they choose among
things by uniform draws.

Shifts are static, selected with `where`: no gather. A matrix is read and written once, however many
slots open or close: on a CPU these passes are what breeding costs. Everything is for one genome;
callers vmap. A slot of H, the number of them, stands for none.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool

from wannjax.genomes.genome import ABSENT, Genome


def index(draw, count):
    """A uniform index below `count`; 0 when there is none."""
    count = jnp.asarray(count, jnp.int32)
    return jnp.minimum(jnp.floor(draw * count.astype(jnp.float32)).astype(jnp.int32), jnp.maximum(count - 1, 0))


class _Shift(NamedTuple):
    """Where the slots along an axis come from, if not from where they are: from `width` places
    before, from the next place, or from nowhere.
    """

    later: Bool[Array, " places"]
    earlier: Bool[Array, " places"]
    empty: Bool[Array, " places"]


def _shift(places: int, first: int, hidden: int, opened, closed, width: int) -> _Shift:
    slot = jnp.arange(places, dtype=jnp.int32) - first
    inside = (slot >= 0) & (slot < hidden)
    last = (slot == hidden - 1) & (closed < hidden)
    return _Shift(
        inside & (slot >= opened + width),
        inside & (slot >= closed),
        inside & ((slot >= opened) & (slot < opened + width) | last),
    )


def move_slots(genome: Genome, opened, closed, activation, width: int = 1) -> Genome:
    """The genome with `width` unconnected nodes of that activation from slot `opened` on, for which
    as many slots, which must be empty, fall off; or without the node in slot `closed` and its
    connections. One of the two at the most.
    """
    hidden = genome.hidden
    rows, columns = genome.connections.shape
    down = _shift(rows, 1 + genome.inputs, hidden, opened, closed, width)
    right = _shift(columns, 0, hidden, opened, closed, width)
    by_row, by_column = _Shift(*(mask[:, None] for mask in down)), _Shift(*(mask[None, :] for mask in right))
    padded = jnp.pad(genome.connections, (width, 1))

    def moved(row: int, column: int):
        return lax.slice(padded, (width + row, width + column), (width + row + rows, width + column + columns))

    opening = jnp.where(by_column.later, moved(-width, -width), moved(-width, 0))
    closing = jnp.where(by_column.earlier, moved(1, 1), moved(1, 0))
    beside = jnp.where(by_column.later, moved(0, -width), jnp.where(by_column.earlier, moved(0, 1), moved(0, 0)))
    connections = jnp.where(by_row.later, opening, jnp.where(by_row.earlier, closing, beside))
    connections = jnp.where(by_row.empty | by_column.empty, jnp.int8(ABSENT), connections)
    activations = _moved_along(right, genome.activations, jnp.where(opened < hidden, activation, 0), width)
    return Genome(connections, activations, genome.inputs, genome.outputs)


def move_values(values, opened, closed):
    """The `values` of the hidden slots after `move_slots`; a new node has 0."""
    hidden = values.shape[0]
    return _moved_along(_shift(hidden, 0, hidden, opened, closed, 1), values, 0, 1)


def _moved_along(shift: _Shift, values, new, width: int):
    padded = jnp.pad(values, (width, 1))
    behind, ahead = padded[: values.shape[0]], padded[width + 1 :]
    moved = jnp.where(shift.later, behind, jnp.where(shift.earlier, ahead, values))
    return jnp.where(shift.empty, jnp.asarray(new, values.dtype), moved)
