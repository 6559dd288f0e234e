"""Islands: each is a search by itself, whoever holds the others; and the best of them move in a ring."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from bridge import assert_same_bits

import wannjax
from wannjax.search.islands import Held

SIZE, WEIGHTS, INPUTS, GENERATIONS = 10, 3, 5, 6
COMMON = dict(weights=(-1.0, 0.5, 2.0), elite_ratio=0.3, add_node=1.0)
COPIES = dict(add_node=0, add_connection=0, enable=0, delete_connection=0, delete_node=0)
"""With these only hidden nodes can change, so that the children of networks without any are copies."""
KEY = jax.random.key(7)


def config(islands, **changes):
    return wannjax.WannConfig(population=SIZE * islands, islands=islands, **{**COMMON, **changes})


def species(islands, **changes):
    settings = dict(species=3, initial_density=0.5, add_node=0.4, add_connection=0.3, migrate_every=2, migrants=3)
    return wannjax.NeatConfig(population=SIZE * islands, islands=islands, **{**settings, **changes})


def repr_of(settings):
    return f"{settings.name} {getattr(settings, 'selection', '')}"


def scores_of(number, generation):
    """Scores of an island, that depend on nothing else."""
    return np.random.default_rng((number, generation)).normal(size=(SIZE, WEIGHTS)).astype(np.float32)


def searched(algorithm, numbers, generations=GENERATIONS):
    """The states of a search that holds these islands."""
    states = [algorithm.init(KEY)]
    for generation in range(generations):
        told = np.concatenate([scores_of(number, generation) for number in numbers])
        states.append(algorithm.enlarge(algorithm.tell(states[-1], told)[0]))
    return states


def genes(state):
    return np.asarray(state.genomes.connections)


def test_an_island_is_a_search_by_itself_with_a_key_of_its_own():
    algorithm, island = config(3).algorithm(inputs=INPUTS, outputs=1), config(1).algorithm(inputs=INPUTS, outputs=1)
    state, several = island.init(jax.random.fold_in(KEY, 2)), searched(algorithm, range(3))
    for generation in range(GENERATIONS):
        state = island.enlarge(island.tell(state, scores_of(2, generation))[0])
        of_two = several[generation + 1][2]
        hidden = min(state.genomes.hidden, of_two.genomes.hidden)
        assert_same_bits(state.sizes, of_two.sizes)
        np.testing.assert_array_equal(genes(state)[:, : 1 + INPUTS + hidden, :hidden], genes(of_two)[:, : 1 + INPUTS + hidden, :hidden])


@pytest.mark.parametrize(
    "settings", [config(4), config(4, selection="tournament", complexity_probability=0.5), species(4, migrate_every=0)], ids=repr_of
)
def test_what_comes_of_an_island_does_not_depend_on_which_others_are_held(settings):
    whole = searched(settings.algorithm(inputs=INPUTS, outputs=1), range(4))
    for numbers in (range(2, 4), range(1)):
        algorithm = settings.algorithm(inputs=INPUTS, outputs=1, held=Held(numbers, lambda tree: tree))
        for all_, some in zip(whole, searched(algorithm, numbers), strict=True):
            assert list(some) == list(numbers)
            for number in numbers:
                assert_same_bits(all_[number].sizes, some[number].sizes)
                assert_same_bits(all_[number].key, some[number].key)


def test_islands_select_and_breed_each_by_itself_from_keys_that_differ():
    algorithm = config(3, **COPIES).algorithm(inputs=20, outputs=1)
    state = algorithm.init(KEY)
    means = np.random.default_rng(0).permutation(30).astype(np.float32) + np.repeat([0, 100, 200], SIZE).astype(np.float32)
    bred, info = algorithm.tell(state, np.repeat(means[:, None], WEIGHTS, axis=1))
    assert info.hidden.shape == (30,)
    for number in range(3):
        before, after = genes(state[number]).reshape(SIZE, -1), genes(bred[number]).reshape(SIZE, -1)
        drawn = (after[:, None] == before).all(axis=2)
        assert drawn.any(axis=1).all()
        best = np.argsort(-means[SIZE * number : SIZE * (number + 1)])
        assert drawn[[0, 1], best[:2]].all()  # 0.3 of the 8 that survive
        assert len(np.unique(after, axis=0)) > 1
    assert not (genes(state[0]) == genes(state[1])).all()


def test_networks_are_island_by_island():
    algorithm = config(2).algorithm(inputs=INPUTS, outputs=1)
    state = searched(algorithm, range(2))[-1]
    networks, island = algorithm.ask(state), config(1).algorithm(inputs=INPUTS, outputs=1)
    for number in range(2):
        alone = island.ask(state[number])
        assert_same_bits(jax.tree.map(lambda leaf, first=SIZE * number: leaf[first : first + SIZE], networks), alone)


def test_every_so_many_generations_the_best_take_the_last_places_of_the_next_island():
    still, moving = (config(3, migrate_every=every, migrants=2).algorithm(inputs=INPUTS, outputs=1) for every in (0, 2))
    state = moving.init(KEY)
    for generation in range(5):
        told = [scores_of(number, generation) for number in range(3)]
        told[1][4] = np.nan
        alone, _ = still.tell(state, np.concatenate(told))
        following, _ = moving.tell(state, np.concatenate(told))
        for number in range(3):
            expected = genes(alone[number]).copy()
            if generation % 2 == 1:
                before = (number - 1) % 3
                mean = np.where(np.isnan(told[before]).any(axis=1), -np.inf, told[before].astype(np.float64).mean(axis=1))
                expected[-2:] = genes(state[before])[np.argsort(-mean)[:2]]
            np.testing.assert_array_equal(genes(following[number]), expected)
            hidden, connections = np.asarray(following[number].genomes.activations)[:, :-1] != 0, expected == 1
            np.testing.assert_array_equal(following[number].sizes.hidden, hidden.sum(axis=1))
            np.testing.assert_array_equal(following[number].sizes.connections, connections.sum(axis=(1, 2)))
        state = moving.enlarge(following)


def test_all_islands_have_room_for_the_largest_genome_of_any():
    algorithm = config(3).algorithm(inputs=INPUTS, outputs=1)
    state = algorithm.init(KEY)
    assert algorithm.enlarge(state) is state
    sizes = state[1].sizes._replace(hidden=jnp.full(SIZE, state[1].genomes.hidden, jnp.int32))
    roomy = algorithm.enlarge({**state, 1: replace(state[1], sizes=sizes)})
    assert len({(part.genomes.hidden, part.steps) for part in roomy.values()}) == 1
    assert roomy[0].genomes.hidden > state[0].genomes.hidden


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(population=24, islands=5), "islands: must be a divisor of population=24 that leaves islands of at least 4 genomes, got 5"),
        (dict(population=24, islands=8), "islands: must be a divisor of population=24 that leaves islands of at least 4 genomes, got 8"),
        (dict(population=24, migrate_every=3), "migrate_every: must be 0 where there is one island, got 3"),
        (
            dict(population=24, islands=2, migrate_every=3, migrants=13),
            "migrants: must be at most 12, for which an island has places, got 13",
        ),
    ],
)
def test_settings_that_make_no_sense(changes, message):
    with pytest.raises(ValueError, match=message):
        wannjax.WannConfig(**changes)


def genes_of(state, place):
    """What a NEAT genome is, whatever its capacity: genes, and the identities of its hidden nodes."""
    markings, weights = np.asarray(state.genes.markings)[place], np.asarray(state.genes.weights)[place]
    ids = np.asarray(state.ids)[place]
    return tuple(sorted(zip(markings.tolist(), weights.tolist(), strict=True))), tuple(ids[ids > 0].tolist())


@pytest.fixture(scope="module")
def neat_generations():
    """Generations of NEAT on islands, each with the scores told, what came of it, and what had come without migration."""
    moving, still = (species(3, migrate_every=every).algorithm(inputs=INPUTS, outputs=1) for every in (2, 0))
    state, found = moving.init(KEY), []
    for generation in range(GENERATIONS):
        told = [scores_of(number, generation)[:, :1] for number in range(3)]
        following, alone = (algorithm.tell(state, np.concatenate(told))[0] for algorithm in (moving, still))
        found.append((told, state, following, alone))
        state = moving.enlarge(following)
    return found


@pytest.mark.slow
def test_the_best_of_species_move_with_their_genes(neat_generations):
    for generation, (told, state, following, alone) in enumerate(neat_generations):
        for number in range(3):
            before = (number - 1) % 3
            now, then = ([genes_of(states[number], place) for place in range(SIZE)] for states in (following, alone))
            if generation % 2 == 0:
                assert now == then
                continue
            changed = [place for place in range(SIZE) if now[place] != then[place]]
            best = np.argsort(-told[before][:, 0])[:3]
            assert {now[place] for place in changed} <= {genes_of(state[before], place) for place in best}
            assert all(genes_of(state[before], place) in now for place in best)
            homes = np.asarray(alone[number].species)
            firsts = {int(np.flatnonzero(homes == home)[0]) for home in homes}
            assert not firsts & set(changed) or len(firsts) > SIZE - 3


def test_species_go_on_after_a_migration(neat_generations):
    for _, _, following, _ in neat_generations:
        for state in following.values():
            homes, best = np.asarray(state.species), np.asarray(state.records.best)
            assert set(homes.tolist()) <= set(range(len(best) - 1))
            np.testing.assert_array_equal(state.sizes.connections, (np.asarray(state.genomes.connections) == 1).sum(axis=(1, 2)))


def test_no_two_islands_number_a_change_alike():
    states = searched(species(3, migrate_every=0).algorithm(inputs=INPUTS, outputs=1), range(3))
    at_start = set(np.asarray(states[0][0].genes.markings).ravel().tolist())
    new = [set(np.asarray(states[-1][number].genes.markings).ravel().tolist()) - at_start for number in range(3)]
    assert all(new)
    assert len(set.union(*new)) == sum(map(len, new))
    nodes = [set(np.asarray(states[-1][number].ids).ravel().tolist()) - {0} for number in range(3)]
    assert all(nodes)
    assert len(set.union(*nodes)) == sum(map(len, nodes))


def test_neat_refuses_what_makes_no_sense():
    with pytest.raises(ValueError, match="migrants: must be at most 6, for which an island has places, got 7"):
        wannjax.NeatConfig(population=24, islands=2, migrate_every=1, migrants=7)
    with pytest.raises(ValueError, match="migrate_every: must be 0 where there is one island, got 1"):
        wannjax.NeatConfig(migrate_every=1)
