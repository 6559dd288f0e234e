"""A table becomes a problem: equal rows are one row with a weight."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from marking import slow
from numpy.testing import assert_allclose, assert_array_equal

from wannjax.networks.network import take
from wannjax.search.wann.config import WannConfig
from wannjax.sklearn.table import distinct_rows, log_loss, log_loss_of_two, problem_of, scaler_of, squared_error


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, 2)), rng.integers(0, 2, (12, 1)).astype(float), rng.integers(0, 4, 12).astype(float)


def test_weights_are_repetitions_to_the_last_bit(table):
    inputs, targets, weights = table
    times = weights.astype(int)
    repeated = distinct_rows(np.repeat(inputs, times, axis=0), np.repeat(targets, times, axis=0), np.ones(times.sum()))
    for weighted, expected in zip(distinct_rows(inputs, targets, weights), repeated, strict=True):
        assert_array_equal(weighted, expected)


def test_the_order_of_rows_has_no_say(table):
    order = np.random.default_rng(1).permutation(12)
    for shuffled, expected in zip(distinct_rows(*(array[order] for array in table)), distinct_rows(*table), strict=True):
        assert_array_equal(shuffled, expected)


@pytest.mark.parametrize("weights", [[1.0, -1.0], [0.0, 0.0]])
def test_weights_that_make_no_sense_are_named(weights):
    with pytest.raises(ValueError, match=r"^sample_weight: must be "):
        distinct_rows(np.eye(2), np.ones((2, 1)), np.array(weights))


def test_scaling_is_that_of_repeated_rows(table):
    inputs, _, weights = table
    repeated = np.repeat(inputs, weights.astype(int), axis=0)
    scaled = scaler_of(inputs, weights, scale=True).transform(inputs)
    assert_allclose(scaled, (inputs - repeated.mean(0)) / repeated.std(0))
    assert_array_equal(scaler_of(inputs, weights, scale=False).transform(inputs), inputs)


def reference(outputs, targets, weights, loss):
    """The mean loss in float64, weights counted as repetitions."""
    if loss is squared_error:
        losses = ((outputs - targets) ** 2).mean(1)
    elif loss is log_loss_of_two:
        chance = 1 / (1 + np.exp(-outputs[:, 0]))
        losses = -np.log(np.where(targets[:, 0] == 1, chance, 1 - chance))
    else:
        losses = -np.log((np.exp(outputs) / np.exp(outputs).sum(1, keepdims=True))[targets == 1])
    return np.average(losses, weights=weights)


@pytest.mark.parametrize(("loss", "outputs"), [(log_loss, 3), *slow((squared_error, 2), (log_loss_of_two, 1))])
def test_a_score_is_minus_the_weighted_loss(loss, outputs):
    rng = np.random.default_rng(2)
    inputs, weights = rng.normal(size=(9, 2)), rng.uniform(0.5, 3, 9)
    numbers, labels, classes = rng.normal(size=(9, 2)), rng.integers(0, 2, (9, 1)), np.eye(3)[np.arange(9) % 3]
    targets = {squared_error: numbers, log_loss_of_two: labels, log_loss: classes}[loss]
    rows = distinct_rows(inputs, targets.astype(float), weights)
    problem = problem_of(rows, loss, [f"y {i}" for i in range(outputs)])
    algorithm = WannConfig(population=4).algorithm(inputs=2, outputs=outputs)
    networks = algorithm.ask(algorithm.init(jax.random.key(0)))
    scores = problem.evaluate(jax.random.key(1), networks, jnp.array([0.5, -1.0]), episodes=1).scores
    for i, row in enumerate(scores):
        for weight, score in zip((0.5, -1.0), row, strict=True):
            outputs_of = np.asarray(take(networks, i)(rows.inputs, weight), np.float64)
            assert_allclose(score, -reference(outputs_of, rows.targets, rows.weights, loss), rtol=1e-5)


def test_a_truth_table_is_not_split():
    rows = distinct_rows(np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0], [1], [1], [0]]), np.ones(4))
    problem = problem_of(rows, log_loss_of_two, ["y"])
    assert problem.size == 4
    assert problem.split("validation").examples is problem.examples
