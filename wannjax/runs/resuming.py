"""A run that saves itself now and then, and that goes on from what was saved.

To store more of a run, add an array or an entry of the document to its `snapshot`, and read it in
its `restore`.
"""

import io
import json
import math
import os
import time
import warnings
from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from wannjax.common import hosts
from wannjax.common.files import MALFORMED, as_path, reason_of
from wannjax.common.keys import hidden_settings
from wannjax.common.validation import real, require
from wannjax.common.versions import versions_of
from wannjax.runs.checkpoints import Checkpoint, Checkpoints

SAVE_EVERY = 30.0
"""Seconds between two checkpoints, by default."""


@runtime_checkable
class Resumable(Protocol):
    """A run that can be saved: how far it is, what another must have in common with it to continue
    it, its state, and the way back.
    """

    @property
    def number(self) -> int: ...

    @property
    def identity(self) -> dict[str, Any]: ...

    def snapshot(self) -> Checkpoint: ...

    def restore(self, found: Checkpoint) -> None: ...


class Saver:
    """Saves `run` now and then: after its first step, so that there is something to go on from, and
    then not before `every` seconds have passed. It is the first of several processes that does, or
    all of them together where each holds a part of it (`apart`).
    """

    def __init__(self, checkpoints: Checkpoints, run: Resumable, every: float, apart: bool):
        self.checkpoints, self.run, self.every, self.apart = checkpoints, run, every, apart
        self.saved, self.when = run.number, time.perf_counter() if run.number else -math.inf

    def is_due(self) -> bool:
        """Whether it is time to save, as this process sees it."""
        return (self.apart or hosts.is_first()) and time.perf_counter() - self.when >= self.every

    def keep(self) -> None:
        """Saves the run, if it has gone on. Raises OSError when it cannot."""
        if self.run.number > self.saved and (self.apart or hosts.is_first()):
            found = self.run.snapshot()
            circumstances = {"jax": hidden_settings(), "versions": _versions()}
            found = found._replace(document={**self.run.identity, **found.document, **circumstances})
            (self.checkpoints.save_shares if self.apart else self.checkpoints.save)(found)
            self.saved, self.when = self.run.number, time.perf_counter()


@contextmanager
def saving(
    run_dir: str | os.PathLike | None, folder: str, run: Resumable, *, resume: bool, every: float, parts: Container[str] | None = None
) -> Iterator[Saver | None]:
    """Keeps checkpoints of `run` in a `folder` of its `run_dir`; restores it first from the newest
    one if it is to `resume`. None where there is no `run_dir`.

    When something goes wrong, what is complete is saved, and the error says so, but where several
    processes have a part each. Of several processes on one run, only the first one reads and writes
    here; what it finds, all restore. Where each holds a part of the run, the names of whose arrays
    are its `parts`, all of them do.

    Raises ValueError when there are checkpoints and it is not to `resume`, or when they are another
    run's or damaged.
    """
    every = real("save_every", every, "seconds >= 0", 0.0)
    require("resume", resume, "False without a run_dir", run_dir is not None or not resume)
    if run_dir is None:
        yield None
        return
    directory = as_path(run_dir, "run_dir")
    checkpoints, found = Checkpoints(directory / folder), None
    with ExitStack() as held:

        def claim() -> None:
            nonlocal found
            held.enter_context(locked(directory))
            numbers = checkpoints.numbers()
            wanted = f"without checkpoints, or to be resumed: it holds number {max(numbers, default=0)}"
            require("run_dir", str(directory), wanted, resume or not numbers)
            found = checkpoints.newest() if resume else None

        hosts.by_first(claim)
        found = _from_first(found) if parts is None else _at_all(found, checkpoints, parts)
        if found is not None:
            before, now = found.document.get("versions"), _versions()
            if before != now:
                warnings.warn(f"{directory}: was saved by {before}, and this is {now}: the result may differ", stacklevel=3)
            _require_same_settings(found.document.get("jax"))
            require_same(run.identity, found.document)
            try:
                run.restore(found)
            except MALFORMED as error:
                raise ValueError(f"run_dir: checkpoint {found.number} in {directory} makes no sense: {reason_of(error)}") from error
        saver = Saver(checkpoints, run, every, parts is not None)
        try:
            yield saver
        except Exception as error:
            if not saver.apart:  # the others may not know of the error
                with suppress(OSError):
                    saver.keep()
            if saver.saved:
                error.add_note(f"the run up to number {saver.saved} is saved in {directory} and can be resumed")
            raise


def _from_first(found: Checkpoint | None) -> Checkpoint | None:
    """What the first of several processes found."""
    if hosts.count() == 1:
        return found
    buffer = io.BytesIO()
    if found is not None:
        document = np.frombuffer(json.dumps([found.number, found.document]).encode(), np.uint8)
        parts: Any = {"document": document, **{f"array {name}": array for name, array in found.arrays.items()}}
        np.savez(buffer, **parts)
    sent = hosts.from_first(buffer.getvalue())
    if not sent:
        return None
    with np.load(io.BytesIO(sent), allow_pickle=False) as received:
        number, document = json.loads(received["document"].tobytes())
        names = [name for name in received.files if name != "document"]
        return Checkpoint(number, document, {name.removeprefix("array "): received[name] for name in names})


def _at_all(found: Checkpoint | None, checkpoints: Checkpoints, parts: Container[str]) -> Checkpoint | None:
    """The checkpoint that the first of several processes found, with what is this one's part."""
    number = int(hosts.gather(np.array(-1 if found is None else found.number))[0][0])
    return found if hosts.is_first() or number < 0 else checkpoints.read(number, parts)


def require_same(wanted: dict[str, Any], found: dict[str, Any], path: str = "") -> None:
    """Raises ValueError that names the first entry in which a saved run differs from the one that
    is to continue it.
    """
    for name, value in wanted.items():
        here, other = f"{path}{name}", found.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            require_same(value, other, f"{here}.")
        else:
            require("run_dir", other, f"of a run with {here} {value!r}", other == value)


def _require_same_settings(before: Any) -> None:
    """Raises ValueError that names the first of JAX's settings which was another one when the run
    was saved.
    """
    require("checkpoint", before, "of a run with JAX's settings", isinstance(before, dict))
    for name, value in hidden_settings().items():
        require(name, value, f"{before.get(name)!r}, as it was in the run that is resumed", before.get(name) == value)


def _versions() -> dict[str, str]:
    return versions_of("wannjax", "jax", "jaxlib")


class HeldError(ValueError):
    """A directory is in use by another process."""


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keeps other processes from `directory`, which is made if need be, until this one leaves or
    dies.

    Raises HeldError when another one is there, and OSError when the directory cannot be written.
    """
    from filelock import FileLock, Timeout

    directory.mkdir(parents=True, exist_ok=True)
    lock = FileLock(directory / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise HeldError(f"run_dir: must be used by one process at a time, and another one runs in {str(directory)!r}") from None
    try:
        yield
    finally:
        lock.release()


def seconds_of(document: dict[str, Any]) -> float:
    """The wall time of a saved run. Raises ValueError when it is not one."""
    seconds: Any = document.get("seconds")
    require("checkpoint", seconds, "of a run with its seconds", isinstance(seconds, float) and seconds >= 0)
    return seconds
