"""NEAT (Stanley & Miikkulainen 2002) as an algorithm: `init`, `ask`, `tell` on an explicit state.
Weights and topology evolve together.

What it shares with WANN (`search/wann/`): the matrix of connections and its operators, expression,
the tape, the driver. What it has of its own: genes with historical markings and weights
(`genes.py`), children of two parents (`reproduction.py`), species that protect what is new
(`species.py`). The settings, from which all this is called, are in `config.py`.

Differences from the paper: networks are feed-forward unless the search is recurrent; a child has
the disjoint and excess genes of its fitter parent also when both are equally fit (of the smaller
one then); after a generation that was narrowed to two species, patience starts again; the
compatibility threshold is steered to a number of species, and there are twice as many at the most.
A new sweep of episodes every generation makes scores noisy: records of species are then those of
their luckiest genome.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from wannjax.common.validation import require_count
from wannjax.genomes.expression import express
from wannjax.genomes.genome import Genome, random_genome
from wannjax.genomes.given import genomes_of, graphs_of
from wannjax.genomes.operators import NOTHING, changed
from wannjax.genomes.population import SMALLEST_CAPACITY, doubled, in_chunks, more_slots
from wannjax.networks.activations import SUM
from wannjax.networks.network import Network
from wannjax.search.algorithm import Info, require_scores
from wannjax.search.islands import Island
from wannjax.search.neat.genes import (
    EMPTY,
    Distance,
    Genes,
    first_genes,
    gene_count,
    is_enabled,
    is_used,
    take_genes,
    weight_matrix,
    with_enabled,
)
from wannjax.search.neat.given import given_genes
from wannjax.search.neat.reproduction import (
    WeightMutation,
    change_numbers,
    crossed,
    ends_of,
    first_number,
    followed,
    mutated_weights,
    numbered,
)
from wannjax.search.neat.species import (
    Mating,
    children_of,
    fitness_of,
    inhabited,
    members_of,
    no_records,
    parents_of,
    representatives,
    speciate,
    steered,
    updated,
    with_founded,
)
from wannjax.search.neat.state import NeatState, enlarged, needs_of, sizes_with_disabled
from wannjax.search.ranking import usable


class Rules(NamedTuple):
    """What the programs of a search are compiled for: searches with equal rules share them.

    Attributes:
        population: genomes of an island.
        islands: that there are: changes are numbered so that no two islands share a number.
        species: that the threshold is steered to.
        threshold, threshold_step: the compatibility threshold at the start, and the share by which
            a generation moves it.
        distance: what tells species apart.
        stagnation, population_stagnation: see `children_of` and `updated`.
        mating: who has children with whom.
        keep_disabled: see `crossed`.
        mutate_weights: share of children whose weights mutate, as `weight_mutation` says.
        slope: what a network's weights are the genes' weights times.
        density: probability that a connection from bias or input to output starts enabled.
        operator_ends: where the share of each structural operator ends on the way from 0 to 1;
            NOTHING has the rest.
        deletes: whether an operator deletes.
        keep: whether a connection that is split stays, so that the function does.
        output_activation: id of the activation of the outputs.
        activations: ids of those that hidden nodes take.
        recurrent: whether connections may be.
    """

    population: int
    islands: int
    species: int
    threshold: float
    threshold_step: float
    distance: Distance
    stagnation: int
    population_stagnation: int
    mating: Mating
    keep_disabled: float
    mutate_weights: float
    weight_mutation: WeightMutation
    slope: float
    density: float
    operator_ends: tuple[float, ...]
    deletes: bool
    keep: bool
    output_activation: int
    activations: tuple[int, ...]
    recurrent: bool


class _Birth(NamedTuple):
    """What a child comes from: its first parent, the genes of the second, and draws."""

    genome: Genome
    genes: Genes
    enabled: Bool[Array, " G"]
    ids: Int32[Array, " H"]
    other: Genes
    other_enabled: Bool[Array, " G"]
    crosses: Bool[Array, ""]
    elite: Bool[Array, ""]
    draws: Float[Array, "6"]
    gene_draws: Float[Array, "2 G"]


def neat(rules: Rules, *, inputs: int, outputs: int, start: Sequence[Network] = ()) -> Island:
    """The NEAT search for networks of `inputs` inputs and `outputs` outputs, as one island. Where
    it has a `start`, it begins with those networks and their children; no two of them have a hidden
    node in common.

    >>> import wannjax
    >>> algorithm = wannjax.NeatConfig(population=8).algorithm(inputs=2, outputs=1)
    >>> state = algorithm.init(jax.random.key(0))
    >>> networks = algorithm.ask(state)
    >>> scores = jnp.zeros((8, 1))  # any function of the networks, one score per network
    >>> state, info = algorithm.tell(state, scores)
    >>> state = algorithm.enlarge(state)
    """
    inputs, outputs = require_count("inputs", inputs), require_count("outputs", outputs)
    populate, populate_from, ask, tell, settle = _programs(rules, inputs, outputs)
    ids = {SUM, rules.output_activation, *rules.activations}
    if start:
        graphs = graphs_of(start, inputs=inputs, outputs=outputs, most=rules.population, recurrent=rules.recurrent)
        ids = ids.union(*(graph.activations for graph in graphs))
        hidden = more_slots(SMALLEST_CAPACITY, max(len(graph.activations) for graph in graphs) - outputs, with_others=True)
        genes, identities, first = given_genes(graphs, hidden, rules.slope)
        populate = partial(populate_from, genomes_of(graphs, hidden), genes, identities)
    else:
        first = first_number(inputs, outputs)
    return Island(
        lambda key, island: populate(jnp.int32(first + island), key),
        ask,
        tell,
        needs=needs_of,
        enlarge=partial(enlarged, population=rules.population * rules.islands, nodes=1 + inputs + outputs),
        emigrants=lambda state, chosen: jax.tree.map(lambda leaf: leaf[chosen], (state.genomes, state.genes, state.ids)),
        settle=settle,
        activation_ids=tuple(sorted(ids)),
    )


@lru_cache(maxsize=16)
def _programs(rules: Rules, inputs: int, outputs: int) -> tuple[Callable, ...]:
    """The compiled functions of searches with these rules: (number of the next change, key) →
    state, (genomes to start from, their genes and identities, number of the next change, key) →
    state, `ask`, `tell`, and (state, emigrants) → state with these among its genomes.
    """
    places, new_weight = 2 * rules.species, rules.weight_mutation.scale

    @jax.jit
    def populate(number, key):
        topology, weights, key = jax.random.split(key, 3)
        capacity = doubled(SMALLEST_CAPACITY, (1 + inputs) * outputs + 1)

        def one(topology, weights):
            genome = random_genome(
                topology,
                inputs=inputs,
                outputs=outputs,
                hidden=SMALLEST_CAPACITY,
                density=rules.density,
                output_activation=rules.output_activation,
            )
            drawn = jax.random.uniform(weights, (1 + inputs, outputs), jnp.float32, minval=-new_weight, maxval=new_weight)
            return genome, first_genes(drawn, SMALLEST_CAPACITY, capacity)

        genomes, genes = jax.vmap(one)(*(jax.random.split(each, rules.population) for each in (topology, weights)))
        ids = jnp.zeros((rules.population, SMALLEST_CAPACITY), jnp.int32)
        return first_state(genomes, genes, ids, number, key)

    def first_state(genomes, genes, ids, number, key):
        return NeatState(
            genomes=genomes,
            genes=genes,
            ids=ids,
            sizes=sizes_with_disabled(genomes),
            species=jnp.zeros(rules.population, jnp.int32),  # one, until there are scores
            records=no_records(places),
            threshold=jnp.float32(rules.threshold),
            number=number,
            key=key,
            generation=jnp.int32(0),
            steps=SMALLEST_CAPACITY,
        )

    @jax.jit
    def populate_from(genomes, genes, ids, number, key):
        draw_children, draw_genes, key = jax.random.split(key, 3)
        count = ids.shape[0]
        enabled = is_used(genes)
        genomes, genes, enabled, ids = jax.tree.map(lambda leaf: leaf[jnp.arange(rules.population) % count], (genomes, genes, enabled, ids))
        births = _Birth(
            genome=genomes,
            genes=genes,
            enabled=enabled,
            ids=ids,
            other=genes,
            other_enabled=enabled,
            crosses=jnp.zeros(rules.population, bool),
            elite=jnp.arange(rules.population) < count,
            draws=jax.random.uniform(draw_children, (rules.population, 6), jnp.float32),
            gene_draws=jax.random.uniform(draw_genes, (rules.population, 2, enabled.shape[1]), jnp.float32),
        )
        genomes, genes, ids, number = born(births, number)
        return first_state(genomes, genes, ids, number, key)

    @jax.jit
    def ask(state):
        def one(pair):
            genome, genes = pair
            genes = genes._replace(weights=rules.slope * genes.weights)
            return express(genome, state.steps, weight_matrix(genome, genes), recurrent=rules.recurrent)

        return in_chunks(one, (state.genomes, state.genes), cached=True)

    def child(birth: _Birth):
        """A child before its changes have numbers: genome, genes, identities, change, and the
        change's ends.
        """
        genes, draws = birth.genes, birth.draws
        weights, both_enabled = crossed(birth.gene_draws[0], genes, birth.enabled, birth.other, birth.other_enabled, rules.keep_disabled)
        weights = jnp.where(birth.crosses, weights, genes.weights)
        mutates = ~birth.elite & (draws[4] < rules.mutate_weights)
        weights = jnp.where(mutates, mutated_weights(birth.gene_draws[1], weights, rules.weight_mutation), weights)
        genes = genes._replace(weights=jnp.where(genes.markings == EMPTY, 0.0, weights))
        genome = with_enabled(birth.genome, genes, jnp.where(birth.crosses, both_enabled, birth.enabled))

        operator = jnp.sum(draws[0] >= jnp.array(rules.operator_ends, jnp.float32))
        operator = jnp.where(birth.elite | (operator == len(rules.operator_ends)), NOTHING, operator)
        genome, change = changed(genome, operator, draws[:4], rules.activations, keep=rules.keep, recurrent=rules.recurrent)
        ends = ends_of(birth.ids, change.row, change.column, inputs)
        weight = new_weight * (2 * draws[5] - 1)
        genes, ids = followed(genes, birth.ids, change, inputs, weight, keep=rules.keep, deletes=rules.deletes)
        return genome, genes, ids, change, ends

    def born(births: _Birth, number):
        """All children: genomes, genes, identities, and the number of the next change."""
        genomes, genes, ids, change, (sources, targets) = in_chunks(child, births)
        numbers, number = change_numbers(change.operator, sources, targets, number, rules.islands)
        genes, ids = jax.vmap(partial(numbered, inputs=inputs, outputs=outputs))(genes, ids, change, numbers)
        return genomes, genes, ids, number

    @jax.jit
    def tell(state, scores):
        require_scores(scores, rules.population)
        choose, draw_parents, draw_children, draw_genes, key = jax.random.split(state.key, 5)
        valid = usable(scores)
        valid = valid | ~jnp.any(valid)
        score = jnp.where(valid, jnp.mean(scores, axis=1), 0.0)
        fitness = fitness_of(score, valid)
        records, narrows = updated(state.records, score, valid, state.species, rules.population_stagnation)
        counts = children_of(records.age[:-1], narrows, fitness, valid, state.species, rules.stagnation)
        draws = jax.random.uniform(draw_parents, (rules.population, 5), jnp.float32)
        parents = parents_of(draws, counts, fitness, gene_count(state.genes), valid, state.species, rules.mating)

        enabled = jax.vmap(is_enabled)(state.genomes, state.genes)
        mother, father = (
            jax.tree.map(lambda leaf, chosen=chosen: leaf[chosen], (state.genomes, state.genes, enabled, state.ids))
            for chosen in (parents.first, parents.second)
        )
        births = _Birth(
            genome=mother[0],
            genes=mother[1],
            enabled=mother[2],
            ids=mother[3],
            other=father[1],
            other_enabled=father[2],
            crosses=parents.crosses,
            elite=parents.elite,
            draws=jax.random.uniform(draw_children, (rules.population, 6), jnp.float32),
            gene_draws=jax.random.uniform(draw_genes, (rules.population, 2, enabled.shape[1]), jnp.float32),
        )
        genomes, genes, ids, number = born(births, state.number)

        existed = inhabited(state.species, places)
        models = take_genes(state.genes, representatives(choose, state.species, places))
        species, exist = speciate(genes, models, existed, state.threshold, rules.distance)
        living = jnp.sum(inhabited(species, places))
        following = NeatState(
            genomes=genomes,
            genes=genes,
            ids=ids,
            sizes=sizes_with_disabled(genomes),
            species=species,
            records=with_founded(records, exist & ~existed),
            threshold=steered(state.threshold, living, rules.species, rules.threshold_step),
            number=number,
            key=key,
            generation=state.generation + 1,
            steps=state.steps,
        )
        figures = {"species": jnp.sum(existed), "threshold": state.threshold}
        return following, Info(state.sizes.hidden, state.sizes.connections, figures)

    @jax.jit
    def settle(state, arrived):
        """They take the places of those who come last in their species, and join a species, or
        found one, as children do: by their distance to its first member.
        """
        count = arrived[2].shape[0]
        of_species = members_of(state.species, places)
        before = jnp.take_along_axis(jnp.cumsum(of_species, axis=1), state.species[None, :], axis=0)[0]
        place = jnp.argsort(-before, stable=True)[:count]
        stay = of_species & jnp.ones(rules.population, bool).at[place].set(False)[None, :]
        existed = jnp.any(stay, axis=1)
        models = take_genes(state.genes, jnp.argmax(stay, axis=1))
        species, exist = speciate(arrived[1], models, existed, state.threshold, rules.distance)
        genomes, genes, ids = jax.tree.map(lambda leaf, new: leaf.at[place].set(new), (state.genomes, state.genes, state.ids), arrived)
        return replace(
            state,
            genomes=genomes,
            genes=genes,
            ids=ids,
            sizes=sizes_with_disabled(genomes),
            species=state.species.at[place].set(species),
            records=with_founded(state.records, exist & ~existed),
        )

    return populate, populate_from, ask, tell, settle
