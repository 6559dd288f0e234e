"""What a NEAT genome carries beside the matrix of `genome.py`: a list of its genes, with historical
markings and weights.

A gene is a connection, enabled or disabled. The matrix says where connections are and whether they
are enabled, for WANN and NEAT alike; the list says for every one of them which structural change of
the past it comes from, and its weight. WANN needs neither, and carries neither. Lists are sorted by
marking, the oldest gene first: a new gene is appended, and a child takes one parent's genes in
their order, so nothing ever needs sorting. A list is padded to G places, of which the empty ones
come last.

A list rather than a matrix, because a matrix has some 3,000 cells where a genome has some 60 genes:
all that NEAT does to weights and markings is done to the list. Functions are written for one
genome; callers vmap.
"""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int32

from wannjax.genomes import bits
from wannjax.genomes.genome import Genome
from wannjax.genomes.population import in_chunks

EMPTY = np.int32(2**31 - 1)
"""The marking of an empty place; greater than all others."""


class Genes(NamedTuple):
    """The genes of one genome; with a leading axis P, of a population.

    Attributes:
        markings: int32[G], ascending; `EMPTY` in empty places.
        rows, columns: int32[G], where the connection is in the genome's matrix; 0 in empty places.
        weights: float32[G]; 0 in empty places.
    """

    markings: Int32[Array, "... G"]
    rows: Int32[Array, "... G"]
    columns: Int32[Array, "... G"]
    weights: Float32[Array, "... G"]


NO_GENE = (np.int32(EMPTY), np.int32(0), np.int32(0), np.float32(0))
"""What an empty place holds."""


def first_genes(weights: Float32[Array, "sources O"], hidden: int, capacity: int) -> Genes:
    """The genes of a genome without hidden nodes, in which bias and inputs connect to every output
    with these `weights`.
    """
    sources, outputs = weights.shape
    number = jnp.arange(capacity, dtype=jnp.int32)
    used = number < sources * outputs
    return Genes(
        jnp.where(used, number, EMPTY),
        jnp.where(used, number // outputs, 0),
        jnp.where(used, hidden + number % outputs, 0),
        jnp.pad(weights.reshape(-1), (0, capacity - sources * outputs)),
    )


def with_capacity(genes: Genes, capacity: int, hidden: int, more: int) -> Genes:
    """The same genes on `capacity` places, of genomes whose `hidden` slots become `more`; leading
    axes pass through.
    """
    columns = jnp.where(is_used(genes) & (genes.columns >= hidden), genes.columns + more - hidden, genes.columns)
    pad = [(0, 0)] * (genes.markings.ndim - 1) + [(0, capacity - genes.markings.shape[-1])]
    return Genes(
        *(jnp.pad(leaf, pad, constant_values=filler) for leaf, filler in zip(genes._replace(columns=columns), NO_GENE, strict=True))
    )


def is_used(genes: Genes) -> Bool[Array, "... G"]:
    """Which places hold a gene."""
    return genes.markings != EMPTY


def gene_count(genes: Genes) -> Int32[Array, "..."]:
    """The number of genes."""
    return jnp.sum(is_used(genes), axis=-1, dtype=jnp.int32)


def is_enabled(genome: Genome, genes: Genes) -> Bool[Array, " G"]:
    """Which of the genome's genes are enabled."""
    return is_used(genes) & bits.is_set(genome.enabled, genes.rows, genes.columns)


def with_enabled(genome: Genome, genes: Genes, enabled: Bool[Array, " G"]) -> Genome:
    """The genome with exactly these of its genes enabled."""
    places = jnp.uint32(1) << (genes.rows % bits.WORD).astype(jnp.uint32)

    def those(chosen):
        words = jnp.where(chosen & is_used(genes), places, 0)
        return jnp.zeros_like(genome.enabled).at[genes.rows // bits.WORD, genes.columns].add(words)

    return replace(genome, enabled=those(enabled), disabled=those(~enabled))


def weight_matrix(genome: Genome, genes: Genes) -> Float32[Array, "sources targets"]:
    """The weights in the genome's layout."""
    sources, targets = genome.sources, genome.activations.shape[0]
    cells = jnp.where(is_used(genes), genes.rows * targets + genes.columns, sources * targets)
    return jnp.zeros(sources * targets, jnp.float32).at[cells].set(genes.weights, mode="drop").reshape(sources, targets)


def matching(genes: Genes, other: Genes) -> tuple[Int32[Array, " G"], Bool[Array, " G"]]:
    """For every gene the place of the other genome's gene with the same marking, and whether there
    is one.
    """
    place = jnp.searchsorted(other.markings, genes.markings).astype(jnp.int32)
    place = jnp.minimum(place, other.markings.shape[0] - 1)
    return place, is_used(genes) & (other.markings[place] == genes.markings)


class Distance(NamedTuple):
    """What counts how much in the compatibility distance c1·E/N + c2·D/N + c3·W of Stanley &
    Miikkulainen 2002, equation 1.

    Attributes:
        excess: c1, of E genes that are newer than all of the other genome.
        disjoint: c2, of D other genes that one of the two lacks.
        weights: c3, of the mean difference W of the weights of matching genes.
        normalise_from: genes of the larger genome from which on N is their number; 1 for smaller
            ones.
    """

    excess: float
    disjoint: float
    weights: float
    normalise_from: int


def distances(genes: Genes, others: Genes, distance: Distance) -> Float[Array, "P M"]:
    """The compatibility distances of P genomes to M others, of which there are few.

    The others' genes are laid out as one table, a row for every marking and a column for every
    genome, so that one search per gene serves all M of them.
    """
    count = others.markings.shape[0]
    known = jnp.sort(others.markings.reshape(-1))
    place = jnp.searchsorted(known, others.markings)
    owner = jnp.broadcast_to(jnp.arange(count)[:, None], place.shape)
    table = (
        jnp.full((known.shape[0], count), jnp.nan, jnp.float32).at[place, owner].set(jnp.where(is_used(others), others.weights, jnp.nan))
    )
    other_sizes, other_newest = gene_count(others), _newest(others)

    def one(genes: Genes):
        place = jnp.minimum(jnp.searchsorted(known, genes.markings), known.shape[0] - 1)
        found = is_used(genes) & (known[place] == genes.markings)
        weights = table[place]
        matches = found[:, None] & ~jnp.isnan(weights)
        matching = jnp.sum(matches, axis=0)
        difference = jnp.sum(jnp.where(matches, jnp.abs(genes.weights[:, None] - weights), 0.0), axis=0)
        size = gene_count(genes)
        newer = size - jnp.searchsorted(genes.markings, other_newest, side="right")
        older = other_sizes - jax.vmap(lambda markings: jnp.searchsorted(markings, _newest(genes), side="right"))(others.markings)
        disjoint = size + other_sizes - 2 * matching - newer - older
        larger = jnp.maximum(size, other_sizes)
        norm = jnp.where(larger < distance.normalise_from, 1, jnp.maximum(larger, 1))
        excess, disjoint, norm, matching = (part.astype(jnp.float32) for part in (newer + older, disjoint, norm, jnp.maximum(matching, 1)))
        return (distance.excess * excess + distance.disjoint * disjoint) / norm + distance.weights * difference / matching

    return in_chunks(one, genes, cached=True)


def _newest(genes: Genes) -> Int32[Array, "..."]:
    """The marking of the newest gene, -1 where there is none."""
    return jnp.max(jnp.where(is_used(genes), genes.markings, -1), axis=-1)


def take_genes(genes: Genes, index: Array) -> Genes:
    """The genes of the genomes at `index`."""
    return jax.tree.map(lambda leaf: leaf[index], genes)
