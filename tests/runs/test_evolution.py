"""`evolve`: what a run returns, that it is reproducible, and that it survives bad scores, callbacks and Ctrl-C."""

import os
import signal

import jax
import numpy as np
import oracle
import pytest
from runs_support import Larger, same

import wannjax
from wannjax.networks.graph import graph_of
from wannjax.runs.run import Run
from wannjax.search.ranking import non_dominated

CONFIG = wannjax.WannConfig(population=24, generations=6, episodes=2, confirm_episodes=4)


@pytest.fixture(scope="module")
def swing_up():
    return wannjax.make("CartPoleSwingUp-v0", max_steps=60)


@pytest.fixture(scope="module")
def result(swing_up):
    return wannjax.evolve(swing_up, CONFIG, seed=1, progress=False)


def test_the_same_seed_gives_the_same_result(swing_up, result):
    same(result, wannjax.evolve(swing_up, CONFIG, seed=1, progress=False))


def test_another_seed_gives_another_result(swing_up, result):
    other = wannjax.evolve(swing_up, CONFIG, seed=2, progress=False)
    assert not np.array_equal(other.history["mean_score"], result.history["mean_score"])


@pytest.mark.slow
@pytest.mark.parametrize("chunk", [1, 5])
@pytest.mark.nightly
def test_the_chunk_size_does_not_change_the_result(result, chunk):
    same(result, wannjax.evolve(wannjax.make("CartPoleSwingUp-v0", max_steps=60, network_chunk=chunk), CONFIG, seed=1, progress=False))


def test_what_is_left_to_the_problem_is_what_suits_it(swing_up):
    on_swing_up, on_data = (Run(problem, CONFIG, seed=0).config for problem in (swing_up, wannjax.make("digits")))
    assert (on_swing_up.output_activation, on_swing_up.cases) == ("tanh", "episodes")
    assert (on_data.output_activation, on_data.cases) == ("linear", "weights")


def test_history_has_a_row_a_generation(result):
    np.testing.assert_array_equal(result.history["generation"], np.arange(1, 7))
    assert set(result.history) == set(wannjax.Record._fields)
    assert (result.history["alive_steps"] <= result.history["computed_steps"]).all()


@pytest.mark.slow
def test_of_equally_good_networks_the_smallest_is_champion():
    result = wannjax.evolve(Larger(lambda _call, scores: np.ones_like(scores)), CONFIG, progress=False)
    assert result.history["champion_connections"][-1] == 0
    assert len(graph_of(result.champion).connections) == 0


def test_the_champion_beats_the_front_on_the_same_fresh_episodes(result):
    assert result.champion_scores.mean() >= result.front_scores.mean(axis=1).max() - 1e-6


def test_no_member_of_the_front_dominates_another(result):
    sizes = [1 / max(len(graph_of(network).connections), 1) for network in result.front]
    objectives = np.stack([result.front_scores.mean(axis=1), result.front_scores.max(axis=1), sizes], axis=1)
    assert len(non_dominated(objectives)) == len(result.front)


def test_the_champion_carries_the_problems_names(result, swing_up):
    assert result.champion.input_names == swing_up.input_names


def test_search_finds_better_networks():
    result = wannjax.evolve(Larger(), CONFIG, generations=40, progress=False)
    assert result.champion_scores.mean() > result.history["mean_score"][0] + 0.2


def test_a_callback_receives_every_record_and_ends_the_run():
    records = []

    def stop_after_three(record):
        records.append(record)
        return record.generation == 3

    result = wannjax.evolve(Larger(), CONFIG, callbacks=[stop_after_three], progress=False)
    assert [record.generation for record in records] == [1, 2, 3]
    assert result.interrupted
    assert len(result.history["generation"]) == 3


def test_ctrl_c_ends_the_run_after_the_generation_and_keeps_it():
    def press(record):
        if record.generation == 2:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    result = wannjax.evolve(Larger(), CONFIG, callbacks=[press], progress=False)
    assert len(result.history["generation"]) == 2
    assert signal.getsignal(signal.SIGINT) is before


DATA = {"champion.json", "front.json", "history.csv", "config.json", "growth.json", "checkpoints"}


@pytest.mark.parametrize(("options", "more"), [({"finish": None}, set()), ({}, {"report.html", "champion.png", "curves.png"})])
def test_a_run_leaves_its_data_in_the_directory_and_by_default_its_page_and_pictures(tmp_path, options, more):
    wannjax.evolve(Larger(), CONFIG, generations=2, progress=False, run_dir=tmp_path, **options)
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")} == DATA | more


def test_what_finishes_a_run_finds_its_files_and_gives_the_report(tmp_path):
    problem, found = Larger(), []

    def finish(directory, of):
        found.append((of, {path.name for path in directory.iterdir()}))

    assert wannjax.evolve(problem, CONFIG, generations=1, progress=False, run_dir=tmp_path, finish=finish).report is None
    assert found[0][0] is problem
    assert found[0][1] >= DATA


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_networks_without_finite_scores_are_counted_and_never_champion(poison):
    def spoil(_call, scores):
        scores = scores.copy()
        scores[np.argmax(scores.mean(axis=1)), 0] = poison
        return scores

    result = wannjax.evolve(Larger(spoil), CONFIG, progress=False)
    assert (result.history["non_finite"] == 1).all()
    assert np.isfinite(result.champion_scores).all()
    assert np.isfinite(result.front_scores).all()


def test_a_run_without_any_finite_score_is_one_clear_error():
    with pytest.raises(ValueError, match="problem: larger gave no finite score"):
        wannjax.evolve(Larger(lambda _call, scores: np.full_like(scores, np.nan)), CONFIG, progress=False)


@pytest.mark.slow
@pytest.mark.nightly
def test_padding_grows_with_the_networks():
    config = wannjax.WannConfig(
        population=16,
        generations=70,
        episodes=1,
        initial_density=1.0,
        complexity_probability=0,
        add_node=1.0,
        add_connection=0,
        enable=0,
        delete_connection=0,
        delete_node=0,
        change_activation=0,
    )
    generator = np.random.default_rng(0)
    result = wannjax.evolve(Larger(lambda _call, scores: generator.normal(size=scores.shape)), config, progress=False)
    assert result.history["largest_hidden"][-1] > 32


def test_the_algorithm_can_be_driven_by_hand():
    algorithm = CONFIG.algorithm(inputs=2, outputs=1)
    state = algorithm.init(jax.random.key(0))
    for _ in range(3):
        networks = algorithm.ask(state)
        sizes = np.asarray((networks.sources > 0).sum(axis=(1, 2)))
        scores = np.repeat(-np.abs(sizes - 4.0)[:, None], 6, axis=1)  # any Python function of the networks
        state = algorithm.enlarge(algorithm.tell(state, scores)[0])
    assert int(state.generation) == 3


def test_parents_are_those_that_lexicase_selection_over_the_weights_and_their_mean_can_draw():
    copies = dict(add_node=0, add_connection=0, enable=0, delete_connection=0, delete_node=0)  # and no hidden node to change
    config = wannjax.WannConfig(population=32, elite_ratio=0, weights=(-1.0, 0.5, 2.0), **copies)
    algorithm = config.algorithm(inputs=20, outputs=1)
    state = algorithm.init(jax.random.key(0))
    scores = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
    scores[4, 1], scores[5] = np.nan, 9.0
    scores[5, 0] = np.inf
    valid = np.all(np.isfinite(scores), axis=1)
    shares = oracle.lexicase_shares(np.column_stack([scores, scores.mean(axis=1)]).astype(np.float64), valid, config.tolerance)
    bred, _ = algorithm.tell(state, scores)
    known = {genes.tobytes(): parent for parent, genes in enumerate(np.asarray(state.genomes.connections))}
    assert len(known) == 32
    drawn = [known[genes.tobytes()] for genes in np.asarray(bred.genomes.connections)]
    assert np.all(shares[drawn] > 0)
    assert len(set(drawn)) > 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed: must be an integer from 0"),
        ({"generations": 0}, "generations: must be an integer >= 1, got 0"),
        ({"finish": 3}, "finish: must be a function, or None, got 3"),
        ({"problem": "CartPole-v3"}, r"environment: 'CartPole-v3' is unknown; did you mean CartPole-v1\?"),
    ],
)
def test_a_bad_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        wannjax.evolve(**{"problem": Larger(), "config": CONFIG, "progress": False, **arguments})
