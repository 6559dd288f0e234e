"""NEAT (Stanley & Miikkulainen 2002) as an algorithm: `init`, `ask`, `tell` on an explicit state. Weights and topology evolve together.

What it shares with WANN (`wann.py`): the matrix of connections and its operators, expression, the tape, the driver. What it has
of its own: genes with historical markings and weights (`genes.py`), children of two parents (`reproduction.py`), species that protect
what is new (`species.py`). The settings are in `config.py`.

Differences from the paper: networks are feed-forward; a child has the disjoint and excess genes of its fitter parent also when both are
equally fit (of the smaller one then); after a generation that was narrowed to two species, patience starts again; the compatibility
threshold is steered to a number of species, and there are twice as many at the most. A new sweep of episodes every generation makes
scores noisy: records of species are then those of their luckiest genome.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32, Key

from wannjax.activations import SUM, activation_ids
from wannjax.algorithm import SMALLEST_CAPACITY, Algorithm, Sizes, doubled, in_blocks, require_scores, sizes_of
from wannjax.config import EXACT, NeatConfig, output_activation_id
from wannjax.expression import express
from wannjax.genes import (
    EMPTY,
    Distance,
    Genes,
    first_genes,
    gene_count,
    is_enabled,
    take_genes,
    weight_matrix,
    with_capacity,
    with_enabled,
)
from wannjax.genome import Genome, Placeholder, grow, random_genome
from wannjax.mutation import NOTHING, changed
from wannjax.ranking import usable
from wannjax.reproduction import (
    WeightMutation,
    change_numbers,
    crossed,
    ends_of,
    first_number,
    followed,
    mutated_weights,
    numbered,
    require_numbers,
)
from wannjax.species import (
    Mating,
    Records,
    children_of,
    fitness_of,
    inhabited,
    no_records,
    parents_of,
    representatives,
    speciate,
    steered,
    updated,
    with_founded,
)
from wannjax.validation import require


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class NeatState:
    """What a search carries from one generation to the next.

    Attributes:
        genomes: the population, P genomes.
        genes: of the genomes.
        ids: int32[P, H], the identity of every hidden node, 0 in empty slots.
        sizes: of the genomes; steps as if all genes were enabled, since children of two parents enable some.
        species: int32[P], the species of every genome.
        records: of the species.
        threshold: the compatibility threshold.
        number: of the next structural change.
        key: drives everything random that is still to come.
        generation: generations told so far.
        steps: the steps that expressed networks have room for, outputs not counted.
    """

    genomes: Genome | Placeholder
    genes: Genes
    ids: Int32[Array, "P H"] | Placeholder
    sizes: Sizes
    species: Int32[Array, " P"] | Placeholder
    records: Records
    threshold: Float32[Array, ""] | Placeholder
    number: Int32[Array, ""] | Placeholder
    key: Key[Array, ""] | Placeholder
    generation: Int32[Array, ""] | Placeholder
    steps: int = field(metadata={"static": True})


@lru_cache(maxsize=16)  # the same settings share their compiled functions
def neat(config: NeatConfig, *, inputs: int, outputs: int) -> Algorithm:
    """The NEAT search for networks of `inputs` inputs and `outputs` outputs, linear ones where `config.output_activation` is `AUTO`.

    >>> algorithm = NeatConfig(population=8).algorithm(inputs=2, outputs=1)
    >>> state = algorithm.init(jax.random.key(0))
    >>> networks = algorithm.ask(state)
    >>> scores = jnp.zeros((8, 1))  # any function of the networks, one score per network
    >>> state = algorithm.grow(algorithm.tell(state, scores))
    """
    require("inputs", inputs, "an integer >= 1", inputs >= 1)
    require("outputs", outputs, "an integer >= 1", outputs >= 1)
    places, keep, activations = 2 * config.species, config.split == EXACT, activation_ids(config.activations)
    distance = Distance(config.excess, config.disjoint, config.weight_difference, config.normalise_from)
    mating = Mating(config.survival, config.elite_size, config.crossover, config.interspecies)
    weight_mutation = WeightMutation(config.replace_weight, config.weight_range, config.perturbation, config.largest_weight)
    output_activation = output_activation_id(config)
    deletes = config.delete_connection + config.delete_node > 0
    operator_ends = tuple(np.cumsum(config.rates).tolist())

    @jax.jit
    def populate(key):
        topology, weights, key = jax.random.split(key, 3)
        capacity = doubled(SMALLEST_CAPACITY, (1 + inputs) * outputs + 1)

        def one(topology, weights):
            genome = random_genome(
                topology,
                inputs=inputs,
                outputs=outputs,
                hidden=SMALLEST_CAPACITY,
                density=config.initial_density,
                output_activation=output_activation,
            )
            drawn = jax.random.uniform(weights, (1 + inputs, outputs), minval=-config.weight_range, maxval=config.weight_range)
            return genome, first_genes(drawn, SMALLEST_CAPACITY, capacity)

        genomes, genes = jax.vmap(one)(*(jax.random.split(each, config.population) for each in (topology, weights)))
        return NeatState(
            genomes=genomes,
            genes=genes,
            ids=jnp.zeros((config.population, SMALLEST_CAPACITY), jnp.int32),
            sizes=_sizes(genomes),
            species=jnp.zeros(config.population, jnp.int32),  # one, since they differ in weights alone
            records=no_records(places),
            threshold=jnp.float32(config.threshold),
            number=jnp.int32(first_number(inputs, outputs)),
            key=key,
            generation=jnp.int32(0),
            steps=SMALLEST_CAPACITY,
        )

    @jax.jit
    def ask(state):
        def one(pair):
            genome, genes = pair
            genes = genes._replace(weights=config.slope * genes.weights)
            return express(genome, state.steps, weight_matrix(genome, genes))

        return in_blocks(one, (state.genomes, state.genes), cached=True)

    def child(parents):
        """A child before its changes have numbers: genome, genes, identities, change, and the change's ends."""
        genome, genes, enabled, ids, other, other_enabled, crosses, elite, draws, gene_draws = parents
        weights, both_enabled = crossed(gene_draws[0], genes, enabled, other, other_enabled, config.keep_disabled)
        weights = jnp.where(crosses, weights, genes.weights)
        mutates = ~elite & (draws[4] < config.mutate_weights)
        weights = jnp.where(mutates, mutated_weights(gene_draws[1], weights, weight_mutation), weights)
        genes = genes._replace(weights=jnp.where(genes.markings == EMPTY, 0.0, weights))
        genome = with_enabled(genome, genes, jnp.where(crosses, both_enabled, enabled))

        operator = jnp.sum(draws[0] >= jnp.array(operator_ends))
        operator = jnp.where(elite | (operator == len(operator_ends)), NOTHING, operator)
        genome, change = changed(genome, operator, draws[:4], activations, keep=keep)
        ends = ends_of(ids, change.row, change.column, inputs)
        new_weight = config.weight_range * (2 * draws[5] - 1)
        genes, ids = followed(genes, ids, change, inputs, new_weight, keep=keep, deletes=deletes)
        return genome, genes, ids, change, ends

    @jax.jit
    def tell(state, scores):
        require_scores(scores, config.population)
        choose, draw_parents, draw_children, draw_genes, key = jax.random.split(state.key, 5)
        valid = usable(scores)
        valid = valid | ~jnp.any(valid)
        score = jnp.where(valid, jnp.mean(scores, axis=1), 0.0)
        fitness = fitness_of(score, valid)
        records, narrows = updated(state.records, score, valid, state.species, config.population_stagnation)
        counts = children_of(records.age[:-1], narrows, fitness, valid, state.species, config.stagnation)
        draws = jax.random.uniform(draw_parents, (config.population, 5))
        parents = parents_of(draws, counts, fitness, gene_count(state.genes), valid, state.species, mating)

        enabled = jax.vmap(is_enabled)(state.genomes, state.genes)
        first, second = parents.first, parents.second
        mothers = jax.tree.map(lambda leaf: leaf[first], (state.genomes, state.genes, enabled, state.ids))
        fathers = jax.tree.map(lambda leaf: leaf[second], (state.genes, enabled))
        draws = jax.random.uniform(draw_children, (config.population, 6))
        gene_draws = jax.random.uniform(draw_genes, (config.population, 2, enabled.shape[1]))
        born = in_blocks(child, (*mothers, *fathers, parents.crosses, parents.elite, draws, gene_draws))
        genomes, genes, ids, change, (sources, targets) = born
        numbers, number = change_numbers(change.operator, sources, targets, state.number)
        genes, ids = jax.vmap(partial(numbered, inputs=inputs, outputs=outputs))(genes, ids, change, numbers)

        existed = inhabited(state.species, places)
        models = take_genes(state.genes, representatives(choose, state.species, places))
        species, exist = speciate(genes, models, existed, state.threshold, distance)
        living = jnp.sum(inhabited(species, places))
        return NeatState(
            genomes=genomes,
            genes=genes,
            ids=ids,
            sizes=_sizes(genomes),
            species=species,
            records=with_founded(records, exist & ~existed),
            threshold=steered(state.threshold, living, config.species, config.threshold_step),
            number=number,
            key=key,
            generation=state.generation + 1,
            steps=state.steps,
        )

    def enlarge(state):
        require_numbers(int(state.number), config.population, 1 + inputs + outputs)
        hidden, steps, count = int(np.max(state.sizes.hidden)), int(np.max(state.sizes.steps)), int(_most_genes(state.genes))
        # A generation adds at most one node, two genes, and two steps. What can grow at once does: every new shape costs a compilation.
        room = doubled(state.steps, steps + 1)
        places = doubled(state.genes.markings.shape[1], count + 1)
        grows = room != state.steps or places != state.genes.markings.shape[1]
        capacity = doubled(state.genomes.hidden, 2 * hidden if grows else hidden)
        if (capacity, places, room) == (state.genomes.hidden, state.genes.markings.shape[1], state.steps):
            return state
        genomes, genes, ids = _grow(state.genomes, state.genes, state.ids, capacity, places)
        return replace(state, genomes=genomes, genes=genes, ids=ids, steps=room)

    among = tuple(sorted({SUM, output_activation, *activations}))
    return Algorithm(lambda key: enlarge(populate(key)), ask, tell, enlarge, among)


def _sizes(genomes: Genome) -> Sizes:
    """The sizes of P genomes, with the steps that they would take if all genes were enabled."""
    whole = Genome(jnp.abs(genomes.connections), genomes.activations, genomes.inputs, genomes.outputs)
    return sizes_of(genomes)._replace(steps=sizes_of(whole).steps)


@jax.jit
def _most_genes(genes: Genes):
    return jnp.max(gene_count(genes))


def _grown(genomes: Genome, genes: Genes, ids, hidden: int, capacity: int):
    more = with_capacity(genes, capacity, genomes.hidden, hidden)
    return grow(genomes, hidden), more, jnp.pad(ids, [(0, 0), (0, hidden - genomes.hidden)])


_grow = jax.jit(_grown, static_argnums=(3, 4))
