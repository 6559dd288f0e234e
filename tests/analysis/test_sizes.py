"""A network's size stands beside that of its normal form, wherever it is shown."""

import numpy as np
import pytest
from rich.console import Console

import wannjax
from wannjax.cli.tables import report_table
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Connection, Graph, network_of


class Counted(wannjax.Problem):
    """Measures in numpy, so that nothing is compiled."""

    name, inputs, outputs, output_activation = "counted", 2, 1, "linear"
    input_names, output_names = ("a", "b"), ("y",)

    def measure(self, keys, networks, gain, *, activation_ids=()):
        return (0.012 + 0.003 * (-1.0) ** np.arange(len(gain)))[None].astype(np.float32)


@pytest.fixture(scope="module")
def report():
    """Of a network with two equal nodes, and a tanh of nothing that an output reads."""
    activations = tuple(NAMES.index(name) for name in ("relu", "relu", "tanh", "abs", "linear"))
    pairs = ((1, 3), (1, 4), (5, 7), (3, 6), (4, 7), (6, 7))
    network = network_of(Graph(("a", "b"), ("y",), activations, tuple(Connection(*pair) for pair in pairs)))
    return wannjax.evaluate(network, Counted(), episodes=10)


def test_what_is_constant_or_there_twice_counts_once(report):
    assert (report.connections, report.canonical_connections) == (6, 4)


def test_the_table_has_both_and_small_scores_have_digits(report, capsys):
    Console(width=100).print(report_table(report))
    text = capsys.readouterr().out
    assert "counted: 6 connections, 4 in normal form" in text
    assert "0.012 ± 0.003" in text
