"""A run directory becomes one page, and pictures: the only room that reads all of a run."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P, T = ParamSpec("P"), TypeVar("T")


def finishing(finish: Callable[..., object]) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Gives a driver, `evolve` or `finetune`, what it is to call in the end with its run directory:
    an argument `finish` of its own.
    """

    def decorate(driver: Callable[P, T]) -> Callable[P, T]:
        @wraps(driver)
        def finished(*arguments: P.args, **options: P.kwargs) -> T:
            options.setdefault("finish", finish)
            return driver(*arguments, **options)

        return finished

    return decorate
