"""Checkpoints: the state of a long run in numbered folders, each written whole or not at all, and checked before it is used.

    checkpoints/00000040/arrays/         the arrays, written by orbax-checkpoint as uncompressed zarr
                         state.json      what was run, and the shape and type of every array
                         manifest.json   size and SHA-256 of all other files

A folder is written under another name, flushed to the disk and then renamed, so that under its number it is complete. What is read
may come from a stranger: no path is taken from a file's content, and nothing is allocated that the files' own sizes do not cover.
To store more of a run, add an array or an entry of the document where it is saved and where it is restored.
"""

import dataclasses
import hashlib
import io
import json
import logging
import os
import re
import shutil
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np

from wannjax import hosts
from wannjax.storage import LARGEST_FILE, check_header, parse_json, reason_of
from wannjax.validation import require

FORMAT = "wannjax checkpoint"
KEEP = 3
"""Checkpoints that are kept, the newest ones."""
SAVE_EVERY = 30.0
"""Seconds between two checkpoints, by default."""
DISCARD_SECONDS = 5.0
"""How long the rest of a checkpoint that could not be written is tried to be removed."""
_STATE, _MANIFEST, _ARRAYS, _INCOMING = "state.json", "manifest.json", "arrays", ".incoming"
_NAME = re.compile(r"[A-Za-z]\w*(\.\w+)*", re.ASCII)
_TYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "float16", "float32", "float64")


class Checkpoint(NamedTuple):
    """A run's state after `number` generations or steps: a document of plain values, and named arrays."""

    number: int
    document: dict[str, Any]
    arrays: dict[str, np.ndarray]


class Checkpoints:
    """The checkpoints of one run, in `directory`."""

    def __init__(self, directory: Path):
        self.directory = directory

    def numbers(self) -> list[int]:
        """Of the checkpoints, sound or not, the newest first."""
        if not self.directory.is_dir():
            return []
        return sorted((int(path.name) for path in self.directory.iterdir() if re.fullmatch(r"[0-9]{8}", path.name)), reverse=True)

    def save(self, checkpoint: Checkpoint) -> None:
        """Writes `checkpoint` and removes all but the newest `KEEP`; those behind its number too, which are of a future given up.

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
        """The newest sound checkpoint, None where there is none at all; says so in a warning when it had to pass over newer ones.

        Raises ValueError when all of them are damaged.
        """
        faults = []
        for number in self.numbers():
            try:
                found = _read(self.directory / f"{number:08d}", number)
            except (ValueError, KeyError, TypeError, RecursionError, OverflowError, OSError) as error:
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
    manifest = _read_json(folder / _MANIFEST)
    files = _files(folder)
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
    """Removes what could not be written; orbax raises its first error while other threads of its still write there, for moments."""
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

    Its notes about formats that are not used here are kept from the log; and errors of its threads, which it raises here as well, from
    standard error.
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
    """All files in `folder`, by their path in it. Raises ValueError for a link."""
    paths = sorted(folder.rglob("*"))
    _check(not any(path.is_symlink() for path in (folder, *paths)), "it contains links")
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


@runtime_checkable
class Resumable(Protocol):
    """A run that can be saved: how far it is, what another must have in common with it to continue it, its state, and the way back."""

    @property
    def number(self) -> int: ...

    @property
    def identity(self) -> dict[str, Any]: ...

    def snapshot(self) -> Checkpoint: ...

    def restore(self, found: Checkpoint) -> None: ...


class Saver:
    """Saves `run` now and then."""

    def __init__(self, checkpoints: Checkpoints, run: Resumable, every: float):
        self.checkpoints, self.run, self.every = checkpoints, run, every
        self.saved, self.when = run.number, time.perf_counter()

    def keep(self, *, last: bool) -> None:
        """Saves the run if it is time to, or if this is the `last` opportunity. Raises OSError when it cannot."""
        if hosts.is_first() and self.run.number > self.saved and (last or time.perf_counter() - self.when >= self.every):
            found = self.run.snapshot()
            self.checkpoints.save(found._replace(document={**self.run.identity, **found.document, "versions": _versions()}))
            self.saved, self.when = self.run.number, time.perf_counter()


@contextmanager
def saving(directory: Path, folder: str, run: Resumable, *, resume: bool, every: float) -> Iterator[Saver]:
    """Keeps checkpoints of `run` in a `folder` of its `directory`; restores it first from the newest one if it is to `resume`.

    When something goes wrong, what is complete is saved, and the error says so. Of several processes on one run, only the first one reads
    and writes here; what it finds, all restore.

    Raises ValueError when there are checkpoints and it is not to `resume`, or when they are another run's or damaged.
    """
    with locked(directory) if hosts.is_first() else nullcontext():
        checkpoints = Checkpoints(directory / folder)
        found = _from_first(checkpoints.newest() if resume and hosts.is_first() else None)
        if found is not None:
            before, now = found.document.get("versions"), _versions()
            if before != now:
                warnings.warn(f"{directory}: was saved by {before}, and this is {now}: the result may differ", stacklevel=3)
            require_same(run.identity, found.document)
            try:
                run.restore(found)
            except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
                raise ValueError(f"run_dir: checkpoint {found.number} in {directory} makes no sense: {reason_of(error)}") from error
        numbers = checkpoints.numbers()
        free = resume or not numbers or not hosts.is_first()
        require("run_dir", str(directory), f"without checkpoints, or to be resumed: it holds number {max(numbers, default=0)}", free)
        saver = Saver(checkpoints, run, every)
        try:
            yield saver
        except Exception as error:
            with suppress(OSError):
                saver.keep(last=True)
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


def require_same(wanted: dict[str, Any], found: dict[str, Any], path: str = "") -> None:
    """Raises ValueError that names the first entry in which a saved run differs from the one that is to continue it."""
    for name, value in wanted.items():
        here, other = f"{path}{name}", found.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            require_same(value, other, f"{here}.")
        else:
            require("run_dir", other, f"of a run with {here} {value!r}", other == value)


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("wannjax", "jax", "jaxlib")}


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keeps other processes from `directory`, which is made if need be, until this one leaves or dies.

    Raises ValueError when another one is there, and OSError when the directory cannot be written.
    """
    from filelock import FileLock, Timeout

    directory.mkdir(parents=True, exist_ok=True)
    lock = FileLock(directory / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(f"run_dir: must be used by one process at a time, and another one runs in {str(directory)!r}") from None
    try:
        yield
    finally:
        lock.release()


def arrays_of(tree: Any, prefix: str) -> dict[str, np.ndarray]:
    """The arrays of a pytree by name; keys as their data."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {_name(prefix, path): np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf) for path, leaf in leaves}


def tree_like(template: Any, arrays: dict[str, np.ndarray], prefix: str) -> Any:
    """The pytree of which `arrays_of` gave `arrays`: as `template`, whose lengths along the axes may differ.

    Raises ValueError for other names, types or numbers of axes.
    """

    def restored(path, leaf):
        name = _name(prefix, path)
        plain = jax.random.key_data(leaf) if _is_key(leaf) else jnp.asarray(leaf)
        array = arrays.get(name)
        fits = array is not None and array.dtype == plain.dtype and array.ndim == plain.ndim
        require("checkpoint", name, f"an array of type {plain.dtype} with {plain.ndim} axes", fits)
        return jax.random.wrap_key_data(jnp.asarray(array), impl=jax.random.key_impl(leaf)) if _is_key(leaf) else jnp.asarray(array)

    return jax.tree_util.tree_map_with_path(restored, template)


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _name(prefix: str, path: tuple) -> str:
    return ".".join([prefix, *(jax.tree_util.keystr((key,), simple=True) for key in path)])


def capacities_of(state: Any) -> dict[str, int]:
    """The static fields of a state that is a dataclass: the capacities that its arrays are padded to."""
    return {f.name: getattr(state, f.name) for f in dataclasses.fields(state) if f.metadata.get("static")}


def with_capacities(state: Any, capacities: Any) -> Any:
    """`state` with these static fields. Raises ValueError unless they are the names and numbers of such."""
    names = set(capacities_of(state))
    room = max(leaf.size // leaf.shape[0] for leaf in jax.tree.leaves(state) if leaf.ndim)
    fine = isinstance(capacities, dict) and set(capacities) == names and all(type(n) is int and 0 < n <= room for n in capacities.values())
    require("checkpoint", capacities, f"the capacities {', '.join(sorted(names))}", fine)
    return dataclasses.replace(state, **capacities)


def seconds_of(document: dict[str, Any]) -> float:
    """The wall time of a saved run. Raises ValueError when it is not one."""
    seconds: Any = document.get("seconds")
    require("checkpoint", seconds, "of a run with its seconds", isinstance(seconds, float) and seconds >= 0)
    return seconds
