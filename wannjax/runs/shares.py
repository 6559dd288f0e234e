"""The arrays that one of several processes alone has, as a file of a checkpoint: a line that says
what there is, and the arrays' bytes one after the other.

Orbax writes numpy's arrays in process 0 only. What is read may come from a stranger: nothing is
allocated that the file's own size does not cover.
"""

import json
import os
from collections.abc import Container, Mapping
from pathlib import Path

import numpy as np

from wannjax.common.files import parse_json
from wannjax.runs.stored_arrays import check, check_array

_LONGEST = 1 << 24
"""Bytes of the first line, at the most."""


def write_share(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes the arrays, to the disk itself."""
    declared = {name: {"shape": list(array.shape), "dtype": array.dtype.name} for name, array in arrays.items()}
    for name, entry in declared.items():
        check_array(name, **entry)
    with open(path, "xb") as file:
        file.write(json.dumps(declared).encode() + b"\n")
        for array in arrays.values():
            file.write(np.ascontiguousarray(array).tobytes())
        file.flush()
        os.fsync(file.fileno())


def read_share(path: Path, wanted: Container[str] | None) -> dict[str, np.ndarray]:
    """All arrays of a file that has a `wanted` one, or of any file if `wanted` is None; else none.
    Raises ValueError, or an error of `common.files.MALFORMED`, for anything else.
    """
    with open(path, "rb") as file:
        declared = parse_json(file.readline(_LONGEST).decode())
        if wanted is not None and not any(name in wanted for name in declared):
            return {}
        sizes = {}
        for name, entry in declared.items():
            check_array(name, entry["shape"], entry["dtype"])
            sizes[name] = np.dtype(entry["dtype"]).itemsize * int(np.prod(entry["shape"], dtype=object))
        there = path.stat().st_size - file.tell()
        check(sum(sizes.values()) == there, f"{path.name} has {there} bytes of arrays, not {sum(sizes.values())}")
        return {
            name: np.frombuffer(file.read(sizes[name]), entry["dtype"]).reshape(entry["shape"]).copy() for name, entry in declared.items()
        }
