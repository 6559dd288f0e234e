"""Ctrl-C while the command line is being imported, which takes seconds. The package imports this
first.

Then an exception would be a page of traceback, or be lost in what is imported. Only the command
itself is concerned: a program that imports the package keeps its handlers.
"""

import signal
import sys
import threading
from pathlib import PurePath

from wannjax.common.interrupts import end_at_once

_COMMANDS = ("wannjax", "wannjax.exe", "-m")
"""What Python calls the program: the installed command, or `python -m wannjax` as long as that is
being imported.
"""

if sys.argv[:1] and PurePath(sys.argv[0]).name in _COMMANDS and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, end_at_once)


def started() -> None:
    """Gives Ctrl-C back what it usually does: the command line is there, and answers itself."""
    if signal.getsignal(signal.SIGINT) is end_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)
