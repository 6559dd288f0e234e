"""The bridge between the oracle's plain arrays and the package's types."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
from oracle import Genes

from wannjax.genomes.expression import express
from wannjax.genomes.genome import Genome
from wannjax.networks.network import Network, take

SWEEP = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)


def genome_of(genes: Genes) -> Genome:
    return Genome(jnp.array(genes.connections), jnp.array(genes.activations), genes.inputs, genes.outputs)


def population_of(genes: list[Genes]) -> Genome:
    """One population of equally padded genomes."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(genome_of, genes))


def genes_of(genome: Genome) -> Genes:
    return Genes(np.asarray(genome.connections), np.asarray(genome.activations), genome.inputs, genome.outputs)


@partial(jax.jit, static_argnames="steps")
def _express(population, steps, weights):
    return jax.vmap(lambda genome, matrix: express(genome, steps, matrix))(population, weights)


def networks_of(genes: list[Genes], steps: int, weights=None) -> Network:
    """The networks of several genomes; `weights` are individual ones [P, sources, targets]."""
    return _express(population_of(genes), steps, weights)


def network_of(genes: Genes, steps: int, weights=None) -> Network:
    return take(networks_of([genes], steps, None if weights is None else weights[None]), 0)


def assert_same_bits(left, right):
    """Equal to the last bit, leaf by leaf, shapes and types included; NaN equals NaN."""
    chex.assert_trees_all_equal(left, right, strict=True)
