"""Examples in docstrings are shown as code, wherever they stand."""

import re

import griffe

_EXAMPLE = re.compile(r"(?:^>>> .*\n?(?:^(?!\s*$).*\n?)*)+", flags=re.MULTILINE)
"""Lines up to the next empty one."""


class Doctests(griffe.Extension):
    def on_object(self, *, obj, **_):
        if obj.docstring:
            obj.docstring.value = _EXAMPLE.sub(_as_code, obj.docstring.value)


def _as_code(found):
    return f"```pycon\n{found.group().rstrip()}\n```\n"
