"""Words of messages: how many of a thing, names that are near a misspelt one, and names from
outside as they can be shown.
"""

import difflib
from collections.abc import Iterable

_LEAST = 0.4
"""Likeness of a name that may be meant, from 0 to 1."""
_TIE = 0.1
"""How much less like than the best a name may be."""


def counted(number: float, thing: str) -> str:
    """So many things, in words that fit one and several.

    >>> counted(1, "connection"), counted(1.5, "connection"), counted(1200000, "example")
    ('1 connection', '1.5 connections', '1200000 examples')
    """
    digits = f"{number:.0f}" if float(number).is_integer() else f"{number:g}"
    return f"{digits} {thing}{'' if number == 1 else 's'}"


def near(name: str, known: Iterable[str]) -> list[str]:
    """Those of the `known` names that `name` may be a misspelling of, the nearest first, three at
    the most; capitals do not matter.

    >>> near("--popultion", ["--seed", "--population"])
    ['--population']
    """
    by_lower = {other.lower(): other for other in known}
    best = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=_LEAST)
    if not best:
        return []
    cutoff = max(difflib.SequenceMatcher(None, best[0], name.lower()).ratio() - _TIE, _LEAST)
    return [by_lower[match] for match in difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=cutoff)]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question after the names that are near `name`; empty where there are none.

    >>> did_you_mean("--popultion", ["--seed", "--population"])
    'did you mean --population?'
    """
    close = near(name, known)
    return f"did you mean {' or '.join(close)}?" if close else ""


def suggestion(name: str, known: Iterable[str]) -> str:
    """A question after the names that are near `name`, or else which are known."""
    known = list(known)
    return did_you_mean(name, known) or f"known are {', '.join(known)}"


def printable(text: str) -> str:
    """`text` in one line, with what cannot be printed escaped: terminals and XML would take it for
    more than text.
    """
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
