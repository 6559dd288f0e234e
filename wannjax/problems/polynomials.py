"""A function of arrays with the package's polynomials in place of sin, cos and tan: how an
environment's step is run.

For these XLA calls the C library on a CPU, one number after the other, where a polynomial keeps to
vectors and is eight times as fast. So the function is traced once, and what was traced is
rewritten, what it calls (`jit`, `cond`, `while`, `scan`) included. Derivatives are polynomials as
well; one that the function itself defines (`jax.custom_jvp`, `jax.custom_vjp`) stays as it is.

To replace another function, add to `_POLYNOMIALS` one of the same name, with its derivative.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core
from jaxtyping import Array, Float

from wannjax.networks.activations import half_turns, sinpi_cospi


@jax.custom_jvp
def _sin(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    return sinpi_cospi(half_turns(x))[0]


@jax.custom_jvp
def _cos(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    return sinpi_cospi(half_turns(x))[1]


@jax.custom_jvp
def _tan(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    return _sin(x) / _cos(x)


_sin.defjvps(lambda tangent, _, x: tangent * _cos(x))
_cos.defjvps(lambda tangent, _, x: -tangent * _sin(x))
_tan.defjvps(lambda tangent, y, _: tangent * (1 + y * y))

_POLYNOMIALS: dict[str, Callable[..., Any]] = {"sin": _sin, "cos": _cos, "tan": _tan}
"""By the name of JAX's operation."""


def with_polynomials(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of pytrees of arrays, traceable, with sin, cos and tan of float32 as polynomials.

    `half_turns` states the error of the first two, by which their quotient, the tangent, is off.
    """

    def rewritten(*arguments: Any) -> Any:
        closed, results = jax.make_jaxpr(function, return_shape=True)(*arguments)
        values = core.jaxpr_as_fun(_rewritten(closed))(*jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(results), values)

    return rewritten


def _rewritten(traced: Any) -> Any:
    """What was traced, or a tuple of it, with polynomials; anything else as it is."""
    if isinstance(traced, tuple):
        return tuple(map(_rewritten, traced)) if any(isinstance(each, core.ClosedJaxpr) for each in traced) else traced
    if isinstance(traced, core.Jaxpr):  # asked first: since JAX 0.11 a ClosedJaxpr is one too
        return traced.replace(eqns=list(map(_equation, traced.eqns)))
    return traced.replace(jaxpr=_rewritten(traced.jaxpr)) if isinstance(traced, core.ClosedJaxpr) else traced


def _equation(equation: Any) -> Any:
    result, polynomial = equation.outvars, _POLYNOMIALS.get(equation.primitive.name)
    if polynomial is None or result[0].aval.dtype != jnp.float32:
        return equation.replace(params={name: _rewritten(value) for name, value in equation.params.items()})
    (call,) = jax.make_jaxpr(polynomial)(result[0].aval).eqns
    return equation.replace(primitive=call.primitive, params=call.params, effects=call.effects)
