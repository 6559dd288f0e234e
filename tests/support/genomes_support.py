"""Genes for the tests of operators and searches, and what must hold of them."""

import numpy as np
import oracle
from oracle import Genes

TABLE = (1, 3, 5, 9, 10)
"""Activation ids of hidden nodes."""


def without_slot(genes: Genes, slot: int) -> Genes:
    """The genes with a hidden slot taken out and an empty one put behind the last."""
    row, slots = 1 + genes.inputs + slot, genes.slots
    connections = np.pad(np.delete(genes.connections, row, axis=0), ((0, 1), (0, 0)))
    connections = np.insert(np.delete(connections, slot, axis=1), slots - 1, 0, axis=1)
    activations = np.insert(np.delete(genes.activations, slot), slots - 1, 0)
    return Genes(connections, activations, genes.inputs, genes.outputs)


def assert_well_formed(genes: Genes, *, recurrent=False):
    first = 1 + genes.inputs
    used = genes.activations[: genes.slots] != 0
    assert np.all(used[: genes.nodes]), "an empty slot before a used one"
    assert np.all(genes.connections[:, : genes.slots][:, ~used] == 0), "a connection into an empty slot"
    assert np.all(genes.connections[first:][~used] == 0), "a connection out of an empty slot"
    assert recurrent or not np.any(np.tril(genes.connections[first:, : genes.slots])), "a connection against the order of the slots"
    assert np.all(np.abs(genes.connections) <= 1)


def assert_about_uniform(counts):
    """Within five standard deviations of equal shares."""
    expected = np.sum(counts) / len(counts)
    assert np.all(np.abs(np.asarray(counts) - expected) < 5 * np.sqrt(expected)), counts


def shaped(seed, **settings) -> Genes:
    return oracle.random_genes(np.random.default_rng(seed), inputs=3, outputs=2, slots=9, **dict(ids=TABLE, defects=0.0) | settings)
