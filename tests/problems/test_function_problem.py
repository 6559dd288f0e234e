"""A score of one's own as a problem: it is scored as a slow loop over networks scores it, searched, measured and trained."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import assert_same_bits, networks_of
from jax import lax
from marking import slow

import wannjax
from wannjax import EvolutionStrategy, FunctionProblem, Gradient, WannConfig
from wannjax.networks.graph import Connection, Graph, network_of
from wannjax.networks.network import take

KEY, SWEEP, EPISODES = jax.random.key(4), jnp.array([-2.0, 0.5, 1.0]), 2
CASES, ANSWERS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0], np.float32)


def xor(key, network):
    """A batch that is the same for all."""
    return -jnp.sum((network(CASES)[:, 0] - ANSWERS) ** 2)


def balance(key, network):
    """One observation after another, in a loop that starts at random."""

    def step(place, time):
        push = network(jnp.stack([place, time / 10]))[0]
        place = place + 0.1 * jnp.tanh(push)
        return place, jnp.abs(place)

    return -jnp.sum(lax.scan(step, jax.random.normal(key), jnp.arange(8.0))[1])


def survive(key, network):
    """A loop that ends sooner for some, and a branch."""

    def onward(carry):
        time, place = carry
        return time + 1, lax.cond(place > 0, lambda x: x + network(jnp.stack([x, 1.0]))[0], lambda x: x + 0.3, place)

    time, _ = lax.while_loop(lambda carry: (carry[0] < 9) & (jnp.abs(carry[1]) < 2), onward, (0, jax.random.normal(key)))
    return time


def vmapped(key, network):
    """Vmaps of its own, within one another, and a batch that is drawn."""
    points = jax.random.normal(key, (3, 5, 2))
    return jnp.sum(jax.vmap(jax.vmap(network))(points)) + jnp.sum(jax.jit(network)(points[0]))


def branching(key, network):
    """Branches within a vmap, which gives all that they need an axis of its own."""

    def of(point):
        return lax.cond(network(point)[0] > 0, lambda: network(2 * point)[0], lambda: network(jnp.stack([point, -point])).sum())

    return jnp.sum(jax.vmap(of)(jax.random.normal(key, (4, 2))))


@pytest.fixture(scope="module")
def population():
    """Seven networks with hidden nodes."""
    rng = np.random.default_rng(0)
    shape = dict(inputs=2, outputs=1, slots=6, ids=(1, 5, 6, 7, 9), density=0.5)
    return networks_of([oracle.random_genes(rng, nodes=int(rng.integers(1, 7)), **shape) for _ in range(7)], 24)


@cache
def problem_of(score, **options):
    """One for all tests, and so its programs."""
    return FunctionProblem(score, inputs=2, outputs=1, **options)


@cache
def alone(score):
    """The score of one network with one weight in one episode."""
    return jax.jit(lambda network, weight, key: score(key, lambda observation: network(observation, weight=weight)))


def slow_scores(score, networks, weights, keys):
    """Network by network, weight by weight, episode by episode."""
    one, count = alone(score), networks.activations.shape[0]
    return np.array([[[one(take(networks, i), weight, key) for key in keys] for weight in weights] for i in range(count)], np.float64)


@pytest.mark.parametrize("score", [xor, *slow(balance, survive, vmapped, branching)])
def test_scores_are_those_of_a_slow_loop(score, population):
    problem = problem_of(score)
    evaluation = problem.evaluate(KEY, population, SWEEP, episodes=EPISODES)
    want = slow_scores(score, population, SWEEP, jax.random.split(KEY, EPISODES)).mean(axis=2)
    np.testing.assert_allclose(evaluation.scores, want, rtol=1e-5, atol=1e-5)
    assert len(np.unique(want)) > 3
    assert evaluation.steps.shape == evaluation.scores.shape
    assert np.all(evaluation.steps == EPISODES)


@pytest.mark.slow
@pytest.mark.parametrize("score", [balance, survive])
def test_measures_are_of_every_lane_whose_weights_may_differ(score, population):
    problem = problem_of(score)
    keys, gain = jax.random.split(KEY, 3), jnp.array([1.0, -0.5, 2.0])
    tables = jax.random.normal(KEY, (*population.sources.shape, 3))
    weighted = wannjax.Network(population.sources, population.activations, population.steps, tables, 2, 1)
    measured = problem.measure(keys, weighted, gain)
    for lane in range(3):
        own = wannjax.Network(population.sources, population.activations, population.steps, tables[..., lane], 2, 1)
        want = slow_scores(score, own, gain[lane : lane + 1], keys[lane : lane + 1])[:, 0, 0]
        np.testing.assert_allclose(measured[:, lane], want, rtol=1e-5)


def plain(key, network):
    """A loop that starts at random, in plain Python."""
    place = float(np.random.default_rng(np.asarray(jax.random.key_data(key))).normal())
    total = 0.0
    for time in range(3):
        outputs = network([place, time / 10])
        assert isinstance(outputs, np.ndarray)
        place += 0.1 * float(np.tanh(outputs[0]))
        total -= abs(place)
    return total


def test_a_score_of_plain_python_is_called_for_every_network_weight_and_episode(population):
    seen = []

    def counted(key, network):
        seen.append(np.asarray(jax.random.key_data(key)).tolist())
        return plain(key, network)

    problem, few = FunctionProblem(counted, inputs=2, outputs=1, traceable=False), take(population, np.arange(2))
    scores = problem.evaluate(KEY, few, SWEEP, episodes=EPISODES).scores
    assert seen == 6 * np.asarray(jax.random.key_data(jax.random.split(KEY, EPISODES))).tolist()
    for i, weight in np.ndindex(2, 3):
        network = take(few, i)
        want = np.mean([plain(key, lambda x: np.asarray(network(x, weight=SWEEP[weight]))) for key in jax.random.split(KEY, EPISODES)])  # noqa: B023
        np.testing.assert_allclose(scores[i, weight], want, rtol=1e-6)
    lanes = problem.measure(jax.random.split(KEY, 3), few, SWEEP)
    assert lanes.shape == (2, 3)


@pytest.mark.parametrize("traceable", [True, False])
def test_the_key_has_no_say_where_a_score_is_not_stochastic(traceable, population):
    score = balance if traceable else plain
    problem, few = FunctionProblem(score, inputs=2, outputs=1, traceable=traceable, stochastic=False), take(population, np.arange(2))
    first, second = (problem.evaluate(jax.random.key(seed), few, SWEEP, episodes=5) for seed in (1, 2))
    assert_same_bits(first, second)
    assert np.all(first.steps == 1)
    assert_same_bits(*(problem.measure(jax.random.split(jax.random.key(seed), 3), few, SWEEP) for seed in (1, 2)))


def test_a_score_that_is_not_finite_reaches_no_other_network(population):
    def fails(key, network):
        output = network(CASES[1])[0]
        return jnp.where(output > 0, jnp.nan, output)

    scores = FunctionProblem(fails, inputs=2, outputs=1, stochastic=False).evaluate(KEY, population, SWEEP, episodes=1).scores
    outputs = np.array([[take(population, i)(CASES[1], weight=weight)[0] for weight in SWEEP] for i in range(7)])
    np.testing.assert_allclose(scores, np.where(outputs > 0, np.nan, outputs), rtol=1e-5)
    assert 0 < np.isnan(scores).sum() < scores.size


SUM = network_of(
    Graph(("a", "b"), ("c",), (5, 1), tuple(Connection(*pair) for pair in ((0, 3), (1, 3), (2, 3), (0, 4), (1, 4), (2, 4), (3, 4))))
)


@pytest.mark.slow
@pytest.mark.parametrize("traceable", [True, False])
@pytest.mark.nightly
def test_it_is_searched_measured_and_trained(traceable):
    def python_xor(key, network):
        return -float(np.sum((network(CASES)[:, 0] - ANSWERS) ** 2))

    problem = problem_of(xor, stochastic=False) if traceable else problem_of(python_xor, traceable=False, stochastic=False)
    config = WannConfig(population=8, episodes=1, candidates=1, confirm_episodes=1, weights=(-1.0, 1.0))
    result = wannjax.evolve(problem, config, generations=2, progress=False, finish=None)
    assert np.isfinite(result.champion_scores).all()
    report = wannjax.evaluate(SUM, problem, episodes=2, weights=(1.0,))
    assert report.per_weight[1.0].mean == pytest.approx(slow_scores(xor, jax.tree.map(lambda leaf: leaf[None], SUM), [1.0], [KEY]).item())
    method = EvolutionStrategy(population=4, episodes=1)
    tuned = wannjax.finetune(SUM, problem, method=method, starts=[0.5], steps=2, progress=False)
    assert tuned.score >= slow_scores(xor, jax.tree.map(lambda leaf: leaf[None], SUM), [0.5], [KEY]).item()


@pytest.mark.slow
def test_gradients_flow_through_a_traceable_score():
    """Those of the squared error of the four cases: a network with one hidden node learns exclusive or."""
    problem = problem_of(xor, stochastic=False)
    tuned = wannjax.finetune(SUM, problem, method=Gradient(learning_rate=0.05), starts=8, steps=150, seed=1, progress=False)
    assert tuned.score > -0.05


def test_gradients_are_refused_where_the_score_cannot_be_traced():
    with pytest.raises(
        ValueError, match=r"^method: must be one that needs no gradients of the problem, which has none, got 'gradient for plain'"
    ):
        wannjax.finetune(SUM, FunctionProblem(plain, inputs=2, outputs=1, traceable=False), method="gradient", steps=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"score": 3}, "score: must be a function of a key and a network, got 3"),
        ({"score": lambda key, network: float(network([0.0, 1.0])[0])}, "score: function cannot be traced by JAX, as `traceable` says: "),
        ({"score": plain}, "score: plain cannot be traced by JAX, as `traceable` says: "),
        ({"score": lambda key, network: network([0.0, 1.0])}, "score: must be a function that gives a scalar, got 'one of shape [1]'"),
        (
            {"score": lambda key, network: network([0.0, 1.0, 2.0])[0]},
            "score: function cannot be traced by JAX, .* expected shape [2] or [B, 2]",
        ),
        ({"inputs": 0}, "inputs: must be an integer >= 1, got 0"),
        ({"outputs": 0}, "outputs: must be an integer >= 1, got 0"),
        ({"input_names": ("a", "a")}, "input_names: must be names that no two nodes share"),
    ],
)
def test_a_bad_argument_is_named_in_one_line(options, message):
    arguments = {"score": xor, "inputs": 2, "outputs": 1, **options}
    pattern = "^" + message.replace("[", r"\[").replace("]", r"\]").replace("(", r"\(")
    with pytest.raises(ValueError, match=pattern) as caught:
        FunctionProblem(arguments.pop("score"), **arguments)
    assert "\n" not in str(caught.value)


def test_a_plain_score_that_gives_no_number_is_named(population):
    problem = FunctionProblem(lambda key, network: "good", inputs=2, outputs=1, traceable=False)
    with pytest.raises(ValueError, match=r"^score: must be a function that gives a number, got 'good'"):
        problem.evaluate(KEY, population, SWEEP, episodes=1)
