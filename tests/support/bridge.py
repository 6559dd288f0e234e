"""The bridge between the oracle's plain arrays and the package's types."""

from functools import partial

import chex
import jax
import numpy as np
from oracle import Genes

from wannjax.genomes.expression import express
from wannjax.genomes.genome import Genome, from_matrix
from wannjax.networks.network import Network, take

_GENOMES, _STEPS = 8, 32
"""Populations are filled up to a multiple of the one, tapes to one of the other."""

SWEEP = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)


def genome_of(genes: Genes) -> Genome:
    return from_matrix(jax.device_put(genes.connections), jax.device_put(genes.activations), genes.inputs, genes.outputs)


def population_of(genes: list[Genes]) -> Genome:
    """One population of equally padded genomes."""
    connections, activations = (np.stack([getattr(one, name) for one in genes]) for name in ("connections", "activations"))
    return genome_of(genes[0]._replace(connections=connections, activations=activations))


def genes_of(genome: Genome) -> Genes:
    return Genes(np.asarray(genome.connections), np.asarray(genome.activations), genome.inputs, genome.outputs)


@partial(jax.jit, static_argnames=("steps", "recurrent"))
def _express(population, steps, weights, recurrent):
    return jax.vmap(lambda genome, matrix: express(genome, steps, matrix, recurrent=recurrent))(population, weights)


def networks_of(genes: list[Genes], steps: int, weights=None, *, recurrent=False) -> Network:
    """The networks of several genomes; `weights` are individual ones [P, sources, targets].

    They are expressed among copies of the last and on a longer tape, and then cut to size on the host, where their arrays stay: so
    few programs are compiled.
    """
    count, room = len(genes), -(-steps // _STEPS) * _STEPS
    more = -count % _GENOMES
    if weights is not None:
        weights = np.pad(np.asarray(weights), ((0, more), (0, 0), (0, 0)))
    expressed = jax.device_get(_express(population_of([*genes, *genes[-1:] * more]), room, weights, recurrent))
    tape = [*range(steps), *range(room, room + genes[0].outputs)]
    return jax.tree.map(lambda leaf: leaf[:count] if leaf.ndim == 1 else leaf[:count, tape], expressed)


def network_of(genes: Genes, steps: int, weights=None, *, recurrent=False) -> Network:
    return take(networks_of([genes], steps, None if weights is None else np.asarray(weights)[None], recurrent=recurrent), 0)


def assert_same_bits(left, right):
    """Equal to the last bit, leaf by leaf, shapes and types included; NaN equals NaN."""
    chex.assert_trees_all_equal(left, right, strict=True)
