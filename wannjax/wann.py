"""The WANN search (Gaier & Ha 2019) as an algorithm: `init`, `ask`, `tell` on an explicit state.

`ask` expresses the population as networks; whoever drives the search scores them over the weight sweep; `tell` breeds the next
population. Its elite are the best by rank: mean score with either the best score or the number of connections, drawn anew each
generation. The others are children of parents that `selection.py` selects, by every weight in turn or by that rank. The settings are
in `config.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int32, Key

from wannjax.activations import LINEAR, NAMES, SUM
from wannjax.config import AUTO, LEXICASE, WannConfig
from wannjax.devices import genome_block
from wannjax.expression import express, steps_needed
from wannjax.genome import Genome, Placeholder, connection_count, grow, hidden_count, random_genome
from wannjax.mutation import mutate
from wannjax.network import Network
from wannjax.ranking import finite_or_worst, rank, usable
from wannjax.selection import lexicase, tournaments
from wannjax.validation import require

SMALLEST_CAPACITY = 32
"""Hidden slots, and steps, that a population starts with; both double when the largest genome fills either."""


class Sizes(NamedTuple):
    """How large each genome is: hidden nodes, enabled connections, steps of its tape at the most; each int32[P]."""

    hidden: Int32[Array, " P"]
    connections: Int32[Array, " P"]
    steps: Int32[Array, " P"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class WannState:
    """What a search carries from one generation to the next.

    Attributes:
        genomes: the population, P genomes.
        sizes: of the genomes.
        key: drives everything random that is still to come.
        generation: generations told so far.
        steps: the steps that expressed networks have room for, outputs not counted.
    """

    genomes: Genome | Placeholder
    sizes: Sizes
    key: Key[Array, ""] | Placeholder
    generation: Int32[Array, ""] | Placeholder
    steps: int = field(metadata={"static": True})


class Algorithm(NamedTuple):
    """A search, as pure functions on its state.

    Attributes:
        init: key → state.
        ask: state → networks [P] to be scored.
        tell: (state, scores [P, W], higher is better) → the next generation's state. Non-finite scores rank last.
        grow: state → the same state with room for the next generation; between generations, outside of jit, since shapes change.
        activations: the activation ids that its networks can contain.
    """

    init: Callable[[Array], WannState]
    ask: Callable[[WannState], Network]
    tell: Callable[[WannState, Array | np.ndarray], WannState]
    grow: Callable[[WannState], WannState]
    activations: tuple[int, ...]


@lru_cache(maxsize=16)  # the same settings share their compiled functions
def wann(config: WannConfig, *, inputs: int, outputs: int) -> Algorithm:
    """The WANN search for networks of `inputs` inputs and `outputs` outputs, linear ones where `config.output_activation` is `AUTO`.

    >>> algorithm = WannConfig(population=8).algorithm(inputs=2, outputs=1)
    >>> state = algorithm.init(jax.random.key(0))
    >>> networks = algorithm.ask(state)
    >>> scores = jnp.zeros((8, 6))  # any function of the networks, one score per network and shared weight
    >>> state = algorithm.grow(algorithm.tell(state, scores))
    """
    require("inputs", inputs, "an integer >= 1", inputs >= 1)
    require("outputs", outputs, "an integer >= 1", outputs >= 1)
    operators = config.operators
    density = min(config.initial_density, config.initial_fan_in / (1 + inputs))
    survivors = config.population - int(config.cull_ratio * config.population)
    elites = int(config.elite_ratio * survivors)
    output_activation = LINEAR if config.output_activation == AUTO else NAMES.index(config.output_activation)

    @jax.jit
    def populate(key):
        draw, key = jax.random.split(key)
        genome = partial(
            random_genome,
            inputs=inputs,
            outputs=outputs,
            hidden=SMALLEST_CAPACITY,
            density=density,
            output_activation=output_activation,
        )
        genomes = jax.vmap(genome)(jax.random.split(draw, config.population))
        return WannState(genomes, sizes_of(genomes), key, jnp.int32(0), SMALLEST_CAPACITY)

    @jax.jit
    def ask(state):
        return _in_blocks(lambda genome: express(genome, state.steps), state.genomes)

    @jax.jit
    def tell(state, scores):
        fits = scores.ndim == 2 and scores.shape[0] == config.population
        require("scores", scores.shape, f"of shape [{config.population}, number of shared weights]", fits)
        which, draw_parents, draw_moves, key = jax.random.split(state.key, 4)
        by_complexity = jax.random.bernoulli(which, config.complexity_probability)
        order = jnp.argsort(_rank(state.sizes.connections, scores, by_complexity))

        children = config.population - elites
        if config.selection == LEXICASE:
            parents = lexicase(draw_parents, *cases_of(scores), count=children)
        else:  # a parent is the better of two tournaments' winners
            parents = tournaments(draw_parents, order[:survivors], size=2 * config.tournament, count=children)
        draws = jax.random.uniform(draw_moves, (children, operators.draws))
        born = _in_blocks(
            lambda pair: mutate(pair[0], pair[1], operators), (jax.tree.map(lambda leaf: leaf[parents], state.genomes), draws)
        )
        genomes = jax.tree.map(lambda old, new: jnp.concatenate([old[order[:elites]], new]), state.genomes, born)
        return WannState(genomes, sizes_of(genomes), key, state.generation + 1, state.steps)

    def enlarge(state):
        hidden, steps = int(np.max(state.sizes.hidden)), int(np.max(state.sizes.steps))
        # Room for what a generation adds at the most. Both grow at once where they can: every new shape costs a compilation.
        room = _doubled(state.steps, steps + operators.most_steps)
        needed = hidden + operators.most_nodes
        capacity = _doubled(state.genomes.hidden, needed if room == state.steps else max(2 * hidden + 1, needed))
        if (capacity, room) == (state.genomes.hidden, state.steps):
            return state
        return replace(state, genomes=_grow(state.genomes, capacity), steps=room)

    of_blocks = {NAMES.index(name) for block in operators.blocks for name in block.activations}
    among = tuple(sorted({SUM, output_activation, *operators.activations, *of_blocks}))
    return Algorithm(lambda key: enlarge(populate(key)), ask, tell, enlarge, among)


def _doubled(capacity: int, needed: int) -> int:
    """`capacity`, doubled until it is at least `needed`."""
    while capacity < needed:
        capacity *= 2
    return capacity


_grow = jax.jit(grow, static_argnums=1)


def sizes_of(genomes: Genome) -> Sizes:
    """The sizes of P genomes."""
    return Sizes(hidden_count(genomes), connection_count(genomes), jax.vmap(steps_needed)(genomes))


def _rank(connections: Int32[Array, " P"], scores: Float[Array, "P W"], by_complexity) -> Int32[Array, " P"]:
    """The ranking of one generation: mean score with either the best score or the number of connections."""
    valid = usable(scores)
    mean = finite_or_worst(jnp.mean(scores, axis=1), valid)
    best = finite_or_worst(jnp.max(scores, axis=1), valid)
    simplicity = finite_or_worst(1.0 / jnp.maximum(connections, 1), valid)
    return rank(mean, jnp.where(by_complexity, simplicity, best))


def cases_of(scores: Float[Array, "P W"]) -> tuple[Float[Array, "P C"], Bool[Array, " P"]]:
    """What lexicase selection selects for, and which genomes it may select: the score at every weight, and the mean score."""
    valid = usable(scores)
    cases = jnp.concatenate([scores, jnp.mean(scores, axis=1, keepdims=True)], axis=1)
    return jnp.where(valid[:, None], cases, 0.0), valid


def _in_blocks(function, population):
    """vmap of `function` over the leading axis, in one block if memory allows, else in equal ones; the last is filled up."""
    leaves = jax.tree.leaves(population)
    count = leaves[0].shape[0]
    blocks = -(-count // genome_block(sum(leaf.nbytes for leaf in leaves) // count))
    if blocks == 1:
        return jax.vmap(function)(population)
    block = -(-count // blocks)
    filled = jnp.arange(blocks * block) % count
    split = jax.tree.map(lambda leaf: leaf[filled].reshape(blocks, block, *leaf.shape[1:]), population)
    results = lax.map(jax.vmap(function), split)
    return jax.tree.map(lambda leaf: leaf.reshape(blocks * block, *leaf.shape[2:])[:count], results)
