"""What a NEAT search carries from one generation to the next, and the room that it has: genomes,
genes and tapes are padded, and enlarged before the largest fills them.
"""

from dataclasses import dataclass, field, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32, Key

from wannjax.common.pytrees import Placeholder
from wannjax.genomes.genome import Genome, enlarge
from wannjax.genomes.population import Sizes, doubled, larger, more_slots, sizes_of
from wannjax.search.neat.genes import Genes, gene_count, with_capacity
from wannjax.search.neat.reproduction import require_numbers
from wannjax.search.neat.species import Records


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class NeatState:
    """What a search carries from one generation to the next.

    Attributes:
        genomes: the population, P genomes.
        genes: of the genomes.
        ids: int32[P, H], the identity of every hidden node, 0 in empty slots.
        sizes: of the genomes; steps as if all genes were enabled, since children of two parents
            enable some.
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


def needs_of(state: NeatState) -> tuple[int, int, int, int]:
    """The number of the next change; and the hidden nodes, the steps and the genes of the largest
    genomes.
    """
    return int(state.number), int(np.max(state.sizes.hidden)), int(np.max(state.sizes.steps)), int(_most_genes(state.genes))


def enlarged(state: NeatState, needs: tuple[int, int, int, int], population: int, nodes: int) -> NeatState:
    """The state with room for what comes of genomes with these needs; of a search of so many
    genomes in all, that have so many `nodes` at the start.
    """
    number, hidden, steps, count = needs
    require_numbers(number, population, nodes)
    # A generation adds at most one node, two genes, and two steps. What can be enlarged at once is:
    # every new shape is a compilation.
    room = larger(state.steps, steps + 1)
    places = doubled(state.genes.markings.shape[1], count + 1)
    enlarges = room != state.steps or places != state.genes.markings.shape[1]
    capacity = more_slots(state.genomes.hidden, hidden, with_others=enlarges)
    if (capacity, places, room) == (state.genomes.hidden, state.genes.markings.shape[1], state.steps):
        return state
    genomes, genes, ids = _padded(state.genomes, state.genes, state.ids, capacity, places)
    return replace(state, genomes=genomes, genes=genes, ids=ids, steps=room)


def sizes_with_disabled(genomes: Genome) -> Sizes:
    """The sizes of P genomes, with the steps that they would take if all genes were enabled."""
    whole = replace(genomes, enabled=genomes.enabled | genomes.disabled)
    return sizes_of(genomes)._replace(steps=sizes_of(whole).steps)


@jax.jit
def _most_genes(genes: Genes):
    return jnp.max(gene_count(genes))


@partial(jax.jit, static_argnums=(3, 4))
def _padded(genomes: Genome, genes: Genes, ids, hidden: int, capacity: int):
    more = with_capacity(genes, capacity, genomes.hidden, hidden)
    return enlarge(genomes, hidden), more, jnp.pad(ids, [(0, 0), (0, hidden - genomes.hidden)])
