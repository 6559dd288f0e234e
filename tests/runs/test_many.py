"""`evolve_many`: every run is what `evolve` gives alone, runs grow together, and statistics are those of numpy."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import jax
import numpy as np
import pytest
from as_threads import in_processes
from bridge import assert_same_bits
from marking import nightly, slow
from runs_support import Larger, same

import wannjax
from wannjax.genomes.genome import enlarge
from wannjax.genomes.operators import SHARED
from wannjax.pictures.curves import draw_statistics
from wannjax.runs.resuming import locked
from wannjax.runs.run import Run, suited

SMALL = wannjax.WannConfig(population=24, generations=5, episodes=2, confirm_episodes=4)
GROWING = SMALL.replace(generations=60, add_node=8.0, delete_node=0.0, initial_density=1.0)
RATES = ("initial_density", "initial_fan_in", "complexity_probability", "max_connections", *SHARED, "insert_block")
"""The settings that are numbers in the compiled programs."""


def points():
    x = np.random.default_rng(0).normal(size=(120, 2))
    return wannjax.DataProblem(x, np.abs(x[:, 0] - x[:, 1]), loss="mse", batch=16)


PROBLEMS = {
    "CartPole-v1": lambda: wannjax.make("CartPole-v1", max_steps=60),
    "swing-up": lambda: wannjax.make("CartPoleSwingUp-v0", max_steps=60),
    "data": points,
}


def assert_as_alone(problem, results):
    for result in results:
        alone = wannjax.evolve(problem, result.config, seed=result.seed, progress=False)
        same(alone, result)
        assert repr(alone.champion) == repr(result.champion)
        np.testing.assert_array_equal(alone.history["computed_steps"], result.history["computed_steps"])
        assert (alone.config, alone.seed, alone.problem_name) == (result.config, result.seed, result.problem_name)


@pytest.mark.parametrize(
    "name",
    [*slow("data"), *nightly("CartPole-v1", "swing-up")],
)
def test_every_run_is_the_one_that_evolve_gives(name):
    problem = PROBLEMS[name]()
    many = wannjax.evolve_many(problem, SMALL, seeds=[3, 0, 8, 1], progress=False)
    assert [result.seed for result in many.results] == [3, 0, 8, 1]
    assert_as_alone(problem, many.results[1:3])


def test_runs_as_jobs_are_the_same_and_are_not_searched_again(tmp_path, monkeypatch):
    problem, configs = points(), [SMALL.replace(generations=2), SMALL.replace(generations=2, add_node=1.0)]
    alone = wannjax.evolve_many(problem, configs, seeds=[3, 0], progress=False)
    for _ in range(2):
        many = wannjax.evolve_many(problem, configs, seeds=[3, 0], progress=False, run_dir=tmp_path)
        assert [(result.config, result.seed) for result in many.results] == [(result.config, result.seed) for result in alone.results]
        for result, expected in zip(many.results, alone.results, strict=True):
            same(result, expected)
        assert many.labels == alone.labels == ("add_node 0.25", "add_node 1")
        monkeypatch.setattr(Run, "advance", None)  # what is there is only read
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/seed-*")} == {
        f"settings-{number}/seed-{seed}" for number in (0, 1) for seed in (0, 3)
    }


def test_a_run_that_another_process_holds_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("wannjax.runs.many._LOOK_AGAIN", 0.05)
    problem, config = points(), SMALL.replace(generations=2)
    wannjax.evolve(problem, config, seed=0, progress=False, run_dir=tmp_path / "seed-0", finish=None)
    monkeypatch.setattr(Run, "advance", None)
    with ThreadPoolExecutor(1) as pool:
        with locked(tmp_path / "seed-0"):
            waiting = pool.submit(wannjax.evolve_many, problem, config, seeds=[0], progress=False, run_dir=tmp_path)
            time.sleep(0.5)
            assert not waiting.done()
        waiting.result()
    assert waiting.result().results[0].seed == 0


def test_a_signal_ends_all_jobs_and_the_same_call_goes_on(tmp_path):
    problem, config, advance = points(), SMALL.replace(generations=3), Run.advance

    def signalled(run):
        advance(run)
        signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Run, "advance", signalled)
        with pytest.raises(KeyboardInterrupt, match=r"the same call with run_dir='.*' goes on"):
            wannjax.evolve_many(problem, config, seeds=[0, 1], progress=False, run_dir=tmp_path)
    many = wannjax.evolve_many(problem, config, seeds=[0, 1], progress=False, run_dir=tmp_path)
    assert [len(result.history["generation"]) for result in many.results] == [3, 3]
    with pytest.raises(ValueError, match=r"^run directory: must be a run of these seeds and settings, and it has add_node"):
        wannjax.evolve_many(problem, config.replace(add_node=0.5), seeds=[0], progress=False, run_dir=tmp_path)


def test_several_processes_have_the_same_seeds():
    problem = PROBLEMS["CartPole-v1"]()
    with pytest.raises(ValueError, match=r"^processes: must be given the same problem and settings, every one, got \[0, 1\]$"):
        in_processes(2, lambda process: wannjax.evolve_many(problem, SMALL, seeds=[process], progress=False))


@pytest.mark.nightly
def test_runs_that_outgrow_the_padding_at_different_times_are_the_same_as_alone():
    problem = Larger(lambda _call, scores: np.round(scores, 1))
    many = wannjax.evolve_many(problem, [SMALL.replace(generations=60), GROWING], seeds=[1, 2], progress=False)
    largest = [result.history["largest_hidden"].max() for result in many.results]
    assert max(largest) >= 32 > min(largest)
    assert_as_alone(problem, many.results)


@pytest.mark.slow
def test_settings_that_differ_in_rates_run_as_alone():
    settings = {name: 1.0 for name in RATES} | {"initial_fan_in": 1, "max_connections": 5}
    first = SMALL.replace(blocks=(wannjax.Block(("sin", "cos"), ((0, 1),)),), insert_block=0.1)
    others = [first.replace(**{name: settings[name] for name in RATES[part::3]}) for part in range(3)]
    problem = Larger()
    many = wannjax.evolve_many(problem, [first, *others], seeds=[5], progress=False)
    assert [result.config for result in many.results] == [suited(each, problem) for each in (first, *others)]
    assert len({result.history["median_connections"].tobytes() for result in many.results}) == 4
    assert_as_alone(problem, many.results)


@pytest.mark.slow
def test_capacity_changes_no_draw():
    algorithm = SMALL.algorithm(inputs=2, outputs=1)

    def enlarged(state):
        return replace(state, genomes=enlarge(state.genomes, 64), steps=64)

    small = algorithm.init(jax.random.key(0))
    large = enlarged(small)
    score = jax.jit(lambda key: jax.random.normal(key, (24, 6)))
    for generation in range(12):
        scores = score(jax.random.key(generation)) + small.sizes.hidden[:, None]  # so that nodes are not lost again
        small, large = algorithm.tell(small, scores)[0], algorithm.tell(large, scores)[0]
    padded = enlarged(small)
    assert_same_bits((padded.genomes, padded.sizes), (large.genomes, large.sizes))
    assert int(np.max(small.sizes.hidden)) > 2


@pytest.mark.parametrize(
    "changes",
    [
        {"add_node": 0.7, "initial_fan_in": 1},
        {"generations": 9, "episodes": 3, "confirm_episodes": 7, "candidates": 3, "weights": (1.0,)},
    ],
    ids=["rates", "what no program uses"],
)
def test_searches_with_equal_rules_share_their_programs(changes):
    first, second = (config.algorithm(inputs=4, outputs=2) for config in (SMALL, SMALL.replace(**changes)))
    assert (first.ask, first.tell) == (second.ask, second.tell)


@pytest.mark.slow
@pytest.mark.nightly
def test_settings_may_differ_in_everything_but_generations():
    configs = [SMALL, SMALL.replace(population=32, activations=("tanh",)), wannjax.NeatConfig(population=24, generations=5)]
    problem = Larger()
    many = wannjax.evolve_many(problem, configs, seeds=[4], progress=False)
    assert [label.split(",")[0] for label in many.labels] == ["wann", "wann", "neat"]
    assert "population 32" in many.labels[1]
    assert_as_alone(problem, many.results)


@pytest.fixture(scope="module")
def sweep():
    configs = [SMALL, SMALL.replace(add_node=2.0)]
    return wannjax.evolve_many(Larger(), configs, seeds=range(2), progress=False)


def test_statistics_are_the_quartiles_over_seeds_of_each_of_the_settings(sweep):
    for number in range(2):
        runs = [result.history["mean_score"] for result in sweep.results[2 * number : 2 * number + 2]]
        for part, share in zip(sweep.statistics("mean_score"), (25, 50, 75), strict=True):
            np.testing.assert_allclose(part[number], np.percentile(runs, share, axis=0))
    means = [result.champion_scores.mean() for result in sweep.results]
    np.testing.assert_allclose(sweep.champion_means.median, [np.median(means[:2]), np.median(means[2:])])


def test_an_unknown_column_is_named(sweep):
    with pytest.raises(ValueError, match=r"column: must be one of generation, .*, got 'score'"):
        sweep.statistics("score")


def test_the_table_has_a_row_for_each_of_the_settings(sweep):
    title, _, first, second = str(sweep).splitlines()
    assert title == "larger: champions of 2 seeds after 5 generations, median [quartiles]"
    assert first.startswith("add_node 0.25 ")
    assert second.startswith("add_node 2 ")


def test_the_picture_has_a_median_and_a_band_for_each_of_the_settings(sweep, tmp_path):
    figure = draw_statistics(sweep, tmp_path / "many.png")
    for axes, column in zip(figure.axes, ("champion_score", "champion_connections"), strict=True):
        lower, median, upper = sweep.statistics(column)
        for number, line in enumerate(axes.lines):
            np.testing.assert_array_equal(line.get_ydata(), median[number])
            band = axes.collections[number].get_paths()[0].vertices[:, 1]
            assert (band.min(), band.max()) == (lower[number].min(), upper[number].max())
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["add_node 0.25", "add_node 2"]
    assert (tmp_path / "many.png").read_bytes().startswith(b"\x89PNG")


def test_ctrl_c_ends_all_runs_after_the_generation_and_keeps_them_and_the_live_view_shows_medians(capsys):
    def press(call, scores):
        if call == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return scores

    many = wannjax.evolve_many(Larger(press), SMALL, seeds=range(4))
    assert many.interrupted
    assert [len(result.history["generation"]) for result in many.results] == [1, 1, 1, 1]
    error = capsys.readouterr().err
    assert "4 runs of population 24" in error
    assert "generation 1/5  median champion" in error


def test_a_run_without_any_finite_score_is_named():
    def spoil(call, scores):
        return np.full_like(scores, np.nan) if call == 3 else scores  # the second run's first, behind the first run's and its confirmation

    with pytest.raises(ValueError, match="larger gave no finite score to any network of generation 1 of seed 7"):
        wannjax.evolve_many(Larger(spoil), SMALL, seeds=[5, 7], progress=False)


@pytest.mark.parametrize(
    ("config", "seeds", "message"),
    [
        (SMALL, [], r"seeds: must be different seeds, at least one, got \(\)"),
        (SMALL, [1, 1], "seeds: must be different seeds"),
        (SMALL, [-1], "seed: must be an integer from 0"),
        ([], [1], "config: must be settings, or several of them"),
        ([SMALL, SMALL.replace(generations=6)], [1], "generations: must be 5, as in the first settings, got 6"),
    ],
)
def test_a_bad_argument_is_named(config, seeds, message):
    with pytest.raises(ValueError, match=message) as caught:
        wannjax.evolve_many(Larger(), config, seeds=seeds, progress=False)
    assert "\n" not in str(caught.value)
