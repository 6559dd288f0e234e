"""Checkpoints: the state of a long run in numbered folders, each written whole or not at all, and
checked before it is used.

    checkpoints/00000040/arrays/         the arrays, written by orbax-checkpoint as uncompressed
    zarr
                         state.json      what was run, and the shape and type of every array
                         manifest.json   size and SHA-256 of all other files

A folder is written under another name, flushed to the disk and then renamed, so that under its
number it is complete. What is read may come from a stranger: no path is taken from a file's
content, and nothing is allocated that the files' own sizes do not cover. Who writes them, and when,
is in `resuming.py`.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from wannjax.common.files import LARGEST_FILE, MALFORMED, check_header, parse_json, reason_of
from wannjax.common.validation import require

FORMAT = "wannjax checkpoint"
KEEP = 3
"""Checkpoints that are kept, the newest ones."""
DISCARD_SECONDS = 5.0
"""How long the rest of a checkpoint that could not be written is tried to be removed."""
_STATE, _MANIFEST, _ARRAYS, _INCOMING = "state.json", "manifest.json", "arrays", ".incoming"
_NAME = re.compile(r"[A-Za-z]\w*(\.\w+)*", re.ASCII)
_TYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "float16", "float32", "float64")


class Checkpoint(NamedTuple):
    """A run's state after `number` generations or steps: a document of plain values, and named
    arrays.
    """

    number: int
    document: dict[str, Any]
    arrays: dict[str, np.ndarray]


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
        incoming, place = self.directory / _INCOMING, self.directory / f"{checkpoint.number:08d}"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(incoming, ignore_errors=True)
            incoming.mkdir()
            _write(incoming, checkpoint)
        except Exception as error:  # orbax and tensorstore raise their own for a full disk
            _discard(incoming)
            last = next(iter(self.numbers()), None)
            kept = "none was saved before" if last is None else f"the last one that was saved is {last}"
            raise OSError(f"checkpoint {checkpoint.number}: cannot be written to {self.directory} ({reason_of(error)}); {kept}") from error
        for number in self.numbers():
            if number >= checkpoint.number:
                _remove(self.directory / f"{number:08d}")
        os.rename(incoming, place)
        _flush(self.directory)
        for number in self.numbers()[KEEP:]:
            _remove(self.directory / f"{number:08d}")

    def newest(self) -> Checkpoint | None:
        """The newest sound checkpoint, None where there is none at all; says so in a warning when
        it had to pass over newer ones.

        Raises ValueError when all of them are damaged.
        """
        faults = []
        for number in self.numbers():
            try:
                found = _read(self.directory / f"{number:08d}", number)
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


def _write(folder: Path, checkpoint: Checkpoint) -> None:
    arrays = {name: np.asarray(array) for name, array in checkpoint.arrays.items()}
    for name, array in arrays.items():
        _check(_NAME.fullmatch(name) is not None and array.dtype.name in _TYPES, f"{name} of type {array.dtype} cannot be stored")
    stored = {name: np.ascontiguousarray(np.atleast_1d(array)) for name, array in arrays.items() if array.size}
    with _quietly() as checkpointer:
        checkpointer.save(folder.resolve() / _ARRAYS, stored)
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


def _read(folder: Path, number: int) -> Checkpoint:
    """Raises one of the errors that `newest` takes for damage."""
    files = _files(folder)  # first, since what is no file may never end
    manifest = _read_json(folder / _MANIFEST)
    _check(set(files) - {_MANIFEST} == set(manifest), "files are missing, or foreign ones are there")
    for path in manifest:
        size = (folder / path).stat().st_size
        _check(size == manifest[path]["bytes"], f"{path} has {size} bytes, not {manifest[path]['bytes']}")
        _check(_digest(folder / path) == manifest[path]["sha256"], f"{path} has changed")
    document = _read_json(folder / _STATE)
    check_header(document, FORMAT)
    _check(document["number"] == number, f"it is number {document['number']}")
    return Checkpoint(number, document, _read_arrays(folder / _ARRAYS, document.pop("arrays")))


def _read_arrays(folder: Path, declared: dict[str, Any]) -> dict[str, np.ndarray]:
    import orbax.checkpoint as ocp

    arrays, stored = {}, {}
    for name, entry in declared.items():
        shape, dtype = entry["shape"], entry["dtype"]
        _check(_NAME.fullmatch(name) is not None and dtype in _TYPES, f"array {name!r} of type {dtype!r} is foreign")
        _check(isinstance(shape, list) and all(type(n) is int and 0 <= n < 2**31 for n in shape), f"{name} has shape {shape}")
        if 0 in shape:
            arrays[name] = np.zeros(shape, dtype)
            continue
        written = shape or [1]
        zarr = _read_json(folder / name / ".zarray")
        bytes_ = (folder / name / ".".join("0" * len(written))).stat().st_size
        plain = zarr["compressor"] is None and zarr["filters"] is None and zarr["shape"] == zarr["chunks"] == written
        plain &= np.dtype(zarr["dtype"]) == dtype and zarr["order"] == "C" and zarr["zarr_format"] == 2
        fits = bytes_ == np.dtype(dtype).itemsize * int(np.prod(written, dtype=object))
        _check(plain and fits, f"{name} is not stored as {dtype}{shape}")
        stored[name] = tuple(shape)
    tree = _read_json(folder / "_METADATA")
    known = {key for entry in tree["tree_metadata"].values() for key in [entry["key_metadata"][0]["key"]]}
    _check(known == set(stored) and not tree["use_ocdbt"] and not tree["use_zarr3"], "its arrays are not those of its document")
    template = dict.fromkeys(stored, 0)
    options = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in stored}
    try:
        with _quietly() as checkpointer:
            restored = checkpointer.restore(folder.resolve(), args=ocp.args.PyTreeRestore(item=template, restore_args=options))
    except Exception as error:
        raise ValueError(reason_of(error)) from error
    return arrays | {name: np.asarray(restored[name]).reshape(shape) for name, shape in stored.items()}


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


@contextmanager
def _quietly() -> Iterator[Any]:
    """Orbax's checkpointer, of this process alone, whatever others there are.

    Its notes about formats that are not used here are kept from the log; and errors of its threads,
    which it raises here as well, from standard error.
    """
    import orbax.checkpoint as ocp

    alone = ocp.options.MultiprocessingOptions(primary_host=jax.process_index(), active_processes={jax.process_index()})
    handler = ocp.PyTreeCheckpointHandler(use_ocdbt=False, use_zarr3=False, use_compression=False, multiprocessing_options=alone)
    log, hook = logging.getLogger("absl"), threading.excepthook
    log.addFilter(_not_about_ocdbt)
    threading.excepthook = lambda _: None
    try:
        yield ocp.Checkpointer(handler, multiprocessing_options=alone)
    finally:
        threading.excepthook = hook
        log.removeFilter(_not_about_ocdbt)


def _not_about_ocdbt(record: logging.LogRecord) -> bool:
    return "OCDBT" not in record.getMessage()


def _check(condition: bool, fault: str) -> None:
    if not condition:
        raise ValueError(fault)


def _read_json(path: Path) -> Any:
    _check(path.stat().st_size <= LARGEST_FILE, f"{path.name} is too large")
    document = parse_json(path.read_text(encoding="utf-8"))
    _check(isinstance(document, dict), f"{path.name} is not an object")
    return document


def _files(folder: Path) -> list[str]:
    """All files in `folder`, by their path in it. Raises ValueError for links, devices and
    pipes.
    """
    _check(not folder.is_symlink(), "it is a link")
    paths = sorted(folder.rglob("*"))
    _check(not any(path.is_symlink() for path in paths), "it contains links")
    _check(all(path.is_file() or path.is_dir() for path in paths), "it contains devices or pipes")
    return [path.relative_to(folder).as_posix() for path in paths if not path.is_dir()]


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
