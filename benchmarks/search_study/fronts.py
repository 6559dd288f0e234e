"""Non-dominated fronts and crowding distances of any number of objectives, with the dominance
matrix: slower than the library's for two.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int


def fronts(points: Float[Array, "N M"]) -> Int[Array, " N"]:
    """The front of each point, 0 the non-dominated ones; all objectives are maximised."""
    as_good = jnp.all(points[:, None] >= points[None, :], axis=2)
    dominates = as_good & jnp.any(points[:, None] > points[None, :], axis=2)

    def peel(carry):
        front, level = carry
        left = front < 0
        return jnp.where(left & ~jnp.any(dominates & left[:, None], axis=0), level, front), level + 1

    unassigned = (jnp.full(len(points), -1), 0)
    return lax.while_loop(lambda carry: jnp.any(carry[0] < 0), peel, unassigned)[0]


def crowding(points: Float[Array, "N M"], front: Int[Array, " N"], *, published: bool) -> Float[Array, " N"]:
    """The crowding distance of each point within its front, in NSGA-II's scale 1/(max - min) or,
    `published`, in |1/max - min|.
    """
    distance = jnp.zeros(len(points))
    for values in points.T:
        order = jnp.lexsort((values, front))
        value, group = values[order], front[order]
        changes = group[1:] != group[:-1]
        ends = jnp.concatenate([jnp.ones(1, bool), changes]) | jnp.concatenate([changes, jnp.ones(1, bool)])
        low = jax.ops.segment_min(value, group, num_segments=len(value))[group]
        high = jax.ops.segment_max(value, group, num_segments=len(value))[group]
        scale = jnp.abs(1 / jnp.where(high == 0, 1.0, high) - low) if published else 1 / jnp.where(high > low, high - low, 1.0)
        gap = jnp.roll(value, -1) - jnp.roll(value, 1)
        distance = distance.at[order].add(jnp.where(ends, jnp.inf, gap * scale))
    return distance
