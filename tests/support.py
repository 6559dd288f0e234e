"""The bridge between the oracle's plain arrays and the package's types."""

import jax
import jax.numpy as jnp
import numpy as np
from oracle import Genes

from wannjax.expression import express
from wannjax.genome import Genome
from wannjax.network import Network

SWEEP = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)


def genome_of(genes: Genes) -> Genome:
    return Genome(jnp.array(genes.connections), jnp.array(genes.activations), genes.inputs, genes.outputs)


def population_of(genes: list[Genes]) -> Genome:
    """One population of equally padded genomes."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(genome_of, genes))


def genes_of(genome: Genome) -> Genes:
    return Genes(np.asarray(genome.connections), np.asarray(genome.activations), genome.inputs, genome.outputs)


def network_of(genes: Genes, steps: int, weights=None) -> Network:
    return express(genome_of(genes), steps, weights)


def networks_of(genes: list[Genes], steps: int) -> Network:
    return jax.vmap(lambda genome: express(genome, steps))(population_of(genes))


def assert_same_bits(left, right):
    """Equal to the last bit, leaf by leaf; NaN equals NaN."""
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(np.asarray(a), np.asarray(b), strict=True), left, right)
