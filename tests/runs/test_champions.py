"""The champions of a run: who is a candidate, what confirmation keeps, how the champion grew, and what a checkpoint holds of it."""

import jax
import numpy as np
import oracle
import pytest
from bridge import networks_of

from wannjax.networks.network import connection_count, enlarge, signature, take
from wannjax.runs.champions import ARCHIVE, Champions
from wannjax.runs.past_champions import KEPT, Stage
from wannjax.search.ranking import means

STEPS = 20
RNG = np.random.default_rng(0)
GENES = [oracle.random_genes(RNG, nodes=nodes, slots=6, defects=0.0) for nodes in range(7) for _ in range(3)]


@pytest.fixture(scope="module")
def networks():
    """With different numbers of connections, and no two the same."""
    population = jax.device_get(networks_of(GENES, STEPS))
    assert len({signature(take(population, i)) for i in range(len(GENES))}) == len(GENES)
    return population


def confirmed(networks, rows, generation=1, champions=None):
    """Champions after the networks at the keys of `rows` were scored."""
    champions = champions or Champions()
    champions.confirm(generation, take(networks, np.array(list(rows))), np.array(list(rows.values()), np.float32))
    return champions


def names_of(champions):
    return [signature(member.network) for member in champions.archive]


def named(networks, *indices):
    return [signature(take(networks, i)) for i in indices]


def same_champions(left, right):
    assert names_of(left) == names_of(right)
    for a, b in zip(left.archive, right.archive, strict=True):
        np.testing.assert_array_equal(a.scores, b.scores, strict=True)
        assert a.rounds == b.rounds
    assert [(s.generation, signature(s.network), s.score) for s in left.growth] == [
        (s.generation, signature(s.network), s.score) for s in right.growth
    ]


def test_nobody_is_champion_at_first():
    champions = Champions()
    assert np.isnan(champions.standing[0])
    assert champions.standing[1] == 0


def test_the_best_are_kept_the_best_first(networks):
    champions = confirmed(networks, {i: [float(i), 0.0] for i in range(ARCHIVE + 3)})
    assert names_of(champions) == named(networks, *range(ARCHIVE + 2, 2, -1))
    assert champions.standing == ((ARCHIVE + 2) / 2, connection_count(take(networks, ARCHIVE + 2)))


def test_of_equals_the_one_with_fewer_connections_is_better(networks):
    counts = [connection_count(take(networks, i)) for i in range(len(GENES))]
    small, large = int(np.argmin(counts)), int(np.argmax(counts))
    for rows in ({small: [1.0], large: [1.0]}, {large: [1.0], small: [1.0]}):
        assert names_of(confirmed(networks, rows)) == named(networks, small, large)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 1e31])
def test_what_is_not_finite_is_not_kept(networks, poison):
    assert names_of(confirmed(networks, {0: [1.0, poison], 1: [0.0, 0.0]})) == named(networks, 1)
    assert confirmed(networks, {0: [poison, 1.0]}).archive == []
    assert confirmed(networks, {0: [poison, 1.0]}).growth == []


def test_a_network_that_comes_again_has_the_mean_of_all_rounds(networks):
    champions = Champions()
    rounds = RNG.normal(size=(4, 3)).astype(np.float32)
    for generation, row in enumerate(rounds, start=1):
        confirmed(networks, {5: row}, generation, champions)
    (member,) = champions.archive
    assert member.rounds == 4
    np.testing.assert_allclose(member.scores, rounds.mean(axis=0), rtol=1e-5)


def test_a_network_is_the_same_on_a_longer_tape(networks):
    champions = confirmed(networks, {5: [1.0]})
    confirmed(enlarge(networks, 2 * STEPS), {5: [2.0]}, 2, champions)
    (member,) = champions.archive
    assert (member.mean, member.rounds) == (1.5, 2)
    assert len(champions.growth) == 1


def test_a_network_twice_among_the_candidates_was_scored_twice(networks):
    champions = Champions()
    champions.confirm(1, take(networks, np.array([4, 4])), np.array([[1.0], [4.0]], np.float32))
    assert [(member.mean, member.rounds) for member in champions.archive] == [(2.5, 2)]


def test_luck_does_not_last(networks):
    champions = confirmed(networks, {1: [10.0], 2: [6.0]})
    assert names_of(champions) == named(networks, 1, 2)
    confirmed(networks, {1: [0.0]}, 2, champions)
    assert names_of(champions) == named(networks, 2, 1)


CONNECTIONS = np.array([5, 3, 4, 9])
LEADING = np.array([[1.0, 1.0], [2.0, 4.0], [3.0, 3.0], [np.nan, 100.0]])


def test_the_best_of_a_generation_are_promising_where_nobody_is_champion():
    assert Champions().promising(means(LEADING), CONNECTIONS, 3).tolist() == [1, 2, 0]
    assert Champions().promising(means(LEADING), CONNECTIONS, 1).tolist() == [1]


def test_nobody_is_promising_without_a_finite_score():
    assert Champions().promising(np.full(4, -np.inf), CONNECTIONS, 2) is None


@pytest.mark.parametrize(
    ("champion", "more", "promises"),
    [(2.9, 50, True), (3.1, -1, False), (3.0, -1, True), (3.0, 0, False), (3.0, 1, False)],
)
def test_who_promises_more_than_the_champion_is_promising(networks, champion, more, promises):
    """A better mean score, or fewer connections for the same."""
    champions = confirmed(networks, {0: [champion, champion]})
    connections = np.array([1, champions.standing[1] + more])
    leaders = champions.promising(np.array([0.0, 3.0]), connections, 2)
    assert (leaders is not None) == promises


def test_growth_has_every_new_champion_once(networks):
    champions = Champions()
    for generation, (index, score) in enumerate([(1, 1.0), (2, 0.5), (1, 1.0), (3, 2.0), (3, 2.0), (4, 3.0)], start=1):
        confirmed(networks, {index: [score]}, generation, champions)
    assert [(stage.generation, stage.score) for stage in champions.growth] == [(1, 1.0), (4, 2.0), (6, 3.0)]
    assert [signature(stage.network) for stage in champions.growth] == named(networks, 1, 3, 4)


def test_growth_is_thinned_and_keeps_its_ends(networks):
    champions = Champions()
    for generation in range(1, 3 * KEPT):
        confirmed(networks, {generation % len(GENES): [float(generation**2)]}, generation, champions)
    at = [stage.generation for stage in champions.growth]
    assert (len(at), at[0], at[-1]) == (KEPT, 1, 3 * KEPT - 1)
    assert at == sorted(at)


def test_growth_gets_names(networks):
    champions = confirmed(networks, {1: [1.0]})
    (stage,) = champions.named_growth({"input_names": ("a", "b", "c"), "output_names": ("x", "y")})
    assert (stage.network.input_names, stage.network.output_names) == (("a", "b", "c"), ("x", "y"))
    assert champions.growth[0].network.input_names == ()


def test_champions_are_settled_on_equal_terms(networks):
    champions = confirmed(networks, {1: [9.0, 9.0], 2: [8.0, 8.0]})
    scores = np.array([[0.0, 0.0], [5.0, 7.0], [np.nan, 1.0], [1.0, 1.0]], np.float32)
    population = take(networks, np.array([10, 11, 12, 13]))
    connections = np.array([connection_count(take(population, i)) for i in range(4)])
    finalists = champions.finalists(population, scores, connections)
    names = [signature(take(finalists, i)) for i in range(len(finalists.activations))]
    assert names[:2] == named(networks, 1, 2)
    assert named(networks, 11)[0] in names
    assert named(networks, 12)[0] not in names
    fresh = np.array([[1.0, 1.0], [2.0, 2.0], *[[0.5, 0.5]] * (len(names) - 2)], np.float32)
    champion, front = champions.settle(finalists, fresh, {"input_names": ("a", "b", "c")})
    assert signature(champion.network) == names[1]
    assert champion.network.input_names == ("a", "b", "c")
    assert {signature(member.network) for member in front} <= set(names[2:])
    with pytest.raises(ValueError, match="gave no finite score to any network of the final comparison"):
        champions.settle(finalists, np.full(fresh.shape, np.nan), {})


# In a checkpoint


@pytest.fixture
def champions(networks):
    """Of several rounds, on tapes of different lengths."""
    champions = Champions()
    for generation in range(1, 7):
        rows = {generation: [float(generation), 0.5], 0: [0.5 - generation, 0.0]}
        confirmed(enlarge(networks, STEPS + 2 * generation), rows, generation, champions)
    return champions


def test_champions_come_back(networks, champions):
    template = take(networks, np.arange(1))
    again = Champions.restored(champions.arrays(), template)
    same_champions(again, champions)
    for each in (champions, again):
        confirmed(networks, {0: [7.0, 8.0], 9: [5.0, 6.0]}, 9, each)
    same_champions(again, champions)


def test_where_there_are_none_there_are_none_again(networks):
    assert Champions().arrays() == {}
    again = Champions.restored({}, take(networks, np.arange(1)))
    assert (again.archive, again.growth) == ([], [])


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("archive.rounds", lambda array: array[:-1], "of as many entries in each"),
        ("archive.rounds", lambda array: array.astype(np.float32), "an array of type int64"),
        ("archive.network.sources", lambda array: array + 1000, "of networks that can run"),
        ("growth.network.activations", lambda array: array + 77, "of networks that can run"),
        ("growth.generations", lambda array: array[:-1], "of as many entries in each"),
        ("growth.network.steps", lambda array: array[:, None], "an array of type int32 with 1 axes"),
    ],
)
def test_damaged_champions_are_refused(networks, champions, name, change, message):
    arrays = champions.arrays()
    arrays[name] = change(arrays[name])
    with pytest.raises(ValueError, match=f"checkpoint: must be {message}"):
        Champions.restored(arrays, take(networks, np.arange(1)))


def test_too_many_champions_are_refused(networks):
    champions = confirmed(networks, {1: [1.0]})
    champions.growth = [Stage(i + 1, take(networks, i % 7), float(i)) for i in range(KEPT + 1)]
    with pytest.raises(ValueError, match=f"checkpoint: must be of at most {KEPT} champions"):
        Champions.restored(champions.arrays(), take(networks, np.arange(1)))
