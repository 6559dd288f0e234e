"""The weights that a network leaves with: every connection's own, scaled as in a call."""

import numpy as np

from wannjax.common.validation import real, require
from wannjax.networks.graph import Graph, graph_of
from wannjax.networks.network import Network


def weighted_graph(network: Network, weight: float) -> Graph:
    """The graph of one network with a weight on every connection: `weight`, or `weight` times its
    own, as float32 has it.

    Raises ValueError for a population, for weights that differ from lane to lane, and where a
    weight is not finite in float32.
    """
    largest = float(np.finfo(np.float32).max)
    weight = real("weight", weight, "a finite number", -largest, largest)
    graph = graph_of(network)
    weights = [weight * (1.0 if own is None else own) for own in graph.weights]
    strongest = max(weights, key=abs, default=0.0)
    require("weight", weight, f"small enough for float32 where it makes a connection's weight {strongest:g}", abs(strongest) <= largest)
    return graph.with_weights([float(np.float32(value)) for value in weights])


def incoming(graph: Graph) -> list[list[tuple[int, float]]]:
    """For each node of a weighted graph the (source, weight) of its connections, in their order."""
    terms: list[list[tuple[int, float]]] = [[] for _ in range(graph.size)]
    for connection in graph.connections:
        assert connection.weight is not None
        terms[connection.target].append((connection.source, connection.weight))
    return terms
