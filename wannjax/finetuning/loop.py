"""The loop that training goes through: steps, checks now and then, progress, callbacks, and an orderly end."""

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from wannjax.common.interrupts import interrupt_flag
from wannjax.runs.records import TrainingRecord

if TYPE_CHECKING:
    from wannjax.runs.progress import TrainingView
    from wannjax.runs.resuming import Saver

CHECKS = 50
"""How often, in a run, members are scored on held-out episodes, at the most; and once before it."""


Callback = Callable[[TrainingRecord], object]
"""Called at every check; a true return value ends training."""


def steps_between_checks(steps: int) -> int:
    """How many steps one check is from the next."""
    return -(-steps // CHECKS)


def run_steps(
    numbers: range,
    advance: Callable[[int], None],
    check: Callable[[int], tuple[float, float, float]],
    callbacks: Iterable[Callback],
    view: "TrainingView | None",
    records: list[TrainingRecord],
    saver: "Saver | None" = None,
) -> None:
    """Takes the steps `numbers`, of which 0 stands for none, and adds the record of every check to `records`.

    Args:
        advance: takes the step of this number.
        check: after so many steps, a record's training score, held-out score and median score.
        view: shows the records as they come.
        records: those of before, where training is resumed.
        saver: keeps checkpoints.

    Checks stand at the number 0, every so often, and at the end, which is also where a callback or Ctrl-C ends it early.
    """
    steps, before = numbers.stop - 1, records[-1].seconds if records else 0.0
    callbacks, every = list(callbacks), steps_between_checks(steps)
    with ExitStack() as stack:
        interrupted = stack.enter_context(interrupt_flag())
        if view is not None:
            callbacks.insert(0, stack.enter_context(view))
        started = time.perf_counter()
        for number in numbers:
            if number > 0:
                advance(number)
            stop = bool(interrupted())
            if number % every == 0 or number == steps or stop:
                records.append(TrainingRecord(number, *check(number), before + time.perf_counter() - started))
                stop = any([callback(records[-1]) for callback in callbacks]) or stop
            if saver is not None:
                saver.keep(last=stop or number == steps)
            if stop:
                break
