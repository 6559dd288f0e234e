"""The fronts of points in order as one kernel, for a GPU, where XLA launches dozens of kernels for
every point.

One program, a warp, takes the points one after another. It keeps the best value of each front so
far in registers, and all threads together count those that a point does not exceed.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas
from jax.experimental.pallas import triton
from jaxtyping import Array, Bool, Float, Int32

AT_ONCE = 256
"""Fronts that one kernel knows. Points of later ones are left to another."""


def fronts_in_kernel(values: Float[Array, " P"], repeats: Bool[Array, " P"], *, interpret: bool = False) -> Int32[Array, " P"]:
    """As `ranking.fronts_in_order`. Traceable.

    Args:
        interpret: have XLA run the kernel, on any device; for tests.
    """
    count = values.shape[0]

    def program(values, repeats, waiting, fronts):
        def assign(i, carry):
            best, previous = carry
            here = waiting[i] > 0
            # Fronts' best values fall from front to front: the first one below the point's takes
            # it.
            found = jnp.sum((best >= values[i]).astype(jnp.int32))
            front = jnp.where(repeats[i] > 0, previous, found)
            fronts[i] = jnp.where(here, front, -1)
            joins = here & (lax.iota(jnp.int32, AT_ONCE) == front)
            return jnp.where(joins, values[i], best), jnp.where(here, front, previous)

        none = jnp.full(AT_ONCE, -jnp.inf, jnp.float32)
        lax.fori_loop(0, count, assign, (none, jnp.int32(AT_ONCE)))

    kernel = pallas.pallas_call(
        program,
        out_shape=jax.ShapeDtypeStruct((count,), jnp.int32),
        interpret=interpret,
        compiler_params=triton.CompilerParams(num_warps=1, num_stages=1),
        name="fronts",
    )
    values, repeats = values.astype(jnp.float32), repeats.astype(jnp.int32)

    def more(carry):
        first, waiting, fronts = carry
        found = kernel(values, repeats, waiting.astype(jnp.int32))
        settled = waiting & (found < AT_ONCE)
        return first + AT_ONCE, waiting & ~settled, jnp.where(settled, first + found, fronts)

    state = more((jnp.int32(0), jnp.ones(count, bool), jnp.zeros(count, jnp.int32)))
    return lax.while_loop(lambda carry: jnp.any(carry[1]), more, state)[2] if count > AT_ONCE else state[2]
