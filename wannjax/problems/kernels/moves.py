"""The rules of what moves cells: to places that are known beforehand, which costs nothing; or by an
index that is not, which becomes a choice between all that it may be.

A rule is a function of the equation that was traced and of its arguments as `Cells`. It gives its
result, or a list of several.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from wannjax.problems.kernels.cells import Cells, UnfitError, at, broadcast, chosen, constant, is_key, numbers_of, vector, vectors_of


def _moving(move: Callable[..., np.ndarray]) -> Callable[..., Cells]:
    """The rule of what `move` does with numbers of cells: (equation, *numbers) → numbers."""
    return lambda equation, *arrays: at(move(equation, *numbers_of(*arrays)), *arrays)


def _reshape(equation, numbers):
    return numbers.transpose(equation.params["dimensions"] or range(numbers.ndim)).reshape(equation.params["new_sizes"])


def _broadcast_in_dim(equation, numbers):
    shape = [1] * len(equation.params["shape"])
    for axis, size in zip(equation.params["broadcast_dimensions"], numbers.shape, strict=True):
        shape[axis] = size
    return np.broadcast_to(numbers.reshape(shape), equation.params["shape"])


def _slice(equation, numbers):
    starts, limits = equation.params["start_indices"], equation.params["limit_indices"]
    return numbers[tuple(map(slice, starts, limits, equation.params["strides"] or [1] * numbers.ndim))]


def _split(equation, array: Cells) -> list[Cells]:
    ends = np.cumsum(equation.params["sizes"])[:-1]
    return [at(numbers, array) for numbers in np.split(numbers_of(array)[0], ends, equation.params["axis"])]


def _unstack(equation, array: Cells) -> list[Cells]:
    return [at(numbers, array) for numbers in np.moveaxis(numbers_of(array)[0], equation.params["axis"], 0)]


def _iota(equation) -> Cells:
    return constant(np.indices(equation.params["shape"])[equation.params["dimension"]], equation.params["dtype"])


def _iota_in_two(equation) -> list[Cells]:
    """The numbers of cells, as the upper and the lower half of 64 bits."""
    low = np.arange(np.prod(equation.params["shape"])).reshape(equation.params["shape"])
    return [constant(np.zeros_like(low), jnp.uint32), constant(low, jnp.uint32)]


def _select(equation, which: Cells, *cases: Cells) -> Cells:
    result = equation.outvars[0].aval
    columns = [broadcast(array, result.shape).values for array in (which, *cases)]

    def cell(index, first, *others):
        found, index = Cells((), result.dtype, (first,)), vector(index, which.dtype)
        for place, case in enumerate(others, 1):
            here = index if which.dtype == bool else index >= vector(place, which.dtype)
            found = chosen(here, Cells((), result.dtype, (case,)), found)
        return found.values[0]

    return Cells(result.shape, result.dtype, tuple(map(cell, *columns)))


def _sliced(array: Cells, starts: dict[int, jax.Array], sizes: tuple[int, ...]) -> Cells:
    """The window of `sizes` that starts there, by axis, moved into the array if it reaches out."""
    for axis, start in starts.items():
        (numbers,) = numbers_of(array)
        first, *others = (
            at(numbers.take(range(place, place + sizes[axis]), axis), array) for place in range(array.shape[axis] - sizes[axis] + 1)
        )
        for place, part in enumerate(others, 1):
            first = chosen(start >= vector(place, start.dtype), part, first)
        array = first
    return array


def _dynamic_slice(equation, array: Cells, *starts: Cells) -> Cells:
    return _sliced(array, {axis: vector(start.values[0], start.dtype) for axis, start in enumerate(starts)}, equation.params["slice_sizes"])


def _starts(indices: Cells, axes: tuple[int, ...]) -> Iterator[dict[int, jax.Array]]:
    """Where each window starts, by axis: a row of `indices` for each."""
    for place in range(0, len(indices.values), len(axes)):
        row = indices.values[place : place + len(axes)]
        yield {axis: vector(value, indices.dtype) for axis, value in zip(axes, row, strict=True)}


def _gather(equation, array: Cells, indices: Cells) -> Cells:
    form, sizes, result = equation.params["dimension_numbers"], equation.params["slice_sizes"], equation.outvars[0].aval
    if form.operand_batching_dims:
        raise UnfitError("`gather` with an index for each part of an array")
    windows = []
    for starts in _starts(indices, form.start_index_map):
        window = _sliced(array, starts, sizes)
        if equation.params["mode"] == lax.GatherScatterMode.FILL_OR_DROP:
            filler = constant(np.full(window.shape, _filler(equation.params["fill_value"], array.dtype)), array.dtype)
            inside = _moved_in(starts, array.shape, sizes)
            fits = reduce(lax.bitwise_and, (start == inside[axis] for axis, start in starts.items()))
            window = chosen(fits, window, filler)
        windows.append(window)
    # The axes of a window go where the form says, those of the indices to the other places.
    within = [sizes[axis] for axis in range(len(sizes)) if axis not in form.collapsed_slice_dims]
    found = Cells((*indices.shape[:-1], *within), array.dtype, tuple(value for window in windows for value in window.values))
    outside = [axis for axis in range(len(result.shape)) if axis not in form.offset_dims]
    return at(numbers_of(found)[0].transpose(np.argsort([*outside, *form.offset_dims])), found)


def _filler(value: Any, dtype: Any) -> Any:
    """What stands where a gather reaches out of an array."""
    if value is not None:
        return value
    if dtype == jnp.bool_:
        return True
    if jnp.issubdtype(dtype, jnp.integer):
        return jnp.iinfo(dtype).min if jnp.issubdtype(dtype, jnp.signedinteger) else jnp.iinfo(dtype).max
    return np.nan


def _written(array: Cells, starts: dict[int, jax.Array], window: Cells, combine: Callable[..., Any]) -> Cells:
    """The array with `combine` of the old and the new where the window lies, if it does not reach
    out.
    """
    (numbers,), values = numbers_of(array), vectors_of(array)
    spaces = [space - size + 1 for space, size in zip(array.shape, window.shape, strict=True)]
    for place in product(*(range(space if axis in starts else 1) for axis, space in enumerate(spaces))):
        here = reduce(lax.bitwise_and, (start == vector(place[axis], start.dtype) for axis, start in starts.items()))
        region = numbers[tuple(slice(first, first + size) for first, size in zip(place, window.shape, strict=True))]
        for cell, new in zip(region.ravel(), vectors_of(window), strict=True):
            values[cell] = lax.select(here, combine(values[cell], new), values[cell])
    return replace(array, values=tuple(values))


def _moved_in(starts: dict[int, jax.Array], shape: tuple[int, ...], sizes: tuple[int, ...]) -> dict[int, jax.Array]:
    """Where windows start that do not reach out of an array of that shape."""
    return {
        axis: lax.max(lax.min(start, vector(shape[axis] - sizes[axis], start.dtype)), vector(0, start.dtype))
        for axis, start in starts.items()
    }


def _dynamic_update_slice(_, array: Cells, window: Cells, *indices: Cells) -> Cells:
    starts = {axis: vector(index.values[0], index.dtype) for axis, index in enumerate(indices)}
    return _written(array, _moved_in(starts, array.shape, window.shape), window, lambda _, new: new)


def _scattering(combine: Callable[..., Any]) -> Callable[..., Cells]:
    """The rule of the scatter that leaves `combine` of the old and the new."""

    def rule(equation, array: Cells, indices: Cells, updates: Cells) -> Cells:
        form = equation.params["dimension_numbers"]
        if form.operand_batching_dims or is_key(array.dtype):
            raise UnfitError("`scatter` with an index for each part of an array, or of keys")
        windows = iter(form.update_window_dims)
        sizes = tuple(1 if axis in form.inserted_window_dims else updates.shape[next(windows)] for axis in range(len(array.shape)))
        others = [axis for axis in range(len(updates.shape)) if axis not in form.update_window_dims]
        numbers = numbers_of(updates)[0].transpose(*others, *form.update_window_dims).reshape(-1, *sizes)
        for starts, window in zip(_starts(indices, form.scatter_dims_to_operand_dims), numbers, strict=True):
            if equation.params["mode"] == lax.GatherScatterMode.CLIP:
                starts = _moved_in(starts, array.shape, sizes)
            array = _written(array, starts, at(window, updates), combine)
        return array

    return rule


RULES: dict[str, Callable[..., Any]] = {
    "reshape": _moving(_reshape),
    "squeeze": _moving(lambda equation, numbers: numbers.reshape(equation.outvars[0].aval.shape)),
    **dict.fromkeys(("stop_gradient", "copy", "copy_p", "random_clone"), lambda _, array: array),
    "broadcast_in_dim": _moving(_broadcast_in_dim),
    "slice": _moving(_slice),
    "concatenate": _moving(lambda equation, *numbers: np.concatenate(numbers, equation.params["dimension"])),
    "stack": _moving(lambda equation, *numbers: np.stack(numbers, equation.params["axis"])),
    "transpose": _moving(lambda equation, numbers: numbers.transpose(equation.params["permutation"])),
    "rev": _moving(lambda equation, numbers: np.flip(numbers, equation.params["dimensions"])),
    "split": _split,
    "unstack": _unstack,
    "iota": _iota,
    "iota_2x32_shape": _iota_in_two,
    "select_n": _select,
    "dynamic_slice": _dynamic_slice,
    "dynamic_update_slice": _dynamic_update_slice,
    "gather": _gather,
    "scatter": _scattering(lambda _, new: new),
    "scatter-add": _scattering(lax.add),
}
