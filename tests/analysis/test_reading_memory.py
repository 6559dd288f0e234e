"""Networks with memory, read: formulas, what matters and what can go, held to float64 numpy step by step."""

from dataclasses import replace

import bridge
import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from marking import slow

import wannjax
from wannjax.analysis.activity import activity
from wannjax.analysis.explanation import explain
from wannjax.analysis.formula import formula
from wannjax.analysis.pruning import prune
from wannjax.networks.graph import Connection, Graph, graph_of, network_of

ECHO = Graph(("x",), ("y",), (1, 5, 1), tuple(Connection(*each) for each in ((1, 2), (3, 2), (3, 3), (2, 3), (3, 4), (1, 4))))
"""Node 3 reads itself and node 2, which reads x and 3: both read it as it was in the last time step."""
TIME = 6


def values_over_time(graph, weight, observations):
    """The sums and values [T, N, B] of hidden nodes and outputs at observations [T, B, I]."""
    sums, values = [], []
    last = np.zeros((graph.size, observations.shape[1]))
    for seen in observations.astype(np.float64):
        now = np.concatenate([np.ones((1, seen.shape[0])), seen.T, np.zeros((len(graph.activations), seen.shape[0]))])
        total = np.zeros_like(now)
        for node in range(graph.first_hidden, graph.size):
            for each in graph.connections:
                if each.target == node:
                    own = 1.0 if each.weight is None else each.weight
                    total[node] += weight * own * (now if each.source < node else last)[each.source]
            now[node] = oracle.ACTIVATIONS[graph.activations[node - graph.first_hidden]](total[node])
        last = now
        sums.append(total[graph.first_hidden :])
        values.append(now[graph.first_hidden :])
    return np.stack(sums), np.stack(values)


def stepped(text, observations, weight):
    """What the text of a function gives for one sequence, step by step."""
    scope = {}
    exec(text, scope)
    function = scope["network"]
    state, found = getattr(function, "initial_state", None), []
    for row in observations.tolist():
        if state is None:
            outputs = function(*row, w=weight)
        else:
            outputs, state = function(state, *row, w=weight)
        found.append(outputs)
    return np.array(found, float)


@pytest.mark.parametrize("seed", [0, 1, *slow(*range(2, 40))])
def test_difference_equations_give_the_oracles_values_at_every_time_step(seed):
    rng = np.random.default_rng(seed)
    genes = oracle.random_genes(rng, nodes=int(rng.integers(1, 9)), ids=tuple(range(1, 12)), density=0.25, defects=0.2, recurrent=True)
    matrix = rng.normal(size=genes.connections.shape).astype(np.float32)
    observations = rng.normal(size=(TIME, 1, 3)).astype(np.float32)
    for own, weights in ((None, 1.0), (matrix, matrix.astype(np.float64))):
        network = bridge.network_of(genes, 40, own, recurrent=True)
        for weight in (1.0, -0.7):
            want, uncertain = oracle.run_over_time(genes, weight * weights, observations)
            sure = (uncertain < 1e-6 * (1 + np.abs(want)))[:, 0]
            found = stepped(formula(network).python(), observations[:, 0], weight)
            np.testing.assert_allclose(found[sure], want[:, 0][sure], rtol=1e-8, atol=1e-8)


def test_difference_equations_are_read_as_text_latex_and_sympy():
    formulas = formula(network_of(ECHO))
    assert str(formulas) == "h2 = tanh(w*(h2[t-1] + w*(h2[t-1] + x)))\ny = w*(h2 + x)"
    assert "h_{2} &= \\tanh{\\left(w \\cdot \\left(h_{2}[t-1] + " in formulas.latex()
    (h2, last), w, x = *formulas.last.items(), formulas.weight, formulas.inputs["x"]
    assert formulas.definitions[h2].xreplace({last: 0}) == formulas.definitions[h2].func(w**2 * x)
    squared = formula(network_of(replace(ECHO, activations=(11, 5, 1), connections=ECHO.connections[1:])), weight=1.0)
    assert str(squared) == "h2 = tanh(h2[t-1]**2 + h2[t-1])\ny = h2 + x"
    assert "\\left(h_{2}[t-1]\\right)^{2}" in squared.latex()


def test_what_an_input_is_called_clashes_with_nothing():
    connections = (Connection(1, 4), Connection(2, 4), Connection(3, 4), Connection(4, 4), Connection(4, 5))
    text = formula(network_of(Graph(("state", "h1", "network"), ("state_2",), (1, 1), connections))).python(name="policy")
    assert text.startswith("import math\n\n\ndef policy(state_2, state, h1, network, w=1.0):\n    h1_2 = ")
    scope = {}
    exec(text, scope)
    assert scope["policy"]([2.0], 1.0, 10.0, 100.0) == ([113.0], [113.0])
    assert scope["policy"].initial_state == [0.0]


def test_what_only_cancelled_terms_remember_is_left_out():
    connections = (Connection(1, 3, 1.0), Connection(3, 2, 1.0), Connection(2, 4, 1.0), Connection(2, 5, 1.0), Connection(4, 6, 1.0))
    kept = formula(network_of(Graph(("x",), ("y",), (5, 5, 5, 5, 1), (*connections, Connection(5, 6, -1.0), Connection(1, 6, 1.0)))))
    assert (str(kept), kept.last) == ("y = w*x", {})


@pytest.fixture(scope="module")
def sequences():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, TIME, 1)).astype(np.float32)
    y = values_over_time(ECHO, 1.0, x.swapaxes(0, 1))[1][-1, -1]
    return wannjax.DataProblem(x, y, loss="mse", sequences="last", batch=20, validation=0.5)


@pytest.mark.slow
def test_effects_on_sequences_are_the_losses_of_networks_without_the_part(sequences):
    found = explain(network_of(ECHO), sequences, weights=(1.0,), episodes=8)
    examples = sequences.split("validation").examples
    inputs, targets = np.asarray(examples.inputs).swapaxes(0, 1), np.asarray(examples.targets, np.float64)[:, 0]

    def loss(connections):
        graph = replace(ECHO, connections=tuple(connections))
        return np.mean((values_over_time(graph, 1.0, inputs)[1][-1, -1] - targets) ** 2)

    without = [loss(c for c in ECHO.connections if c is not gone) for gone in ECHO.connections]
    np.testing.assert_allclose(found.connection_effects[:, 0], without, rtol=1e-4, atol=1e-6)
    without = [loss(c for c in ECHO.connections if c.source != node) for node in found.nodes]
    np.testing.assert_allclose(found.node_effects[:, 0], without, rtol=1e-4, atol=1e-6)
    assert found.connection_name(2) == "h2[t-1] → h2"


def test_activity_on_sequences_is_that_of_all_time_steps(sequences):
    found = activity(jax.random.key(0), network_of(ECHO), sequences, jnp.asarray([1.0, -1.5]), episodes=8)
    inputs = np.asarray(sequences.split("validation").examples.inputs).swapaxes(0, 1)
    assert found.steps.tolist() == [inputs.shape[0] * inputs.shape[1]] * 2
    for column, weight in enumerate((1.0, -1.5)):
        sums, values = (np.moveaxis(each, 1, 0).reshape(3, -1) for each in values_over_time(ECHO, weight, inputs))
        for mine, want in ((found.low, values.min(1)), (found.high, values.max(1)), (found.mean, values.mean(1))):
            np.testing.assert_allclose(mine[:, column], want, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found.deviation[:, column], values.std(1), rtol=1e-4, atol=1e-5)
        correlation = [np.corrcoef(x, y)[0, 1] ** 2 for x, y in zip(sums, values, strict=True)]
        np.testing.assert_allclose(found.linearity[:, column], correlation, rtol=1e-3)
        np.testing.assert_allclose(found.saturated[1, column], np.mean(1 - values[1] ** 2 < 0.05))


@pytest.mark.slow
def test_activity_in_an_environment_is_that_of_its_episodes():
    """Which the memory enters at 0; `episodes_of` gives the values of all nodes."""
    from wannjax.analysis.episodes import episodes_of

    problem = wannjax.make("CartPole-v1", max_steps=40)
    pairs = ((3, 5), (6, 5), (4, 6), (5, 6), (6, 6), (5, 7), (6, 8), (1, 8))
    network = network_of(Graph(problem.input_names, problem.output_names, (5, 1, 1, 1), tuple(Connection(*pair) for pair in pairs)))
    key = jax.random.key(5)
    found = activity(key, network, problem, jnp.asarray([0.5]), episodes=3)
    seen = episodes_of(network, problem, jax.random.split(key, 3), jnp.full(3, 0.5))
    values = np.moveaxis(seen.values[:, 5:], 1, 0)[:, seen.alive]
    np.testing.assert_array_equal(found.steps, [seen.alive.sum()])
    for mine, want in ((found.low, values.min(1)), (found.high, values.max(1)), (found.mean, values.mean(1))):
        np.testing.assert_allclose(mine[:, 0], want, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_pruning_keeps_the_memory_that_is_needed(sequences):
    """A dead loop, a loop of weight 0 and one that adds little go; the echo stays."""
    weighted = ECHO.with_weights([1.0] * 6)
    more = [Connection(4, 4, 1.0), Connection(2, 2, 0.0), Connection(1, 4, 1.0)]
    moved = [replace(c, target=5) if c.target == 4 else c for c in weighted.connections]
    network = network_of(replace(ECHO, activations=(1, 5, 6, 1), connections=(*moved, *more)))
    pruned = prune(network, sequences, tolerance=1e-9)
    assert graph_of(pruned.network) == graph_of(network_of(weighted))
    assert pruned.removed_nodes == ("h3",)
    assert {*pruned.removed_connections} == {"h3[t-1] → h3", "h1[t-1] → h1", "x → h3"}
    assert pruned.removed_between == ("h1[t-1] → h1",)
    assert pruned.cost == pytest.approx(0, abs=1e-9)
    bare = prune(network, sequences, tolerance=100.0)
    assert bare.connections_after == 0
