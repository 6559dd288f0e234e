"""A network as the source text of one function without dependencies, in Python and in C.

Both texts come from one walk over the graph; a language is a table of how it spells things. A
weight is written in the fewest digits that give back the same float32. Names of inputs and outputs
appear only in comments, escaped as Python escapes them.

The function of a recurrent network takes one time step. It is handed a state, the values that later
steps read, and leaves the next one.
"""

import builtins
import keyword
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from wannjax.common.files import Pathlike, as_path
from wannjax.common.validation import require
from wannjax.export.c_names import is_free
from wannjax.export.weights import incoming, weighted_graph
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Graph
from wannjax.networks.live import live_connections
from wannjax.networks.network import Network

TERMS_PER_LINE = 8
"""Long sums are split: compilers limit how long a line is and how deep an expression."""


class _Language(NamedTuple):
    """How a language spells things.

    Attributes:
        comment: what a comment starts with, to the end of the line.
        number: a float32, to be formatted with its shortest digits.
        declared: what comes before the first statement.
        start: the first assignment to x, `more` an addition to it, and `keep` a value that later
            nodes read.
        last: the value that a node had in the last time step, by its name and its place in the
            state.
        activations: name → expression in x, by which a value that is not finite stays so where the
            package keeps it so.
    """

    comment: str
    number: str
    declared: list[str]
    start: str
    more: str
    keep: str
    last: str
    activations: dict[str, str]


# Everything saturates by itself, where the package clips before one shared exponential: tanh never
# overflows, exp(-x²/2) becomes 0. The remainder is exact, keeps the argument of sin and cos within
# half a turn.
_PYTHON = _Language(
    comment="#",
    number="{}",
    declared=[],
    start="x = {}",
    more="x += {}",
    keep="{} = {}",
    last="state[{place}]",
    activations={
        "linear": "x",
        "step": "1.0 if x > 0.0 else 0.0",
        "sin": "math.sin(math.pi * math.remainder(x, 2.0))",
        "gaussian": "math.exp(-0.5 * x * x)",
        "tanh": "math.tanh(x)",
        "sigmoid": "0.5 + 0.5 * math.tanh(0.5 * x)",
        "inverse": "-x",
        "abs": "math.fabs(x)",
        "relu": "0.0 if x < 0.0 else x",
        "cos": "math.cos(math.pi * math.remainder(x, 2.0))",
        "square": "x * x",
    },
)
_C = _Language(
    comment="//",
    number="{}f",
    declared=["float x;"],
    start="x = {};",
    more="x += {};",
    keep="const float {} = {};",
    last="state->{name}",
    activations={
        "linear": "x",
        "step": "x > 0.0f ? 1.0f : 0.0f",
        "sin": "sinf(3.14159265f * remainderf(x, 2.0f))",
        "gaussian": "expf(-0.5f * x * x)",
        "tanh": "tanhf(x)",
        "sigmoid": "0.5f + 0.5f * tanhf(0.5f * x)",
        "inverse": "-x",
        "abs": "fabsf(x)",
        "relu": "x < 0.0f ? 0.0f : x",
        "cos": "cosf(3.14159265f * remainderf(x, 2.0f))",
        "square": "x * x",
    },
)


def to_python(network: Network, path: Pathlike | None = None, *, name: str = "network", weight: float = 1.0) -> str:
    """What `network` computes when called with `weight`, as a Python function `name(observation)`;
    also written to `path`.

    The function takes I numbers, returns a list of O floats, needs nothing but the module `math`,
    and computes in float64. It raises ValueError where an infinite value reaches a sine or cosine,
    as `math` does.

    For a network with memory that an output depends on it is `outputs, state = name(state,
    observation)`: a state is a list of numbers, at first `name.initial_state`.

    Raises ValueError for a population, for weights that differ from lane to lane, for a weight that
    is not finite, and for a `name` that is not an identifier or means something in Python.

    >>> from wannjax.networks.graph import Connection, Graph, network_of
    >>> connections = (Connection(0, 3, 0.25), Connection(2, 3, -1.5))
    >>> network = network_of(Graph(("speed", "angle"), ("force",), (5,), connections))
    >>> print(to_python(network, name="policy"), end="")
    import math
    <BLANKLINE>
    <BLANKLINE>
    def policy(observation):
        # observation[0]: 'speed'
        # observation[1]: 'angle'
        x = 0.25 - 1.5 * observation[1]
        y0 = math.tanh(x)
        # result[0]: 'force'
        return [y0]
    """
    require_python_name(name, {"math"})
    graph = _living(weighted_graph(network, weight))
    state, outputs = _remembered(graph), f"[{', '.join(f'y{i}' for i in range(graph.outputs))}]"
    lines = [
        *_statements(_PYTHON, graph),
        *_names(_PYTHON, "outputs" if state else "result", graph.output_names),
        f"return {outputs}, [{', '.join(state)}]" if state else f"return {outputs}",
    ]
    head = ["import math", "", "", f"def {name}({'state, ' if state else ''}observation):"]
    end = ["", "", f"{name}.initial_state = {[0.0] * len(state)}"] if state else []
    return written(path, [*head, *(f"    {line}" for line in lines), *end])


def to_c(network: Network, path: Pathlike | None = None, *, name: str = "network", weight: float = 1.0) -> str:
    """What `network` computes when called with `weight`, as a C99 function, computing in float;
    also written to `path`.

    It is `void name(const float *observation, float *outputs)`, for I and O floats, which may
    overlap. It includes only <math.h>, allocates nothing and has no state.

    For a network with memory that an output depends on there is a type `name_state` instead, a
    struct that is yours to keep; `void name_init(name_state *state)`, to be called before each
    episode; and, for a time step, `void name_step(name_state *state, const float *observation,
    float *outputs)`.

    Raises ValueError as `to_python` does, for a `name` that is not an identifier or means something
    in C, its library or C++.

    >>> from wannjax.networks.graph import Connection, Graph, network_of
    >>> connections = (Connection(0, 3, 0.25), Connection(2, 3, -1.5))
    >>> network = network_of(Graph(("speed", "angle"), ("force",), (5,), connections))
    >>> print(to_c(network, name="policy"), end="")
    #include <math.h>
    <BLANKLINE>
    void policy(const float *observation, float *outputs)
    {
        // observation[0]: 'speed'
        // observation[1]: 'angle'
        float x;
        x = 0.25f - 1.5f * observation[1];
        const float y0 = tanhf(x);
        // outputs[0]: 'force'
        outputs[0] = y0;
    }
    """
    graph = _living(weighted_graph(network, weight))
    state = _remembered(graph)
    names = [f"{name}_{part}" for part in ("state", "init", "step")] if state else [name]
    free = isinstance(name, str) and all(map(is_free, (name, *names)))
    require("name", name, "a C identifier that has no meaning yet", free)

    def function(head: str, lines: list[str]) -> list[str]:
        return ["", f"void {head}", "{", *(f"    {line}" for line in lines), "}"]

    lines = [
        *_statements(_C, graph),
        *_names(_C, "outputs", graph.output_names),
        *(f"outputs[{i}] = y{i};" for i in range(graph.outputs)),
        *(f"state->{each} = {each};" for each in state),
    ]
    arguments, before = "const float *observation, float *outputs", []
    if state:
        kept = f"{name}_state *state"
        before = ["", "typedef struct {", *(f"    float {each};" for each in state), f"}} {name}_state;"]
        before += function(f"{name}_init({kept})", [f"state->{each} = 0.0f;" for each in state])
        arguments = f"{kept}, {arguments}"
    return written(path, ["#include <math.h>", *before, *function(f"{names[-1]}({arguments})", lines)])


def require_python_name(name: str, taken: set[str]) -> None:
    """Raises ValueError unless `name` can be given to what a Python source defines, whose own names
    are `taken`.
    """
    unused = isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name) and name not in {*taken, *dir(builtins)}
    require("name", name, "a Python identifier that has no meaning yet", unused)


def written(path: Pathlike | None, lines: list[str]) -> str:
    """The text of these lines, which is also written to `path` if there is one."""
    text = "\n".join(lines) + "\n"
    if path is not None:
        as_path(path).write_text(text, encoding="utf-8")
    return text


def _names(language: _Language, array: str, names: tuple[str, ...]) -> list[str]:
    """A comment line per name. `repr` escapes what ends a line or turns the direction of writing,
    and ends in a quote.
    """
    return [f"{language.comment} {array}[{i}]: {name!r}" for i, name in enumerate(names)]


def _living(graph: Graph) -> Graph:
    """The same nodes with only the connections that an output depends on."""
    return replace(graph, connections=tuple(graph.connections[place] for place in sorted(live_connections(graph))))


def _remembered(graph: Graph) -> list[str]:
    """What the values that make up the state are called."""
    return [f"h{node - graph.inputs}" for node in graph.remembered]


def _statements(language: _Language, graph: Graph) -> list[str]:
    """What the observation, and the state if there is one, consist of; and two or more statements
    per node that an output depends on: its sum x, and its value h… or y….
    """
    cell, state = graph.cell, _remembered(graph)
    terms = incoming(cell)
    first_output = cell.size - cell.outputs
    last = [language.last.format(name=name, place=place) for place, name in enumerate(state)]
    given = [*(f"observation[{i}]" for i in range(graph.inputs)), *last]

    def value(node: int) -> str:
        if node < cell.first_hidden:
            return given[node - 1]
        return f"h{node - cell.inputs}" if node < first_output else f"y{node - first_output}"

    def product(source: int, weight: float) -> str:
        number = language.number.format(str(np.float32(weight)))
        if source == 0:
            return number
        return {1.0: "", -1.0: "-"}.get(weight, f"{number} * ") + value(source)

    lines = [f"{language.comment} {each}: {name} of the last time step" for each, name in zip(last, state, strict=True)]
    lines += _names(language, "observation", graph.input_names)
    lines += language.declared
    sources = {each.source for each in graph.connections if each.source >= graph.first_hidden}
    for node in [*(node + len(state) for node in sorted(sources)), *range(first_output, cell.size)]:
        products = [product(source, weight) for source, weight in terms[node]] or [language.number.format("0.0")]
        for start in range(0, len(products), TERMS_PER_LINE):
            total = " + ".join(products[start : start + TERMS_PER_LINE]).replace(" + -", " - ")
            lines.append((language.more if start else language.start).format(total))
        activation = language.activations[NAMES[cell.activations[node - cell.first_hidden]]]
        lines.append(language.keep.format(value(node), activation))
    return lines
