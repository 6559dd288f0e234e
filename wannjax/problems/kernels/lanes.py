"""A function of arrays evaluated on lanes, which is how a kernel takes a step that was written for
one episode.

Inside a kernel there are vectors with one place a lane, and operations on all places at once: no
arrays of other shapes, no gather, no random numbers. So the function is traced once, and what was
traced is evaluated cell by cell:

        one lane, traced                        on lanes, in the kernel
    x: f32[3]                               x0, x1, x2, a vector each
    y = x[::-1] * 2                         y0, y1, y2 = x2 * 2, x1 * 2, x0 * 2
    z = sum(y)                              z = (y0 + y1) + y2

The rules of `moves` and `arithmetic` say how, for each primitive of JAX; here are those of what
calls other functions, and of random bits, which are computed by the arithmetic that defines them.
What has no rule raises `UnfitError`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core
from jax.extend.random import threefry_prng_impl as threefry
from jax.interpreters import partial_eval

from wannjax.problems.kernels import arithmetic, moves
from wannjax.problems.kernels.cells import Cells, UnfitError, broadcast, chosen, constant, keys_of, vector, vectors_of, words_of

MOST_CELLS = 256
"""Cells of one array, at the most: what is done to each is written out."""

KEY = "key<fry>"
"""The type of keys whose random bits are known here."""


class OnLanes:
    """`function` of arrays, to be called with `Cells` inside a kernel.

    Attributes:
        used: the arguments' leaves, whether each has any influence: the others need no cells.
    """

    def __init__(self, function: Callable[..., Any], *arguments: Any):
        """
        Args:
            function: traceable, of pytrees of arrays.
            arguments: pytrees of what has a shape and a type, as `jax.ShapeDtypeStruct` has.
        """
        closed, results = jax.make_jaxpr(function, return_shape=True)(*arguments)
        self._jaxpr, used = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.jaxpr.outvars))
        self._constants = closed.consts
        self._arguments: Any = jax.tree.structure(arguments)
        self._results = jax.tree.structure(results)
        self.used: Any = jax.tree.unflatten(self._arguments, used)

    def __call__(self, *arguments: Any) -> Any:
        """What `function` gives for `arguments`, pytrees of `Cells`, or of anything where a leaf is
        not used. Raises `UnfitError`.
        """
        leaves = zip(self._arguments.flatten_up_to(arguments), jax.tree.leaves(self.used), strict=True)
        cells = [leaf for leaf, used in leaves if used]
        return jax.tree.unflatten(self._results, _evaluate(self._jaxpr, self._constants, cells))


def _evaluate(jaxpr: Any, constants: Sequence[Any], arguments: Sequence[Cells]) -> list[Cells]:
    known: dict[Any, Cells] = dict(zip(jaxpr.invars, arguments, strict=True))

    def read(variable):
        return constant(variable.val, variable.aval.dtype) if isinstance(variable, core.Literal) else known[variable]  # type: ignore[attr-defined]

    for variable, value in zip(jaxpr.constvars, constants, strict=True):
        known[variable] = constant(value, variable.aval.dtype)
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        if name not in _RULES:
            raise UnfitError(f"`{name}`")
        most = max(int(np.prod(result.aval.shape)) for result in equation.outvars)
        if most > MOST_CELLS:
            raise UnfitError(f"an array of {most} cells, more than {MOST_CELLS}")
        results = _RULES[name](equation, *map(read, equation.invars))
        known.update(zip(equation.outvars, [results] if isinstance(results, Cells) else results, strict=True))
    return [read(variable) for variable in jaxpr.outvars]


def _called(equation, *arguments: Cells) -> list[Cells]:
    called = equation.params["jaxpr"] if "jaxpr" in equation.params else equation.params["call_jaxpr"]
    return _evaluate(called.jaxpr, called.consts, arguments)


def _branches(equation, index: Cells, *arguments: Cells) -> list[Cells]:
    """What the branch of that index gives, of all, which are all evaluated."""
    found, *others = (_evaluate(branch.jaxpr, branch.consts, arguments) for branch in equation.params["branches"])
    for place, branch in enumerate(others, 1):
        here = vector(index.values[0], index.dtype) >= vector(place, index.dtype)
        found = [chosen(here, result, before) for result, before in zip(branch, found, strict=True)]
    return found


def _with_keys(function: Callable[..., Any], *, gives_keys: bool) -> Callable[..., Cells]:
    """The rule of what `function` is of the words of one key: (params, words, *numbers) →
    uint32[...].
    """

    def rule(equation, keys: Cells, *numbers: Cells) -> Cells:
        if str(keys.dtype) != KEY:
            raise UnfitError(f"random bits of {keys.dtype}")
        types = [jax.ShapeDtypeStruct((2,), jnp.uint32), *(jax.ShapeDtypeStruct((), each.dtype) for each in numbers)]
        of_one = OnLanes(partial(function, equation.params), *types)
        columns = [broadcast(each, keys.shape) for each in numbers]
        values: list[Any] = []
        for place, key in enumerate(keys.values):
            own = [Cells((), column.dtype, (column.values[place],)) for column in columns]
            found = of_one(words_of(Cells((), keys.dtype, (key,))), *own)
            values.extend((keys_of(found, keys.dtype) if gives_keys else found).values)
        return Cells(equation.outvars[0].aval.shape, equation.outvars[0].aval.dtype, tuple(values))

    return rule


def _threefry(equation, *arguments: Cells) -> list[Cells]:
    shape = equation.outvars[0].aval.shape
    columns = (vectors_of(broadcast(array, shape)) for array in arguments)
    pairs = [_hashed(*words) for words in zip(*columns, strict=True)]
    return [Cells(shape, np.dtype(np.uint32), values) for values in zip(*pairs, strict=True)]


def _hashed(key0, key1, x, y):
    """Threefry-2x32 with 20 rounds, of the words x and y (Salmon et al. 2011, "Parallel random
    numbers: as easy as 1, 2, 3").
    """

    def number(value):
        return vector(value, jnp.uint32)

    keys = (key0, key1, key0 ^ key1 ^ number(0x1BD11BDA))
    x, y = x + keys[0], y + keys[1]
    for group in range(5):
        for turn in ((13, 15, 26, 6), (17, 29, 16, 24))[group % 2]:
            x = x + y
            y = x ^ (lax.shift_left(y, number(turn)) | lax.shift_right_logical(y, number(32 - turn)))
        x, y = x + keys[(group + 1) % 3], y + keys[(group + 2) % 3] + number(group + 1)
    return x, y


_RULES: dict[str, Callable[..., Any]] = {
    **moves.RULES,
    **arithmetic.RULES,
    **dict.fromkeys(("jit", "closed_call", "custom_jvp_call", "custom_vjp_call"), _called),
    "cond": _branches,
    "random_wrap": lambda equation, words: keys_of(words, equation.outvars[0].aval.dtype),
    "random_unwrap": lambda _, keys: words_of(keys),
    "random_fold_in": _with_keys(lambda _, words, number: threefry.fold_in(words, number), gives_keys=True),
    "random_split": _with_keys(lambda params, words: threefry.split(words, params["shape"]), gives_keys=True),
    "random_bits": _with_keys(lambda params, words: threefry.random_bits(words, params["bit_width"], params["shape"]), gives_keys=False),
    "threefry2x32": _threefry,
}
