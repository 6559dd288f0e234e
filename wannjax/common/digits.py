"""How many digits of a number are shown, and kept: those that its spread leaves any meaning.

Every table, picture, line and page asks here. To show more or fewer, edit the constants.
"""

from collections.abc import Sequence
from math import floor, isfinite, log10

SPREAD_DIGITS = 2
"""Significant digits of a spread (a standard deviation, an error, a difference that matters)."""
PLAIN_DIGITS = 4
"""Significant digits of a number whose spread is not known."""
KEPT_DIGITS = 6
"""Significant digits of a score in a file: those that float32 has for certain."""

_HUNDREDS = 100.0
"""From here on a score is an integer beside a spread of 1 or more."""
_MOST_DECIMALS, _LARGEST = 9, 1e9
"""Beyond these a number is written with a power of ten."""


def number(value: float, spread: float | None = None) -> str:
    """A number, with as many decimals as are worth showing beside its `spread`.

    These are two significant digits of the spread at the most, and none for a value of 100 or more
    whose spread is 1 or more. Without a spread, or with one that is lost in the rounding of
    float32, they are four significant digits of the value. Zeros at the end are left out.

    >>> number(750.3, 57.1), number(-0.32781, 0.00213), number(0.0120044), number(-12345.6)
    ('750', '-0.3278', '0.012', '-12346')
    """
    return numbers([value], spread)[0]


def numbers(values: Sequence[float], spread: float | None = None) -> list[str]:
    """Numbers that stand beside each other, all with the decimals that the first is worth.

    >>> numbers([0.5, 0.4312, 0.6], spread=0.17)
    ['0.50', '0.43', '0.60']
    """
    values = [float(value) for value in values]
    decimals = decimals_for(values[0], spread)
    while decimals > 0 and all(f"{value:.{decimals}f}".endswith("0") for value in values):
        decimals -= 1
    return [_written(value, decimals) for value in values]


def with_spread(value: float, spread: float) -> str:
    """A number and its spread.

    >>> with_spread(750.3, 57.1), with_spread(0.012, 0.003), with_spread(500, 0)
    ('750 ± 57', '0.012 ± 0.003', '500 ± 0')
    """
    if isfinite(spread) and not _matters(float(value), spread):
        return f"{number(value)} ± 0"
    return " ± ".join(numbers([value, spread], spread))


def decimals_for(value: float, spread: float | None = None) -> int:
    """How many decimals `number` gives a value beside a spread, zeros at the end included."""
    if spread is None or not _matters(value, spread):
        return _decimals_of(value, PLAIN_DIGITS)
    if abs(value) >= _HUNDREDS and spread >= 1:
        return 0
    return _decimals_of(spread, SPREAD_DIGITS)


def kept(value: float) -> float:
    """A score as files keep it.

    >>> kept(0.00123456789), kept(750.123456)
    (0.00123457, 750.123)
    """
    return float(f"{float(value):.{KEPT_DIGITS}g}")


def _matters(value: float, spread: float) -> bool:
    """Whether a spread is one: finite, and more than the rounding of the value."""
    return isfinite(spread) and isfinite(value) and spread > 10.0**-KEPT_DIGITS * abs(value)


def _decimals_of(value: float, digits: int) -> int:
    """The decimals with which a number has so many significant digits."""
    return max(digits - 1 - floor(log10(abs(value))), 0) if value and isfinite(value) else 0


def _written(value: float, decimals: int) -> str:
    if decimals > _MOST_DECIMALS or abs(value) > _LARGEST:
        return f"{value:.{SPREAD_DIGITS}g}"
    return f"{value:z.{decimals}f}"
