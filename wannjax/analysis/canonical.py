"""The normal form of a network: equivalent networks have the same one, and the same digest.

Two networks count as equivalent when these rules lead to the same form. Each is exact for all
observations and all shared weights, as long as values are finite:

- Names, and the order of hidden nodes and of connections, do not matter.
- A node that no output depends on, and a connection of weight 0, are dropped.
- A node without sources is a constant: of value 0 it is dropped with its connections, of value 1
    (gaussian, cos) it is a bias.
- Nodes of the same activation with the same sources (and weights) are one. A target that reads such
  a node twice goes on to do so: one shared weight cannot double a connection, so the form then
  keeps as many copies as the target that reads most of them needs.
- With individual weights inverse is linear with opposite weights; the weights of an even activation
  (abs, gaussian, cos, square) may all change sign, and those of an odd one (linear, sin, tanh)
  together with the weights on what it feeds.

What is not a rule: two inverse nodes in a row multiply by the shared weight twice, so they are no
identity, and likewise a linear node does not dissolve in its target. A network with a shared weight
differs from one whose individual weights are all 1. Formulas that are equal for deeper reasons
remain different. Of networks with memory fewer rules hold: see `canonical_memory.py`.

**The digest** is the SHA-256, in hexadecimal, of an ASCII text. It begins with `wannjax network 1`
and the number of inputs, and goes on with the identities of the outputs, all separated by blanks.
The identity of bias is `bias`, of inputs `input 0` and so on; that of a node or output is the
SHA-256 of its text `activation(source, source, …)`, where a source is an identity, after its weight
(`float.hex` of the float32) and a `*` if weights are individual; sources are sorted by identity,
then by weight. A node that is opposite to another, as above, has that one's identity, and is read
with opposite weights; in this comparison the sources that sort last are the node's own.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from wannjax.analysis.canonical_memory import ONE_AT_ZERO, ZERO_AT_ZERO, digest_of, without_the_dead
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Connection, Graph, graph_of, network_of
from wannjax.networks.network import Network

_EVEN, _ODD = {"abs", "gaussian", "cos", "square"}, {"linear", "sin", "tanh"}

BIAS = "bias"


@dataclass(frozen=True)
class Canonical:
    """The normal form of a network; equal to that of every equivalent one.

    Attributes:
        digest: of the form, see `wannjax.analysis.canonical`: 64 hexadecimal digits, the same on
            every machine.
        network: the form as a network, with the names of the one it was made from. It computes the
            same up to the rounding of sums.
    """

    digest: str
    network: Network = field(compare=False)


class _Term(NamedTuple):
    """What a node computes.

    Attributes:
        activation: its name.
        sources: (identity, weight) of each source, sorted.
        height: nodes on the longest path to it, itself included.
    """

    activation: str
    sources: tuple[tuple[str, float], ...]
    height: int


def canonical(network: Network) -> Canonical:
    """The normal form of one network. Raises ValueError for a population, and for weights that
    differ from lane to lane.

    >>> pairs, swapped = ((1, 3), (2, 4), (3, 5), (4, 5)), ((2, 3), (1, 4), (4, 5), (3, 5))
    >>> one = Graph(("x", "y"), ("z",), (5, 9, 1), tuple(Connection(*pair) for pair in pairs))
    >>> two = Graph(("x", "y"), ("z",), (9, 5, 1), tuple(Connection(*pair) for pair in swapped))
    >>> canonical(network_of(one)) == canonical(network_of(two))
    True
    """
    graph = graph_of(network)
    if graph.recurrent:
        graph = without_the_dead(graph)
        if graph.recurrent:
            return Canonical(digest_of(graph), network_of(graph))
    shared = not graph.has_weights
    terms, outputs = _terms(graph, shared)
    text = " ".join(["wannjax network 1", str(graph.inputs), *(_identity(output, shared) for output in outputs)])
    return Canonical(hashlib.sha256(text.encode("ascii")).hexdigest(), network_of(_form(graph, terms, outputs, shared)))


def _terms(graph: Graph, shared: bool) -> tuple[dict[str, _Term], list[_Term]]:
    """The terms of hidden nodes, by identity, and those of the outputs."""
    incoming: list[list[tuple[int, float]]] = [[] for _ in range(graph.size)]
    for connection in graph.connections:
        weight = 1.0 if connection.weight is None else float(np.float32(connection.weight))
        if weight != 0:
            incoming[connection.target].append((connection.source, weight))

    terms: dict[str, _Term] = {}
    identities: list[tuple[str, float] | None] = [(BIAS, 1.0), *((f"input {i}", 1.0) for i in range(graph.inputs))]
    """The identity of every node, with the sign of its value against the term's; None where it is
    0.
    """
    outputs = []
    for node in range(graph.first_hidden, graph.size):
        activation = NAMES[graph.activations[node - graph.first_hidden]]
        found = [(identities[source], weight) for source, weight in incoming[node]]
        sources = [(known[0], known[1] * weight) for known, weight in found if known is not None]
        activation, sources = _rewritten(activation, sources, shared)
        if node >= graph.size - graph.outputs:
            outputs.append(_term(activation, sources, terms))
            continue
        sign = 1.0
        if not shared and activation in _ODD:
            sources, sign = _signed(sources)
        term = _term(activation, sources, terms)
        if not sources and activation in ZERO_AT_ZERO:
            identities.append(None)
        elif not sources and activation in ONE_AT_ZERO:
            identities.append((BIAS, 1.0))
        else:
            identity = _identity(term, shared)
            terms[identity] = term
            identities.append((identity, sign))
    return terms, outputs


def _rewritten(activation: str, sources: list[tuple[str, float]], shared: bool) -> tuple[str, list[tuple[str, float]]]:
    """The activation and sources after the rules that concern one node."""
    if not sources:
        return "linear" if activation in ZERO_AT_ZERO else "gaussian" if activation in ONE_AT_ZERO else activation, []
    if not shared and activation == "inverse":
        activation, sources = "linear", [(source, -weight) for source, weight in sources]
    if not shared and activation in _EVEN:
        sources, _ = _signed(sources)
    return activation, sources


def _signed(sources: list[tuple[str, float]]) -> tuple[list[tuple[str, float]], float]:
    """Either the sources or the same with opposite weights, whichever sort last, and the sign that
    leads back.
    """
    opposite = [(source, -weight) for source, weight in sources]
    return (opposite, -1.0) if sorted(opposite) > sorted(sources) else (sources, 1.0)


def _term(activation: str, sources: list[tuple[str, float]], terms: dict[str, _Term]) -> _Term:
    return _Term(activation, tuple(sorted(sources)), 1 + max((terms[s].height for s, _ in sources if s in terms), default=0))


def _identity(term: _Term, shared: bool) -> str:
    sources = (identity if shared else f"{weight.hex()}*{identity}" for identity, weight in term.sources)
    return hashlib.sha256(f"{term.activation}({', '.join(sources)})".encode("ascii")).hexdigest()


def _form(graph: Graph, terms: dict[str, _Term], outputs: list[_Term], shared: bool) -> Graph:
    """The smallest graph of the terms that the outputs depend on: by height, then by identity,
    copies of a node side by side.
    """
    copies: dict[str, int] = {}
    waiting = list(outputs)
    while waiting:
        for identity, count in Counter(identity for identity, _ in waiting.pop().sources).items():
            if identity in terms and identity not in copies:
                waiting.append(terms[identity])
            copies[identity] = max(count, copies.get(identity, 0))
    constants = [_Term("gaussian", (), 1)] * (copies.get(BIAS, 1) - 1)
    live = sorted((identity for identity in copies if identity in terms), key=lambda identity: (terms[identity].height, identity))
    nodes = [*constants, *(terms[identity] for identity in live for _ in range(copies[identity])), *outputs]

    numbers = {f"input {i}": [1 + i] for i in range(graph.inputs)}
    numbers[BIAS] = [0, *range(graph.first_hidden, graph.first_hidden + len(constants))]
    first = graph.first_hidden + len(constants)
    for identity in live:
        numbers[identity] = list(range(first, first + copies[identity]))
        first += copies[identity]
    connections = []
    for target, term in enumerate(nodes, graph.first_hidden):
        seen: Counter[str] = Counter()
        for identity, weight in term.sources:
            connections.append(Connection(numbers[identity][seen[identity]], target, None if shared else weight))
            seen[identity] += 1
    connections.sort(key=lambda connection: (connection.target, connection.source))
    return Graph(graph.input_names, graph.output_names, tuple(NAMES.index(term.activation) for term in nodes), tuple(connections))
