"""Data sets as problems: scores and metrics are those of the float64 oracle, however examples and networks are cut into pieces."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from support import assert_same_bits, networks_of

import wannjax
from wannjax import devices
from wannjax.network import take
from wannjax.problems import DataProblem

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


def examples(count=40, seed=2):
    """Inputs [n, 3], and a label of two classes for each."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 3)).astype(np.float32)
    return x, (x[:, 0] + 0.3 * rng.normal(size=count) > 0).astype(np.int64)


def cross_entropy(outputs, labels):
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    return (np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]).mean()


def mse(outputs, targets):
    return ((outputs - targets) ** 2).mean()


def cubic(outputs, target):
    """A loss of one's own: targets are [n, 2, 1], and the outputs do not stand where they do."""
    return jnp.sum(jnp.abs(outputs[::-1] - target[:, 0]) ** 3)


def expected(genes, weights, problem, loss, targets=None):
    """Minus the mean loss of every network at every weight, over the examples of `problem`."""
    inputs = np.asarray(problem.examples.inputs)
    targets = np.asarray(problem.examples.targets) if targets is None else targets
    return np.array([[-loss(oracle.run(one, weight, inputs)[0], targets) for weight in weights] for one in genes])


def score(problem, genes, weights=WEIGHTS, *, key=KEY, episodes=1, individual=None):
    return problem.evaluate(key, networks_of(genes, STEPS, individual), jnp.array(weights), episodes=episodes)


# Scores


@pytest.mark.parametrize("form", ["int", "bool", "one-hot", "jax", "list"])
def test_cross_entropy_is_minus_the_mean_over_all_examples_however_labels_are_given(form):
    x, y = examples()
    forms = {"int": y.astype(np.int8), "bool": y == 1, "one-hot": np.eye(2)[y], "jax": jnp.asarray(y), "list": y.tolist()}
    problem, genes = DataProblem(x, forms[form]), random_genes(4)
    labels = np.asarray(problem.examples.targets).argmax(axis=1)
    evaluation = score(problem, genes)
    np.testing.assert_allclose(evaluation.scores, expected(genes, WEIGHTS, problem, cross_entropy, labels), rtol=2e-5, atol=1e-6)
    np.testing.assert_array_equal(evaluation.steps, np.full((4, 3), 32))


def test_cross_entropy_of_probabilities_weighs_every_class():
    x, _ = examples()
    y = np.random.default_rng(0).dirichlet((1, 1), len(x))
    problem, genes = DataProblem(x, y), random_genes(4)

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
    assert problem.metric == "minus loss"


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


def test_individual_weights_are_scaled_by_the_shared_one():
    x, y = examples()
    problem, genes = DataProblem(x, y), random_genes(4)
    individual = random_weights(genes)
    labels = np.asarray(problem.examples.targets).argmax(axis=1)
    matrices = [[gain * np.asarray(table) for gain in WEIGHTS] for table in individual]
    want = [expected([one], three, problem, cross_entropy, labels)[0] for one, three in zip(genes, matrices, strict=True)]
    np.testing.assert_allclose(score(problem, genes, individual=individual).scores, want, rtol=2e-5, atol=1e-6)


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
    scores = score(small_batches, random_genes(1) * 5, (0.5, 0.5)).scores
    assert_same_bits(scores, np.broadcast_to(scores[:1, :1], scores.shape))


def test_another_key_draws_other_examples_and_the_same_key_the_same(small_batches):
    genes = random_genes(3)
    first, again, other = (score(small_batches, genes, key=jax.random.key(seed)).scores for seed in (0, 0, 1))
    assert_same_bits(first, again)
    assert np.any(np.abs(first - other) > 1e-3)


def test_more_mini_batches_than_there_are_examples_are_all_examples(small_batches):
    genes = random_genes(3)
    first, other = (score(small_batches, genes, key=jax.random.key(seed), episodes=7) for seed in (0, 1))
    assert_same_bits(first.scores, other.scores)
    np.testing.assert_array_equal(first.steps, np.full((3, 3), 32))


# Pieces


def test_the_order_of_the_population_changes_no_bit(small_batches):
    genes, order = random_genes(7), np.array([3, 0, 6, 1, 5, 2, 4])
    networks = networks_of(genes, STEPS)
    straight, shuffled = (small_batches.evaluate(KEY, n, jnp.array(WEIGHTS), episodes=2).scores for n in (networks, take(networks, order)))
    assert_same_bits(shuffled, straight[order])


@pytest.mark.parametrize("values", [1, 21, 96])
def test_blocks_of_networks_and_chunks_of_examples_change_the_order_of_a_sum_at_most(monkeypatch, values):
    genes, individual = random_genes(5), random_weights(random_genes(5))
    whole = score(DataProblem(*examples()), genes, individual=individual)
    monkeypatch.setattr(devices, "_CPU_VALUES_PER_STEP", values)
    cut = score(DataProblem(*examples()), genes, individual=individual)
    np.testing.assert_allclose(cut.scores, whole.scores, rtol=1e-6, atol=1e-7)
    assert_same_bits(cut.steps, whole.steps)


def test_computed_steps_count_padding():
    evaluation = score(DataProblem(*examples()), random_genes(4))
    assert float(evaluation.computed_steps) == 4 * 3 * 32


def test_arrays_are_arguments_of_the_compiled_program_and_no_constants_in_it():
    x, y = examples()
    problem, genes = DataProblem(x, y, validation=0.5), random_genes(3)
    networks = networks_of(genes, STEPS)
    trace = problem._evaluate.trace(KEY, networks, jnp.array(WEIGHTS), problem.examples, count=problem.size, among=(0, *SMOOTH))
    assert sum(np.size(constant) for constant in trace.jaxpr.consts) < problem.size
    keys, gain = jax.random.split(KEY, 3), jnp.ones(3)
    seen = [(score(some, genes).scores, some.measure(keys, networks, gain)) for some in map(problem.split, ("train", "validation"))]
    assert problem._evaluate._cache_size() == problem._measure._cache_size() == 1
    assert np.all(seen[0][0] != seen[1][0])


# What is not finite


def test_outputs_that_are_not_finite_reach_only_the_score_of_their_network_and_weight():
    x, y = examples()
    x[3:, 0] = 1e25
    squared = np.zeros((1 + 3 + 1, 1 + 2), np.int8)
    squared[1, 0] = squared[4, 1] = squared[2, 2] = 1
    overflows = oracle.Genes(squared, np.array([11, 1, 1], np.int8), 3, 2)
    plain = np.zeros_like(squared)
    plain[2, 1] = plain[3, 2] = 1
    calm = oracle.Genes(plain, np.array([0, 1, 1], np.int8), 3, 2)
    scores = score(DataProblem(x, y), [calm, overflows, calm], (1.0, 0.0, 1e-26)).scores
    np.testing.assert_array_equal(np.isfinite(scores), [[True] * 3, [False, True, True], [True] * 3])
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
    problem, genes = DataProblem(x, y.astype(float), loss="mse", batch=4), random_genes(3, outputs=1)
    minus_loss = problem.measure(jax.random.split(KEY, 3), networks_of(genes, STEPS), jnp.array(WEIGHTS))
    np.testing.assert_allclose(minus_loss, expected(genes, WEIGHTS, problem, mse), rtol=2e-5, atol=1e-6)


def test_keys_have_no_say_in_the_metric(small_batches):
    networks = networks_of(random_genes(3), STEPS)
    first, other = (small_batches.measure(jax.random.split(jax.random.key(s), 3), networks, jnp.array(WEIGHTS)) for s in (0, 1))
    assert_same_bits(first, other)


# Splits


def rows_of(problem):
    return {tuple(row) for row in np.asarray(problem.examples.inputs).tolist()}


def test_training_and_validation_share_the_examples_among_them():
    x, y = examples(50)
    problem = DataProblem(x, y, validation=0.3)
    train, validation = problem.split("train"), problem.split("validation")
    assert (problem.size, train.size, validation.size) == (35, 35, 15)
    assert rows_of(train) | rows_of(validation) == {tuple(row) for row in x.tolist()}
    label = {tuple(row): label for row, label in zip(x.tolist(), y, strict=True)}
    for part in (train, validation):
        inputs, labels = np.asarray(part.examples.inputs).tolist(), np.asarray(part.examples.targets).argmax(axis=1)
        assert [label[tuple(row)] for row in inputs] == labels.tolist()


def test_the_seed_decides_the_split():
    x, y = examples()
    first, again, other = (rows_of(DataProblem(x, y, seed=seed).split("validation")) for seed in (3, 3, 4))
    assert first == again != other


def test_reports_are_on_the_test_examples_or_else_on_the_validation_ones():
    x, y = examples()
    without = DataProblem(x, y)
    assert_same_bits(without.split("test").examples, without.split("validation").examples)
    x_test, y_test = examples(7, seed=9)
    with_test = DataProblem(x, y, x_test=x_test, y_test=y_test)
    assert_same_bits(with_test.split("test").examples.inputs, x_test)
    assert_same_bits(with_test.split("validation").examples, without.split("validation").examples)


def test_a_split_of_a_split_is_one_of_the_whole():
    problem = DataProblem(*examples())
    assert_same_bits(problem.split("validation").split("train").examples, problem.examples)


def test_mini_batches_of_a_small_split_are_the_whole_of_it():
    problem = DataProblem(*examples(), batch=32).split("validation")
    evaluation = score(problem, random_genes(2))
    np.testing.assert_array_equal(evaluation.steps, np.full((2, 3), 8))


# Arguments

X, Y = examples()
SPOILED = np.where(np.arange(X.size).reshape(X.shape) == 7, np.nan, X)
NUMBERS = Y.astype(float)


@pytest.mark.parametrize(
    ("argument", "changed"),
    [
        ("x", {"x": X[:, 0]}),
        ("x", {"x": np.zeros((40, 0))}),
        ("x", {"x": np.zeros((0, 3)), "y": Y[:0]}),
        ("x", {"x": X[:1], "y": Y[:1]}),
        ("x", {"x": SPOILED}),
        ("x", {"x": np.where(np.isnan(SPOILED), np.inf, X)}),
        ("x", {"x": X.astype(float) * 1e300}),
        ("x", {"x": X.astype(object)}),
        ("x", {"x": X.astype(str)}),
        ("x", {"x": X * 1j}),
        ("x", {"x": [[1.0, 2.0], [3.0]], "y": [0, 1]}),
        ("y", {"y": Y[:-1]}),
        ("y", {"y": 1}),
        ("y", {"y": Y[:0]}),
        ("y", {"y": NUMBERS}),
        ("y", {"y": Y - 1}),
        ("y", {"y": Y + 1, "outputs": 2}),
        ("y", {"y": Y.astype(object)}),
        ("y", {"y": np.array(["cat", "dog"])[Y]}),
        ("y", {"y": np.eye(2)[Y] * 2}),
        ("y", {"y": np.eye(2)[Y] * [3, -2]}),
        ("y", {"y": np.eye(2)[Y], "outputs": 3}),
        ("y", {"y": Y[:, None]}),
        ("y", {"y": np.zeros((40, 0))}),
        ("y", {"y": np.eye(2)[Y][..., None]}),
        ("y", {"y": np.where(NUMBERS > 0, np.nan, NUMBERS), "loss": "mse"}),
        ("y", {"y": np.where(NUMBERS > 0, np.inf, NUMBERS), "loss": "mse"}),
        ("y", {"y": np.zeros((40, 0)), "loss": "mse"}),
        ("y", {"y": np.zeros((40, 2)), "loss": "mse", "outputs": 3}),
        ("y", {"y": NUMBERS.astype(object), "loss": cubic, "outputs": 2}),
        ("loss", {"loss": "hinge"}),
        ("outputs", {"loss": cubic}),
        ("outputs", {"outputs": 0}),
        ("validation", {"validation": 0.0}),
        ("validation", {"validation": 1.0}),
        ("validation", {"validation": float("nan")}),
        ("x", {"validation": 0.001}),
        ("batch", {"batch": 0}),
        ("seed", {"seed": -1}),
        ("x_test, y_test", {"x_test": X}),
        ("x_test, y_test", {"y_test": Y}),
        ("x_test", {"x_test": X[:, :2], "y_test": Y}),
        ("x_test", {"x_test": SPOILED, "y_test": Y}),
        ("y_test", {"x_test": X, "y_test": Y[:-1]}),
        ("y_test", {"x_test": X, "y_test": Y + 1}),
        ("input_names", {"input_names": ("a", "b")}),
        ("output_names", {"output_names": ("a", "b", "c")}),
    ],
)
def test_a_bad_argument_is_named_in_one_line(argument, changed):
    with pytest.raises(ValueError, match=f"^{argument}: must be ") as error:
        DataProblem(**{"x": X, "y": Y, **changed})
    assert "\n" not in str(error.value)


def test_classes_that_do_not_occur_are_counted_where_they_are_given():
    assert DataProblem(X, Y, outputs=5).outputs == 5
    assert DataProblem(X, np.zeros(40, int)).outputs == 2
    assert DataProblem(X, Y + 3).outputs == 5


@pytest.mark.parametrize("episodes", [0, -1])
def test_evaluation_of_no_episodes_is_refused(small_batches, episodes):
    with pytest.raises(ValueError, match=r"^episodes: must be an integer >= 1"):
        score(small_batches, random_genes(1), episodes=episodes)


def test_an_unknown_split_is_refused(small_batches):
    with pytest.raises(ValueError, match=r"^split: must be one of train, validation, test, got 'all'"):
        small_batches.split("all")


def test_networks_of_another_shape_are_refused_and_both_shapes_named(small_batches):
    with pytest.raises(ValueError, match=r"^networks: must be of 3 inputs and 2 outputs, as data needs.*2 inputs and 2 outputs"):
        score(small_batches, random_genes(1, inputs=2))


def test_names_for_people():
    problem = DataProblem(X, Y, name="moons", input_names=("a", "b", "c"))
    assert (problem.input_names, problem.output_names) == (("a", "b", "c"), ("class 0", "class 1"))
    assert DataProblem(X, NUMBERS, loss="mse").output_names == ("output",)
    assert "moons" in repr(problem)


# A search


@pytest.mark.slow
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
