"""A network as nodes and connections on the host: what files, drawings and tables are made from.

Nodes are numbered bias, inputs, hidden in order of evaluation, outputs; that is also the order of
the published file format. So a connection whose source does not stand before its target is
recurrent: it carries the value of the last time step.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import jax
import jax.numpy as jnp
import numpy as np

from wannjax.common.wording import printable
from wannjax.networks.activations import NAMES, SUM
from wannjax.networks.network import Network, as_network
from wannjax.networks.tape import FAN_IN, FIRST_INPUT


@dataclass(frozen=True)
class Connection:
    """A connection between two nodes, by number; `weight` is None where the shared weight
    applies.
    """

    source: int
    target: int
    weight: float | None = None

    @property
    def is_recurrent(self) -> bool:
        """Whether it carries the value that its source had in the last time step."""
        return self.source >= self.target


@dataclass(frozen=True)
class Graph:
    """A network.

    Attributes:
        input_names, output_names: one per input and output; no two nodes share a name.
        activations: ids of hidden nodes and outputs, in order.
        connections: each pair at most once, none into bias or inputs, none out of outputs; from a
            lower to a higher number, or else recurrent, between hidden nodes.

    Raises ValueError, naming the first connection or activation that breaks these rules.
    """

    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    activations: tuple[int, ...]
    connections: tuple[Connection, ...]

    def __post_init__(self):
        if not self.output_names or not self.input_names or len(self.activations) < self.outputs:
            raise ValueError("a network needs at least one input and one output")
        for activation in self.activations:
            if not SUM < activation < len(NAMES):
                raise ValueError(f"activation {activation} is unknown; known are 1 to {len(NAMES) - 1}")
        first_output = self.size - self.outputs
        seen = set()
        for connection in self.connections:
            source, target = connection.source, connection.target
            pair = f"connection from node {source} to node {target}"
            if not (0 <= source < first_output and self.first_hidden <= target < self.size):
                raise ValueError(f"{pair} does not lead from bias, input or hidden node to a hidden node or output")
            if (source, target) in seen:
                raise ValueError(f"{pair} occurs twice")
            if connection.weight is not None and not np.isfinite(connection.weight):
                raise ValueError(f"{pair} has weight {connection.weight}, which is not finite")
            seen.add((source, target))
        weighted = {connection.weight is not None for connection in self.connections}
        if len(weighted) > 1:
            raise ValueError("some connections have a weight and some have none")
        require_distinct([self.name(node) for node in range(self.size)])

    @property
    def inputs(self) -> int:
        return len(self.input_names)

    @property
    def outputs(self) -> int:
        return len(self.output_names)

    @property
    def first_hidden(self) -> int:
        """The number of the first node that is neither bias nor input."""
        return 1 + self.inputs

    @property
    def size(self) -> int:
        """Nodes in all."""
        return self.first_hidden + len(self.activations)

    @property
    def has_weights(self) -> bool:
        """Whether connections carry individual weights."""
        return bool(self.connections) and self.connections[0].weight is not None

    @property
    def recurrent(self) -> bool:
        """Whether any connection is."""
        return any(connection.is_recurrent for connection in self.connections)

    @property
    def remembered(self) -> tuple[int, ...]:
        """The hidden nodes whose value of the last time step is read."""
        return tuple(sorted({connection.source for connection in self.connections if connection.is_recurrent}))

    @property
    def cell(self) -> "Graph":
        """One time step as a feed-forward graph, whose last inputs are what the nodes `remembered`
        were in the last time step. Connections are in the same order; names are default ones.
        """
        remembered = self.remembered
        extra = len(remembered)
        last = {node: self.first_hidden + place for place, node in enumerate(remembered)}

        def number(node: int) -> int:
            return node if node < self.first_hidden else node + extra

        connections = tuple(
            replace(each, source=last[each.source] if each.is_recurrent else number(each.source), target=number(each.target))
            for each in self.connections
        )
        return Graph(default_names(self.inputs + extra, "input"), default_names(self.outputs, "output"), self.activations, connections)

    @property
    def in_no_time(self) -> "Graph":
        """The same nodes, with the connections that are not recurrent."""
        return replace(self, connections=tuple(each for each in self.connections if not each.is_recurrent))

    @property
    def weights(self) -> tuple[float | None, ...]:
        """The weight of every connection, in their order."""
        return tuple(connection.weight for connection in self.connections)

    def with_weights(self, weights: Iterable[float] | None) -> "Graph":
        """The same graph with other weights, in the order of its connections, or without. Raises
        ValueError for one that is not finite.
        """
        pairs = zip(self.connections, [None] * len(self.connections) if weights is None else weights, strict=True)
        return replace(self, connections=tuple(replace(connection, weight=weight) for connection, weight in pairs))

    def with_printable_names(self) -> "Graph":
        """The same graph to be shown: what cannot be printed in the names of its inputs and outputs
        is escaped.
        """
        input_names, output_names = (tuple(map(printable, names)) for names in (self.input_names, self.output_names))
        return replace(self, input_names=input_names, output_names=output_names)

    def name(self, node: int) -> str:
        """What node number `node` is called."""
        if node == 0:
            return "bias"
        if node < self.first_hidden:
            return self.input_names[node - 1]
        if node >= self.size - self.outputs:
            return self.output_names[node - (self.size - self.outputs)]
        return f"hidden {node - self.inputs}"

    def label(self, node: int) -> str:
        """What node number `node` is called wherever people see it: its name, and `h7` for what
        files call `hidden 7`, or `h7_2` where an input or output has that name.
        """
        name = self.name(node)
        if not self.first_hidden <= node < self.size - self.outputs:
            return name
        label, number = f"h{node - self.inputs}", 1
        while label in self.input_names or label in self.output_names:
            number += 1
            label = f"h{node - self.inputs}_{number}"
        return label

    def connection_label(self, connection: Connection) -> str:
        """What one of its connections is called: `h1 → y`, and as in formulas `h1[t-1] → h1` where
        it is recurrent.
        """
        late = "[t-1]" if connection.is_recurrent else ""
        return f"{self.label(connection.source)}{late} → {self.label(connection.target)}"

    def activation_name(self, node: int) -> str:
        """The name of a node's activation; empty for bias and inputs, which have none."""
        return "" if node < self.first_hidden else NAMES[self.activations[node - self.first_hidden]]


def require_in_order(graph: Graph, recurrent: Sequence[bool] = ()) -> None:
    """Raises ValueError unless exactly those connections of a graph from a file are recurrent which
    it says are: none by default.
    """
    for connection, said in zip(graph.connections, recurrent or [False] * len(graph.connections), strict=True):
        if connection.is_recurrent != said:
            way = "forwards, and is said to be recurrent" if said else "backwards: nodes must stand in order of evaluation"
            raise ValueError(f"connection from node {connection.source} to node {connection.target} leads {way}")


def require_distinct(names: list[str]) -> None:
    """Raises ValueError for a name that occurs twice."""
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise ValueError(f"two nodes are called {name!r}")


def default_names(count: int, kind: str) -> tuple[str, ...]:
    """`input 0`, `input 1`, …; just `input` where there is one."""
    return (kind,) if count == 1 else tuple(f"{kind} {i}" for i in range(count))


def graph_of(network: Network) -> Graph:
    """The graph of one network. Raises ValueError for weights that differ from lane to lane, and
    TypeError for what is no network.
    """
    network = as_network(network)
    if network.activations.ndim != 1 or (network.weights is not None and network.weights.ndim != 2):
        raise ValueError("network: must be one network with one set of weights")
    sources, activations = np.asarray(network.sources), np.asarray(network.activations)
    weights = None if network.weights is None else np.asarray(network.weights)
    first_step, steps, outputs = FIRST_INPUT + network.inputs, int(network.steps), network.outputs
    partial_sums: dict[int, list[tuple[int, float | None]]] = {}
    """Sources and weights; each is taken out by the one step that reads it, so that long chains are
    not copied.
    """
    used = [*range(steps), *range(len(activations) - outputs, len(activations))]
    node_rows = [first_step + step for step in used if activations[step] != SUM]
    number_of_row = {row: number for number, row in enumerate([*range(1, first_step), *node_rows])}
    connections: list[Connection] = []
    for step in used:
        incoming: list[tuple[int, float | None]] = []
        for k, row in enumerate(sources[step].tolist()):
            if row in partial_sums:
                partial_sums[row] += incoming
                incoming = partial_sums.pop(row)
            elif row > 0:
                incoming.append((number_of_row[row], None if weights is None else float(weights[step, k])))
        if activations[step] == SUM:
            partial_sums[first_step + step] = incoming
        else:
            number = number_of_row[first_step + step]
            connections += [Connection(source, number, weight) for source, weight in incoming]
    return Graph(
        network.input_names or default_names(network.inputs, "input"),
        network.output_names or default_names(outputs, "output"),
        tuple(int(activations[row - first_step]) for row in node_rows),
        tuple(connections),
    )


def network_of(graph: Graph) -> Network:
    """The network of a graph, with every node of it, dead ones included."""
    incoming: list[list[Connection]] = [[] for _ in range(graph.size)]
    for connection in graph.connections:
        incoming[connection.target].append(connection)
    first_output, first_step = graph.size - graph.outputs, FIRST_INPUT + graph.inputs
    # A node's value stands in the row of its last step, which recurrent connections read ahead.
    steps = [max(-(-(len(sources) - 1) // (FAN_IN - 1)), 1) for sources in incoming[graph.first_hidden : first_output]]
    row_of = [node + 1 for node in range(graph.first_hidden)] + [first_step + end - 1 for end in accumulate(steps)]
    hidden_steps: list[_Step] = []
    last_steps: list[_Step] = []
    for node in range(graph.first_hidden, graph.size):
        sources = [(row_of[c.source], 1.0 if c.weight is None else c.weight) for c in incoming[node]]
        terms = sources[:FAN_IN]
        for start in range(FAN_IN, len(sources), FAN_IN - 1):
            hidden_steps.append((terms, SUM))
            terms = [(first_step + len(hidden_steps) - 1, 1.0), *sources[start : start + FAN_IN - 1]]
        activation = graph.activations[node - graph.first_hidden]
        if node < first_output:
            hidden_steps.append((terms, activation))
        else:
            last_steps.append((terms, activation))

    tape = hidden_steps + last_steps
    rows = np.zeros((len(tape), FAN_IN), np.int32)
    weights = np.zeros((len(tape), FAN_IN), np.float32)
    for i, (terms, _) in enumerate(tape):
        for k, (row, weight) in enumerate(terms):
            rows[i, k], weights[i, k] = row, weight
    return Network(
        jax.device_put(rows),
        jax.device_put(np.array([activation for _, activation in tape], np.int8)),
        jnp.int32(len(hidden_steps)),
        jax.device_put(weights) if graph.has_weights else None,
        graph.inputs,
        graph.outputs,
        graph.input_names,
        graph.output_names,
        graph.recurrent,
    )


_Step = tuple[list[tuple[int, float]], int]
"""The rows and weights that a step reads, and its activation."""
