"""What the structural operators do to hidden slots: open some, close one; and how they choose among
things by uniform draws.

Shifts are static, selected with `where`: no gather. Everything is for one genome; callers vmap. A
slot of H, the number of them, stands for none.
"""

import jax.numpy as jnp
from jax import lax

from wannjax.genomes.genome import ABSENT, Genome


def index(draw, count):
    """A uniform index below `count`; 0 when there is none."""
    count = jnp.asarray(count, jnp.int32)
    return jnp.minimum(jnp.floor(draw * count.astype(jnp.float32)).astype(jnp.int32), jnp.maximum(count - 1, 0))


def open_slots(genome: Genome, slot, activation, width: int = 1) -> Genome:
    """The genome with `width` unconnected nodes of that activation from `slot` on; as many slots,
    which must be empty, fall off.
    """
    hidden = genome.hidden
    connections = insert(genome.connections, slot, jnp.int8(ABSENT), hidden, width=width, first=1 + genome.inputs)
    connections = insert(connections, slot, jnp.int8(ABSENT), hidden, width=width, axis=1)
    activations = insert(genome.activations, slot, activation, hidden, width=width)
    return Genome(connections, activations, genome.inputs, genome.outputs)


def close_slot(genome: Genome, slot) -> Genome:
    """The genome without the node in `slot` and its connections."""
    connections = remove(remove(genome.connections, slot, genome.hidden, first=1 + genome.inputs), slot, genome.hidden, axis=1)
    return Genome(connections, remove(genome.activations, slot, genome.hidden), genome.inputs, genome.outputs)


def insert(array, slot, value, hidden: int, *, width: int = 1, axis: int = 0, first: int = 0):
    """The array with `value` in `width` slots from `slot` on, and those that were there behind; the
    slots start at `first` along `axis`.
    """
    slots, rest = jnp.split(array, [first + hidden], axis=axis)
    kept = max(first + hidden - width, 0)
    parts = [lax.slice_in_dim(slots, 0, end, axis=axis) for end in (first + hidden - kept, kept)]
    shifted = jnp.concatenate(parts, axis=axis)
    position = lax.broadcasted_iota(jnp.int32, slots.shape, axis) - first
    slots = jnp.where(position >= slot + width, shifted, jnp.where(position >= slot, value, slots))
    return jnp.concatenate([slots, rest], axis=axis)


def remove(array, slot, hidden: int, *, axis: int = 0, first: int = 0):
    """The array without `slot`: those behind it move up, and the last one is 0; the slots start at
    `first` along `axis`.
    """
    slots, rest = jnp.split(array, [first + hidden], axis=axis)
    behind = lax.slice_in_dim(slots, 1, None, axis=axis)
    empty = jnp.zeros_like(lax.slice_in_dim(slots, 0, 1, axis=axis))
    position = lax.broadcasted_iota(jnp.int32, slots.shape, axis) - first
    slots = jnp.where(position >= slot, jnp.concatenate([behind, empty], axis=axis), slots)
    return jnp.concatenate([slots, rest], axis=axis)
