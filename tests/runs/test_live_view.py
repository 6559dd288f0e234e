"""The live view: what it shows in little room, as it stands, and how it estimates the time left."""

import io

import numpy as np
import pytest
from rich.console import Console
from runs_support import Larger

import wannjax
from wannjax.common import devices
from wannjax.common.terminal import screen
from wannjax.runs import progress
from wannjax.runs.progress import LiveView, View, describe_speed

FACTS = "mean -1234.5, best -1234.5; champion -1234.5 with 1234 connections; 12.3 M alive steps/s"


class Clock:
    """`time.perf_counter`, as it is told."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def view_on(file, width=80, terminal=True, total=300):
    return View("generation", total, "out [red]", "facts", Console(file=file, width=width, force_terminal=terminal, markup=False))


@pytest.mark.parametrize("width", [60, 80, 200])
def test_generation_bar_and_time_left_stay_whatever_the_width(width, clock):
    view = view_on(io.StringIO(), width)
    for done, now in ((149, 60.0), (150, 61.0)):
        clock.now = now
        view.show(done, FACTS)
    console = Console(file=io.StringIO(), width=width)
    console.print(view._drawn())
    first, *rest = console.file.getvalue().splitlines()
    assert "generation 150/300" in first
    assert "0:02:30 left" in first
    assert "━" in first
    assert " ".join(" ".join(rest).split()) == FACTS


def test_the_time_left_does_not_count_compiling(clock):
    with view_on(io.StringIO(), terminal=False) as view:
        lines = []
        view.say = lines.append
        for done, now in ((1, 60.0), (2, 71.0), (3, 82.0)):  # one generation takes 11 s, and compiling 49
            clock.now = now
            view.show(done, "facts")
    lefts = {1: "", 2: f"  {298 * 11} s left", 3: f"  {297 * 11} s left"}
    assert lines == [f"generation {done}/300  facts{left}" for done, left in lefts.items()]


def test_a_training_that_reports_every_tenth_step_knows_the_time_left(clock):
    with view_on(io.StringIO(), terminal=False, total=100) as view:
        assert view._seconds_left(10, 50.0) is None
        assert view._seconds_left(20, 60.0) == 80.0
        assert view._seconds_left(100, 140.0) is None


def test_names_are_shown_as_they_stand_and_lines_are_not_wrapped(capsys):
    class Nasty(Larger):
        name = "[red]speed[/] [m/s] \x1b[31m" + "long " * 30

    wannjax.evolve(
        Nasty(),
        wannjax.WannConfig(population=8, generations=1, episodes=1, confirm_episodes=1),
    )
    error = capsys.readouterr().err
    assert error.startswith("[red]speed[/] [m/s] \\x1b[31mlong long")
    assert error.splitlines()[0].rstrip().endswith("cpu")
    assert [line.split()[0] for line in error.splitlines() if "idle" not in line][1:] == ["generation", "comparing"]


def test_one_input_is_no_inputs(capsys):
    LiveView(Larger(), wannjax.WannConfig(episodes=1), console=screen(stderr=True))
    assert "2 inputs, 1 output; wann" in capsys.readouterr().err


def test_on_data_it_speaks_of_examples(capsys):
    data = wannjax.DataProblem(np.eye(40), np.arange(40) % 2, batch=8, validation=0)
    for episodes, examples in ((3, 24), (9, 40)):
        LiveView(data, wannjax.WannConfig(episodes=episodes), console=screen(stderr=True))
        assert f"6 shared weights x {examples} examples; " in capsys.readouterr().err
    assert describe_speed(data, 3e6, 2.0) == "1.5 M examples/s"
    assert describe_speed(Larger(), 3e6, 2.0) == "1.5 M alive steps/s"


def test_on_a_gpu_the_first_line_says_how_an_episode_runs(monkeypatch, capsys):
    monkeypatch.setattr(devices, "on_gpu", lambda: True)
    for name, words in (("CartPole-v1", "cpu, an episode as one kernel"), ("Breakout-MinAtar", "cpu, an episode step by step: state and")):
        LiveView(wannjax.make(name), wannjax.WannConfig(episodes=1), console=screen(stderr=True))
        assert words in capsys.readouterr().err
