"""Expression: the tape computes what the genome says, drops what is dead, and ignores padding."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import SWEEP, assert_same_bits, genes_of, genome_of, network_of, networks_of, population_of
from marking import slow
from oracle import Genes

from wannjax.genomes.genome import enlarge
from wannjax.genomes.population import size_of, sizes_of
from wannjax.networks.network import tape_of
from wannjax.networks.tape import forward, initial_values

STEPS = 48


@jax.jit
def _sweep(networks, observations):
    tape, batch = tape_of(networks), len(observations)
    lanes = jnp.tile(observations.T, (1, len(SWEEP)))
    lanes = jnp.broadcast_to(lanes[:, None, :], (lanes.shape[0], tape.activations.shape[1], lanes.shape[1]))
    _, outputs = forward(tape, initial_values(tape, lanes.shape[-1]), lanes, jnp.repeat(jnp.array(SWEEP), batch))
    return jnp.moveaxis(outputs.reshape(tape.outputs, -1, len(SWEEP), batch), 0, -1)


def sweep_outputs(networks, observations):
    """Raw outputs [P, W, B, O] of a population over the weight sweep, on one batch of observations."""
    return np.asarray(_sweep(networks, jnp.asarray(observations, jnp.float32)))


def assert_as_oracle(got, genes, weight, observations):
    """Within what float32 rounding explains; returns where that is less than 1e-5 of the value's size."""
    want, bound = oracle.run(genes, weight, observations)
    assert np.all(np.abs(got - want) <= bound + 1e-7 * np.abs(want)), (got, want, bound)
    return bound <= 1e-5 * np.maximum(1, np.abs(want))


@pytest.fixture(scope="module")
def random_genes():
    rng = np.random.default_rng(0)
    return [oracle.random_genes(rng, nodes=int(rng.integers(0, 13)), ids=tuple(range(1, 12))) for _ in range(300)]


@pytest.fixture(scope="module")
def networks(random_genes):
    return networks_of(random_genes, STEPS)


def test_outputs_are_those_of_the_genome_at_every_shared_weight(random_genes, networks):
    observations = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    outputs = sweep_outputs(networks, observations)
    sharp = [
        assert_as_oracle(outputs[index, w], genes, weight, observations)
        for index, genes in enumerate(random_genes)
        for w, weight in enumerate(SWEEP)
    ]
    assert np.mean(sharp) > 0.7, "too few comparisons are sharp for this test to mean anything"


def test_dead_nodes_take_no_steps(random_genes, networks):
    np.testing.assert_array_equal(networks.steps, [oracle.tape_steps(genes) for genes in random_genes])
    assert any(len(oracle.live_nodes(genes)) < genes.nodes for genes in random_genes)


def test_steps_needed_is_an_upper_bound(random_genes, networks):
    assert np.all(sizes_of(population_of(random_genes)).steps >= networks.steps)


def test_steps_needed_is_exact_when_nothing_is_dead(random_genes, networks):
    alive = [len(oracle.live_nodes(genes)) == genes.nodes for genes in random_genes]
    needed = np.asarray(sizes_of(population_of(random_genes)).steps)
    assert sum(alive) > 30
    np.testing.assert_array_equal(needed[alive], networks.steps[np.array(alive)])


@pytest.mark.slow
@pytest.mark.parametrize("spare", [0, 1])
def test_exactly_the_needed_steps_are_enough(random_genes, spare):
    genes = max(random_genes, key=oracle.tape_steps)
    needed = int(size_of(genome_of(genes)).steps)
    observation = jnp.array([0.1, -0.2, 0.3])
    np.testing.assert_array_equal(network_of(genes, needed + spare)(observation, 0.5), network_of(genes, needed + 40)(observation, 0.5))


@pytest.mark.parametrize("activation", range(1, 12))
def test_a_node_without_inputs_gives_its_activation_of_zero(activation):
    connections = np.zeros((1 + 1 + 2, 2 + 1), np.int8)
    connections[2, 2] = 1
    genes = Genes(connections, np.array([activation, 0, 1], np.int8), 1, 1)
    output = network_of(genes, 4)(jnp.array([3.0]), 2.0)
    np.testing.assert_allclose(output, 2.0 * oracle.ACTIVATIONS[activation](np.zeros(1)), atol=1e-6)


@pytest.mark.parametrize("to_output", [False, True], ids=["hidden", "output"])
def test_any_fan_in_is_summed(to_output):
    fan_ins = (0, 1, 2, 3, 4, 5, 6, 7, 40, 46)
    genes = [oracle.fan_in_genes(fan_in, to_output=to_output) for fan_in in fan_ins]
    networks = networks_of(genes, 32)
    observations = np.random.default_rng(2).normal(size=(3, 45)).astype(np.float32) / 8
    outputs = sweep_outputs(networks, observations)
    for index, one in enumerate(genes):
        for w, weight in enumerate(SWEEP):
            assert_as_oracle(outputs[index, w], one, weight, observations)
    np.testing.assert_array_equal(networks.steps, [oracle.tape_steps(one) for one in genes])


@pytest.mark.parametrize(("inputs", "slots"), [(27, 5), *slow((58, 5), (100, 20))], ids=str)
def test_sources_beyond_one_and_two_words_of_bits_are_found(inputs, slots):
    rng = np.random.default_rng(inputs)
    shape = dict(inputs=inputs, outputs=3, nodes=slots, slots=slots, density=0.15, ids=(1, 5, 7, 8, 9))
    genes = [oracle.random_genes(rng, **shape) for _ in range(6)]
    observations = rng.normal(size=(2, inputs)).astype(np.float32) / 4
    outputs = sweep_outputs(networks_of(genes, max(map(oracle.tape_steps, genes)) + 60), observations)
    for index, one in enumerate(genes):
        for w, weight in enumerate(SWEEP):
            assert_as_oracle(outputs[index, w], one, weight, observations)


def test_each_output_has_its_own_sources_and_activation():
    connections = np.zeros((3, 3), np.int8)
    connections[[0, 1, 2], [0, 1, 2]] = 1
    genes = Genes(connections, np.array([1, 7, 11], np.int8), 2, 3)
    np.testing.assert_array_equal(network_of(genes, 2)(jnp.array([3.0, 4.0]), 2.0), [2.0, -6.0, 64.0])


def test_a_disabled_connection_carries_nothing():
    genes = oracle.fan_in_genes(7, to_output=True)
    off = genes._replace(connections=genes.connections * -1)
    np.testing.assert_array_equal(network_of(off, 8)(jnp.ones(45), 2.0), [0.0])


@pytest.mark.slow
def test_growth_of_slots_and_steps_changes_no_bit(random_genes, networks):
    observations = np.random.default_rng(3).normal(size=(4, 3))
    grown = networks_of([genes_of(enlarge(genome_of(genes), 20)) for genes in random_genes], STEPS + 9)
    assert_same_bits(sweep_outputs(grown, observations), sweep_outputs(networks, observations))
    assert_same_bits(grown.steps, networks.steps)


def test_individual_weights_belong_to_their_connections():
    rng = np.random.default_rng(4)
    observations = rng.normal(size=(5, 3)).astype(np.float32)
    genes = [oracle.random_genes(rng, nodes=5, ids=(1, 4, 5, 6, 7, 8, 9)) for _ in range(25)]
    weights = rng.uniform(-2, 2, (25, *genes[0].connections.shape)).astype(np.float32)
    networks = networks_of(genes, STEPS, jnp.asarray(weights))
    outputs = sweep_outputs(networks, observations)[:, SWEEP.index(1.0)]
    sharp = [assert_as_oracle(outputs[i], genes[i], weights[i], observations) for i in range(25)]
    assert np.mean(sharp) > 0.7


def test_a_shared_weight_scales_individual_ones():
    rng = np.random.default_rng(5)
    genes = oracle.random_genes(rng, density=0.5, ids=(1, 5, 9))
    weights = rng.uniform(-1, 1, genes.connections.shape).astype(np.float32)
    observations = rng.normal(size=(5, 3)).astype(np.float32)
    network = network_of(genes, STEPS, jnp.asarray(weights))
    assert_as_oracle(network(observations, 0.5), genes, 0.5 * weights, observations)
