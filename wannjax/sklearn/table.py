"""A table as a problem: equal rows as one row with a weight, in units of their spread.

A row of weight 2 and two equal rows are the same table from here on, so that they lead to the same
network, to the last bit. So are two orders of the same rows.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float
from sklearn.preprocessing import StandardScaler

from wannjax.common.validation import require
from wannjax.problems.data import DataProblem


class Rows(NamedTuple):
    """n rows, all different, in order.

    Attributes:
        inputs: [n, I].
        targets: [n, T].
        weights: [n], above 0, of mean 1.
    """

    inputs: Float[np.ndarray, "n I"]
    targets: Float[np.ndarray, "n T"]
    weights: Float[np.ndarray, " n"]


def distinct_rows(inputs: Float[np.ndarray, "n I"], targets: Float[np.ndarray, "n T"], weights: Float[np.ndarray, " n"]) -> Rows:
    """The distinct rows, each with the sum of its weights; those of weight 0 are left out.

    Raises ValueError for weights that are negative or all 0.
    """
    require("sample_weight", weights[weights < 0][:1].tolist(), "all >= 0", bool(np.all(weights >= 0)))
    require("sample_weight", "nothing but 0", "above 0 for some row", bool(np.any(weights > 0)))
    table = np.column_stack([inputs, targets])[weights > 0]
    rows, place = np.unique(table, axis=0, return_inverse=True)
    total = np.bincount(place.reshape(-1), weights[weights > 0])
    return Rows(rows[:, : inputs.shape[1]], rows[:, inputs.shape[1] :], total / total.mean())


def scaler_of(values: Float[np.ndarray, "n F"], weights: Float[np.ndarray, " n"], *, scale: bool) -> StandardScaler:
    """What takes columns to mean 0 and standard deviation 1, or, unless `scale`, leaves them."""
    return StandardScaler(with_mean=scale, with_std=scale).fit(values, sample_weight=weights)


def log_loss_of_two(outputs, target):
    """The weighted log loss of one output, the log odds of the second of two classes. The target is
    [0 or 1, weight].
    """
    return target[1] * optax.sigmoid_binary_cross_entropy(outputs[0], target[0])


def log_loss(outputs, target):
    """The weighted log loss of C outputs, whose softmax are probabilities. The target is [one-hot
    class …, weight].
    """
    return target[-1] * optax.softmax_cross_entropy(outputs, target[:-1])


def squared_error(outputs, target):
    """The weighted mean squared error. The target is [numbers …, weight]."""
    return target[-1] * jnp.mean(optax.squared_error(outputs, target[:-1]))


def problem_of(rows: Rows, loss: Callable[..., Any], output_names: Sequence[str], **options: Any) -> DataProblem:
    """The problem of rows that are scaled, with a `loss` of those above."""
    targets = np.column_stack([rows.targets, rows.weights])
    return DataProblem(rows.inputs, targets, loss=loss, outputs=len(output_names), output_names=output_names, **options)
