"""Networks with memory: stepped, told from others, as graphs and in files."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import assert_same_bits, network_of, networks_of

import wannjax
from wannjax.networks.graph import Connection, Graph, graph_of
from wannjax.networks.graph import network_of as network_of_graph
from wannjax.networks.network import is_recurrent, take

STEPS, TIME = 40, 5
RNG = np.random.default_rng(3)
GENES = [oracle.random_genes(RNG, nodes=8, ids=(1, 4, 5, 6), density=0.2, recurrent=True) for _ in range(12)]
SEEN = RNG.normal(size=(TIME, 6, 3)).astype(np.float32)
ECHO = Graph(("x",), ("y",), (1, 5, 1), (Connection(1, 2), Connection(3, 2), Connection(3, 3), Connection(2, 3), Connection(3, 4)))
"""Two hidden nodes: 3 reads itself and 2, which reads x and 3."""


def stepped(network, observations, weight):
    state, found = network.initial_state(observations.shape[1]), []
    for seen in observations:
        outputs, state = network.step(state, seen, weight)
        found.append(outputs)
    return np.stack(found)


@pytest.mark.parametrize("individual", [False, True])
def test_steps_are_those_of_the_genome(individual):
    for genes in GENES:
        weights = np.random.default_rng(1).normal(size=genes.connections.shape).astype(np.float32) if individual else None
        network = network_of(genes, STEPS, weights, recurrent=True)
        want, bound = oracle.run_over_time(genes, weights if individual else 0.7, SEEN)
        got = stepped(network, SEEN, 1.0 if individual else 0.7)
        assert np.all(np.abs(got - want) <= bound + 1e-7 * np.abs(want))


def test_one_observation_steps_as_a_batch_of_it():
    network = network_of(GENES[0], STEPS, recurrent=True)
    state = network.initial_state()
    for seen, want in zip(SEEN[:, 0], stepped(network, SEEN[:, :1], 1.0), strict=True):
        outputs, state = network.step(state, seen)
        np.testing.assert_array_equal(outputs, want[0])


def test_a_feed_forward_network_steps_as_it_is_called_whatever_the_state():
    genes = oracle.random_genes(RNG, nodes=6)
    network = network_of(genes, STEPS)
    outputs, _ = network.step(network.initial_state(6) + 3.0, SEEN[0])
    assert_same_bits(outputs, network(SEEN[0]))


def test_a_call_of_a_network_with_memory_says_how_it_is_run():
    with pytest.raises(ValueError, match=r"^network: must be feed-forward to be called; .*y, state = network\.step\(state, x\)"):
        network_of_graph(ECHO)(np.zeros(1))


@pytest.mark.parametrize("state", [jnp.zeros(7), jnp.zeros((2, 2)), 0.0], ids=["long", "batch", "number"])
def test_a_state_of_another_shape_is_named(state):
    with pytest.raises(ValueError, match=r"^state: must be of shape \(2,\)"):
        network_of_graph(ECHO).step(state, np.zeros(1))


def test_a_network_of_a_recurrent_search_that_remembers_nothing_is_called_as_any_other():
    genes = oracle.random_genes(RNG, nodes=6)
    network = network_of(genes, STEPS, recurrent=True)
    assert network.recurrent
    assert not is_recurrent(network)
    assert_same_bits(network(SEEN[0]), network_of(genes, STEPS)(SEEN[0]))


def test_within_a_program_that_is_traced_a_call_is_the_first_step():
    networks = networks_of(GENES[:3], STEPS, recurrent=True)
    said = []

    def call(network):
        said.append(repr(network))
        return network(SEEN[0, 0])

    for network, outputs in zip([take(networks, i) for i in range(3)], jax.vmap(call)(networks), strict=True):
        first, _ = network.step(network.initial_state(), SEEN[0, 0])
        np.testing.assert_allclose(jax.jit(call)(network), first, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(outputs, first, rtol=1e-5, atol=1e-6)
    assert set(said) == {"Network(3 inputs, 2 outputs, shared weight, recurrent)"}


def test_memory_is_seen_in_populations_and_told_by_the_representation():
    networks = networks_of([GENES[0], oracle.random_genes(RNG, nodes=6)], STEPS, recurrent=True)
    assert is_recurrent(networks)
    assert [is_recurrent(take(networks, place)) for place in range(2)] == [True, False]
    assert ["recurrent" in repr(take(networks, place)) for place in range(2)] == [True, False]


@pytest.mark.slow
def test_gradients_flow_through_time():
    network = network_of_graph(ECHO.with_weights([0.5, 0.8, 0.7, -0.4, 1.1]))

    def total(weights):
        state = network.initial_state()
        for seen in SEEN[:, 0, :1]:
            outputs, state = replace(network, weights=weights).step(state, seen)
        return outputs[0]

    gradient = jax.grad(total)(network.weights)
    for place in np.argwhere(np.asarray(network.weights) != 0):
        nudge = jnp.zeros_like(network.weights).at[tuple(place)].set(1e-2)
        slope = (total(network.weights + nudge) - total(network.weights - nudge)) / 2e-2
        np.testing.assert_allclose(gradient[tuple(place)], slope, rtol=2e-2, atol=1e-3)


@pytest.mark.slow
def test_graphs_have_recurrent_connections_and_lead_back_to_the_network():
    assert [each.is_recurrent for each in ECHO.connections] == [False, True, True, False, False]
    for genes in GENES:
        network = network_of(genes, STEPS, recurrent=True)
        again = network_of_graph(graph_of(network))
        assert is_recurrent(again) == again.recurrent == graph_of(network).recurrent
        assert graph_of(again) == graph_of(network)
        np.testing.assert_allclose(stepped(again, SEEN, 0.5), stepped(network, SEEN, 0.5), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pair", [(4, 2), (4, 4), (2, 1), (2, 0)])
def test_only_hidden_nodes_remember(pair):
    with pytest.raises(ValueError, match=r"does not lead from bias, input or hidden node to a hidden node or output"):
        replace(ECHO, connections=(Connection(*pair),))


def test_files_say_what_is_recurrent_and_have_the_lowest_version_that_holds_it(tmp_path):
    network = network_of_graph(ECHO)
    wannjax.save(tmp_path / "echo.json", network)
    document = json.loads((tmp_path / "echo.json").read_text())
    assert document["version"] == 2
    assert [entry.get("recurrent") for entry in document["connections"]] == [None, True, True, None, None]
    assert wannjax.load(tmp_path / "echo.json") == network
    assert wannjax.load(tmp_path / "echo.json").recurrent
    wannjax.save(tmp_path / "plain.json", network_of_graph(ECHO.in_no_time))
    assert json.loads((tmp_path / "plain.json").read_text())["version"] == 1
    with pytest.raises(ValueError, match=r"^network: must be feed-forward for a file in \.out"):
        wannjax.save(tmp_path / "echo.out", network)


@pytest.mark.parametrize(
    ("version", "change", "told"),
    [
        (2, lambda entries: entries[2].pop("recurrent"), "leads backwards: nodes must stand in order of evaluation"),
        (2, lambda entries: entries[0].update(recurrent=True), "leads forwards, and is said to be recurrent"),
        (1, lambda entries: None, "leads backwards: nodes must stand in order of evaluation"),
    ],
    ids=["unsaid", "wrongly said", "version 1"],
)
def test_a_connection_that_is_not_what_the_file_says_is_refused(version, change, told, tmp_path):
    wannjax.save(tmp_path / "echo.json", network_of_graph(ECHO))
    document = json.loads((tmp_path / "echo.json").read_text()) | {"version": version}
    change(document["connections"])
    (tmp_path / "echo.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match=told):
        wannjax.load(tmp_path / "echo.json")


def test_the_published_format_has_no_memory(tmp_path):
    (tmp_path / "loop.out").write_text("0,0,1,0,1\n0,0,1,0,1\n0,0,1,1,5\n0,0,0,0,1\n")
    with pytest.raises(ValueError, match="connection from node 2 to node 2 leads backwards"):
        wannjax.load(tmp_path / "loop.out", inputs=1, outputs=1)
