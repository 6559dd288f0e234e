"""What a network predicts: outputs are the oracle's, and figures of them are scikit-learn's."""

import numpy as np
import oracle
import pytest
from bridge import networks_of
from data_support import cubic, examples
from marking import slow
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score, confusion_matrix, r2_score

import wannjax
from wannjax.analysis import predictions as module
from wannjax.analysis.evaluation import tuned_shared_weight
from wannjax.networks.network import take

SMOOTH = (1, 4, 5, 6, 7, 8, 9)


def genes_of(outputs, seed=0):
    return oracle.random_genes(np.random.default_rng(seed), inputs=3, outputs=outputs, slots=6, ids=SMOOTH, density=0.6, nodes=5)


def network(outputs, seed=0):
    return take(networks_of([genes_of(outputs, seed)], 24), 0)


@pytest.fixture(scope="module")
def of_classes():
    x, _ = examples(90)
    labels = np.random.default_rng(3).choice(["ash", "beech", "<elm>"], 90)
    return wannjax.DataProblem(x, labels, x_test=x[:40], y_test=labels[:40])


@pytest.fixture(scope="module")
def of_numbers():
    x, _ = examples(90)
    return wannjax.DataProblem(x, np.column_stack([x[:, 0] + 0.5 * x[:, 1] ** 2, np.tanh(x[:, 2])]), loss="mse")


@pytest.mark.parametrize("block", [7, *slow(4096)])
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_outputs_are_the_oracles_however_many_run_together(of_classes, split, block, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", block)
    found = wannjax.predictions(network(3), of_classes, weight=0.7, split=split)
    inputs = np.asarray(of_classes.split(split).examples.inputs)
    assert_allclose(found.outputs, oracle.run(genes_of(3), 0.7, inputs)[0], rtol=1e-5, atol=1e-5)
    assert_array_equal(found.inputs, inputs)


def test_classes_are_counted_as_scikit_learn_does(of_classes):
    found = wannjax.predictions(network(3), of_classes, weight=0.7, split="train")
    assert_array_equal(found.confusion_matrix, confusion_matrix(found.true, found.predicted, labels=range(3)))
    assert found.accuracy == accuracy_score(found.true, found.predicted)
    assert 0 < found.accuracy < 1
    assert found.output_names == ("<elm>", "ash", "beech")
    assert repr(found).startswith("ClassPredictions(data: accuracy ")
    assert "72 training examples" in repr(found)


@pytest.mark.slow
def test_the_accuracy_is_what_reports_have(of_classes):
    report = wannjax.evaluate(network(3), of_classes, split="train", episodes=1)
    found = wannjax.predictions(network(3), of_classes, weight=report.tuned_weight, split="train")
    assert report.tuned_shared.mean == pytest.approx(100 * found.accuracy)
    assert tuned_shared_weight(network(3), of_classes) == report.tuned_weight == wannjax.predictions(network(3), of_classes).weight


def test_the_surest_mistake_comes_first(of_classes):
    found = wannjax.predictions(network(3), of_classes, weight=0.7, split="train")
    sure = found.probabilities[found.wrong, found.predicted[found.wrong]]
    assert_allclose(found.probabilities.sum(axis=1), 1)
    assert np.all(np.diff(sure) <= 0)
    assert set(found.wrong) == set(np.flatnonzero(found.true != found.predicted))


@pytest.mark.slow
def test_numbers_are_scored_as_scikit_learn_does(of_numbers):
    found = wannjax.predictions(network(2), of_numbers, weight=0.7)
    assert_allclose(found.r2, r2_score(found.targets, found.outputs, multioutput="raw_values"))
    errors = np.abs(found.outputs - found.targets).max(axis=1)
    assert np.all(np.diff(errors[found.wrong]) <= 0)
    report = wannjax.evaluate(network(2), of_numbers, weights=(0.7,), episodes=1)
    assert report.per_weight[0.7].mean == pytest.approx(r2_score(found.targets, found.outputs), rel=1e-4)
    assert report.metric == "R²"


@pytest.mark.parametrize(("guess", "score"), [(1.0, 1.0), (2.0, 0.0)])
def test_r2_of_equal_targets_is_scikit_learns(guess, score):
    ones = np.ones((4, 1))
    found = module.NumberPredictions(np.zeros((4, 1), np.float32), guess * ones, ones, 1.0, "4 examples", "data", ("a",), ("b",), (1,))
    assert found.r2[0] == r2_score(ones, guess * ones) == score


@pytest.mark.parametrize(
    ("shape", "named", "image"),
    [
        ((9, 5), True, (9, 5)),
        ((8, 8, 1), True, (8, 8)),
        ((64,), False, (8, 8)),
        ((64,), True, None),
        ((63,), False, None),
        ((9,), False, None),
        ((8, 4, 2), False, None),
    ],
)
def test_images_keep_their_shape_and_named_columns_are_none(shape, named, image):
    count = int(np.prod(shape))
    x = np.random.default_rng(0).normal(size=(30, *shape)).astype(np.float32)
    problem = wannjax.DataProblem(x, np.arange(30) % 2, input_names=[f"c{i}" for i in range(count)] if named else ())
    own = (problem.input_names, problem.output_names, problem.example_shape)
    found = module.ClassPredictions(x.reshape(30, -1), np.eye(2)[np.arange(30) % 2], np.eye(2)[:1], 1.0, "30 examples", "data", *own)
    assert (None if found.images is None else found.images.shape) == (image and (30, *image))
    if image is not None:
        assert_array_equal(found.images, x.reshape(30, *image))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (dict(split="tests"), "split: must be one of train, validation, test, got 'tests' (did you mean"),
        (dict(weight=float("nan")), "weight: must be None or a finite number, got nan"),
        (dict(weight="1"), "weight: must be None or a finite number, got '1'"),
    ],
)
def test_arguments_that_make_no_sense(of_classes, wrong, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011 - compared as a whole
        wannjax.predictions(network(3), of_classes, **wrong)
    assert str(error.value).startswith(message.split(" (did")[0])
    assert "\n" not in str(error.value)


def test_problems_without_classes_or_numbers_are_refused():
    x, y = examples()
    own = wannjax.DataProblem(x, np.zeros((len(x), 2, 1)), loss=cubic, outputs=2)
    for problem in (own, wannjax.make("CartPole-v1")):
        with pytest.raises(ValueError, match=r'^problem: must be a data set whose loss is "cross_entropy" or "mse", got '):
            wannjax.predictions(network(2), problem)
    with pytest.raises(ValueError, match=r"^networks: must be of 3 inputs and 2 outputs"):
        wannjax.predictions(network(3), wannjax.DataProblem(x, y))
