"""Ranking: fronts and crowding by sorting are those of the dominance matrix."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marking import slow

from wannjax.search import fronts_kernel
from wannjax.search.ranking import finite_or_worst, fronts_and_crowding, fronts_in_order, non_dominated, rank

COUNT = 24
_fronts_and_crowding, _rank = jax.jit(fronts_and_crowding), jax.jit(rank)

tied_points = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=COUNT, max_size=COUNT)
any_points = st.lists(st.tuples(*[st.floats(-1e6, 1e6, width=32, allow_subnormal=False)] * 2), min_size=COUNT, max_size=COUNT)
points_strategy = st.one_of(tied_points, any_points).map(lambda points: np.array(points, np.float32))


def both(points):
    front, crowding = _fronts_and_crowding(jnp.asarray(points[:, 0]), jnp.asarray(points[:, 1]))
    return np.asarray(front), np.asarray(crowding)


@given(points_strategy)
def test_fronts_are_those_of_the_dominance_matrix(points):
    np.testing.assert_array_equal(both(points)[0], oracle.fronts(points))


@given(points_strategy)
def test_crowding_is_the_published_distance(points):
    """Of several identical points only the sum of their distances is defined: who gets which side of the gap is not.

    At an end of the front the sum is infinite.
    """
    _, crowding = both(points)
    want = oracle.crowding(points.astype(np.float64), oracle.fronts(points))
    _, group = np.unique(points, axis=0, return_inverse=True)
    for same in (np.flatnonzero(group == g) for g in np.unique(group)):
        np.testing.assert_allclose(np.sum(crowding[same]), np.sum(want[same]), rtol=1e-4, atol=1e-6)


def test_fronts_and_crowding_of_many_random_points():
    points = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
    front, crowding = both(points)
    np.testing.assert_array_equal(front, oracle.fronts(points))
    np.testing.assert_allclose(crowding, oracle.crowding(points.astype(np.float64), front), rtol=1e-4)


@pytest.mark.parametrize(("count", "known"), [(1, 256), (300, 256), *slow((300, 16))])
def test_fronts_in_a_kernel_are_the_same(monkeypatch, count, known):
    """Also those that one kernel leaves to the next."""
    monkeypatch.setattr(fronts_kernel, "AT_ONCE", known)
    rng = np.random.default_rng(count)
    values = jnp.asarray((rng.normal(size=count) * 5 - np.arange(count)).round(), jnp.float32)
    repeats = jnp.concatenate([jnp.zeros(1, bool), values[1:] == values[:-1]])
    want = fronts_in_order(values, repeats)
    assert count == 1 or int(want.max()) > 2 * 16
    np.testing.assert_array_equal(fronts_kernel.fronts_in_kernel(values, repeats, interpret=True), want)


@given(points_strategy)
def test_rank_is_a_permutation_by_front_then_crowding_then_index(points):
    front, crowding = both(points)
    ranks = np.asarray(_rank(jnp.asarray(points[:, 0]), jnp.asarray(points[:, 1])))
    np.testing.assert_array_equal(np.argsort(ranks), np.lexsort((np.arange(COUNT), -crowding, front)))
    np.testing.assert_array_equal(np.sort(ranks), np.arange(COUNT))


def test_a_dominated_point_never_ranks_above_its_dominator():
    points = np.random.default_rng(1).integers(0, 6, (100, 2)).astype(np.float32)
    ranks = np.asarray(_rank(jnp.asarray(points[:, 0]), jnp.asarray(points[:, 1])))
    at_least = np.all(points[:, None] >= points[None, :], axis=2)
    dominates = at_least & np.any(points[:, None] > points[None, :], axis=2)
    above = ranks[:, None] < ranks[None, :]
    assert np.all(above[dominates])


def test_equal_points_share_the_front_and_rank_by_index_between_the_ends():
    front, crowding = both(np.ones((COUNT, 2), np.float32))
    np.testing.assert_array_equal(front, 0)
    assert np.sum(np.isinf(crowding)) == 2
    np.testing.assert_array_equal(_rank(jnp.ones(COUNT), jnp.ones(COUNT)), [0, *range(2, COUNT), 1])


def test_one_point_is_the_best():
    front, crowding = both(np.array([[3.0, -2.0]], np.float32))
    assert front.tolist() == [0]
    assert crowding.tolist() == [np.inf]
    assert _rank(jnp.array([3.0]), jnp.array([-2.0])).tolist() == [0]


def test_a_constant_objective_leaves_one_point_per_front():
    front, _ = both(np.array([[1, 5], [3, 5], [2, 5]], np.float32))
    np.testing.assert_array_equal(front, [2, 0, 1])


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=25))
def test_non_dominated_is_what_no_other_dominates_and_of_equals_the_first(points):
    want = []
    for index, point in enumerate(points):
        dominated = any(all(a >= b for a, b in zip(other, point, strict=True)) and other != point for other in points)
        if not dominated and point not in points[:index]:
            want.append(index)
    np.testing.assert_array_equal(non_dominated(np.array(points, float)), want)


@given(
    st.lists(
        st.one_of(st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False), st.sampled_from([np.nan, np.inf, -np.inf])),
        min_size=8,
        max_size=8,
    )
)
def test_a_value_that_is_not_finite_becomes_a_finite_one_below_all_others(values):
    values = np.array(values, np.float32)
    valid = np.isfinite(values)
    result = np.asarray(finite_or_worst(jnp.asarray(values), jnp.asarray(valid)))
    np.testing.assert_array_equal(result[valid], values[valid])
    assert np.all(np.isfinite(result))
    if valid.any() and not valid.all():
        assert np.max(result[~valid]) < np.min(values[valid])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nothing_valid_gives_equal_finite_values(value):
    result = np.asarray(finite_or_worst(jnp.full(4, value), jnp.zeros(4, bool)))
    assert np.all(np.isfinite(result))
    assert len(set(result.tolist())) == 1
