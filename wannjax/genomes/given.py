"""Genomes of networks that are given, for a search that starts from them. On the host."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from wannjax.common.validation import require, require_type
from wannjax.genomes.genome import ENABLED, Genome, from_matrix
from wannjax.networks.graph import Graph, graph_of
from wannjax.networks.network import Network, as_network, is_recurrent


def given_networks(start: Any) -> tuple[Network, ...]:
    """One network or several as several. Raises TypeError for what is neither."""
    if isinstance(start, Sequence) and not isinstance(start, str):
        require_type("start", start, "a network, or several in a list", len(start) > 0)
        return tuple(as_network(network, "start") for network in start)
    return (as_network(start, "start"),)


def graphs_of(start: Sequence[Network], *, inputs: int, outputs: int, most: int, recurrent: bool) -> tuple[Graph, ...]:
    """The graphs of networks that a search for networks of `inputs` inputs and `outputs` outputs
    starts from. Raises ValueError for those of other sizes, for more than `most`, and for a
    recurrent one unless the search is.
    """
    require(
        "start", f"{len(start)} networks", f"at most {most}, the genomes that a population, or an island of it, has", len(start) <= most
    )
    for network in start:
        sizes = f"a network of {network.inputs} inputs and {network.outputs} outputs"
        require("start", sizes, f"of {inputs} and {outputs}, as the problem has", (network.inputs, network.outputs) == (inputs, outputs))
        require("start", network, "feed-forward, or recurrent=True", recurrent or not is_recurrent(network))
    return tuple(map(graph_of, start))


def genomes_of(graphs: Sequence[Graph], hidden: int) -> Genome:
    """The genomes of K graphs of the same inputs and outputs, none of more than `hidden` hidden
    nodes: without disabled connections, whatever weights there are left out.
    """
    inputs, outputs = graphs[0].inputs, graphs[0].outputs
    connections = np.zeros((len(graphs), 1 + inputs + hidden, hidden + outputs), np.int8)
    activations = np.zeros((len(graphs), hidden + outputs), np.int8)
    for number, graph in enumerate(graphs):
        columns = columns_of(graph, hidden)
        activations[number, columns[graph.first_hidden :]] = graph.activations
        for each in graph.connections:
            connections[number, each.source, columns[each.target]] = ENABLED
    return from_matrix(jax.device_put(connections), jax.device_put(activations), inputs, outputs)


def columns_of(graph: Graph, hidden: int) -> np.ndarray:
    """The column of every node that is a target, in a genome of `hidden` slots; nodes stand in the
    order of their rows.
    """
    nodes = np.arange(graph.size) - graph.first_hidden
    return np.where(
        nodes < graph.size - graph.first_hidden - graph.outputs, nodes, nodes + hidden - (len(graph.activations) - graph.outputs)
    )
