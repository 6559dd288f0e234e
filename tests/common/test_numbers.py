"""Numbers of numpy and JAX stand wherever Python's do, and are kept as Python's; bools are no counts."""

import json
from dataclasses import asdict
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import wannjax
from wannjax.common.validation import plain, require_count, require_seed, require_weights
from wannjax.finetuning.training import _starts
from wannjax.networks.graph import Connection, Graph, network_of

KINDS = (np.int64, np.int8, np.uint32, np.array, jnp.int32)
X = np.linspace(-1, 1, 20)[:, None]


@pytest.fixture(scope="module")
def problem():
    numbers = {"batch": np.int64(8), "outputs": np.int32(2), "seed": np.uint8(1), "validation": np.float32(0.25)}
    return wannjax.DataProblem(X, X[:, 0] > 0, **numbers)


@pytest.mark.parametrize("kind", KINDS)
def test_whole_numbers_of_any_kind_are_ints(kind):
    assert type(require_seed(kind(3))) is int
    assert (require_seed(kind(3)), require_count("steps", kind(3))) == (3, 3)


@pytest.mark.parametrize("value", [True, np.bool_(True), jnp.bool_(True), 2.0, np.float32(2), "2", None, [2], 0, -1])
def test_what_is_no_count_is_refused(value):
    with pytest.raises(ValueError, match=r"^steps: must be an integer >= 1, got "):
        require_count("steps", value)


@pytest.mark.parametrize("weights", [np.linspace(-1, 1, 3), [-1, np.float64(0), 1.0], jnp.array([-1.0, 0, 1]), range(-1, 2)])
def test_weights_of_any_kind_are_a_tuple_of_floats(weights):
    assert require_weights(weights) == (-1.0, 0.0, 1.0)
    assert {*map(type, require_weights(weights))} == {float}


@pytest.mark.parametrize("weights", [(), np.zeros(0), 1.0, np.zeros((2, 2)), [np.nan], ["1"]])
def test_what_are_no_weights_is_refused(weights):
    with pytest.raises(ValueError, match=r"^weights: must be finite and not empty, got "):
        require_weights(weights)


def test_settings_are_kept_as_plain_values():
    config = wannjax.WannConfig(
        population=np.int64(8), weights=np.linspace(-1, 1, 4), elite_ratio=np.float64(0.25), activations=np.array(["tanh", "sin"])
    )
    same = wannjax.WannConfig(population=8, weights=tuple(np.linspace(-1, 1, 4).tolist()), elite_ratio=0.25, activations=("tanh", "sin"))
    assert config == same
    assert json.dumps(asdict(config)) == json.dumps(asdict(same))
    assert wannjax.EvolutionStrategy(population=jnp.int32(8), deviation=np.float32(0.5)) == wannjax.EvolutionStrategy(
        population=8, deviation=0.5
    )


def test_bools_are_no_counts_in_settings():
    with pytest.raises(ValueError, match="population: must be an integer >= 4"):
        wannjax.WannConfig(population=np.bool_(True))


def test_a_run_and_what_follows_it_take_them(problem):
    result = wannjax.evolve(problem, wannjax.WannConfig(population=8), generations=np.int64(1), seed=np.int64(3), progress=False)
    assert json.dumps(result.seed) == "3"
    network = result.champion
    report = wannjax.evaluate(network, problem, episodes=np.int64(2), seed=jnp.int32(1), weights=np.linspace(-1, 1, 2))
    assert [*report.per_weight] == [-1.0, 1.0]
    curve = wannjax.weight_curve(network, problem, weights=np.array([1, -1]), episodes=np.uint8(2), seed=np.int64(0))
    assert curve.weights.tolist() == [-1.0, 1.0]
    smaller = wannjax.prune(network, problem, tolerance=np.float32(0.5), weights=np.array([1.0]), episodes=np.int64(1))
    assert smaller.tolerance == 0.5


def test_a_collection_takes_them(problem):
    network = network_of(Graph(("x",), ("no", "yes"), (1, 1), (Connection(1, 2), Connection(0, 3))))
    collection = wannjax.ensemble(network, problem, members=np.int64(2), kind="vote", start=np.float32(1.0), seed=np.int64(1))
    assert collection.size == 2
    assert collection.evaluate(problem, episodes=np.int64(1), seed=jnp.int32(0)).episodes == 1


def test_several_seeds_may_be_an_array(problem):
    many = wannjax.evolve_many(problem, wannjax.WannConfig(population=8), seeds=np.arange(2), generations=1, progress=False)
    assert many.seeds == (0, 1)
    assert {*map(type, many.seeds)} == {int}


@pytest.mark.parametrize("starts", [np.int64(2), jnp.int32(2)])
def test_a_number_of_random_starts_may_be_of_any_kind(starts):
    graph = SimpleNamespace(connections=(None,) * 3, has_weights=False)
    weights, names = _starts(graph, starts, jax.random.key(0), raced=True)
    assert (weights.shape, names) == ((2, 3), ["random", "random"])


def test_sizes_of_environments_may_be_of_any_kind(problem):
    problem = wannjax.make(
        "CartPoleSwingUp-v0", max_steps=np.int64(5), vary={"pole_length": np.array([0.3, 0.7])}, network_chunk=np.int64(4)
    )
    assert (type(problem.max_steps), type(problem.network_chunk)) == (int, int)


def test_an_environments_own_numbers_may_be_of_any_kind(tmp_path):
    class Own(wannjax.Environment):
        name, inputs, actions, max_steps = "own", np.int64(1), wannjax.Discrete(np.int64(2)), np.int64(3)

        def reset(self, key, params):
            return jnp.zeros(1, jnp.float32), jnp.int32(0)

        def step(self, key, state, action, params):
            return wannjax.Transition(jnp.zeros(1, jnp.float32), state + 1, jnp.float32(1), state > 1, jnp.bool_(False))

    problem = wannjax.EnvironmentProblem(Own())
    assert [*map(type, (problem.max_steps, problem.inputs, problem.outputs))] == [int] * 3
    wannjax.evolve(problem, wannjax.WannConfig(population=8), generations=1, progress=False, run_dir=tmp_path, finish=None)


def test_sizes_may_be_of_any_kind():
    problem = wannjax.FunctionProblem(lambda key, network: network(jnp.ones(1))[0], inputs=np.int64(1), outputs=np.int32(1))
    assert (type(problem.inputs), type(problem.outputs)) == (int, int)
    gymnax = wannjax.make("CartPole-v1", max_steps=np.int64(20))
    assert (gymnax.max_steps, type(gymnax.max_steps)) == (20, int)
    assert wannjax.MultiBinary(np.int64(2)) == wannjax.MultiBinary(2)
    with pytest.raises(ValueError, match="max_steps: must be an integer >= 1, or known from the environment's parameters, got True"):
        wannjax.make("CartPole-v1", max_steps=True)


def test_plain_leaves_all_else_alone():
    block = wannjax.Block(("tanh", "sin"), ((0, 1),))
    assert plain((block, "a", None)) == (block, "a", None)
