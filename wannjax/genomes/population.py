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
from wannjax.genomes.genome import Genome, connection_count, hidden_count

SMALLEST_CAPACITY = 32
"""Hidden slots, and steps, that a population starts with; both double when the largest genome fills
either.
"""


class Sizes(NamedTuple):
    """How large each genome is: hidden nodes, enabled connections, steps of its tape at the most;
    each int32[P].
    """

    hidden: Int32[Array, " P"]
    connections: Int32[Array, " P"]
    steps: Int32[Array, " P"]


def sizes_of(genomes: Genome) -> Sizes:
    """The sizes of P genomes."""
    return Sizes(hidden_count(genomes), connection_count(genomes), jax.vmap(steps_needed)(genomes))


def doubled(capacity: int, needed: int) -> int:
    """`capacity`, doubled until it is greater than `needed`."""
    while capacity <= needed:
        capacity *= 2
    return capacity


def in_chunks(function: Callable[[Any], Any], population: Any, *, cached: bool = False) -> Any:
    """vmap of `function` over the leading axis, in one chunk if memory allows, else in equal ones;
    the last is filled up. `cached`: see `genomes_per_chunk`.
    """
    leaves = jax.tree.leaves(population)
    count = leaves[0].shape[0]
    chunks = -(-count // genomes_per_chunk(sum(leaf.nbytes for leaf in leaves) // count, cached=cached))
    if chunks == 1:
        return jax.vmap(function)(population)
    chunk = -(-count // chunks)
    filled = jnp.arange(chunks * chunk) % count
    split = jax.tree.map(lambda leaf: leaf[filled].reshape(chunks, chunk, *leaf.shape[1:]), population)
    results = lax.map(jax.vmap(function), split)
    return jax.tree.map(lambda leaf: leaf.reshape(chunks * chunk, *leaf.shape[2:])[:count], results)
