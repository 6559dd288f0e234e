"""What one network says of the examples of a data set, beside what is true: classes with the
confusion matrix and what is taken for something else, or numbers with R².

All figures are float64 of the outputs, so that they can be checked against any other library's.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Float64, Int64

from wannjax.analysis.evaluation import examples_of, tuned_shared_weight
from wannjax.common.validation import real, require, require_one_of
from wannjax.networks.graph import default_names
from wannjax.networks.network import Network, enlarge
from wannjax.problems.capabilities import Supervised
from wannjax.problems.problem import Problem, check_single, check_sizes, require_single_examples
from wannjax.problems.registry import as_problem
from wannjax.problems.splits import SPLITS

_BLOCK = 1024
"""Examples that are run together. With one size what comes of each depends on no other one."""
_STEPS = 32
"""What the length of a network's tape is a multiple of, so that few lengths are compiled."""
_SMALLEST_IMAGE = 8
"""Rows and columns from which on unnamed inputs of a square number count as an image."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a network says of n examples.

    Attributes:
        inputs: float32[n, I].
        outputs: float64[n, O].
        targets: float64[n, O].
        weight: the shared weight, which scales individual weights.
        examples: which these are, for people.
        problem_name: of the problem.
        input_names, output_names: for people.
        example_shape: of one example, before it was flattened.
    """

    inputs: Float32[np.ndarray, "n I"]
    outputs: Float64[np.ndarray, "n O"]
    targets: Float64[np.ndarray, "n O"]
    weight: float
    examples: str
    problem_name: str
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    example_shape: tuple[int, ...]

    @property
    def images(self) -> Float32[np.ndarray, "n height width"] | None:
        """The inputs as images; None where they are none. Numbers in a line are one where there are
        a square number of them without names.
        """
        shape, count = self.example_shape, self.inputs.shape[1]
        side = int(np.sqrt(count))
        if len(shape) == 3 and shape[2] == 1:
            shape = shape[:2]
        if len(shape) == 1 and side >= _SMALLEST_IMAGE and side**2 == count and self.input_names == default_names(count, "input"):
            shape = side, side
        return self.inputs.reshape(-1, *shape) if len(shape) == 2 and min(shape) > 1 else None


class ClassPredictions(Predictions):
    """Classes that were predicted: the greatest output's."""

    def __repr__(self) -> str:
        return f"ClassPredictions({self.problem_name}: accuracy {100 * self.accuracy:.4g} % on {self.examples})"

    @property
    def true(self) -> Int64[np.ndarray, " n"]:
        """The numbers of the true classes; of a distribution the likeliest."""
        return self.targets.argmax(axis=1)

    @property
    def predicted(self) -> Int64[np.ndarray, " n"]:
        """The numbers of the predicted classes."""
        return self.outputs.argmax(axis=1)

    @property
    def probabilities(self) -> Float64[np.ndarray, "n O"]:
        """The softmax of the outputs."""
        powers = np.exp(self.outputs - self.outputs.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    @property
    def accuracy(self) -> float:
        """The share of examples whose class is predicted."""
        return float(np.mean(self.true == self.predicted))

    @property
    def confusion_matrix(self) -> Int64[np.ndarray, "O O"]:
        """How many examples of the class of a row were predicted to be of that of a column."""
        count = self.outputs.shape[1]
        return np.bincount(self.true * count + self.predicted, minlength=count**2).reshape(count, count)

    @property
    def wrong(self) -> Int64[np.ndarray, " wrong"]:
        """Which examples are taken for another class, the surest mistake first: by the probability
        of the predicted class, and of equal ones by how far its output is above the true one's.
        """
        rows = np.arange(len(self.outputs))
        margin = self.outputs[rows, self.predicted] - self.outputs[rows, self.true]
        order = np.lexsort((-margin, -self.probabilities.max(axis=1)))
        return order[self.true[order] != self.predicted[order]]


class NumberPredictions(Predictions):
    """Numbers that were predicted: the outputs."""

    def __repr__(self) -> str:
        return f"NumberPredictions({self.problem_name}: R² {self.r2.mean():.4g} on {self.examples})"

    @property
    def r2(self) -> Float64[np.ndarray, " O"]:
        """R² of each output. Where all its targets are equal: 1 if all are met, else 0."""
        errors = np.sum((self.outputs - self.targets) ** 2, axis=0)
        total = np.sum((self.targets - self.targets.mean(axis=0)) ** 2, axis=0)
        return np.where(total > 0, 1 - errors / np.where(total > 0, total, 1.0), errors == 0)

    @property
    def wrong(self) -> Int64[np.ndarray, " n"]:
        """All examples, that with the largest error of any output first."""
        return np.argsort(-np.abs(self.outputs - self.targets).max(axis=1), kind="stable")


def predictions(
    network: Network, problem: Problem | str, *, weight: float | None = None, split: str = "test"
) -> ClassPredictions | NumberPredictions:
    """What `network` predicts of the examples of a split of `problem`, which may be a name for
    `wannjax.make`.

    Args:
        weight: the shared weight, which scales individual weights. None: 1 for a network with
            individual weights, else the one that is best on the examples for validation.
        split: "train", "validation" or "test"; without `x_test` the last is the second.

    Raises ValueError for a population, sizes that do not fit, a problem that is neither of classes
    nor of numbers ("cross_entropy", "mse"), and arguments out of range, and TypeError for what is
    no network or no problem.
    """
    check_single(network)
    problem = as_problem(problem)
    allowed = 'a data set whose loss is "cross_entropy" or "mse"'
    fits = isinstance(problem, Supervised) and (problem.classifies or problem.regresses)
    require("problem", problem.name, allowed, fits)
    assert isinstance(problem, Supervised)
    require_single_examples(problem, "predictions")
    check_sizes(network, problem)
    require_one_of("split", split, SPLITS)
    if weight is None:
        weight = 1.0 if network.weights is not None else tuned_shared_weight(network, problem)
    weight = real("weight", weight, "None or a finite number")
    examples = problem.split(split).examples
    inputs = np.asarray(examples.inputs)
    kind = ClassPredictions if problem.classifies else NumberPredictions
    return kind(
        inputs=inputs,
        outputs=outputs_of(network, inputs, weight),
        targets=np.asarray(examples.targets, np.float64),
        weight=weight,
        examples=examples_of(problem, split),
        problem_name=problem.name,
        input_names=problem.input_names,
        output_names=problem.output_names,
        example_shape=problem.example_shape,
    )


def outputs_of(network: Network, inputs: Float32[np.ndarray, "n I"], weight: float) -> Float64[np.ndarray, "n O"]:
    """The outputs of one network for n rows, at a shared weight. What each is depends on no other
    row, and few sizes of networks are compiled.
    """
    steps = network.activations.shape[0]
    bare = enlarge(replace(network, input_names=(), output_names=()), -(-steps // _STEPS) * _STEPS)
    blocks = np.pad(inputs, ((0, -len(inputs) % _BLOCK), (0, 0))).reshape(-1, _BLOCK, inputs.shape[1])
    return np.concatenate([np.asarray(bare(block, weight), np.float64) for block in blocks])[: len(inputs)]
