"""Several processes, on one host or many, that work on one search, or on one training: what they
exchange goes between CPU devices, whatever the networks run on.

Where a search has at least as many islands as there are processes, each process holds islands of
its own, which it scores and breeds alone; what travels then is in `runs/exchange.py`. Elsewhere all
of them hold the whole state, breed the same population from it, and score a share of it each; so
they do in a training. Process 0 shows progress. It alone touches the disk, but for the islands'
share of a checkpoint, which each process writes. A process that fails ends at once, without waiting
for the others, who notice and end as well: a search that lost a share cannot go on, but it can be
resumed, on another number of processes, too.
"""

import ctypes
import hashlib
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from wannjax.common.validation import require, require_count, whole

HEARTBEAT = 30
"""Seconds after which a process that gives no sign of life counts as lost, where the end of its
connections has not told before.
"""
TRY_AGAIN = 75
"""The exit code (EX_TEMPFAIL) of a process that ends because another one did, or because SIGTERM
ended its run: whoever started it is to start it again.
"""


class LostProcessError(RuntimeError):
    """Another process does not answer."""


@contextmanager
def distributed(coordinator: str | None = None, processes: int | None = None, process: int | None = None) -> Iterator[None]:
    """Makes this process one of several that run the same program; the searches and trainings
    inside are shared among them.

        with wannjax.distributed():  # before any JAX computation
            result = wannjax.evolve(problem, config, run_dir="runs/a", resume=True)

    Args:
        coordinator: HOST:PORT of process 0, at a port that is free there.
        processes: how many there are.
        process: which one this is, from 0.

    Give all three, or none on a cluster that JAX knows, such as SLURM. An error inside ends the
    process at once, since the others wait for it; so does the loss of another one, with exit code
    `TRY_AGAIN`.

    Raises ValueError for arguments that make no sense, or none where no cluster is found, and in
    process 0 for a port that is not free.
    """
    given = [coordinator, processes, process]
    require("coordinator, processes, process", given, "given all or none", None not in given or given == [None] * 3)
    if coordinator is not None:
        host, _, port = coordinator.rpartition(":")
        require("coordinator", coordinator, "HOST:PORT", bool(host) and port.isdigit() and 0 < int(port) < 2**16)
    if processes is not None and process is not None:
        processes = require_count("processes", processes)
        process = whole("process", process, f"an integer from 0 to {processes - 1}", 0, processes - 1)
    if coordinator is not None and process == 0:
        _require_free(coordinator)
    _end_when_others_do()
    # A signal is answered here, after the generation, and told to the others; JAX's own service
    # would take it.
    jax.config.update("jax_enable_preemption_service", False)
    global _why_it_aborts
    try:
        _why_it_aborts = f"coordinator: process 0 does not answer at {coordinator or 'the address that the cluster says'}"
        jax.distributed.initialize(coordinator, processes, process, heartbeat_timeout_seconds=HEARTBEAT)
        _why_it_aborts = _ANOTHER_ENDED
    except ValueError as error:
        known = "on a cluster that JAX knows, or given HOST:PORT, the number of processes and which one this is"
        raise ValueError(f"distributed: must be used {known} ({error})") from None
    try:
        yield
        any_of(False)  # all have finished
        jax.distributed.shutdown()
    except BaseException as error:
        _end(error)


def _require_free(coordinator: str) -> None:
    """Raises ValueError where something else has the coordinator's port: JAX would crash."""
    try:
        socket.create_server(("", int(coordinator.rpartition(":")[2]))).close()
    except OSError as error:
        allowed = f"at a port that is free on the host of process 0 ({error.strerror})"
        raise ValueError(f"coordinator: must be {allowed}, got {coordinator!r}") from None


def count() -> int:
    """How many processes there are."""
    return jax.process_count()


def index() -> int:
    """Which of them this is."""
    return jax.process_index()


def is_first() -> bool:
    """Whether this process shows progress and writes files."""
    return index() == 0


def any_of(*flags: bool) -> list[bool]:
    """Whether each of the flags is set in any process, in one exchange."""
    (everywhere,) = gather(np.array(flags))
    return [bool(column.any()) for column in everywhere.T]


def in_parts(pieces: int) -> list[range]:
    """Which of so many pieces in a row each process has."""
    ends = [pieces * process // count() for process in range(count() + 1)]
    return [range(*pair) for pair in pairwise(ends)]


def gather_rows(parts: Sequence[tuple[np.ndarray, Sequence[int]]]) -> list[np.ndarray]:
    """Arrays whose rows the processes have a part of each, with the rows of all, in one exchange.

    Args:
        parts: an array of this process, and how many rows every process has of it.
    """
    filled = []
    for array, lengths in parts:
        missing = np.zeros((max(lengths) - len(array), *array.shape[1:]), array.dtype)
        filled.append(np.concatenate([array, missing]))
    found = zip(gather(*filled), (lengths for _, lengths in parts), strict=True)
    return [np.concatenate([rows[:length] for rows, length in zip(all_, lengths, strict=True)]) for all_, lengths in found]


def shares_of(lengths: np.ndarray) -> np.ndarray:
    """What each process does of work whose pieces take so long: int[processes, share], equally many
    pieces, and equally long ones.

    The shares are filled up with the shortest piece, and to two at the least where there are two:
    what XLA compiles for one network alone rounds otherwise.
    """
    order = np.argsort(lengths, kind="stable")
    missing = max(-len(order) % count(), min(len(order), 2) * count() - len(order))
    return np.concatenate([np.repeat(order[:1], missing), order]).reshape(-1, count()).T


def in_order(shares: np.ndarray, found: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What was found for `shares_of` pieces, arrays [processes, share, ...], in the order of the
    pieces and without what fills up: [pieces, ...].
    """
    _, places = np.unique(shares, return_index=True)
    return [each.reshape(-1, *each.shape[2:])[places] for each in found]


def dealt(pieces: int, function: Callable[[np.ndarray], Sequence[np.ndarray]]) -> list[np.ndarray]:
    """What `function` finds for each of so many pieces that take equally long, [pieces, ...], every
    process its share of them, in one exchange; a single one is found by all.

    Args:
        function: places int[n] → arrays [n, ...].
    """
    if count() == 1 or pieces == 1:
        return [*function(np.arange(pieces))]
    shares = shares_of(np.zeros(pieces))
    return in_order(shares, gather(*function(shares[index()])))


def from_first(value: bytes) -> bytes:
    """What process 0 gives."""
    (sizes,) = gather(np.array(len(value)))
    return gather(np.frombuffer(value if is_first() else bytes(sizes[0]), np.uint8))[0][0].tobytes()


def by_first(check: Callable[[], object]) -> None:
    """Lets process 0 alone `check`; the ValueError or OSError that this raises, all raise."""
    refused: Exception | None = None
    if is_first():
        try:
            check()
        except (ValueError, OSError) as error:
            refused = error
    told = text_from_first(str(refused or ""))
    if told:
        raise refused or ValueError(told)


def text_from_first(text: str) -> str:
    """The text that process 0 gives."""
    return from_first(text.encode()).decode()


def require_same(value: Any) -> None:
    """Raises ValueError unless all processes have the same plain value."""
    text = json.dumps(value, sort_keys=True, default=str)
    digest = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)
    (everywhere,) = gather(digest)
    differ = np.flatnonzero((everywhere != everywhere[0]).any(axis=1))
    require("processes", [0, *differ.tolist()], "given the same problem and settings, every one", len(differ) == 0)


def gather(*arrays: np.ndarray) -> list[np.ndarray]:
    """Each of the arrays as all processes have it, [processes, ...], in one exchange; all give
    arrays of the same shapes and types.
    """
    if count() == 1:
        return [array[None] for array in arrays]
    by_process, all_rows = _exchange()
    plain = b"".join(array.tobytes() for array in arrays)
    packed = np.frombuffer(plain.ljust(_room(len(plain)), b"\0"), np.uint8)
    rows = jax.make_array_from_process_local_data(by_process, packed[None])
    try:
        everywhere = np.asarray(all_rows(rows).addressable_data(0))
    except (RuntimeError, ValueError) as error:  # which one depends on who notices first
        raise LostProcessError(f"lost the connection to another process ({str(error).splitlines()[0]})") from error
    parts = np.split(everywhere, np.cumsum([array.nbytes for array in arrays]), axis=1)
    pairs = zip(parts[:-1], arrays, strict=True)  # the last one fills up
    return [np.frombuffer(part.tobytes(), array.dtype).reshape(count(), *array.shape) for part, array in pairs]


def _room(size: int) -> int:
    """So many bytes or up to an eighth more, since every new size is a compilation."""
    step = max(1 << size.bit_length() - 4, 64) if size > 8 else 64
    return -(-size // step) * step


def hops(processes: int) -> list[int]:
    """The prime factors of their number: an exchange is one among groups of each of these sizes in
    turn, since a ring of all takes as many steps as there are processes.
    """
    factors, left = [], processes
    for factor in range(2, processes + 1):
        while left % factor == 0:
            factors.append(factor)
            left //= factor
    return factors


@lru_cache(maxsize=1)
def _exchange():
    """A mesh of one CPU device of each process, and the program that gives all of them all rows."""
    firsts: dict[int, jax.Device] = {}
    for device in sorted(jax.devices("cpu"), key=lambda device: device.id):
        firsts.setdefault(device.process_index, device)
    sizes = hops(len(firsts))
    axes = tuple(f"group{place}" for place in range(len(sizes)))
    devices = np.array([firsts[process] for process in sorted(firsts)]).reshape(sizes)
    mesh = Mesh(devices, axes, axis_types=(AxisType.Auto,) * len(axes))

    def all_rows(rows):
        for axis in reversed(axes):
            rows = jax.lax.all_gather(rows, axis, tiled=True)
        return rows

    everywhere = jax.shard_map(all_rows, mesh=mesh, in_specs=PartitionSpec(axes), out_specs=PartitionSpec(), check_vma=False)
    return NamedSharding(mesh, PartitionSpec(axes)), jax.jit(everywhere)


def _end(error: BaseException) -> None:
    """Ends this process without waiting for the others, with one line for what a user can mend and
    for a lost connection.
    """
    message = ""
    match error:
        case SystemExit():
            code = error.code if isinstance(error.code, int) else 1
        case KeyboardInterrupt():
            code, message = 130, "interrupted"
        case LostProcessError():
            code, message = TRY_AGAIN, str(error)
        case ValueError() | OSError():
            code, message = 2, str(error)
        case _:
            code, message = 1, traceback.format_exc()
    if message:
        print("wannjax:", "; ".join([message, *getattr(error, "__notes__", ())]), file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


_abort_handler: Any = None
_ANOTHER_ENDED = "another process has ended, so this one ends too; the run can be resumed from its newest checkpoint"
_why_it_aborts = _ANOTHER_ENDED


def _end_when_others_do() -> None:
    """Turns the abort by which JAX's runtime ends a process that lost another one into one line and
    the exit code `TRY_AGAIN`.
    """
    global _abort_handler
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "4")  # what the runtime says of it takes pages

    def on_abort(_number: int) -> None:
        os.write(2, f"wannjax: {_why_it_aborts}\n".encode())
        os._exit(TRY_AGAIN)

    _abort_handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(on_abort)  # must outlive this call
    ctypes.CDLL(None).signal(int(signal.SIGABRT), _abort_handler)
