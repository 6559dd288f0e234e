"""Files as the package reads and writes them: whole or not at all, sizes checked before anything is
allocated.

Files may come from strangers: nothing is unpickled or evaluated, and whatever is wrong with one is
a ValueError that names it.
"""

import contextlib
import errno
import json
import math
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from wannjax.common.validation import require, require_type

Pathlike = str | os.PathLike
Parsed = TypeVar("Parsed")

VERSION = 1
"""The version of all file formats of the package, but for networks (`networks/files.py`)."""
LARGEST_FILE = 64 << 20
"""Bytes; a larger file is refused unread."""
MALFORMED = (ValueError, LookupError, TypeError, RecursionError, OverflowError)
"""What code raises that meets another document than the one it reads."""
_LONGEST_REASON = 500


def parse_score(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"a score must be a finite number, got {value!r}")
    return float(value)


def as_path(path: Pathlike, argument: str = "path") -> Path:
    """Raises TypeError for what is no path, and ValueError for an empty one."""
    require_type(argument, path, "a path: a string, or a pathlib.Path", isinstance(path, Pathlike))
    require(argument, path, "a path that is not empty", path != "")
    return Path(path)


def ending_of(path: Pathlike) -> str:
    """The suffix that says what is in a file: in small letters, however it is spelt."""
    return as_path(path).suffix.lower()


def read_bytes(path: Path) -> bytes:
    """The content of a file of at most `LARGEST_FILE` bytes. Devices and pipes, which may never
    end, are refused unread.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{path}: is not a file, but a directory, device or pipe")
    if status.st_size > LARGEST_FILE:
        raise ValueError(f"{path}: has {status.st_size} bytes, more than the {LARGEST_FILE} that a file may have")
    return path.read_bytes()


def read_text(path: Path) -> str:
    """As `read_bytes`, of a text, without the mark that some editors put before one."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not text") from None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to, which takes its place at the end: a reader never sees half
    a file, and a link is replaced by a file and not followed out of the directory.

    Raises OSError, which names `path` and not the name beside it, where nothing can be written.
    """
    require_folder(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        temporary.unlink(missing_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.filename in (str(temporary), temporary):
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def require_folder(path: Pathlike) -> None:
    """Raises OSError, naming it, where the folder that `path` is to be in does not exist: before
    work that would be lost.
    """
    folder = as_path(path).parent
    if not folder.is_dir():
        number = errno.ENOTDIR if folder.exists() else errno.ENOENT
        raise OSError(number, "Not a directory" if folder.exists() else "No such directory", str(folder))


def write_text(path: Path, text: str) -> None:
    """Writes all or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def read_document(path: Pathlike, trouble: str, parse: Callable[[Any], Parsed], format: str | None = None) -> Parsed:
    """What `parse` makes of the JSON document in a file, which must be in `format` where one is
    given.

    Raises ValueError, naming the file and the `trouble` with it, such as "not a wannjax network",
    for anything else, and OSError when it cannot be read.
    """
    path = as_path(path)
    text = read_text(path)
    with reading(path, trouble):
        document = parse_json(text)
        if format is not None:
            check_header(document, format)
        return parse(document)


@contextlib.contextmanager
def reading(path: Path, trouble: str, errors: tuple[type[Exception], ...] = MALFORMED) -> Iterator[None]:
    """What the content of a file makes the code inside raise becomes one ValueError of one line,
    which names the file, the `trouble` with it and the reason.
    """
    try:
        yield
    except errors as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # the file could not be opened, and the error names it
        raise ValueError(f"{path}: {trouble}: {reason_of(error)}") from None


def reason_of(error: Exception) -> str:
    """One line, short whatever the file holds."""
    if isinstance(error, KeyError):
        return f"{error} is missing"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}…"


def parse_json(text: str) -> Any:
    """What a JSON text holds. Raises ValueError also for what could not be written again: NaN,
    infinities, halves of characters.
    """
    document = json.loads(text, parse_constant=_refuse)
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("it contains half of a surrogate pair, which is no character") from None
    return document


def _refuse(constant: str) -> None:
    raise ValueError(f"it contains {constant}")


def check_header(document: Any, expected: str, newest: int = VERSION) -> None:
    """Raises ValueError unless a document is in the `expected` format, in a version up to the
    `newest`.
    """
    if not isinstance(document, dict) or document.get("format") != expected:
        raise ValueError(f'its "format" is not "{expected}"')
    version = document.get("version")
    known = range(1, newest + 1)
    if type(version) is not int or version not in known:
        raise ValueError(f"its version is {version!r}, and this wannjax reads version {' and '.join(map(str, known))}")
