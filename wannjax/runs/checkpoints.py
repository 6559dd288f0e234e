"""Checkpoints: the state of a long run in numbered folders, each written whole or not at all, and
checked before it is used.

    checkpoints/00000040/arrays/         the arrays, written by orbax-checkpoint as uncompressed
    zarr
                         state.json      what was run, and the shape and type of every array
                         manifest.json   size and SHA-256 of all other files
                         shares/0001     the arrays that process 1 alone has, where several hold
                                         islands of one run

A folder is written under another name, flushed to the disk and then renamed, so that under its
number it is complete. Shares are written first, each by its process; the document has their sizes
and digests, and process 0 writes it when all of them are there. What is read may come from a
stranger: no path is taken from a file's content, and nothing is allocated that the files' own sizes
do not cover. Who writes them, and when, is in `resuming.py`.
"""

import hashlib
import json
import os
import re
import shutil
import time
import warnings
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from wannjax.common import hosts
from wannjax.common.files import MALFORMED, check_header, reason_of
from wannjax.common.validation import require
from wannjax.runs.shares import read_share, write_share
from wannjax.runs.stored_arrays import check, read_arrays, read_json, write_arrays

FORMAT = "wannjax checkpoint"
KEEP = 3
"""Checkpoints that are kept, the newest ones."""
DISCARD_SECONDS = 5.0
"""How long the rest of a checkpoint that could not be written is tried to be removed."""
_STATE, _MANIFEST, _ARRAYS, _SHARES, _INCOMING = "state.json", "manifest.json", "arrays", "shares", ".incoming"


class Checkpoint(NamedTuple):
    """A run's state after `number` generations or steps.

    Attributes:
        document: plain values.
        arrays: by name.
        own: those that this process alone has, where several hold parts of one run; none where they
            are read again.
    """

    number: int
    document: dict[str, Any]
    arrays: dict[str, np.ndarray]
    own: Mapping[str, np.ndarray] = MappingProxyType({})


class Checkpoints:
    """The checkpoints of one run, in `directory`."""

    def __init__(self, directory: Path):
        self.directory = directory

    def numbers(self) -> list[int]:
        """The numbers of the checkpoints, sound or not, the newest first."""
        if not self.directory.is_dir():
            return []
        return sorted((int(path.name) for path in self.directory.iterdir() if re.fullmatch(r"[0-9]{8}", path.name)), reverse=True)

    def save(self, checkpoint: Checkpoint) -> None:
        """Writes `checkpoint` and removes all but the newest `KEEP`; those behind its number too,
        which are of a future given up.

        Raises OSError, and leaves the earlier ones as they were, when it cannot be written.
        """
        whole = checkpoint._replace(arrays={**checkpoint.arrays, **checkpoint.own}, own={})
        with self._writing(checkpoint.number) as incoming:
            self._begin(incoming)
            _write(incoming, whole)
        self._settle(incoming, checkpoint.number)

    def save_shares(self, checkpoint: Checkpoint) -> None:
        """As `save`, by all processes together, each of which writes its `own` arrays, and the
        first one all else. Where one of them cannot, all raise.
        """
        first, incoming = hosts.is_first(), self._incoming(checkpoint.number)
        with self._together(checkpoint.number):
            if first:
                self._begin(incoming)
                (incoming / _SHARES).mkdir()
        with self._together(checkpoint.number):
            if not incoming.is_dir():
                raise OSError("it is on no disk that all processes share")
            share = incoming / _SHARES / _name_of(hosts.index())
            write_share(share, checkpoint.own)
            _flush(incoming / _SHARES)
        size, digest = hosts.gather(np.array(share.stat().st_size), np.frombuffer(bytes.fromhex(_digest(share)), np.uint8))
        with self._together(checkpoint.number):
            if first:
                shares = [{"bytes": int(bytes_), "sha256": row.tobytes().hex()} for bytes_, row in zip(size, digest, strict=True)]
                _write(incoming, Checkpoint(checkpoint.number, {**checkpoint.document, _SHARES: shares}, checkpoint.arrays))
        with self._together(checkpoint.number):
            if first:
                self._settle(incoming, checkpoint.number)

    def _incoming(self, number: int) -> Path:
        """Where a checkpoint is written. Every one has a name of its own, since a host may remember
        for a while what was not there.
        """
        return self.directory / f"{_INCOMING}-{number:08d}"

    def _begin(self, incoming: Path) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        for left in self.directory.glob(f"{_INCOMING}*"):
            shutil.rmtree(left, ignore_errors=True)
        incoming.mkdir()

    @contextmanager
    def _writing(self, number: int) -> Iterator[Path]:
        """Where the checkpoint is written; raises OSError with all that there is to say where it
        cannot be.
        """
        incoming = self._incoming(number)
        try:
            yield incoming
        except hosts.LostProcessError:
            raise
        except Exception as error:  # orbax and tensorstore raise their own for a full disk
            _discard(incoming)
            last = next(iter(self.numbers()), None)
            kept = "none was saved before" if last is None else f"the last one that was saved is {last}"
            raise OSError(f"checkpoint {number}: cannot be written to {self.directory} ({reason_of(error)}); {kept}") from error

    @contextmanager
    def _together(self, number: int) -> Iterator[None]:
        """A step of writing that all processes take; none goes on where one has failed."""
        with self._writing(number):
            try:
                yield
            except Exception:
                hosts.any_of(True)
                raise
            if hosts.any_of(False)[0]:
                raise OSError("another process could not write its share")

    def _settle(self, incoming: Path, number: int) -> None:
        """Puts what is written in its place."""
        for earlier in self.numbers():
            if earlier >= number:
                _remove(self._place(earlier))
        os.rename(incoming, self._place(number))
        _flush(self.directory)
        for earlier in self.numbers()[KEEP:]:
            _remove(self._place(earlier))

    def _place(self, number: int) -> Path:
        return self.directory / _name_of(number, 8)

    def read(self, number: int, wanted: Container[str]) -> Checkpoint:
        """The checkpoint of that number, without shares that have no `wanted` array. Raises
        ValueError when there is no sound one.
        """
        try:
            return _read(self._place(number), number, wanted)
        except (OSError, *MALFORMED) as error:
            allowed = f"on a disk that all processes share, with checkpoint {number} sound in it ({reason_of(error)})"
            raise ValueError(f"run_dir: must be {allowed}, got {str(self.directory)!r}") from error

    def newest(self) -> Checkpoint | None:
        """The newest sound checkpoint, None where there is none at all; says so in a warning when
        it had to pass over newer ones.

        Raises ValueError when all of them are damaged.
        """
        faults = []
        for number in self.numbers():
            try:
                found = _read(self._place(number), number)
            except (OSError, *MALFORMED) as error:
                faults.append(f"{number} ({reason_of(error)})")
                continue
            if faults:
                warnings.warn(f"damaged checkpoints are passed over: {', '.join(faults)}; number {number} is sound", stacklevel=2)
            return found
        require(
            "checkpoints", ", ".join(faults), f"sound in {self.directory}, at least one; else start again in another directory", not faults
        )
        return None


def _name_of(number: int, digits: int = 4) -> str:
    return f"{number:0{digits}d}"


def _write(folder: Path, checkpoint: Checkpoint) -> None:
    arrays = {name: np.asarray(array) for name, array in checkpoint.arrays.items()}
    write_arrays(folder / _ARRAYS, arrays)
    document = {
        "format": FORMAT,
        "version": 1,
        "number": checkpoint.number,
        **checkpoint.document,
        "arrays": {name: {"shape": list(array.shape), "dtype": array.dtype.name} for name, array in arrays.items()},
    }
    (folder / _STATE).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    files = {path: {"bytes": (folder / path).stat().st_size, "sha256": _digest(folder / path)} for path in _files(folder)}
    (folder / _MANIFEST).write_text(json.dumps(files, indent=1) + "\n", encoding="utf-8")
    for path in (folder, *folder.rglob("*")):
        _flush(path)


def _read(folder: Path, number: int, wanted: Container[str] | None = None) -> Checkpoint:
    """Without shares that have no `wanted` array, if some are. Raises one of the errors that
    `newest` takes for damage.
    """
    files = _files(folder)  # first, since what is no file may never end
    manifest = read_json(folder / _MANIFEST)
    check(set(files) - {_MANIFEST} == set(manifest), "files are missing, or foreign ones are there")
    for path in manifest:
        size = (folder / path).stat().st_size
        check(size == manifest[path]["bytes"], f"{path} has {size} bytes, not {manifest[path]['bytes']}")
        check(_digest(folder / path) == manifest[path]["sha256"], f"{path} has changed")
    document = read_json(folder / _STATE)
    check_header(document, FORMAT)
    check(document["number"] == number, f"it is number {document['number']}")
    shares, arrays = document.pop(_SHARES, []), read_arrays(folder / _ARRAYS, document.pop("arrays"))
    names, there = [_name_of(share) for share in range(len(shares))], sorted(path.name for path in (folder / _SHARES).glob("*"))
    check(there == names, f"it has {len(names)} shares, and there are {', '.join(there) or 'none'}")
    for name, share in zip(names, shares, strict=True):
        path = folder / _SHARES / name
        size, found = path.stat().st_size, read_share(path, wanted)
        check(size == share["bytes"], f"share {name} has {size} bytes, not {share['bytes']}")
        check(not found or _digest(path) == share["sha256"], f"share {name} has changed, or is another checkpoint's")
        check(not arrays.keys() & found.keys(), f"share {name} has what others have")
        arrays |= found
    return Checkpoint(number, document, arrays)


def _discard(folder: Path) -> None:
    """Removes what could not be written; orbax raises its first error while other threads of its
    still write there, for moments.
    """
    until = time.monotonic() + DISCARD_SECONDS
    shutil.rmtree(folder, ignore_errors=True)
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.01)
        shutil.rmtree(folder, ignore_errors=True)


def _remove(path: Path) -> None:
    """A folder; or the file or link that has taken its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _files(folder: Path) -> list[str]:
    """All files in `folder` but for those of shares, by their path in it. Raises ValueError for
    links, devices and pipes.
    """
    check(not folder.is_symlink(), "it is a link")
    paths = sorted(folder.rglob("*"))
    check(not any(path.is_symlink() for path in paths), "it contains links")
    check(all(path.is_file() or path.is_dir() for path in paths), "it contains devices or pipes")
    found = [path.relative_to(folder) for path in paths if not path.is_dir()]
    return [path.as_posix() for path in found if path.parts[0] != _SHARES]


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    """To the disk, so that what is renamed afterwards is complete even after a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
