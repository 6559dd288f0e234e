"""Gene lists against dicts of genes: distances, matching genes, the way to the matrix and back."""

import jax
import jax.numpy as jnp
import neat_oracle
import numpy as np
import pytest
from bridge import genes_of
from genes_support import PLACES, listed, random_lists
from hypothesis import given
from hypothesis import strategies as st

from wannjax.genomes.genome import enlarge, random_genome
from wannjax.search.neat.genes import (
    EMPTY,
    Distance,
    distances,
    first_genes,
    gene_count,
    is_enabled,
    matching,
    weight_matrix,
    with_capacity,
    with_enabled,
)

is_enabled, with_enabled, weight_matrix, matching = map(jax.jit, (is_enabled, with_enabled, weight_matrix, matching))


@pytest.mark.parametrize("normalise_from", [0, 6, 100])
def test_distances_are_those_of_the_definition(normalise_from):
    rng = np.random.default_rng(normalise_from)
    genomes, others = random_lists(rng, 40), random_lists(rng, 7)
    parts = (1.0, 0.7, 0.4, normalise_from)
    found = jax.jit(lambda a, b: distances(a, b, Distance(*parts)))(listed(genomes), listed(others))
    wanted = [[neat_oracle.distance(one, other, *parts) for other in others] for one in genomes]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_matching_genes_are_those_with_one_marking(seed):
    one, other = random_lists(np.random.default_rng(seed), 2, newest=15)
    place, matches = matching(*(jax.tree.map(lambda leaf: leaf[0], listed([genes])) for genes in (one, other)))
    found = {m: list(other)[int(place[i])] for i, m in enumerate(one) if matches[i]}
    assert found == {m: m for m in one if m in other}
    assert not np.any(matches[len(one) :])


@pytest.fixture(scope="module")
def beginning():
    return jax.jit(_beginning)()


def _beginning():
    genome = random_genome(jax.random.key(0), inputs=3, outputs=2, hidden=4, density=0.5)
    weights = jnp.arange(8, dtype=jnp.float32).reshape(4, 2) + 1
    return genome, first_genes(weights, 4, PLACES), weights


def test_the_first_genes_connect_bias_and_inputs_to_every_output(beginning):
    genome, genes, weights = beginning
    assert int(gene_count(genes)) == 8
    np.testing.assert_array_equal(genes.markings, [*range(8), *[EMPTY] * 4])
    matrix = np.zeros((8, 6), np.float32)
    matrix[:4, 4:] = weights
    np.testing.assert_array_equal(weight_matrix(genome, genes), matrix)


def test_what_is_enabled_is_written_to_the_matrix_and_read_from_it(beginning):
    genome, genes, _ = beginning
    enabled = is_enabled(genome, genes)
    np.testing.assert_array_equal(np.asarray(enabled[:8]).reshape(4, 2), np.asarray(genome.connections[:4, 4:]) == 1)
    np.testing.assert_array_equal(genes_of(with_enabled(genome, genes, enabled)).connections, genome.connections)
    flipped = with_enabled(genome, genes, ~enabled)
    np.testing.assert_array_equal(flipped.connections, -genome.connections)
    np.testing.assert_array_equal(is_enabled(flipped, genes), ~enabled & (genes.markings != EMPTY))


def test_growing_changes_neither_weights_nor_connections(beginning):
    genome, genes, weights = beginning
    more, grown = jax.jit(lambda genome, genes: (with_capacity(genes, 20, 4, 9), enlarge(genome, 9)))(genome, genes)
    assert more.markings.shape == (20,)
    np.testing.assert_array_equal(is_enabled(grown, more)[:8], is_enabled(genome, genes)[:8])
    np.testing.assert_array_equal(weight_matrix(grown, more)[:4, 9:], weights)
