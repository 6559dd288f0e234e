"""Species against plain Python: who belongs where, how many children each has, and whose children they are."""

import jax
import jax.numpy as jnp
import neat_oracle
import numpy as np
from genes_support import listed, random_lists
from hypothesis import given
from hypothesis import strategies as st

from wannjax.search.neat.genes import Distance
from wannjax.search.neat.species import (
    Mating,
    apportioned,
    children_of,
    fitness_of,
    no_records,
    parents_of,
    representatives,
    speciate,
    steered,
    updated,
)

PLACES, POPULATION = 6, 40
DISTANCE = Distance(1.0, 1.0, 0.4, 20)
MATING = Mating(survival=0.3, elite_size=6, crossover=0.75, interspecies=0.1)
seeds = st.integers(0, 2**32 - 1)
speciate = jax.jit(speciate, static_argnums=4)
apportioned, updated = jax.jit(apportioned, static_argnums=1), jax.jit(updated, static_argnums=4)
children_of, parents_of = jax.jit(children_of, static_argnums=5), jax.jit(parents_of, static_argnums=6)


@given(seeds, st.floats(0.2, 9.0), st.integers(0, PLACES))
def test_genomes_join_the_first_near_species_or_found_one_or_join_the_nearest(seed, threshold, count):
    rng = np.random.default_rng(seed)
    genomes, models = random_lists(rng, POPULATION), random_lists(rng, PLACES)
    exists = np.isin(np.arange(PLACES), rng.choice(PLACES, count, replace=False))
    found, exist = speciate(listed(genomes), listed(models), jnp.asarray(exists), jnp.float32(threshold), DISTANCE)

    def apart(one, other):
        return np.float32(neat_oracle.distance(one, other, *DISTANCE))

    distances = [apart(one, other) for one in genomes for other in [*genomes, *models]]
    if np.min(np.abs(np.array(distances) - np.float32(threshold))) < 1e-5:
        return  # too near to tell in float32
    known = [model if e else None for model, e in zip(models, exists, strict=True)]
    wanted, models = neat_oracle.speciate(genomes, known, np.float32(threshold), apart)
    for genome, own, place in zip(genomes, wanted, found.tolist(), strict=True):
        if own is None:
            assert apart(genome, models[place]) <= min(apart(genome, model) for model in models) + 1e-5
        else:
            assert place == own
    assert [model is not None for model in models] == exist.tolist()


def random_generation(rng):
    species = rng.choice(rng.choice(PLACES, rng.integers(1, PLACES + 1), replace=False), POPULATION)
    fitness = rng.choice([0.0, 1.0, 2.0, *rng.gamma(2.0, size=5)], POPULATION).astype(np.float32)
    valid = rng.random(POPULATION) < rng.choice([0.1, 0.9, 1.0])
    valid |= ~valid.any()
    return species.astype(np.int32), np.where(valid, fitness, 0).astype(np.float32), valid


@given(seeds, st.booleans())
def test_children_are_shared_by_mean_fitness_and_are_as_many_as_genomes(seed, narrows):
    rng = np.random.default_rng(seed)
    species, fitness, valid = random_generation(rng)
    age = rng.integers(0, 20, PLACES)
    found = np.asarray(children_of(jnp.asarray(age, jnp.int32), jnp.asarray(narrows), *map(jnp.asarray, (fitness, valid, species)), 15))
    wanted = np.array(neat_oracle.children(age, narrows, fitness.astype(float), valid, species, 15, PLACES))
    assert found.sum() == POPULATION
    assert np.all(np.abs(found - wanted) < 1 + 1e-4), "a largest remainder rounds up or down"
    assert np.all(found[wanted == 0] == 0)


@given(st.lists(st.floats(0, 2.0**99, width=32, allow_subnormal=False), min_size=1, max_size=9).filter(any), st.integers(1, 10_000))
def test_what_is_apportioned_adds_up(claims, total):
    claims = claims + [0.0] * (9 - len(claims))
    found = np.asarray(apportioned(jnp.array(claims, jnp.float32), total))
    assert found.sum() == total
    assert np.all(found >= 0)
    assert np.all(found[np.array(claims) == 0] == 0)


def test_the_largest_remainders_round_up():
    assert apportioned(jnp.array([5.0, 3.0, 3.0, 0.0]), 10).tolist() == [4, 3, 3, 0]
    assert apportioned(jnp.array([1.0, 1.0, 1.0, 0.0]), 4).tolist() == [2, 1, 1, 0]


@given(seeds)
def test_parents_are_survivors_of_the_childs_species_and_the_first_is_the_fitter(seed):
    rng = np.random.default_rng(seed)
    species, fitness, valid = random_generation(rng)
    sizes = rng.integers(1, 5, POPULATION).astype(np.int32)
    counts = rng.multinomial(POPULATION, [1 / len(set(species))] * len(set(species)))
    per_place = np.zeros(PLACES, np.int32)
    per_place[sorted(set(species))] = counts
    draws = rng.random((POPULATION, 5), np.float32)
    found = parents_of(*map(jnp.asarray, (draws, per_place, fitness, sizes, valid, species)), MATING)
    first, second, crosses, elite = map(np.asarray, found)

    def rank(genome):
        return (not valid[genome], -fitness[genome], sizes[genome], genome)

    survivors, best = {}, {}
    for m in set(species.tolist()):
        members = sorted(np.flatnonzero(species == m), key=rank)
        best[m] = members[0]
        survivors[m] = set(members[: max(int(np.ceil(MATING.survival * valid[members].sum())), 1)])
    home = np.repeat(np.arange(PLACES), per_place)
    everyone = set().union(*survivors.values())
    for child in range(POPULATION):
        own, starts = survivors[home[child]], child == 0 or home[child] != home[child - 1]
        assert elite[child] == (starts and np.sum(species == home[child]) >= MATING.elite_size)
        if elite[child]:
            assert first[child] == best[home[child]]
            assert not crosses[child]
        elif not crosses[child]:
            assert first[child] in own
        else:
            away = draws[child, 1] < MATING.interspecies
            assert {first[child], second[child]} <= (everyone if away else own)
            assert {first[child], second[child]} & own
            assert rank(first[child])[:3] <= rank(second[child])[:3]


def test_representatives_are_random_members():
    species = jnp.array([0, 2, 2, 2, 0, 2], jnp.int32)
    drawn = jax.jit(jax.vmap(lambda key: representatives(key, species, 3)))(jax.random.split(jax.random.key(0), 3000))
    assert set(np.unique(drawn[:, 0])) == {0, 4}
    np.testing.assert_allclose(np.bincount(drawn[:, 2], minlength=6) / 3000, [0, 0.25, 0.25, 0.25, 0, 0.25], atol=0.04)


def test_fitness_is_the_score_unless_one_is_negative_and_never_below_zero():
    scores, valid = jnp.array([3.0, -2.0, 5.0, -9.0]), jnp.array([True, True, True, False])
    assert fitness_of(scores, valid).tolist() == [5.0, 0.0, 7.0, 0.0]
    assert fitness_of(jnp.abs(scores), valid).tolist() == [3.0, 2.0, 5.0, 0.0]


def test_records_age_until_a_better_score_and_all_start_again_when_patience_ends():
    species, valid = jnp.array([0, 0, 1], jnp.int32), jnp.ones(3, bool)
    records, ends = no_records(2), []
    for scores in ([1.0, 2.0, 3.0], [1.0, 2.0, 4.0], [2.5, 0.0, 4.0], [2.5, 0.0, 1.0], [2.5, 0.0, 1.0]):
        records, end = updated(records, jnp.array(scores), valid, species, 2)
        ends.append((records.best.tolist(), records.age.tolist(), bool(end)))
    assert ends == [
        ([2.0, 3.0, 3.0], [0, 0, 0], False),
        ([2.0, 4.0, 4.0], [1, 0, 0], False),
        ([2.5, 4.0, 4.0], [0, 1, 1], False),
        ([2.5, 4.0, 4.0], [1, 2, 2], False),
        ([2.5, 4.0, 4.0], [0, 0, 0], True),
    ]


def test_the_threshold_is_steered_to_the_number_of_species():
    assert [float(steered(jnp.float32(2.0), jnp.int32(n), 10, 0.25)) for n in (9, 10, 11)] == [np.float32(1.6), 2.0, 2.5]
