"""How a NEAT child comes about: genes of two parents, mutated weights, one structural change at the
most, and the numbers of its new genes.

Structural changes are numbered over the whole search, and equal ones of one generation get one
number, whichever genomes they are in. A new node is known by its change's number n; the genes that
a change adds are marked 2n and 2n + 1. Markings are int32, and a child has one change at the most:
100,000 generations of 10,000 children take at most 1e9 numbers, and markings of at most 2e9 < 2^31
- 1. So no number is ever used twice; a search that comes near the end of the range is stopped
(`require_numbers`).

Whether a connection is recurrent (see `genomes/genome.py`) is no part of its marking, which names
its two nodes: parents may have these in different order, so that it is recurrent in one and not in
the other. A child has all genes, the order of nodes and so the kinds of connections of its fitter
parent; from the other come weights, and what is disabled.

The operators themselves are those of `genomes/operators.py`. To add a way to change weights, see
`mutated_weights`.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Float32, Int, Int32

from wannjax.common.validation import require
from wannjax.genomes.operators import ADD_CONNECTION, ADD_NODE, DELETE_CONNECTION, DELETE_NODE, NOTHING, Change
from wannjax.genomes.slots import move_values
from wannjax.search.neat.genes import EMPTY, NO_GENE, Genes, gene_count, is_used, matching


def crossed(
    draws: Float[Array, " G"],
    genes: Genes,
    enabled: Bool[Array, " G"],
    other: Genes,
    other_enabled: Bool[Array, " G"],
    keep_disabled: float,
) -> tuple[Float32[Array, " G"], Bool[Array, " G"]]:
    """Weights, and which are enabled, of a child that has the `genes` of its fitter parent.

    A gene that the other parent has too takes its weight from either at random. One that is
    disabled in either parent is so in the child with probability `keep_disabled`, and enabled
    otherwise. Disjoint and excess genes are the fitter parent's.
    """
    place, matches = matching(genes, other)
    from_other = draws < 0.5
    weights = jnp.where(matches & from_other, other.weights[place], genes.weights)
    intact = enabled & (~matches | other_enabled[place])
    rest = jnp.where(from_other, 2 * draws, 2 * draws - 1)  # as uniform as the draw was: one serves both decisions
    return weights, is_used(genes) & (intact | (rest >= keep_disabled))


class WeightMutation(NamedTuple):
    """How the weights of a genome mutate.

    Attributes:
        replaced: share of them that are drawn anew from [-scale, scale].
        scale: of new weights.
        perturbation: by how much the others move at the most, in either direction.
        largest: size that none exceeds.
    """

    replaced: float
    scale: float
    perturbation: float
    largest: float


def mutated_weights(draws: Float[Array, " G"], weights: Float[Array, " G"], mutation: WeightMutation) -> Float32[Array, " G"]:
    """Every weight either drawn anew or perturbed, uniformly."""
    replaced = draws < mutation.replaced
    new = 2 * draws / max(mutation.replaced, 1e-6) - 1
    step = 2 * (draws - mutation.replaced) / max(1 - mutation.replaced, 1e-6) - 1
    moved = jnp.where(replaced, mutation.scale * new, weights + mutation.perturbation * step)
    return jnp.clip(moved, -mutation.largest, mutation.largest)


def followed(
    genes: Genes, ids: Int32[Array, " H"], change: Change, inputs: int, weight, *, keep: bool, deletes: bool
) -> tuple[Genes, Int32[Array, " H"]]:
    """The genes, and the identities of hidden nodes, of a genome after a structural change.

    New genes are appended with marking 0, and a new node gets identity 0: `numbered` puts numbers
    in their place.

    Args:
        weight: of an added connection.
        keep: whether a connection that was split stays: then the new node's own starts with weight
            0, else with the old weight.
        deletes: whether changes may be deletions: closing the gaps that they leave takes time.
    """
    hidden, first_hidden = ids.shape[0], 1 + inputs
    splits, adds = change.operator == ADD_NODE, change.operator == ADD_CONNECTION
    here = (genes.rows == change.row) & (genes.columns == change.column) & is_used(genes)
    old_weight = 0.0 if keep else jnp.sum(jnp.where(here, genes.weights, 0.0))
    if deletes:
        of_node = (genes.rows == first_hidden + change.closed) | (genes.columns == change.closed)
        genes = _without(genes, jnp.where(change.operator == DELETE_CONNECTION, here, of_node & (change.operator == DELETE_NODE)))

    def moved(numbers, first, end):
        slots = numbers - first
        shift = (slots >= change.opened).astype(jnp.int32) - (slots > change.closed).astype(jnp.int32)
        return jnp.where((slots >= 0) & (numbers < end), numbers + shift, numbers)

    rows, columns = moved(genes.rows, first_hidden, first_hidden + hidden), moved(genes.columns, 0, hidden)
    target = moved(change.column, 0, hidden)
    count, place = gene_count(genes), jnp.arange(genes.markings.shape[0])
    first, second = (splits | adds) & (place == count), splits & (place == count + 1)
    genes = Genes(
        jnp.where(first | second, 0, genes.markings),
        jnp.where(first, change.row, jnp.where(second, first_hidden + change.opened, rows)).astype(jnp.int32),
        jnp.where(first, jnp.where(splits, change.opened, target), jnp.where(second, target, columns)).astype(jnp.int32),
        jnp.where(first, jnp.where(splits, 1.0, weight), jnp.where(second, old_weight, genes.weights)),
    )
    return genes, move_values(ids, change.opened, change.closed)


def _without(genes: Genes, lost: Bool[Array, " G"]) -> Genes:
    """The genes but for the `lost` ones, in their order."""
    kept = is_used(genes) & ~lost
    ends = jnp.cumsum(kept)
    place = jnp.arange(kept.shape[0])
    source = jnp.minimum(jnp.searchsorted(ends, place + 1), kept.shape[0] - 1)
    used = place < ends[-1]
    return Genes(*(jnp.where(used, leaf[source], filler) for leaf, filler in zip(genes, NO_GENE, strict=True)))


def ends_of(ids: Int32[Array, " H"], row, column, inputs: int) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """The identities of the nodes that the connection in a cell leads from and to."""
    hidden = ids.shape[0]
    source = jnp.where(row <= inputs, row, ids[jnp.clip(row - inputs - 1, 0, hidden - 1)])
    target = jnp.where(column >= hidden, 1 + inputs + column - hidden, ids[jnp.clip(column, 0, hidden - 1)])
    return source, target


def node_identity(number: Int32[Array, "..."], inputs: int, outputs: int) -> Int32[Array, "..."]:
    """The identity of the hidden node that change `number` added; never 0, and none of bias, inputs
    and outputs.
    """
    return number + (1 + inputs + outputs)


def change_numbers(
    operators: Int[Array, " P"], sources: Int[Array, " P"], targets: Int[Array, " P"], first: Int32[Array, ""], every: int
) -> tuple[Int32[Array, " P"], Int32[Array, ""]]:
    """The number of every genome's change, `first` and `every` so many from there on, and the first
    number that is left.

    Changes with the same operator, source and target are the same. Genomes whose change adds no
    gene have a number without meaning.
    """
    adds = (operators == ADD_NODE) | (operators == ADD_CONNECTION)
    kind = jnp.where(adds, operators, NOTHING)
    order = jnp.lexsort((targets, sources, kind, ~adds))
    kind, sources, targets = kind[order], sources[order], targets[order]
    differs = (kind[1:] != kind[:-1]) | (sources[1:] != sources[:-1]) | (targets[1:] != targets[:-1])
    starts = jnp.concatenate([jnp.ones(1, bool), differs]) & (kind != NOTHING)
    rank = jnp.cumsum(starts, dtype=jnp.int32) - 1
    numbers = jnp.zeros(order.shape[0], jnp.int32).at[order].set(first + every * rank)
    return numbers, first + every * jnp.sum(starts, dtype=jnp.int32)


def numbered(genes: Genes, ids: Int32[Array, " H"], change: Change, number, inputs: int, outputs: int) -> tuple[Genes, Int32[Array, " H"]]:
    """The genes and identities that `followed` left, with the change's `number` in place of what is
    new.
    """
    splits, adds = change.operator == ADD_NODE, change.operator == ADD_CONNECTION
    count, place = gene_count(genes), jnp.arange(genes.markings.shape[0])
    first, second = place == count - 1 - splits.astype(jnp.int32), splits & (place == count - 1)
    markings = jnp.where((splits | adds) & first, 2 * number, jnp.where(second, 2 * number + 1, genes.markings))
    new = splits & (jnp.arange(ids.shape[0]) == change.opened)
    return genes._replace(markings=markings), jnp.where(new, node_identity(number, inputs, outputs), ids)


def first_number(inputs: int, outputs: int) -> int:
    """The number of a search's first change: the genes of the start have the markings below twice
    that.
    """
    return ((1 + inputs) * outputs + 1) // 2


def require_numbers(number: int, population: int, nodes: int) -> None:
    """Raises ValueError unless numbers are sure to last for a generation that starts with change
    `number`, of networks that have so many `nodes` at the start.
    """
    last = number + population
    fits = max(2 * last + 1, last + nodes) < int(EMPTY)
    require("generations", f"change {number} of the genome", "so few that historical markings fit 31 bits", fits)
