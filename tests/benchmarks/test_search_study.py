"""The study's own searches: their rankings, operators and archives do what their names say, and every variant searches."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import genes_of, genome_of
from genomes_support import assert_well_formed, without_slot
from hypothesis import given
from hypothesis import strategies as st

import wannjax
from benchmarks.search_study import operators, search, variants
from benchmarks.search_study.__main__ import gained, print_confirmation
from benchmarks.search_study.candidates import _ALL, CANDIDATES
from benchmarks.search_study.fronts import crowding, fronts
from benchmarks.search_study.variants import StudyConfig
from wannjax.genomes.population import sizes_of
from wannjax.search.wann.config import WannConfig

LIBRARY = {setting.name for setting in dataclasses.fields(WannConfig)}
VARIANTS = [candidate for candidate in CANDIDATES.values() if set(candidate.settings) - LIBRARY]
"""Those that are more than settings of the library's search."""

points_strategy = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=16, max_size=16).map(lambda points: np.array(points, np.float32))
_fronts, _duplicate_node, _insert = map(jax.jit, (fronts, operators.duplicate_node, variants._insert))
_crowding = jax.jit(crowding, static_argnames="published")
_rank = jax.jit(variants._rank, static_argnums=0)


@given(points_strategy)
def test_fronts_of_three_objectives_are_those_of_the_dominance_matrix(points):
    np.testing.assert_array_equal(_fronts(jnp.asarray(points)), oracle.fronts(points))


def test_crowding_is_that_of_nsga_2_or_has_the_published_scale():
    points = np.random.default_rng(0).uniform(1, 2, (60, 3)).astype(np.float32)
    front = oracle.fronts(points)
    np.testing.assert_allclose(
        _crowding(jnp.asarray(points), jnp.asarray(front), published=False), oracle.crowding(points, front), rtol=1e-3
    )
    got = np.asarray(_crowding(jnp.asarray(points[:, :1]), jnp.zeros(60, jnp.int32), published=True))
    order = np.argsort(points[:, 0])
    ranked = points[order, 0].astype(float)
    np.testing.assert_allclose(got[order][1:-1], (ranked[2:] - ranked[:-2]) * abs(1 / ranked[-1] - ranked[0]), rtol=1e-3)


def _are_twins(genes, slot):
    row, columns = 1 + genes.inputs + slot, genes.connections.T
    same = genes.activations[slot] == genes.activations[slot + 1] and np.array_equal(columns[slot], columns[slot + 1])
    return same and np.array_equal(genes.connections[row], genes.connections[row + 1])


def _equal(left, right):
    return np.array_equal(left.connections, right.connections) and np.array_equal(left.activations, right.activations)


def test_a_duplicated_node_has_the_sources_targets_and_activation_of_the_first():
    rng = np.random.default_rng(1)
    for _ in range(20):
        parent = oracle.random_genes(rng, nodes=int(rng.integers(1, 9)), slots=9)
        child = genes_of(_duplicate_node(genome_of(parent), jnp.float32(rng.random())))
        assert_well_formed(child)
        if parent.nodes == parent.slots:
            np.testing.assert_array_equal(child.connections, parent.connections)
            continue
        assert child.nodes == parent.nodes + 1
        assert any(_are_twins(child, slot) and _equal(without_slot(child, slot + 1), parent) for slot in range(parent.nodes))


@pytest.mark.slow
def test_the_archive_keeps_of_every_niche_the_best_mean():
    rng = np.random.default_rng(2)
    many = [oracle.random_genes(rng, density=float(rng.uniform(0.05, 0.6))) for _ in range(80)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(genome_of, many))
    scores = rng.normal(size=(80, 2)).astype(np.float32)
    scores[3] = np.nan
    first, second = (
        jax.tree.map(lambda leaf, s=half: leaf[s], (stacked, sizes_of(stacked), jnp.asarray(scores))) for half in (slice(40), slice(40, 80))
    )
    empty = (first[0], first[1], jnp.full((40, 2), jnp.nan))
    archive = _insert(_insert(empty, first), second)
    connections = np.asarray(sizes_of(stacked).connections)
    niche = [(min(int(np.floor(8 * np.log2(max(c, 1)))), 19), int(np.argmax(s))) for c, s in zip(connections, scores, strict=True)]
    best = {}
    for index in range(80):
        if np.all(np.isfinite(scores[index])) and (niche[index] not in best or scores[index].mean() > scores[best[niche[index]]].mean()):
            best[niche[index]] = index
    kept = np.asarray(archive[2])[np.all(np.isfinite(archive[2]), axis=1)]
    np.testing.assert_array_equal(np.sort(kept[:, 0]), np.sort(scores[list(best.values())][:, 0]))


@pytest.mark.parametrize(
    ("fitness", "of"), [("mean", np.mean), ("worst", np.min), ("lower half", lambda s, axis: np.sort(s, 1)[:, :3].mean(axis))]
)
def test_fitness_alone_ranks_where_nothing_else_does(fitness, of):
    scores = np.random.default_rng(3).normal(size=(20, 6)).astype(np.float32)
    config = StudyConfig(fitness=fitness, second="none", complexity="ties")
    ranks = _rank(config, jax.random.key(0), jnp.asarray(scores), jnp.zeros(20, jnp.int32), jnp.zeros(20, jnp.int32))
    np.testing.assert_array_equal(np.argsort(np.asarray(ranks)), np.argsort(-of(scores, axis=1)))


def test_candidates_have_different_names_and_valid_settings():
    assert len(_ALL) == len(CANDIDATES) > 30
    for candidate in CANDIDATES.values():
        assert candidate.config.population % candidate.config.islands == 0


@pytest.mark.nightly
@pytest.mark.parametrize("candidate", VARIANTS, ids=lambda candidate: candidate.name)
def test_every_variant_breeds_populations_of_the_same_size(candidate):
    size = 32 * candidate.config.islands  # so that every island has an elite
    config = candidate.config.replace(population=size)
    algorithm = config.algorithm(inputs=3, outputs=1)
    state = algorithm.init(jax.random.key(0))
    rng = np.random.default_rng(0)
    for _ in range(3):
        assert algorithm.ask(state).activations.shape[0] == size
        scores = rng.normal(size=(size, len(config.weights))).astype(np.float32)
        scores[rng.integers(size)] = np.nan
        state = algorithm.enlarge(algorithm.tell(state, jnp.asarray(scores))[0])
        for connections, activations in zip(
            *(np.asarray(leaf) for leaf in (state.genomes.connections, state.genomes.activations)), strict=True
        ):
            assert_well_formed(oracle.Genes(connections, activations, 3, 1))


def test_a_gain_is_a_difference_of_means_with_its_unpaired_error():
    winner, start = [671, 639, 730, 692, 636, 622, 626, 677], [514, 680, 644, 650, 690, 602, 646, 692]
    assert gained(winner, start) == "+22 ± 25"
    assert gained(winner[::-1], start) == "+22 ± 25"
    assert gained(winner[:1], start) == gained(winner, []) == ""


def test_the_confirmation_names_the_gain_and_how_likely_luck_makes_it(capsys):
    print_confirmation([671, 639, 730, 692], [514, 680, 644, 650], 1000)
    assert "| lexicase: half the tolerance | 682 [663, 702] | 671, 639, 730, 692 | +61 ± 41 | 0.34 |" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.nightly
def test_a_search_of_the_study_that_was_ended_early_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch):
    name = "ranked: more episodes late"
    small = dict(population=16, candidates=1, confirm_episodes=2)
    monkeypatch.setitem(CANDIDATES, name, CANDIDATES[name]._replace(settings={**CANDIDATES[name].settings, **small}))
    kept = []
    assert not search.run(name, [3], 64, tmp_path / "whole", kept.append)

    evolve = wannjax.evolve

    def half_of(*given, callbacks, **named):
        return evolve(*given, callbacks=[*callbacks, lambda record: record.generation == 2], **named)

    with monkeypatch.context() as patched:
        patched.setattr(wannjax, "evolve", half_of)
        assert search.run(name, [3], 64, tmp_path / "parts", kept.append)
    assert not search.run(name, [3], 64, tmp_path / "parts", kept.append)
    whole, parts = ({**run, "seconds": 0} for run in kept)
    assert whole["generations"] == 4
    assert parts == whole
