"""Pruning: what goes, what stays, and what it cost."""

import re

import jax
import numpy as np
import pytest

import wannjax
from wannjax.analysis.canonical import canonical
from wannjax.analysis.pruning import prune
from wannjax.cli.tables import pruned_table
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Connection, Graph, graph_of, network_of


def named(activations: str, *connections, inputs, outputs):
    ids = tuple(NAMES.index(name) for name in activations.split())
    return network_of(Graph(inputs, outputs, ids, tuple(Connection(*each) for each in connections)))


@pytest.fixture(scope="module")
def data():
    """y is |b| exactly; a says nothing."""
    x = np.random.default_rng(0).normal(size=(400, 2))
    return wannjax.DataProblem(x, np.abs(x[:, 1]), loss="mse", batch=64, x_test=x[:50], y_test=np.abs(x[:50, 1]))


NEEDED = [(2, 4, 1.0), (4, 6, 1.0)]
SUPERFLUOUS = [(1, 3, 1.0), (3, 6, 0.02), (1, 6, 0.0), (2, 5, 3.0)]
"""A node that adds a little noise, a weight of 0, and a dead node."""


@pytest.mark.slow
def test_what_fits_worse_goes_and_what_is_needed_stays(data):
    network = named("tanh abs relu linear", *NEEDED, *SUPERFLUOUS, inputs=("a", "b"), outputs=("y",))
    pruned = prune(network, data, tolerance=0.0)
    assert graph_of(pruned.network) == graph_of(named("abs linear", (2, 3, 1.0), (3, 4, 1.0), inputs=("a", "b"), outputs=("y",)))
    assert (pruned.connections_before, pruned.connections_after) == (6, 2)
    assert pruned.removed_nodes == ("h1", "h3")
    assert pruned.removed_connections == ("a → h1", "b → h3", "h1 → y", "a → y")
    assert pruned.score_after == pytest.approx(0.0, abs=1e-9)
    assert pruned.cost == pytest.approx(pruned.score_before - pruned.score_after)
    assert pruned.cost < 0


def test_the_scores_are_those_of_the_test_examples(data):
    network = named("tanh abs relu linear", *NEEDED, *SUPERFLUOUS, inputs=("a", "b"), outputs=("y",))
    pruned = prune(network, data, tolerance=0.0)
    noise = 0.02 * np.tanh(np.asarray(data.split("test").examples.inputs)[:, 0])
    assert pruned.score_before == pytest.approx(-np.mean(noise**2), rel=1e-4)


def test_dead_parts_go_at_no_cost_and_nothing_else_when_all_is_needed(data):
    network = named("abs relu linear", (2, 3, 1.0), (3, 5, 1.0), (1, 4, 1.0), inputs=("a", "b"), outputs=("y",))
    pruned = prune(network, data, tolerance=0.0)
    assert canonical(pruned.network) == canonical(network)
    assert pruned.removed_connections == ("a → h2",)
    assert pruned.cost == 0


def test_the_tolerance_is_in_units_of_the_score_and_bounds_the_whole_cost(data):
    """Three sources of equal small use: each costs about 0.01, and the tolerance allows for one, or for all."""
    useful = [(1, 4, 0.1), (2, 4, 0.1), (3, 4, 0.1)]
    x = np.random.default_rng(1).normal(size=(2000, 3))
    problem = wannjax.DataProblem(x, 0.1 * x.sum(axis=1), loss="mse", batch=512)
    network = named("linear", *useful, inputs=("a", "b", "c"), outputs=("y",))
    left = {tolerance: prune(network, problem, tolerance=tolerance) for tolerance in (0.004, 0.014, 0.05)}
    assert [each.connections_after for each in left.values()] == [3, 2, 0]
    for tolerance, each in left.items():
        assert each.cost <= tolerance
        assert each.tolerance == tolerance


@pytest.mark.slow
def test_a_network_with_a_shared_weight_is_pruned_over_the_sweep_on_the_same_fresh_episodes():
    inputs, outputs = ("x", "dx", "θ", "dθ"), ("left", "right")
    network = named("tanh gaussian linear linear", (3, 8), (4, 8), (2, 8), (1, 5), (5, 6), inputs=inputs, outputs=outputs)
    problem = wannjax.make("CartPole-v1", max_steps=100)
    pruned = prune(network, problem, tolerance=15.0, weights=(0.5, 1.0), episodes=2)
    assert pruned.connections_after < pruned.connections_before == 5
    assert {"x → h1", "h1 → h2"} <= {*pruned.removed_connections}
    assert pruned.network.weights is None
    assert pruned.cost <= 15 + 3 * pruned.cost_error
    again = prune(network, problem, tolerance=15.0, weights=(0.5, 1.0), episodes=2)
    assert again.removed_connections == pruned.removed_connections
    assert again.score_after == pruned.score_after


def test_the_table_says_what_went_and_what_it_cost(data, capsys):
    from rich.console import Console

    network = named("abs relu linear", (2, 3, 1.0), (3, 5, 1.0), (1, 4, 1.0), (1, 5, 0.0), inputs=("a", "b"), outputs=("y",))
    Console(width=120).print(pruned_table(prune(network, data, tolerance=0.0)))
    text = capsys.readouterr().out
    assert re.search(r"connections +│ +4 │ +2 ", text)
    assert "removed nodes with their connections: h2\n" in text
    assert "removed connections: a → y\n" in text
    assert "of 0 allowed" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": -1.0}, "tolerance: must be finite and >= 0, got -1.0"),
        ({"tolerance": float("nan")}, "tolerance: must be finite and >= 0, got nan"),
        ({"tolerance": 1.0, "episodes": 0}, "episodes: must be an integer >= 1, got 0"),
        ({"tolerance": 1.0, "weights": ()}, "weights: must be finite and not empty, got ()"),
    ],
)
def test_wrong_arguments_are_one_line(options, message, data):
    network = named("abs linear", (2, 3, 1.0), (3, 4, 1.0), inputs=("a", "b"), outputs=("y",))
    with pytest.raises(ValueError, match=re.escape(message)):
        prune(network, data, **options)


def test_a_population_is_refused(data):
    network = named("abs linear", (2, 3, 1.0), (3, 4, 1.0), inputs=("a", "b"), outputs=("y",))
    with pytest.raises(ValueError, match="network: must be one network"):
        prune(jax.tree.map(lambda leaf: leaf[None], network), data, tolerance=0.0)
