"""The one command for whoever has an accelerator: what it calls agreement, what it skips, and that it runs."""

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks import rivals
from benchmarks.accelerator import Clock
from benchmarks.accelerator_report import tables_of
from benchmarks.agreement import Case, Outcome, compared

CASE = Case("CartPole-v1", "shared weights")


def outcome(seed=0):
    rng = np.random.default_rng(seed)
    steps = rng.integers(10, 500, (50, 24))
    return Outcome(steps.astype(np.float32), steps)


def test_equal_outcomes_agree():
    found = compared(CASE, "XLA", outcome(), outcome())
    assert (found.equal, found.largest, found.mean, found.near, found.holds) == (1.0, 0.0, 0.0, 1.0, True)


def test_few_episodes_may_end_at_another_step():
    here, there = outcome(), outcome()
    here.steps[0, :6] += 1
    here.scores[0, :6] *= 2
    found = compared(CASE, "XLA", here, there)
    assert found.equal == 1 - 6 / 1200
    assert found.largest == 0.0
    assert found.holds


@pytest.mark.parametrize("wrong", ["lengths", "scores", "not finite"])
def test_what_differs_does_not_agree(wrong):
    here, there = outcome(), outcome()
    if wrong == "lengths":
        here.steps[0] += 1
    else:
        here.scores[:] = here.scores * 1.02 if wrong == "scores" else np.nan
    assert not compared(CASE, "XLA", here, there).holds


def test_mean_scores_have_no_lengths():
    scores = np.array([-2.0, 1.0, 0.0])
    found = compared(CASE, "XLA", Outcome(scores * 1.005, np.zeros(0, int)), Outcome(scores, np.zeros(0, int)))
    assert found.equal == 1.0
    assert found.largest == pytest.approx(0.005 / 1.005)
    assert found.mean == pytest.approx(0.005 / 3 / 1.005)


def test_what_there_is_no_time_for_is_named(capsys):
    clock = Clock(1.0)
    assert clock.allows("peers", 30)
    assert not clock.allows("a search", 50)
    assert "skipped: a search (it takes about 50 s, 4" in capsys.readouterr().out


def test_a_published_figure_has_a_row_without_a_rate(monkeypatch):
    monkeypatch.setattr(rivals, "find_spec", lambda name: None)
    rows = [row._asdict() for row in rivals.robot_rows("hopper", 8, 1)]
    (table,) = tables_of({"agreement": "not known", "robots": rows})
    assert [row[1:5] for row in table.rows] == [["wannjax", "8", "", ""], ["TensorNEAT", "10,000", "2.413", ""]]


def run(*arguments):
    return subprocess.run([sys.executable, "-m", "benchmarks.accelerator", *arguments], capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--minutes", "0"], "--minutes: must be a number from 0.5 to 1440, got 0.0"),
        (["--minutes", "nan"], "--minutes: must be a number from 0.5 to 1440, got nan"),
        (["--out", __file__], "test_accelerator.py"),
    ],
)
@pytest.mark.nightly
def test_bad_arguments_are_one_line(arguments, named):
    done = run(*arguments)
    assert done.returncode == 2
    assert named in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.nightly
def test_it_runs_on_a_cpu_and_says_so(tmp_path):
    done = run("--quick", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "a CPU: no accelerator is used" in done.stdout
    record = json.loads((tmp_path / "accelerator.json").read_text())
    assert record["agrees"]
    assert [(row["population"], row["form"], row["note"]) for row in record["throughput"]] == [(16, "XLA", ""), (32, "XLA", "")]
    assert all(0 < row["alive_steps_per_second"] <= row["total_steps_per_second"] for row in record["throughput"])
    assert {"neat", "search", "peers"} <= set(record)
    (robot,) = record["robots"]
    assert robot["task"] == rivals.BRAX_TASK.format("inverted_pendulum")
    assert robot["note"] == ("" if find_spec("brax") else "brax is not installed")
    assert not find_spec("brax") or robot["seconds"] > 0 < robot["alive"]
    assert "| CartPole-v1 | 29 | 32 | XLA |" in (tmp_path / "accelerator.md").read_text()
    assert (tmp_path / "accelerator.png").stat().st_size > 10_000
