"""Fine-tuning: the driver on a problem that is known in closed form, each method against slow numpy, and all of them on easy tasks."""

from dataclasses import replace
from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import optax
import oracle
import pytest
from support import assert_same_bits

import wannjax
from wannjax import EvolutionStrategy, Gradient, PolicyGradient, gradients
from wannjax.finetuning import METHODS, Trainer, TrainingRecord, finetune
from wannjax.finetuning import gradient as back_propagation
from wannjax.finetuning.method import ascend
from wannjax.finetuning.policy_gradient import Batch, advantages, clipped_gain
from wannjax.graph import Connection, Graph, graph_of, network_of
from wannjax.problems import DataProblem, Evaluation, Problem

TARGET = np.array([1.0, -0.5, 1.5], np.float32)


class Quadratic(Problem):
    """Minus the squared distance of a network's three weights from `TARGET`, whatever the key; nan where `spoils` says so."""

    name, inputs, outputs, metric, stochastic = "quadratic", 3, 1, "minus distance", False
    input_names, output_names, output_activation = ("a", "b", "c"), ("d",), "linear"

    def __init__(self, spoils=lambda weights: False):
        self.spoils = spoils

    def evaluate(self, key, networks, weights, *, episodes, among=()):
        own = networks.weights[:, 0, None, :] * weights[None, :, None]
        scores = jnp.where(self.spoils(own), jnp.nan, -jnp.sum((own - jnp.broadcast_to(TARGET, own.shape)) ** 2, axis=-1))
        return Evaluation(scores, jnp.full(scores.shape, episodes, jnp.int32), jnp.float32(scores.size * episodes))


LINE = network_of(Graph(("a", "b", "c"), ("d",), (1,), (Connection(1, 4), Connection(2, 4), Connection(3, 4))))
ES = EvolutionStrategy(pairs=16, learning_rate=0.1)
WORSE = optax.sgd(-1.0)
"""Leads away from whatever is better."""


def with_weights(network, weights):
    graph = graph_of(network)
    return network_of(
        replace(graph, connections=tuple(replace(c, weight=float(w)) for c, w in zip(graph.connections, weights, strict=True)))
    )


def weights_of(network):
    return np.array([c.weight for c in graph_of(network).connections])


def without_weights(network):
    graph = graph_of(network)
    return replace(graph, connections=tuple(replace(c, weight=None) for c in graph.connections))


def tune(network=LINE, problem=None, *, method=ES, steps=4, **options):
    return finetune(network, problem or Quadratic(), method=method, steps=steps, progress=False, **options)


def distance(weights):
    return -np.sum((np.asarray(weights, np.float64) - TARGET) ** 2)


# The driver


def test_the_result_is_the_best_of_all_checks_and_its_score_is_its_own():
    tuned = tune(steps=60)
    assert tuned.score > -0.05
    assert tuned.score == pytest.approx(distance(weights_of(tuned.network)), abs=1e-5)
    assert tuned.score == pytest.approx(tuned.member_scores.max())
    assert without_weights(tuned.network) == without_weights(LINE)
    assert (tuned.problem_name, tuned.method, tuned.seed, tuned.interrupted) == ("quadratic", ES, 0, False)


def test_the_seed_decides_the_result():
    first, again, other = (tune(starts=3, seed=seed) for seed in (1, 1, 2))
    assert_same_bits(first.network, again.network)
    np.testing.assert_array_equal(first.history["held_out_score"], again.history["held_out_score"])
    assert np.all(weights_of(first.network) != weights_of(other.network))


def test_training_that_only_makes_it_worse_returns_the_best_start():
    tuned = tune(optimizer=WORSE, starts=(-2.0, 0.5, 1.0))
    np.testing.assert_array_equal(weights_of(tuned.network), [0.5] * 3)
    assert tuned.start == 0.5
    np.testing.assert_allclose(tuned.member_scores, [distance([start] * 3) for start in (-2.0, 0.5, 1.0)], rtol=1e-5)
    assert tuned.history["held_out_score"][-1] < tuned.history["held_out_score"][0]


def test_a_number_of_starts_is_drawn_between_minus_two_and_two():
    tuned = tune(optimizer=WORSE, starts=5)
    weights = weights_of(tuned.network)
    assert tuned.start == "random"
    assert len(tuned.member_scores) == 5
    assert len(np.unique(weights)) == 3
    assert np.all(np.abs(weights) <= 2)


def test_a_network_with_weights_starts_from_them():
    own = with_weights(LINE, (0.9, -0.25, 1.25))
    tuned = tune(own, optimizer=WORSE)
    np.testing.assert_array_equal(weights_of(tuned.network), weights_of(own))
    assert tuned.start == "own"
    assert tune(own, starts=(1.0,)).start == 1.0


def test_a_network_without_weights_starts_from_the_sweep():
    tuned = tune(optimizer=WORSE)
    assert len(tuned.member_scores) == 6
    assert tuned.start in (0.5, 1.0)


@pytest.mark.parametrize(
    "optimizer",
    [optax.sgd(0.2), optax.adamw(0.1), optax.chain(optax.clip(0.5), optax.scale_by_adam(), optax.scale(-0.1)), None],
    ids=["sgd", "adamw", "chain", "default"],
)
def test_any_optimizer_improves_it(optimizer):
    tuned = tune(optimizer=optimizer, starts=(-1.0, 2.0), steps=20)
    assert tuned.score > 0.5 * max(distance([-1.0] * 3), distance([2.0] * 3))


def test_history_has_one_entry_per_check_from_before_the_first_step_to_after_the_last():
    tuned = tune(steps=3)
    assert set(tuned.history) == set(TrainingRecord._fields)
    assert {array.shape for array in tuned.history.values()} == {(4,)}
    np.testing.assert_array_equal(tuned.history["step"], [0, 1, 2, 3])
    assert np.isnan(tuned.history["training_score"][0])
    assert np.all(np.isfinite(tuned.history["training_score"][1:]))
    assert np.all(tuned.history["median_score"] <= tuned.history["held_out_score"])
    assert np.all(np.diff(tuned.history["seconds"]) > 0)


def test_a_long_run_is_not_checked_after_every_step():
    checked = tune(steps=151, starts=(0.5,), method=EvolutionStrategy(pairs=2)).history["step"]
    np.testing.assert_array_equal(checked, [*range(0, 151, 4), 151])


def test_a_callback_ends_training_by_a_true_value():
    seen = []

    def stop(record):
        seen.append(record)
        return record.step >= 2

    tuned = tune(callbacks=[stop])
    assert [record.step for record in seen] == [0, 1, 2]
    assert tuned.interrupted
    np.testing.assert_array_equal(tuned.history["step"], [0, 1, 2])


def test_a_callback_can_end_it_before_the_first_step():
    tuned = tune(callbacks=[lambda record: True])
    assert tuned.interrupted
    assert tuned.start in (0.5, 1.0)
    np.testing.assert_array_equal(weights_of(tuned.network), [tuned.start] * 3)


def test_members_whose_scores_are_not_finite_are_never_chosen():
    tuned = tune(problem=Quadratic(lambda weights: weights[..., 0] > 0), steps=6)
    assert np.isfinite(tuned.score)
    assert weights_of(tuned.network)[0] <= 0
    assert np.isneginf(tuned.member_scores).any()


def test_no_finite_score_at_all_is_an_error():
    with pytest.raises(ValueError, match=r"^problem: must be one that gives finite scores, got 'quadratic'"):
        tune(problem=Quadratic(lambda weights: True), steps=1)


# Easy tasks

SORTING = network_of(
    Graph(("a", "b"), ("no", "yes"), (5, 1, 1), (Connection(1, 3), Connection(2, 3), Connection(3, 4), Connection(3, 5), Connection(0, 5)))
)
BALANCING = network_of(Graph(("x", "dx", "θ", "dθ"), ("left", "right"), (1, 1), (Connection(3, 6), Connection(4, 6))))
SWINGING = network_of(
    Graph(
        ("x", "dx", "cos", "sin", "dθ"),
        ("force",),
        (5, 5),
        (Connection(3, 6), Connection(4, 6), Connection(5, 6), Connection(0, 7), Connection(1, 7), Connection(6, 7)),
    )
)


@pytest.fixture(scope="module")
def sorted_points():
    """Which of two numbers is larger; 41 examples to train on, which two devices cannot share equally."""
    x = np.random.default_rng(0).normal(size=(51, 2))
    return DataProblem(x, x[:, 0] > x[:, 1])


def best_start(problem, network, starts, seed=0):
    """The best mean score of the starts on the episodes of the final comparison."""
    topology = gradients.topology_of(network)
    weights = jnp.broadcast_to(jnp.array(starts)[:, None], (len(starts), topology.connections))
    key = jax.random.split(jax.random.key(seed), 5)[3]
    population = gradients.copies(topology, weights)
    return float(problem.split("validation").score_copies(key, population, episodes=128, among=topology.among).max())


SHORT_PPO = PolicyGradient(episodes=8, horizon=32, epochs=2, minibatches=2, learning_rate=0.1)
EASY = {
    "gradient on data": ("data", SORTING, Gradient(learning_rate=0.1), 25, (-1.0, 0.5), 0.3),
    "evolution on data": ("data", SORTING, EvolutionStrategy(pairs=8, learning_rate=0.3), 25, (-1.0, 0.5), 0.2),
    "gradient on swing-up": ("swing-up", SWINGING, Gradient(episodes=4, learning_rate=0.1), 10, (-0.5, 0.5), 0.2),
    "evolution on swing-up": ("swing-up", SWINGING, EvolutionStrategy(pairs=8, learning_rate=0.2), 10, (-0.5, 0.5), 0.2),
    "policy gradient on CartPole": ("cart-pole", BALANCING, SHORT_PPO, 25, (-0.5, -1.0), 10.0),
    "evolution on CartPole": ("cart-pole", BALANCING, EvolutionStrategy(pairs=8, deviation=1.0, learning_rate=0.2), 15, (-0.5,), 10.0),
}


@pytest.fixture(scope="module")
def tasks(sorted_points):
    return {
        "quadratic": Quadratic(),
        "data": sorted_points,
        "small batches": DataProblem(sorted_points.examples.inputs, sorted_points.examples.targets, batch=7),
        "swing-up": wannjax.make("CartPoleSwingUp-v0", max_steps=50),
        "cart-pole": wannjax.make("CartPole-v1", max_steps=60),
    }


@pytest.mark.parametrize("case", [case if "data" in case else pytest.param(case, marks=pytest.mark.slow) for case in EASY])
def test_a_method_improves_on_every_start_on_held_out_episodes(tasks, case):
    task, network, method, steps, starts, gain = EASY[case]
    tuned = tune(network, tasks[task], method=method, steps=steps, starts=starts)
    assert tuned.score > best_start(tasks[task], network, starts) + gain
    assert np.nanmax(tuned.history["training_score"]) > tuned.history["training_score"][1]
    assert without_weights(tuned.network) == without_weights(network)
    assert np.all(np.isfinite(weights_of(tuned.network)))


@pytest.mark.parametrize(
    ("task", "network", "method"),
    [
        ("small batches", SORTING, Gradient()),
        pytest.param("small batches", SORTING, EvolutionStrategy(pairs=4), marks=pytest.mark.slow),
        pytest.param("cart-pole", BALANCING, SHORT_PPO, marks=pytest.mark.slow),
        pytest.param("swing-up", SWINGING, SHORT_PPO, marks=pytest.mark.slow),
        pytest.param("swing-up", SWINGING, Gradient(episodes=4), marks=pytest.mark.slow),
        pytest.param("swing-up", SWINGING, EvolutionStrategy(pairs=8), marks=pytest.mark.slow),
    ],
)
def test_a_method_is_reproducible_by_seed(tasks, task, network, method):
    first, again, other = (tune(network, tasks[task], method=method, steps=2, starts=(-0.5, 0.5), seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.member_scores, again.member_scores)
    np.testing.assert_array_equal(first.history["training_score"], again.history["training_score"])
    assert np.any(first.history["training_score"][1:] != other.history["training_score"][1:])


@pytest.mark.parametrize(
    ("task", "network", "method"),
    [
        ("quadratic", LINE, EvolutionStrategy()),
        ("data", SORTING, Gradient()),
        ("cart-pole", BALANCING, PolicyGradient()),
        pytest.param("swing-up", SWINGING, EvolutionStrategy(), marks=pytest.mark.slow),
    ],
)
def test_the_method_suits_the_problem_where_none_is_given(tasks, task, network, method):
    tuned = tune(network, tasks[task], method=None, starts=(0.5,), callbacks=[lambda record: True])
    assert tuned.method == method


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
    same, pull_back = jax.vjp(lambda tree: back_propagation._bounded(limit, tree), tree)
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


def differences(function, x, step=1e-6):
    return np.array([(function(x + step * unit) - function(x - step * unit)) / (2 * step) for unit in np.eye(len(x))])


def test_the_gradient_through_the_dynamics_is_that_of_the_float64_episode():
    problem = wannjax.make("CartPoleSwingUp-v0", max_steps=20)
    key, weights = jax.random.key(1), np.array([[0.7, -1.2, 0.4, 0.3, -0.8, 1.1], [-0.3, 0.9, 1.4, -0.5, 1.2, -0.7]])
    starts = [problem.env.reset_env(one, problem.params)[1] for one in jax.random.split(key, 2)]
    starts = [np.array([s.x, s.x_dot, s.theta, s.theta_dot], np.float64) for s in starts]

    def mean_return(w):
        def policy(seen):
            hidden = np.tanh(w[0] * seen[2] + w[1] * seen[3] + w[2] * seen[4])
            return np.tanh(w[3] + w[4] * seen[0] + w[5] * hidden)

        return np.mean([oracle.swing_up_episode(policy, start, steps=20)[1].sum() for start in starts])

    got, scores = climbed(Gradient(episodes=2, clip=1e30, surrogate=0.0), problem, SWINGING, jnp.asarray(weights, jnp.float32), key)
    want = np.array([differences(mean_return, member) for member in weights])
    np.testing.assert_allclose(scores, [mean_return(member) for member in weights], rtol=1e-3)
    np.testing.assert_allclose(got, want, rtol=5e-3, atol=5e-3 * np.abs(want).max())


def test_the_gradient_of_a_data_set_is_that_of_the_float64_loss_over_one_mini_batch(sorted_points):
    key, weights = jax.random.key(2), np.array([[0.7, -1.2, 0.4, 0.3, -0.8], [-0.3, 0.9, 1.4, -0.5, 1.2]])

    def score(w, x, y):
        hidden = np.tanh(x @ w[:2])
        outputs = np.stack([w[2] * hidden, w[3] * hidden + w[4]], axis=1)
        return np.mean(np.sum(y * outputs, axis=1) - np.log(np.exp(outputs).sum(axis=1)))

    for batch in (256, 7):  # all 41, and 7 of them
        problem = sorted_points.split("train")
        problem.batch = min(batch, problem.size)
        drawn = problem.draw(key, problem.examples, problem.batch)
        x, y = np.asarray(drawn.inputs, np.float64), np.asarray(drawn.targets, np.float64)
        got, scores = climbed(Gradient(), problem, SORTING, jnp.asarray(weights, jnp.float32), key)
        np.testing.assert_allclose(scores, [score(w, x, y) for w in weights], rtol=1e-5)
        np.testing.assert_allclose(got, [differences(lambda w, x=x, y=y: score(w, x, y), w) for w in weights], atol=1e-5)


# Evolution strategies


def slow_estimate(key, method, weights, score):
    """Pair by pair and displacement by displacement; the better of two scores are worth more, equal ones the same."""
    half = method.deviation * np.asarray(jax.random.normal(jax.random.split(key)[0], (len(weights), method.pairs, weights.shape[1])))
    gradient, means = np.zeros(weights.shape), np.zeros(len(weights))
    for member, own in enumerate(weights):
        moves = [*half[member], *-half[member]]
        scores = [score(own + move) for move in moves]
        means[member] = np.mean(scores)
        scores = [s if np.isfinite(s) else -np.inf for s in scores]
        for move, mine in zip(moves, scores, strict=True):
            rank = sum(mine > other for other in scores) + (sum(mine == other for other in scores) - 1) / 2
            gradient[member] += (rank / (len(moves) - 1) - 0.5) * move / (len(moves) * method.deviation**2)
    return gradient, means


@pytest.mark.parametrize("spoiled", [False, True])
def test_the_estimate_of_evolution_strategies_is_that_of_a_slow_loop(spoiled):
    method, key = EvolutionStrategy(pairs=5, deviation=0.3), jax.random.key(3)
    weights = np.array([[0.1, 0.2, -0.3], [1.0, 1.0, 1.0]], np.float32)
    spoils = (lambda weights: weights[..., 2] > 1.0) if spoiled else (lambda weights: False)

    def score(own):
        return float("nan") if np.any(spoils(own)) else distance(own)

    got, scores = climbed(method, Quadratic(spoils), LINE, jnp.asarray(weights), key)
    want, means = slow_estimate(key, method, weights, score)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scores, means, rtol=1e-4)
    assert np.isnan(scores).tolist() == [False, spoiled]


def test_many_pairs_estimate_the_direction_of_steepest_ascent():
    weights = np.array([[0.1, 0.2, -0.3]], np.float32)
    got, _ = climbed(EvolutionStrategy(pairs=2000, deviation=0.02), Quadratic(), LINE, jnp.asarray(weights), jax.random.key(0))
    steepest = TARGET - weights[0]
    assert got[0] @ steepest > 0.99 * np.linalg.norm(got[0]) * np.linalg.norm(steepest)


def test_a_plateau_gives_evolution_strategies_no_gradient():
    class Plateau(Quadratic):
        def evaluate(self, key, networks, weights, *, episodes, among=()):
            return super().evaluate(key, networks, 0 * weights, episodes=episodes, among=among)

    got, _ = climbed(ES, Plateau(), LINE, jnp.ones((2, 3)), jax.random.key(0))
    np.testing.assert_allclose(got, np.zeros((2, 3)), atol=1e-6)


# Policy gradients


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


def test_advantages_are_the_discounted_sums_of_errors_up_to_the_end_of_the_episode():
    rng, (time, members, lanes) = np.random.default_rng(0), (9, 2, 3)
    reward, value = rng.normal(size=(2, time, members, lanes))
    last, ended = rng.normal(size=(members, lanes)), rng.random((time, members, lanes)) < 0.3
    as_float = lambda x: jnp.asarray(x, jnp.float32)  # noqa: E731
    nothing = jnp.zeros((time, members, lanes, 1))
    batch = Batch(nothing, nothing, nothing[..., 0], as_float(value), as_float(reward), jnp.asarray(ended), nothing[..., 0])
    got = advantages(batch, as_float(last), 0.9, 0.8)
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


# Arguments

LARGE = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), replace(LINE, input_names=(), output_names=()))


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("method: must be one of gradient, policy_gradient, evolution, got 'adam'", {"method": "adam"}),
        ("method: .*gradient for CartPole-v1", {"network": BALANCING, "problem": "CartPole-v1", "method": "gradient"}),
        ("method: .*gradient for quadratic", {"method": "gradient"}),
        ("method: .*policy_gradient for data", {"network": SORTING, "problem": "data", "method": "policy_gradient"}),
        ("steps: must be an integer >= 1, got 0", {"steps": 0}),
        ("starts: must be finite shared weights", {"starts": ()}),
        ("starts: must be finite shared weights", {"starts": (1.0, float("nan"))}),
        ("starts: must be shared weights, or a number of random starts >= 1, got 0", {"starts": 0}),
        ("network: must be one network, not a population", {"network": LARGE}),
        ("network: must be a network with connections", {"network": network_of(Graph(("a", "b", "c"), ("d",), (1,), ()))}),
        ("networks: must be of 5 inputs and 1 outputs", {"problem": "CartPoleSwingUp-v0"}),
        ("seed: must be an integer from 0", {"seed": -1}),
    ],
)
def test_a_bad_argument_is_named_in_one_line(sorted_points, message, arguments):
    problem = arguments.pop("problem", None) if (arguments := dict(arguments)) else None
    problem = sorted_points if problem == "data" else wannjax.make(problem) if problem else None
    with pytest.raises(ValueError, match=f"^{message}") as error:
        tune(**{"problem": problem, **arguments})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("optimizer: must be an optax transformation, got 0.1", {"optimizer": 0.1}),
        ("steps: must be an integer >= 1, got 1.5", {"steps": 1.5}),
    ],
)
def test_an_argument_of_another_type_is_named_too_where_types_are_not_checked(message, arguments):
    with pytest.raises(ValueError, match=f"^{message}"):
        unwrap(finetune)(LINE, Quadratic(), progress=False, **{"method": ES, "steps": 1, **arguments})


@pytest.mark.parametrize(
    ("settings", "field", "value"),
    [
        *((settings, "learning_rate", value) for settings in METHODS.values() for value in (0.0, float("nan"), float("inf"))),
        *((settings, "episodes", 0) for settings in METHODS.values()),
        (Gradient, "clip", 0.0),
        (Gradient, "clip", float("nan")),
        (Gradient, "surrogate", -1.0),
        (EvolutionStrategy, "pairs", 0),
        (EvolutionStrategy, "deviation", 0.0),
        (PolicyGradient, "horizon", 0),
        (PolicyGradient, "epochs", 0),
        (PolicyGradient, "minibatches", 0),
        (PolicyGradient, "minibatches", 3),
        (PolicyGradient, "discount", 1.0),
        (PolicyGradient, "discount", -0.1),
        (PolicyGradient, "trace", 1.1),
        (PolicyGradient, "clip", 0.0),
        (PolicyGradient, "deviation", float("inf")),
        (PolicyGradient, "entropy", float("nan")),
        (PolicyGradient, "surrogate", -1.0),
    ],
)
def test_a_bad_setting_is_named_in_one_line(settings, field, value):
    with pytest.raises(ValueError, match=f"^{field}: must be ") as error:
        settings(**{field: value})
    assert "\n" not in str(error.value)


def test_a_method_of_ones_own_trains_as_the_others_do():
    class Halving:
        name, learning_rate, updates = "halving", 1.0, 1

        def trainer(self, problem, topology, optimizer):
            return Trainer(
                lambda key, weights: weights, lambda key, state: ((state + TARGET[None]) / 2, jnp.zeros(len(state))), lambda state: state
            )

    assert tune(method=Halving(), starts=(-1.0,), steps=10).score == pytest.approx(0.0, abs=1e-4)
