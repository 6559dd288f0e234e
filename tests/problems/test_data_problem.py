"""Data sets as problems: scores and metrics are those of the float64 oracle, however examples and networks are cut into pieces."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import assert_same_bits, networks_of
from data_support import calm_and_overflowing, cubic, examples

import wannjax
from wannjax.common import devices
from wannjax.networks.network import take
from wannjax.problems import splits
from wannjax.problems.data import DataProblem
from wannjax.problems.splits import MOST_PERMUTED, sample

KEY = jax.random.key(5)
WEIGHTS = (-1.0, 0.5, 2.0)
STEPS = 24
SMOOTH = (1, 4, 5, 6, 7, 8, 9)
"""Activations that neither jump nor magnify: float32 stays close to the oracle."""


def random_genes(count, seed=0, inputs=3, outputs=2):
    rng = np.random.default_rng(seed)
    shape = dict(inputs=inputs, outputs=outputs, slots=6, ids=SMOOTH, density=0.5)
    return [oracle.random_genes(rng, nodes=int(rng.integers(0, 7)), **shape) for _ in range(count)]


def random_weights(genes, seed=1):
    return jnp.asarray(np.random.default_rng(seed).uniform(-2, 2, (len(genes), *genes[0].connections.shape)), jnp.float32)


def cross_entropy(outputs, labels):
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    return (np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).mean()


def mse(outputs, targets):
    return ((outputs - targets) ** 2).mean()


def minus_r2(outputs, targets):
    return np.mean(np.mean((outputs - targets) ** 2, axis=0) / np.var(targets.astype(np.float64), axis=0)) - 1


def expected(genes, weights, problem, loss, targets=None):
    """Minus the mean loss of every network at every weight, over the examples of `problem`."""
    inputs = np.asarray(problem.examples.inputs)
    targets = np.asarray(problem.examples.targets) if targets is None else targets
    return np.array([[-loss(oracle.run(one, weight, inputs)[0], targets) for weight in weights] for one in genes])


def score(problem, genes, weights=WEIGHTS, *, key=KEY, episodes=1, individual=None):
    return problem.evaluate(key, networks_of(genes, STEPS, individual), jnp.array(weights), episodes=episodes)


@pytest.fixture(scope="module")
def plain():
    """Shared by the tests, and so its programs, of which examples are arguments."""
    return DataProblem(*examples())


def on_examples_of(problem, plain):
    """`plain`, with the examples of a problem that is like it otherwise."""
    assert (problem.inputs, problem.outputs, problem.metric, problem.batch) == (plain.inputs, plain.outputs, plain.metric, plain.batch)
    assert problem._loss is plain._loss
    other = plain.split("train")
    other.examples = problem.examples
    return other


# Scores


@pytest.mark.parametrize("form", ["int", "bool", "one-hot", "jax", "list"])
def test_cross_entropy_is_minus_the_mean_over_all_examples_however_labels_are_given(plain, form):
    x, y = examples()
    forms = {"int": y.astype(np.int8), "bool": y == 1, "one-hot": np.eye(2)[y], "jax": jnp.asarray(y), "list": y.tolist()}
    problem, genes = on_examples_of(DataProblem(x, forms[form]), plain), random_genes(4)
    labels = np.asarray(problem.examples.targets).argmax(axis=1)
    evaluation = score(problem, genes)
    np.testing.assert_allclose(evaluation.scores, expected(genes, WEIGHTS, problem, cross_entropy, labels), rtol=2e-5, atol=1e-6)
    np.testing.assert_array_equal(evaluation.steps, np.full((4, 3), 32))


def test_cross_entropy_of_probabilities_weighs_every_class(plain):
    x, _ = examples()
    y = np.random.default_rng(0).dirichlet((1, 1), len(x))
    problem, genes = on_examples_of(DataProblem(x, y), plain), random_genes(4)

    def loss(outputs, targets):
        return -np.mean(np.sum(targets * (outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))), axis=1))

    np.testing.assert_allclose(score(problem, genes).scores, expected(genes, WEIGHTS, problem, loss), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("columns", [1, 2])
def test_mse_is_the_mean_over_examples_and_outputs(columns):
    x, _ = examples()
    y = np.random.default_rng(1).normal(size=(len(x), columns))
    problem = DataProblem(x, y if columns > 1 else y[:, 0], loss="mse")
    genes = random_genes(4, outputs=columns)
    np.testing.assert_allclose(score(problem, genes).scores, expected(genes, WEIGHTS, problem, mse), rtol=2e-5, atol=1e-6)
    assert problem.metric == "R²"


def test_a_loss_of_ones_own_gets_outputs_and_the_target_of_one_example():
    x, _ = examples()
    y = np.random.default_rng(1).normal(size=(len(x), 2, 1))
    problem, genes = DataProblem(x, y, loss=cubic, outputs=2), random_genes(4)

    def loss(outputs, targets):
        return np.mean(np.sum(np.abs(outputs[:, ::-1] - targets[:, :, 0]) ** 3, axis=1))

    np.testing.assert_allclose(score(problem, genes).scores, expected(genes, WEIGHTS, problem, loss), rtol=1e-4, atol=1e-5)


def test_a_loss_of_ones_own_sees_integer_targets_as_integers():
    x, y = examples()

    def picked(outputs, target):
        assert jnp.issubdtype(target.dtype, jnp.integer)
        return -outputs[target]

    problem, genes = DataProblem(x, y, loss=picked, outputs=2), random_genes(3)
    want = expected(genes, WEIGHTS, problem, lambda outputs, labels: -outputs[np.arange(len(labels)), labels].mean())
    np.testing.assert_allclose(score(problem, genes).scores, want, rtol=2e-5, atol=1e-6)


def test_inputs_of_several_axes_are_flattened():
    x, y = examples()
    image = DataProblem(x.reshape(-1, 3, 1), y)
    assert image.inputs == 3
    assert_same_bits(image.examples, DataProblem(x, y).examples)


def test_individual_weights_are_scaled_by_the_shared_one(plain):
    genes = random_genes(4)
    individual = random_weights(genes)
    labels = np.asarray(plain.examples.targets).argmax(axis=1)
    matrices = [[gain * np.asarray(table) for gain in WEIGHTS] for table in individual]
    want = [expected([one], three, plain, cross_entropy, labels)[0] for one, three in zip(genes, matrices, strict=True)]
    np.testing.assert_allclose(score(plain, genes, individual=individual).scores, want, rtol=2e-5, atol=1e-6)


# Mini-batches


@pytest.fixture(scope="module")
def small_batches():
    return DataProblem(*examples(), batch=5)


def test_a_score_is_that_of_the_examples_that_were_drawn(small_batches):
    genes = random_genes(4)
    evaluation = score(small_batches, genes, episodes=2)
    drawn = small_batches.draw(KEY, small_batches.examples, 10)
    assert len(np.unique(drawn.inputs, axis=0)) == 10
    other = small_batches.split("train")
    other.examples = drawn
    want = expected(genes, WEIGHTS, other, cross_entropy, np.asarray(drawn.targets).argmax(axis=1))
    np.testing.assert_allclose(evaluation.scores, want, rtol=2e-5, atol=1e-6)
    np.testing.assert_array_equal(evaluation.steps, np.full((4, 3), 10))


def test_all_networks_and_weights_of_an_evaluation_see_the_same_examples(small_batches):
    scores = score(small_batches, random_genes(1) * 4, (0.5, 0.5, 0.5)).scores
    assert_same_bits(scores, np.broadcast_to(scores[:1, :1], scores.shape))


def test_another_key_draws_other_examples_and_the_same_key_the_same(small_batches):
    genes = random_genes(4)
    first, again, other = (score(small_batches, genes, key=jax.random.key(seed)).scores for seed in (0, 0, 1))
    assert_same_bits(first, again)
    assert np.any(np.abs(first - other) > 1e-3)


@pytest.mark.parametrize(("size", "count"), [(50, 7), (MOST_PERMUTED + 1, 1000), (2 * MOST_PERMUTED + 3, 2 * MOST_PERMUTED + 2)])
def test_numbers_that_are_drawn_are_different(size, count):
    for drawn in np.asarray(jax.jit(jax.vmap(lambda key: sample(key, size, count)))(jax.random.split(KEY, 3))):
        assert len(np.unique(drawn)) == count
        assert drawn.min() >= 0
        assert drawn.max() < size


@pytest.mark.parametrize("permuted", [True, False])
def test_every_number_is_drawn_equally_often(permuted, monkeypatch):
    if not permuted:
        monkeypatch.setattr(splits, "MOST_PERMUTED", 0)
    drawn = jax.vmap(lambda key: sample(key, 11, 4))(jax.random.split(KEY, 20_000))
    shares = np.bincount(np.ravel(drawn), minlength=11) / 20_000
    np.testing.assert_allclose(shares, 4 / 11, atol=4 * np.sqrt(4 / 11 * 7 / 11 / 20_000))


def test_more_mini_batches_than_there_are_examples_are_all_examples(small_batches):
    genes = random_genes(4)
    first, other = (score(small_batches, genes, key=jax.random.key(seed), episodes=7) for seed in (0, 1))
    assert_same_bits(first.scores, other.scores)
    np.testing.assert_array_equal(first.steps, np.full((4, 3), 32))


def test_mini_batches_of_a_small_split_are_the_whole_of_it():
    problem = DataProblem(*examples(), batch=32).split("validation")
    evaluation = score(problem, random_genes(2))
    np.testing.assert_array_equal(evaluation.steps, np.full((2, 3), 8))


# Pieces


def test_the_order_of_the_population_changes_no_bit(small_batches):
    genes, order = random_genes(7), np.array([3, 0, 6, 1, 5, 2, 4])
    networks = networks_of(genes, STEPS)
    straight, shuffled = (small_batches.evaluate(KEY, n, jnp.array(WEIGHTS), episodes=2).scores for n in (networks, take(networks, order)))
    assert_same_bits(shuffled, straight[order])


@pytest.mark.parametrize("values", [1, 21, 96])
def test_blocks_of_networks_and_chunks_of_examples_change_the_order_of_a_sum_at_most(plain, monkeypatch, values):
    genes, individual = random_genes(4), random_weights(random_genes(4))
    whole = score(plain, genes, individual=individual)
    monkeypatch.setattr(devices, "_CPU_VALUES_PER_STEP", values)
    cut = score(DataProblem(*examples()), genes, individual=individual)
    np.testing.assert_allclose(cut.scores, whole.scores, rtol=1e-6, atol=1e-7)
    assert_same_bits(cut.steps, whole.steps)


def test_computed_steps_count_padding(plain):
    evaluation = score(plain, random_genes(4))
    assert float(evaluation.computed_steps) == 4 * 3 * 32


def test_arrays_are_arguments_of_the_compiled_program_and_no_constants_in_it():
    x, y = examples()
    problem, genes = DataProblem(x, y, validation=0.5), random_genes(3)
    networks = networks_of(genes, STEPS)
    arguments = KEY, networks, jnp.array(WEIGHTS), problem.examples
    trace = problem._evaluate.apart.trace(*arguments, shares=2, count=problem.size, activation_ids=(0, *SMOOTH))
    assert sum(np.size(constant) for constant in trace.jaxpr.consts) < problem.size
    keys, gain = jax.random.split(KEY, 3), jnp.ones(3)
    seen = [(score(some, genes).scores, some.measure(keys, networks, gain)) for some in map(problem.split, ("train", "validation"))]
    assert problem._evaluate.apart._cache_size() == problem._measure.apart._cache_size() == 1
    assert np.all(seen[0][0] != seen[1][0])


# What is not finite


def test_outputs_that_are_not_finite_reach_only_the_score_of_their_network_and_weight(plain):
    x, y = examples()
    x[3:, 0] = 1e25
    calm, overflows = calm_and_overflowing()
    scores = score(on_examples_of(DataProblem(x, y), plain), [calm, overflows, calm, calm], (1.0, 0.0, 1e-26)).scores
    np.testing.assert_array_equal(np.isfinite(scores), [[True] * 3, [False, True, True], [True] * 3, [True] * 3])
    assert_same_bits(scores[0], scores[2])


# The metric


@pytest.mark.parametrize("values", [768, 10])
def test_the_metric_of_cross_entropy_is_the_accuracy_in_percent_with_weights_that_differ_by_lane(monkeypatch, values):
    monkeypatch.setattr(devices, "_CPU_VALUES_PER_STEP", values)
    x, y = examples()
    problem, genes = DataProblem(x, y), random_genes(4, seed=3)
    tables = [random_weights(genes, seed) for seed in range(3)]
    lanes = [networks_of(genes, STEPS, table) for table in tables]
    networks = replace(lanes[0], weights=jnp.stack([lane.weights for lane in lanes], axis=-1))
    gain = np.array([1.0, -0.5, 2.0])
    accuracy = problem.measure(jax.random.split(KEY, 3), networks, jnp.asarray(gain, jnp.float32))
    labels = np.asarray(problem.examples.targets).argmax(axis=1)

    def percent(outputs, labels):
        return -100 * np.mean(outputs.argmax(axis=1) == labels)

    want = [
        [expected([one], [gain[lane] * np.asarray(tables[lane][i])], problem, percent, labels)[0, 0] for lane in range(3)]
        for i, one in enumerate(genes)
    ]
    np.testing.assert_allclose(accuracy, want, rtol=1e-6)
    assert problem.metric == "accuracy %"
    assert len(np.unique(want)) > 3


def test_the_metric_of_another_loss_is_minus_the_loss_on_all_examples():
    x, y = examples()
    problem, genes = (
        DataProblem(x, y.astype(float), loss=lambda outputs, target: jnp.abs(outputs[0] - target), outputs=1, batch=4),
        random_genes(3, outputs=1),
    )
    minus_loss = problem.measure(jax.random.split(KEY, 3), networks_of(genes, STEPS), jnp.array(WEIGHTS))
    want = expected(genes, WEIGHTS, problem, lambda outputs, targets: np.mean(np.abs(outputs[:, 0] - targets)))
    np.testing.assert_allclose(minus_loss, want, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("columns", [1, 2])
def test_the_metric_of_mse_is_r2_on_all_examples(columns):
    x, _ = examples()
    y = 3 + np.random.default_rng(1).normal(size=(len(x), columns)) * [1, 0.1][:columns]
    problem, genes = DataProblem(x, y, loss="mse", batch=4), random_genes(3, outputs=columns)
    found = problem.measure(jax.random.split(KEY, 3), networks_of(genes, STEPS), jnp.array(WEIGHTS))
    np.testing.assert_allclose(found, expected(genes, WEIGHTS, problem, minus_r2), rtol=1e-4, atol=1e-5)
    targets, outputs = np.asarray(problem.examples.targets), x[: problem.size, :columns]
    one_by_one = problem.metric_of(jnp.asarray(outputs), problem.examples.targets)
    assert float(one_by_one.mean()) == pytest.approx(-minus_r2(outputs, targets), rel=1e-5)


def test_r2_of_targets_that_do_not_vary_counts_those_that_are_met():
    x, _ = examples()
    problem = DataProblem(x, np.ones(len(x)), loss="mse", validation=0)
    outputs = jnp.where(jnp.arange(len(x)) % 4 == 0, 1.0, 2.0)[:, None]
    assert float(problem.metric_of(outputs, problem.examples.targets).mean()) == 0.25


def test_keys_have_no_say_in_the_metric(small_batches):
    networks = networks_of(random_genes(4), STEPS)
    first, other = (small_batches.measure(jax.random.split(jax.random.key(s), 3), networks, jnp.array(WEIGHTS)) for s in (0, 1))
    assert_same_bits(first, other)


# Arguments


@pytest.mark.parametrize("episodes", [0, -1])
def test_evaluation_of_no_episodes_is_refused(small_batches, episodes):
    with pytest.raises(ValueError, match=r"^episodes: must be an integer >= 1"):
        score(small_batches, random_genes(1), episodes=episodes)


def test_networks_of_another_shape_are_refused_and_both_shapes_named(small_batches):
    with pytest.raises(ValueError, match=r"^networks: must be of 3 inputs and 2 outputs, as data needs.*2 inputs and 2 outputs"):
        score(small_batches, random_genes(1, inputs=2))


# A search


@pytest.mark.slow
@pytest.mark.nightly
def test_a_search_finds_networks_and_reports_measure_what_does_not_vary_once():
    problem = DataProblem(*examples(), batch=8)
    config = wannjax.WannConfig(population=16, episodes=1, confirm_episodes=2)
    result = wannjax.evolve(problem, config, generations=2, progress=False)
    assert np.all(np.isfinite(result.champion_scores))
    report = wannjax.evaluate(result.champion, problem, episodes=6)
    assert {score.episodes for score in report.per_weight.values()} == {1}
    assert (report.random_weights.episodes, report.random_shared.episodes, report.tuned_shared.episodes) == (6, 6, 1)
    assert 0 <= report.random_weights.mean <= 100
    outputs = np.asarray(result.champion(problem.split("test").examples.inputs, weight=2.0))
    right = outputs.argmax(axis=1) == np.asarray(problem.split("test").examples.targets).argmax(axis=1)
    assert report.per_weight[2.0].mean == pytest.approx(100 * right.mean())
