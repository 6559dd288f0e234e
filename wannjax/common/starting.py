"""Ctrl-C while the command line is being imported, which takes seconds. The package imports this
first, and this imports next to nothing.

Then an exception would be a page of traceback, or be lost in what is imported. Only the command
itself is concerned: a program that imports the package keeps its handlers.
"""

import _thread
import os
import signal
import sys
from typing import Any

_COMMANDS = ("wannjax", "wannjax.exe", "-m")
"""What Python calls the program: the installed command, or `python -m wannjax` as long as that is
being imported.
"""


def _end(_number: int, _frame: object) -> None:
    os.write(2, b"wannjax: interrupted\n")
    os._exit(130)


if sys.argv[:1] and os.path.basename(sys.argv[0]) in _COMMANDS:
    try:  # noqa: SIM105 - without another import
        signal.signal(signal.SIGINT, _end)
    except ValueError:  # another thread imports the package
        pass


def started() -> None:
    """Gives Ctrl-C back what it usually does: the command line is there, and answers itself."""
    if signal.getsignal(signal.SIGINT) is _end:
        sys.unraisablehook = _again
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _again(lost: Any) -> None:
    """Sends Ctrl-C again when it came in a callback, such as one that JAX runs as garbage is
    collected, where its exception is lost.
    """
    if lost.exc_type is KeyboardInterrupt:
        _thread.interrupt_main()
    else:
        sys.__unraisablehook__(lost)
