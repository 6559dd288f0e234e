"""Networks as values: equal if they compute the same by construction, and fit for sets and lists."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import wannjax
from wannjax.networks.files import load, save
from wannjax.networks.graph import Connection, Graph, graph_of, network_of
from wannjax.networks.network import enlarge, individual_weights, take

GRAPH = Graph(("a", "b"), ("y",), (5, 1), tuple(Connection(s, 3) for s in range(3)) + tuple(Connection(s, 4) for s in range(4)))
NETWORK = network_of(GRAPH)
WEIGHTED = network_of(GRAPH.with_weights([0.5, -1, 2, 3, 4, 5, 6]))


def test_networks_of_one_graph_are_equal_and_have_one_hash():
    for network, other in ((NETWORK, network_of(GRAPH)), (WEIGHTED, network_of(graph_of(WEIGHTED)))):
        assert network == other
        assert hash(network) == hash(other)
        assert network == jax.device_get(network)
        assert enlarge(network, 20) == network
        assert other in [network]
    assert len({NETWORK, network_of(GRAPH), WEIGHTED}) == 2


def test_wiring_weights_activations_and_names_tell_networks_apart():
    others = [
        network_of(replace(GRAPH, connections=GRAPH.connections[:-1])),
        network_of(replace(GRAPH, activations=(6, 1))),
        network_of(replace(GRAPH, input_names=("b", "a"))),
        WEIGHTED,
        network_of(GRAPH.with_weights([0.5, -1, 2, 3, 4, 5, 7])),
    ]
    assert len({NETWORK, *others}) == 6
    assert NETWORK != "a network"


def test_what_stands_beside_no_connection_has_no_say():
    weights = individual_weights(NETWORK, jnp.float32(2))[..., 0]  # 1 where there is nothing, where a graph's network has 0
    assert replace(NETWORK, weights=weights) == network_of(GRAPH.with_weights([2.0] * 7))


@pytest.mark.slow
@pytest.mark.nightly
def test_a_champion_equals_the_one_that_was_saved(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 2))
    problem = wannjax.DataProblem(x, x[:, 0] > 0)
    for number, config in enumerate((wannjax.WannConfig(population=32), wannjax.NeatConfig(population=32))):
        champion = wannjax.evolve(problem, config, generations=4, progress=False).champion
        save(tmp_path / f"{number}.json", champion)
        assert load(tmp_path / f"{number}.json") == champion


def test_populations_are_compared_one_by_one():
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), NETWORK, network_of(replace(GRAPH, activations=(6, 1))))
    assert both == jax.device_get(both)
    assert hash(both) == hash(jax.device_get(both))
    assert both != take(both, np.array([1, 0]))
    assert both != NETWORK
    islands = jax.tree.map(lambda leaf: leaf[None], both)
    assert islands == jax.device_get(islands) != both


def test_inside_jax_networks_stay_usable():
    @jax.jit
    def outputs(network):
        assert network == network
        assert hash(network) == hash(network)
        assert network != replace(network)
        return network(jnp.ones(2))

    assert outputs(NETWORK) == NETWORK(jnp.ones(2))
    assert outputs(network_of(GRAPH)) == NETWORK(jnp.ones(2))
