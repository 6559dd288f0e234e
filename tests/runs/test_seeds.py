"""Searches over seeds as jobs: each seed once, whoever takes it, and all of them on record in the end."""

import shutil
import signal
from dataclasses import asdict

import numpy as np
import oracle
import pytest
from bridge import network_of as network_of_genes
from rich.console import Console

import wannjax
from wannjax.cli import main
from wannjax.common.interrupts import terminated
from wannjax.runs.progress import SeedsView
from wannjax.runs.resuming import locked
from wannjax.runs.run import Run
from wannjax.runs.run_directory import read
from wannjax.runs.seeds import run_seeds

CONFIG = wannjax.WannConfig(population=8, generations=2, episodes=1, confirm_episodes=1, candidates=1)
OPTIONS = ["--population", "8", "--generations", "2", "--episodes", "1", "--confirm-episodes", "1", "--candidates", "1"]


def problem():
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    return wannjax.DataProblem(x, x[:, 0] != x[:, 1], validation=None)


class Searches:
    """Which seeds were searched, in order."""

    def __init__(self, problem, config=CONFIG):
        self.problem, self.config, self.seeds = problem, config, []

    def __call__(self, seed, directory, tell=lambda record: None):
        result = wannjax.evolve(
            self.problem, self.config, seed=seed, run_dir=directory, resume=True, finish=None, progress=False, callbacks=[tell]
        )
        self.seeds.append(seed)
        return result


def test_every_seed_is_searched_once_and_gives_what_evolve_gives(tmp_path):
    searches = Searches(problem())
    first = run_seeds(problem(), CONFIG, [3, 5], tmp_path, searches)
    assert (sorted(first.done), first.elsewhere, first.interrupted) == ([3, 5], [], False)
    alone = wannjax.evolve(problem(), CONFIG, seed=5, progress=False)
    assert first.done[5].mean == pytest.approx(alone.champion_scores.mean(), abs=1e-4)
    second = run_seeds(problem(), CONFIG, [3, 4, 5], tmp_path, searches)
    assert searches.seeds == [3, 5, 4]
    assert list(second.done) == [3, 4, 5]


def test_a_seed_that_another_process_holds_is_left_to_it(tmp_path):
    searches = Searches(problem())
    with locked(tmp_path / "seed-0"):
        standing = run_seeds(problem(), CONFIG, [0, 1], tmp_path, searches)
        assert (searches.seeds, list(standing.done), standing.elsewhere) == ([1], [1], [0])
    standing = run_seeds(problem(), CONFIG, [0, 1], tmp_path, searches)
    assert (searches.seeds, list(standing.done), standing.elsewhere) == ([1, 0], [0, 1], [])


def test_a_run_that_was_ended_early_goes_on(tmp_path):
    short = Searches(problem(), CONFIG.replace(generations=1))
    short(2, tmp_path / "seed-2")
    standing = run_seeds(problem(), CONFIG, [2], tmp_path, searches := Searches(problem()))
    assert searches.seeds == [2]
    assert len(standing.done[2].history["generation"]) == 2


def test_runs_with_other_settings_are_refused(tmp_path):
    run_seeds(problem(), CONFIG, [0], tmp_path, Searches(problem()))
    with pytest.raises(ValueError, match=r"^run directory: must be a run of these .* it has add_node 0\.25: give another --out"):
        run_seeds(problem(), CONFIG.replace(add_node=0.5), [0], tmp_path, Searches(problem()))


def test_runs_that_began_with_other_networks_are_refused(tmp_path):
    def search(seed, directory, tell):
        return wannjax.evolve(
            problem(), CONFIG, seed=seed, start=one, run_dir=directory, resume=True, finish=None, progress=False, callbacks=[tell]
        )

    rng = np.random.default_rng(0)
    sizes = {"inputs": 2, "outputs": problem().outputs, "slots": 4, "ids": (3, 8), "defects": 0.0}
    one, other = (network_of_genes(oracle.random_genes(rng, nodes=nodes, **sizes), 64) for nodes in (1, 2))
    run_seeds(problem(), CONFIG, [0], tmp_path, search, start=[one])
    assert list(run_seeds(problem(), CONFIG, [0], tmp_path, search, start=[one]).done) == [0]
    with pytest.raises(ValueError, match=r"it has another start: give another --out"):
        run_seeds(problem(), CONFIG, [0], tmp_path, search, start=[other])


def test_all_seeds_are_shown_wherever_they_are(tmp_path, capsys):
    Searches(problem(), CONFIG.replace(generations=1))(1, tmp_path / "seed-1")
    with locked(tmp_path / "seed-1"):
        run_seeds(problem(), CONFIG, [0, 1, 2], tmp_path, Searches(problem()))
    lines = capsys.readouterr().err.splitlines()
    assert "3 seeds of 2 generations" in lines[0]
    assert lines[1].startswith("generation 2/6  0 of 3 seeds done; seed 0: 1/2  mean"), "one generation of its own and one of another's"
    view = SeedsView(problem(), CONFIG, {0: 0, 1: 1, 2: 0}, console := Console(record=True, force_terminal=True, width=120))
    view.end(0, 0.25)
    console.print(view._drawn())
    shown = console.export_text()
    assert "generation 3/6" in shown
    assert "1 of 3 seeds done" in shown
    assert "seed 0: 2/2  champion 0.25" in shown
    assert "seed 1: 1/2  not here" in shown
    assert "seed 2" not in shown, "which has not begun"


def test_a_run_that_was_killed_in_its_final_comparison_is_not_done(tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Run, "result", lambda self, compilations: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            Searches(problem())(2, tmp_path / "seed-2")
    assert not read(tmp_path / "seed-2").complete
    standing = run_seeds(problem(), CONFIG, [2], tmp_path, searches := Searches(problem()))
    assert searches.seeds == [2]
    assert standing.done[2].complete


@pytest.mark.parametrize("when", ["generation", "comparison"])
def test_a_signal_ends_all_seeds_and_not_only_the_one_under_way(tmp_path, monkeypatch, when):
    result = Run.result

    def signalled(self, compilations):
        signal.raise_signal(signal.SIGTERM)
        return result(self, compilations)

    def search(seed, directory, tell):
        def told(record):
            tell(record)
            if when == "generation":
                signal.raise_signal(signal.SIGTERM)

        return searches(seed, directory, told)

    usual, searches = signal.getsignal(signal.SIGTERM), Searches(problem())
    with monkeypatch.context() as patched:
        if when == "comparison":
            patched.setattr(Run, "result", signalled)
        standing = run_seeds(problem(), CONFIG, [0, 1, 2], tmp_path, search)
    assert searches.seeds == [0]
    assert standing.interrupted
    assert list(standing.done) == ([0] if when == "comparison" else [])
    assert terminated(), "so that the command is started again"
    assert signal.getsignal(signal.SIGTERM) == usual
    assert not run_seeds(problem(), CONFIG, [0, 1, 2], tmp_path, Searches(problem())).interrupted


def test_a_run_of_another_seed_is_refused(tmp_path):
    run_seeds(problem(), CONFIG, [0], tmp_path, Searches(problem()))
    shutil.copytree(tmp_path / "seed-0", tmp_path / "seed-1")
    with pytest.raises(ValueError, match=r"it has the seed 0: give another --out"):
        run_seeds(problem(), CONFIG, [1], tmp_path, Searches(problem()))


@pytest.mark.slow
def test_the_command_leaves_a_run_for_each_seed_a_table_and_a_picture(tmp_path, capsys):
    out = tmp_path / "all"
    command = ["evolve", "CartPole-v1", "--seeds", "0-1", "4", "--out", str(out), *OPTIONS]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "champions of 3 seeds" in shown
    assert "median [quartiles]" in shown
    assert (out / "curves.png").exists()
    assert all(read(out / f"seed-{seed}").complete for seed in (0, 1, 4)), "with a report each"
    configs = [read(out / f"seed-{seed}").config for seed in (0, 1, 4)]
    assert all(asdict(config) == asdict(configs[0]) for config in configs)
    assert configs[0].cases == "episodes"
    assert main([*command, "--distributed"]) == 0, "which needs no other process"
    assert "champions of 3 seeds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--seeds", "3-1"], "--seeds: must be a number or a range of them, such as 0-31, got '3-1'"),
        (["--seeds", "a"], "--seeds: must be a number or a range of them, such as 0-31, got 'a'"),
        (["--seeds", "0-99999999999"], "--seeds: must be 100000 seeds at the most, got '0-99999999999'"),
        (["--seeds", "0-2", "1"], "--seeds: must be different seeds, got '0-2 1'"),
        (["--seeds", "0-2", "--seed", "1"], "--seed: must be left out where there are --seeds, got 1"),
        (["--seeds", "0-2", "--overwrite"], "--overwrite: must be left out where there are --seeds, whose runs go on, got True"),
    ],
)
def test_wrong_seeds_are_one_line(capsys, given, message):
    assert main(["evolve", "CartPole-v1", *given]) == 2
    assert capsys.readouterr().err.strip() == f"wannjax: {message}"
