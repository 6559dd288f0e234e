"""Gradients of copies of one network, against finite differences of the float64 oracle on random networks with every activation."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import assert_same_bits, network_of
from hypothesis import given
from hypothesis import strategies as st
from marking import slow

from wannjax.networks import activations, gradients
from wannjax.networks.activations import NAMES, SUM, activate
from wannjax.networks.graph import graph_of
from wannjax.networks.graph import network_of as laid_out
from wannjax.networks.network import Network, individual_weights, is_connection

IDS = tuple(sorted(oracle.ACTIVATIONS))
SEEDS = pytest.mark.parametrize("seed", [*range(4), *slow(*range(4, 10))])
"""Every topology is a program of its own to compile, so few of them in the quick run."""


@partial(jax.jit, static_argnames="surrogate")
def gradients_of(topology, weights, observations, pull, surrogate=0.0):
    """The gradients of sum(pull * outputs) in weights and observations."""

    def score(weights, observations):
        return jnp.sum(gradients.run(topology, weights, observations, surrogate=surrogate) * pull)

    return jax.grad(score, argnums=(0, 1))(weights, observations)


run = jax.jit(gradients.run, static_argnames="surrogate")
slope = jax.jit(activations.slope)
copies = jax.jit(gradients.copies)


def case(seed, ids=IDS, **sizes):
    """Random genes, their network, and which cell of the genes' matrix each of its connections is."""
    genes = oracle.random_genes(np.random.default_rng(seed), ids=ids, **sizes)
    network = network_of(genes, 64, recurrent=sizes.get("recurrent", False))
    graph = graph_of(network)
    hidden = sorted(oracle.live_nodes(genes))
    targets = [*hidden, *range(genes.slots, genes.slots + genes.outputs)]
    rows = [*range(1 + genes.inputs), *(1 + genes.inputs + node for node in hidden)]
    cells = [(rows[c.source], targets[c.target - 1 - genes.inputs]) for c in graph.connections]
    return genes, network, np.array(cells, int).reshape(-1, 2)


def in_float64(genes, cells, weights, observations, pull):
    """sum(pull * outputs) by the oracle; weights [C], observations [B, I], pull [B, O]."""
    matrix = np.zeros(genes.connections.shape)
    matrix[cells[:, 0], cells[:, 1]] = weights
    return np.sum(oracle.run(genes, matrix, observations)[0] * pull)


@SEEDS
def test_gradients_are_those_of_the_float64_network(seed):
    genes, network, cells = case(seed)
    rng = np.random.default_rng(seed + 1)
    weights, observations = rng.uniform(-1, 1, (2, len(cells))), rng.normal(size=(3, 2, 4))  # I, M, L
    pull = rng.normal(size=(genes.outputs, 2, 4))
    topology = gradients.topology_of(network)
    of_weights, of_observations = gradients_of(topology, *(jnp.asarray(x, jnp.float32) for x in (weights, observations, pull)))
    for copy in range(2):
        seen, pulled = observations[:, copy].T, pull[:, copy].T
        want = oracle.differences(lambda w, s=seen, p=pulled: in_float64(genes, cells, w, s, p), weights[copy])
        np.testing.assert_allclose(of_weights[copy], want, atol=2e-3 * (1 + np.abs(want).max(initial=0)))
        want = oracle.differences(lambda o, w=weights[copy], p=pulled: in_float64(genes, cells, w, o, p), seen)
        np.testing.assert_allclose(of_observations[:, copy].T, want, atol=2e-3 * (1 + np.abs(want).max(initial=0)))


@SEEDS
def test_gradients_flow_through_time_as_in_the_float64_network(seed):
    genes, network, cells = case(seed, recurrent=True, density=0.2, defects=0.05)
    rng = np.random.default_rng(seed + 1)
    weights, observations = rng.uniform(-1, 1, (2, len(cells))), rng.normal(size=(4, 3, 2, 5))  # T, I, M, L
    pull = rng.normal(size=(4, genes.outputs, 2, 5))
    topology = gradients.topology_of(network)

    @jax.jit
    def total(topology, weights, observations, pull):
        def advance(memory, seen):
            return gradients.step(topology, weights, memory, seen, surrogate=0.0)

        return jnp.sum(jax.lax.scan(advance, gradients.no_memory(topology, 2, 5), observations)[1] * pull)

    arrays = [jnp.asarray(each, jnp.float32) for each in (weights, observations, pull)]
    of_weights = jax.grad(total, argnums=1)(topology, *arrays)
    for copy in range(2):
        seen, pulled = (each[:, :, copy].swapaxes(1, 2) for each in (observations, pull))

        def slow(weights, seen=seen, pulled=pulled):
            matrix = np.zeros(genes.connections.shape)
            matrix[cells[:, 0], cells[:, 1]] = weights
            return np.sum(oracle.run_over_time(genes, matrix, seen)[0] * pulled)

        want = oracle.differences(slow, weights[copy])
        np.testing.assert_allclose(of_weights[copy], want, atol=2e-3 * (1 + np.abs(want).max(initial=0)))


@SEEDS
def test_outputs_are_those_of_the_network(seed):
    genes, network, cells = case(seed)
    rng = np.random.default_rng(seed)
    weights = rng.uniform(-2, 2, (3, len(cells))).astype(np.float32)
    observations = rng.normal(size=(genes.inputs, 3, 5)).astype(np.float32)
    topology = gradients.topology_of(network)
    outputs = run(topology, jnp.asarray(weights), jnp.asarray(observations))
    for copy in range(3):
        matrix = np.zeros(genes.connections.shape)
        matrix[cells[:, 0], cells[:, 1]] = weights[copy]
        want, bound = oracle.run(genes, matrix, observations[:, copy].T)
        np.testing.assert_array_less(np.abs(outputs[:, copy].T - want), 1e-6 + bound)


def slow_topology(network):
    """The arrays that the graph decides: the network is laid out again, with its number for the weight of every connection."""
    graph = graph_of(network)
    count = len(graph.connections)
    again = laid_out(graph.with_weights(map(float, range(count))))
    sources = np.asarray(again.sources)
    numbers = np.zeros(sources.shape) if again.weights is None else np.asarray(again.weights)
    connection = np.where(is_connection(again), numbers, np.where(sources > 0, count, count + 1))
    return sources, again.activations, connection.astype(np.int32)


@pytest.mark.slow
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.sampled_from([(3, 2), (17, 3)]),  # each is compiled, with weights and without
    nodes=st.integers(0, 12),
    density=st.floats(0.0, 0.7),
    weighted=st.booleans(),
)
@pytest.mark.nightly
def test_a_topology_has_the_connections_in_the_order_of_the_graph(seed, sizes, nodes, density, weighted):
    rng, (inputs, outputs) = np.random.default_rng(seed), sizes
    genes = oracle.random_genes(rng, inputs=inputs, outputs=outputs, nodes=nodes, density=density)
    weights = jnp.asarray(rng.normal(size=genes.connections.shape), jnp.float32) if weighted else None
    for network in (expressed := network_of(genes, 150, weights), laid_out(graph_of(expressed))):
        topology = gradients.topology_of(network)
        assert_same_bits((topology.sources, topology.activations, topology.connection), slow_topology(network))
        assert topology.connections == len(graph_of(network).connections)
        assert topology.activation_ids == tuple(sorted({SUM, *graph_of(network).activations}))


def test_another_node_may_stand_between_a_partial_sum_and_the_node_that_it_serves():
    rows = [[2, 3, 4], [3, 0, 0], [6, 5, 1], [8, 7, 0]]  # the bias is row 1, inputs are 2 to 5
    network = Network(jnp.array(rows), jnp.array([SUM, 5, 1, 1], jnp.int8), jnp.int32(3), None, 4, 1)
    ends = [(connection.source, connection.target) for connection in graph_of(network).connections]
    assert ends == [(2, 5), (1, 6), (2, 6), (3, 6), (4, 6), (0, 6), (6, 7), (5, 7)]
    np.testing.assert_array_equal(gradients.topology_of(network).connection, [[1, 2, 3], [0, 9, 9], [8, 4, 5], [6, 7, 9]])


@SEEDS
def test_gradients_are_finite_on_large_inputs(seed):
    genes, network, cells = case(seed, nodes=12, slots=12)
    rng = np.random.default_rng(seed)
    weights = jnp.asarray(rng.uniform(-3, 3, (2, len(cells))), jnp.float32)
    pull = jnp.ones((genes.outputs, 2, 6))
    topology = gradients.topology_of(network)
    for scale in (1.0, 1e3, 1e6):
        observations = jnp.asarray(scale * rng.uniform(-1, 1, (genes.inputs, 2, 6)), jnp.float32)
        chex.assert_tree_all_finite(gradients_of(topology, weights, observations, pull, gradients.SURROGATE))


@SEEDS
def test_copies_have_weights_on_connections_only(seed):
    _, network, cells = case(seed)
    topology = gradients.topology_of(network)
    weights = jnp.arange(2.0, 2 + 2 * len(cells)).reshape(2, -1)
    population = copies(topology, weights)
    plain = individual_weights(population, 0.0)  # 1 on links between partial sums, 0 on everything else
    on_links = np.asarray(plain[..., 0]) == 1
    tables = np.asarray(population.weights)
    sources = np.asarray(population.sources)
    assert np.all(tables[on_links & (sources > 0)] == 1)
    assert np.all(tables[sources == 0] == 0)
    for table, own in zip(tables, weights, strict=True):
        np.testing.assert_array_equal(np.sort(table[(sources[0] > 0) & ~on_links[0]]), own)


def test_gradients_reach_past_a_step_by_its_surrogate_only():
    genes = oracle.Genes(np.array([[0, 0], [1, 0], [0, 1]], np.int8), np.array([2, 1], np.int8), 1, 1)
    topology = gradients.topology_of(network_of(genes, 32))
    weights, observation = jnp.ones((1, 2)), jnp.full((1, 1, 1), 0.5)
    gradient = {s: gradients_of(topology, weights, observation, jnp.ones((1, 1, 1)), s)[0] for s in (0.0, 2.0)}
    np.testing.assert_allclose(gradient[0.0], [[0, 1]])
    np.testing.assert_allclose(gradient[2.0], [[0.5 / (1 + 2 * 0.5) ** 2, 1]])


@pytest.mark.parametrize("activation", IDS, ids=lambda i: NAMES[i])
def test_slope_is_the_derivative_of_the_float64_function(activation):
    x = np.concatenate([np.linspace(-6, 6, 400), [0.25, 100.3, -100.3, 19.0, -19.0]])
    want = (oracle.ACTIVATIONS[activation](x + 1e-6) - oracle.ACTIVATIONS[activation](x - 1e-6)) / 2e-6
    got = slope(jnp.int8(activation), jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(got, want, atol=3e-4 if activation in (3, 10) else 1e-5)


def test_slope_agrees_with_the_gradient_of_activate():
    x = jnp.asarray(np.random.default_rng(0).normal(0, 3, (len(IDS), 200)), jnp.float32)
    ids = jnp.array(IDS, jnp.int8)[:, None]
    np.testing.assert_allclose(slope(ids, x), jax.jit(jax.grad(lambda x: jnp.sum(activate(ids, x))))(x), atol=2e-5, rtol=1e-5)
