"""What an algorithm is to whoever drives it: pure functions on a state; and what all algorithms do with a population of genomes.

The driver needs of a state that it has `genomes`, `sizes`, and static fields for capacities that arrays do not show.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int32

from wannjax.devices import genome_block
from wannjax.expression import steps_needed
from wannjax.genome import Genome, connection_count, hidden_count
from wannjax.network import Network
from wannjax.validation import require

SMALLEST_CAPACITY = 32
"""Hidden slots, and steps, that a population starts with; both double when the largest genome fills either."""


class Sizes(NamedTuple):
    """How large each genome is: hidden nodes, enabled connections, steps of its tape at the most; each int32[P]."""

    hidden: Int32[Array, " P"]
    connections: Int32[Array, " P"]
    steps: Int32[Array, " P"]


class State(Protocol):
    """What a search carries from one generation to the next, as the driver sees it."""

    @property
    def sizes(self) -> Sizes: ...


class Algorithm(NamedTuple):
    """A search, as pure functions on its state.

    Attributes:
        init: key → state.
        ask: state → networks [P] to be scored.
        tell: (state, scores [P, W], higher is better) → the next generation's state. Non-finite scores rank last.
        grow: state → the same state with room for the next generation; between generations, outside of jit, since shapes change.
        activations: the activation ids that its networks can contain.
    """

    init: Callable[[Array], Any]
    ask: Callable[[Any], Network]
    tell: Callable[[Any, Array | np.ndarray], Any]
    grow: Callable[[Any], Any]
    activations: tuple[int, ...]


def sizes_of(genomes: Genome) -> Sizes:
    """The sizes of P genomes."""
    return Sizes(hidden_count(genomes), connection_count(genomes), jax.vmap(steps_needed)(genomes))


def require_scores(scores: Array | np.ndarray, population: int) -> None:
    """Raises ValueError unless there is a row of scores for every genome."""
    fits = scores.ndim == 2 and scores.shape[0] == population
    require("scores", scores.shape, f"of shape [{population}, number of shared weights]", fits)


def doubled(capacity: int, needed: int) -> int:
    """`capacity`, doubled until it is greater than `needed`."""
    while capacity <= needed:
        capacity *= 2
    return capacity


def in_blocks(function: Callable[[Any], Any], population: Any, *, cached: bool = False) -> Any:
    """vmap of `function` over the leading axis, in one block if memory allows, else in equal ones; the last is filled up. `cached`: see
    `genome_block`."""
    leaves = jax.tree.leaves(population)
    count = leaves[0].shape[0]
    blocks = -(-count // genome_block(sum(leaf.nbytes for leaf in leaves) // count, cached=cached))
    if blocks == 1:
        return jax.vmap(function)(population)
    block = -(-count // blocks)
    filled = jnp.arange(blocks * block) % count
    split = jax.tree.map(lambda leaf: leaf[filled].reshape(blocks, block, *leaf.shape[1:]), population)
    results = lax.map(jax.vmap(function), split)
    return jax.tree.map(lambda leaf: leaf.reshape(blocks * block, *leaf.shape[2:])[:count], results)
