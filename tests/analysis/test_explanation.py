"""What matters: effects, activity and sensitivity, held to networks run one by one in float64 numpy."""

import re
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from rich.console import Console

import wannjax
from wannjax.analysis.ablation import ROUNDS, population_of
from wannjax.analysis.activity import activity
from wannjax.analysis.explanation import explain
from wannjax.analysis.sensitivity import RANGE, weight_curve
from wannjax.cli.tables import explanation_tables
from wannjax.common.keys import Purpose, key_of
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Connection, Graph, graph_of, network_of
from wannjax.networks.live import live_connections, thinned
from wannjax.networks.network import take
from wannjax.pictures.effects import draw_effects

SWEEP = (-1.0, 0.5, 2.0)


def named(activations: str, *connections, inputs, outputs):
    ids = tuple(NAMES.index(name) for name in activations.split())
    return Graph(inputs, outputs, ids, tuple(Connection(*each) for each in connections))


def node_values(graph: Graph, weight: float, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sum and the value of every hidden node and output, [N, B] each, in float64."""
    known, sums = [np.ones(len(observations)), *observations.T.astype(np.float64)], []
    for node in range(graph.first_hidden, graph.size):
        incoming = [(c.source, 1.0 if c.weight is None else c.weight) for c in graph.connections if c.target == node]
        sums.append(weight * sum((own * known[source] for source, own in incoming), np.zeros(len(observations))))
        known.append(oracle.ACTIVATIONS[graph.activations[node - graph.first_hidden]](sums[-1]))
    return np.stack(sums), np.stack(known[graph.first_hidden :])


BALANCING = named(
    "tanh inverse relu linear linear",
    *[(3, 5), (4, 5), (2, 6), (5, 6), (0, 7), (5, 8), (3, 8), (6, 9), (7, 9)],
    inputs=("x", "dx", "θ", "dθ"),
    outputs=("left", "right"),
)
FITTING = named(
    "tanh abs sigmoid linear",
    *[(1, 3, 1.5), (0, 3, 0.5), (2, 4, -1.0), (3, 4, 2.0), (2, 5, 40.0), (4, 6, 1.0), (5, 6, 0.25), (1, 6, 0.0)],
    inputs=("a", "b"),
    outputs=("y",),
)


@pytest.fixture(scope="module")
def cart_pole():
    return wannjax.make("CartPole-v1", max_steps=60)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    return wannjax.DataProblem(x, np.abs(x[:, 1]) + 0.2 * x[:, 0], loss="mse", batch=64)


@pytest.fixture(scope="module")
def balanced(cart_pole):
    return explain(network_of(BALANCING), cart_pole, weights=SWEEP, episodes=2, seed=3)


@pytest.fixture(scope="module")
def fitted(data):
    return explain(network_of(FITTING), data, episodes=8)


def test_live_connections_lead_to_an_output():
    graph = named("tanh relu abs linear", (1, 2), (2, 3), (1, 3), (1, 4), (4, 5), inputs=("x",), outputs=("y",))
    assert live_connections(graph, range(5)) == {3, 4}
    assert live_connections(graph, {0, 1, 2, 3}) == set()
    assert thinned(graph, range(5)) == named("abs linear", (1, 2), (2, 3), inputs=("x",), outputs=("y",))


def test_a_variant_computes_what_the_graph_without_these_connections_does():
    observations = np.random.default_rng(1).normal(size=(4, 2)).astype(np.float32)
    kept = [set(range(8)) - {place} for place in range(8)] + [set()]
    population = population_of(FITTING, kept, steps=len(network_of(FITTING).activations))
    for place, each in enumerate(kept):
        graph = replace(FITTING, connections=tuple(FITTING.connections[i] for i in sorted(each)))
        _, values = node_values(graph, 0.7, observations)
        np.testing.assert_allclose(np.asarray(take(population, place)(observations, 0.7))[:, 0], values[-1], rtol=1e-5, atol=1e-5)


def test_effects_on_data_are_the_losses_of_networks_without_the_part(fitted, data):
    examples = data.split("validation").examples
    inputs, targets = np.asarray(examples.inputs, np.float64), np.asarray(examples.targets, np.float64)[:, 0]

    def score(connections):
        graph = replace(FITTING, connections=tuple(connections))
        return -np.mean((node_values(graph, 1.0, inputs)[1][-1] - targets) ** 2)

    whole = score(FITTING.connections)
    assert fitted.weights == (1.0,)
    np.testing.assert_allclose(fitted.scores, [whole], rtol=1e-5)
    without = [whole - score(c for c in FITTING.connections if c is not gone) for gone in FITTING.connections]
    np.testing.assert_allclose(fitted.connection_effects[:, 0], without, rtol=1e-4, atol=1e-5)
    assert fitted.nodes.tolist() == [0, 1, 2, 3, 4, 5]
    without = [whole - score(c for c in FITTING.connections if c.source != node) for node in fitted.nodes]
    np.testing.assert_allclose(fitted.node_effects[:, 0], without, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose([*fitted.connection_errors, *fitted.node_errors], 0, atol=1e-9)


@pytest.mark.slow
def test_effects_in_an_environment_are_those_of_the_same_episodes(balanced, cart_pole):
    """The network without θ, scored by the problem itself on the keys of the eight rounds."""
    key = jax.random.split(key_of(3, Purpose.EXPLANATION))[0]
    bare = replace(BALANCING, connections=tuple(c for c in BALANCING.connections if c.source != 3))

    def scores(graph):
        one = jax.tree.map(lambda leaf: leaf[None], network_of(graph))
        keys = jax.random.split(key, ROUNDS)
        return np.stack([np.asarray(cart_pole.evaluate(each, one, jnp.asarray(SWEEP), episodes=2).scores[0], np.float64) for each in keys])

    effects = scores(BALANCING) - scores(bare)
    place = balanced.nodes.tolist().index(3)
    np.testing.assert_allclose(balanced.scores, scores(BALANCING).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(balanced.node_effects[place], effects.mean(axis=0), atol=1e-4)
    assert balanced.node_errors[place] == pytest.approx(np.std(effects.mean(axis=1), ddof=1) / np.sqrt(ROUNDS))


def statistics(graph, weight, observations):
    sums, values = node_values(graph, weight, observations)
    return values.min(axis=1), values.max(axis=1), values.mean(axis=1), values.std(axis=1), sums, values


def test_activity_on_data_is_that_of_all_validation_examples(fitted, data):
    inputs = np.asarray(data.split("validation").examples.inputs)
    *expected, sums, values = statistics(FITTING, 1.0, inputs)
    active = fitted.activity
    for found, right in zip((active.low, active.high, active.mean, active.deviation), expected, strict=True):
        np.testing.assert_allclose(found[:, 0], right, rtol=1e-4, atol=1e-5)
    assert fitted.activity.steps.tolist() == [len(inputs)]
    correlation = [np.corrcoef(x, y)[0, 1] ** 2 for x, y in zip(sums, values, strict=True)]
    np.testing.assert_allclose(fitted.activity.linearity[:, 0], correlation, rtol=1e-3)
    tanh = np.mean(1 - values[0] ** 2 < 0.05)
    sigmoid = np.mean(values[2] * (1 - values[2]) < 0.05 * 0.25)
    np.testing.assert_allclose(fitted.activity.saturated[:, 0], [tanh, np.nan, sigmoid, np.nan])
    assert 0.5 < sigmoid < 1


def test_activity_in_an_environment_counts_every_episode_up_to_its_end(cart_pole):
    """Episodes of different lengths, replayed on the host step by step."""
    key, network = jax.random.key(5), network_of(BALANCING)
    found = activity(key, network, cart_pole, jnp.asarray([1.0, -1.0]), episodes=3)
    env, params = cart_pole.environment.env, cart_pole.params
    for column, weight in enumerate((1.0, -1.0)):
        seen = []
        for lane in jax.random.split(key, 3):
            observation, state = env.reset_env(jax.random.fold_in(lane, Purpose.EPISODE_START), params)
            ended, time = False, 0
            while not ended and time < 60:
                seen.append(np.asarray(observation))
                action = int(np.argmax(np.asarray(network(observation, weight))))
                observation, state, _, terminated, _ = env.step_env(jax.random.fold_in(lane, time), state, action, params)
                ended, time = bool(terminated), time + 1
        low, high, mean, deviation, _, _ = statistics(BALANCING, weight, np.stack(seen))
        assert found.steps[column] == len(seen)
        for mine, expected in ((found.low, low), (found.high, high), (found.mean, mean), (found.deviation, deviation)):
            np.testing.assert_allclose(mine[:, column], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_node_that_keeps_one_value_is_dead(balanced, cart_pole):
    graph = named("relu tanh linear linear", (0, 5), (3, 6), (6, 7), (5, 8), inputs=BALANCING.input_names, outputs=("left", "right"))
    assert balanced.activity.dead.tolist() == [False, False, True, False, False]
    found = activity(jax.random.key(0), network_of(graph), cart_pole, jnp.asarray([1.0, 2.0]), episodes=2)
    assert found.dead.tolist() == [True, False, False, True]
    np.testing.assert_allclose(found.low[0], [1, 2])
    assert np.isnan(found.linearity[0]).all()


def test_the_curve_is_the_score_at_every_shared_weight(data):
    curve = weight_curve(network_of(FITTING), data, weights=(2.0, -1.0))
    inputs = np.asarray(data.split("test").examples.inputs)
    targets = np.asarray(data.split("test").examples.targets)[:, 0]
    assert curve.weights.tolist() == [-1.0, 2.0]
    expected = [1 - np.mean((node_values(FITTING, weight, inputs)[1][-1] - targets) ** 2) / np.var(targets) for weight in (-1.0, 2.0)]
    np.testing.assert_allclose(curve.means, expected, rtol=1e-4)
    assert (curve.episodes, curve.metric) == (1, "R²")


def test_the_curve_covers_minus_3_to_3_and_says_where_the_score_is_good(balanced):
    curve = balanced.curve
    assert (curve.weights[0], curve.weights[-1], len(curve.weights)) == (-3.0, 3.0, len(RANGE))
    assert curve.means.max() == curve.means[curve.weights.tolist().index(curve.best_weight)]
    limit = curve.means.max() - 0.1 * (curve.means.max() - curve.means.min())
    assert curve.good_share == pytest.approx(np.mean([mean >= limit for mean in curve.means]))


def printed(renderable):
    console = Console(width=140, record=True, file=sys.stderr, quiet=False)
    console.print(renderable, highlight=False)
    return console.export_text()


def test_the_tables_show_the_parts_in_order_of_their_effects(fitted):
    text = printed(explanation_tables(fitted, top=3))
    order = np.argsort(-fitted.connection_effects[:, 0], kind="stable")
    assert "connections that matter most, 3 of 8" in text
    shown = [text.find(f" {fitted.connection_name(place)} ") for place in order.tolist()]
    assert 0 < shown[0] < shown[1] < shown[2]
    assert set(shown[3:]) == {-1}
    assert "nodes that matter most, 3 of 6" in text
    assert re.search(r"│ y +│ linear +│ +│ +\S+ to \S+ │ +│ +1\.00 │", text)


def test_the_picture_has_a_bar_for_each_part(balanced, tmp_path):
    figure = draw_effects(balanced, tmp_path / "effects.png")
    connections, nodes = figure.axes
    first = int(np.argmax(balanced.connection_effects.mean(axis=1)))
    assert connections.get_yticklabels()[0].get_text() == balanced.connection_name(first)
    assert len(connections.patches) == 9
    assert [patch.get_width() for patch in nodes.patches] == sorted(balanced.node_effects.mean(axis=1), reverse=True)
    assert (tmp_path / "effects.png").stat().st_size > 1000


def test_a_problem_of_your_own_needs_evaluate_and_measure_alone():
    class Output(wannjax.Problem):
        name, inputs, outputs, input_names, output_names, output_activation = "own", 2, 1, ("a", "b"), ("y",), "linear"

        def measure(self, keys, networks, gain, *, activation_ids=()):
            return jnp.sum(networks.sources > 0, axis=(1, 2))[:, None] * gain[None, :]  # the sum of inputs that are all 1

        def evaluate(self, key, networks, weights, *, episodes, activation_ids=()):
            scores = self.measure(None, networks, weights)
            return wannjax.Evaluation(scores, jnp.ones(scores.shape, jnp.int32), jnp.float32(1))

    explanation = explain(network_of(named("linear", (1, 3), (2, 3), inputs=("a", "b"), outputs=("y",))), Output(), weights=(3.0,))
    assert explanation.activity is None
    np.testing.assert_allclose(explanation.connection_effects, [[3.0], [3.0]])
    assert "range" not in printed(explanation_tables(explanation))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"episodes": 0}, "episodes: must be an integer >= 1, got 0"),
        ({"seed": -1}, "seed: must be an integer from 0"),
        ({"weights": ()}, "weights: must be finite and not empty, got ()"),
        ({"weights": (float("inf"),)}, "weights: must be finite and not empty, got (inf,)"),
    ],
)
def test_wrong_arguments_are_one_line(options, message, data, cart_pole):
    with pytest.raises(ValueError, match=re.escape(message)):
        explain(network_of(FITTING), data, **options)
    with pytest.raises(ValueError, match=re.escape(message)):
        weight_curve(network_of(FITTING), data, **options)


def test_a_network_of_other_sizes_is_refused(cart_pole):
    for function in (explain, weight_curve):
        with pytest.raises(ValueError, match="must be of 4 inputs and 2 outputs, as CartPole-v1 needs"):
            function(network_of(FITTING), cart_pole)
    with pytest.raises(ValueError, match="network: must be one network"):
        weight_curve(jax.tree.map(lambda leaf: leaf[None], network_of(BALANCING)), cart_pole)
    assert graph_of(network_of(FITTING)) == FITTING
