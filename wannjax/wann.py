"""The WANN search (Gaier & Ha 2019) as an algorithm: `init`, `ask`, `tell` on an explicit state.

`ask` expresses the population as networks; whoever drives the search scores them over the weight sweep; `tell` breeds the next
population. Its elite are the best by rank: mean score with either the best score or the number of connections, drawn anew each
generation. The others are children of parents that `selection.py` selects, by every weight in turn or by that rank. Islands are equal
parts of the population that do so each by itself. The settings are in `config.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int32, Key

from wannjax.activations import NAMES, SUM
from wannjax.algorithm import SMALLEST_CAPACITY, Algorithm, Sizes, doubled, in_blocks, require_scores, sizes_of
from wannjax.config import LEXICASE, WannConfig, output_activation_id
from wannjax.expression import express
from wannjax.genome import Genome, Placeholder, grow, random_genome
from wannjax.mutation import SHARED, Operators, mutate
from wannjax.ranking import finite_or_worst, rank, usable
from wannjax.selection import lexicase, tournaments
from wannjax.validation import require

RATES = ("initial_density", "initial_fan_in", "complexity_probability", *SHARED, "insert_block")
"""The settings that are numbers in the compiled programs: searches that differ in these alone share them, and can run side by side."""


class Rates(NamedTuple):
    """How often things happen.

    Attributes:
        by_complexity: float32[], the probability that few connections rank in place of the best score.
        ends: of the structural operators' shares: see `Operators`.
    """

    by_complexity: Float32[Array, ""]
    ends: Float32[Array, " rates"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class WannState:
    """What a search carries from one generation to the next.

    Attributes:
        genomes: the population, P genomes.
        sizes: of the genomes.
        key: drives everything random that is still to come.
        generation: generations told so far.
        rates: they stay the same.
        steps: the steps that expressed networks have room for, outputs not counted.
    """

    genomes: Genome | Placeholder
    sizes: Sizes
    key: Key[Array, ""] | Placeholder
    generation: Int32[Array, ""] | Placeholder
    rates: Rates
    steps: int = field(metadata={"static": True})


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
    rates = Rates(jnp.float32(config.complexity_probability), jnp.asarray(operators.ends))
    density = jnp.float32(min(config.initial_density, config.initial_fan_in / (1 + inputs)))
    populate, ask, tell = _programs(_with_usual_rates(config), inputs, outputs)
    of_blocks = {NAMES.index(name) for block in operators.blocks for name in block.activations}
    among = tuple(sorted({SUM, output_activation_id(config), *operators.activations, *of_blocks}))
    enlarge = partial(_enlarge, operators=operators)
    return Algorithm(lambda key: enlarge(populate(key, density, rates)), ask, tell, enlarge, among)


@lru_cache(maxsize=16)
def _programs(config: WannConfig, inputs: int, outputs: int) -> tuple[Callable, Callable, Callable]:
    """The compiled functions of searches with these settings, whatever their `RATES`: (key, density, rates) → state, `ask` and `tell`."""
    operators = config.operators
    size = config.population // config.islands
    survivors = size - int(config.cull_ratio * size)
    elites = int(config.elite_ratio * survivors)

    @jax.jit
    def populate(key, density, rates):
        draw, key = jax.random.split(key)
        genome = partial(
            random_genome,
            inputs=inputs,
            outputs=outputs,
            hidden=SMALLEST_CAPACITY,
            density=density,
            output_activation=output_activation_id(config),
        )
        genomes = jax.vmap(genome)(jax.random.split(draw, config.population))
        return WannState(genomes, sizes_of(genomes), key, jnp.int32(0), rates, SMALLEST_CAPACITY)

    @jax.jit
    def ask(state):
        return in_blocks(lambda genome: express(genome, state.steps), state.genomes)

    @jax.jit
    def tell(state, scores):
        require_scores(scores, config.population)
        which, draw_parents, draw_moves, key = jax.random.split(state.key, 4)
        by_complexity = jax.random.bernoulli(which, state.rates.by_complexity)

        def select(key, scores, connections):
            """An island's elite, and the parents of its children."""
            order = jnp.argsort(_rank(connections, scores, by_complexity))
            if config.selection == LEXICASE:
                parents = lexicase(key, *cases_of(scores), tolerance=config.tolerance, count=size - elites)
            else:  # a parent is the better of two tournaments' winners
                parents = tournaments(key, order[:survivors], size=2 * config.tournament, count=size - elites)
            return order[:elites], parents

        keys = draw_parents[None] if config.islands == 1 else jax.random.split(draw_parents, config.islands)
        islands = (leaf.reshape(config.islands, size, *leaf.shape[1:]) for leaf in (scores, state.sizes.connections))
        first = size * jnp.arange(config.islands)[:, None]
        kept, parents = ((first + chosen).reshape(-1) for chosen in jax.vmap(select)(keys, *islands))
        draws = jax.random.uniform(draw_moves, (len(parents), operators.draws))
        born = in_blocks(
            lambda pair: mutate(pair[0], pair[1], state.rates.ends, operators.activations, operators.blocks),
            (jax.tree.map(lambda leaf: leaf[parents], state.genomes), draws),
        )

        def assemble(old, new):
            """Island by island, the elite before the children."""
            kept_best, children = (
                part.reshape(config.islands, count, *part.shape[1:]) for part, count in ((old[kept], elites), (new, size - elites))
            )
            return jnp.concatenate([kept_best, children], axis=1).reshape(old.shape)

        genomes = jax.tree.map(assemble, state.genomes, born)
        return WannState(genomes, sizes_of(genomes), key, state.generation + 1, state.rates, state.steps)

    return populate, ask, tell


def _with_usual_rates(config: WannConfig) -> WannConfig:
    usual = {setting.name: setting.default for setting in fields(WannConfig) if setting.name in RATES}
    return config.replace(**usual | {"insert_block": float(bool(config.blocks))})


def _enlarge(state: WannState, operators: Operators) -> WannState:
    """`Algorithm.grow`, for one run or, with a leading axis on the state's arrays, for several."""
    hidden, steps = int(np.max(state.sizes.hidden)), int(np.max(state.sizes.steps))
    # What there will be after a generation, at the most. Both grow at once where they can: every new shape costs a compilation.
    room = doubled(state.steps, steps + operators.most_steps - 1)
    needed = hidden + operators.most_nodes - 1
    capacity = doubled(state.genomes.hidden, needed if room == state.steps else max(2 * hidden, needed))
    return with_room(state, capacity, room)


def with_room(state: WannState, hidden: int, steps: int) -> WannState:
    """The same state with so many hidden slots and steps, at least as many as it has: padding, which changes no result."""
    if (hidden, steps) == (state.genomes.hidden, state.steps):
        return state
    return replace(state, genomes=_grow(state.genomes, hidden), steps=steps)


_grow = jax.jit(grow, static_argnums=1)


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
