"""Who is ahead in a race: the half of every island with the best places at any weight or by the mean, as a plain loop finds it."""

import jax
import numpy as np
import pytest
from marking import slow

import wannjax
from wannjax.search.racing import Race


def ahead_by_loops(scores, islands):
    """Ranks network against network, in float64."""
    size, found = len(scores) // islands, []
    for first in range(0, len(scores), size):
        cases = {}
        for i in range(first, first + size):
            row = np.append(scores[i], np.mean(scores[i])).astype(np.float64)
            cases[i] = row if np.isfinite(row).all() else np.full(len(row), -np.inf)

        def standing(i, cases=cases):
            better = [sum(other[case] > cases[i][case] for other in cases.values()) for case in range(len(cases[i]))]
            return min(better), -cases[i][-1], i

        found += sorted(sorted(cases, key=standing)[: (size + 1) // 2])
    return found


@pytest.mark.parametrize(("population", "weights", "islands"), [(4, 1, 1), (9, 3, 1), (24, 6, 1), (24, 6, 3), (20, 2, 4), (6, 2, 6)])
def test_the_half_that_is_ahead_is_that_of_a_plain_loop(population, weights, islands):
    rng = np.random.default_rng(population + islands)
    for spread in (3, 1000):  # with and without ties
        scores = rng.integers(spread, size=(population, weights)).astype(np.float32)
        scores[rng.random(scores.shape) < 0.1] = np.nan
        assert Race(1, islands).ahead(scores).tolist() == ahead_by_loops(scores, islands)


def test_who_is_best_at_one_weight_is_ahead_whatever_its_mean():
    scores = np.array([[5.0, 5.0], [6.0, 6.0], [9.0, -90.0], [4.0, 4.0]], np.float32)
    assert Race(1, 1).ahead(scores).tolist() == [1, 2]


COPIES = dict.fromkeys(("add_node", "add_connection", "enable", "delete_connection", "delete_node"), 0.0)
"""With these only hidden nodes can change, so that the children of networks without any are copies."""


@pytest.mark.parametrize("islands", [3, *slow(1)])
@pytest.mark.parametrize("settings", [{"cull_ratio": 0.0}, {"selection": "tournament", "cull_ratio": 0.0, "elite_ratio": 1.0}])
def test_only_networks_that_are_ahead_are_kept_and_have_children(settings, islands):
    config = wannjax.WannConfig(population=30, islands=islands, episodes=2, racing=1, initial_density=0.9, **settings, **COPIES)
    algorithm = config.algorithm(inputs=9, outputs=4)
    state = algorithm.init(jax.random.key(0))
    scores = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    ahead = algorithm.race.ahead(scores)
    told = np.full_like(scores, np.nan)
    told[ahead] = scores[ahead]

    def genes(state):
        parts = [state] if islands == 1 else state.values()
        return np.concatenate([np.asarray(part.genomes.connections) for part in parts]).reshape(30, -1)

    before, after = genes(state), genes(algorithm.tell(state, told)[0])
    assert len(np.unique(before, axis=0)) == 30
    same = (after[:, None] == before).all(axis=2)
    assert same.any(axis=1).all()
    assert set(np.flatnonzero(same.any(axis=0))) <= set(ahead)
    assert (np.argmax(same, axis=1) // (30 // islands) == np.arange(30) // (30 // islands)).all()
