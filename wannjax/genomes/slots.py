"""What the structural operators do to hidden slots: open some, close one; and how they choose among
things by uniform draws.

Slots that stay keep their order, so that every connection keeps its kind: one that is recurrent
(see `genome.py`) stays so, and no other becomes so. Shifts are static, selected with `where`: no
gather. Everything is for one genome; callers vmap. A slot of H, the number of them, stands for
none.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool

from wannjax.genomes import bits
from wannjax.genomes.genome import Genome


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


def _shift(places: int, hidden: int, opened, closed, width: int) -> _Shift:
    slot = jnp.arange(places, dtype=jnp.int32)
    inside = slot < hidden
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
    hidden, first_hidden, count = genome.hidden, 1 + genome.inputs, genome.enabled.shape[0]
    targets = hidden + genome.outputs
    columns = _shift(targets, hidden, opened, closed, width)
    ends = (first_hidden + opened, first_hidden + opened + width, first_hidden + closed)
    opens, opened_end, closes = (bits.below(end, count)[:, None] for end in ends)

    def moved(words):
        # Padded once, before anything else: what pads in between is not vectorised on a CPU.
        padded = jnp.pad(words, ((1, 1), (width, 1)))

        def in_place(word: int):
            """Words so many further, their columns moved."""
            starts = (0, width, width + 1)
            behind, there, ahead = (lax.slice(padded, (1 + word, start), (1 + word + count, start + targets)) for start in starts)
            return _selected(columns, behind, there, ahead, 0)

        here = in_place(0)
        later = here << jnp.uint32(width) | in_place(-1) >> jnp.uint32(bits.WORD - width)
        earlier = here >> jnp.uint32(1) | in_place(1) << jnp.uint32(bits.WORD - 1)
        return here & opens & closes | later & ~opened_end | earlier & ~closes

    activations = _moved_along(columns, genome.activations, jnp.where(opened < hidden, activation, 0), width)
    return Genome(moved(genome.enabled), moved(genome.disabled), activations, genome.inputs, genome.outputs)


def move_values(values, opened, closed):
    """The `values` of the hidden slots after `move_slots`; a new node has 0."""
    hidden = values.shape[0]
    return _moved_along(_shift(hidden, hidden, opened, closed, 1), values, 0, 1)


def _moved_along(shift: _Shift, values, new, width: int):
    padded = jnp.pad(values, (width, 1))
    return _selected(shift, padded[: values.shape[0]], values, padded[width + 1 :], new)


def _selected(shift: _Shift, behind, values, ahead, new):
    """The `values` along the last axis, those `behind` and `ahead` of them, or `new` ones."""
    moved = jnp.where(shift.later, behind, jnp.where(shift.earlier, ahead, values))
    return jnp.where(shift.empty, jnp.asarray(new, values.dtype), moved)
