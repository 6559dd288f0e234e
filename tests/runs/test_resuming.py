"""Runs that are killed and resumed are the same runs: in real processes, killed at any moment."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import saved_run
from marking import slow
from saved_run import without_costs

import wannjax
from wannjax.runs.checkpoints import Checkpoints

pytestmark = pytest.mark.usefixtures("without_report")

SCRIPT = Path(saved_run.__file__)
FOLDERS = {"search": "checkpoints", "quick": "checkpoints", "training": "training-checkpoints"}


def started(kind, directory, devices=1):
    command = [sys.executable, SCRIPT, kind, directory, str(devices)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process):
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output.split("found\n")[1].splitlines()


def during_a_generation(process, _folder, rng):
    process.stdout.readline()
    time.sleep(rng.uniform(0, 0.2))


def during_a_write(process, folder, rng):
    process.stdout.readline()
    until = time.monotonic() + 30
    while not list(folder.glob(".incoming*")) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.0005)
    time.sleep(rng.uniform(0, 0.02))


def after_a_write(process, folder, _rng):
    process.stdout.readline()
    before, until = Checkpoints(folder).numbers(), time.monotonic() + 30
    while Checkpoints(folder).numbers() == before and process.poll() is None and time.monotonic() < until:
        time.sleep(0.0005)


def assert_the_same_when_killed(kind, moments, directory, seed, expected):
    """Kills a run at `moments`, looks that no checkpoint which was there is lost, and compares what comes out in the end."""
    rng, folder = random.Random(seed), directory / "killed" / FOLDERS[kind]
    for moment in moments:
        process = started(kind, directory / "killed")
        moment(process, folder, rng)
        saved = Checkpoints(folder).numbers()
        process.kill()
        process.communicate()
        if saved:
            assert Checkpoints(folder).newest().number >= saved[0]
    assert without_costs(finished(started(kind, directory / "killed"))) == without_costs(expected)


@pytest.mark.slow
def test_a_killed_search_ends_as_one_that_was_not(whole, tmp_path):
    assert_the_same_when_killed("quick", [during_a_generation, during_a_write, after_a_write], tmp_path, seed=0, expected=whole)


@pytest.mark.slow
@pytest.mark.nightly
def test_a_search_on_data_that_was_ended_goes_on_to_the_same_result_on_another_number_of_devices(tmp_path):
    expected = saved_run.outcome(saved_run.data(None))
    assert saved_run.data(tmp_path, callbacks=[lambda record: record.generation == 5]).interrupted
    assert without_costs(finished(started("data", tmp_path, devices=2))) == without_costs(expected)


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ["search", "training"])
def test_twenty_kills_change_nothing(kind, tmp_path):
    moments = [(during_a_generation, during_a_write, after_a_write)[i % 3] for i in range(20)]
    expected = finished(started(kind, tmp_path / "whole"))
    assert_the_same_when_killed(kind, moments, tmp_path, seed=1, expected=expected)


@pytest.mark.nightly
def test_a_search_can_be_resumed_on_another_number_of_devices(tmp_path):
    expected = finished(started("search", tmp_path / "whole"))
    process = started("search", tmp_path / "moved")
    process.stdout.readline()
    process.kill()
    process.communicate()
    assert without_costs(finished(started("search", tmp_path / "moved", devices=3))) == without_costs(expected)


@pytest.mark.nightly
def test_the_number_of_devices_does_not_change_a_run(tmp_path):
    """Nor does it matter that none of them divides the population."""
    one, *more = (without_costs(finished(started("search", tmp_path / str(n), devices=n))) for n in (1, 2, 4, 8))
    assert all(other == one for other in more)


@pytest.fixture(scope="module")
def whole():
    return saved_run.outcome(saved_run.quick(None))


def test_saving_does_not_change_a_run(whole, tmp_path):
    assert saved_run.outcome(saved_run.quick(tmp_path)) == whole


def test_a_run_that_a_callback_ended_goes_on(whole, tmp_path):
    for end in (2, 5):
        assert saved_run.quick(tmp_path, resume=True, callbacks=[lambda record, end=end: record.generation == end]).interrupted
    assert saved_run.outcome(saved_run.quick(tmp_path, resume=True)) == whole


def test_a_finished_run_goes_on_with_more_generations(whole, tmp_path):
    assert not saved_run.quick(tmp_path, generations=5).interrupted
    assert saved_run.outcome(saved_run.quick(tmp_path, resume=True)) == whole


def test_a_finished_run_that_is_resumed_gives_its_result_again(whole, tmp_path):
    saved_run.quick(tmp_path)
    assert saved_run.outcome(saved_run.quick(tmp_path, resume=True)) == whole


@pytest.mark.parametrize(
    ("method", "name"),
    [
        *slow((saved_run.METHOD, "CartPoleSwingUp-v0")),
        pytest.param(wannjax.Gradient(), "CartPoleSwingUp-v0", marks=pytest.mark.nightly),
        pytest.param(wannjax.PolicyGradient(), "CartPole-v1", marks=pytest.mark.nightly),
    ],
)
def test_training_that_was_ended_goes_on(method, name, tmp_path):
    settings = dict(method=method, name=name, steps=4)
    expected = saved_run.outcome(saved_run.training(None, **settings))
    assert saved_run.training(tmp_path, **settings, callbacks=[lambda record: record.step == 2]).interrupted
    assert saved_run.outcome(saved_run.training(tmp_path, **settings, resume=True)) == expected


def test_only_the_newest_checkpoints_are_kept(tmp_path):
    saved_run.quick(tmp_path)
    assert Checkpoints(tmp_path / "checkpoints").numbers() == [12, 11, 10]


def test_the_first_and_the_last_are_saved_and_time_decides_between(tmp_path):
    saved_run.quick(tmp_path, save_every=3600.0)
    assert Checkpoints(tmp_path / "checkpoints").numbers() == [12, 1]


def test_wall_time_adds_up(tmp_path):
    first = saved_run.quick(tmp_path, callbacks=[lambda record: record.generation == 2])
    second = saved_run.quick(tmp_path, resume=True)
    assert second.seconds > first.history["seconds"].sum()
