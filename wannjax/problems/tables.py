"""Tables, labels and numbers as people have them, made into arrays: anything numpy takes, and what
has a `to_numpy` and perhaps `columns`, as the tables of pandas and polars do.
"""

import warnings
from collections.abc import Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from wannjax.common.validation import require

_FEW_CLASSES = 20
"""Classes that numbers may stand for whatever the number of examples; beyond, half of it."""

_UNIT_SCALE = (0.1, 10.0)
"""Where the largest target of a regression should be."""


class Targets(NamedTuple):
    """What networks are to say, of n examples.

    Attributes:
        values: [n, ...]; of classes the probability of each, float32[n, O].
        outputs: O.
        names: of the outputs; empty where the targets have none.
        classes: the labels, in the order of the outputs; None where there were none.
    """

    values: Shaped[np.ndarray, "n ..."]
    outputs: int
    names: tuple[str, ...]
    classes: np.ndarray | None


def columns_of(table: Any) -> tuple[str, ...]:
    """The names of a table's columns; empty where it is none."""
    return tuple(map(str, table.columns)) if hasattr(table, "columns") and hasattr(table, "to_numpy") else ()


def inputs_of(name: str, x: Any) -> Float32[np.ndarray, "n ..."]:
    """The inputs of n examples. Raises ValueError for what is not an array of finite numbers."""
    array = _array(name, x)
    if array.dtype == object and array.ndim == 2:
        for column, values in zip(columns_of(x), array.T, strict=False):
            strange = [value for value in values if not _is_number(value)]
            require(name, f"column {column!r} with {strange[:1]}", "numbers", not strange)
    array = _finite(name, array, columns_of(x))
    require(name, f"shape {array.shape}", "of shape [n, ...] with at least one example and feature", array.ndim >= 2 and array.size > 0)
    return array


def rows_of(name: str, y: Any, examples: int) -> Shaped[np.ndarray, "n ..."]:
    """Targets of any kind, one row for each example."""
    array = _array(name, y)
    require(name, f"shape {array.shape}", f"of {examples} rows, one per example", array.ndim >= 1 and len(array) == examples)
    return array


def probabilities_of(name: str, y: Any, examples: int, outputs: int | None, classes: np.ndarray | None) -> Targets:
    """Labels [n] or [n, 1], or probabilities [n, O], as the probability of each class.

    Args:
        outputs: O, where it is known.
        classes: the labels in order, where they are known.
    """
    array = rows_of(name, y, examples)
    if array.ndim == 1 or array.shape[1:] == (1,):
        labels = _labels(name, array.reshape(-1))
        if classes is None:
            classes = _classes(name, labels, outputs)
        place = np.clip(np.searchsorted(classes, labels), 0, len(classes) - 1) if labels.dtype.kind == classes.dtype.kind else 0
        strange = labels[classes[place] != labels]
        require(name, strange[:1].tolist(), f"labels among {_shortened(classes)}", len(strange) == 0)
        names = tuple(str(label) if classes.dtype.kind == "U" else f"class {label}" for label in classes)
        return Targets((np.asarray(place)[:, None] == np.arange(len(classes))).astype(np.float32), len(classes), names, classes)
    array = _finite(name, array)
    require(name, f"shape {array.shape}", "labels [n], or probabilities [n, O]", array.ndim == 2 and array.shape[1] >= 2)
    least, total = array.min(axis=1), array.sum(axis=1)
    wrong = (least < 0) | ~np.isclose(total, 1, atol=1e-3)
    row = int(np.argmax(wrong))
    what = f"row {row}, of least {least[row]:.4g} and of sum {total[row]:.4g}"
    require(name, what, "labels [n], or probabilities [n, O] >= 0 that sum to 1", not wrong.any())
    return _of_columns(name, array, outputs, columns_of(y))


def numbers_of(name: str, y: Any, examples: int, outputs: int | None) -> Targets:
    """Numbers [n] or [n, ...] as float32[n, O]."""
    array = _finite(name, rows_of(name, y, examples)).reshape(examples, -1)
    require(name, f"shape {array.shape}", "of at least one column", array.size > 0)
    own = getattr(y, "name", None)
    return _of_columns(name, array, outputs, columns_of(y) or ((own,) if isinstance(own, str) and own else ()))


def anything_of(name: str, y: Any, examples: int) -> Shaped[np.ndarray, "n ..."]:
    """Targets for a loss of one's own: a copy of integers and booleans as they are, other numbers
    as float32.
    """
    array = rows_of(name, y, examples)
    return array.copy() if array.dtype.kind in "iub" else _finite(name, array)


def warn_of_scale(name: str, targets: Float32[np.ndarray, "n *T O"]) -> None:
    """Warns where numbers are far from unit scale."""
    largest, (least, most) = float(np.max(np.abs(targets))), _UNIT_SCALE
    if largest > 0 and not least <= largest <= most:
        advice = f"scale them, such as by ({name} - {name}.mean()) / {name}.std()"
        warnings.warn(f"{name}: targets up to ±{largest:.3g} are far from unit scale, where networks give values: {advice}", stacklevel=3)


def _of_columns(name: str, array: np.ndarray, outputs: int | None, names: Sequence[str]) -> Targets:
    count = array.shape[1]
    require(name, f"{count} columns", f"of {outputs} columns, as there are outputs", outputs in (None, count))
    return Targets(array, count, tuple(names) if len(names) == count else (), None)


def _labels(name: str, y: np.ndarray) -> Int64[np.ndarray, " n"] | np.ndarray:
    """Labels as int64 or as strings."""
    if y.dtype.kind == "O" and all(isinstance(label, str) for label in y):
        return y.astype(str)
    if y.dtype.kind in "SUT":
        return y.astype(str)
    kinds = ", ".join(sorted({type(label).__name__ for label in y})) if y.dtype == object else str(y.dtype)
    numbers = _as_numbers(y)
    require(name, f"labels of {kinds}", "strings or whole numbers, or probabilities [n, O]", numbers.dtype.kind in "iubf")
    if numbers.dtype.kind == "f":
        require(name, "some that are not", "finite", bool(np.all(np.isfinite(numbers))))
        fractions = numbers[numbers != np.round(numbers)]
        require(name, fractions[:1].tolist(), 'labels that are strings or whole numbers (loss="mse" takes any)', len(fractions) == 0)
    with np.errstate(invalid="ignore"):
        found = numbers.astype(np.int64)
    require(name, numbers[found != numbers][:1].tolist(), "labels from -2**63 to 2**63 - 1", np.array_equal(found, numbers))
    return found


def _classes(name: str, labels: np.ndarray, outputs: int | None) -> np.ndarray:
    """The labels of the classes, in order."""
    numbers = labels.dtype.kind == "i"
    if numbers and len(labels) and labels.min() >= 0 and labels.max() < (outputs or 2):
        return np.arange(outputs or 2)
    found = np.unique(labels)
    what = f"{len(found)} different ones in {len(labels)} examples"
    if numbers and outputs is None:
        few = len(found) <= max(_FEW_CLASSES, len(labels) // 2)
        require(name, what, 'labels of a few classes (loss="mse" is for numbers)', few)
    require(
        name,
        f"labels {_shortened(found)}",
        f"of {outputs or 'two or more'} classes",
        len(found) == outputs or (outputs is None and len(found) >= 2),
    )
    return found


def _shortened(labels: np.ndarray) -> str:
    shown = ", ".join(map(repr, labels[:10].tolist()))
    return shown + (", …" if len(labels) > 10 else "")


def _array(name: str, values: Any) -> np.ndarray:
    require(name, f"a {type(values).__name__}", "dense, as .toarray() makes it", not hasattr(values, "toarray"))
    require(name, "a masked array", "without masked values: leave their rows out, or .filled(…) them", not np.ma.is_masked(values))
    try:
        return np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    except ValueError as error:
        raise ValueError(f"{name}: must be an array ({error})") from error


def _is_number(value: Any) -> bool:
    return isinstance(value, Real | np.bool_)


def _as_numbers(array: np.ndarray) -> np.ndarray:
    """An array of objects that are all numbers as one of floats; any other one as it is."""
    return array.astype(np.float64) if array.dtype == object and all(_is_number(value) for value in array.flat) else array


def _finite(name: str, array: np.ndarray, columns: Sequence[str] = ()) -> Float32[np.ndarray, "..."]:
    """`array`, whose columns may have names, as finite float32."""
    array = _as_numbers(array)
    require(name, f"an array of {array.dtype}", "numbers", array.dtype.kind in "fiub")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    bad = ~np.isfinite(array)
    where = f", the first in column {columns[np.argwhere(bad)[0, 1]]!r}" if columns and bad.any() else ""
    require(name, f"{bad.sum()} values that are not{where}", "finite in float32", not bad.any())
    return array
