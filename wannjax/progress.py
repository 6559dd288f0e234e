"""The live view of a run: a callback that draws a table on a terminal, and prints a line now and then elsewhere."""

import time
from types import TracebackType

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from wannjax.config import WannConfig
from wannjax.devices import describe, idle_cores
from wannjax.evolution import Record
from wannjax.problems import Problem

_LINE_SECONDS = 10.0
"""Seconds between two lines where there is no terminal."""


class LiveView:
    """Shows a run as it goes; a context manager, and a callback of `evolve`."""

    def __init__(self, problem: Problem, config: WannConfig, console: Console | None = None):
        self.console = console or Console(stderr=True)
        self.generations = config.generations
        self.progress = Progress(
            TextColumn("generation {task.completed}/{task.total}"),
            BarColumn(bar_width=24),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self.task = self.progress.add_task("compiling…", total=self.generations)
        self.live = Live(self.progress, console=self.console, refresh_per_second=4) if self.console.is_terminal else None
        self.console.print(
            f"[bold]{problem.name}[/bold]: {problem.inputs} inputs, {problem.outputs} outputs; population {config.population}, "
            f"{len(config.weights)} shared weights x {config.episodes} episodes; {describe()}",
            highlight=False,
        )
        if idle := idle_cores():
            self.console.print(
                f"[yellow]{idle} CPU core{'s' if idle > 1 else ''} idle:[/yellow] call wannjax.use_all_cores() before any JAX "
                "computation to use all of them",
                highlight=False,
            )

    def __enter__(self) -> "LiveView":
        self.started = self.printed = time.perf_counter()
        if self.live:
            self.live.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.live:
            self.live.stop()

    def __call__(self, record: Record) -> None:
        text = describe_record(record)
        self.progress.update(self.task, completed=record.generation, description=text)
        now = time.perf_counter()
        due = record.generation in (1, self.generations) or now - self.printed > _LINE_SECONDS
        if self.live is None and due:
            self.printed = now
            left = (now - self.started) / record.generation * (self.generations - record.generation)
            self.console.print(
                f"generation {record.generation}/{self.generations}  {text}  {left:.0f} s left", highlight=False, soft_wrap=True
            )


def describe_record(record: Record) -> str:
    """One generation in one line."""
    speed = record.alive_steps / record.rollout_seconds if record.rollout_seconds > 0 else np.nan
    bad = f", {record.non_finite} not finite" if record.non_finite else ""
    return (
        f"mean {record.mean_score:.1f}, best {record.best_score:.1f}{bad}; champion {record.champion_score:.1f} "
        f"with {record.champion_connections} connections; {speed / 1e6:.1f} M alive steps/s"
    )
