"""Data as people have it: labels of any kind, tables with columns, a truth table; and names that no two nodes share."""

import re

import numpy as np
import pytest
from bridge import assert_same_bits
from data_support import cubic, examples

import wannjax
from wannjax import DataProblem
from wannjax.problems.problem import checked_names

X, Y = examples()
PETS = np.array(["dog", "cat", "eel"])[np.arange(40) % 3]


class Table:
    """What is used of a DataFrame."""

    def __init__(self, columns):
        self.columns, self._values = list(columns), np.array(list(columns.values()), object).T

    def to_numpy(self):
        return self._values


def one_hot(problem):
    """The classes of all examples, in their order."""
    return np.asarray(problem.examples.targets).argmax(axis=1)


@pytest.mark.parametrize(
    ("y", "names"),
    [
        (PETS, ("cat", "dog", "eel")),
        (PETS.astype(object), ("cat", "dog", "eel")),
        (PETS.astype(bytes), ("cat", "dog", "eel")),
        (PETS.tolist(), ("cat", "dog", "eel")),
        (PETS[:, None], ("cat", "dog", "eel")),
        (Y, ("class 0", "class 1")),
        (Y > 0, ("class 0", "class 1")),
        (Y + 1, ("class 1", "class 2")),
        (2 * Y - 1, ("class -1", "class 1")),
        (255 * Y.astype(np.uint8), ("class 0", "class 255")),
        (Y + 3.0, ("class 3", "class 4")),
        ((Y + 1).astype(object), ("class 1", "class 2")),
    ],
)
def test_labels_of_any_kind_are_classes_in_sorted_order(y, names):
    problem = DataProblem(X, y, validation=0)
    assert (problem.outputs, problem.output_names) == (len(names), names)
    want = np.unique(np.asarray(y).astype(object).ravel(), return_inverse=True)[1]
    assert one_hot(problem).tolist() == want.tolist()


def test_numbers_of_classes_stay_what_they_are_where_the_outputs_are_given():
    problem = DataProblem(X, 2 * Y, outputs=4, validation=0)
    assert problem.outputs == 4
    assert one_hot(problem).tolist() == (2 * Y).tolist()


def test_the_test_labels_are_those_of_the_same_classes():
    problem = DataProblem(X, PETS, x_test=X[:2], y_test=["eel", "eel"])
    assert one_hot(problem.split("test")).tolist() == [2, 2]
    with pytest.raises(ValueError, match=r"^y_test: must be labels among 'cat', 'dog', 'eel', got \['fox'\]"):
        DataProblem(X, PETS, x_test=X[:2], y_test=["eel", "fox"])
    with pytest.raises(ValueError, match=r"^y_test: must be labels among 'cat', 'dog', 'eel', got \[1\]"):
        DataProblem(X, PETS, x_test=X[:2], y_test=[1, 2])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y + 0.5, r'y: must be labels that are strings or whole numbers (loss="mse" takes any), got [0.5]'),
        (np.arange(40), "y: must be labels of a few classes (loss=\"mse\" is for numbers), got '40 different ones in 40 examples'"),
        (np.full(40, 7), "y: must be of two or more classes, got 'labels 7'"),
        (np.where(Y > 0, np.nan, 1.0), "y: must be finite, got 'some that are not'"),
        ([None, *PETS[1:].tolist()], "y: must be strings or whole numbers, or probabilities [n, O], got 'labels of NoneType, str'"),
        (Y * 1j, "y: must be strings or whole numbers"),
        (
            np.eye(2)[Y] + 0.5,
            "y: must be labels [n], or probabilities [n, O] >= 0 that sum to 1, got 'row 0, of least 0.5 and of sum 2'",
        ),
    ],
)
def test_what_are_no_labels_is_refused_in_one_line(y, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)) as caught:
        DataProblem(X, y)
    assert "\n" not in str(caught.value)


def test_a_number_of_outputs_that_is_not_that_of_the_labels_is_refused():
    with pytest.raises(ValueError, match=r"^y: must be of 3 classes, got 'labels 3, 4'"):
        DataProblem(X, Y + 3, outputs=3)


def test_the_columns_of_a_table_are_names():
    table = Table({"age": [30, 41.5, 7], "paid": [True, False, True]})
    problem = DataProblem(table, ["no", "yes", "no"])
    assert (problem.input_names, problem.output_names) == (("age", "paid"), ("no", "yes"))
    assert_same_bits(np.asarray(problem.examples.inputs), np.array([[30, 1], [41.5, 0], [7, 1]], np.float32))
    regression = DataProblem(table, Table({"height": [0.5, 1.0, 1.5]}), loss="mse", input_names=("a", "b"))
    assert (regression.input_names, regression.output_names) == (("a", "b"), ("height",))


def test_a_table_is_refused_by_the_name_of_its_column():
    with pytest.raises(ValueError, match=r"^x: must be numbers, got \"column 'city' with \['Rome'\]\""):
        DataProblem(Table({"age": [1, 2], "city": ["Rome", "Bonn"]}), [0, 1])
    with pytest.raises(ValueError, match=r"^x: must be finite in float32, got \"1 values that are not, the first in column 'size'\""):
        DataProblem(Table({"age": [1, 2], "size": [3.0, np.nan]}), [0, 1])
    with pytest.raises(ValueError, match=r"^x: must be dense, as .toarray\(\) makes it, got 'a csr_array'"):
        DataProblem(pytest.importorskip("scipy.sparse").csr_array(X), Y)
    table = Table({"age": [1, 2], "size": [3, 4]})
    with pytest.raises(ValueError, match=r"^x_test: must be of the columns of x, age, size, got 'columns size, age'"):
        DataProblem(table, [0, 1], x_test=Table({"size": [3], "age": [1]}), y_test=[0])


def test_pandas_is_read_as_it_is():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"age": [30, 41, 7], "paid": [True, False, True], "pet": pandas.Categorical(["cat", "dog", "cat"])})
    problem = DataProblem(frame[["age", "paid"]], frame["pet"])
    assert (problem.input_names, problem.output_names) == (("age", "paid"), ("cat", "dog"))
    assert one_hot(problem).tolist() == [0, 1, 0]
    assert DataProblem(frame[["age"]], frame["age"] / 41, loss="mse").output_names == ("output age",)
    with pytest.raises(ValueError, match=r"^x: must be numbers, got .column 'pet'"):
        DataProblem(frame, frame["pet"])


def test_labels_that_are_names_of_inputs_too_stand_with_their_kind():
    assert DataProblem(X, PETS, input_names=("cat", "b", "c")).output_names == ("class cat", "class dog", "class eel")
    assert DataProblem(X, np.where(Y > 0, "bias", "hidden 1")).output_names == ("class bias", "class hidden 1")


def test_few_examples_are_all_used_for_everything():
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    problem = DataProblem(x, y)
    for split in ("train", "validation", "test"):
        assert_same_bits(np.asarray(problem.split(split).examples.inputs), x.astype(np.float32))
    assert DataProblem(X[:19], Y[:19]).size == 19
    assert DataProblem(X[:20], Y[:20]).size == 16
    assert (DataProblem(X, Y, validation=0).size, DataProblem(X[:10], Y[:10], validation=0.2).size) == (40, 8)


def test_targets_far_from_unit_scale_are_warned_of_once():
    for scale in (1000.0, 0.001):
        with pytest.warns(UserWarning, match=r"^y: targets up to ±.* are far from unit scale.* \(y - y.mean\(\)\) / y.std\(\)") as caught:
            DataProblem(X, scale * X[:, 0], loss="mse")
        assert (len(caught), caught[0].filename) == (1, __file__)
    assert DataProblem(X, np.zeros(40), loss="mse").outputs == 1


def test_targets_of_a_loss_of_ones_own_may_be_objects_that_are_numbers():
    targets = np.ones((40, 2, 1))
    assert DataProblem(X, targets.astype(object), loss=cubic, outputs=2).examples.targets.dtype == np.float32


@pytest.mark.parametrize(
    ("input_names", "output_names", "message"),
    [
        (("a", "a"), ("b",), "input_names: must be names that no two nodes share, not also that of input_names[0], got 'a'"),
        (("a", "b"), ("b",), "output_names: must be names that no two nodes share, not also that of input_names[1], got 'b'"),
        (("a", "bias"), ("b",), "input_names: must be names that no two nodes share, not also that of the bias, got 'bias'"),
        (
            ("a", "b"),
            ("hidden 12",),
            "output_names: must be names that no two nodes share, not also that of a hidden node, got 'hidden 12'",
        ),
        ((), ("input 1",), "output_names: must be names that no two nodes share, not also that of input_names[1], got 'input 1'"),
        (("a", 1), ("b",), "input_names[1]: must be a string of whole characters that is not empty, got 1"),
        (("a", "\ud800"), ("b",), "input_names[1]: must be a string of whole characters that is not empty, got '\\ud800'"),
        (("a", ""), ("b",), "input_names[1]: must be a string of whole characters that is not empty, got ''"),
        (("a",), ("b",), "input_names: must be 2 names, got ('a',)"),
        ("ab", ("b",), "input_names: must be names in a tuple or a list, got 'ab'"),
        (7, ("b",), "input_names: must be names in a tuple or a list, got 7"),
    ],
)
def test_names_are_checked_where_they_enter(input_names, output_names, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        checked_names(input_names, output_names, 2, 1)


def test_names_may_stand_in_any_array():
    assert checked_names(np.array(["a", "b"]), ["hidden 0"], 2, 1) == (("a", "b"), ("hidden 0",))
    assert checked_names((), (), 2, 1) == (("input 0", "input 1"), ("output",))


def test_a_search_refuses_names_that_its_files_could_not_hold():
    class Unnamed(wannjax.Problem):
        name, inputs, outputs, output_activation = "unnamed", 2, 1, "linear"
        input_names, output_names = ("a", "a"), ("b",)

    with pytest.raises(ValueError, match=r"^input_names: must be names that no two nodes share"):
        wannjax.evolve(Unnamed(), wannjax.WannConfig(population=8), generations=1, progress=False)
