"""Ctrl-C, and the SIGTERM of a cluster that takes its machine back, as a wish to end: long runs
look at a flag and finish in order. Whoever asks is told at once what happens now.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

_terminated = threading.Event()
_under_way = list["Interrupts"]()
"""Flags of runs within runs, the outermost first."""
_usual = dict[signal.Signals, Any]()
"""What the signals do where no run is under way."""


def terminated() -> bool:
    """Whether what came to the latest run of this process, or to one within it, was SIGTERM."""
    return _terminated.is_set()


class Interrupts:
    """Whether one of them came: a flag that is called.

    Attributes:
        answer: gives what is said, on standard error, when the first one comes; nothing where it is
            empty.
    """

    def __init__(self, unit: str):
        self.came = threading.Event()
        self.answer: Callable[[], str] = lambda: f"stopping after this {unit}; again to stop now"

    def __call__(self) -> bool:
        return self.came.is_set()


@contextmanager
def interrupt_flag(unit: str) -> Iterator[Interrupts]:
    """Whether one of them came to a run that can end after every `unit`, or to one within it; the
    second time it does what it usually does. Outside the main thread nothing changes.
    """
    interrupted = Interrupts(unit)
    if not _under_way:
        _terminated.clear()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def note(number: int, _frame: object) -> None:
        for each in _under_way:
            each.came.set()
        if number == signal.SIGTERM:
            _terminated.set()
        signal.signal(number, _usual[signal.Signals(number)])
        answer = _under_way[-1].answer()
        if answer and sys.stderr is not None:
            with suppress(OSError, RuntimeError):  # nobody reads, or it came in the middle of printing
                print(f"wannjax: {answer}", file=sys.stderr, flush=True)

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    if not _under_way:
        _usual.update(previous)
    _under_way.append(interrupted)
    try:
        yield interrupted
    finally:
        _under_way.pop()
        for number, handler in previous.items():
            signal.signal(number, handler)
