"""Callbacks that log a run for other programs: JSON lines, CSV, TensorBoard. They serve `evolve`
and `finetune` alike.

A logger takes any record: a named tuple of plain numbers whose first field counts generations or
steps. A run that is resumed goes on in the same file: what the file holds of the generations that
come again is replaced. Other services need no more than a function:
`callbacks=[lambda record: wandb.log(record._asdict())]`.
"""

import atexit
import csv
import io
import json
import math
import os
from collections.abc import Callable, Iterable
from typing import Any

from wannjax.common.files import MALFORMED, as_path, write_text

_FLUSH = 5
"""Seconds between two writes of TensorBoard's."""


class _Lines:
    """A text file with one line a record, in order of their numbers."""

    def __init__(self, path: str | os.PathLike):
        self.path = as_path(path)
        self._begun = False

    def __call__(self, record: Any) -> None:
        if not self._begun:
            self._keep_before(record)
            self._begun = True
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            file.write(self._line(record))

    def _keep_before(self, record: Any) -> None:
        """Leaves of the file what comes before `record`. Raises ValueError for a file that is not
        one of these.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True) if self.path.exists() else []
        try:
            write_text(self.path, "".join(self._before(lines, record)))
        except MALFORMED:
            raise ValueError(f"path: must be a new file or one of the same run's records, got {str(self.path)!r}") from None

    def _before(self, lines: list[str], record: Any) -> Iterable[str]:
        raise NotImplementedError

    def _line(self, record: Any) -> str:
        raise NotImplementedError


class JsonLines(_Lines):
    """One JSON object a line; what is not finite is null.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from wannjax.runs.records import TrainingRecord
    >>> path = Path(tempfile.mkdtemp()) / "log.jsonl"
    >>> JsonLines(path)(TrainingRecord(0, float("nan"), 0.5, 0.25, 1.0))
    >>> json.loads(path.read_text())["held_out_score"], "null" in path.read_text()
    (0.5, True)
    """

    def _before(self, lines, record):
        name = record._fields[0]
        return [line for line in lines if json.loads(line)[name] < record[0]]

    def _line(self, record):
        finite = {name: value if math.isfinite(value) else None for name, value in record._asdict().items()}
        return json.dumps(finite) + "\n"


class Csv(_Lines):
    """Comma-separated values under a line of names."""

    def _before(self, lines, record):
        header = _row(record._fields)
        if lines and lines[0] != header:
            raise ValueError
        return [header, *(line for line in lines[1:] if float(line.split(",")[0]) < record[0])]

    def _line(self, record):
        return _row(record)


def _row(values: Iterable[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


class TensorBoard:
    """Scalars for TensorBoard, in a directory: one curve for every field of the records, on the
    disk within seconds.

    Raises ImportError without the extra `tensorboard`.
    """

    def __init__(self, directory: str | os.PathLike, prefix: str = ""):
        """
        Args:
            prefix: before the name of every curve, such as "seed 1/".
        """
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise ImportError('TensorBoard logs need the package tensorboardX: pip install "wannjax[tensorboard]"') from None
        self._open: Callable[[int], Any] = lambda number: SummaryWriter(str(directory), purge_step=number, flush_secs=_FLUSH)
        self._writer: Any = None
        self._prefix = prefix

    def __call__(self, record: Any) -> None:
        number, *values = record
        if self._writer is None:
            self._writer = self._open(number)  # what an earlier run logged from here on is void
            atexit.register(self.close)
        for name, value in zip(record._fields[1:], values, strict=True):
            if math.isfinite(value):
                self._writer.add_scalar(self._prefix + name, value, number)

    def close(self) -> None:
        """Writes what is still waiting; happens by itself at the end of the program."""
        if self._writer is not None:
            self._writer.close()
