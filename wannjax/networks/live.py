"""What of a network its outputs depend on, at this time step or a later one."""

from collections.abc import Collection
from dataclasses import replace

from wannjax.networks.graph import Graph


def live_connections(graph: Graph, kept: Collection[int] | None = None) -> frozenset[int]:
    """Those of the connections `kept` (places in `graph.connections`; all if None) that lead to an
    output by way of others of them.
    """
    into: dict[int, list[int]] = {}
    for place in range(len(graph.connections)) if kept is None else kept:
        into.setdefault(graph.connections[place].target, []).append(place)
    live, waiting = set(), [*range(graph.size - graph.outputs, graph.size)]
    while waiting:
        for place in into.pop(waiting.pop(), ()):
            live.add(place)
            waiting.append(graph.connections[place].source)
    return frozenset(live)


def thinned(graph: Graph, kept: Collection[int] | None = None) -> Graph:
    """The graph with only the connections `kept`, and without hidden nodes that then reach no
    output.
    """
    connections = [graph.connections[place] for place in sorted(live_connections(graph, kept))]
    first_output = graph.size - graph.outputs
    sources = {connection.source for connection in connections}
    nodes = [n for n in range(graph.size) if n < graph.first_hidden or n >= first_output or n in sources]
    number = {node: i for i, node in enumerate(nodes)}
    return replace(
        graph,
        activations=tuple(graph.activations[node - graph.first_hidden] for node in nodes[graph.first_hidden :]),
        connections=tuple(replace(c, source=number[c.source], target=number[c.target]) for c in connections),
    )
