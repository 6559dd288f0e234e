"""What the structural operators do to hidden slots: open some, close one; and how they choose among things by uniform draws.

Shifts are static, selected with `where`: no gather. Everything is for one genome; callers vmap.
"""

import jax.numpy as jnp
from jax import lax

from wannjax.genome import ABSENT, Genome


def index(draw, count):
    """A uniform index below `count`; 0 when there is none."""
    return jnp.minimum(jnp.floor(draw * count).astype(jnp.int32), jnp.maximum(count - 1, 0))


def open_slots(genome: Genome, slot, activation, width: int = 1) -> Genome:
    """Shifts the hidden slots from `slot` on by `width`, for unconnected nodes with that activation; as many, empty, fall off. `slot` is
    H for none."""
    hidden, first_hidden = genome.hidden, 1 + genome.inputs
    matrix = genome.connections
    position = jnp.arange(matrix.shape[0])[:, None] - first_hidden
    down = jnp.concatenate([matrix[:width], matrix[:-width]], axis=0)
    matrix = jnp.where(position >= slot + width, down, jnp.where(position >= slot, jnp.int8(ABSENT), matrix))

    position = jnp.arange(hidden)[None, :]
    slots = matrix[:, :hidden]
    right = jnp.concatenate([slots[:, :width], slots[:, :-width]], axis=1)
    slots = jnp.where(position >= slot + width, right, jnp.where(position >= slot, jnp.int8(ABSENT), slots))

    connections = jnp.concatenate([slots, matrix[:, hidden:]], axis=1)
    opened = insert(genome.activations[:hidden], slot, activation, width)
    activations = jnp.concatenate([opened, genome.activations[hidden:]])
    return Genome(connections, activations, genome.inputs, genome.outputs)


def insert(slots, slot, value, width: int = 1):
    """`slots` [H] with `value` in the `width` of them from `slot` on, and those that were there shifted behind; the last ones fall off.
    Unchanged where `slot` is H."""
    position = jnp.arange(slots.shape[0])
    shifted = jnp.concatenate([slots[:width], slots[:-width]])
    return jnp.where(position >= slot + width, shifted, jnp.where(position >= slot, value, slots))


def close_slot(array, axis: int, first: int, hidden: int, slot):
    """Shifts the slots behind `slot` back by one along `axis`, where they start at `first`; `hidden` stands for none."""
    slots, rest = jnp.split(array, [first + hidden], axis=axis)
    ahead = lax.slice_in_dim(slots, 1, None, axis=axis)
    empty = jnp.zeros_like(lax.slice_in_dim(slots, 0, 1, axis=axis))
    position = lax.broadcasted_iota(jnp.int32, slots.shape, axis) - first
    slots = jnp.where(position >= slot, jnp.concatenate([ahead, empty], axis=axis), slots)
    return jnp.concatenate([slots, rest], axis=axis)
