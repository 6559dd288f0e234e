"""What networks with memory have for a normal form, which is less than feed-forward ones have.

The place of a node says which connections are recurrent, so nodes are neither merged nor moved in
it. These rules hold, each for all observations, all shared weights and all times:

- Names, and the order of nodes and of connections, do not matter, as long as it leaves every
  connection's kind.
- A node that no output depends on through time, and a connection of weight 0, are dropped; so is
  all that is 0 at all times, since it reads nothing but its like.
- Nodes of the same activation with the same sources, of the same kinds (and weights), are one. The
  digest tells no difference; the network keeps them.

A network without recurrent connections, or that these rules leave without, has the normal form of
`canonical.py`.

**The digest** is the SHA-256 of a text as there, which begins with `wannjax recurrent network 1`,
the number of inputs and that of different hidden nodes, m. The identity of a node is made in 2·m
rounds, from the empty one that all hidden nodes have before. In each it is the SHA-256 of
`activation(source, …)`, where a source is its identity of this round or, after `last `, of the
round before if the connection is recurrent. By then nodes have one identity only if no number of
further rounds would tell them apart, within this network or between two of as many nodes.
"""

import hashlib

import numpy as np

from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Connection, Graph
from wannjax.networks.live import thinned

ONE_AT_ZERO = {"gaussian", "cos"}
"""Activations that are 1 at 0."""
ZERO_AT_ZERO = set(NAMES[1:]) - ONE_AT_ZERO - {"sigmoid"}


def without_the_dead(graph: Graph) -> Graph:
    """The graph without what the rules drop."""
    used = {place: each for place, each in enumerate(graph.connections) if each.weight is None or np.float32(each.weight) != 0}
    computed = range(graph.first_hidden, graph.size - graph.outputs)
    zero = {node for node in computed if graph.activation_name(node) in ZERO_AT_ZERO}
    while fed := {each.target for each in used.values() if each.target in zero and each.source not in zero}:
        zero -= fed
    return thinned(graph, [place for place, each in used.items() if each.source not in zero])


def digest_of(graph: Graph) -> str:
    """The digest of a graph that is recurrent without the dead."""
    hidden = range(graph.first_hidden, graph.size - graph.outputs)
    identities = ["bias", *(f"input {i}" for i in range(graph.inputs)), *("" for _ in graph.activations)]
    kinds = 0
    while (found := len({identities[node] for node in hidden})) > kinds:
        kinds, identities = found, _refined(graph, identities)
    identities = ["" if node >= graph.first_hidden else name for node, name in enumerate(identities)]
    for _ in range(2 * kinds):
        identities = _refined(graph, identities)
    text = " ".join(["wannjax recurrent network 1", str(graph.inputs), str(kinds), *identities[graph.size - graph.outputs :]])
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _refined(graph: Graph, before: list[str]) -> list[str]:
    """The identities of the next round."""
    now = list(before)

    def said(connection: Connection) -> str:
        weight = "" if connection.weight is None else f"{float(np.float32(connection.weight)).hex()}*"
        return f"last {weight}{before[connection.source]}" if connection.is_recurrent else f"{weight}{now[connection.source]}"

    incoming: list[list[Connection]] = [[] for _ in range(graph.size)]
    for connection in graph.connections:
        incoming[connection.target].append(connection)
    for node in range(graph.first_hidden, graph.size):
        text = f"{graph.activation_name(node)}({', '.join(sorted(map(said, incoming[node])))})"
        now[node] = hashlib.sha256(text.encode("ascii")).hexdigest()
    return now
