"""The arrays of a checkpoint, in uncompressed zarr, as orbax-checkpoint writes it; and what may be
stored at all.
"""

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np

from wannjax.common.files import LARGEST_FILE, parse_json, reason_of

_NAME = re.compile(r"[A-Za-z]\w*(\.\w+)*", re.ASCII)
"""What the arrays of a checkpoint can be called."""
_TYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "float16", "float32", "float64")
"""What they can be of."""


def check(condition: bool, fault: str) -> None:
    """Raises ValueError that says what is wrong with a checkpoint."""
    if not condition:
        raise ValueError(fault)


def check_array(name: object, shape: object, dtype: object) -> None:
    """Raises ValueError for an array that no checkpoint has."""
    check(isinstance(name, str) and _NAME.fullmatch(name) is not None and dtype in _TYPES, f"array {name!r} of type {dtype!r} is foreign")
    check(isinstance(shape, list) and all(type(n) is int and 0 <= n < 2**31 for n in shape), f"{name} has shape {shape}")


def write_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays, of which those without elements are not stored, into a new folder."""
    for name, array in arrays.items():
        check_array(name, list(array.shape), array.dtype.name)
    stored = {name: np.ascontiguousarray(np.atleast_1d(array)) for name, array in arrays.items() if array.size}
    with _quietly() as checkpointer:
        checkpointer.save(folder.resolve(), stored)


def read_arrays(folder: Path, declared: dict[str, Any]) -> dict[str, np.ndarray]:
    """The arrays in `folder`, which must be those `declared`, with their shapes and types. Raises
    ValueError, or an error of `common.files.MALFORMED`, for anything else.
    """
    import orbax.checkpoint as ocp

    arrays, stored = {}, {}
    for name, entry in declared.items():
        shape, dtype = entry["shape"], entry["dtype"]
        check_array(name, shape, dtype)
        if 0 in shape:
            arrays[name] = np.zeros(shape, dtype)
            continue
        written = shape or [1]
        zarr = read_json(folder / name / ".zarray")
        bytes_ = (folder / name / ".".join("0" * len(written))).stat().st_size
        plain = zarr["compressor"] is None and zarr["filters"] is None and zarr["shape"] == zarr["chunks"] == written
        plain &= np.dtype(zarr["dtype"]) == dtype and zarr["order"] == "C" and zarr["zarr_format"] == 2
        fits = bytes_ == np.dtype(dtype).itemsize * int(np.prod(written, dtype=object))
        check(plain and fits, f"{name} is not stored as {dtype}{shape}")
        stored[name] = tuple(shape)
    tree = read_json(folder / "_METADATA")
    known = {key for entry in tree["tree_metadata"].values() for key in [entry["key_metadata"][0]["key"]]}
    check(known == set(stored) and not tree["use_ocdbt"] and not tree["use_zarr3"], "its arrays are not those of its document")
    template = dict.fromkeys(stored, 0)
    options = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in stored}
    try:
        with _quietly() as checkpointer:
            restored = checkpointer.restore(folder.resolve(), args=ocp.args.PyTreeRestore(item=template, restore_args=options))
    except Exception as error:
        raise ValueError(reason_of(error)) from error
    return arrays | {name: np.asarray(restored[name]).reshape(shape) for name, shape in stored.items()}


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


def read_json(path: Path) -> Any:
    """The object in a file. Raises ValueError for anything else."""
    check(path.stat().st_size <= LARGEST_FILE, f"{path.name} is too large")
    document = parse_json(path.read_text(encoding="utf-8"))
    check(isinstance(document, dict), f"{path.name} is not an object")
    return document
