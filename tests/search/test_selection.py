"""Selection: parents are drawn as often as theory says, by enumerating every order of the cases."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest

import wannjax
from wannjax.search import selection
from wannjax.search.selection import lexicase, tournaments
from wannjax.search.wann.algorithm import cases_of

EVENTS = 20_000
_lexicase = jax.jit(lexicase, static_argnames=("tolerance", "count"))


def frequencies(cases, valid=None, tolerance=1.0):
    valid = np.ones(len(cases), bool) if valid is None else valid
    parents = _lexicase(jax.random.key(0), jnp.asarray(cases, jnp.float32), jnp.asarray(valid), tolerance=tolerance, count=EVENTS)
    assert parents.dtype == jnp.int32
    return np.bincount(parents, minlength=len(cases)) / EVENTS


def assert_drawn_as(observed, expected):
    """Within five standard deviations of the expected share; never where that is 0."""
    assert np.all(np.abs(observed - expected) <= 5 * np.sqrt(expected * (1 - expected) / EVENTS))


@pytest.mark.parametrize("seed", range(4))
def test_lexicase_draws_every_genome_as_often_as_the_orders_of_the_cases_let_it(seed):
    rng, tolerance = np.random.default_rng(seed), (0.0, 1.0, 0.5, 2.0)[seed]
    cases = rng.integers(0, 6, (12, 3)).astype(float) if seed % 2 else rng.normal(size=(12, 4))
    assert_drawn_as(frequencies(cases, tolerance=tolerance), oracle.lexicase_shares(cases, np.ones(12, bool), tolerance))


def test_lexicase_never_selects_a_genome_that_is_not_valid_and_ignores_its_cases():
    rng = np.random.default_rng(5)
    cases, valid = rng.normal(size=(12, 3)), rng.random(12) < 0.6
    cases[~valid] = 100.0
    observed = frequencies(cases, valid)
    assert_drawn_as(observed, oracle.lexicase_shares(cases, valid, 1.0))
    assert np.all(observed[~valid] == 0)


def test_without_a_valid_genome_lexicase_selects_any():
    assert_drawn_as(frequencies(np.zeros((8, 3)), np.zeros(8, bool)), np.full(8, 1 / 8))


def test_a_specialist_has_children_and_what_is_mediocre_everywhere_has_none():
    cases = np.array([[9.0, 0.0], [0.0, 9.0], [4.0, 4.0], [1.0, 1.0], [0.0, 0.0], [0.5, 0.5], [0.0, 0.5]])
    observed = frequencies(cases)
    assert np.all(observed[:2] > 0.4)
    assert np.all(observed[2:] == 0)


def test_a_winner_of_a_tournament_is_the_best_of_those_drawn():
    order = np.array([3, 0, 4, 1, 2])
    won = tournaments(jax.random.key(1), jnp.asarray(order, jnp.int32), size=3, count=EVENTS)
    observed = np.bincount(won, minlength=5)[order] / EVENTS
    left = np.arange(5, 0, -1)
    assert_drawn_as(observed, (left**3 - (left - 1) ** 3) / 5**3)


def test_every_score_and_the_mean_are_cases():
    returns = np.random.default_rng(3).normal(size=(5, 2, 3)).astype(np.float32)
    returns[1, 0, 2], returns[4, 1, 1] = np.nan, 1e31
    cases, valid = cases_of(jnp.mean(returns, axis=2), jnp.asarray(returns).reshape(5, 6))
    assert valid.tolist() == [True, False, True, True, False]
    np.testing.assert_array_equal(cases[:, :6][valid], returns.reshape(5, 6)[valid])
    np.testing.assert_allclose(cases[:, 6][valid], returns.mean(axis=(1, 2))[valid], rtol=1e-6)
    assert np.all(np.isfinite(cases))


@pytest.mark.slow
def test_a_search_by_episodes_breeds_from_who_is_outstanding_in_one():
    """All have the same mean at every weight; a third of them are best in one episode each, and nobody else has children."""
    config = wannjax.WannConfig(population=12, cases="episodes", tolerance=0.0, elite_ratio=0.0, initial_density=0.5)
    algorithm = config.algorithm(inputs=40, outputs=1)
    state = algorithm.init(jax.random.key(0))
    state = replace(state, rates=state.rates._replace(ends=jnp.zeros_like(state.rates.ends)))
    returns = np.zeros((12, 6, 3), np.float32)
    returns[np.arange(3), :, np.arange(3)] = 2.0
    returns[np.arange(3), :, (np.arange(3) + 1) % 3] = -2.0
    following, _ = algorithm.tell(state, returns)
    before = np.asarray(state.genomes.connections).reshape(12, -1)
    after = np.asarray(following.genomes.connections).reshape(12, -1)
    distances = np.abs(after[:, None] - before[None]).sum(axis=2)
    assert set(distances.argmin(axis=1)) == {0, 1, 2}


@pytest.mark.parametrize("seed", range(8))
def test_a_median_is_that_of_the_valid_genomes_to_the_last_bit(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(6, 4 + seed)) * np.array([1, 1e30, 1e-3, -1, 1, 1])[:, None]
    values[4:] = np.round(values[4:]) * [[1.0], [-0.0]]
    valid = rng.random(4 + seed) < 0.6
    valid[seed % 4] = True
    got = jax.jit(selection._median)(jnp.asarray(values, jnp.float32), jnp.asarray(valid))
    np.testing.assert_array_equal(got, np.median(values.astype(np.float32)[:, valid], axis=1))
