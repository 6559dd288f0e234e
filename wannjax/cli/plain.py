"""The command line's tables where there is no terminal: as plain text, and as HTML for
notebooks.
"""

import io
from collections.abc import Iterable
from html import escape

from rich.console import Console, Group, RenderableType
from rich.table import Table

WIDTH = 100
"""Columns of a text."""


def text_of(shown: RenderableType) -> str:
    """A table, or several with lines between them, as text without colours."""
    file = io.StringIO()
    Console(file=file, width=WIDTH, color_system=None, force_jupyter=False).print(shown)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def html_of(shown: RenderableType) -> str:
    """A table, or several with lines between them, as HTML."""
    if isinstance(shown, Group):
        return "\n".join(map(html_of, shown.renderables))
    if not isinstance(shown, Table):
        return f"<p>{escape(str(shown))}</p>"
    head = _row("th", (column.header for column in shown.columns)) if shown.show_header else ""
    body = "".join(_row("td", cells) for cells in zip(*(column.cells for column in shown.columns), strict=True))
    return f"<table>\n{head}{body}</table>"


def _row(tag: str, cells: Iterable[RenderableType]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(str(cell))}</{tag}>' for cell in cells)}</tr>\n"
