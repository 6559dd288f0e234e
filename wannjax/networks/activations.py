"""The activation table and its evaluation, fused so that a mixed population pays for one
exponential and one polynomial.

The numbers are those of the published code (Gaier & Ha 2019) and are written to files: never
renumber. To add an activation, append it to `NAMES`, give it a branch in `activate`, and teach the
float64 oracle in `tests/support/oracle.py` the same function.
"""

import math
from collections.abc import Iterable

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

NAMES: tuple[str, ...] = (
    "sum",  # a partial sum inside a network: not an activation, and no weight is applied to it
    "linear",
    "step",
    "sin",
    "gaussian",
    "tanh",
    "sigmoid",
    "inverse",
    "abs",
    "relu",
    "cos",
    "square",
)
"""Activation names; the position is the activation id."""

SUM = 0
LINEAR = 1
_STEP, _SIN, _GAUSSIAN, _TANH, _SIGMOID, _INVERSE, _ABS, _RELU, _COS, _SQUARE = range(2, 12)

PUBLISHED: tuple[str, ...] = NAMES[1:11]
"""The ten activations that the published search draws from."""


def activation_ids(names: Iterable[str]) -> tuple[int, ...]:
    """The ids of activation `names`, ascending. Raises ValueError for an empty, repeated or unknown
    name.
    """
    names = tuple(names)
    known = NAMES[1:]
    for name in names:
        if name not in known:
            raise ValueError(f"activations: {name!r} is unknown; known are {', '.join(known)}")
    if not names or len(set(names)) != len(names):
        raise ValueError(f"activations: need at least one name, each once, got {names}")
    return tuple(sorted(NAMES.index(name) for name in names))


def sinpi_cospi(x: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """sin(πx) and cos(πx), with exact range reduction: accurate to 2e-7 for every finite float32.

    >>> [round(float(y), 6) for y in sinpi_cospi(jnp.float32(100.25))]
    [0.707107, 0.707107]
    """
    remainder = _reduce(x)
    return _sin_half_turn(_fold_sin(remainder)), _sin_half_turn(_fold_cos(remainder))


def half_turns(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """x / π less an even number, for x in radians: what `sinpi_cospi` takes of an angle.

    The sine and cosine that it then gives are within 4e-7 + 2e-11·|x| of x's own where |x| ≤ 4e5.
    Of larger numbers they are in [-1, 1], and no more is sure; of inf and nan they are nan.

    >>> [round(float(y), 6) for y in sinpi_cospi(half_turns(jnp.float32(10.0)))]
    [-0.544021, -0.839072]
    """
    turns = jnp.round(x / (2 * math.pi))
    return (x - turns * _TURN_HIGH - turns * _TURN_LOW) / math.pi


_TURN_HIGH = 6.28125
"""The first 8 bits of 2π, whose products with numbers below 2¹⁶ are exact."""
_TURN_LOW = 2 * math.pi - _TURN_HIGH


def _reduce(x):
    """x modulo 2, in [-1, 1]; exact."""
    return x - 2 * jnp.round(x * 0.5)


def _fold_sin(remainder):
    """The t in [-½, ½] with sin(πt) = sin(π·remainder), for a remainder in [-1, 1]."""
    return jnp.clip(remainder, -0.5, 0.5) * 2 - remainder


def _fold_cos(remainder):
    """The t in [-½, ½] with sin(πt) = cos(π·remainder), for a remainder in [-1, 1]."""
    return 0.5 - jnp.abs(remainder)


def _sin_half_turn(t):
    """sin(πt) for t in [-½, ½]: the odd polynomial of degree 9 with the least absolute error (4e-9
    before rounding).
    """
    u = t * t
    return t * (3.1415926 + u * (-5.1677069 + u * (2.5500314 + u * (-0.59804517 + u * 0.07722013))))


def activate(
    ids: Int[Array, "*#shape"], x: Float[Array, "*shape"], activation_ids: tuple[int, ...] = tuple(range(len(NAMES)))
) -> Float[Array, "*shape"]:
    """Applies activation `ids` (broadcast against `x`) to `x`.

    Under vmap a `lax.switch` computes every branch at full cost. Here tanh, sigmoid and the
    gaussian share one exponential and one division, sin and cos one polynomial, and the rest are
    selects. `activation_ids` (static) are the ids that can occur: only those are compiled; an id
    outside it passes `x` through, which is also what `linear` and `sum` do.

    Values are within 5e-7 of float64, and gradients are finite wherever `x` is; beyond |x| = 20 the
    saturating three are constant.
    """
    compiled, y = set(activation_ids), x
    # Whatever depends on the id alone is one number for all lanes of a step.
    if compiled & {_INVERSE, _ABS}:
        y = jnp.where(ids == _ABS, jnp.abs(x), x * jnp.where(ids == _INVERSE, -1.0, 1.0))
    if _RELU in compiled:
        least = jnp.where(ids == _RELU, 0.0, -jnp.inf)
        y = jnp.where(y <= least, least, y)
    if _STEP in compiled:
        y = jnp.where(ids == _STEP, (x > 0).astype(x.dtype), y)
    if _SQUARE in compiled:
        y = jnp.where(ids == _SQUARE, x * x, y)
    if compiled & {_SIN, _COS}:
        remainder = _reduce(x)
        t = jnp.where(ids == _COS, _fold_cos(remainder), _fold_sin(remainder))
        y = jnp.where((ids == _SIN) | (ids == _COS), _sin_half_turn(t), y)
    if compiled & {_GAUSSIAN, _TANH, _SIGMOID}:
        # (e^z - p) / (q e^z + 1), of z = x (a + b x)
        bounded = jnp.where(x > 20, 20.0, jnp.where(x < -20, -20.0, x))
        is_tanh, is_gaussian = ids == _TANH, ids == _GAUSSIAN
        a, b = jnp.where(is_gaussian, 0.0, jnp.where(is_tanh, 2.0, 1.0)), jnp.where(is_gaussian, -0.5, 0.0)
        p, q = jnp.where(is_tanh, 1.0, 0.0), jnp.where(is_gaussian, 0.0, 1.0)
        power = jnp.exp(bounded * (a + b * bounded))
        y = jnp.where(is_gaussian | is_tanh | (ids == _SIGMOID), (power - p) / (q * power + 1), y)
    return y


def slope(
    ids: Int[Array, "*#shape"],
    x: Float[Array, "*shape"],
    activation_ids: tuple[int, ...] = tuple(range(len(NAMES))),
    *,
    surrogate: float = 0.0,
) -> Float[Array, "*shape"]:
    """The derivative of `activate` in `x`, fused in the same way; that of abs at 0 is 0, as is that
    of relu.

    The derivative of `step` is 0 everywhere. With a `surrogate` > 0 it is 1 / (1 + surrogate·|x|)²
    instead (Zenke & Ganguli 2018).
    """
    compiled = set(activation_ids)
    y = jnp.ones_like(x)

    def choose(activation: int, value):
        return jnp.where(ids == activation, value, y) if activation in compiled else y

    y = choose(_STEP, 1 / (1 + surrogate * jnp.abs(x)) ** 2 if surrogate else 0.0)
    y = choose(_INVERSE, -1.0)
    y = choose(_ABS, jnp.sign(x))
    y = choose(_RELU, (x > 0).astype(x.dtype))
    y = choose(_SQUARE, 2 * x)
    if compiled & {_SIN, _COS}:
        remainder = _reduce(x)
        t = jnp.where(ids == _COS, _fold_sin(remainder), _fold_cos(remainder))
        value = jnp.pi * _sin_half_turn(t)
        y = jnp.where(ids == _SIN, value, jnp.where(ids == _COS, -value, y))
    if compiled & {_GAUSSIAN, _TANH, _SIGMOID}:
        bounded = jnp.clip(x, -20, 20)
        is_tanh, is_gaussian = ids == _TANH, ids == _GAUSSIAN
        # A power below 1: squaring it must neither overflow nor lose what is left.
        power = jnp.exp(-jnp.abs(bounded) * jnp.where(is_gaussian, 0.5 * jnp.abs(bounded), jnp.where(is_tanh, 2.0, 1.0)))
        factor = jnp.where(is_gaussian, -bounded, jnp.where(is_tanh, 4.0, 1.0))
        denominator = jnp.where(is_gaussian, 1.0, (1 + power) * (1 + power))
        y = jnp.where(is_gaussian | is_tanh | (ids == _SIGMOID), factor * power / denominator, y)
    return y
