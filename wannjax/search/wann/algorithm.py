"""The WANN search (Gaier & Ha 2019) as an algorithm: `init`, `ask`, `tell` on an explicit state.

`ask` expresses the population as networks; whoever drives the search scores them over the weight
sweep; `tell` breeds the next population. Its elite are the best by rank: mean score with either the
best score or the number of connections, drawn anew each generation. The others are children of
parents that `selection.py` selects, by every weight (or every episode at every weight) in turn or
by that rank. This is one island; several side by side are in `search/islands.py`. The settings,
from which all this is called, are in `config.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int32, Key

from wannjax.common.pytrees import Placeholder
from wannjax.common.validation import require, require_count
from wannjax.genomes.blocks import Block
from wannjax.genomes.expression import express
from wannjax.genomes.genome import Genome, connection_count, random_genome
from wannjax.genomes.genome import enlarge as enlarge_genome
from wannjax.genomes.given import genomes_of, graphs_of
from wannjax.genomes.operators import draws_of, most_nodes, most_steps, mutate
from wannjax.genomes.population import SMALLEST_CAPACITY, Sizes, in_chunks, larger, more_slots, sizes_of
from wannjax.networks.activations import NAMES, SUM
from wannjax.networks.network import Network
from wannjax.search.algorithm import Info, require_scores
from wannjax.search.islands import Island, with_last
from wannjax.search.ranking import finite_or_worst, rank, usable
from wannjax.search.selection import lexicase, tournaments


class Rules(NamedTuple):
    """What the programs of a search are compiled for: searches with equal rules share them.

    Attributes:
        population: genomes.
        survivors, elites: genomes that tournaments draw from, and those of them that are kept
            unchanged.
        lexicase: whether parents are selected by every weight in turn; by tournaments on their rank
            otherwise.
        by_episode: whether lexicase selection goes by every episode at every weight.
        tolerance: see `lexicase`.
        tournament: genomes per tournament.
        output_activation: id of the activation of the outputs.
        activations: ids of those that hidden nodes take.
        blocks: that may be inserted.
        recurrent: whether connections may be.
    """

    population: int
    survivors: int
    elites: int
    lexicase: bool
    by_episode: bool
    tolerance: float
    tournament: int
    output_activation: int
    activations: tuple[int, ...]
    blocks: tuple[Block, ...]
    recurrent: bool


class Rates(NamedTuple):
    """How often things happen: numbers in the compiled programs.

    Attributes:
        density: float32[], the probability that a connection from bias or input to output starts
            enabled.
        by_complexity: float32[], the probability that few connections rank in place of the best
            score.
        ends: of the structural operators' shares: see `Operators`.
        connections: int32[], the enabled connections that genomes grow to, at the most.
    """

    density: Float32[Array, ""]
    by_complexity: Float32[Array, ""]
    ends: Float32[Array, " rates"]
    connections: Int32[Array, ""]


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


def wann(rules: Rules, rates: Rates, *, inputs: int, outputs: int, start: Sequence[Network] = ()) -> Island:
    """The WANN search for networks of `inputs` inputs and `outputs` outputs, as one island. Where
    it has a `start`, it begins with those networks, without their weights, and their children.

    >>> import wannjax
    >>> algorithm = wannjax.WannConfig(population=8).algorithm(inputs=2, outputs=1)
    >>> state = algorithm.init(jax.random.key(0))
    >>> networks = algorithm.ask(state)
    >>> scores = jnp.zeros((8, 6))  # any function of the networks and shared weights
    >>> state, info = algorithm.tell(state, scores)
    >>> state = algorithm.enlarge(state)
    """
    inputs, outputs = require_count("inputs", inputs), require_count("outputs", outputs)
    populate, populate_from, ask, tell, settle = _programs(rules, inputs, outputs)
    of_blocks = {NAMES.index(name) for block in rules.blocks for name in block.activations}
    ids = {SUM, rules.output_activation, *rules.activations, *of_blocks}
    if start:
        graphs = graphs_of(start, inputs=inputs, outputs=outputs, most=rules.population, recurrent=rules.recurrent)
        ids = ids.union(*(graph.activations for graph in graphs))
        most = max(len(graph.connections) for graph in graphs)
        bound = int(rates.connections)
        require("start", f"a network of {most} connections", f"of at most max_connections={bound}", most <= bound)
        nodes = max(len(graph.activations) for graph in graphs) - outputs
        genomes = genomes_of(graphs, more_slots(SMALLEST_CAPACITY, nodes + most_nodes(rules.blocks) - 1, with_others=True))
        populate = partial(populate_from, genomes)
    return Island(
        lambda key, _: populate(key, rates),
        ask,
        tell,
        needs=_needs,
        enlarge=partial(_enlarge, blocks=rules.blocks),
        emigrants=lambda state, chosen: _taken(state.genomes, chosen),
        settle=settle,
        activation_ids=tuple(sorted(ids)),
        by_episode=rules.by_episode,
    )


@lru_cache(maxsize=16)
def _programs(rules: Rules, inputs: int, outputs: int) -> tuple[Callable, ...]:
    """The compiled functions of searches with these rules, whatever their rates: (key, rates) →
    state, (genomes to start from, key, rates) → state, `ask`, `tell`, and (state, genomes) → state
    with these in the last places.
    """
    size = rules.population
    child_of = partial(mutate, activations=rules.activations, blocks=rules.blocks, recurrent=rules.recurrent)

    def first_state(genomes, key, rates):
        return WannState(genomes, sizes_of(genomes), key, jnp.int32(0), rates, SMALLEST_CAPACITY)

    @jax.jit
    def populate(key, rates):
        draw, key = jax.random.split(key)
        genome = partial(
            random_genome,
            inputs=inputs,
            outputs=outputs,
            hidden=SMALLEST_CAPACITY,
            density=rates.density,
            output_activation=rules.output_activation,
        )
        genomes = jax.vmap(genome)(jax.random.split(draw, size))
        return first_state(genomes, key, rates)

    @jax.jit
    def populate_from(given, key, rates):
        draw, key = jax.random.split(key)
        draws = jax.random.uniform(draw, (size, draws_of(rules.blocks)), jnp.float32)
        place, count = jnp.arange(size), given.activations.shape[0]

        def one(child):
            place, draws = child
            genome = jax.tree.map(lambda leaf: leaf[place % count], given)
            room = rates.connections - connection_count(genome)
            return child_of(genome, draws, rates.ends, changes=place >= count, room=room)

        genomes = jax.vmap(one)((place, draws))
        return first_state(genomes, key, rates)

    @jax.jit
    def ask(state):
        return in_chunks(lambda genome: express(genome, state.steps, recurrent=rules.recurrent), state.genomes)

    @jax.jit
    def tell(state, scores):
        require_scores(scores, size, by_episode=rules.by_episode)
        each = scores.reshape(size, -1)
        scores = scores if scores.ndim == 2 else jnp.mean(scores, axis=2)
        which, draw_parents, draw_moves, key = jax.random.split(state.key, 4)
        by_complexity = jax.random.bernoulli(which, state.rates.by_complexity)
        order = jnp.argsort(_rank(state.sizes.connections, scores, by_complexity))
        count = size - rules.elites
        if rules.lexicase:
            parents = lexicase(draw_parents, *cases_of(scores, each), tolerance=rules.tolerance, count=count)
        else:  # a parent is the better of two tournaments' winners
            parents = tournaments(draw_parents, order[: rules.survivors], size=2 * rules.tournament, count=count)
        draws = jax.random.uniform(draw_moves, (count, draws_of(rules.blocks)), jnp.float32)

        def succeed(place):
            origin, draws, is_child = place
            parent = _taken(state.genomes, origin)
            room = state.rates.connections - state.sizes.connections[origin]
            return child_of(parent, draws, state.rates.ends, changes=is_child, room=room)

        # The elite before the children.
        origins = jnp.concatenate([order[: rules.elites], parents])
        draws = jnp.pad(draws, ((rules.elites, 0), (0, 0)))
        genomes = in_chunks(succeed, (origins, draws, jnp.arange(size) >= rules.elites), of=state.genomes)
        following = WannState(genomes, sizes_of(genomes), key, state.generation + 1, state.rates, state.steps)
        return following, Info(state.sizes.hidden, state.sizes.connections, {})

    @jax.jit
    def settle(state, genomes):
        return replace(state, genomes=with_last(state.genomes, genomes), sizes=with_last(state.sizes, sizes_of(genomes)))

    return populate, populate_from, ask, tell, settle


def _needs(state: WannState) -> tuple[int, int]:
    """The hidden nodes, and the steps, of the largest genomes."""
    return int(np.max(state.sizes.hidden)), int(np.max(state.sizes.steps))


def _enlarge(state: WannState, needs: tuple[int, int], blocks: tuple[Block, ...]) -> WannState:
    """The state with room for what comes of genomes with these needs."""
    hidden, steps = needs
    # What there will be after a generation, at the most.
    room = larger(state.steps, steps + most_steps(blocks) - 1)
    capacity = more_slots(state.genomes.hidden, hidden + most_nodes(blocks) - 1, with_others=room != state.steps)
    if (capacity, room) == (state.genomes.hidden, state.steps):
        return state
    return replace(state, genomes=_enlarged(state.genomes, capacity), steps=room)


_enlarged = jax.jit(enlarge_genome, static_argnums=1)


def _taken(genomes: Genome, index) -> Genome:
    """The genome at `index`, or those."""
    return jax.tree.map(lambda leaf: leaf[index], genomes)


def _rank(connections: Int32[Array, " P"], scores: Float[Array, "P W"], by_complexity) -> Int32[Array, " P"]:
    """The ranking of one generation: mean score with either the best score or the number of
    connections.
    """
    valid = usable(scores)
    mean = finite_or_worst(jnp.mean(scores, axis=1), valid)
    best = finite_or_worst(jnp.max(scores, axis=1), valid)
    simplicity = finite_or_worst(1.0 / jnp.maximum(connections, 1).astype(jnp.float32), valid)
    return rank(mean, jnp.where(by_complexity, simplicity, best))


def cases_of(scores: Float[Array, "P W"], each: Float[Array, "P some"]) -> tuple[Float[Array, "P cases"], Bool[Array, " P"]]:
    """What lexicase selection selects for, and which genomes it may select: `each` of the scores,
    and the mean score.
    """
    cases = jnp.concatenate([each, jnp.mean(scores, axis=1, keepdims=True)], axis=1)
    valid = usable(cases)
    return jnp.where(valid[:, None], cases, 0.0), valid
