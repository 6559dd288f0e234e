"""Ctrl-C while the command line is being imported, which takes seconds. The package imports this
first, and this imports next to nothing.

Then an exception would be a page of traceback, or be lost in what is imported. Only the command
itself is concerned: a program that imports the package keeps its handlers.
"""

import _thread
import os
import signal
import sys
import threading
from typing import Any


def _is_the_command() -> bool:
    """Whether this program is the installed command, or `python -m wannjax`, of which Python only
    says "-m" as long as that is being imported.
    """
    program = os.path.basename(sys.argv[0]) if sys.argv[:1] else ""
    if program != "-m":
        return program in ("wannjax", "wannjax.exe")
    return "wannjax" in sys.orig_argv[sys.orig_argv.index("-m") + 1 :][:1] if "-m" in sys.orig_argv else "-mwannjax" in sys.orig_argv


def _end(_number: int, _frame: object) -> None:
    os.write(2, b"wannjax: interrupted\n")
    os._exit(130)


if _is_the_command():
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
    collected, where its exception is lost: a moment later, since it would be lost in here too.
    """
    if lost.exc_type is KeyboardInterrupt:
        threading.Timer(0.02, _interrupt).start()
    else:
        sys.__unraisablehook__(lost)


def _interrupt() -> None:
    """Ctrl-C, which also ends what the main thread waits for, where the system can do that."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()
