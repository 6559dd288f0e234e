"""Many copies of an environment that knows a single episode, as one `HostEnvironment`: in this
process, or spread over several.
"""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from wannjax.common.validation import require, require_count, require_type
from wannjax.problems.host_environment import FRAMES, HostEnvironment, HostStep
from wannjax.problems.spaces import ActionSpace

_NEEDED = ("name", "inputs", "actions", "max_steps", "reset", "step")
_DESCRIBED = ("name", "inputs", "actions", "max_steps", "input_names", "output_names", "observation_shape", "picture")
_PATIENCE = 2.0
"""Seconds that a process may take to end by itself."""


@runtime_checkable
class SingleEnvironment(Protocol):
    """One episode at a time. It may have the other attributes of a `HostEnvironment`; a method
    `frame`, which gives what a camera sees, uint8[height, width, 3]; and a `close`.
    """

    name: str
    inputs: int
    actions: ActionSpace
    max_steps: int

    def reset(self, seed: int) -> Any:
        """Begins the episode of `seed`, and returns its first observation [I]."""
        ...

    def step(self, action: Any) -> tuple[Any, float, bool, bool]:
        """What an action leads to: the observation [I], the reward, whether the task has ended the
        episode, and whether it is cut short.
        """
        ...


class SideBySide(HostEnvironment):
    """As many copies of an environment as there are episodes. They stay for the episodes to come.

    With several `workers` the copies live in processes of their own, which `make` is sent to: it
    must be a function or class of a module, and a program that is started as a script needs
    `if __name__ == "__main__":`.
    """

    def __init__(self, make: Callable[[], SingleEnvironment], *, workers: int = 1):
        """
        Args:
            make: makes a copy: a function, or the class itself.
            workers: processes that the copies live in; this one when 1.

        Raises:
            TypeError: `make` is no function.
            ValueError: what it makes is no `SingleEnvironment`, or `workers` is out of range.
        """
        require_type("make", make, "a function or class that makes an environment", callable(make))
        self.workers = require_count("workers", workers)
        self._copies, self._processes = _Copies(make), list[_Worker]()
        first = self._copies.at(0)
        missing = [name for name in _NEEDED if not hasattr(first, name)]
        require("make", type(first).__name__, f"what makes an environment with {', '.join(missing)}", not missing)
        for name in _DESCRIBED:
            if hasattr(first, name):
                setattr(self, name, getattr(first, name))
        if hasattr(first, "frame") and not self.picture:
            self.picture = FRAMES

    def reset(self, seeds: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n I"]:
        return self._done("reset", np.arange(len(seeds)), seeds)[0]

    def step(self, actions: Shaped[np.ndarray, "n ..."], lanes: Int[np.ndarray, " n"]) -> HostStep:
        observations, rewards, terminated, truncated = self._done("step", lanes, actions)
        return observations, rewards, terminated, truncated

    def frames(self, lanes: Int[np.ndarray, " n"]) -> UInt8[np.ndarray, "n height width 3"]:
        return self._done("frames", lanes)[0]

    def close(self) -> None:
        for worker in self._processes:
            worker.close()
        self._processes = []
        self._copies.close()

    def _done(self, function: str, lanes: Int[np.ndarray, " n"], *arrays: np.ndarray) -> list[np.ndarray]:
        """What a function of `_Copies` makes of these lanes, wherever they live: lane by lane in
        turns, so that the processes keep equally many as lanes end.
        """
        if self.workers == 1:
            return getattr(self._copies, function)(lanes, *arrays)
        if not self._processes:
            self._processes = [_Worker(self._copies.make) for _ in range(self.workers)]
        places = [np.flatnonzero(lanes % self.workers == i) for i in range(self.workers)]
        busy = [(worker, place) for worker, place in zip(self._processes, places, strict=True) if len(place)]
        for worker, place in busy:
            worker.send(function, lanes[place] // self.workers, *(array[place] for array in arrays))
        order = np.argsort(np.concatenate([place for _, place in busy]))
        found = [worker.answer() for worker, _ in busy]
        return [np.concatenate(parts)[order] for parts in zip(*found, strict=True)]


class _Copies:
    """Copies that live in one process, made when they are first needed."""

    def __init__(self, make: Callable[[], Any]):
        self.make, self._all = make, list[Any]()

    def at(self, lane: int) -> Any:
        while len(self._all) <= lane:
            self._all.append(self.make())
        return self._all[lane]

    def reset(self, lanes, seeds) -> list[np.ndarray]:
        return [np.array([self.at(lane).reset(seed) for lane, seed in zip(lanes.tolist(), seeds.tolist(), strict=True)], np.float32)]

    def step(self, lanes, actions) -> list[np.ndarray]:
        after = [self._all[lane].step(action) for lane, action in zip(lanes.tolist(), actions, strict=True)]
        observations, rewards, terminated, truncated = zip(*after, strict=True)
        return [np.array(observations, np.float32), np.array(rewards, np.float32), np.array(terminated, bool), np.array(truncated, bool)]

    def frames(self, lanes) -> list[np.ndarray]:
        return [np.array([self._all[lane].frame() for lane in lanes.tolist()], np.uint8)]

    def close(self) -> None:
        for copy in self._all:
            getattr(copy, "close", lambda: None)()
        self._all = []


class _Worker:
    """Copies in a process of their own."""

    def __init__(self, make: Callable[[], Any]):
        context = multiprocessing.get_context("spawn")  # JAX has threads, which a forked process would lack
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make), daemon=True)
        self._process.start()
        theirs.close()

    def send(self, *request: Any) -> None:
        self._connection.send(request)

    def answer(self) -> list[np.ndarray]:
        """Raises what the copies raised, and EOFError where the process has died."""
        found = self._connection.recv()
        if isinstance(found, Exception):
            raise found
        return found

    def close(self) -> None:
        self._connection.close()  # which ends it, unless it is stuck
        self._process.join(_PATIENCE)
        self._process.kill()
        self._process.join()


def _serve(connection: Connection, make: Callable[[], Any]) -> None:
    """Does what it is asked for until nobody is there to ask. Signals are for the process that
    asks.
    """
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    copies = _Copies(make)
    while True:
        try:
            function, *arguments = connection.recv()
        except EOFError:
            return
        try:
            found: Any = getattr(copies, function)(*arguments)
        except Exception as error:  # whatever a user's code raises
            found = error
        try:
            connection.send(found)
        except Exception:  # an error that cannot be sent, or nobody reads
            connection.send(RuntimeError(f"{type(found).__name__}: {found}"))
