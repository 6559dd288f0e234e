"""The genes of networks that are given, for a search that starts from them. On the host."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32

from wannjax.genomes.given import columns_of
from wannjax.genomes.population import SMALLEST_CAPACITY, doubled
from wannjax.networks.graph import Graph
from wannjax.search.neat.genes import NO_GENE, Genes
from wannjax.search.neat.reproduction import first_number, node_identity


def given_genes(graphs: Sequence[Graph], hidden: int, slope: float) -> tuple[Genes, Int32[Array, "K H"], int]:
    """The genes of K graphs in genomes of `hidden` slots, the identities of their hidden nodes, and
    the number of the next change. A network's weights are `slope` times those of genes; those that
    a graph has not are 1.

    Connections from bias and inputs to outputs are marked as in any search; hidden nodes, and the
    connections of these, as if each had been a change of its own.
    """
    inputs, outputs = graphs[0].inputs, graphs[0].outputs
    number, found = first_number(inputs, outputs), []
    ids = np.zeros((len(graphs), hidden), np.int32)
    for place, graph in enumerate(graphs):
        columns, genes = columns_of(graph, hidden), []
        nodes = len(graph.activations) - outputs
        ids[place, :nodes] = np.asarray(node_identity(number + jnp.arange(nodes), inputs, outputs))
        number += nodes
        for each in graph.connections:
            column = int(columns[each.target])
            marking = each.source * outputs + column - hidden
            if each.source >= graph.first_hidden or column < hidden:
                marking, number = 2 * number, number + 1
            genes.append((marking, each.source, column, 1.0 if each.weight is None else each.weight / slope))
        found.append(sorted(genes))
    capacity = doubled(SMALLEST_CAPACITY, max(map(len, found)) + 1)
    filled = [genes + [NO_GENE] * (capacity - len(genes)) for genes in found]
    leaves = (np.array([[gene[field] for gene in genes] for genes in filled], filler.dtype) for field, filler in enumerate(NO_GENE))
    return Genes(*map(jax.device_put, leaves)), jax.device_put(ids), number
