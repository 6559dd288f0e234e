"""The genome: what it may hold, how a population starts, and growth of the padding."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import genes_of, genome_of, population_of

from wannjax.genomes.genome import ABSENT, DISABLED, ENABLED, allowed_sources, connection_count, enlarge, hidden_count, random_genome


def start(density, count=200, **shape):
    shape = dict(inputs=5, outputs=3, hidden=4) | shape
    keys = jax.random.split(jax.random.key(0), count)
    return jax.vmap(lambda key: random_genome(key, density=density, **shape))(keys)


def test_a_genome_starts_without_hidden_nodes():
    genomes = start(0.5)
    np.testing.assert_array_equal(hidden_count(genomes), 0)
    assert np.all(genomes.connections[:, 6:] == ABSENT)
    assert np.all(genomes.connections[:, :, :4] == ABSENT)


def test_a_connection_that_does_not_start_enabled_is_disabled():
    assert set(np.unique(start(0.5).connections[:, :6, 4:])) == {ENABLED, DISABLED}


def test_density_is_the_share_of_enabled_connections():
    cells = 200 * 6 * 3
    for density in (0.0, 0.3, 1.0):
        deviation = np.sqrt(cells * density * (1 - density))
        assert abs(int(jnp.sum(connection_count(start(density)))) - density * cells) <= 5 * deviation


def test_outputs_take_the_output_activation():
    genome = random_genome(jax.random.key(0), inputs=2, outputs=3, hidden=4, density=1.0, output_activation=5)
    np.testing.assert_array_equal(genome.activations, [0, 0, 0, 0, 5, 5, 5])


def test_counts_are_those_of_the_oracle():
    rng = np.random.default_rng(1)
    genes = [oracle.random_genes(rng, nodes=int(rng.integers(0, 12))) for _ in range(20)]
    population = population_of(genes)
    np.testing.assert_array_equal(hidden_count(population), [g.nodes for g in genes])
    np.testing.assert_array_equal(connection_count(population), [np.sum(g.connections == 1) for g in genes])


def test_connections_are_counted_beyond_what_a_byte_counts():
    genome = random_genome(jax.random.key(0), inputs=600, outputs=2, hidden=3, density=1.0)
    assert connection_count(genome) == 2 * 601


def test_allowed_are_the_pairs_of_existing_nodes_in_topological_order():
    genes = oracle.random_genes(np.random.default_rng(2), inputs=2, outputs=2, nodes=3, slots=5)
    existing = [True] * 3 + [True] * 3 + [False] * 2
    want = np.zeros((8, 7), bool)
    for source in range(8):
        for target in range(7):
            comes_before = source < 3 or target >= 5 or source - 3 < target
            is_target = target < 3 or target >= 5
            want[source, target] = existing[source] and is_target and comes_before
    np.testing.assert_array_equal(np.arange(8)[:, None] < np.asarray(allowed_sources(genome_of(genes))), want)


def test_growth_keeps_every_gene_in_its_place():
    genes = oracle.random_genes(np.random.default_rng(3), nodes=6, slots=7)
    grown = genes_of(enlarge(genome_of(genes), 12))
    first = 1 + genes.inputs
    np.testing.assert_array_equal(grown.connections[: first + 7, :7], genes.connections[:, :7])
    np.testing.assert_array_equal(grown.connections[: first + 7, 12:], genes.connections[:, 7:])
    np.testing.assert_array_equal(grown.activations, [*genes.activations[:7], *[0] * 5, *genes.activations[7:]])
    assert np.all(grown.connections[first + 7 :] == 0)
    assert np.all(grown.connections[:, 7:12] == 0)


def test_growth_keeps_the_function():
    rng = np.random.default_rng(4)
    observations = rng.normal(size=(5, 3))
    for _ in range(10):
        genes = oracle.random_genes(rng)
        grown = genes_of(enlarge(genome_of(genes), 20))
        np.testing.assert_array_equal(oracle.run(grown, 0.7, observations)[0], oracle.run(genes, 0.7, observations)[0])


@pytest.mark.slow
def test_a_population_grows_as_its_genomes_do():
    rng = np.random.default_rng(5)
    genes = [oracle.random_genes(rng) for _ in range(4)]
    grown = enlarge(population_of(genes), 16)
    for index, one in enumerate(genes):
        alone = enlarge(genome_of(one), 16)
        np.testing.assert_array_equal(grown.connections[index], alone.connections)
        np.testing.assert_array_equal(grown.activations[index], alone.activations)


def test_growth_to_the_same_size_changes_nothing():
    genes = oracle.random_genes(np.random.default_rng(6))
    np.testing.assert_array_equal(enlarge(genome_of(genes), genes.slots).connections, genes.connections)


def test_a_genome_cannot_shrink():
    genome = genome_of(oracle.random_genes(np.random.default_rng(7), slots=12))
    with pytest.raises(ValueError, match=r"hidden: .* 12 to 11"):
        enlarge(genome, 11)
