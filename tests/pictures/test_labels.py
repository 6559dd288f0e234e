"""Hidden nodes have one name wherever people see them: in drawings, formulas, and what `explain` and `prune` print."""

import re

import numpy as np
import pytest

import wannjax
from wannjax.cli import main
from wannjax.cli.tables import explanation_tables
from wannjax.networks.graph import Connection, Graph, graph_of, network_of
from wannjax.pictures.drawing import drawing_svg

PAIRS = ((1, 3), (2, 3), (3, 4), (3, 5), (4, 6), (5, 6), (3, 6))


def a_network(inputs=("a", "b")):
    return network_of(Graph(inputs, ("y",), (5, 9, 3, 1), tuple(Connection(*pair) for pair in PAIRS)))


def texts(svg):
    return re.findall(r"<text[^>]*>([^<]+)</text>", svg)


def test_a_drawing_has_labels_when_asked_for():
    assert [text for text in texts(drawing_svg(a_network(), labels=True)) if text.startswith("h")] == ["h1", "h2", "h3"]
    assert not {"h1", "h2", "h3"} & {*texts(drawing_svg(a_network()))}


def test_the_command_draws_them(tmp_path):
    wannjax.save(tmp_path / "network.json", a_network())
    assert main(["draw", str(tmp_path / "network.json"), "-o", str(tmp_path / "picture.svg"), "--labels"]) == 0
    assert "h3" in texts((tmp_path / "picture.svg").read_text())


def test_formulas_name_the_nodes_of_the_drawing():
    pytest.importorskip("sympy")
    named = {str(symbol) for symbol in wannjax.formula(a_network()).definitions}
    assert named
    assert named <= {*texts(drawing_svg(a_network(), labels=True))}


def test_an_input_may_be_called_as_a_hidden_node_is():
    pytest.importorskip("sympy")
    network = a_network(("h1", "h_2"))
    assert [text for text in texts(drawing_svg(network, labels=True)) if text.startswith("h1")] == ["h1", "h1_2"]
    assert {"h1_2"} == {str(symbol) for symbol in wannjax.formula(network).definitions}
    assert wannjax.formula(network).python()


def test_files_keep_their_names(tmp_path):
    wannjax.save(tmp_path / "network.json", a_network())
    assert '"hidden 1"' in (tmp_path / "network.json").read_text()
    assert graph_of(wannjax.load(tmp_path / "network.json")) == graph_of(a_network())


@pytest.mark.slow
def test_what_is_explained_and_pruned_has_the_same_names(capsys):
    from rich.console import Console

    x = np.random.default_rng(0).normal(size=(80, 2))
    problem = wannjax.DataProblem(x, np.abs(x[:, 1]), loss="mse", batch=64)
    explanation = wannjax.explain(a_network(), problem, episodes=1)
    assert {explanation.connection_name(place) for place in range(len(PAIRS))} >= {"a → h1", "h1 → h2", "h3 → y"}
    Console(width=160).print(explanation_tables(explanation))
    assert "hidden" not in capsys.readouterr().out
    pruned = wannjax.prune(a_network(), problem, tolerance=1e9, episodes=1)
    assert {*pruned.removed_nodes} == {"h1", "h2", "h3"}
