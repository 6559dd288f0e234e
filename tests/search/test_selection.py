"""Selection: parents are drawn as often as theory says, by enumerating every order of the cases."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest

from wannjax.search.selection import lexicase, tournaments

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
