"""Children of two parents, mutated weights, numbers of changes: against plain Python on random genes."""

import jax
import jax.numpy as jnp
import neat_oracle
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wannjax.genomes.operators import ADD_CONNECTION, ADD_NODE, ENABLE, NOTHING
from wannjax.search.neat.genes import EMPTY, Genes
from wannjax.search.neat.reproduction import (
    WeightMutation,
    change_numbers,
    crossed,
    first_number,
    mutated_weights,
    node_identity,
    require_numbers,
)

CAPACITY = 10
seeds = st.integers(0, 2**32 - 1)
crossed, change_numbers = jax.jit(crossed, static_argnums=5), jax.jit(change_numbers, static_argnums=4)
mutated_weights = jax.jit(mutated_weights, static_argnums=2)


def random_genes(rng) -> dict:
    """marking → (source, target, weight, enabled)."""
    markings = np.sort(rng.choice(15, rng.integers(1, CAPACITY + 1), replace=False))
    return {int(m): (int(m), int(m) + 1, float(np.float32(rng.normal())), bool(rng.random() < 0.7)) for m in markings}


def listed(genes: dict) -> tuple[Genes, jax.Array]:
    size = len(genes)
    markings, weights, enabled = np.full(CAPACITY, EMPTY), np.zeros(CAPACITY, np.float32), np.zeros(CAPACITY, bool)
    markings[:size] = list(genes)
    weights[:size], enabled[:size] = ([gene[part] for gene in genes.values()] for part in (2, 3))
    nowhere = jnp.zeros(CAPACITY, jnp.int32)
    return Genes(jnp.asarray(markings), nowhere, nowhere, jnp.asarray(weights)), jnp.asarray(enabled)


@given(seeds, st.sampled_from([0.0, 0.75, 1.0]))
def test_a_child_of_two_is_that_of_the_paper(seed, keep_disabled):
    rng = np.random.default_rng(seed)
    fitter, other = random_genes(rng), random_genes(rng)
    draws = rng.random(CAPACITY, np.float32)
    weights, enabled = crossed(jnp.asarray(draws), *listed(fitter), *listed(other), keep_disabled)
    wanted = neat_oracle.cross(fitter, other, dict(zip(fitter, draws, strict=False)), keep_disabled)
    assert [gene[2] for gene in wanted.values()] == weights[: len(fitter)].tolist()
    assert [gene[3] for gene in wanted.values()] == enabled[: len(fitter)].tolist()
    assert not np.any(enabled[len(fitter) :])


def test_both_parents_give_half_of_the_weights_and_three_quarters_of_what_is_disabled_stays():
    genes = {m: (0, 0, 1.0, m % 2 == 0) for m in range(CAPACITY)}
    other = {m: (0, 0, 2.0, True) for m in range(CAPACITY)}
    draws = jax.random.uniform(jax.random.key(0), (4000, CAPACITY))
    weights, enabled = jax.vmap(lambda draw: crossed(draw, *listed(genes), *listed(other), 0.75))(draws)
    share = 0.5 / np.sqrt(weights.size)
    assert abs(np.mean(weights == 2.0) - 0.5) < 5 * share
    assert np.all(enabled[:, ::2])
    assert abs(np.mean(enabled[:, 1::2]) - 0.25) < 8 * share
    # The two decisions have nothing to do with each other, though one draw makes both.
    assert abs(np.mean(enabled[:, 1::2][np.asarray(weights[:, 1::2]) == 2.0]) - 0.25) < 12 * share


def test_weights_are_replaced_or_perturbed_as_often_and_as_far_as_the_settings_say():
    draws = jax.random.uniform(jax.random.key(1), (200_000,))
    weights = mutated_weights(draws, jnp.full(draws.shape, 5.0), WeightMutation(0.1, 2.0, 0.25, 8.0))
    replaced = np.abs(weights) <= 2.0
    assert abs(replaced.mean() - 0.1) < 0.005
    for part, centre, reach in ((replaced, 0.0, 2.0), (~replaced, 5.0, 0.25)):
        moved = (np.asarray(weights)[part] - centre) / reach
        assert np.abs(moved).max() <= 1.0001
        np.testing.assert_allclose(np.quantile(moved, [0.1, 0.25, 0.5, 0.75, 0.9]), [-0.8, -0.5, 0, 0.5, 0.8], atol=0.03)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_all_or_none_of_the_weights_are_replaced(share):
    draws = jax.random.uniform(jax.random.key(2), (1000,))
    weights = mutated_weights(draws, jnp.full(draws.shape, 7.9), WeightMutation(share, 1.0, 0.5, 8.0))
    assert np.all(np.isfinite(weights))
    assert np.all(np.abs(weights) <= 1.0) if share else np.all((weights >= 7.4 - 1e-5) & (weights <= 8.0))


@given(seeds)
def test_equal_changes_of_a_generation_have_one_number_and_others_none_of_theirs(seed):
    rng = np.random.default_rng(seed)
    operators = rng.choice([ADD_NODE, ADD_CONNECTION, ENABLE, NOTHING], 24)
    sources, targets = rng.integers(0, 4, 24), rng.integers(0, 4, 24)
    first = int(rng.choice([7, 2**30 - 60]))
    every = int(rng.choice([1, 3]))  # as many as there are islands
    found, left = change_numbers(jnp.asarray(operators), jnp.asarray(sources), jnp.asarray(targets), jnp.int32(first), every)
    assert not np.any((np.append(found, left) - first) % every)
    found, left = first + (np.asarray(found) - first) // every, first + (left - first) // every
    adds = np.isin(operators, [ADD_NODE, ADD_CONNECTION])
    changes = [tuple(map(int, change)) if add else None for add, *change in zip(adds, operators, sources, targets, strict=True)]
    groups, last = neat_oracle.numbers(changes, first)
    assert int(left) == last
    assert {int(n) for n in found[adds]} == set(range(first, last))
    for i, group in enumerate(groups):
        if group is not None:
            assert {j for j in range(24) if adds[j] and found[j] == found[i]} == group


def test_markings_last_for_a_hundred_thousand_generations_of_ten_thousand_children():
    first, children = first_number(100, 100), 100_000 * 10_000
    last = first + children - 1
    assert 2 * last + 1 < EMPTY
    assert int(node_identity(jnp.int32(last), 100, 100)) == last + 201
    require_numbers(first + children - 10_000, 10_000, 201)
    found, left = change_numbers(jnp.array([ADD_NODE]), jnp.array([0]), jnp.array([1]), jnp.int32(last), 1)
    assert (int(found[0]), int(left)) == (last, last + 1)
    with pytest.raises(ValueError, match="historical markings fit 31 bits"):
        require_numbers(2**30 - 10_000, 10_000, 201)


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (3, 2), (4, 3)])
def test_the_first_change_is_marked_beyond_the_genes_of_the_start(inputs, outputs):
    assert (1 + inputs) * outputs <= 2 * first_number(inputs, outputs) <= (1 + inputs) * outputs + 1
