"""Measuring one network by the paper's protocol, against episodes run one by one."""

import jax
import numpy as np
import pytest

import wannjax
from wannjax.analysis.evaluation import GRID
from wannjax.common.keys import Purpose, key_of
from wannjax.networks.graph import Connection, Graph, graph_of, network_of
from wannjax.networks.network import enlarge


@pytest.fixture(scope="module")
def problem():
    return wannjax.make("CartPole-v1")


@pytest.fixture(scope="module")
def balancing():
    """right = θ + dθ, left = 0: with a positive weight it balances, with a negative one it falls."""
    connections = (Connection(3, 6), Connection(4, 6))
    return network_of(Graph(("x", "dx", "θ", "dθ"), ("left", "right"), (1, 1), connections))


@pytest.fixture(scope="module")
def report(problem, balancing):
    return wannjax.evaluate(balancing, problem, episodes=20, seed=3)


def test_per_weight_scores_follow_the_sign(report):
    assert list(report.per_weight) == [-2.0, -1.0, -0.5, 0.5, 1.0, 2.0]
    assert all(report.per_weight[weight].mean > 150 for weight in (0.5, 1.0, 2.0))
    assert all(report.per_weight[weight].mean < 20 for weight in (-0.5, -1.0, -2.0))
    assert all(score.episodes == 20 for score in report.per_weight.values())


def test_the_tuned_weight_is_on_the_grid_and_scores_as_well_as_the_sweep(report):
    assert report.tuned_weight in GRID
    assert report.tuned_shared.mean >= max(score.mean for score in report.per_weight.values()) - 1e-6


def test_random_shared_mixes_good_and_bad_weights(report):
    assert 15 < report.random_shared.mean < report.tuned_shared.mean
    assert report.random_shared.std > 50


def test_random_weights_differ_between_connections(report):
    assert report.random_weights.mean < report.tuned_shared.mean


def test_a_network_without_weights_has_no_tuned_weights(report):
    assert report.tuned_weights is None


def test_individual_weights_are_the_fourth_column(problem, balancing):
    graph = graph_of(balancing)
    weighted = tuple(Connection(c.source, c.target, 0.5) for c in graph.connections)
    network = network_of(Graph(graph.input_names, graph.output_names, graph.activations, weighted))
    report = wannjax.evaluate(network, problem, episodes=20, seed=3)
    assert report.tuned_weights == report.per_weight[0.5]


def test_scores_are_those_of_single_episodes(problem, balancing):
    report = wannjax.evaluate(balancing, problem, episodes=3, seed=5, weights=(1.0,))
    score_key = jax.random.split(key_of(5, Purpose.EVALUATION), 4)[1]
    env, returns = problem.environment.env, []
    reset, step = jax.jit(env.reset_env), jax.jit(env.step_env)
    for key in jax.random.split(score_key, 3):
        observation, state = reset(jax.random.fold_in(key, Purpose.EPISODE_START), problem.params)
        total, ended, time = 0.0, False, 0
        while not ended:
            action = int(np.argmax(balancing(observation, weight=1.0)))
            observation, state, reward, terminated, _ = step(jax.random.fold_in(key, time), state, action, problem.params)
            total, time = total + float(reward), time + 1
            ended = bool(terminated) or bool(env.is_truncated(state, problem.params))
        returns.append(total)
    assert report.per_weight[1.0].mean == pytest.approx(np.mean(returns))
    assert report.per_weight[1.0].std == pytest.approx(np.std(returns))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"episodes": 0}, "episodes: must be an integer >= 1, got 0"),
        ({"seed": -3}, "seed: must be an integer from 0"),
        ({"weights": ()}, "weights: must be finite and not empty"),
        ({"weights": (1.0, float("nan"))}, "weights: must be finite"),
    ],
)
def test_a_bad_argument_is_named(problem, balancing, arguments, message):
    with pytest.raises(ValueError, match=message):
        wannjax.evaluate(balancing, problem, **arguments)


def test_a_network_for_another_problem_is_refused(balancing):
    with pytest.raises(ValueError, match="networks: must be of 5 inputs and 1 output, as CartPoleSwingUp-v0 needs"):
        wannjax.evaluate(balancing, wannjax.make("CartPoleSwingUp-v0"))


def test_room_on_the_tape_has_no_say(problem, balancing):
    """As a champion has it that comes from a search and not from a file."""
    larger = enlarge(balancing, 24)
    assert len(larger.activations) > len(balancing.activations)
    assert wannjax.evaluate(larger, problem, episodes=3) == wannjax.evaluate(balancing, problem, episodes=3)
