"""Ctrl-C, twice: what is said at once, and what the second one leaves; in this process, and among the nightly tests in one of its own.

As a program (arguments: directory, and where to stay) it is the run that is interrupted, and says where it is.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from marking import nightly
from saved_run import OfTapes
from training_support import ES, LINE, Quadratic

import wannjax
from wannjax.finetuning.training import Training
from wannjax.runs import run_directory
from wannjax.runs.checkpoints import Checkpoints
from wannjax.runs.run import Run


def stay(where):
    """Says where the run is, and never ends."""
    print(where, flush=True)
    time.sleep(60)


def press(_where):
    """Presses Ctrl-C twice."""
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)


def start(directory, where, met, replace=setattr):
    """A run that meets `met` at `where`."""
    if where == "tuned":
        replace(Training, "result", lambda training: met(where))
        wannjax.finetune(LINE, Quadratic(), method=ES, steps=2, run_dir=directory)
        return
    if where == "comparison":
        replace(Run, "result", lambda run, compilations: met(where))
    steps = [lambda record: met(where) if where == "generation" and record.generation == 2 else None]
    config = wannjax.WannConfig(population=8, generations=2 if where != "generation" else 9, episodes=1, confirm_episodes=1)
    wannjax.evolve(OfTapes(), config, run_dir=directory, callbacks=steps, finish=lambda *_: met(where), save_every=3600.0)


if __name__ == "__main__":
    start(*sys.argv[1:], stay)


def in_a_process(directory, where):
    path = os.pathsep.join([str(Path(__file__).parents[1] / "support"), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, __file__, str(directory), where]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    ) as process:
        assert process.stdout.readline().strip() == where
        process.send_signal(signal.SIGINT)
        while not (said := process.stderr.readline()).startswith("wannjax: "):
            assert said
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=60)[1]
    assert "KeyboardInterrupt" in rest
    return said, rest


@pytest.fixture(params=["here", *nightly("in a process")])
def interrupted_twice(request, ctrl_c, monkeypatch, capsys):
    """What the run in a directory says on standard error, each time."""

    def here(directory, where):
        with pytest.raises(KeyboardInterrupt) as caught:
            start(directory, where, press, monkeypatch.setattr)
        (said,) = (line for line in capsys.readouterr().err.splitlines(keepends=True) if line.startswith("wannjax: "))
        return said, "\n".join(caught.value.__notes__)

    return here if request.param == "here" else in_a_process


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("generation", "stopping after this generation; again to stop now, and `resume=True` goes on"),
        ("comparison", "finishing; again to stop now, and what was found is in DIRECTORY"),
        ("report", "finishing; again to stop now, and what was found is in DIRECTORY"),
    ],
)
def test_a_second_ctrl_c_leaves_a_directory_of_use(where, words, interrupted_twice, tmp_path):
    said, rest = interrupted_twice(tmp_path, where)
    assert said == f"wannjax: {words.replace('DIRECTORY', str(tmp_path))}\n"
    assert f"what was found is in {tmp_path}" in rest
    saved = run_directory.read(tmp_path)
    assert saved.champion.inputs == 3
    assert len(saved.history["generation"]) == 2
    assert 1 <= len(saved.front) <= 8
    assert saved.front_means[0] <= json.loads((tmp_path / "config.json").read_text())["mean score"] + 0.001
    assert Checkpoints(tmp_path / run_directory.CHECKPOINTS).numbers()[-1] == 1  # from which it goes on


def test_a_second_ctrl_c_leaves_the_best_weights_so_far(interrupted_twice, tmp_path):
    said, rest = interrupted_twice(tmp_path, "tuned")
    assert said == f"wannjax: finishing; again to stop now, and what was found is in {tmp_path}\n"
    assert "the same with `--resume`, or `resume=True`, goes on" in rest
    assert wannjax.load(tmp_path / "tuned.json").weights is not None
    assert json.loads((tmp_path / "training.json").read_text())["steps run"] == 2
