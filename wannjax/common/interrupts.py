"""Ctrl-C, and the SIGTERM of a cluster that takes its machine back, as a wish to end: long runs
look at a flag and finish in order. Whoever asks is told at once what happens now.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_terminated = threading.Event()


def terminated() -> bool:
    """Whether what came to the latest run of this process was SIGTERM."""
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
    """Whether one of them came to a run that can end after every `unit`; the second time it does
    what it usually does. Outside the main thread nothing changes.
    """
    interrupted = Interrupts(unit)
    _terminated.clear()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def note(number: int, _frame: object) -> None:
        interrupted.came.set()
        if number == signal.SIGTERM:
            _terminated.set()
        signal.signal(number, previous[signal.Signals(number)])
        answer = interrupted.answer()
        if answer and sys.stderr is not None:
            with suppress(OSError, RuntimeError):  # nobody reads, or it came in the middle of printing
                print(f"wannjax: {answer}", file=sys.stderr, flush=True)

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupted
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
