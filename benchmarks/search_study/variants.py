"""Searches that the study compares with the library's, and that live here alone: other rankings,
memories, niches and operators.

A variant is a `StudyConfig`: the library's settings and those of this file. Its algorithm shares
`init`, `ask` and `enlarge` with the library's and has a `tell` of its own. To add a variant, add a
setting, and what it changes in `tell` or in a function that `tell` calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

import wannjax
from benchmarks.search_study.fronts import crowding, fronts
from benchmarks.search_study.operators import duplicate_node
from wannjax.common.settings import choice, count, share
from wannjax.common.validation import require
from wannjax.genomes.genome import Genome, enlarge, random_genome
from wannjax.genomes.operators import mutate
from wannjax.genomes.population import Sizes, sizes_of
from wannjax.networks.activations import LINEAR, NAMES
from wannjax.search.activation_settings import AUTO
from wannjax.search.algorithm import Algorithm, Info
from wannjax.search.islands import Held
from wannjax.search.ranking import finite_or_worst, rank
from wannjax.search.selection import lexicase, tournaments
from wannjax.search.wann.algorithm import WannState, cases_of
from wannjax.search.wann.config import LEXICASE, WannConfig


@dataclass(frozen=True)
class StudyConfig(WannConfig):
    """The library's settings, and those of the variants; the defaults are the library's search."""

    name = "study"
    fitness: str = choice("mean", "what stands for the mean score", ("mean", "worst", "lower half"))
    second: str = choice("best", "the objective beside it", ("best", "worst", "novelty", "none"))
    complexity: str = choice("drawn", "where connections rank", ("drawn", "ties", "third objective", "never"))
    crowding: str = choice("NSGA-II", "the scale of the crowding distance", ("NSGA-II", "published"))
    memory: str = choice("none", "whether scores of elites are averaged over generations", ("none", "averaged"))
    newcomers: float = share(0.0, "share of new random genomes, which age protects")
    migration: float = share(0.01, "share of children with a parent from the island next to theirs")
    patience: int = count(0, "generations after which an island that found nothing better starts again; 0: never", least=0)
    archive: str = choice("none", "where parents come from, if not from the population", ("none", "MAP-Elites"))
    moves: int = count(1, "operators per child at the most")
    further: float = share(0.0, "probability of each further operator")
    duplicate_node: float = share(0.0, "share of operators that duplicate a hidden node")
    beside: str = choice("mean", "what lexicase selection selects for beside every weight", ("mean", "connections", "nothing"))

    def algorithm(self, *, inputs: int, outputs: int, start: Sequence[wannjax.Network] = (), held: Held | None = None) -> Algorithm:
        """The variant's search."""
        require("start", len(start), "empty: the variants begin with random networks", not start)
        require("held", held, "None: the variants hold all islands", held is None)
        return _algorithm(self, inputs=inputs, outputs=outputs)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class StudyState(WannState):
    """A search's state with what a variant remembers: for every genome the sum of its scores [P,
    W], how many rounds they come from [P], and its lineage's age [P]; of every island the best mean
    since it started and the generations since then; and the archive, genomes with their scores, of
    which those without a finite one are empty.
    """

    memory: tuple[Any, Any, Any, Any, Any, tuple[Genome, Sizes, Any] | None]


@lru_cache(maxsize=16)
def _algorithm(config: StudyConfig, *, inputs: int, outputs: int) -> Algorithm:
    """As `WannConfig.algorithm`."""
    usual = {f.name: getattr(config, f.name) for f in fields(WannConfig)}
    base = WannConfig(**{**usual, "islands": 1}).algorithm(inputs=inputs, outputs=outputs)  # a variant divides them by itself
    size = config.population // config.islands
    survivors = size - int(config.cull_ratio * size)
    elites, newcomers = int(config.elite_ratio * survivors), int(config.newcomers * size)
    born = size - elites - newcomers
    output_activation = LINEAR if config.output_activation == AUTO else NAMES.index(config.output_activation)

    def init(key):
        state = base.init(key)
        none = jnp.zeros(config.population, jnp.int32)
        archive = None
        if config.archive == "MAP-Elites":
            archive = (state.genomes, state.sizes, jnp.full((config.population, len(config.weights)), jnp.nan))
        return StudyState(
            **{f.name: getattr(state, f.name) for f in fields(WannState)},
            memory=(
                jnp.zeros((config.population, len(config.weights))),
                none,
                none,
                jnp.full(config.islands, -jnp.inf),
                jnp.zeros(config.islands, jnp.int32),
                archive,
            ),
        )

    def child(genome, draws, continues):
        for move in range(config.moves):
            moved = mutate(genome, draws[move, :4], config.operators.ends, config.operators.activations)
            if config.duplicate_node:
                doubles = draws[move, 4] < config.duplicate_node
                moved = jax.tree.map(partial(jnp.where, doubles), duplicate_node(genome, draws[move, 1]), moved)
            goes = jnp.all(continues[:move] < config.further)
            genome = jax.tree.map(partial(jnp.where, goes), moved, genome)
        return genome

    @jax.jit
    def tell(state, scores):
        which, draw_parents, draw_moves, draw_migrants, draw_new, key = jax.random.split(state.key, 6)
        draw_again = jax.random.fold_in(state.key, 6)
        sums, rounds, ages, best, since, archive = state.memory
        sums, rounds, ages = sums + scores, rounds + 1, ages + 1
        if config.memory == "averaged":
            scores = sums / rounds[:, None]
        pool, connections = state.genomes, state.sizes.connections
        if archive is not None:
            archive = _insert(archive, (state.genomes, state.sizes, scores))
            pool, scores, connections = archive[0], archive[2], archive[1].connections

        ranks = jax.vmap(partial(_rank, config, which))(*(_by_island(x, config.islands) for x in (scores, connections, ages)))
        order = jnp.argsort(ranks, axis=1)
        if config.archive == "MAP-Elites":
            filled = jnp.all(jnp.isfinite(scores), axis=1)
            parents = jax.random.choice(draw_parents, config.population, (1, born), p=filled / jnp.sum(filled))
        else:
            select = partial(_select, config, survivors=survivors, count=born)
            islands = (_by_island(x, config.islands) for x in (scores, connections))
            parents = jax.vmap(select)(jax.random.split(draw_parents, config.islands), order, *islands)
        home = jnp.arange(config.islands)[:, None]
        migrates = jax.random.bernoulli(draw_migrants, config.migration, parents.shape)
        parents = parents + (home + migrates) % config.islands * size
        kept = order[:, :elites] + home * size
        if config.patience:
            mean = jnp.where(jnp.isfinite(scores).all(axis=1), jnp.mean(scores, axis=1), -jnp.inf)
            leads = jnp.max(_by_island(mean, config.islands), axis=1)
            best, since = jnp.maximum(best, leads), jnp.where(leads > best, 0, since + 1)
            again = (since >= config.patience) & (leads < jnp.max(leads))
            best, since = jnp.where(again, -jnp.inf, best), jnp.where(again, 0, since)
            # From the elite of all islands.
            all_elites, count = kept.reshape(-1), parents.shape[1]
            drawn = all_elites[jax.random.randint(draw_again, (len(home), count + elites), 0, len(all_elites))]
            parents = jnp.where(again[:, None], drawn[:, :count], parents)
            kept = jnp.where(again[:, None], drawn[:, count:], kept)
        parents, kept = parents.reshape(-1), kept.reshape(-1)

        draws = jax.random.uniform(draw_moves, (len(parents), config.moves, 6))
        children = jax.vmap(child)(jax.tree.map(lambda leaf: leaf[parents], pool), draws, draws[..., 5])
        fresh = partial(
            random_genome,
            inputs=inputs,
            outputs=outputs,
            hidden=pool.hidden,
            density=config.initial_density,
            output_activation=output_activation,
        )
        new = jax.tree.map(lambda leaf: leaf[: config.islands * newcomers], jax.vmap(fresh)(jax.random.split(draw_new, config.population)))

        def assemble(of_kept, of_children, of_new):
            parts = [_by_island(part, config.islands) for part in (of_kept, of_children, of_new)]
            return jnp.concatenate(parts, axis=1).reshape(config.population, *of_children.shape[1:])

        def remembered(old, of_children):
            return assemble(old[kept], of_children, jnp.zeros((len(new.activations), *old.shape[1:]), old.dtype))

        genomes = jax.tree.map(lambda old, *young: assemble(old[kept], *young), pool, children, new)
        memory = (
            remembered(sums, jnp.zeros((len(parents), sums.shape[1]))),
            remembered(rounds, jnp.zeros(len(parents), jnp.int32)),
            remembered(ages, ages[parents]),
            best,
            since,
            archive,
        )
        following = StudyState(genomes, sizes_of(genomes), key, state.generation + 1, state.rates, state.steps, memory)
        return following, Info(state.sizes.hidden, state.sizes.connections, {})

    def enlarge_state(state):
        """As the library's, for children that grow by more than one node."""
        ahead = replace(
            state, sizes=state.sizes._replace(hidden=state.sizes.hidden + config.moves - 1, steps=state.sizes.steps + config.moves - 1)
        )
        grown = base.enlarge(ahead)
        assert isinstance(grown, StudyState)
        *rest, archive = grown.memory
        if archive is not None and archive[0].hidden < grown.genomes.hidden:
            archive = (enlarge(archive[0], grown.genomes.hidden), *archive[1:])
        return replace(grown, sizes=state.sizes, memory=(*rest, archive))

    return Algorithm(init, base.ask, tell, enlarge_state, base.activation_ids)


def _by_island(leaf, islands: int):
    return leaf.reshape(islands, leaf.shape[0] // islands, *leaf.shape[1:])


def _rank(config: StudyConfig, which, scores: Float[Array, "N W"], connections: Int32[Array, " N"], ages: Int32[Array, " N"]):
    """The rank of every genome of one island, 0 the best."""
    valid = jnp.all(jnp.isfinite(scores), axis=1)
    simplicity = 1.0 / jnp.maximum(connections, 1)
    half = (scores.shape[1] + 1) // 2
    first = {"mean": jnp.mean(scores, 1), "worst": jnp.min(scores, 1), "lower half": jnp.mean(jnp.sort(scores, 1)[:, :half], 1)}[
        config.fitness
    ]
    second = {"best": jnp.max(scores, 1), "worst": jnp.min(scores, 1), "novelty": _novelty(scores), "none": first}[config.second]
    if config.newcomers:
        second = -ages.astype(jnp.float32)
    elif config.complexity == "drawn":
        second = jnp.where(jax.random.bernoulli(which, config.complexity_probability), simplicity, second)
    objectives = (first, second, simplicity) if config.complexity == "third objective" else (first, second)
    points = jnp.stack([finite_or_worst(objective, valid) for objective in objectives], axis=1)
    if config.complexity == "ties":
        return _ranks_of(jnp.lexsort((connections, -points[:, 0], fronts(points))))
    if points.shape[1] == 2 and config.crowding == "NSGA-II":
        return rank(*points.T)
    front = fronts(points)
    return _ranks_of(jnp.lexsort((-crowding(points, front, published=config.crowding == "published"), front)))


def _ranks_of(order):
    return jnp.zeros(len(order), jnp.int32).at[order].set(jnp.arange(len(order), dtype=jnp.int32))


def _novelty(scores: Float[Array, "N W"], neighbours: int = 15) -> Float[Array, " N"]:
    """The mean distance to the nearest genomes by their scores over the sweep."""
    distances = jnp.linalg.norm(scores[:, None] - scores[None, :], axis=2)
    return jnp.mean(jnp.sort(distances, axis=1)[:, 1 : 1 + neighbours], axis=1)


def _select(config: StudyConfig, key, order, scores, connections, *, survivors: int, count: int):
    """The parents of one island's children."""
    if config.selection != LEXICASE:
        return tournaments(key, order[:survivors], size=2 * config.tournament, count=count)
    cases, valid = cases_of(scores, scores)
    if config.beside == "nothing":
        cases = cases[:, :-1]
    elif config.beside == "connections":
        cases = jnp.concatenate([cases, -connections[:, None].astype(jnp.float32)], axis=1)
    return lexicase(key, cases, valid, tolerance=config.tolerance, count=count)


def _insert(archive, arrivals):
    """MAP-Elites: of all genomes with the same best weight and about the same number of
    connections, the one with the best mean.
    """
    genomes, sizes, scores = jax.tree.map(lambda old, new: jnp.concatenate([old, new]), archive, arrivals)
    cells, weights = archive[2].shape
    valid = jnp.all(jnp.isfinite(scores), axis=1)
    mean = jnp.where(valid, jnp.mean(scores, axis=1), -jnp.inf)
    bins = cells // weights
    bin = jnp.minimum(jnp.floor(8 * jnp.log2(jnp.maximum(sizes.connections, 1))).astype(jnp.int32), bins - 1)
    cell = jnp.where(valid, bin * weights + jnp.argmax(scores, axis=1), cells)
    order = jnp.lexsort((-mean, cell))
    leads = jnp.concatenate([jnp.ones(1, bool), cell[order][1:] != cell[order][:-1]]) & (cell[order] < cells)
    chosen = order[jnp.argsort(~leads, stable=True)[:cells]]
    filled = jnp.arange(cells) < jnp.sum(leads)
    genomes, sizes, scores = jax.tree.map(lambda leaf: leaf[chosen], (genomes, sizes, scores))
    return genomes, sizes, jnp.where(filled[:, None], scores, jnp.nan)
