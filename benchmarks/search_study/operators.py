"""Structural operators that the study tries and the library does not have."""

import jax.numpy as jnp

from wannjax.genomes.genome import Genome, from_matrix, hidden_count
from wannjax.genomes.slots import index, move_slots


def duplicate_node(genome: Genome, draw) -> Genome:
    """Puts a second node beside a hidden one, with the same activation, sources and targets: twice
    the gain where all weights are equal.
    """
    count, hidden, first = hidden_count(genome), genome.hidden, 1 + genome.inputs
    node = index(draw, count)
    possible = (count > 0) & (count < hidden)
    slot = jnp.where(possible, node + 1, hidden)
    opened = move_slots(genome, slot, hidden, genome.activations[node])
    connections = opened.connections
    into = possible & (jnp.arange(connections.shape[1]) == slot)
    connections = jnp.where(into[None, :], connections[:, node][:, None], connections)
    row = jnp.where(into, jnp.int8(0), connections[first + node])
    out_of = possible & (jnp.arange(connections.shape[0]) == first + slot)
    connections = jnp.where(out_of[:, None], row[None, :], connections)
    return from_matrix(connections, opened.activations, genome.inputs, genome.outputs)
