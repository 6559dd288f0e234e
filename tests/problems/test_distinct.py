"""Scores of merged populations: those of the float64 oracle and of networks side by side, whoever else is scored."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import SWEEP, assert_same_bits, networks_of
from data_support import calm_and_overflowing, cubic, examples
from marking import slow

import wannjax
from wannjax.networks.merging import merge
from wannjax.networks.network import take
from wannjax.problems import data, distinct
from wannjax.problems.data import DataProblem
from wannjax.problems.distinct import in_blocks

KEY = jax.random.key(5)
STEPS = 24
SMOOTH = (1, 4, 5, 6, 7, 8, 9)


def random_genes(count, seed=0, ids=SMOOTH, outputs=2):
    rng = np.random.default_rng(seed)
    return [
        oracle.random_genes(rng, nodes=int(rng.integers(0, 7)), inputs=3, outputs=outputs, slots=6, ids=ids, density=0.5)
        for _ in range(count)
    ]


def side_by_side(monkeypatch, problem, networks):
    with monkeypatch.context() as patch:
        patch.setattr(data, "FEWEST_EXAMPLES", 10**9)
        return np.asarray(problem.evaluate(KEY, networks, jnp.array(SWEEP), episodes=9).scores)


def scores_of(problem, networks):
    return np.asarray(problem.evaluate(KEY, networks, jnp.array(SWEEP), episodes=9).scores)


@pytest.fixture(scope="module")
def plain():
    """240 examples in one block, which is not full."""
    return DataProblem(*examples(300))


def cross_entropy(outputs, labels):
    """Of each example, in float64."""
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]


@pytest.mark.parametrize("activation", range(1, 12))
def test_scores_are_those_of_the_oracle_with_every_activation(plain, activation):
    """As far as float32 allows, which matters for sines and squares of large values."""
    genes = random_genes(6, ids=(activation,))
    inputs, labels = np.asarray(plain.examples.inputs), np.asarray(plain.examples.targets).argmax(axis=1)
    evaluation = plain.evaluate(KEY, networks_of(genes * 2, STEPS), jnp.array(SWEEP), episodes=1)
    for one, scores in zip(genes * 2, np.asarray(evaluation.scores), strict=True):
        for weight, got in zip(SWEEP, scores, strict=True):
            outputs, bound = oracle.run(one, weight, inputs)
            want = -cross_entropy(outputs, labels).mean()
            assert abs(got - want) <= 1e-6 * max(1, abs(want)) + 2 * bound.max(axis=1).mean()
    np.testing.assert_array_equal(evaluation.steps, np.full((12, 6), 240))
    assert float(evaluation.computed_steps) == 12 * 6 * 240


def test_scores_are_those_of_networks_side_by_side(plain, monkeypatch):
    networks = networks_of(random_genes(12) * 2, STEPS)
    np.testing.assert_allclose(scores_of(plain, networks), side_by_side(monkeypatch, plain, networks), rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_groups_that_take_turns_have_scores_of_their_own(plain, monkeypatch):
    networks = networks_of(random_genes(4), STEPS)
    merged = plain.evaluate(KEY, networks, jnp.array(SWEEP), episodes=9)
    with monkeypatch.context() as patch:
        patch.setattr(data, "FEWEST_EXAMPLES", 10**9)
        apart = plain.evaluate(KEY, networks, jnp.array(SWEEP), episodes=9)
    assert merged.by_episode.shape == (4, 6, 8)
    np.testing.assert_allclose(merged.by_episode, apart.by_episode, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(np.mean(merged.by_episode, axis=2), merged.scores, rtol=1e-6, atol=1e-6)
    for group in range(8):
        own = plain.split("train")
        own.examples = jax.tree.map(lambda leaf, group=group: leaf[group::8], plain.examples)
        np.testing.assert_allclose(merged.by_episode[:, :, group], side_by_side(monkeypatch, own, networks), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [1, 3, 9, 257])
def test_blocks_hold_every_example_once_and_no_group_is_empty(size):
    x = np.arange(size, dtype=np.float32)[:, None]
    blocks = in_blocks(jnp.asarray(x), jnp.asarray(x), min(256, size), min(8, size))
    values = np.asarray(blocks.inputs).transpose(0, 2, 1).reshape(blocks.valid.shape)
    assert sorted(values[np.asarray(blocks.valid)]) == list(range(size))
    np.testing.assert_array_equal(values.reshape(len(values), -1), np.asarray(blocks.targets)[..., 0])
    assert np.all(np.asarray(blocks.sizes) == [len(range(group, size, min(8, size))) for group in range(min(8, size))])


@pytest.mark.parametrize("loss", [cubic, *slow("mse")])
def test_any_loss_is_that_of_networks_side_by_side(monkeypatch, loss):
    x, _ = examples(700)
    y = np.random.default_rng(1).normal(size=(len(x), 2) if loss == "mse" else (len(x), 2, 1))
    problem, networks = DataProblem(x, y, loss=loss, outputs=2), networks_of(random_genes(5), STEPS)
    np.testing.assert_allclose(scores_of(problem, networks), side_by_side(monkeypatch, problem, networks), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("offset", [-200.0, *slow(200.0)])
def test_outputs_beyond_the_range_of_exponentials(monkeypatch, offset):
    x, y = examples(300)
    x[:, 1] = offset
    problem, networks = DataProblem(x, y), networks_of(random_genes(8, ids=(1, 7)), STEPS)
    want, got = side_by_side(monkeypatch, problem, networks), scores_of(problem, networks)
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-4)


def test_outputs_that_are_not_finite_reach_only_the_score_of_their_network_and_weight():
    x, y = examples(300)
    x[3:, 0] = 1e25
    calm, overflows = calm_and_overflowing()
    networks = networks_of([calm, overflows, calm], STEPS)
    scores = DataProblem(x, y).evaluate(KEY, networks, jnp.array([1.0, 0.0, 1e-26]), episodes=1).scores
    np.testing.assert_array_equal(np.isfinite(scores), [[True] * 3, [False, True, True], [True] * 3])
    assert_same_bits(scores[0], scores[2])


def test_a_population_that_cannot_be_merged_soundly_is_scored_side_by_side(plain, monkeypatch):
    networks = networks_of(random_genes(6), STEPS)
    want = side_by_side(monkeypatch, plain, networks)
    monkeypatch.setattr(plain._distinct, "_merge", jax.jit(partial(merge, hash_bits=3)))
    assert_same_bits(scores_of(plain, networks), want)


@pytest.mark.slow
@pytest.mark.nightly
def test_scores_depend_on_no_other_network(plain, monkeypatch):
    networks = networks_of(random_genes(9), STEPS)
    whole = scores_of(plain, networks)
    for some in ([3, 0, 6, 8, 2], [4, 4], [7, 1]):
        assert_same_bits(scores_of(plain, take(networks, np.array(some))), whole[some])
    monkeypatch.setattr(distinct, "_MOST_ROWS", 40)
    assert_same_bits(scores_of(plain, networks), whole)


def test_within_a_program_of_the_callers_networks_run_side_by_side(plain, monkeypatch):
    networks = networks_of(random_genes(3), STEPS)
    inside = jax.jit(lambda networks: plain.evaluate(KEY, networks, jnp.array(SWEEP), episodes=9).scores)(networks)
    np.testing.assert_allclose(inside, side_by_side(monkeypatch, plain, networks), rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@pytest.mark.nightly
def test_a_search_finds_the_same_merged_or_not(monkeypatch):
    config = wannjax.WannConfig(population=48, generations=10, episodes=1, confirm_episodes=2)
    merged = wannjax.evolve(DataProblem(*examples(500)), config, progress=False)
    monkeypatch.setattr(data, "FEWEST_EXAMPLES", 10**9)
    apart = wannjax.evolve(DataProblem(*examples(500)), config, progress=False)
    for column in ("mean_score", "best_score", "champion_score"):
        np.testing.assert_allclose(merged.history[column], apart.history[column], rtol=1e-5, atol=1e-6)
