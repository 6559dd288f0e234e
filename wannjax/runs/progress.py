"""The live views of long runs: callbacks that draw a progress bar on a terminal, and print a line
now and then elsewhere.
"""

import time
from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from wannjax.common.devices import describe, idle_cores
from wannjax.common.digits import number, numbers
from wannjax.common.terminal import screen
from wannjax.common.wording import counted, printable
from wannjax.problems.capabilities import Episodic, Supervised
from wannjax.problems.problem import Problem
from wannjax.runs.records import TrainingRecord
from wannjax.search.registry import Config

_LINE_SECONDS = 10.0
"""Seconds between two lines where there is no terminal."""
_LATEST = 32
"""Reports of progress that the time left is estimated from."""


_SEEDS = 8
"""Seeds of other processes that have a line."""

ViewT = TypeVar("ViewT", bound="View")


class View:
    """A progress bar that counts `unit`s up to `total`, and beneath it what is going on; a context
    manager.
    """

    def __init__(self, unit: str, total: int, name: str, facts: str, console: Console | None, done: int = 0):
        self.console = console or screen(stderr=True)
        self.unit, self.total, self.before = unit, total, done
        self.progress = Progress(
            TextColumn(unit + " {task.completed}/{task.total}", markup=False),
            BarColumn(bar_width=24, table_column=Column()),  # the first to shrink
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=self.console,
        )
        self.task = self.progress.add_task("", total=total, completed=done)
        self.text, self.now = "", "compiling…"
        self.live = Live(get_renderable=self._drawn, console=self.console, refresh_per_second=4) if self.console.is_terminal else None
        self.printed = time.perf_counter()
        self._paces: deque[float] = deque(maxlen=_LATEST)
        self._latest: tuple[int, float] | None = None
        self.say(Text.assemble((printable(name), "bold"), f": {facts}"))
        if idle := idle_cores():
            hint = f"{counted(idle, 'CPU core')} idle:"
            self.say(Text.assemble((hint, "yellow"), " call wannjax.use_all_cores() before any JAX computation to use all of them"))

    def __enter__(self: ViewT) -> ViewT:
        if self.live:
            self.live.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.now = ""  # the last picture stays, and shows what came of it
        if self.live:
            self.live.stop()

    def show(self, done: int, text: str) -> None:
        """Tells that so much is done, and what came of it."""
        now = time.perf_counter()
        left = self._seconds_left(done, now)
        self.text, self.now = text, ""
        self.progress.update(self.task, completed=done, description="" if left is None else f"{timedelta(seconds=round(left))} left")
        due = done in (self.before + 1, self.total) or now - self.printed > _LINE_SECONDS
        if self.live is None and due:
            self.printed = now
            self.say(f"{self.unit} {done}/{self.total}  {text}" + ("" if left is None else f"  {left:.0f} s left"))

    def doing(self, text: str) -> None:
        """Tells what is being done now that all steps are."""
        self.now = text
        self.progress.update(self.task, description="")
        if self.live is None:
            self.say(text)

    def say(self, text: str | Text) -> None:
        """Prints lines above the bar."""
        self.console.print(text if isinstance(text, Text) else Text(text), soft_wrap=not self.console.is_terminal)

    def _drawn(self) -> Group:
        return Group(self.progress, Text(self.now or self.text))

    def _seconds_left(self, done: int, now: float) -> float | None:
        """By the median pace of late; None where none is known. The time up to the first report is
        no pace: it went into compiling.
        """
        if self._latest is not None and done > self._latest[0]:
            self._paces.append((now - self._latest[1]) / (done - self._latest[0]))
        self._latest = (done, now)
        return float(np.median(self._paces)) * (self.total - done) if self._paces and done < self.total else None


def _where(problem: Problem) -> str:
    """The devices in use, and how an episode runs on them."""
    form = problem.form_in_words() if isinstance(problem, Episodic) else ""
    return f"{describe()}, an episode {form}" if form else describe()


def _sample(problem: Problem, episodes: int) -> str:
    """What a network is scored on in a generation, at each weight."""
    if isinstance(problem, Supervised):
        return counted(min(episodes * problem.batch, problem.size), "example")
    return counted(episodes, "episode")


def describe_speed(problem: Problem, steps: float, seconds: float) -> str:
    """How fast so many alive steps, or examples of data, were scored."""
    speed = steps / seconds / 1e6 if seconds > 0 else np.nan
    return f"{speed:.1f} M {'examples' if isinstance(problem, Supervised) else 'alive steps'}/s"


class LiveView(View):
    """Shows a search as it goes: a callback of `evolve`."""

    def __init__(self, problem: Problem, config: Config, done: int = 0, console: Console | None = None):
        resumed = f"resumed after generation {done}; " if done else ""
        sweep = f"{len(config.weights)} shared weights x " if len(config.weights) > 1 else ""
        self.problem = problem
        facts = (
            f"{counted(problem.inputs, 'input')}, {counted(problem.outputs, 'output')}; {config.name}, population "
            f"{config.population}, {sweep}{_sample(problem, config.episodes)}; {resumed}{_where(problem)}"
        )
        super().__init__("generation", config.generations, problem.name, facts, console, done)

    def __call__(self, record: Any) -> None:
        self.show(record.generation, describe_record(record, self.problem))


class ManyView(View):
    """Shows several searches as they go, by their medians."""

    def __init__(self, problem: Problem, config: Config, runs: int, console: Console | None = None):
        self.problem = problem
        facts = (
            f"{counted(problem.inputs, 'input')}, {counted(problem.outputs, 'output')}; {counted(runs, 'run')} of population "
            f"{config.population}, {counted(len(config.weights), 'shared weight')} x {_sample(problem, config.episodes)}; "
            f"{_where(problem)}"
        )
        super().__init__("generation", config.generations, problem.name, facts, console)

    def __call__(self, records: list[Any]) -> None:
        low, median, high = np.quantile([record.champion_score for record in records], (0.25, 0.5, 0.75))
        shown = numbers([median, low, high], high - low)
        connections = float(np.median([record.champion_connections for record in records]))
        work = sum(record.alive_steps for record in records), sum(record.rollout_seconds for record in records)
        self.show(
            records[0].generation,
            f"median champion {shown[0]} (quartiles {shown[1]} to {shown[2]}) with {counted(connections, 'connection')}; "
            f"{describe_speed(self.problem, *work)}",
        )


class SeedsView(View):
    """Shows searches over seeds as they go, wherever they do: the generations of all, how many are
    done, and a line for those that have begun, the own first.

    Attributes:
        open: the seeds that are not known to be done.
    """

    def __init__(self, problem: Problem, config: Config, saved: Mapping[int, int], console: Console | None = None):
        """`saved` has the generations of every seed that there are already."""
        self.generations, self.open = config.generations, set(saved)
        self._seeds = {seed: (run, "not here") for seed, run in saved.items()}
        self._latest_seed: int | None = None
        facts = f"{counted(len(saved), 'seed')} of {counted(config.generations, 'generation')}; {_where(problem)}"
        super().__init__("generation", len(saved) * config.generations, problem.name, facts, console, sum(saved.values()))

    def note(self, seed: int, generation: int, text: str) -> None:
        """Takes down how far the search of a seed is, and what came of it."""
        self._seeds[seed] = generation, text

    def tell(self, seed: int, generation: int, text: str) -> None:
        """Tells how far the search of a seed is."""
        self.note(seed, generation, text)
        self._latest_seed = seed
        self.show(sum(run for run, _ in self._seeds.values()), f"{self._ended()}; seed {seed}: {generation}/{self.generations}  {text}")

    def end(self, seed: int, mean: float) -> None:
        """Tells that the search of a seed is done, with the champion's mean score."""
        self.open.discard(seed)
        self.tell(seed, self.generations, f"champion {number(mean)}")

    def _drawn(self) -> Group:
        others = [seed for seed in self._seeds if seed in self.open and self._seeds[seed][0] and seed != self._latest_seed]
        shown = [*([self._latest_seed] if self._latest_seed is not None else []), *others[:_SEEDS]]
        lines = [f"seed {seed}: {self._seeds[seed][0]}/{self.generations}  {self._seeds[seed][1]}" for seed in shown]
        more = [f"and {counted(len(others) - _SEEDS, 'seed')} that others have begun"] if len(others) > _SEEDS else []
        return Group(self.progress, *map(Text, [self._ended(), *lines, *more]))

    def _ended(self) -> str:
        return f"{len(self._seeds) - len(self.open)} of {counted(len(self._seeds), 'seed')} done"


class TrainingView(View):
    """Shows training as it goes: a callback of `finetune`."""

    def __init__(
        self,
        problem: Problem,
        method: str,
        connections: int,
        members: int,
        steps: int,
        done: int = 0,
        console: Console | None = None,
    ):
        resumed = f"resumed after step {done}; " if done else ""
        facts = f"{counted(connections, 'weight')} from {counted(members, 'start')} by {method}; {resumed}{describe()}"
        super().__init__("step", steps, problem.name, facts, console, done)

    def __call__(self, record: TrainingRecord) -> None:
        if record.step > self.before:
            self.show(record.step, f"held out: best {number(record.held_out_score)}, median {number(record.median_score)}")


def describe_record(record: Any, problem: Problem) -> str:
    """One generation in one line."""
    speed = describe_speed(problem, record.alive_steps, record.rollout_seconds)
    bad = f", {record.non_finite} not finite" if record.non_finite else ""
    return (
        f"mean {number(record.mean_score)}, best {number(record.best_score)}{bad}; champion {number(record.champion_score)} "
        f"with {counted(record.champion_connections, 'connection')}; {speed}"
    )
