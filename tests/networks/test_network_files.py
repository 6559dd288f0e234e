"""Files of networks: round trips, the published format, and everything that can be wrong with a file."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracle import ACTIVATIONS

import wannjax
from wannjax.common.files import LARGEST_FILE
from wannjax.networks.files import load, load_front, save, save_front
from wannjax.networks.graph import Connection, Graph, graph_of, network_of
from wannjax.networks.network import take

WEIGHTS = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)


@pytest.fixture(scope="module")
def networks():
    """Networks of 4 inputs and 2 outputs after 30 generations of random selection and growth."""
    algorithm = wannjax.WannConfig(population=8, delete_connection=0, delete_node=0).algorithm(inputs=4, outputs=2)
    state = algorithm.init(jax.random.key(3))
    generator = np.random.default_rng(3)
    for _ in range(30):
        state = algorithm.enlarge(algorithm.tell(state, generator.normal(size=(8, 6)))[0])
    return [take(algorithm.ask(state), i) for i in range(8)]


def with_weights(network, seed=0):
    graph = graph_of(network)
    generator = np.random.default_rng(seed)
    weighted = tuple(Connection(c.source, c.target, float(np.float32(generator.normal()))) for c in graph.connections)
    return network_of(Graph(graph.input_names, graph.output_names, graph.activations, weighted))


@pytest.mark.parametrize("ending", ["json", "out"])
@pytest.mark.parametrize("individual", [False, True])
def test_a_saved_network_computes_the_same_after_loading(networks, tmp_path, ending, individual):
    observations = np.random.default_rng(0).normal(size=(5, 4))
    for network in networks[:3]:
        network = with_weights(network) if individual else network
        save(tmp_path / f"network.{ending}", network)
        loaded = load(tmp_path / f"network.{ending}", inputs=4, outputs=2)
        assert (loaded.weights is None) == (not individual)
        for weight in WEIGHTS:
            np.testing.assert_array_equal(loaded(observations, weight=weight), network(observations, weight=weight))


def test_graph_and_network_convert_into_each_other(networks):
    for network in networks:
        assert graph_of(network_of(graph_of(network))) == graph_of(network)


def test_names_survive(networks, tmp_path):
    graph = graph_of(networks[0])
    named = network_of(Graph(("a", "b", "c", "d"), ("left", "right"), graph.activations, graph.connections))
    save(tmp_path / "named.json", named)
    assert load(tmp_path / "named.json").input_names == ("a", "b", "c", "d")
    assert load(tmp_path / "named.json").output_names == ("left", "right")


def test_the_file_is_readable_by_a_person(networks, tmp_path):
    save(tmp_path / "network.json", networks[0])
    document = json.loads((tmp_path / "network.json").read_text())
    assert document["nodes"][0] == {"name": "bias", "kind": "bias"}
    assert {"from", "to"} == set(document["connections"][0])
    assert max(len(line) for line in (tmp_path / "network.json").read_text().splitlines()) < 120


def test_published_format_has_a_row_a_node_and_the_activation_last(tmp_path):
    connections = (Connection(0, 3), Connection(2, 3), Connection(3, 4))
    save(tmp_path / "network.out", network_of(Graph(("a", "b"), ("y",), (5, 1), connections)))
    table = np.loadtxt(tmp_path / "network.out", delimiter=",")
    assert table.shape == (5, 6)
    np.testing.assert_array_equal(np.argwhere(table[:, :5]), [[0, 3], [2, 3], [3, 4]])
    np.testing.assert_array_equal(table[:, 5], [1, 1, 1, 5, 1])


def test_published_format_reads_nan_as_no_connection_and_infers_sizes(tmp_path):
    (tmp_path / "n.out").write_text("0,0,nan,1.5,1\n0,0,2,0,1\n0,0,0,-1,5\n0,0,0,0,1\n")
    network = load(tmp_path / "n.out")
    assert (network.inputs, network.outputs) == (1, 1)
    np.testing.assert_allclose(network(jnp.array([0.3])), 1.5 - np.tanh(2 * 0.3), atol=1e-6)


def published_table(seed, *, inputs=5, hidden=22, connections=52):
    """A random network in the published format, of the size of the paper's swing-up champion, in three layers."""
    generator = np.random.default_rng(seed)
    size = 1 + inputs + hidden + 1
    table = np.zeros((size, size + 1))
    table[:, -1] = 1
    table[1 + inputs : -1, -1] = generator.integers(1, 11, hidden)
    middle = 1 + inputs + hidden // 2
    for target in range(1 + inputs, size - 1):
        table[generator.integers(1 + inputs if target < middle else middle), target] = 1
    table[generator.choice(np.arange(middle, size - 1), 4, replace=False), size - 1] = 1
    while np.count_nonzero(table[:, :-1]) < connections:
        target = generator.integers(1 + inputs, size)
        table[generator.integers(1 + inputs if target < middle else middle), target] = 1
    return table


def run_published(table, observation, weight):
    """Node by node in float64, as the published code does."""
    values = np.zeros(len(table))
    values[: 1 + len(observation)] = [1, *observation]
    for node in range(1 + len(observation), len(table)):
        values[node] = ACTIVATIONS[int(table[node, -1])](weight * (values @ table[:, node]))
    return values[-1]


@pytest.mark.parametrize("seed", range(4))
def test_a_published_network_gives_the_oracles_outputs(tmp_path, seed):
    table = published_table(seed)
    np.savetxt(tmp_path / "champion.out", table, delimiter=",")
    network = load(tmp_path / "champion.out", inputs=5, outputs=1)
    observations = np.random.default_rng(seed).uniform(-1, 1, (20, 5)).astype(np.float32)
    for weight in WEIGHTS:
        expected = [[run_published(table, observation, weight)] for observation in observations.astype(float)]
        np.testing.assert_allclose(network(observations, weight=weight), expected, rtol=1e-5, atol=1e-5)


def test_a_front_round_trips(networks, tmp_path):
    save_front(tmp_path / "front.json", networks[:3], np.arange(18.0).reshape(3, 6), WEIGHTS)
    loaded = load_front(tmp_path / "front.json")
    assert [graph_of(network) for network in loaded] == [graph_of(network) for network in networks[:3]]


def good_document():
    return {
        "format": "wannjax network",
        "version": 1,
        "nodes": [
            {"name": "bias", "kind": "bias"},
            {"name": "a", "kind": "input"},
            {"name": "h", "kind": "hidden", "activation": "tanh"},
            {"name": "y", "kind": "output", "activation": "linear"},
        ],
        "connections": [{"from": "a", "to": "h"}, {"from": "h", "to": "y"}],
    }


def broken(change):
    document = good_document()
    change(document)
    return json.dumps(document)


HOSTILE = {
    "empty": "",
    "truncated": json.dumps(good_document())[:-40],
    "a list": "[]",
    "a number": "7",
    "deep nesting": "[" * 100_000,
    "foreign format": broken(lambda d: d.update(format="other")),
    "newer version": broken(lambda d: d.update(version=3)),
    "no nodes": broken(lambda d: d.pop("nodes")),
    "nodes are numbers": broken(lambda d: d.update(nodes=[1, 2])),
    "unknown kind": broken(lambda d: d["nodes"][1].update(kind="lobe")),
    "unknown activation": broken(lambda d: d["nodes"][2].update(activation="exec")),
    "the internal sum": broken(lambda d: d["nodes"][2].update(activation="sum")),
    "two nodes of one name": broken(lambda d: d["nodes"][2].update(name="a")),
    "connection to nowhere": broken(lambda d: d["connections"].append({"from": "a", "to": "z"})),
    "connection backwards": broken(lambda d: d["connections"].append({"from": "y", "to": "h"})),
    "connection to itself": broken(lambda d: d["connections"].append({"from": "h", "to": "h"})),
    "connection into an input": broken(lambda d: d["connections"].append({"from": "bias", "to": "a"})),
    "connection twice": broken(lambda d: d["connections"].append({"from": "a", "to": "h"})),
    "weight is text": broken(lambda d: d["connections"][0].update(weight="1")),
    "weight is huge": broken(lambda d: d["connections"][0].update(weight=1e300)),
    "weight is NaN": json.dumps(good_document()).replace('"to": "h"}', '"to": "h", "weight": NaN}'),
    "half the weights": broken(lambda d: d["connections"][0].update(weight=1.0)),
    "unhashable end": broken(lambda d: d["connections"][0].update({"from": ["a"]})),
    "no outputs": broken(lambda d: d["nodes"].pop()),
    "hidden after output": broken(lambda d: d["nodes"].reverse()),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_bad_file_is_one_clear_error(text, tmp_path):
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(ValueError, match=r"bad\.json: not a wannjax network: .") as caught:
        load(tmp_path / "bad.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2\n",
        "0,1\n0,1\n",
        "a,b,c,d\n" * 3,
        "0,0,1,1\n0,0,1,1\n0,0,0,99\n",
        "0,0,1,1\n1,0,0,1\n0,0,0,1\n",
        "0,0,inf,1\n0,0,1,1\n0,0,0,1\n",
    ],
    ids=["empty", "too few rows", "too small", "text", "unknown activation", "into the bias", "infinite weight"],
)
def test_a_bad_published_file_is_one_clear_error(text, tmp_path):
    (tmp_path / "bad.out").write_text(text)
    with pytest.raises(ValueError, match=r"bad\.out: not a wannjax network: ."):
        load(tmp_path / "bad.out", inputs=1, outputs=1)


def test_a_pickle_is_not_read(tmp_path):
    (tmp_path / "bad.json").write_bytes(b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.")
    with pytest.raises(ValueError, match="not text"):
        load(tmp_path / "bad.json")


def test_a_huge_file_is_refused_unread(tmp_path):
    with open(tmp_path / "huge.json", "wb") as file:
        file.truncate(LARGEST_FILE + 1)
    with pytest.raises(ValueError, match="more than the"):
        load(tmp_path / "huge.json")


def test_an_unknown_ending_is_an_error(networks, tmp_path):
    with pytest.raises(ValueError, match=r"path: must end in \.json or \.out"):
        save(tmp_path / "network.pkl", networks[0])


def test_a_failed_write_leaves_the_old_file(networks, tmp_path, monkeypatch):
    save(tmp_path / "network.json", networks[0])
    before = (tmp_path / "network.json").read_text()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        save(tmp_path / "network.json", networks[1])
    assert (tmp_path / "network.json").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["network.json"]
