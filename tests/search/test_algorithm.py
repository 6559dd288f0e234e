"""The contract of searches: what `init`, `ask`, `tell` and `enlarge` promise whoever drives them, WANN and NEAT alike."""

from dataclasses import replace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from bridge import assert_same_bits
from saved_run import OfTapes

import wannjax
from wannjax.networks.activations import SUM
from wannjax.networks.network import tape_of
from wannjax.networks.tape import forward, initial_values
from wannjax.runs import run_directory
from wannjax.runs.records import Record
from wannjax.search.algorithm import Info

POPULATION, INPUTS, OUTPUTS = 24, 3, 2
COMMON = {"population": POPULATION, "generations": 3, "episodes": 1, "confirm_episodes": 1, "output_activation": "linear"}
CONFIGS = {
    "wann": wannjax.WannConfig(**COMMON),
    "neat": wannjax.NeatConfig(**COMMON, species=3, initial_density=0.5, add_node=0.4, add_connection=0.3),
}
GENERATIONS = 5


class Step:
    """A generation: the state, its networks, the scores that were told, and what came of it."""

    def __init__(self, algorithm, state, scores):
        self.state, self.scores = state, scores
        self.networks = algorithm.ask(state)
        self.following, self.info = algorithm.tell(state, scores)
        self.enlarged = algorithm.enlarge(self.following)


@pytest.fixture(scope="module", params=CONFIGS)
def config(request):
    return CONFIGS[request.param]


@pytest.fixture(scope="module")
def algorithm(config):
    return config.algorithm(inputs=INPUTS, outputs=OUTPUTS)


@pytest.fixture(scope="module")
def steps(config, algorithm):
    """Generations of a search by random scores that favour the large."""
    rng, steps = np.random.default_rng(0), []
    state = algorithm.init(jax.random.key(0))
    for _ in range(GENERATIONS):
        size = np.asarray(state.sizes.hidden)[:, None]
        scores = (size + rng.random((POPULATION, len(config.weights)))).astype(np.float32)
        steps.append(Step(algorithm, state, scores))
        state = steps[-1].enlarged
    return steps


def test_a_key_gives_one_beginning(algorithm):
    first, again, other = (algorithm.init(jax.random.key(seed)) for seed in (3, 3, 4))
    assert_same_bits(first, again)
    assert np.any(np.asarray(first.genomes.connections) != np.asarray(other.genomes.connections))
    assert int(first.generation) == 0


def test_it_asks_for_a_population_of_networks_that_can_run(algorithm, steps):
    for step in steps:
        networks = step.networks
        chex.assert_equal_shape_prefix([networks.sources, networks.activations, networks.steps], 1)
        assert networks.activations.shape == (POPULATION, step.state.steps + OUTPUTS)
        assert (networks.inputs, networks.outputs) == (INPUTS, OUTPUTS)
        assert np.all(np.asarray(networks.steps) <= step.state.steps)
        assert set(np.unique(networks.activations).tolist()) <= {0, SUM, *algorithm.activation_ids}


def test_the_same_state_asks_for_the_same(algorithm, steps):
    assert_same_bits(algorithm.ask(steps[2].state), steps[2].networks)


def test_telling_is_a_function(algorithm, steps):
    following, info = algorithm.tell(steps[2].state, steps[2].scores)
    assert_same_bits((following, info), (steps[2].following, steps[2].info))
    for other in (jnp.asarray(steps[2].scores), steps[2].scores):
        assert_same_bits(algorithm.tell(steps[2].state, other)[1], info)


def test_telling_keeps_shapes(steps):
    """So that one program serves all generations between two enlargements."""
    for step in steps:
        chex.assert_trees_all_equal_shapes_and_dtypes(step.following, step.state)
        assert int(step.following.generation) == int(step.state.generation) + 1


def test_the_info_is_of_the_genomes_that_were_scored(steps):
    for step in steps:
        assert isinstance(step.info, Info)
        genomes = jax.device_get(step.state.genomes)
        hidden, slots = genomes.activations[:, : genomes.hidden], genomes.connections
        np.testing.assert_array_equal(step.info.hidden, np.count_nonzero(hidden, axis=1))
        np.testing.assert_array_equal(step.info.connections, np.count_nonzero(slots == 1, axis=(1, 2)))
        chex.assert_shape((step.info.hidden, step.info.connections), (POPULATION,))
        chex.assert_type((step.info.hidden, step.info.connections), jnp.int32)
        for figure in step.info.figures.values():
            chex.assert_shape(figure, ())
    assert np.any(np.asarray(steps[-1].info.hidden) > np.asarray(steps[0].info.hidden))


def test_figures_are_those_of_the_search(config, steps):
    for step in steps:
        assert set(step.info.figures) == ({"species", "threshold"} if config.name == "neat" else set())
        if config.name == "neat":
            assert int(step.info.figures["species"]) == len(np.unique(step.state.species))
            assert float(step.info.figures["threshold"]) == float(step.state.threshold)


def test_enlarging_changes_nothing_but_room(algorithm, steps):
    observations = np.random.default_rng(1).normal(size=(INPUTS, 1, 5)).astype(np.float32)

    def outputs(networks):
        tape = tape_of(networks)
        shown = jnp.tile(observations, (1, POPULATION, 1))
        return forward(tape, initial_values(tape, 5), shown, jnp.full(5, 0.7), activation_ids=algorithm.activation_ids)[1]

    state = steps[-1].following
    assert algorithm.enlarge(state) is state
    full = jnp.full(POPULATION, state.genomes.hidden), jnp.full(POPULATION, state.steps)
    for hidden, length in [full, (state.sizes.hidden, full[1])]:  # as if genomes filled what there is
        claimed = replace(state, sizes=state.sizes._replace(hidden=hidden, steps=length))
        roomy = algorithm.enlarge(claimed)
        assert roomy.steps > state.steps
        assert roomy.genomes.hidden > state.genomes.hidden or hidden is not full[0]
        assert_same_bits((roomy.sizes, roomy.generation), (claimed.sizes, claimed.generation))
        assert_same_bits(outputs(algorithm.ask(roomy)), outputs(algorithm.ask(state)))


def test_there_is_always_room_for_a_generation(steps):
    for step in steps:
        assert np.max(step.following.sizes.hidden) <= step.state.genomes.hidden
        assert np.max(step.following.sizes.steps) <= step.state.steps


@pytest.mark.parametrize("shape", [(POPULATION - 1, 1), (POPULATION,), (POPULATION, 1, 1)], ids=str)
def test_scores_of_another_shape_are_refused(algorithm, steps, shape):
    with pytest.raises(ValueError, match=rf"scores: must be of shape \[{POPULATION}, number of shared weights\], got"):
        algorithm.tell(steps[0].state, np.zeros(shape, np.float32))


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.nightly
def test_figures_go_on_record(name, tmp_path):
    problem = OfTapes()
    problem.outputs, problem.output_names = OUTPUTS, ("y", "z")  # so that the programs are those of the other tests
    result = wannjax.evolve(problem, CONFIGS[name], progress=False, run_dir=tmp_path)
    figures = ["species", "threshold"] if name == "neat" else []
    assert list(result.history) == [*Record._fields, *figures]
    written = run_directory.read_history(tmp_path / run_directory.HISTORY, Record)
    assert list(written) == list(result.history)
    for column in written:
        np.testing.assert_allclose(written[column], result.history[column])
    if figures:
        assert np.all(result.history["species"] >= 1)
        assert np.all(result.history["threshold"] > 0)
    again = wannjax.evolve(problem, CONFIGS[name].replace(generations=4), progress=False, run_dir=tmp_path, resume=True)
    assert list(again.history) == list(result.history)
    for figure in figures:
        np.testing.assert_array_equal(again.history[figure][:3], result.history[figure])
    assert {column.dtype.kind for column in again.history.values()} <= {"i", "f"}
