"""Ranking by two objectives, both maximised: non-dominated sorting and crowding distance, by
sorting alone.

With two objectives no dominance matrix is needed. In order of the first objective, a point's front
is found by a binary search among the fronts' best second objectives, as in patience sorting: 0.3 ms
for 512 points, where the matrix takes 7.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Float32, Int32

from wannjax.common import devices

LARGEST_SCORE = 1e30
"""Scores of a larger size count as not finite: their sums would not be."""


def usable(scores: Any) -> Any:
    """Which rows of `scores` [P, W], on the host or on a device, are finite and no larger than
    `LARGEST_SCORE`: bool[P].
    """
    return (abs(scores) <= LARGEST_SCORE).all(axis=1)


def means(scores: np.ndarray) -> np.ndarray:
    """Mean scores [P] on the host; of rows that are not usable minus infinity."""
    fine = usable(scores)
    return np.where(fine, np.mean(np.where(fine[:, None], scores, 0), axis=1), -np.inf)


def finite_or_worst(values: Float[Array, " P"], valid: Bool[Array, " P"]) -> Float[Array, " P"]:
    """`values` where `valid`, and below all of those elsewhere."""
    lowest = jnp.min(jnp.where(valid, values, jnp.inf))
    lowest = jnp.where(jnp.isfinite(lowest), lowest, 0.0)
    return jnp.where(valid, values, lowest - 1.0 - jnp.abs(lowest))


def rank(first: Float[Array, " P"], second: Float[Array, " P"]) -> Int32[Array, " P"]:
    """The rank of each point, 0 the best: by front, then by crowding distance, then by index.
    Values must be finite.

    Source: NSGA-II (Deb et al. 2002). The published WANN code scales the crowding distance by
    |1/max - min|, a slip for 1/(max - min); here it is the latter.
    """
    count = first.shape[0]
    front, crowding = fronts_and_crowding(first, second)
    order = jnp.lexsort((jnp.arange(count), -crowding, front))
    return jnp.zeros(count, jnp.int32).at[order].set(jnp.arange(count, dtype=jnp.int32))


def fronts_and_crowding(first: Float[Array, " P"], second: Float[Array, " P"]) -> tuple[Int32[Array, " P"], Float32[Array, " P"]]:
    """The front of each point, 0 the non-dominated ones, and its crowding distance in that front.

    Identical points share a front. The first and the last point of a front are infinitely far from
    others.
    """
    count = first.shape[0]
    order = jnp.lexsort((-second, -first))
    first_sorted, second_sorted = first[order], second[order]
    repeats = (first_sorted[1:] == first_sorted[:-1]) & (second_sorted[1:] == second_sorted[:-1])
    repeats = jnp.concatenate([jnp.zeros(1, bool), repeats])

    front_sorted = fronts_in_order(second_sorted, repeats)

    # Within a front the first objective falls while the second rises, so neighbours are the same
    # for both.
    by_front = jnp.argsort(front_sorted, stable=True)
    front = front_sorted[by_front]
    index = jnp.arange(count)
    begin = jnp.searchsorted(front, front, side="left")
    end = jnp.searchsorted(front, front, side="right") - 1
    crowding = jnp.zeros(count, jnp.float32)
    for values in (first_sorted[by_front], second_sorted[by_front]):
        span = jnp.abs(values[begin] - values[end])
        gap = jnp.abs(values[jnp.maximum(index - 1, 0)] - values[jnp.minimum(index + 1, count - 1)])
        crowding += gap / jnp.where(span > 0, span, 1.0)
    crowding = jnp.where((index == begin) | (index == end), jnp.inf, crowding)

    to_input = order[by_front]
    return (
        jnp.zeros(count, jnp.int32).at[to_input].set(front),
        jnp.zeros(count, jnp.float32).at[to_input].set(crowding.astype(jnp.float32)),
    )


def fronts_in_order(values: Float[Array, " P"], repeats: Bool[Array, " P"]) -> Int32[Array, " P"]:
    """The front of each point, where points are in order of the first objective, from the best.

    Args:
        values: the second objective, finite.
        repeats: whether a point is equal to the one before, whose front it shares.
    """
    if devices.on_gpu() and devices.writes_kernels():
        from wannjax.search.fronts_kernel import fronts_in_kernel  # with Pallas, which takes a while to import

        return fronts_in_kernel(values, repeats)

    def assign(carry, point):
        negated_best, previous = carry
        value, is_repeat = point
        # The fronts' best second objectives fall from front to front: the first one below `value`
        # takes the point.
        front = jnp.searchsorted(negated_best, -value, side="right").astype(jnp.int32)
        front = jnp.where(is_repeat, previous, front)
        return (negated_best.at[front].set(-value), front), front

    start = (jnp.full(values.shape, jnp.inf, values.dtype), jnp.int32(0))
    return lax.scan(assign, start, (values, repeats))[1]


def non_dominated(objectives: Float[np.ndarray, "P M"]) -> np.ndarray:
    """Indices of the points that no other dominates, for any number of maximised objectives; of
    identical points the first.

    On the host, for the few points of a finished run.
    """
    _, unique = np.unique(objectives, axis=0, return_index=True)
    points = objectives[unique]
    as_good = np.all(points[:, None] >= points[None, :], axis=2)
    np.fill_diagonal(as_good, False)
    return np.sort(unique[~np.any(as_good, axis=0)])
