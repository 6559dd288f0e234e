"""The screen: where lines and tables go, whatever it can show.

What is printed is text as it stands: names, paths and units may hold brackets, which rich would
take for its markup. Output that is no terminal is not wrapped. A reader that has gone away, and an
encoding without the signs that are printed, stop nothing.
"""

import codecs
import io
import os
import sys
from typing import IO, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

UNLIMITED = 100_000
"""Columns of what is no terminal: a file, or another program."""

_PLAIN = {"±": "+-", "→": "->", "×": "x", "…": "...", "−": "-", "≥": ">=", "≤": "<=", "–": "-", "“": '"', "”": '"', "’": "'"}
"""Signs in ASCII; others become question marks."""


class _Screen(Console):
    """A console whose reader may go away: what is printed afterwards is lost, and nothing else."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        silence(self.file)


def screen(*, stderr: bool = False) -> Console:
    """Standard output, or standard error, to print text and tables on."""
    console = _Screen(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = UNLIMITED
    return console


def say(*things: Any) -> None:
    """Prints texts and tables on standard output, each on lines of its own."""
    console = screen()
    for thing in things:
        console.print(thing, soft_wrap=isinstance(thing, str))


class LiteralTable(Table):
    """A table whose cells and headings are text as it stands, whatever console prints it."""

    def add_column(self, header: Any = "", *arguments: Any, **options: Any) -> None:
        super().add_column(_literal(header), *arguments, **options)

    def add_row(self, *cells: Any, **options: Any) -> None:
        super().add_row(*map(_literal, cells), **options)


def _literal(cell: Any) -> Any:
    return Text(cell) if isinstance(cell, str) else cell


def print_anything() -> None:
    """Makes standard output and standard error print any text: signs that their encodings lack in
    ASCII.
    """
    codecs.register_error("wannjax.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="wannjax.plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(letter, "?") for letter in error.object[error.start : error.end]), error.end


def flush() -> None:
    """Hands on what was printed. Raises OSError where that fails for another reason than that the
    reader has gone.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError as error:
            silence(stream)
            if not isinstance(error, BrokenPipeError):
                raise


def silence(stream: IO[str]) -> None:
    """Lets a stream of this process whose reader has gone lead nowhere, so that what is left in it
    troubles no one.
    """
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # a stream that is no file
        pass
