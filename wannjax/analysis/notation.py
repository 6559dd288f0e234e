"""How formulas are spelled: names as symbols, and printers for plain text, LaTeX and Python.

To spell a function differently, edit the printer of the language.
"""

import builtins
import keyword
import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

_MEANINGFUL = {*keyword.kwlist, *dir(builtins), "math"}
_SIGNS = {"+": " plus ", "-": " minus ", "²": " squared ", "³": " cubed "}
_GREEK = {
    chr(code): "\\" + unicodedata.name(chr(code)).split()[-1].lower().replace("lamda", "lambda")
    for code in range(ord("α"), ord("ω") + 1)
    if chr(code) not in "ος"
}
_ESCAPES = {"\\": r"\backslash ", "~": r"\sim ", "^": r"\wedge "} | {sign: "\\" + sign for sign in "#$%&_{}"}


def symbol_names(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """An identifier for every name, all different, none in `taken`, none with a meaning in Python:
    the name itself where that is one.

    >>> names = ["dx", "cos θ", "torque +1", "torque -1", "7", "lambda", "cos-θ", ""]
    >>> symbol_names(names, taken=["dx"])
    ['dx_2', 'cos_θ', 'torque_plus_1', 'torque_minus_1', 'x7', 'lambda_', 'cos_minus_θ', 'x']
    """
    used = set(taken)
    symbols = []
    for name in names:
        spelled = "".join(_SIGNS.get(character, character) for character in name)
        spelled = unicodedata.normalize("NFKC", spelled)
        parts = "".join(character if f"x{character}".isidentifier() else " " for character in spelled).split()  # \w takes more, such as 𐩀
        spelled = "_".join(parts).strip("_")
        spelled = spelled if spelled.isidentifier() else f"x{spelled}"
        symbol = stem = f"{spelled}_" if spelled in _MEANINGFUL else spelled
        number = 1
        while symbol in used:
            number += 1
            symbol = f"{stem}_{number}"
        used.add(symbol)
        symbols.append(symbol)
    return symbols


def latex_name(name: str) -> str:
    r"""A name in LaTeX's math mode: upright, Greek letters as commands, digits at its end as an
    index.

    >>> latex_name("cos θ1"), latex_name("x"), latex_name("50 %")
    ('\\mathrm{cos}\\,\\theta_{1}', 'x', '50\\,\\%')
    """
    return r"\,".join(_latex_word(word) for word in name.split()) or r"\square"


def _latex_word(word: str) -> str:
    stem, index = re.fullmatch(r"(.*?)(\d*)", word, re.DOTALL).groups()  # type: ignore[union-attr]
    if not stem:
        return index
    parts = re.findall(r"[A-Za-z]+|.", stem, re.DOTALL)
    spelled = "".join(
        _GREEK.get(part) or _ESCAPES.get(part) or (rf"\mathrm{{{part}}}" if len(part) > 1 or len(parts) > 1 else part) for part in parts
    )
    return f"{spelled}_{{{index}}}" if index else spelled


def text_printer() -> Any:
    """A sympy printer for people: `step(x)`, `|x|`."""
    from sympy.printing.str import StrPrinter

    class Printer(StrPrinter):
        def _print_Heaviside(self, expression):  # noqa: N802 - sympy finds it by this name
            return f"step({self._print(expression.args[0])})"

        def _print_Abs(self, expression):  # noqa: N802
            return f"|{self._print(expression.args[0])}|"

    return Printer()


def latex_printer(names: dict[Any, str]) -> Any:
    """A sympy printer that spells symbols as `names` says, and a step as a bracket that is 1 where
    its condition holds.
    """
    from sympy.printing.latex import LatexPrinter

    class Printer(LatexPrinter):
        def _print_Heaviside(self, expression, exp=None):  # noqa: N802
            return self._power(rf"\left[{self._print(expression.args[0])} > 0\right]", exp)

        def _print_Max(self, expression, exp=None):  # noqa: N802
            return self._power(rf"\max\left({', '.join(self._print(each) for each in expression.args)}\right)", exp)

        def _power(self, base, exp):
            return base if exp is None else f"{base}^{{{exp}}}"

        def parenthesize_super(self, s):  # of the base of a power
            return rf"\left({s}\right)" if r"\," in s or "[t-1]" in s else s

    return Printer({"symbol_names": names, "mul_symbol": "dot"})


def python_printer() -> Any:
    """A sympy printer for Python that reduces angles exactly, as `math.remainder` does, and prints
    a step as a comparison.
    """
    import sympy
    from sympy.printing.pycode import PythonCodePrinter

    class Printer(PythonCodePrinter):
        def doprint(self, expr, assign_to=None):
            return super().doprint(_without_overflow(expr), assign_to)

        def _print_Heaviside(self, expression):  # noqa: N802
            return f"(1.0 if {self._print(expression.args[0])} > 0 else 0.0)"

        def _print_sin(self, expression):
            return self._angle("sin", expression)

        def _print_cos(self, expression):
            return self._angle("cos", expression)

        def _angle(self, function, expression):
            return f"math.{function}(math.pi*math.remainder({self._print(expression.args[0] / sympy.pi)}, 2.0))"

    return Printer({"fully_qualified_modules": True})


def _without_overflow(expression: Any) -> Any:
    """1 / (1 + exp(a)) as (1 - tanh(a/2)) / 2, which is the same and never overflows."""
    import sympy

    def is_logistic(part):
        return part.is_Pow and part.exp == -1 and part.base.is_Add and isinstance(part.base - 1, sympy.exp)

    return expression.replace(is_logistic, lambda part: (1 - sympy.tanh((part.base - 1).args[0] / 2)) / 2)


def rounded(expression: Any, digits: int) -> Any:
    """The expression with its decimal numbers rounded to `digits` significant ones."""
    import sympy

    def shorter(number):
        if number == 0:
            return sympy.Integer(0)
        places = digits - 1 - math.floor(math.log10(abs(number)))
        return sympy.Float(round(float(number), places), digits)

    return expression.xreplace({number: shorter(number) for number in expression.atoms(sympy.Float)})
