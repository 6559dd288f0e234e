"""Selection of parents: by tournaments on a ranking, or by ε-lexicase selection on many cases.

A lexicase event takes the cases in a random order and keeps, case by case, the genomes within a
tolerance of the best that are left. So a genome that is outstanding somewhere has children even
where its mean is low, and no two cases are ever weighed against each other.

Source: La Cava, Spector & Danai 2016, "Epsilon-lexicase selection for regression": the tolerance of
a case is the median absolute deviation of its values in the population, here times a factor, and
the best is that of the genomes which are left.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int32, Key

from wannjax.common import devices

_VALUES_ON_CPU, _VALUES_ELSEWHERE = 1 << 19, 1 << 26
"""The values, one for each genome, that lexicase events side by side hold on a CPU, whose caches
they fit; and elsewhere, where few launches count.
"""


def tournaments(key: Key[Array, ""], order: Int32[Array, " N"], *, size: int, count: int) -> Int32[Array, " count"]:
    """Winners of `count` tournaments of `size` genomes drawn with replacement; `order` lists the
    genomes, the best first.
    """
    return order[jnp.min(jax.random.randint(key, (count, size), 0, order.shape[0], jnp.int32), axis=1)]


def lexicase(
    key: Key[Array, ""], cases: Float[Array, "P C"], valid: Bool[Array, " P"], *, tolerance: float, count: int
) -> Int32[Array, " count"]:
    """`count` genomes, each by a lexicase event of its own over all `cases`, higher is better; of
    those that are left, a random one.

    `tolerance` is in median absolute deviations of the case. Only `valid` genomes are selected, and
    their cases must be finite; if there is none, any genome is.
    """
    valid = valid | ~jnp.any(valid)
    by_case = cases.T
    near = tolerance * _median(jnp.abs(by_case - _median(by_case, valid)[:, None]), valid)
    near = jnp.where(jnp.isfinite(near), near, jnp.inf)

    def event(key):
        shuffle, draw = jax.random.split(key)

        def narrow(left, case):
            values = by_case[case]
            best = jnp.max(jnp.where(left, values, -jnp.inf))
            return left & (values >= best - near[case]), None

        left, _ = lax.scan(narrow, valid, jax.random.permutation(shuffle, cases.shape[1]))
        lots = jnp.where(left, jax.random.uniform(draw, left.shape, jnp.float32), -1.0)
        # The first of the largest, as argmax, which a CPU finds one value after the other.
        return jnp.min(jnp.where(lots == jnp.max(lots), jnp.arange(left.shape[0], dtype=jnp.int32), left.shape[0]))

    at_once = max((_VALUES_ON_CPU if devices.on_cpu() else _VALUES_ELSEWHERE) // len(valid), 1)
    return lax.map(event, jax.random.split(key, count), batch_size=at_once)


def _median(values: Float[Array, "C P"], valid: Bool[Array, " P"]) -> Float[Array, " C"]:
    """The median of every row over the `valid` columns, of which there is one at least.

    A CPU, which sorts ten times as long, finds the middle values bit by bit, counting what is
    below.
    """
    if not devices.on_cpu():
        return jnp.nanmedian(jnp.where(valid, values, jnp.nan), axis=1)
    keys = jnp.where(valid, _in_order(values), _GREATEST)
    count = jnp.sum(valid, dtype=jnp.int32)

    def smaller_than(bound):
        return jnp.sum(keys < bound[:, None], axis=1, dtype=jnp.int32)

    def halve(place, low):
        higher = low + (jnp.int32(1) << (30 - place))
        return jnp.where(smaller_than(higher) <= (count - 1) // 2, higher, low)

    first = jnp.zeros(len(values), jnp.int32)
    first = jnp.where(smaller_than(first) <= (count - 1) // 2, first, -_GREATEST - 1)
    lower = lax.fori_loop(0, 31, halve, first)
    above = jnp.min(jnp.where(keys > lower[:, None], keys, _GREATEST), axis=1)
    upper = jnp.where(smaller_than(lower + 1) > count // 2, lower, above)
    return 0.5 * _of_order(lower) + 0.5 * _of_order(upper)


_GREATEST = jnp.iinfo(jnp.int32).max


def _in_order(values: Float[Array, "*shape"]) -> Int32[Array, "*shape"]:
    """Integers in the order of finite floats, equal where these are."""
    bits = lax.bitcast_convert_type(values + 0.0, jnp.int32)  # the sum has one zero only
    return jnp.where(bits < 0, bits ^ _GREATEST, bits)


def _of_order(keys: Int32[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The floats of integers that `_in_order` made."""
    return lax.bitcast_convert_type(jnp.where(keys < 0, keys ^ _GREATEST, keys), jnp.float32)
