"""Species: which genomes compete with which, how many children each species has, and who their
parents are (NEAT, sections 3.3 and 3.4).

Species stand in M places; a place without members is free. A genome belongs to the first species
whose representative, a random member of the generation before, is nearer than the threshold, and
founds one where there is none; when no place is free it joins the nearest. Within a generation a
species competes with its members' mean fitness, so that none takes over because it is large.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int32, Key

from wannjax.search.neat.genes import Distance, Genes, distances, take_genes


class Records(NamedTuple):
    """What is remembered of the M species, and of the population in the last place.

    Attributes:
        best: float32[M + 1], the best score so far; minus infinity before the first.
        age: int32[M + 1], generations since it was reached.
    """

    best: Float[Array, " M1"]
    age: Int32[Array, " M1"]


def no_records(places: int) -> Records:
    """Those of a search that begins."""
    return Records(jnp.full(places + 1, -jnp.inf, jnp.float32), jnp.zeros(places + 1, jnp.int32))


def members_of(species: Int32[Array, " P"], places: int) -> Bool[Array, "M P"]:
    """Which genome is in which species."""
    return jnp.arange(places)[:, None] == species[None, :]


def inhabited(species: Int32[Array, " P"], places: int) -> Bool[Array, " M"]:
    """Which species have members."""
    return jnp.any(members_of(species, places), axis=1)


def representatives(key: Key[Array, ""], species: Int32[Array, " P"], places: int) -> Int32[Array, " M"]:
    """A random member of every species; of those without members any genome."""
    draws = jax.random.uniform(key, species.shape, jnp.float32)
    return jnp.argmax(jnp.where(members_of(species, places), draws[None, :], -1.0), axis=1).astype(jnp.int32)


def speciate(
    genes: Genes, models: Genes, exists: Bool[Array, " M"], threshold: Float[Array, ""], distance: Distance
) -> tuple[Int32[Array, " P"], Bool[Array, " M"]]:
    """The species of P genomes, given the representatives' genes `models` and which of the M
    species exist; and which exist then.
    """
    apart = jnp.where(exists[None, :], distances(genes, models, distance), jnp.inf)
    fits = apart < threshold
    species = jnp.where(jnp.any(fits, axis=1), jnp.argmax(fits, axis=1), -1).astype(jnp.int32)
    index = jnp.arange(species.shape[0])

    def unsettled(carry):
        species, exists, *_ = carry
        return jnp.any(species < 0) & ~jnp.all(exists)

    def found(carry):
        species, exists, nearest, least = carry
        founder, place = jnp.argmax(species < 0), jnp.argmin(exists).astype(jnp.int32)
        apart = distances(genes, take_genes(genes, founder[None]), distance)[:, 0]
        joins = (species < 0) & ((apart < threshold) | (index == founder))
        closer = apart < least
        return (
            jnp.where(joins, place, species),
            exists.at[place].set(True),
            jnp.where(closer, place, nearest),
            jnp.where(closer, apart, least),
        )

    start = (species, exists, jnp.argmin(apart, axis=1).astype(jnp.int32), jnp.min(apart, axis=1))
    species, exists, nearest, _ = lax.while_loop(unsettled, found, start)
    return jnp.where(species < 0, nearest, species), exists


def fitness_of(scores: Float[Array, " P"], valid: Bool[Array, " P"]) -> Float[Array, " P"]:
    """Scores as fitness, at least 0 as sharing needs it: the scores themselves, or what they are
    above the lowest where that is negative.

    Genomes without a `valid` score have none.
    """
    lowest = jnp.min(jnp.where(valid, scores, jnp.inf))
    return jnp.where(valid, scores - jnp.minimum(lowest, 0.0), 0.0)


def updated(
    records: Records, scores: Float[Array, " P"], valid: Bool[Array, " P"], species: Int32[Array, " P"], patience: int
) -> tuple[Records, Bool[Array, ""]]:
    """The records after a generation with these scores, and whether the population's `patience` is
    at an end: then all ages start again, so that what comes of a narrowed search has time.
    """
    places = records.best.shape[0] - 1
    groups = jnp.concatenate([members_of(species, places), jnp.ones((1, species.shape[0]), bool)])
    best = jnp.max(jnp.where(groups & valid[None, :], scores[None, :], -jnp.inf), axis=1)
    better = best > records.best
    age = jnp.where(better, 0, records.age + 1).astype(jnp.int32)
    ends = age[-1] > patience
    return Records(jnp.where(better, best, records.best), jnp.where(ends, 0, age)), ends


def with_founded(records: Records, founded: Bool[Array, " M"]) -> Records:
    """The records with none of the `founded` species, which may stand in places of extinct ones."""
    new = jnp.concatenate([founded, jnp.zeros(1, bool)])
    return Records(jnp.where(new, -jnp.inf, records.best), jnp.where(new, 0, records.age))


def children_of(
    age: Int32[Array, " M"],
    narrows: Bool[Array, ""],
    fitness: Float[Array, " P"],
    valid: Bool[Array, " P"],
    species: Int32[Array, " P"],
    patience: int,
) -> Int32[Array, " M"]:
    """How many children every species has; as many as genomes in all.

    In proportion to the mean fitness of its members, by largest remainders. Species whose `age` has
    reached `patience` have none, but for that of the best genome; where the search `narrows`, only
    the two with the best genomes have some.
    """
    places, population = age.shape[0], species.shape[0]
    members = members_of(species, places)
    size = jnp.sum(members, axis=1)
    alive = jnp.any(members & valid[None, :], axis=1)
    best = jnp.max(jnp.where(members & valid[None, :], fitness[None, :], -1.0), axis=1)
    order = _places(jnp.where(alive, best, -2.0))
    may = alive & jnp.where(narrows, order < 2, (age < patience) | (order == 0))
    mean = jnp.sum(jnp.where(members, fitness[None, :], 0.0), axis=1) / jnp.maximum(size, 1).astype(jnp.float32)
    claims = jnp.where(may, mean, 0.0)
    claims = jnp.where(jnp.sum(claims) > 0, claims, may.astype(jnp.float32))
    return apportioned(claims, population)


def apportioned(claims: Float[Array, " M"], total: int) -> Int32[Array, " M"]:
    """`total` in whole numbers in proportion to `claims`, by largest remainders; not all claims may
    be 0.
    """
    quotas = claims / jnp.max(claims)
    quotas = total * (quotas / jnp.sum(quotas))
    whole = jnp.floor(quotas).astype(jnp.int32)
    rest = jnp.where(claims > 0, quotas - whole.astype(jnp.float32), -1.0)
    return whole + (_places(rest) < total - jnp.sum(whole, dtype=jnp.int32)).astype(jnp.int32)


def _places(values: Float[Array, " M"]) -> Int32[Array, " M"]:
    """The place of each value among all, 0 for the greatest; of equals the first comes first. A
    sort would take long to compile.
    """
    number = jnp.arange(values.shape[0])
    ahead = (values[None, :] > values[:, None]) | ((values[None, :] == values[:, None]) & (number[None, :] < number[:, None]))
    return jnp.sum(ahead, axis=1, dtype=jnp.int32)


class Parents(NamedTuple):
    """Where P children come from.

    Attributes:
        first, second: int32[P], genomes; the first is the fitter one, and of equals the smaller.
        crosses: bool[P], whether the child has both.
        elite: bool[P], whether it is its first parent unchanged.
    """

    first: Int32[Array, " P"]
    second: Int32[Array, " P"]
    crosses: Bool[Array, " P"]
    elite: Bool[Array, " P"]


class Mating(NamedTuple):
    """See `NeatConfig`."""

    survival: float
    elite_size: int
    crossover: float
    interspecies: float


def parents_of(
    draws: Float[Array, "P 5"],
    counts: Int32[Array, " M"],
    fitness: Float[Array, " P"],
    sizes: Int32[Array, " P"],
    valid: Bool[Array, " P"],
    species: Int32[Array, " P"],
    mating: Mating,
) -> Parents:
    """The parents of all children, species by species; the first child of a large one is its best
    member.

    Parents are drawn from the best of their species, a share of it that is `survival`; `sizes` are
    the numbers of genes.
    """
    places, population = counts.shape[0], species.shape[0]
    worth = jnp.where(valid, fitness, -1.0)
    order = jnp.lexsort((sizes, -worth, species)).astype(jnp.int32)
    members = members_of(species, places)
    size, able = jnp.sum(members, axis=1), jnp.sum(members & valid[None, :], axis=1)
    starts = jnp.cumsum(size) - size
    survivors = jnp.maximum(jnp.ceil(mating.survival * able.astype(jnp.float32)), 1).astype(jnp.int32)

    def drawn(home, draw):
        return order[starts[home] + jnp.minimum((draw * survivors[home].astype(jnp.float32)).astype(jnp.int32), survivors[home] - 1)]

    ends = jnp.cumsum(counts)
    child = jnp.arange(population)
    home = jnp.searchsorted(ends, child, side="right")
    is_first = child == (ends - counts)[home]
    elite = is_first & (size[home] >= mating.elite_size)
    crosses = ~elite & (draws[:, 0] < mating.crossover)
    other_child = (draws[:, 2] * population).astype(jnp.int32)
    away = jnp.where(draws[:, 1] < mating.interspecies, home[jnp.minimum(other_child, population - 1)], home)
    one = jnp.where(elite, order[starts[home]], drawn(home, draws[:, 3]))
    other = drawn(away, draws[:, 4])
    second_fitter = (worth[other] > worth[one]) | ((worth[other] == worth[one]) & (sizes[other] < sizes[one]))
    swaps = crosses & second_fitter
    return Parents(jnp.where(swaps, other, one), jnp.where(swaps, one, other), crosses, elite)


def steered(threshold: Any, count: Any, wanted: int, step: float) -> Any:
    """The threshold after a generation of `count` species: larger where these are too many, smaller
    where too few.
    """
    factor = jnp.where(count > wanted, 1 + step, jnp.where(count < wanted, 1 / (1 + step), 1.0))
    return threshold * factor
