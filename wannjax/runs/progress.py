"""The live views of long runs: callbacks that draw a progress bar on a terminal, and print a line
now and then elsewhere.
"""

import time
from types import TracebackType
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from wannjax.common.devices import describe, idle_cores
from wannjax.common.digits import number, numbers
from wannjax.problems.problem import Problem
from wannjax.runs.records import Record, TrainingRecord
from wannjax.search.registry import Config

_LINE_SECONDS = 10.0
"""Seconds between two lines where there is no terminal."""


ViewT = TypeVar("ViewT", bound="_View")


class _View:
    """A progress bar that counts `unit`s up to `total`; a context manager."""

    def __init__(self, unit: str, total: int, headline: str, console: Console | None, done: int = 0):
        self.console = console or Console(stderr=True)
        self.unit, self.total, self.before = unit, total, done
        self.progress = Progress(
            TextColumn(unit + " {task.completed}/{task.total}"),
            BarColumn(bar_width=24),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self.task = self.progress.add_task("compiling…", total=total, completed=done)
        self.live = Live(self.progress, console=self.console, refresh_per_second=4) if self.console.is_terminal else None
        self.console.print(headline, highlight=False)
        if idle := idle_cores():
            self.console.print(
                f"[yellow]{idle} CPU core{'s' if idle > 1 else ''} idle:[/yellow] call wannjax.use_all_cores() before any JAX "
                "computation to use all of them",
                highlight=False,
            )

    def __enter__(self: ViewT) -> ViewT:
        self.started = self.printed = time.perf_counter()
        if self.live:
            self.live.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.live:
            self.live.stop()

    def show(self, done: int, text: str) -> None:
        self.progress.update(self.task, completed=done, description=text)
        now = time.perf_counter()
        due = done in (self.before + 1, self.total) or now - self.printed > _LINE_SECONDS
        if self.live is None and due:
            self.printed = now
            left = (now - self.started) / (done - self.before) * (self.total - done)
            self.console.print(f"{self.unit} {done}/{self.total}  {text}  {left:.0f} s left", highlight=False, soft_wrap=True)


class LiveView(_View):
    """Shows a search as it goes: a callback of `evolve`."""

    def __init__(self, problem: Problem, config: Config, done: int = 0, console: Console | None = None):
        resumed = f"resumed after generation {done}; " if done else ""
        sweep = f"{len(config.weights)} shared weights x " if len(config.weights) > 1 else ""
        headline = (
            f"[bold]{problem.name}[/bold]: {problem.inputs} inputs, {problem.outputs} outputs; {config.name}, population "
            f"{config.population}, {sweep}{config.episodes} episodes; {resumed}{describe()}"
        )
        super().__init__("generation", config.generations, headline, console, done)

    def __call__(self, record: Record) -> None:
        self.show(record.generation, describe_record(record))


class ManyView(_View):
    """Shows several searches as they go, by their medians."""

    def __init__(self, problem: Problem, config: Config, runs: int, console: Console | None = None):
        headline = (
            f"[bold]{problem.name}[/bold]: {problem.inputs} inputs, {problem.outputs} outputs; {runs} runs of population "
            f"{config.population}, {len(config.weights)} shared weights x {config.episodes} episodes; {describe()}"
        )
        super().__init__("generation", config.generations, headline, console)

    def __call__(self, records: list[Record]) -> None:
        low, median, high = np.quantile([record.champion_score for record in records], (0.25, 0.5, 0.75))
        shown = numbers([median, low, high], high - low)
        connections = np.median([record.champion_connections for record in records])
        speed = sum(record.alive_steps for record in records) / sum(record.rollout_seconds for record in records)
        self.show(
            records[0].generation,
            f"median champion {shown[0]} (quartiles {shown[1]} to {shown[2]}) with {connections:g} connections; "
            f"{speed / 1e6:.1f} M alive steps/s",
        )


class TrainingView(_View):
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
        starts = f"{members} start{'s' if members > 1 else ''}"
        headline = f"[bold]{problem.name}[/bold]: {connections} weights from {starts} by {method}; {resumed}{describe()}"
        super().__init__("step", steps, headline, console, done)

    def __call__(self, record: TrainingRecord) -> None:
        if record.step > self.before:
            self.show(record.step, f"held out: best {number(record.held_out_score)}, median {number(record.median_score)}")


def describe_record(record: Record) -> str:
    """One generation in one line."""
    speed = record.alive_steps / record.rollout_seconds if record.rollout_seconds > 0 else np.nan
    bad = f", {record.non_finite} not finite" if record.non_finite else ""
    return (
        f"mean {number(record.mean_score)}, best {number(record.best_score)}{bad}; champion {number(record.champion_score)} "
        f"with {record.champion_connections} connections; {speed / 1e6:.1f} M alive steps/s"
    )
