"""A network as formulas: sympy expressions of its outputs in the named observations and the shared
weight.

Nodes become expressions in order of evaluation. A node that several others read, or that is long,
gets a name (`h7`, as in drawings; in files `hidden 7`) and is referred to by it; so expressions
grow with the connections, and rewriting each costs the same whatever the network's size. To change
how an activation is written, edit `_activated`; to change what gets a name, `_deserves_name`.

Formulas of a recurrent network are difference equations: `h7[t-1]` is what `h7` was in the last
time step, and 0 in the first; everything else is of this one.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from wannjax.analysis.notation import latex_name, latex_printer, python_printer, rounded, symbol_names, text_printer
from wannjax.common.validation import real, require
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Connection, Graph, graph_of
from wannjax.networks.live import live_connections
from wannjax.networks.network import Network

READABLE_DIGITS = 4
"""Significant digits of weights in what people read; Python text has all of them."""

_LONGEST = 24
"""Operations of an expression that others may contain; a longer one gets a name."""

_TRIVIAL = 2
"""Operations of an expression that gets no name however often it is used."""

Expression = Any
"""A sympy expression; sympy is imported where it is used, since importing it takes a while."""


@dataclass(frozen=True)
class Formulas:
    """What a network computes.

    Attributes:
        outputs: name of each output → its expression in `inputs`, `weight`, `last` and the symbols
            of `definitions`.
        definitions: symbol → expression of each named node, in order of evaluation: an expression
            contains symbols of earlier ones only, besides those in `last`.
        inputs: name of each observation → its symbol.
        weight: the symbol `w` of the shared weight, or the number that was given for it.
        last: symbol of a definition → the symbol of its value in the last time step, where that is
            read.
    """

    outputs: dict[str, Expression]
    definitions: dict[Expression, Expression]
    inputs: dict[str, Expression]
    weight: Expression
    last: dict[Expression, Expression]

    def __str__(self) -> str:
        """One equation a line, with `READABLE_DIGITS` digits."""
        left = [*map(str, self.definitions), *symbol_names([*self.outputs], taken={str(s) for s in self._symbols})]
        printer = text_printer()
        right = [printer.doprint(rounded(expression, READABLE_DIGITS)) for expression in self._expressions]
        return "\n".join(f"{name} = {expression}" for name, expression in zip(left, right, strict=True))

    def latex(self) -> str:
        """The equations as LaTeX, an `aligned` environment that needs amsmath (or MathJax, or
        KaTeX), with `READABLE_DIGITS` digits.
        """
        names = {symbol: latex_name(name) for name, symbol in self.inputs.items()}
        names.update({symbol: f"h_{{{str(symbol)[1:].rstrip('_')}}}" for symbol in self.definitions})
        names.update({last: f"{names[symbol]}[t-1]" for symbol, last in self.last.items()})
        left = [*(names[symbol] for symbol in self.definitions), *map(latex_name, self.outputs)]
        printer = latex_printer(names)
        right = [printer.doprint(rounded(expression, READABLE_DIGITS)) for expression in self._expressions]
        lines = [f"{name} &= {expression}" for name, expression in zip(left, right, strict=True)]
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def _repr_latex_(self) -> str:
        """What notebooks show."""
        return f"$$\n{self.latex()}\n$$"

    def python(self, *, name: str = "network") -> str:
        """The equations as a Python function of observations (and `w`, where it is a symbol) that
        returns the list of outputs. Of a recurrent network it is a function of its state and the
        observations that returns the outputs and the next state, a list that starts as
        `function.initial_state`.

        It takes numbers, needs nothing but the module `math`, and computes in float64. It raises
        OverflowError or ValueError where a value exceeds float64, as `math` does. Raises ValueError
        for a `name` that is not an identifier, or is used in the text.
        """
        parameters = [*map(str, self.inputs.values()), *(["w=1.0"] if self.weight.is_Symbol else [])]
        used = {"math", *map(str, self._symbols)}
        (state,) = symbol_names(["state"], taken=used)
        if self.last:
            used.add(state)
            parameters.insert(0, state)
        require("name", name, "a Python identifier that the text does not use", symbol_names([name], taken=used) == [name])
        results = symbol_names([*self.outputs], taken={name, *used})
        left = [*map(str, self.definitions), *results]
        places = {last: type(last)(f"{state}[{place}]", real=True) for place, last in enumerate(self.last.values())}
        printer = python_printer()
        right = [printer.doprint(expression.xreplace(places)) for expression in self._expressions]
        lines = [f"    {symbol} = {expression}" for symbol, expression in zip(left, right, strict=True)]
        head = ["import math", "", "", f"def {name}({', '.join(parameters)}):"]
        end = [f"    return [{', '.join(results)}]"]
        if self.last:
            end[0] += f", [{', '.join(map(str, self.last))}]"
            end += ["", "", f"{name}.initial_state = {[0.0] * len(self.last)}"]
        return "\n".join([*head, *lines, *end]) + "\n"

    @property
    def _expressions(self) -> list[Expression]:
        return [*self.definitions.values(), *self.outputs.values()]

    @property
    def _symbols(self) -> set[Expression]:
        return {*self.inputs.values(), *self.definitions, self.weight}


def formula(network: Network, *, weight: float | None = None) -> Formulas:
    """What `network` computes, as sympy expressions.

    Args:
        weight: the shared weight, which scales individual weights; None keeps it as the symbol `w`.
            Individual weights are numbers.

    Expressions equal the network's values in exact arithmetic; a step is `Heaviside(x, 0)`, which
    is 0 at 0.

    Raises ValueError for a population, weights that differ from lane to lane, and a weight that is
    not finite in float32.

    >>> from wannjax.networks.graph import Connection, Graph, network_of
    >>> connections = (Connection(0, 3), Connection(2, 3), Connection(1, 4), Connection(3, 4))
    >>> print(formula(network_of(Graph(("dx", "cos θ"), ("force",), (8, 5), connections))))
    force = tanh(w*(dx + |w*(cos_θ + 1)|))
    """
    import sympy

    largest = float(np.finfo(np.float32).max)
    weight = None if weight is None else real("weight", weight, "None or a finite float32", -largest, largest)
    graph = graph_of(network).with_printable_names()
    gain = sympy.Symbol("w", real=True) if weight is None else _number(sympy, weight)
    input_symbols = [sympy.Symbol(name, real=True) for name in symbol_names([*graph.input_names], taken={"w"})]
    taken = {"w", *map(str, input_symbols)}
    sources = _live_sources(graph)
    readers = Counter(each.source for incoming in sources.values() for each in incoming)
    late = {each.source for incoming in sources.values() for each in incoming if each.is_recurrent}

    def name_of(node: int) -> str:
        return symbol_names([graph.label(node)], taken=taken)[0]

    before = {node: sympy.Symbol(f"{name_of(node)}[t-1]", real=True) for node in late}
    values: list[Expression] = [sympy.Integer(1), *input_symbols, *([None] * len(graph.activations))]
    definitions: dict[Expression, Expression] = {}
    last: dict[Expression, Expression] = {}
    known: dict[Expression, Expression] = {}
    for node, incoming in sources.items():
        read = [(before[each.source] if each.is_recurrent else values[each.source], each.weight) for each in incoming]
        terms = [value * (1 if own is None else _number(sympy, own)) for value, own in read]
        total = _shortest(sympy, gain * sympy.Add(*terms))
        value = _activated(sympy, NAMES[graph.activations[node - graph.first_hidden]], total)
        is_output = node >= graph.size - graph.outputs
        if value in known:
            value = known[value]
        if node in late or (not is_output and _deserves_name(value, readers[node])):
            symbol = sympy.Symbol(name_of(node), real=True, nonnegative=value.is_nonnegative)
            definitions[symbol] = value
            if node in late:
                last[symbol] = before[node]
            if not value.is_Atom:
                known[value] = symbol
                value = symbol
        values[node] = value
    outputs = dict(zip(graph.output_names, values[graph.size - graph.outputs :], strict=True))
    definitions, last = _used(definitions, last, [*outputs.values()])
    return Formulas(outputs, definitions, dict(zip(graph.input_names, input_symbols, strict=True)), gain, last)


def _number(sympy: Any, value: float) -> Expression:
    """The float32 nearest to `value`, exactly; as an integer where it is one, so that 1 and 0
    vanish from products.
    """
    number = float(np.float32(value))
    return sympy.Integer(int(number)) if number.is_integer() else sympy.Float(number)


def _live_sources(graph: Graph) -> dict[int, list[Connection]]:
    """The connections into every hidden node and output that an output depends on, in order of
    evaluation.
    """
    live = [graph.connections[place] for place in sorted(live_connections(graph))]
    outputs = range(graph.size - graph.outputs, graph.size)
    incoming: dict[int, list[Connection]] = {}
    for node in sorted({*outputs, *(each.source for each in live if each.source >= graph.first_hidden)}):
        incoming[node] = []
    for each in live:
        incoming[each.target].append(each)
    return incoming


def _activated(sympy: Any, name: str, x: Expression) -> Expression:
    match name:
        case "linear":
            return x
        case "step":
            return sympy.Heaviside(x, 0)
        case "sin":
            return sympy.sin(sympy.pi * x)
        case "gaussian":
            return sympy.exp(-(x**2) / 2)
        case "tanh":
            return sympy.tanh(x)
        case "sigmoid":
            return 1 / (1 + sympy.exp(-x))
        case "inverse":
            return -x
        case "abs":
            return sympy.Abs(x)
        case "relu":
            return sympy.Max(0, x)
        case "cos":
            return sympy.cos(sympy.pi * x)
        case "square":
            return x**2
    raise NotImplementedError(f"activation {name!r} has no formula yet")


def _shortest(sympy: Any, expression: Expression) -> Expression:
    """The shortest of a few ways to write a sum, each exact. `sympy.simplify` may take minutes for
    an expression that has a step.
    """
    spread = sympy.expand_mul(expression, deep=False)
    ways = (expression, spread, sympy.factor_terms(expression), sympy.factor_terms(spread))
    return min(ways, key=lambda way: way.count_ops())


def _deserves_name(value: Expression, readers: int) -> bool:
    operations = value.count_ops()
    return operations > _LONGEST or (readers > 1 and operations > _TRIVIAL)


def _used(
    definitions: dict[Expression, Expression], last: dict[Expression, Expression], expressions: list[Expression]
) -> tuple[dict[Expression, Expression], dict[Expression, Expression]]:
    """The definitions and last values that are still needed after terms cancelled."""
    now = {before: symbol for symbol, before in last.items()}
    needed: set[Expression] = set()
    waiting = set().union(*(expression.free_symbols for expression in expressions))
    while waiting:
        needed |= waiting
        read = (definitions.get(now.get(symbol, symbol)) for symbol in waiting)
        waiting = set().union(*(expression.free_symbols for expression in read if expression is not None)) - needed
    kept = {symbol: value for symbol, value in definitions.items() if symbol in needed or last.get(symbol) in needed}
    return kept, {symbol: before for symbol, before in last.items() if before in needed}
