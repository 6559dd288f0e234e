"""The command line: a run and its files, the table, and one-line errors; in real processes too."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import partial

import pytest
from as_threads import in_processes
from marking import nightly

import wannjax as package
from wannjax import EvolutionStrategy, PolicyGradient
from wannjax.cli import main
from wannjax.cli.options import exit_code, new_directory
from wannjax.common import interrupts
from wannjax.runs import run_directory

SMALL = ["--population", "16", "--generations", "3", "--episodes", "1", "--confirm-episodes", "2"]


def wannjax(*arguments, cwd):
    return subprocess.run([sys.executable, "-m", "wannjax", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A directory and what is printed; in this process, of whose programs the other tests have a use."""
    directory, printed, progress = tmp_path_factory.mktemp("runs") / "one", io.StringIO(), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(progress):
        code = main(["evolve", "CartPole-v1", *SMALL, "--out", str(directory)])
    return directory, subprocess.CompletedProcess("evolve", code, printed.getvalue(), progress.getvalue())


@pytest.mark.slow
@pytest.mark.nightly
def test_a_real_process_finds_the_same(run, tmp_path):
    directory, _ = run
    process = wannjax("evolve", "CartPole-v1", *SMALL, "--out", "one", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "random shared weight" in process.stdout
    assert "generation 3/3" in process.stderr
    for name in ("champion.json", "front.json"):
        assert (tmp_path / "one" / name).read_text() == (directory / name).read_text()


@pytest.mark.slow
def test_a_real_process_prints_and_says_how_it_went(tmp_path):
    found, failed = wannjax("environments", cwd=tmp_path), wannjax("evaluate", "nothing.json", cwd=tmp_path)
    assert (found.returncode, found.stderr, failed.returncode, failed.stdout) == (0, "", 2, "")
    assert "CartPole-v1" in found.stdout.split()
    assert failed.stderr.startswith("wannjax: ")


def test_a_run_leaves_its_files_and_prints_the_table(run):
    directory, process = run
    assert process.returncode == 0, process.stderr
    names = {path.name for path in directory.iterdir() if not path.name.startswith(".")}
    assert names == {
        "champion.json",
        "front.json",
        "history.csv",
        "config.json",
        "champion.png",
        "curves.png",
        "checkpoints",
        "growth.json",
        "report.html",
    }
    assert "random shared weight" in process.stdout
    assert "generation 3/3" in process.stderr


def test_history_and_config_say_what_was_run(run):
    directory, _ = run
    with open(directory / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["generation"] for row in rows] == ["1", "2", "3"]
    config = json.loads((directory / "config.json").read_text())
    assert config["problem"] == "CartPole-v1"
    assert config["config"]["population"] == 16
    assert {"wannjax", "jax", "gymnax", "python"} == set(config["versions"])


def test_pictures_are_pictures(run):
    directory, _ = run
    for name in ("champion.png", "curves.png"):
        assert (directory / name).read_bytes().startswith(b"\x89PNG\r\n")


def test_evaluate_prints_the_table_of_a_run_and_of_a_file(run, capsys):
    directory, _ = run
    assert main(["evaluate", str(directory), "--episodes", "3"]) == 0
    of_run = capsys.readouterr().out
    assert main(["evaluate", str(directory / "champion.json"), "CartPole-v1", "--episodes", "3"]) == 0
    assert capsys.readouterr().out == of_run
    assert "tuned shared weight" in of_run


EVOLUTION = ["--method", "evolution", "--population", "8", "--deviation", "0.1"]


@pytest.fixture(scope="module")
def tuned(run, tmp_path_factory):
    directory = tmp_path_factory.mktemp("tuned") / "two"
    shutil.copytree(run[0], directory)
    return directory, wannjax("finetune", directory, "--steps", "2", *EVOLUTION, "--starts", "1", cwd=directory)


@pytest.mark.nightly
def test_training_adds_its_files_to_the_run(tuned):
    directory, process = tuned
    assert process.returncode == 0, process.stderr
    names = {path.name for path in directory.iterdir()}
    assert names >= {"champion.json", "tuned.json", "training.csv", "training.json", "training.png", "tuned.png"}
    assert "tuned weights" in process.stdout
    assert "step 2/2" in process.stderr
    with open(directory / "training.csv", newline="") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["0", "1", "2"]
    settings = json.loads((directory / "training.json").read_text())
    assert settings["method"] == "evolution"
    assert settings["settings"] == {"strategy": "auto", "population": 8, "episodes": 8, "deviation": 0.1, "learning_rate": 0.0}


@pytest.mark.nightly
def test_evaluate_of_a_trained_run_shows_the_fourth_column(tuned, capsys):
    directory, _ = tuned
    assert main(["evaluate", str(directory), "--episodes", "2"]) == 0
    assert "tuned weights" in capsys.readouterr().out


@pytest.mark.nightly
def test_an_earlier_training_is_refused_and_kept(tuned, capsys):
    directory, _ = tuned
    before = (directory / "tuned.json").read_text()
    assert main(["finetune", str(directory), "--steps", "1"]) == 2
    assert "must be without a tuned network (or give --overwrite)" in capsys.readouterr().err
    assert (directory / "tuned.json").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["finetune", "nothing.json", "CartPole-v1"], "nothing.json: no such run or file"),
        (["evolve", "mnist"], "--data: must be given for mnist"),
        (["evolve", "digits", "--data", "x"], "--data: must be given for mnist, and for nothing else"),
        (["evolve", "mnist", "--data", "nothing.npz"], "nothing.npz"),
        (["evolve", "CartPole-v9"], "did you mean CartPole-v1"),
        (["evolve", "CartPole-v1", "--population", "1"], "population: must be an integer >= 4, got 1"),
        (["evolve", "CartPole-v1", "--preset", "best"], "preset: must be one of"),
        (["evolve", "CartPole-v1", "--algorithm", "best"], "algorithm: must be one of wann, neat, got 'best'"),
        (["evolve", "CartPole-v1", "--algorithm", "neat", "--species", "0"], "species: must be an integer >= 1, got 0"),
        (["evolve", "CartPole-v1", "--algorithm", "neat", "--preset", "thorough"], "preset: must be one of default, small, paper"),
        (["evolve", "CartPole-v1", "--weights", "nan"], "weights: must be finite"),
        (["evolve", "CartPole-v1", "--resume"], "--resume: must be given with --out"),
        (["evolve", "CartPole-v1", "--processes", "2"], "coordinator, processes, process: must be given all or none"),
        (["evaluate", "nothing.json", "CartPole-v1"], "nothing.json: no such run or file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("wannjax: ")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_an_existing_run_is_refused_and_kept(run, capsys):
    directory, _ = run
    before = (directory / "champion.json").read_text()
    assert main(["evolve", "CartPole-v1", *SMALL, "--out", str(directory)]) == 2
    assert "must be new or empty (or give --overwrite)" in capsys.readouterr().err
    assert (directory / "champion.json").read_text() == before


def test_overwriting_removes_an_earlier_run_and_its_training_but_no_other_files(tmp_path):
    for name in (*run_directory.FILES, "notes.txt", "checkpoints/00000001/state.json", "training-checkpoints/00000001/state.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("old")
    run_directory.claim(tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "magic"], "method: must be one of gradient, policy_gradient, evolution, got 'magic'"),
        (["--method", "gradient"], "method: must be one that needs no gradients of the problem, which has none"),
        (["--steps", "0"], "steps: must be an integer >= 1, got 0"),
        (["--learning-rate", "-1"], "learning_rate: must be"),
        (["--method", "evolution", "--population", "0"], "population: must be an integer >= 4, got 0"),
        (["--minibatches", "7"], "minibatches: must be a divisor of episodes x horizon = 2048, got 7"),
        (
            ["--population", "4"],
            "--population: must be a setting of policy_gradient, which suits CartPole-v1 (or give --method evolution), got 4",
        ),
    ],
)
def test_bad_training_is_one_line_and_leaves_nothing(run, arguments, message, capsys):
    directory, _ = run
    before = sorted(directory.iterdir())
    assert main(["finetune", str(directory), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert sorted(directory.iterdir()) == before


def test_a_file_without_an_environment_is_refused(run, capsys):
    directory, _ = run
    assert main(["evaluate", str(directory / "champion.json")]) == 2
    assert "ENV: must be given" in capsys.readouterr().err


def test_help_lists_the_settings_of_the_search_that_is_asked_for(capsys):
    for algorithm, own, other in (("wann", "--tournament", "--species"), ("neat", "--species", "--tournament")):
        with pytest.raises(SystemExit):
            main(["evolve", "--algorithm", algorithm, "--help"])
        text = capsys.readouterr().out
        assert own in text
        assert other not in text


def test_help_lists_the_settings_of_the_method_that_is_asked_for_or_of_all(capsys):
    all_settings = {f"--{name}" for name in ("population", "deviation", "clip", "horizon", "learning-rate")}
    own = {"evolution": {"--population", "--deviation"}, "gradient": {"--clip"}, "policy_gradient": {"--deviation", "--clip", "--horizon"}}
    for method, expected in own.items():
        with pytest.raises(SystemExit):
            main(["finetune", "--method", method, "--help"])
        assert all_settings & set(capsys.readouterr().out.split()) == expected | {"--learning-rate"}
    with pytest.raises(SystemExit):
        main(["finetune", "--help"])
    text = capsys.readouterr().out
    assert all_settings <= set(text.split())
    assert "evolution: standard deviation of the weights" in " ".join(text.split())


@pytest.mark.parametrize(
    ("arguments", "method"),
    [
        ([*EVOLUTION, "--learning-rate", "1"], EvolutionStrategy(population=8, deviation=0.1, learning_rate=1.0)),
        (["--horizon", "32", "--clip", "0.1"], PolicyGradient(horizon=32, clip=0.1)),
        (["--clip", "0.5", "--method", "policy_gradient"], PolicyGradient(clip=0.5)),
    ],
)
def test_settings_of_a_method_reach_the_training(run, monkeypatch, arguments, method):
    given = []

    def training(*_, method, **options):
        given.append(method)
        raise ValueError("enough")

    monkeypatch.setattr("wannjax.finetune", training)
    assert main(["finetune", str(run[0]), *arguments]) == 2
    assert given == [method]


def test_environments_are_listed(capsys):
    assert main(["environments"]) == 0
    names = capsys.readouterr().out.split()
    assert {"CartPoleSwingUp-v0", "CartPole-v1", "Pong-misc", "digits", "mnist"} <= set(names)


def test_a_run_and_its_file_are_drawn_alike(run, tmp_path, capsys):
    directory, _ = run
    assert main(["draw", str(directory), "-o", str(tmp_path / "run.svg")]) == 0
    assert main(["draw", str(directory / "champion.json"), "-o", str(tmp_path / "file.svg")]) == 0
    assert (tmp_path / "run.svg").read_bytes() == (tmp_path / "file.svg").read_bytes()
    assert "written to" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.nightly
def test_a_film_is_made_and_its_returns_are_printed(run, tmp_path, capsys):
    directory, _ = run
    assert main(["watch", str(directory), "--weights", "-1", "2", "-o", str(tmp_path / "film.gif")]) == 0
    assert capsys.readouterr().out.startswith("return ")
    assert (tmp_path / "film.gif").read_bytes().startswith(b"GIF89a")


@pytest.mark.parametrize("command", ["draw", "watch"])
def test_another_ending_of_a_picture_is_one_line(command, run, capsys):
    directory, _ = run
    assert main([command, str(directory), "-o", "picture.bmp"]) == 2
    assert capsys.readouterr().err.startswith("wannjax: path: must be a file name that ends in")


@pytest.mark.slow
@pytest.mark.nightly
def test_a_training_that_left_a_tuned_network_is_resumed_with_the_options_of_before(run, tmp_path, capsys):
    directory = tmp_path / "run"
    shutil.copytree(run[0], directory)
    command = ["finetune", str(directory), *EVOLUTION, "--starts", "1", "--steps"]
    assert main([*command, "2"]) == 0
    before = (directory / "tuned.json").read_bytes()
    assert main([*command, "2", "--resume"]) == 0
    assert (directory / "tuned.json").read_bytes() == before
    assert main([*command, "3", "--resume"]) == 2
    assert "of a run with steps 3" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), *nightly((signal.SIGINT, 0))])
def test_a_run_that_a_cluster_ends_says_that_it_is_to_be_started_again(number, code, tmp_path, monkeypatch, ctrl_c, capsys):
    """Other signals, and what comes to a run that ends by itself, are no failure."""
    evolve, arguments = package.evolve, ["evolve", "CartPole-v1", *SMALL, "--out", str(tmp_path / "one")]
    monkeypatch.setattr(package, "evolve", partial(evolve, callbacks=[lambda record: os.kill(os.getpid(), number)]))
    assert main(arguments) == code
    assert "1 generation in" in capsys.readouterr().out
    assert main([*arguments, "--generations", "2", "--resume"]) == 0


def test_what_comes_to_one_process_all_say(monkeypatch):
    came, before = [False, True, False], interrupts.terminated()
    monkeypatch.setattr("wannjax.cli.options.terminated", lambda: came.pop())
    assert in_processes(3, lambda process: exit_code(interrupted=True)) == [75] * 3
    assert in_processes(3, lambda process: exit_code(interrupted=False)) == [0] * 3
    assert interrupts.terminated() == before


def test_processes_whose_clocks_differ_write_into_one_directory(monkeypatch):
    ticks = iter(range(10))
    monkeypatch.setattr("time.strftime", lambda form: f"at {next(ticks)}")
    first, second = in_processes(2, lambda process: new_directory("CartPole-v1", "seed0"))
    assert first == second


@pytest.mark.slow
@pytest.mark.nightly
def test_the_command_line_resumes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = ["--population", "16", "--episodes", "1", "--confirm-episodes", "2"]
    assert main(["evolve", "CartPole-v1", *small, "--generations", "2", "--out", "run"]) == 0
    assert main(["resume", "run", "--generations", "3"]) == 0
    assert main(["evolve", "CartPole-v1", *small, "--generations", "4", "--out", "run", "--resume"]) == 0
    assert "4 generations in" in capsys.readouterr().out
    assert main(["evolve", "CartPole-v1", *small, "--generations", "4", "--out", "whole"]) == 0
    for name in ("champion.json", "front.json"):
        assert (tmp_path / "run" / name).read_text() == (tmp_path / "whole" / name).read_text()
    assert main(["evolve", "CartPole-v1", *small, "--generations", "1", "--start", "run", "--out", "next"]) == 0
    assert main(["resume", "next", "--generations", "2"]) == 0
