"""Making a data problem: its splits, its names, and arguments that make no sense."""

import numpy as np
import pytest
from bridge import assert_same_bits
from data_support import cubic, examples

from wannjax.problems.data import DataProblem

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


def test_the_examples_for_validation_may_be_chosen_one_by_one():
    x, y = np.arange(24.0).reshape(12, 2), np.arange(12) % 2
    chosen = x[:, 0] % 3 == 0
    for which in (chosen, chosen.tolist()):
        problem = DataProblem(x, y, validation=which)
        np.testing.assert_array_equal(problem.split("validation").examples.inputs, x[chosen])
        np.testing.assert_array_equal(problem.examples.inputs, x[~chosen])
    for wrong in (chosen[1:], chosen.astype(int), np.ones(12, bool), [False] * 12, []):
        with pytest.raises(
            ValueError, match=r"^validation: must be None, in \[0, 1\), or for each of 12 examples a bool, not all equal, got "
        ):
            DataProblem(x, y, validation=wrong)


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
        ("x", {"x": SPOILED}),
        ("x", {"x": np.where(np.isnan(SPOILED), np.inf, X)}),
        ("x", {"x": X.astype(float) * 1e300}),
        ("x", {"x": X.astype(str)}),
        ("x", {"x": X * 1j}),
        ("x", {"x": np.ma.masked_greater(X, 1)}),
        ("y", {"y": np.ma.masked_equal(Y, 1)}),
        ("x", {"x": [[1.0, 2.0], [3.0]], "y": [0, 1]}),
        ("y", {"y": Y[:-1]}),
        ("y", {"y": 1}),
        ("y", {"y": Y[:0]}),
        ("y", {"y": np.where(Y, np.uint64(2**63), np.uint64(1))}),
        ("y", {"y": np.where(Y, 1e300, 1)}),
        ("y", {"y": np.eye(2)[Y] * 2}),
        ("y", {"y": np.eye(2)[Y] * [3, -2]}),
        ("y", {"y": np.eye(2)[Y], "outputs": 3}),
        ("y", {"y": np.zeros((40, 0))}),
        ("y", {"y": np.eye(2)[Y][..., None]}),
        ("y", {"y": np.where(NUMBERS > 0, np.nan, NUMBERS), "loss": "mse"}),
        ("y", {"y": np.where(NUMBERS > 0, np.inf, NUMBERS), "loss": "mse"}),
        ("y", {"y": np.zeros((40, 0)), "loss": "mse"}),
        ("y", {"y": np.zeros((40, 2)), "loss": "mse", "outputs": 3}),
        ("loss", {"loss": "hinge"}),
        ("outputs", {"loss": cubic}),
        ("outputs", {"outputs": 0}),
        ("validation", {"validation": -0.1}),
        ("validation", {"validation": 1.0}),
        ("validation", {"validation": float("nan")}),
        ("validation", {"validation": 0.001}),
        ("name", {"name": "a\nb"}),
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
    assert DataProblem(X, 2 * Y, outputs=3).outputs == 3


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match=r"^split: must be one of train, validation, test, got 'all'"):
        DataProblem(X, Y).split("all")


def test_names_for_people():
    problem = DataProblem(X, Y, name="moons", input_names=("a", "b", "c"))
    assert (problem.input_names, problem.output_names) == (("a", "b", "c"), ("class 0", "class 1"))
    assert DataProblem(X, NUMBERS, loss="mse").output_names == ("output",)
    assert "moons" in repr(problem)


@pytest.mark.parametrize("validation", [None, 0.25])
def test_arrays_that_change_afterwards_change_no_problem(validation):
    for _ in range(5):  # an array is only sometimes where JAX could use its memory
        x, y = np.ones((512, 64), np.float32), np.ones(512, np.int32)
        options = {"loss": lambda outputs, target: outputs[0] - target, "outputs": 1, "x_test": x, "y_test": y, "validation": validation}
        problem = DataProblem(x, y, **options)
        x[:] = y[:] = 7
        for split in ("train", "validation", "test"):
            examples = problem.split(split).examples
            assert float(examples.inputs.max()) == float(examples.targets.max()) == 1.0
