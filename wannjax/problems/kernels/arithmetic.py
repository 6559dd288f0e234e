"""The rules of what computes: cell by cell, or along the axes of an array, which is written out.

To teach lanes an operation, add its name to `_CELLWISE`: with `_bind` if Triton has it and treats
NaN as XLA does, else with a function of vectors.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from wannjax.problems.kernels.cells import Cells, UnfitError, broadcast, numbers_of, vector


def _bind(equation, *vectors):
    return equation.primitive.bind(*vectors, **equation.params)


def _greater(x, y):
    """The greater of two, and NaN if one is: Triton's own maximum drops NaN."""
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return x | y if x.dtype == bool else lax.max(x, y)
    return lax.select((x >= y) | (x != x), x, y)


def _less(x, y):
    """The lesser of two, and NaN if one is."""
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return x & y if x.dtype == bool else lax.min(x, y)
    return lax.select((x <= y) | (x != x), x, y)


def _round(equation, x):
    """The nearest integer, which Triton does not have; at a tie the one away from zero, or the even
    one.
    """
    one, half = vector(1, x.dtype), vector(0.5, x.dtype)
    if equation.params["rounding_method"] == lax.RoundingMethod.AWAY_FROM_ZERO:
        size, down = abs(x), lax.floor(abs(x))
        rounded = lax.select(size - down >= half, down + one, down)
        return lax.select(x < vector(0, x.dtype), -rounded, rounded)
    down = lax.floor(x)
    rest, is_odd = x - down, down * half != lax.floor(down * half)
    return lax.select((rest > half) | ((rest == half) & is_odd), down + one, down)


def _convert(equation, x):
    dtype = equation.params["new_dtype"]
    if x.dtype == dtype:
        return x
    if x.dtype == bool:
        return lax.select(x, vector(1, dtype), vector(0, dtype))
    return x != vector(0, x.dtype) if dtype == jnp.bool_ else lax.convert_element_type(x, dtype)


def _shift(equation, x, distance):
    """By so many bits. By as many as there are or more nothing is left, as XLA has it, but copies
    of the sign; LLVM, to which Triton gives it, leaves open what that gives. Folding a number into
    a key shifts by 32.
    """
    most, shift = vector(jnp.iinfo(x.dtype).bits - 1, x.dtype), equation.primitive.bind
    inside = (distance >= vector(0, x.dtype)) & (distance <= most)
    beyond = shift(x, most) if equation.primitive.name == "shift_right_arithmetic" else vector(0, x.dtype)
    return lax.select(inside, shift(x, lax.select(inside, distance, most)), beyond)


def _integer_power(equation, x):
    """By repeated squaring, as XLA has it."""
    exponent = equation.params["y"]
    powers = [x]
    while 2 ** len(powers) <= abs(exponent):
        powers.append(powers[-1] * powers[-1])
    needed = [power for place, power in enumerate(powers) if abs(exponent) >> place & 1]
    power = reduce(lax.mul, needed) if needed else vector(1, x.dtype)
    return power if exponent >= 0 else vector(1, x.dtype) / power


def _sign(_, x):
    one, zero = vector(1, x.dtype), vector(0, x.dtype)
    return lax.select(x > zero, one, lax.select(x < zero, -one, x))


_CELLWISE: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("add", "sub", "mul", "div", "rem", "neg", "abs", "pow", "sqrt", "rsqrt", "cbrt", "floor", "ceil"), _bind),
    **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan", "atan2", "erf_inv"), _bind),
    **dict.fromkeys(("sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "logistic", "exp", "exp2", "expm1", "log", "log1p"), _bind),
    **dict.fromkeys(("lt", "le", "gt", "ge", "eq", "ne", "and", "or", "xor", "not", "bitcast_convert_type"), _bind),
    **dict.fromkeys(("shift_left", "shift_right_logical", "shift_right_arithmetic"), _shift),
    "max": lambda _, x, y: _greater(x, y),
    "min": lambda _, x, y: _less(x, y),
    "clamp": lambda _, low, x, high: _less(_greater(x, low), high),
    "round": _round,
    "sign": _sign,
    "square": lambda _, x: x * x,
    "integer_pow": _integer_power,
    "is_finite": lambda _, x: abs(x) < vector(np.inf, x.dtype),
    "convert_element_type": _convert,
}


def _cellwise(apply: Callable[..., Any]) -> Callable[..., Cells]:
    """The rule of what `apply` does with a cell of each argument: (equation, *vectors) → vector."""

    def rule(equation, *arrays: Cells) -> Cells:
        result = equation.outvars[0].aval
        columns = ([vector(value, array.dtype) for value in broadcast(array, result.shape).values] for array in arrays)
        return Cells(result.shape, result.dtype, tuple(apply(equation, *cells) for cells in zip(*columns, strict=True)))

    return rule


def _rows(array: Cells, axes: tuple[int, ...]) -> list[list[Any]]:
    """The vectors of the cells along `axes`, for each place in the others."""
    (numbers,) = numbers_of(array)
    last = np.moveaxis(numbers, axes, range(-len(axes), 0))
    rows = last.reshape(-1, int(np.prod([array.shape[axis] for axis in axes])))
    return [[vector(array.values[number], array.dtype) for number in row] for row in rows]


def _along_axes(combine: Callable[[list[Any]], Any]) -> Callable[..., Cells]:
    """The rule of what `combine` makes of the vectors along some axes."""

    def rule(equation, array: Cells) -> Cells:
        result = equation.outvars[0].aval
        values = (combine(row) for row in _rows(array, equation.params["axes"]))
        return Cells(result.shape, result.dtype, tuple(value.astype(result.dtype) for value in values))

    return rule


def _reducing(combine: Callable[[Any, Any], Any]) -> Callable[..., Cells]:
    return _along_axes(lambda row: reduce(combine, row))


def _index_of(is_better: Callable[[Any, Any], Any]) -> Callable[..., Cells]:
    """The index of the first of the best, where NaN is better than all."""

    def best_of(row):
        best, index = row[0], vector(0, jnp.int32)
        for place, x in enumerate(row[1:], 1):
            better = (is_better(x, best) | (x != x)) & (best == best)
            best, index = lax.select(better, x, best), lax.select(better, vector(place, jnp.int32), index)
        return index

    return _along_axes(best_of)


def _dot(equation, left: Cells, right: Cells) -> Cells:
    (left_axes, right_axes), (batch_axes, _) = equation.params["dimension_numbers"]
    if batch_axes:
        raise UnfitError("`dot_general` of several products at once")
    result, columns = equation.outvars[0].aval, _rows(right, right_axes)
    values = (reduce(lax.add, map(lax.mul, row, column)) for row in _rows(left, left_axes) for column in columns)
    return Cells(result.shape, result.dtype, tuple(values))


RULES: dict[str, Callable[..., Any]] = {
    **{name: _cellwise(apply) for name, apply in _CELLWISE.items()},
    "reduce_sum": _reducing(lax.add),
    "reduce_prod": _reducing(lax.mul),
    "reduce_max": _reducing(_greater),
    "reduce_min": _reducing(_less),
    "reduce_or": _reducing(lax.bitwise_or),
    "reduce_and": _reducing(lax.bitwise_and),
    "argmax": _index_of(lax.gt),
    "argmin": _index_of(lax.lt),
    "dot_general": _dot,
}
