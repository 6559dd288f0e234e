"""Threads that take each other for processes of one search, which tests can afford by the dozen."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import numpy as np

from wannjax.common import hosts


def in_processes(count: int, function: Callable[[int], Any]) -> list[Any]:
    """What `function` of the number of its process gives in each of so many; what one raises, where one does."""
    own, barrier, given = threading.local(), threading.Barrier(count), [()] * count

    def gather(*arrays):
        given[own.index] = arrays
        barrier.wait(60)
        everywhere = [np.stack(each) for each in zip(*given, strict=True)]
        barrier.wait(60)
        return everywhere

    def run(index):
        own.index = index
        try:
            return function(index)
        except threading.BrokenBarrierError as error:
            raise hosts.LostProcessError("lost") from error
        except BaseException:
            barrier.abort()
            raise

    fakes = {"count": lambda: count, "index": lambda: own.index, "gather": gather}
    with patch.multiple(hosts, **fakes), ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(run, index) for index in range(count)]
        errors = [future.exception() for future in futures]
    for error in sorted((error for error in errors if error), key=lambda error: isinstance(error, hosts.LostProcessError)):
        raise error
    return [future.result() for future in futures]
