"""Drawings: where things stand, and what a picture holds."""

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import jax
import numpy as np
import oracle
import pytest
from bridge import network_of
from hypothesis import given
from hypothesis import strategies as st

import wannjax
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Connection, Graph, graph_of
from wannjax.networks.graph import network_of as network_of_graph
from wannjax.pictures.drawing import SUFFIXES
from wannjax.pictures.glyphs import COLOURS, curve_of
from wannjax.pictures.layout import RADIUS, _isotonic, _neighbours, _ordered, layout_of

_TITLE = "{http://www.w3.org/2000/svg}title"


def random_graph(seed, nodes=8, slots=12):
    """Also hidden nodes without sources, which random genes have."""
    return graph_of(network_of(oracle.random_genes(np.random.default_rng(seed), nodes=nodes, slots=slots, defects=0.3), steps=40))


def small_graph(weights=None):
    """Two inputs of four, two hidden nodes, two outputs."""
    names = ("x", "<dx>", "cos $θ$", "sin θ"), ("left", "right")
    pairs = [(1, 5), (2, 5), (5, 6), (1, 6), (6, 7), (5, 8)]
    activations = tuple(NAMES.index(name) for name in ("tanh", "gaussian", "linear", "linear"))
    weights = [None] * len(pairs) if weights is None else weights
    return Graph(*names, activations, tuple(Connection(*pair, weight) for pair, weight in zip(pairs, weights, strict=True)))


def svg_of(graph, path):
    wannjax.draw(network_of_graph(graph), path)
    return path.read_text(encoding="utf-8")


def titles_in(svg):
    """By id, what the parts of an SVG are called."""
    elements = ElementTree.fromstring(svg).iter()
    return {e.get("id"): e.find(_TITLE).text for e in elements if e.get("id") and e.find(_TITLE) is not None}


@pytest.mark.parametrize("seed", range(8))
def test_connections_lead_to_the_right_and_no_two_nodes_touch(seed):
    graph = random_graph(seed)
    nodes = layout_of(graph).nodes
    for connection in graph.connections:
        assert nodes[connection.source][0] + 2 * RADIUS < nodes[connection.target][0]
    places = np.array([place for node, place in nodes.items() if node >= graph.first_hidden])
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1) + 9 * np.eye(len(places))
    assert distances.min() > 2 * RADIUS


@pytest.mark.parametrize("seed", range(4))
def test_every_connection_runs_from_its_source_along_the_trunk_to_its_target(seed):
    graph = random_graph(seed, nodes=12, slots=16)
    layout = layout_of(graph)
    for connection, (points, end) in zip(graph.connections, layout.branches, strict=True):
        trunk = layout.trunks[connection.source]
        np.testing.assert_array_equal(trunk[0], layout.nodes[connection.source])
        assert np.all(np.diff(trunk[:, 0]) > 0)
        assert 1 <= points <= len(trunk)
        assert trunk[points - 1, 0] < end[0]
        assert np.linalg.norm(end - layout.nodes[connection.target]) == pytest.approx(RADIUS)


def test_inputs_and_outputs_stand_in_their_order_from_top_to_bottom():
    graph = small_graph()
    nodes = layout_of(graph).nodes
    assert nodes[1][1] > nodes[2][1]
    assert nodes[7][1] > nodes[8][1]


def test_inputs_without_connections_are_left_out():
    layout = layout_of(small_graph())
    assert layout.left_out == (0, 3, 4)
    assert set(layout.nodes) == {1, 2, 5, 6, 7, 8}


def test_crossings_that_an_order_avoids_are_avoided():
    """A hidden node a side, whose connections cross in the order of numbers."""
    links = [((0, 0), (3, 1)), ((1, 0), (2, 1)), ((3, 1), (4, 2)), ((2, 1), (5, 2))]
    layers = _ordered([[(0, 0), (1, 0)], [(2, 1), (3, 1)], [(4, 2), (5, 2)]], links)
    left, _ = _neighbours(links)
    for before, layer in pairwise(layers):
        sources = [before.index(left[vertex][0]) for vertex in layer]
        assert sources == sorted(sources)


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(0.1, 5)), min_size=1, max_size=8))
def test_the_nearest_ascending_sequence_is_the_one_that_the_minimax_formula_gives(pairs):
    values, weights = np.array(pairs).T
    size = len(values)

    def mean(a, b):
        return np.average(values[a : b + 1], weights=weights[a : b + 1])

    expected = [max(min(mean(a, b) for b in range(i, size)) for a in range(i + 1)) for i in range(size)]
    np.testing.assert_allclose(_isotonic(values, weights), expected, atol=1e-9)


def test_a_deep_network_uses_the_height():
    """A chain of 30 nodes with connections that skip."""
    size = 2 + 30
    pairs = {(i, i + 1) for i in range(1, size)} | {(i, i + 6) for i in range(1, size - 6)} | {(1, 20), (2, 28)}
    connections = tuple(Connection(a, b) for a, b in sorted(pairs, key=lambda pair: pair[::-1]))
    layout = layout_of(Graph(("x",), ("y",), (NAMES.index("tanh"),) * 31, connections))
    assert layout.width / layout.height < 3


def test_an_svg_holds_every_node_and_connection_with_its_title(tmp_path):
    graph = small_graph()
    svg = svg_of(graph, tmp_path / "network.svg")
    titles = titles_in(svg)
    kinds = Counter(name.split("-")[0] for name in titles)
    assert kinds == {"node": 6, "connection": 6, "trunk": 2}  # x and hidden 1 go on beyond the next layer
    assert titles["node-5"] == "h1: tanh, 2 in, 2 out"
    assert titles["node-8"] == "right: linear, 1 in"
    assert titles["connection-2-5"] == "<dx> → h1"


def test_a_notebook_shows_one_network_as_its_drawing_and_a_population_as_text(tmp_path):
    network = network_of_graph(small_graph())
    assert titles_in(network._repr_svg_()) == titles_in(svg_of(small_graph(), tmp_path / "network.svg"))
    assert jax.tree.map(lambda leaf: leaf[None], network)._repr_svg_() is None


def test_the_words_of_an_svg_are_text(tmp_path):
    svg = svg_of(small_graph(), tmp_path / "network.svg")
    words = {element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert {"x", "<dx>", "left", "right", "tanh", "gaussian", "linear", "2 hidden nodes, 6 connections"} <= words
    assert "not connected: bias, cos $θ$, sin θ" in words


def test_many_left_out_inputs_are_counted(tmp_path):
    graph = Graph(tuple(f"pixel {i}" for i in range(100)), ("y",), (1,), (Connection(3, 101),))
    assert "100 of 101 inputs (with the bias) are not connected" in svg_of(graph, tmp_path / "network.svg")


def test_negative_weights_are_dashed_and_width_grows_with_size(tmp_path):
    weights = [0.5, -0.5, 2.0, -2.0, 1.0, 0.1]
    graph = small_graph(weights)
    axes = wannjax.draw(network_of_graph(graph)).axes[0]
    lines = {patch.get_gid(): patch for patch in axes.patches}
    widths = {}
    for connection in graph.connections:
        line = lines[f"connection-{connection.source}-{connection.target}"]
        assert (line.get_linestyle() in ("-", "solid")) == (connection.weight > 0)
        widths[abs(connection.weight)] = line.get_linewidth()
    assert [widths[size] for size in sorted(widths)] == sorted(set(widths.values()))
    assert titles_in(svg_of(graph, tmp_path / "network.svg"))["connection-1-6"] == "x → h2, weight -2"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_equal_networks_give_equal_files(tmp_path, suffix):
    network = network_of_graph(small_graph())
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    wannjax.draw(network, first)
    wannjax.draw(network, second)
    assert first.read_bytes() == second.read_bytes()


def test_a_page_holds_the_drawing_and_fetches_nothing(tmp_path):
    wannjax.draw(network_of_graph(small_graph()), tmp_path / "network.html", title="<b> & more")
    text = (tmp_path / "network.html").read_text(encoding="utf-8")
    tags = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attributes):
            tags.append(tag)
            for name, value in attributes:
                assert name not in ("src", "data", "action"), name
                assert name not in ("href", "xlink:href") or value.startswith("#"), value

    Parser().feed(text)
    assert {"svg", "script", "style"} <= set(tags)
    assert "link" not in tags
    assert "b" not in tags
    assert not re.search(r"url\((?!#)|import|fetch\(", text)


def test_another_ending_is_an_error():
    with pytest.raises(ValueError, match=r"path: must be a file name that ends in \.svg, \.png, \.pdf, \.html, got 'x\.jpeg'"):
        wannjax.draw(network_of_graph(small_graph()), "x.jpeg")


def test_a_population_is_an_error():
    network = network_of_graph(small_graph())
    population = replace(network, sources=network.sources[None], activations=network.activations[None], steps=network.steps[None])
    with pytest.raises(ValueError, match="must be one network"):
        wannjax.draw(population)


def test_every_activation_has_a_colour_and_a_curve_of_its_own():
    assert set(COLOURS) == set(NAMES[1:])
    assert len(set(COLOURS.values())) == len(COLOURS)
    curves = [curve_of(activation)[0] for activation in range(1, len(NAMES))]
    assert all(np.linalg.norm(curve, axis=1).max() < 1 for curve in curves)
    apart = [np.abs(a - b).max() for i, a in enumerate(curves) for b in curves[:i]]
    assert min(apart) > 0.1
