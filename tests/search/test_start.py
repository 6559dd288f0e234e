"""Searches that start from given networks: these are in the first population as they are, everything else in it is a child of theirs."""

import jax
import numpy as np
import oracle
import pytest
from bridge import network_of as network_of_genes
from marking import slow
from runs_support import same

import wannjax
from wannjax.networks.graph import Graph, graph_of, network_of
from wannjax.networks.network import take

FOREIGN = (3, 8)  # sine and cosine, which no search uses by default


def some_network(seed, weighted=False):
    """One without dead nodes, of 5 inputs and 2 outputs."""
    genes = oracle.random_genes(np.random.default_rng(seed), inputs=5, outputs=2, nodes=seed % 5, slots=9, ids=FOREIGN, defects=0.0)
    graph = graph_of(network_of_genes(genes, 64))
    rng = np.random.default_rng(seed)
    return network_of(graph.with_weights(rng.uniform(-2, 2, len(graph.connections)).astype(np.float32).tolist()) if weighted else graph)


def wiring(network):
    graph = graph_of(network)
    return graph.activations, tuple((each.source, each.target) for each in graph.connections)


def weights(network):
    return np.array(graph_of(network).weights)


def first_population(config, start):
    algorithm = config.algorithm(inputs=5, outputs=2, start=start)
    state = algorithm.init(jax.random.key(0))
    networks = jax.device_get(algorithm.ask(state))
    assert set(np.unique(networks.activations)) <= set(algorithm.activation_ids)
    return [take(networks, index) for index in range(config.population)]


@pytest.mark.parametrize("count", [3, *slow(1)])
def test_every_island_begins_with_the_given_networks_and_their_children(count):
    start = [some_network(seed) for seed in range(count)]
    population = first_population(wannjax.WannConfig(population=24, islands=2), start)
    for island in (population[:12], population[12:]):
        assert [wiring(network) for network in island[:count]] == [wiring(network) for network in start]
        assert any(wiring(child) != wiring(start[place % count]) for place, child in enumerate(island))
        for place, child in enumerate(island):
            parent = start[place % count]
            assert len(wiring(child)[1]) <= len(wiring(parent)[1]) + 1 + (len(wiring(child)[0]) > len(wiring(parent)[0]))


def test_neat_begins_with_their_weights():
    start = [some_network(3, weighted=True), some_network(4, weighted=True), some_network(7)]
    population = first_population(wannjax.NeatConfig(population=12), start)
    for given, found in zip(start, population, strict=False):
        assert wiring(found) == wiring(given)
    for given, found in zip(start[:2], population, strict=False):
        np.testing.assert_allclose(weights(found), weights(given), rtol=1e-6)
    assert np.all(weights(population[2]) == 1)
    child, parent = population[3], population[0]
    assert wiring(child) != wiring(parent) or np.any(weights(child) != weights(parent))


@pytest.mark.slow
@pytest.mark.parametrize("config", [wannjax.WannConfig, wannjax.NeatConfig])
@pytest.mark.nightly
def test_a_run_goes_on_from_a_checkpoint_without_being_given_them_again(tmp_path, config):
    settings = config(population=16, episodes=1, confirm_episodes=2, generations=4)
    problem = wannjax.FunctionProblem(lambda key, act: -(act(np.full(5, 0.3, np.float32)) ** 2).sum(), inputs=5, outputs=2)
    start = [some_network(8)]
    whole = wannjax.evolve(problem, settings, start=start, progress=False)
    wannjax.evolve(problem, settings, generations=2, start=start, progress=False, run_dir=tmp_path, save_every=0, finish=None)
    same(whole, wannjax.evolve(problem, settings, progress=False, run_dir=tmp_path, resume=True, finish=None))
    with pytest.raises(ValueError, match="start"):
        wannjax.evolve(problem, settings, start=[some_network(6)], progress=False, run_dir=tmp_path, resume=True, finish=None)


def test_what_cannot_be_a_start_is_refused_in_one_line():
    def evolve(start, **settings):
        return wannjax.evolve("CartPole-v1", wannjax.WannConfig(population=4, generations=1, **settings), start=start, progress=False)

    fits = network_of(Graph(("a", "b", "c", "d"), ("x", "y"), (1, 1), ()))
    with pytest.raises(ValueError, match=r"start: must be of 4 and 2, as the problem has, got .a network of 5 inputs and 2 outputs"):
        evolve(some_network(1))
    with pytest.raises(ValueError, match=r"start: must be at most 4, .*, got .5 networks"):
        evolve([fits] * 5)
    for wrong in ([], "champion.json", [1]):
        with pytest.raises(TypeError, match="start"):
            evolve(wrong)
    with pytest.raises(ValueError, match="start: must be of at most max_connections"):
        wannjax.WannConfig(population=4, max_connections=1).algorithm(inputs=5, outputs=2, start=[some_network(4)])
