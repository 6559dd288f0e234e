"""A network as the source text of one function without dependencies, in Python and in C.

Both texts come from one walk over the graph; a language is a table of how it spells things. A
weight is written in the fewest digits that give back the same float32. Names of inputs and outputs
appear only in comments, escaped as Python escapes them.
"""

import builtins
import keyword
from typing import NamedTuple

import numpy as np

from wannjax.common.files import Pathlike, as_path
from wannjax.common.validation import require
from wannjax.export.c_names import is_free
from wannjax.export.weights import incoming, weighted_graph
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Graph
from wannjax.networks.network import Network, require_feed_forward

TERMS_PER_LINE = 8
"""Long sums are split: compilers limit how long a line is and how deep an expression."""


class _Language(NamedTuple):
    """How a language spells things.

    Attributes:
        comment: what a comment starts with, to the end of the line.
        number: a float32, to be formatted with its shortest digits.
        start: the first assignment to x, `more` an addition to it, and `keep` a value that later
            nodes read.
        activations: name → expression in x, by which a value that is not finite stays so where the
            package keeps it so.
    """

    comment: str
    number: str
    start: str
    more: str
    keep: str
    activations: dict[str, str]


# Everything saturates by itself, where the package clips before one shared exponential: tanh never
# overflows, exp(-x²/2) becomes 0. The remainder is exact, keeps the argument of sin and cos within
# half a turn.
_PYTHON = _Language(
    comment="#",
    number="{}",
    start="x = {}",
    more="x += {}",
    keep="{} = {}",
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
    start="x = {};",
    more="x += {};",
    keep="const float {} = {};",
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
    require_feed_forward(network, "to_python")
    require_python_name(name, {"math"})
    graph = weighted_graph(network, weight)
    lines = [
        *_names(_PYTHON, "observation", graph.input_names),
        *_statements(_PYTHON, graph),
        *_names(_PYTHON, "result", graph.output_names),
        f"return [{', '.join(f'y{i}' for i in range(graph.outputs))}]",
    ]
    return written(path, ["import math", "", "", f"def {name}(observation):", *(f"    {line}" for line in lines)])


def to_c(network: Network, path: Pathlike | None = None, *, name: str = "network", weight: float = 1.0) -> str:
    """What `network` computes when called with `weight`, as a C99 function, computing in float;
    also written to `path`.

    It is `void name(const float *observation, float *outputs)`, for I and O floats, which may
    overlap. It includes only <math.h>, allocates nothing and has no state.

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
    require_feed_forward(network, "to_c")
    require("name", name, "a C identifier that has no meaning yet", isinstance(name, str) and is_free(name))
    graph = weighted_graph(network, weight)
    lines = [
        *_names(_C, "observation", graph.input_names),
        "float x;",
        *_statements(_C, graph),
        *_names(_C, "outputs", graph.output_names),
        *(f"outputs[{i}] = y{i};" for i in range(graph.outputs)),
    ]
    head = f"void {name}(const float *observation, float *outputs)"
    return written(path, ["#include <math.h>", "", head, "{", *(f"    {line}" for line in lines), "}"])


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


def _statements(language: _Language, graph: Graph) -> list[str]:
    """Two or more statements per node that an output depends on: its sum x, and its value h… or
    y….
    """
    terms = incoming(graph)
    first_output = graph.size - graph.outputs
    live = set(range(first_output, graph.size))
    for node in reversed(range(graph.first_hidden, graph.size)):
        if node in live:
            live.update(source for source, _ in terms[node])

    def value(node: int) -> str:
        if node < graph.first_hidden:
            return f"observation[{node - 1}]"
        return f"h{node - graph.inputs}" if node < first_output else f"y{node - first_output}"

    def product(source: int, weight: float) -> str:
        number = language.number.format(str(np.float32(weight)))
        if source == 0:
            return number
        return {1.0: "", -1.0: "-"}.get(weight, f"{number} * ") + value(source)

    lines = []
    for node in sorted(live - set(range(graph.first_hidden))):
        products = [product(source, weight) for source, weight in terms[node]] or [language.number.format("0.0")]
        for start in range(0, len(products), TERMS_PER_LINE):
            total = " + ".join(products[start : start + TERMS_PER_LINE]).replace(" + -", " - ")
            lines.append((language.more if start else language.start).format(total))
        activation = language.activations[NAMES[graph.activations[node - graph.first_hidden]]]
        lines.append(language.keep.format(value(node), activation))
    return lines
