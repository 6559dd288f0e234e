"""What is done with a population of genomes, whichever search it belongs to: how large they are,
the capacity that they need, and work on all of them in pieces that fit the memory.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int32

from wannjax.common.devices import genomes_per_chunk
from wannjax.genomes.expression import steps_needed
from wannjax.genomes.genome import Genome, fan_in, hidden_count

SMALLEST_CAPACITY = 32
"""Hidden slots, and steps, that a population starts with; they are enlarged when the largest genome
fills them.
"""
_WIDE = 128
"""Hidden slots, and steps, from which on empty ones cost more than a compilation."""


class Sizes(NamedTuple):
    """How large each genome is: hidden nodes, enabled connections, steps of its tape at the most;
    each int32[P].
    """

    hidden: Int32[Array, " P"]
    connections: Int32[Array, " P"]
    steps: Int32[Array, " P"]


def size_of(genome: Genome) -> Sizes:
    """The size of one genome."""
    counts = fan_in(genome)
    return Sizes(hidden_count(genome), jnp.sum(counts), steps_needed(counts, genome))


def sizes_of(genomes: Genome) -> Sizes:
    """The sizes of P genomes."""
    return in_chunks(size_of, genomes)


def doubled(capacity: int, needed: int) -> int:
    """`capacity`, doubled until it is greater than `needed`."""
    while capacity <= needed:
        capacity *= 2
    return capacity


def larger(capacity: int, needed: int) -> int:
    """`capacity`, enlarged until it is greater than `needed`: a small one by doubling, a large one
    by a quarter at a time.
    """
    while capacity <= needed:
        capacity = 2 * capacity if capacity < _WIDE else capacity * 5 // 32 * 8
    return capacity


def more_slots(slots: int, needed: int, *, with_others: bool) -> int:
    """`larger` hidden slots. Where other arrays are enlarged anyway, few slots are so for twice the
    need, since every new shape is a compilation.
    """
    return larger(slots, 2 * needed if with_others and slots < _WIDE else needed)


def in_chunks(function: Callable[[Any], Any], arguments: Any, *, of: Any = None, cached: bool = False) -> Any:
    """vmap of `function` over the leading axis of `arguments`, in one chunk if that is quick and
    memory allows, else in equal ones, of which the last two may overlap.

    Args:
        of: the population that the function reads; by default `arguments`.
        cached: see `genomes_per_chunk`.
    """
    leaves = jax.tree.leaves(arguments if of is None else of)
    count = leaves[0].shape[0]
    chunks = -(-count // genomes_per_chunk(sum(leaf.nbytes for leaf in leaves) // count, cached=cached))
    if chunks == 1:
        return jax.vmap(function)(arguments)
    chunk = -(-count // chunks)

    def do(number, results):
        start = jnp.minimum(number * chunk, count - chunk)
        part = jax.tree.map(lambda leaf: lax.dynamic_slice_in_dim(leaf, start, chunk), arguments)
        return jax.tree.map(lambda all_, new: lax.dynamic_update_slice_in_dim(all_, new, start, 0), results, jax.vmap(function)(part))

    shapes = jax.eval_shape(jax.vmap(function), arguments)
    return lax.fori_loop(0, chunks, do, jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes))
