"""Recurrent genomes: a connection against the order of the slots carries what its source was in the last time step."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import SWEEP, genes_of, genome_of, networks_of, population_of
from genomes_support import TABLE, assert_about_uniform, assert_well_formed
from oracle import Genes
from test_operators import ADD_CONNECTION, ADD_NODE, ALL, OPERATORS, move

from wannjax.genomes.genome import Genome, allowed_sources
from wannjax.genomes.operators import mutate
from wannjax.networks.network import is_recurrent, take, tape_of
from wannjax.networks.tape import forward, initial_values

IDS = (2, 3, 4, 5, 6, 8, 10)
"""Of activations that are bounded, or that keep the size of what they read."""
STEPS, TIME = 64, 6


def random_genes(seed, **settings):
    rng = np.random.default_rng(seed)
    return oracle.random_genes(rng, **dict(nodes=int(rng.integers(0, 10)), ids=IDS, recurrent=True, density=0.2) | settings)


def recurrent_cells(genes: Genes):
    """(source, target) slots of all recurrent connections, disabled ones included."""
    return [(int(i), int(j)) for i, j in np.argwhere(np.tril(genes.connections[1 + genes.inputs :, : genes.slots]))]


@jax.jit
def over_time(networks, observations):
    """Outputs [T, O, N, W] of observations [T, I], the same for all."""
    tape = tape_of(networks)
    count, lanes = tape.activations.shape[1], len(SWEEP)

    def step(values, seen):
        return forward(tape, values, jnp.broadcast_to(seen[:, None, None], (seen.shape[0], count, lanes)), jnp.array(SWEEP))

    return jax.lax.scan(step, initial_values(tape, lanes), observations)[1]


@pytest.fixture(scope="module")
def population():
    genes = [random_genes(seed) for seed in range(200)]
    return genes, networks_of(genes, STEPS, recurrent=True)


def test_outputs_are_those_of_the_genome_step_by_step(population):
    genes, networks = population
    seen = np.random.default_rng(1).normal(size=(TIME, 3)).astype(np.float32)
    outputs = np.asarray(over_time(networks, jnp.asarray(seen)))
    sharp, without_memory = [], 0
    for index, one in enumerate(genes):
        for w, weight in enumerate(SWEEP):
            want, bound = (each[:, 0] for each in oracle.run_over_time(one, weight, seen[:, None]))
            got = outputs[:, :, index, w]
            assert np.all(np.abs(got - want) <= bound + 1e-7 * np.abs(want)), (index, weight)
            sharp.append(np.max(bound) <= 1e-4)
            forgetful, _ = oracle.run(one, weight, seen)
            without_memory += np.allclose(forgetful, want)
    assert np.mean(sharp) > 0.5, "too few comparisons are sharp for this test to mean anything"
    assert without_memory < 0.7 * len(sharp), "too few networks remember anything"


def test_what_reaches_an_output_through_time_lives(population):
    genes, networks = population
    np.testing.assert_array_equal(networks.steps, [oracle.tape_steps(one) for one in genes])
    forward_only = [one._replace(connections=np.triu(one.connections, k=-1 - one.inputs + 1)) for one in genes]
    assert sum(oracle.live_nodes(a) != oracle.live_nodes(b) for a, b in zip(genes, forward_only, strict=True)) > 10


def test_a_network_is_recurrent_where_a_live_connection_is(population):
    genes, networks = population
    for index, one in enumerate(genes):
        live = oracle.live_nodes(one)
        enabled = [(i, j) for i, j in recurrent_cells(one) if one.connections[1 + one.inputs + i, j] == 1]
        assert is_recurrent(take(networks, index)) == any(j in live for _, j in enabled)


@jax.jit
def _lineages(population: Genome, key) -> Genome:
    def breed(population, key):
        draws = jax.random.uniform(key, (population.activations.shape[0], 4))
        population = jax.vmap(lambda genome, draw: mutate(genome, draw, ALL.ends, TABLE, recurrent=True))(population, draws)
        return population, population

    return jax.lax.scan(breed, population, jax.random.split(key, 100))[1]


@pytest.fixture(scope="module")
def chains():
    first = [random_genes(seed, slots=24, ids=TABLE) for seed in range(50)]
    born = genes_of(_lineages(population_of(first), jax.random.key(0)))
    pairs = []
    for index, parent in enumerate(first):
        for connections, activations in zip(born.connections[:, index], born.activations[:, index], strict=True):
            child = Genes(connections, activations, born.inputs, born.outputs)
            pairs.append((parent, child))
            parent = child
    return pairs


@pytest.mark.slow
def test_every_child_differs_by_one_operator_and_stays_well_formed(chains):
    """`move` compares cells slot by slot: the kinds of all connections that stay are kept, since slots keep their order."""
    assert {move(parent, child) for parent, child in chains} == {*OPERATORS, "copy"}
    for _, child in chains:
        assert_well_formed(child, recurrent=True)


def test_a_node_that_splits_a_recurrent_connection_delays_once(chains):
    splits = 0
    for parent, child in chains:
        if child.nodes != parent.nodes + 1:
            continue
        before, after = recurrent_cells(parent), recurrent_cells(child)
        assert len(after) - len(before) in (0, 1)
        if len(after) == len(before):
            continue
        splits += 1
        (slot,) = [
            slot for slot in range(child.nodes) if any(i == slot for i, _ in after) and not any(j == slot for _, j in after)
            and np.count_nonzero(child.connections[:, slot]) == 1 and np.count_nonzero(child.connections[1 + child.inputs + slot]) == 1
        ][-1:]  # fmt: skip
        source = int(np.flatnonzero(child.connections[:, slot])[0]) - 1 - child.inputs
        assert source < slot, "what it reads takes no time"
    assert splits > 50


@pytest.mark.slow
def test_a_linear_node_in_a_connection_changes_nothing_at_weight_one():
    """Neither in one that takes no time nor in a recurrent one: the delay is the same."""
    seen, found = np.random.default_rng(2).normal(size=(TIME, 1, 3)), 0
    for seed in range(40):
        parent = random_genes(seed, density=0.3)
        draws = jnp.asarray(np.random.default_rng(seed).random((8, 4)), jnp.float32).at[:, 0].set(ADD_NODE)
        children = genes_of(_children(genome_of(parent), draws))
        want, _ = oracle.run_over_time(parent, 1.0, seen)
        for connections, activations in zip(children.connections, children.activations, strict=True):
            child = Genes(connections, activations, parent.inputs, parent.outputs)
            got, _ = oracle.run_over_time(child, 1.0, seen)
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
            found += len(recurrent_cells(child)) > len(recurrent_cells(parent))
    assert found > 30


@jax.jit
def _children(genome, draws):
    return jax.vmap(lambda draw: mutate(genome, draw, ALL.ends, (1,), recurrent=True))(draws)


def test_every_absent_pair_of_either_kind_is_drawn_equally_often():
    parent = random_genes(5, nodes=4, slots=12, density=0.15, defects=0.0)
    draws = jax.random.uniform(jax.random.key(1), (4000, 4)).at[:, 0].set(ADD_CONNECTION)
    added = genes_of(_children(genome_of(parent), draws)).connections != parent.connections
    assert np.all(added.sum(axis=(1, 2)) == 1)
    counts, first = added.sum(axis=0), 1 + parent.inputs
    allowed = np.zeros(counts.shape, bool)
    allowed[: first + 4, [0, 1, 2, 3, *range(12, 14)]] = True
    allowed &= parent.connections == 0
    assert np.all(counts[~allowed] == 0)
    assert_about_uniform(counts[allowed])
    want = np.where(parent.activations != 0, first + 4, 0)
    np.testing.assert_array_equal(allowed_sources(genome_of(parent), recurrent=True), want)
