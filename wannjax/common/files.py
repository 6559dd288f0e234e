"""Files as the package reads and writes them: whole or not at all, sizes checked before anything is allocated.

Files may come from strangers: nothing is unpickled or evaluated, and whatever is wrong with one is a ValueError that names it.
"""

import contextlib
import json
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VERSION = 1
"""Of all of the package's file formats."""


LARGEST_FILE = 64 << 20
"""Bytes; a larger file is refused unread."""


_LONGEST_REASON = 500


Pathlike = str | os.PathLike


def parse_score(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"a score must be a finite number, got {value!r}")
    return float(value)


def read_bytes(path: Path) -> bytes:
    """The content of a file of at most `LARGEST_FILE` bytes. Devices and pipes, which may never end, are refused unread."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path}: is not a file, but a directory, device or pipe")
    if status.st_size > LARGEST_FILE:
        raise ValueError(f"{path}: has {status.st_size} bytes, more than the {LARGEST_FILE} that a file may have")
    return path.read_bytes()


def read_text(path: Path) -> str:
    """As `read_bytes`, of a text."""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not text") from None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to, which takes its place at the end: a reader never sees half a file, and a link is replaced by a
    file and not followed out of the directory."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    temporary.unlink(missing_ok=True)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes all or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def reason_of(error: Exception) -> str:
    """One line, short whatever the file holds."""
    if isinstance(error, KeyError):
        return f"{error} is missing"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}…"


def parse_json(text: str) -> Any:
    """What a JSON text holds. Raises ValueError also for what could not be written again: NaN, infinities, halves of characters."""
    document = json.loads(text, parse_constant=_refuse)
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("it contains half of a surrogate pair, which is no character") from None
    return document


def _refuse(constant: str) -> None:
    raise ValueError(f"it contains {constant}")


def check_header(document: Any, expected: str) -> None:
    if not isinstance(document, dict) or document.get("format") != expected:
        raise ValueError(f'its "format" is not "{expected}"')
    if document.get("version") != VERSION:
        raise ValueError(f"its version is {document.get('version')!r}, and this wannjax reads version {VERSION}")
