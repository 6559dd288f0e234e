"""Files as people have them: what `save` writes comes back whole, and small differences of others' files do not matter."""

import codecs

import numpy as np
import pytest

from wannjax.networks.files import load, load_front, save, save_front
from wannjax.networks.graph import Connection, Graph, graph_of, network_of

UNCONNECTED = Graph(("a", "b", "c"), ("y",), (1,), (Connection(3, 4),))
NOTHING = Graph(("a", "b", "c"), ("y", "z"), (1, 5), ())
ALL_ONE = Graph(("a",), ("y",), (1,), (Connection(1, 2, 1.0),))
SEVERAL = Graph(("a", "b"), ("y", "z"), (5, 1, 1), (Connection(1, 3, 0.5), Connection(3, 4, -2.0)))


@pytest.mark.parametrize("graph", [UNCONNECTED, NOTHING, ALL_ONE, SEVERAL])
def test_a_published_file_tells_inputs_outputs_and_kind_of_weights(graph, tmp_path):
    save(tmp_path / "n.out", network_of(graph))
    found = graph_of(load(tmp_path / "n.out"))
    assert (found.inputs, found.outputs, found.activations) == (graph.inputs, graph.outputs, graph.activations)
    assert found.connections == graph.connections


def test_the_published_reader_skips_what_is_told(tmp_path):
    save(tmp_path / "n.out", network_of(NOTHING))
    assert np.loadtxt(tmp_path / "n.out", delimiter=",").shape == (6, 7)


def test_sizes_that_contradict_a_file_are_refused(tmp_path):
    save(tmp_path / "n.out", network_of(UNCONNECTED))
    with pytest.raises(ValueError, match="it has 3 inputs and 1 output, and not inputs=2"):
        load(tmp_path / "n.out", inputs=2)


@pytest.mark.parametrize(
    "text",
    ["0,0,1.5,1\n0,0,-1,1\n0,0,0,5\n", "0 0  1.5 1\n0\t0 -1 1\n0 0 0 5\n", "# made by hand\n\n0, 0, 1.5, 1 # bias\n0,0,-1,1\n#\n0,0,0,5\n"],
    ids=["commas", "blanks", "comments"],
)
@pytest.mark.parametrize("name", ["n.out", "n.OUT"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_a_published_file_may_be_spelt_in_several_ways(text, name, mark, tmp_path):
    (tmp_path / name).write_bytes(mark + text.encode())
    graph = graph_of(load(tmp_path / name))
    assert graph.connections == (Connection(0, 2, 1.5), Connection(1, 2, -1.0))
    assert (graph.inputs, graph.outputs, graph.activations) == (1, 1, (5,))


@pytest.mark.parametrize("name", ["n.JSON", "n.Out"])
def test_endings_may_be_in_capitals(name, tmp_path):
    save(tmp_path / name, network_of(SEVERAL))
    assert graph_of(load(tmp_path / name)).connections == SEVERAL.connections


def test_a_json_file_may_begin_with_a_byte_order_mark(tmp_path):
    save(tmp_path / "n.json", network_of(SEVERAL))
    (tmp_path / "n.json").write_bytes(codecs.BOM_UTF8 + (tmp_path / "n.json").read_bytes())
    assert graph_of(load(tmp_path / "n.json")) == SEVERAL


def test_an_empty_front_is_read_as_none(tmp_path):
    save_front(tmp_path / "front.json", [], np.zeros((0, 6)), ())
    assert load_front(tmp_path / "front.json") == []
