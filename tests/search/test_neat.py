"""NEAT as a whole: what holds of every population along a search, and that its networks are networks like any other."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import assert_same_bits, genes_of, genome_of
from genomes_support import assert_well_formed
from marking import slow

import wannjax
from benchmarks import neat_evidence
from wannjax.genomes.expression import express
from wannjax.genomes.operators import ADD_CONNECTION, ADD_NODE, DELETE_CONNECTION, DELETE_NODE, changed
from wannjax.networks.graph import graph_of
from wannjax.runs.run_directory import saved_search
from wannjax.search.neat.genes import EMPTY, first_genes, weight_matrix
from wannjax.search.neat.reproduction import ends_of, first_number, followed, numbered

CONFIG = wannjax.NeatConfig(
    population=40,
    generations=6,
    episodes=1,
    confirm_episodes=1,
    candidates=2,
    species=3,
    threshold=1.0,
    add_node=0.25,
    add_connection=0.25,
    enable=0.1,
    disable=0.1,
    delete_connection=0.1,
    delete_node=0.05,
    change_activation=0.1,
    activations=("tanh", "relu"),
)
"""Many changes, of every kind. All tests use it with two inputs and outputs: compiled once."""
INPUTS, OUTPUTS = 2, 2
LINEAR = CONFIG.replace(output_activation="linear")
ALGORITHM = LINEAR.algorithm(inputs=INPUTS, outputs=OUTPUTS)


@pytest.fixture(scope="module", params=[False, *slow(True)], ids=["feed-forward", "recurrent"])
def recurrent(request):
    return request.param


@pytest.fixture(scope="module")
def algorithm(recurrent):
    return LINEAR.replace(recurrent=recurrent).algorithm(inputs=INPUTS, outputs=OUTPUTS)


@pytest.fixture(scope="module")
def lineage(algorithm):
    """The states of a search by random scores, and the scores that led from each to the next."""
    rng = np.random.default_rng(0)
    states, scores = [algorithm.init(jax.random.key(0))], []
    for _ in range(9):
        scores.append(rng.gamma(2.0, size=(CONFIG.population, 1)).astype(np.float32))
        states.append(algorithm.enlarge(algorithm.tell(states[-1], scores[-1])[0]))
    return [jax.device_get(replace(state, key=None)) for state in states], scores


def described(state) -> list[dict]:
    """Every genome as marking → (source, target, weight, gene)."""
    found = []
    hidden, genes = state.ids.shape[1], np.asarray(state.genomes.connections)
    for i in range(CONFIG.population):
        markings, rows, columns, weights = (leaf[i] for leaf in state.genes)
        genome = {}
        for m, row, column, weight in zip(markings.tolist(), rows.tolist(), columns.tolist(), weights.tolist(), strict=True):
            if m != EMPTY:
                source = row if row <= INPUTS else int(state.ids[i, row - 1 - INPUTS])
                target = 1 + INPUTS + column - hidden if column >= hidden else int(state.ids[i, column])
                genome[m] = (source, target, weight, int(genes[i, row, column]))
        found.append(genome)
    return found


def test_a_marking_means_the_same_connection_in_every_genome_and_generation(lineage):
    states, _ = lineage
    meaning: dict[int, tuple[int, int]] = {}
    for state in states:
        for genome in described(state):
            for marking, (source, target, *_) in genome.items():
                assert meaning.setdefault(marking, (source, target)) == (source, target)
    assert len(meaning) > 100


def test_lists_are_sorted_and_hold_exactly_the_connections_of_the_matrix(lineage):
    for state in lineage[0]:
        connections = np.asarray(state.genomes.connections)
        for i in range(CONFIG.population):
            markings = state.genes.markings[i]
            used = markings != EMPTY
            assert np.all(np.diff(markings[used]) > 0)
            assert not np.any(used[np.sum(used) :])
            cells = set(zip(state.genes.rows[i][used].tolist(), state.genes.columns[i][used].tolist(), strict=True))
            assert cells == set(map(tuple, np.argwhere(connections[i] != 0).tolist()))
            assert np.all(state.genes.weights[i][~used] == 0)


def test_every_genome_is_well_formed_and_every_node_has_an_identity(lineage, recurrent):
    remembering = 0
    for state in lineage[0]:
        for i in range(CONFIG.population):
            genes = genes_of(jax.tree.map(lambda leaf, i=i: leaf[i], state.genomes))
            assert_well_formed(genes, recurrent=recurrent)
            remembering += bool(np.any(np.tril(genes.connections[1 + INPUTS :, : genes.slots])))
            ids = state.ids[i]
            assert np.all((ids > 0) == (genes.activations[: genes.slots] > 0))
            assert len(set(ids[ids > 0].tolist())) == genes.nodes
    assert (remembering > 20) == recurrent


def test_a_child_has_its_genes_from_one_genome_but_for_one_change(lineage):
    states, _ = lineage
    changes = set()
    for before, after in pairwise(states):
        parents = [set(genome) for genome in described(before)]
        for child in described(after):
            new = {marking for marking in child if marking >= 2 * int(before.number)}
            old = set(child) - new
            fewest = min(len(parent - old) for parent in parents if old <= parent)
            assert len(new) in (0, 1, 2)
            assert not (new and fewest), "one change either adds genes or loses some"
            changes.add((len(new), fewest > 0))
            assert max(new, default=0) < 2 * int(after.number)
    assert changes == {(0, False), (0, True), (1, False), (2, False)}


def test_a_matching_gene_has_the_weight_of_either_parent_or_a_mutated_one(lineage):
    """Where weights did not mutate, every weight of a child is one that some genome had under this marking."""
    states, _ = lineage
    unchanged = 0
    for before, after in pairwise(states):
        known: dict[int, set[float]] = {}
        for genome in described(before):
            for marking, (*_, weight, _) in genome.items():
                known.setdefault(marking, set()).add(weight)
        for child in described(after):
            old = {marking: gene[2] for marking, gene in child.items() if marking in known}
            kept = [weight in known[marking] for marking, weight in old.items()]
            assert all(kept) or sum(kept) < max(3, 0.5 * len(kept)), "all weights mutate, or none"
            unchanged += all(kept)
    assert 0.1 < unchanged / (len(states[1:]) * CONFIG.population) < 0.5


def test_the_best_of_a_large_species_stays_as_it_is(lineage):
    states, all_scores = lineage
    kept = 0
    for before, after, scores in zip(states, states[1:], all_scores, strict=False):
        children = described(after)
        for species in np.unique(before.species):
            members = np.flatnonzero(before.species == species)
            best = described(before)[members[np.argmax(scores[members, 0])]]
            best_overall = scores[members].max() == scores.max()
            if len(members) >= CONFIG.elite_size and best_overall:  # which always has children
                assert best in children
                kept += 1
    assert kept >= 3


def test_sizes_species_and_capacities_fit(lineage):
    for state in lineage[0]:
        assert state.genomes.activations.shape[0] == CONFIG.population
        np.testing.assert_array_equal(state.sizes.connections, np.sum(state.genomes.connections == 1, axis=(1, 2)))
        whole = np.abs(state.genomes.connections)
        for i in range(0, CONFIG.population, 7):
            genes = oracle.Genes(whole[i], state.genomes.activations[i], INPUTS, OUTPUTS)
            assert oracle.tape_steps(genes) <= state.sizes.steps[i] < state.steps
        assert np.all((state.species >= 0) & (state.species < 2 * CONFIG.species))
        assert np.max(np.sum(state.genes.markings != EMPTY, axis=1)) + 2 <= state.genes.markings.shape[1]


def test_networks_compute_what_genomes_and_weights_say(lineage, algorithm):
    state = lineage[0][-1]
    networks = algorithm.ask(replace(state, key=jax.random.key(0)))
    observations = np.random.default_rng(1).normal(size=(4, 5, INPUTS)).astype(np.float32)
    for i in range(0, CONFIG.population, 5):
        genome, genes = (jax.tree.map(lambda leaf, i=i: leaf[i], tree) for tree in (state.genomes, state.genes))
        matrix = np.zeros(genome.connections.shape)
        used = genes.markings != EMPTY
        matrix[genes.rows[used], genes.columns[used]] = genes.weights[used]
        network = jax.tree.map(lambda leaf, i=i: leaf[i], networks)
        memory = network.initial_state(5)
        for seen, wanted, error in zip(observations, *oracle.run_over_time(genes_of(genome), matrix, observations), strict=True):
            outputs, memory = network.step(memory, seen)
            assert np.all(np.abs(outputs - wanted) <= error + 1e-6)


def test_genomes_without_a_usable_score_have_no_children(lineage, algorithm):
    before = lineage[0][-1]
    scores = np.full((CONFIG.population, 1), np.nan, np.float32)
    scores[7], scores[11], scores[12] = -3.0, np.inf, 1e31
    after = jax.device_get(replace(algorithm.tell(replace(before, key=jax.random.key(1)), scores)[0], key=None))
    parent = set(described(before)[7])
    for child in described(after):
        assert {marking for marking in child if marking < 2 * int(before.number)} <= parent


def test_a_search_that_runs_out_of_numbers_says_so(lineage):
    state = replace(lineage[0][0], number=np.int32(2**30 - 5), key=jax.random.key(0))
    with pytest.raises(ValueError, match=r"^generations: must be so few that historical markings fit 31 bits"):
        ALGORITHM.enlarge(state)


def beginning():
    """A genome with one hidden node: genome, genes, identities."""
    connections = np.zeros((1 + INPUTS + 4, 4 + OUTPUTS), np.int8)
    connections[:3, 4:] = 1
    genome = genome_of(oracle.Genes(connections, np.array([0, 0, 0, 0, 5, 1], np.int8), INPUTS, OUTPUTS))
    genes = first_genes(jnp.linspace(-1, 1, 6).reshape(3, 2), 4, 16)
    return genome, genes, jnp.zeros(4, jnp.int32)


@pytest.fixture(scope="module")
def alter():
    """A function that applies an operator, with its bookkeeping."""

    def one(genome, genes, ids, operator, draws, number, keep):
        genome, change = changed(genome, operator, draws, (1,), keep=keep)
        source, target = ends_of(ids, change.row, change.column, INPUTS)
        genes, ids = followed(genes, ids, change, INPUTS, 0.5, keep=keep, deletes=True)
        genes, ids = numbered(genes, ids, change, number, INPUTS, OUTPUTS)
        return genome, genes, ids, (source, target), express(genome, 16, weight_matrix(genome, genes))

    return jax.jit(one, static_argnums=6)


@pytest.mark.parametrize("keep", [False, *slow(True)])
def test_splitting_connections_keeps_the_function(alter, keep):
    """With `keep` for any activation, else for a linear one."""
    rng, number = np.random.default_rng(0), first_number(INPUTS, OUTPUTS)
    genome, genes, ids = beginning()
    observations = rng.normal(size=(20, INPUTS)).astype(np.float32)
    outputs = None
    for step in range(4):
        genome, genes, ids, ends, network = alter(genome, genes, ids, ADD_NODE, jnp.array(rng.random(4), jnp.float32), number + step, keep)
        before, outputs = outputs, np.asarray(network(observations))
        if before is not None:
            np.testing.assert_allclose(outputs, before, atol=1e-5)
        split = weight_matrix(genome, genes)[np.asarray(genes.rows), np.asarray(genes.columns)]
        np.testing.assert_allclose(split[6 + 2 * step], 1.0)
        assert int(genes.markings[6 + 2 * step]) == 2 * (number + step)
        assert {int(end) for end in ends} & {0, 1, 2, 3, 4}
    assert int(jnp.sum(genome.connections == -1)) == (0 if keep else 4)


def test_added_and_deleted_connections_and_nodes_are_in_the_list_too(alter):
    rng, number = np.random.default_rng(3), first_number(INPUTS, OUTPUTS)
    genome, genes, ids = beginning()
    for step, operator in enumerate([ADD_NODE, ADD_NODE, DELETE_CONNECTION, ADD_CONNECTION, DELETE_NODE, ADD_NODE, DELETE_CONNECTION]):
        draws = jnp.array(rng.random(4), jnp.float32)
        genome, genes, ids, *_ = alter(genome, genes, ids, operator, draws, number + step, True)
        used = np.asarray(genes.markings) != EMPTY
        cells = list(zip(np.asarray(genes.rows)[used].tolist(), np.asarray(genes.columns)[used].tolist(), strict=True))
        assert sorted(cells) == list(map(tuple, np.argwhere(np.asarray(genome.connections) != 0).tolist()))
        assert np.all((np.asarray(ids) > 0) == (np.asarray(genome.activations[:4]) > 0))
        assert np.all(np.diff(np.asarray(genes.markings)[used]) > 0)


def problem():
    x = np.random.default_rng(0).normal(size=(80, INPUTS))
    return wannjax.DataProblem(x, x[:, 0] * x[:, 1] > 0, name="signs")


def search(directory=None, **options):
    return wannjax.evolve(problem(), CONFIG, seed=5, progress=False, run_dir=directory, save_every=0.0, **options)


def outcome(result):
    times = {"seconds", "rollout_seconds"}
    history = {name: column.tolist() for name, column in result.history.items() if name not in times}
    return graph_of(result.champion), [graph_of(network) for network in result.front], result.champion_scores.tolist(), history


@pytest.fixture(scope="module")
def found():
    return search()


def test_the_same_seed_finds_the_same(found):
    assert outcome(search()) == outcome(found)


def test_a_champion_has_weights_of_its_own_and_learns(found):
    assert found.champion.weights is not None
    assert found.champion_scores.shape == (1,)
    assert found.history["champion_score"][-1] > found.history["median_score"][0]


@pytest.mark.slow
@pytest.mark.nightly
def test_a_resumed_search_is_the_same_search(found, tmp_path):
    assert search(tmp_path, callbacks=[lambda record: record.generation == 3]).interrupted
    name, config, seed = saved_search(tmp_path)
    assert (name, config.population, seed) == ("signs", CONFIG.population, 5)
    assert isinstance(config, wannjax.NeatConfig)
    assert outcome(search(tmp_path, resume=True)) == outcome(found)
    document = json.loads((tmp_path / "config.json").read_text())
    assert document["algorithm"] == "neat"
    assert document["config"]["split"] == "exact"
    assert graph_of(wannjax.load(tmp_path / "champion.json")) == graph_of(found.champion)
    assert [graph_of(network) for network in wannjax.load_front(tmp_path / "front.json")] == outcome(found)[1]
    with pytest.raises(ValueError, match="run_dir: must be of a run with config"):
        wannjax.evolve(problem(), wannjax.WannConfig(population=40), seed=5, progress=False, run_dir=tmp_path, resume=True)


@pytest.mark.parametrize("name", ["champion.json", "champion.out"])
def test_it_is_saved_and_loaded(found, name, tmp_path):
    wannjax.save(tmp_path / name, found.champion)
    again = wannjax.load(tmp_path / name, inputs=INPUTS, outputs=OUTPUTS)
    kept = [connection for connection in graph_of(found.champion).connections if name != "champion.out" or connection.weight != 0]
    assert list(graph_of(again).connections) == kept
    x = np.random.default_rng(2).normal(size=(4, INPUTS))
    np.testing.assert_allclose(again(x), found.champion(x), rtol=1e-6)


@pytest.mark.nightly
def test_it_is_evaluated_drawn_trained_and_joined(found, tmp_path):
    signs = problem()
    report = wannjax.evaluate(found.champion, signs, episodes=2)
    assert report.tuned_weights is not None
    from wannjax.pictures.drawing import draw

    draw(found.champion, tmp_path / "drawing.png")
    assert (tmp_path / "drawing.png").stat().st_size > 1000
    tuned = wannjax.finetune(found.champion, signs, steps=3, progress=False)
    assert tuned.start == "own"
    flock = wannjax.ensemble(tuned.network, signs, members=2, steps=2, progress=False)
    assert flock(np.zeros((3, INPUTS))).shape == (3, OUTPUTS)


@pytest.mark.nightly
def test_populations_of_every_size_stay_so():
    for population in (4, 7):
        algorithm = wannjax.NeatConfig(population=population, species=2).algorithm(inputs=1, outputs=1)
        state, _ = algorithm.tell(algorithm.init(jax.random.key(0)), jnp.zeros((population, 1)))
        assert state.species.shape == (population,)


def test_scores_of_the_wrong_shape_are_refused():
    with pytest.raises(ValueError, match=r"scores: must be of shape \[40, number of shared weights\], got \(39, 1\)"):
        ALGORITHM.tell(ALGORITHM.init(jax.random.key(0)), jnp.zeros((39, 1)))


def test_the_first_population_is_reproducible():
    first, second = (ALGORITHM.init(jax.random.key(3)) for _ in range(2))
    assert_same_bits(first, second)


@pytest.mark.slow
def test_xor_scores_are_the_papers_fitness():
    task = wannjax.FunctionProblem(neat_evidence.fitness, inputs=2, outputs=1, stochastic=False)
    one_output = wannjax.NeatConfig(population=6).algorithm(inputs=2, outputs=1)
    networks = one_output.ask(one_output.init(jax.random.key(0)))
    scores = task.evaluate(jax.random.key(0), networks, jnp.ones(1), episodes=1).scores
    for i in range(6):
        answers = np.asarray(jax.tree.map(lambda leaf, i=i: leaf[i], networks)(neat_evidence.CASES))[:, 0]
        np.testing.assert_allclose(scores[i, 0], (4 - np.abs(answers - [0, 1, 1, 0]).sum()) ** 2, rtol=1e-5)


@pytest.mark.nightly
def test_xor_is_solved():
    assert all(neat_evidence.xor(seed, "small")["evaluations"] for seed in range(3))


DEVICES = """
import sys, jax
jax.config.update("jax_num_cpu_devices", int(sys.argv[1]))
import wannjax
problem = wannjax.make("CartPoleSwingUp-v0", max_steps=120)
config = wannjax.NeatConfig(population=37, generations=6, episodes=3, confirm_episodes=5, add_node=0.3)
result = wannjax.evolve(problem, config, seed=4, progress=False)
print(result.champion)
for values in (result.champion_scores, result.front_scores, result.history["mean_score"], result.history["median_score"]):
    print([float(value).hex() for value in values.ravel()])
"""


@pytest.mark.nightly
def test_the_number_of_devices_changes_nothing():
    runs = [
        subprocess.run([sys.executable, "-c", DEVICES, str(n)], capture_output=True, text=True, cwd=Path(__file__).parent) for n in (1, 2)
    ]
    assert runs[0].returncode == 0, runs[0].stderr
    assert runs[0].stdout == runs[1].stdout
