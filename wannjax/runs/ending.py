"""The end of a long run, by itself or by Ctrl-C: what is said, and what stays in its directory."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol

from wannjax.common import hosts
from wannjax.runs.progress import View
from wannjax.runs.resuming import Saver


class Counted(Protocol):
    """A run that knows how far it is."""

    @property
    def number(self) -> int: ...


class Ending:
    """What a run has found is in its directory before anything slow is done with it, and when
    Ctrl-C ends it at once; a context manager around the run.

    Args:
        run: the run, which takes one `unit` after another.
        again: the command or the argument that goes on with it.
        directory: the run's; None where it has none, or where another process writes.
        leave: writes what the run has found so far into its directory; false where that is nothing.
        view: what shows the run; None where nothing does.
        saver: what saves it; None where nothing does.
    """

    def __init__(
        self,
        run: Counted,
        unit: str,
        again: str,
        directory: Path | None,
        leave: Callable[[Path], bool],
        view: View | None,
        saver: Saver | None,
    ):
        self.run, self.unit, self.again, self.directory = run, unit, again, directory
        self.leave, self.view, self.saver = leave, view, saver
        self.kept = self.finishing = False

    def answer(self) -> str:
        """What is said when Ctrl-C comes for the first time."""
        if not hosts.is_first():
            return ""
        if self.finishing:
            return "finishing; again to stop now" + (f", and what was found is in {self.directory}" if self.kept else "")
        resumed = f", and {self.again} goes on" if self.saver is not None and self.saver.saved else ""
        return f"stopping after this {self.unit}; again to stop now{resumed}"

    def begin(self, text: str) -> None:
        """Writes what was found, and shows what is done with it next."""
        if not self.finishing:
            self._keep()
        self.finishing = True
        if self.view is not None:
            self.view.doing(text)

    def _keep(self) -> None:
        self.kept = self.directory is not None and self.leave(self.directory)

    def __enter__(self) -> "Ending":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, KeyboardInterrupt):
            if not self.finishing:
                self._keep()
            if self.kept:
                error.add_note(f"what was found is in {self.directory}")
            if self.saver is not None and self.saver.saved:
                error.add_note(f"{self.again} goes on")
