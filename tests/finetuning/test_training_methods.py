"""Each training method against slow numpy: gradients, what is told to strategies, the parts of the policy gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import oracle
import pytest
from bridge import assert_same_bits
from evosax.algorithms import CMA_ES, Open_ES, Sep_CMA_ES
from marking import nightly, slow
from training_support import BALANCING, LINE, SORTING, SWINGING, Quadratic, distance, points_to_sort

import wannjax
from wannjax import EvolutionStrategy, Gradient, PolicyGradient
from wannjax.common.keys import Purpose
from wannjax.finetuning.baseline import advantages
from wannjax.finetuning.evolution_strategy import STRATEGIES, losses
from wannjax.finetuning.lanes import end_of
from wannjax.finetuning.method import ascend, bounded
from wannjax.finetuning.policy_gradient import clipped_gain
from wannjax.finetuning.training import Training
from wannjax.networks import gradients
from wannjax.networks.graph import graph_of
from wannjax.problems.environment import Environment, Transition
from wannjax.problems.spaces import Discrete


@pytest.fixture(scope="module")
def sorted_points():
    return points_to_sort()


# Gradients


def test_a_gradient_that_is_not_finite_leaves_its_member_where_it_is():
    optimizer = optax.adam(0.1)
    params = {"a": jnp.ones((3, 2)), "b": jnp.zeros((3, 1))}
    state = jax.vmap(optimizer.init)(params)
    gradient = {"a": jnp.array([[1.0, -2.0], [1.0, jnp.nan], [0.5, 0.5]]), "b": jnp.array([[1.0], [1.0], [jnp.inf]])}
    moved, after = ascend(optimizer, params, gradient, state)
    one = lambda tree, i: jax.tree.map(lambda leaf: leaf[i], tree)  # noqa: E731
    for stays in (1, 2):
        assert_same_bits(one((moved, after), stays), one((params, state), stays))
    np.testing.assert_allclose(moved["a"][0], [1.1, 0.9], rtol=1e-5)
    np.testing.assert_allclose(moved["b"][0], [0.1], rtol=1e-5)
    assert int(after[0].count[0]) == 1


@pytest.mark.parametrize("limit", [0.5, 3.0, 1e30])
def test_the_gradient_between_time_steps_is_bounded_by_its_norm_for_every_episode(limit):
    rng = np.random.default_rng(0)
    pulls = [rng.normal(size=(2, 3)).astype(np.float32), rng.normal(size=(2, 3, 4)).astype(np.float32)]
    pulls[0][0, 1] = np.nan
    pulls[1][1, 0] = [np.inf, -np.inf, 0.3, 1.0]
    pulls[1][1, 1] *= 1e25
    pulls[1][1, 2], pulls[0][1, 2] = 0.0, 0.0
    tree = {"a": jnp.ones((2, 3)), "b": jnp.ones((2, 3, 4)), "time": jnp.ones((2, 3), jnp.int32)}
    same, pull_back = jax.vjp(lambda tree: bounded(limit, tree), tree)
    assert_same_bits(same, tree)
    (got,) = pull_back({"a": jnp.asarray(pulls[0]), "b": jnp.asarray(pulls[1]), "time": np.zeros((2, 3), jax.dtypes.float0)})
    assert got["time"].dtype == jax.dtypes.float0
    for place in np.ndindex(2, 3):
        whole = np.concatenate([np.atleast_1d(pull[place]) for pull in pulls]).astype(np.float64)
        whole = np.where(np.isfinite(whole), whole, 0.0)
        want = whole * min(1.0, limit / max(np.linalg.norm(whole), 1e-30))
        np.testing.assert_allclose(np.concatenate([np.atleast_1d(got[leaf][place]) for leaf in "ab"]), want, rtol=1e-5)


def climbed(method, problem, network, weights, key) -> tuple[np.ndarray, np.ndarray]:
    """The gradient that one step follows, and the scores."""
    trainer = method.trainer(problem, gradients.topology_of(network), optax.sgd(1.0))
    state = trainer.init(key, weights)
    after, scores = trainer.step(key, state)
    return np.asarray(trainer.weights(after) - weights), np.asarray(scores)


@pytest.mark.slow
def test_the_gradient_through_the_dynamics_is_that_of_the_float64_episode():
    problem = wannjax.make("CartPoleSwingUp-v0", max_steps=20)
    key, weights = jax.random.key(1), np.array([[0.7, -1.2, 0.4, 0.3, -0.8, 1.1], [-0.3, 0.9, 1.4, -0.5, 1.2, -0.7]])
    starts = [
        problem.environment.env.reset_env(jax.random.fold_in(one, Purpose.EPISODE_START), problem.params)[1]
        for one in jax.random.split(key, 2)
    ]
    starts = [np.array([s.x, s.x_dot, s.theta, s.theta_dot], np.float64) for s in starts]

    def mean_return(w):
        def policy(seen):
            hidden = np.tanh(w[0] * seen[2] + w[1] * seen[3] + w[2] * seen[4])
            return np.tanh(w[3] + w[4] * seen[0] + w[5] * hidden)

        return np.mean([oracle.swing_up_episode(policy, start, steps=20)[1].sum() for start in starts])

    got, scores = climbed(Gradient(episodes=2, clip=1e30, surrogate=0.0), problem, SWINGING, jnp.asarray(weights, jnp.float32), key)
    want = np.array([oracle.differences(mean_return, member) for member in weights])
    np.testing.assert_allclose(scores, [mean_return(member) for member in weights], rtol=1e-3)
    np.testing.assert_allclose(got, want, rtol=5e-3, atol=5e-3 * np.abs(want).max())


def sorting_score(w, x, y):
    hidden = np.tanh(x @ w[:2])
    outputs = np.stack([w[2] * hidden, w[3] * hidden + w[4]], axis=1)
    return np.mean(np.sum(y * outputs, axis=1) - np.log(np.exp(outputs).sum(axis=1)))


def float64(examples):
    return np.asarray(examples.inputs, np.float64), np.asarray(examples.targets, np.float64)


SORTING_WEIGHTS = np.array([[0.7, -1.2, 0.4, 0.3, -0.8], [-0.3, 0.9, 1.4, -0.5, 1.2]], np.float32)


@pytest.mark.parametrize(("of_problem", "of_method", "drawn"), [(256, 0, 41), (7, 41, 41), *slow((7, 0, 7), (256, 7, 7), (7, 1000, 41))])
def test_the_gradient_of_a_data_set_is_that_of_the_float64_loss_over_one_mini_batch(sorted_points, of_problem, of_method, drawn):
    problem, key = sorted_points.split("train"), jax.random.key(2)
    problem.batch = min(of_problem, problem.size)
    x, y = float64(problem.draw(key, problem.examples, drawn))
    got, scores = climbed(Gradient(batch=of_method), problem, SORTING, jnp.asarray(SORTING_WEIGHTS), key)
    np.testing.assert_allclose(scores, [sorting_score(w, x, y) for w in SORTING_WEIGHTS], rtol=1e-5)
    want = [oracle.differences(lambda w: sorting_score(w, x, y), w.astype(np.float64)) for w in SORTING_WEIGHTS]
    np.testing.assert_allclose(got, want, atol=1e-5)


@pytest.mark.parametrize("decay", [0.0, 3.0])
def test_weights_move_as_by_adam_with_decoupled_decay_in_float64(sorted_points, decay):
    steps, method = 4, Gradient(batch=1000, learning_rate=0.2)
    training = Training(SORTING, graph_of(SORTING), sorted_points, method, None, decay, steps, None, SORTING_WEIGHTS, 0)
    x, y = float64(sorted_points.examples)
    weights, mean, square = SORTING_WEIGHTS.astype(np.float64), np.zeros((2, 5)), np.zeros((2, 5))
    for step in range(1, steps + 1):
        training.advance()
        gradient = -np.array([oracle.differences(lambda w: sorting_score(w, x, y), own) for own in weights])
        gradient /= np.maximum(1.0, np.linalg.norm(gradient, axis=1, keepdims=True))
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        move = mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        weights = weights - 0.2 * (1 + np.cos(np.pi * (step - 1) / steps)) / 2 * (move + decay * weights)
        np.testing.assert_allclose(training.trainer.weights(training.state), weights, atol=1e-4)


# Evolution strategies


def test_scores_that_are_not_finite_are_as_bad_as_the_members_worst():
    scores = np.random.default_rng(2).normal(size=(4, 6)).astype(np.float32)
    scores[0, 2], scores[1, :3], scores[2] = np.nan, [np.inf, -np.inf, np.nan], np.nan
    for got, own in zip(np.asarray(losses(jnp.asarray(scores))), scores, strict=True):
        fine = [score for score in own if np.isfinite(score)]
        np.testing.assert_array_equal(got, [-score if np.isfinite(score) else -min(fine, default=0.0) for score in own])


@pytest.mark.parametrize(
    ("connections", "optimizer", "expected"), [(300, None, CMA_ES), (301, None, Sep_CMA_ES), (3, optax.sgd(1.0), Open_ES)]
)
def test_the_strategy_suits_the_number_of_connections_and_the_optimizer(connections, optimizer, expected):
    strategy = EvolutionStrategy(population=6, deviation=0.25).of_size(6, connections, optimizer)
    assert type(strategy) is expected
    assert (strategy.population_size, strategy.num_dims) == (6, connections)


@pytest.mark.filterwarnings("ignore:optax.global_norm:DeprecationWarning")  # in evosax's PGPE
@pytest.mark.parametrize("name", ["CMA_ES", *nightly(*(name for name in STRATEGIES if name != "CMA_ES"))])
def test_every_strategy_draws_around_the_start_and_improves_it(name):
    method = EvolutionStrategy(strategy=name, population=16, deviation=0.2)
    training = Training(LINE, graph_of(LINE), Quadratic(), method, None, 0.0, 40, None, [1.0], 0)
    training.advance()
    assert abs(training.estimates[0] - distance([1.0] * 3)) < (5.0 if name.startswith("iAMaLGaM") else 2.0)
    for _ in range(39):
        training.record(last=False)
        training.advance()
    training.record(last=True)
    assert training.result().score > distance([1.0] * 3)


# Policy gradients

NEVER = 99


@pytest.mark.slow
def test_a_policy_gradient_goes_on_where_the_last_step_left_the_episodes_and_estimates_the_returns_of_those_that_ended():
    problem = wannjax.make("CartPole-v1", max_steps=5)  # too short to fall in
    method = PolicyGradient(episodes=2, horizon=3, epochs=1, minibatches=1)
    trainer = method.trainer(problem, gradients.topology_of(BALANCING), optax.sgd(0.1))
    state, scores = trainer.init(jax.random.key(0), jnp.array([[0.5, 0.5], [-1.0, 2.0]])), []
    for time in range(4):
        before = state
        state, score = trainer.step(jax.random.key(time), state)
        scores.append(score)
    np.testing.assert_array_equal(scores, [[np.nan] * 2, [5, 5], [5, 5], [5, 5]])
    np.testing.assert_array_equal(state.lanes.age, np.full((2, 2), 12 % 5))
    assert_same_bits(trainer.step(jax.random.key(3), before)[0].policy, state.policy)
    assert np.all(trainer.weights(trainer.step(jax.random.key(9), before)[0]) != trainer.weights(state))


class Countdown(Environment):
    """Episodes of at most three steps that earn 1 each, and end after step `params.fails`, or are cut short after step `params.cut`."""

    name, inputs, actions, max_steps = "countdown", 4, Discrete(2), 3

    def __init__(self, fails=NEVER, cut=NEVER):
        self.params = {"fails": jnp.int32(fails), "cut": jnp.int32(cut)}

    def reset(self, key, params):
        return jnp.zeros(4), jnp.int32(0)

    def step(self, key, state, action, params):
        state = state + 1
        observation = jnp.full(4, state, jnp.float32)
        return Transition(observation, state, jnp.float32(1.0), state == params["fails"], state == params["cut"])


ENDS = {
    "at the limit": (Countdown(), 3, True),
    "failed": (Countdown(fails=2), 2, False),
    "failed at the limit": (Countdown(fails=3), 3, False),
    "cut short": (Countdown(cut=2), 2, True),
    "cut short at the limit": (Countdown(cut=3), 3, True),
    "failed where it was cut short": (Countdown(fails=2, cut=2), 2, False),
}


@pytest.mark.parametrize("how", ENDS)
def test_beyond_an_end_is_what_the_baseline_expects_unless_the_task_ended_the_episode(how):
    environment, length, counts = ENDS[how]
    problem = wannjax.EnvironmentProblem(environment)
    keys = jax.random.split(jax.random.key(0), 2)
    state = problem.reset(keys, 1, problem.params)[1]
    for time in range(length):
        led_to = problem.step(keys, time, state, jnp.zeros((2, 1, 2)), problem.params)
        ended, beyond = end_of(led_to, jnp.full((1, 2), time + 1 >= problem.max_steps), jnp.full((1, 2), 7.0))
        at_end = time + 1 == length
        np.testing.assert_array_equal(ended, [[at_end] * 2])
        np.testing.assert_array_equal(beyond, [[7.0 if at_end and counts else 0.0] * 2])
        state = led_to.state


@pytest.mark.slow
@pytest.mark.nightly
def test_a_policy_gradient_learns_more_from_an_end_that_is_not_the_tasks():
    """The same rewards and observations: only whether the end counts makes a difference."""
    method, weights = PolicyGradient(episodes=2, horizon=3, epochs=1, minibatches=1), jnp.array([[0.5, 0.5]])

    def baseline_after_a_step(environment):
        problem = wannjax.EnvironmentProblem(environment)
        trainer = method.trainer(problem, gradients.topology_of(BALANCING), optax.sgd(0.1))
        return trainer.step(jax.random.key(1), trainer.init(jax.random.key(0), weights))[0].baseline

    limit, cut, failed = (baseline_after_a_step(ENDS[how][0]) for how in ("at the limit", "cut short at the limit", "failed at the limit"))
    assert_same_bits(limit, cut)
    assert any(np.any(one != other) for one, other in zip(jax.tree.leaves(limit), jax.tree.leaves(failed), strict=True))


def test_advantages_are_the_discounted_sums_of_errors_up_to_the_end_of_the_episode():
    rng, (time, members, lanes) = np.random.default_rng(0), (9, 2, 3)
    reward, value = rng.normal(size=(2, time, members, lanes))
    last, ended = rng.normal(size=(members, lanes)), rng.random((time, members, lanes)) < 0.3
    as_float = lambda x: jnp.asarray(x, jnp.float32)  # noqa: E731
    got = advantages(as_float(value), as_float(reward), jnp.asarray(ended), as_float(last), 0.9, 0.8)
    onward = np.concatenate([value[1:], last[None]])
    for member, lane in np.ndindex(members, lanes):
        for start in range(time):
            want, weight = 0.0, 1.0
            for t in range(start, time):
                over = ended[t, member, lane]
                error = reward[t, member, lane] + (0.0 if over else 0.9 * onward[t, member, lane]) - value[t, member, lane]
                want, weight = want + weight * error, weight * 0.9 * 0.8
                if over:
                    break
            assert got[start, member, lane] == pytest.approx(want, rel=1e-4, abs=1e-5)


def test_the_objective_is_clipped_to_the_pessimistic_side():
    rng = np.random.default_rng(1)
    log_ratio, advantage = rng.normal(0, 0.4, (2, 50)), rng.normal(3, 5, (2, 50))
    got = clipped_gain(jnp.asarray(log_ratio, jnp.float32), jnp.asarray(advantage, jnp.float32), 0.2)
    for member in range(2):
        mean, deviation = advantage[member].mean(), advantage[member].std()
        for i in range(50):
            ratio, worth = np.exp(log_ratio[member, i]), (advantage[member, i] - mean) / deviation
            assert got[member, i] == pytest.approx(min(ratio * worth, min(max(ratio, 0.8), 1.2) * worth), rel=1e-4, abs=1e-5)
