"""The loop that every long run goes through: steps, records, callbacks, checkpoints, and an orderly
end.
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

from wannjax.common import hosts
from wannjax.common.validation import require_type
from wannjax.runs.resuming import Saver

Callback = Callable[[Any], object]
"""Called with every record; a true return value ends the run after it."""


def as_callbacks(callbacks: Iterable[Callback]) -> list[Callback]:
    """The callbacks as a list. Raises TypeError for anything else, one function included."""
    single = callable(callbacks) or isinstance(callbacks, str) or not isinstance(callbacks, Iterable)
    require_type("callbacks", callbacks, "a list of functions: callbacks=[function]", not single)
    callbacks = list(callbacks)
    for callback in callbacks:
        require_type("callbacks", callback, "a list of functions that take a record", callable(callback) and not isinstance(callback, type))
    return callbacks


@runtime_checkable
class Stepwise(Protocol):
    """A run that is taken step by step."""

    @property
    def number(self) -> int:
        """Steps done."""
        ...

    def advance(self) -> None:
        """Takes the next step."""
        ...

    def record(self, *, last: bool) -> Any | None:
        """What goes on record after the latest step: None where nothing does, which is not so for
        the `last` one.
        """
        ...


def drive(
    run: Stepwise,
    steps: int,
    callbacks: Iterable[Callback],
    interrupted: Callable[[], bool],
    saver: Saver | None = None,
) -> None:
    """Takes `run` to its last step, or to the end of the one after which a callback, in any
    process, or a signal ends it.

    A run that is new may have a record of before its first step.
    """
    callbacks = list(callbacks)

    def told(last: bool) -> tuple[bool, bool]:
        """Whether anything is on record of the latest step, and whether a callback ends the run."""
        record = run.record(last=last)
        return record is not None, record is not None and any([callback(record) for callback in callbacks])

    stop = False
    if run.number == 0:
        on_record, ends = told(False)
        (stop,) = hosts.any_of(on_record and (ends or interrupted()))
    while run.number < steps and not stop:
        run.advance()
        last = run.number == steps
        on_record, ends = told(last)
        stop, due = hosts.any_of(ends or interrupted(), saver is not None and saver.is_due())  # one exchange, since each takes long
        if stop and not on_record:
            told(True)
        if saver is not None and (due or stop or last):
            saver.keep()
