"""Collections: what they say together against numpy, their files, and that training makes them better than one copy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from as_threads import in_processes
from bridge import assert_same_bits
from flax import struct

import wannjax
from wannjax.common.keys import Purpose
from wannjax.ensembles import Ensemble, Gate
from wannjax.ensembles.data_training import DataTraining
from wannjax.ensembles.environment_training import gate_by_returns
from wannjax.ensembles.gated import GatedEnvironment
from wannjax.networks.graph import Connection, Graph, graph_of, network_of
from wannjax.problems.data import DataProblem
from wannjax.problems.environment_problem import EnvironmentProblem
from wannjax.problems.environments.varied import varied
from wannjax.problems.registry import make_environment

RNG = np.random.default_rng(0)


def small_network(inputs=3, outputs=2):
    """Bias and inputs to a tanh node and to the outputs, the node to the outputs."""
    hidden = 1 + inputs
    targets = range(hidden + 1, hidden + 1 + outputs)
    connections = [Connection(source, hidden) for source in range(hidden)]
    connections += [Connection(source, target) for target in targets for source in (*range(hidden), hidden)]
    names = tuple(f"x{i}" for i in range(inputs)), tuple(f"y{i}" for i in range(outputs))
    return network_of(Graph(*names, (5,) + (1,) * outputs, tuple(connections)))


NETWORK = small_network()
WEIGHTS = jnp.asarray(RNG.normal(size=(3, len(graph_of(NETWORK).connections))), jnp.float32)
GATE = Gate(
    *(jnp.asarray(leaf, jnp.float32) for leaf in (RNG.normal(size=(3, 3)), RNG.normal(size=3), RNG.normal(size=3), [1.0, 2.0, 0.5]))
)
BATCH = RNG.normal(size=(7, 3)).astype(np.float32)


def softmax(x):
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def spoken(ensemble, batch):
    """The members' outputs [M, B, O] and their shares [M, B], in numpy."""
    outputs = np.stack([np.asarray(member(batch), np.float64) for member in ensemble.members])
    if ensemble.gate is None:
        return outputs, np.full(outputs.shape[:2], 1 / len(outputs))
    gate = [np.asarray(leaf, np.float64) for leaf in ensemble.gate]
    return outputs, softmax((batch - gate[2]) / gate[3] @ gate[0].T + gate[1]).T


@pytest.mark.parametrize("gate", [None, GATE], ids=["equal shares", "gate"])
def test_probabilities_are_mixed(gate):
    ensemble = Ensemble(NETWORK, WEIGHTS, "probabilities", gate)
    outputs, shares = spoken(ensemble, BATCH)
    want = np.log(np.sum(shares[..., None] * softmax(outputs), axis=0))
    np.testing.assert_allclose(ensemble(BATCH), want, atol=1e-5)


@pytest.mark.parametrize("gate", [None, GATE], ids=["equal shares", "gate"])
def test_outputs_are_mixed(gate):
    ensemble = Ensemble(NETWORK, WEIGHTS, "outputs", gate)
    outputs, shares = spoken(ensemble, BATCH)
    np.testing.assert_allclose(ensemble(BATCH), np.sum(shares[..., None] * outputs, axis=0), atol=1e-5)


def test_votes_are_counted():
    ensemble = Ensemble(NETWORK, WEIGHTS, "vote")
    outputs, _ = spoken(ensemble, BATCH)
    want = np.stack([np.mean(np.argmax(outputs, axis=-1) == i, axis=0) for i in range(2)], axis=1)
    np.testing.assert_allclose(ensemble(BATCH), want, atol=1e-6)


def test_one_observation_is_a_batch_of_one():
    ensemble = Ensemble(NETWORK, WEIGHTS, "probabilities", GATE)
    np.testing.assert_allclose(ensemble(BATCH[0]), ensemble(BATCH)[0], atol=1e-6)


@pytest.mark.parametrize("gate", [None, GATE], ids=["equal shares", "gate"])
def test_a_collection_survives_its_file(gate, tmp_path):
    ensemble = Ensemble(NETWORK, WEIGHTS, "probabilities", gate)
    ensemble.save(tmp_path / "flock.json")
    loaded = wannjax.load_ensemble(tmp_path / "flock.json")
    np.testing.assert_array_equal(loaded.weights, ensemble.weights)
    np.testing.assert_array_equal(loaded(BATCH), ensemble(BATCH))
    assert loaded.rule == ensemble.rule


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"format": "wannjax network"}', '{"format": "wannjax ensemble", "version": 1, "members": []}', "\x00"],
)
def test_a_file_that_is_no_collection_is_one_line(text, tmp_path):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"x\.json: not a wannjax ensemble") as error:
        wannjax.load_ensemble(path)
    assert "\n" not in str(error.value)


def test_a_damaged_gate_is_refused(tmp_path):
    path = tmp_path / "x.json"
    Ensemble(NETWORK, WEIGHTS, "outputs", GATE).save(path)
    path.write_text(path.read_text().replace('"bias": [', '"bias": [1.0, '))
    with pytest.raises(ValueError, match=r"x\.json: not a wannjax ensemble: gate: must be of 3 members"):
        wannjax.load_ensemble(path)


@pytest.fixture(scope="module")
def rings():
    """Two classes that one straight cut cannot tell apart: the sign that matters changes with the first input."""
    x = np.random.default_rng(3).normal(size=(600, 2))
    return DataProblem(x, np.where(x[:, 0] > 0, x[:, 1] > 0, x[:, 1] <= 0), batch=64)


@pytest.fixture(scope="module")
def straight():
    """Bias and inputs to both outputs: a linear classifier."""
    connections = tuple(Connection(source, target) for target in (3, 4) for source in (0, 1, 2))
    return network_of(Graph(("a", "b"), ("no", "yes"), (1, 1), connections))


@pytest.mark.slow
@pytest.mark.nightly
def test_a_collection_solves_what_one_copy_cannot(rings, straight):
    single = wannjax.finetune(straight, rings, steps=150, progress=False)
    alone = wannjax.evaluate(single.network, rings, episodes=2).tuned_weights.mean
    together = wannjax.ensemble(straight, rings, members=4, steps=300, optimizer=optax.adam(0.05), progress=False).evaluate(rings).mean
    assert alone < 70
    assert together > 85


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mixture", "regions", "bagging"])
@pytest.mark.nightly
def test_training_repeats_by_seed(rings, straight, kind):
    one, same = (wannjax.ensemble(straight, rings, members=2, kind=kind, steps=3, seed=5, progress=False) for _ in range(2))
    np.testing.assert_array_equal(one.weights, same.weights)
    other = wannjax.ensemble(straight, rings, members=2, kind=kind, steps=3, seed=6, progress=False)
    assert not np.array_equal(one.weights, other.weights)


@pytest.mark.slow
def test_checks_stand_every_so_often_and_at_the_end_but_not_at_the_start(rings, straight):
    seen = []
    train = partial(wannjax.ensemble, straight, rings, members=2, kind="bagging", progress=False)
    train(steps=51, callbacks=[seen.append])
    assert [record.step for record in seen] == [*range(2, 51, 2), 51]
    assert all(np.isnan(record.training_score) for record in seen)
    seen.clear()
    train(steps=51, callbacks=[seen.append, lambda record: record.step >= 4])
    assert [record.step for record in seen] == [2, 4]


def test_the_training_of_a_collection_goes_on_from_its_state(rings, straight):
    weights = np.full((2, 6), 0.5, np.float32)
    whole, first, second = (DataTraining(straight, rings, weights, "mixture", None, 4, 0) for _ in range(3))
    for _ in range(4):
        whole.advance()
    for _ in range(2):
        first.advance()
    second.number, second.params, second.state = first.number, first.params, first.state
    for _ in range(2):
        second.advance()
    assert second.number == whole.number == 4
    assert_same_bits((second.params, second.state), (whole.params, whole.state))
    assert second.record(last=True).held_out_score == whole.record(last=True).held_out_score
    assert_same_bits(second.best, whole.params)


def test_a_vote_is_among_shared_weights_of_both_signs(rings, straight):
    flock = wannjax.ensemble(straight, rings, members=5, kind="vote", progress=False)
    shared = np.asarray(flock.weights)
    assert np.all(shared == shared[:, :1])
    assert 0 not in shared
    assert shared.min() < 0 < shared.max() == 2.0
    assert flock.rule == "vote"


def test_the_gate_of_returns_gives_each_context_to_who_is_best():
    seen = jnp.linspace(-1, 1, 50)[:, None]
    returns = jnp.stack([-seen[:, 0], seen[:, 0]])
    gate = gate_by_returns(seen, returns, jnp.zeros(1), jnp.ones(1))
    np.testing.assert_array_equal(np.argmax(gate.log_shares(seen), axis=1), np.asarray(seen[:, 0] > 0))


@pytest.mark.slow
@pytest.mark.nightly
def test_several_processes_train_a_collection_as_one_does():
    problem = make_environment("CartPoleSwingUp-v0", vary={"pole_length": (0.3, 0.9)}, max_steps=20)
    points = DataProblem(np.random.default_rng(0).normal(size=(40, 5)), np.arange(40) % 2)
    for task, outputs in ((problem, 1), (points, 2)):
        train = partial(wannjax.ensemble, small_network(5, outputs), task, members=2, steps=2, seed=0, progress=False)
        alone = train()
        for found in in_processes(2, lambda _, train=train: train()):
            np.testing.assert_array_equal(found.weights, alone.weights)


@pytest.mark.nightly
@pytest.mark.parametrize("told", [True, False])
def test_a_collection_acts_in_a_varied_environment(told):
    problem = make_environment("CartPoleSwingUp-v0", vary={"pole_length": (0.3, 0.9)}, max_steps=30)
    network = small_network(5, 1)
    flock = wannjax.ensemble(network, problem, members=2, steps=1, told=told, seed=0, progress=False)
    assert flock.context_names == (("pole_length",) if told else ())
    keys = jax.random.split(jax.random.key(0), 3)
    returns = flock.returns(problem, keys)
    contexts = problem.contexts(keys, problem.params)
    for i, key in enumerate(keys):
        observation, state = problem.environment.reset(jax.random.fold_in(key, Purpose.EPISODE_START), problem.params)
        total = 0.0
        for time in range(30):
            action = np.clip(flock(observation, contexts[i] if told else None), -1, 1)
            after = problem.environment.step(jax.random.fold_in(key, time), state, action, problem.params)
            observation, state, total = after.observation, after.state, total + float(after.reward)
            if after.ended:
                break
        np.testing.assert_allclose(returns[i], total, rtol=1e-3)
    if not told:
        return
    with pytest.raises(ValueError, match="problem: must be one that varies pole_length, got 'CartPoleSwingUp-v0, which varies nothing'"):
        flock.evaluate(make_environment("CartPoleSwingUp-v0"))
    with pytest.raises(ValueError, match="context: must be given: pole_length"):
        flock(observation)


def test_an_environment_of_shares_scores_what_the_collection_does():
    problem = make_environment("CartPoleSwingUp-v0", vary={"pole_length": (0.3, 0.9)}, max_steps=50)
    network, rng = small_network(5, 1), np.random.default_rng(5)
    weights = jnp.asarray(rng.normal(size=(3, len(graph_of(network).connections))), jnp.float32)
    gate = Gate(*(jnp.asarray(leaf, jnp.float32) for leaf in (rng.normal(size=(3, 5)), rng.normal(size=3), np.zeros(5), np.ones(5))))
    layer = network_of(
        Graph(
            tuple("abcde"),
            ("u", "v", "w"),
            (1, 1, 1),
            tuple(
                Connection(source, 6 + member, float(gate.bias[member] if source == 0 else gate.weights[member, source - 1]))
                for member in range(3)
                for source in range(6)
            ),
        )
    )
    own = np.reshape(graph_of(layer).weights, (3, 6))  # in the order in which an evolved gate is read
    np.testing.assert_allclose(own, np.column_stack([gate.bias, gate.weights]), rtol=1e-6)
    keys = jax.random.split(jax.random.key(1), 6)
    shares = EnvironmentProblem(GatedEnvironment(problem.environment, network, weights))
    found = shares.rollout(keys, jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], layer), jnp.ones(6)).returns[0]
    expected = Ensemble(network, weights, "outputs", gate).returns(problem, keys)
    assert float(jnp.std(expected)) > 0
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@struct.dataclass
class Sign:
    sign: float = 1.0


class Follow(wannjax.Environment):
    """Eight steps that pay for an action of the sign which the first part of an observation shows, in another size every time."""

    name, inputs, actions, max_steps, params = "follow", 2, wannjax.Box(-1.0, 1.0), 8, Sign()

    def reset(self, key, params):
        size = jax.random.uniform(key, minval=0.5, maxval=1.5)
        return jnp.stack([jnp.sign(params.sign) * size, 1.0]), size

    def step(self, key, state, action, params):
        seen = jnp.stack([jnp.sign(params.sign) * state, 1.0])
        return wannjax.Transition(seen, state, jnp.sign(params.sign) * action, jnp.bool_(False), jnp.bool_(False))


@pytest.mark.slow
@pytest.mark.parametrize("told", [True, False])
def test_a_gate_finds_out_who_is_right_from_what_it_sees(told):
    problem = EnvironmentProblem(varied(Follow(), {"sign": (-1.0, 1.0)}))
    blind = network_of(Graph(("seen", "one"), ("action",), (5,), (Connection(2, 3),)))  # each member says one thing only
    alone = wannjax.finetune(blind, problem, method="evolution", steps=20, progress=False)
    together = wannjax.ensemble(blind, problem, members=2, steps=20, told=told, progress=False)
    assert together.evaluate(problem).mean > 6
    assert wannjax.evaluate(alone.network, problem).tuned_weights.mean < 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"told": 1}, "told: must be True or False, got 1"),
        ({"told": False}, "told: must be True for mixture on data, got False"),
        ({"members": 1}, "members: must be an integer >= 2, got 1"),
        ({"kind": "choir"}, "kind: must be one of mixture, regions, bagging, vote, got 'choir'"),
        ({"steps": 0}, "steps: must be an integer >= 1, got 0"),
        ({"seed": -1}, "seed: must be an integer from 0"),
        ({"start": float("nan")}, "start: must be None or a finite weight, got nan"),
    ],
)
def test_a_bad_argument_is_named(rings, straight, arguments, message):
    with pytest.raises(ValueError, match=message):
        wannjax.ensemble(straight, rings, progress=False, **arguments)


def test_kinds_that_do_not_suit_are_refused(straight):
    with pytest.raises(ValueError, match="kind: must be vote, or regions of an environment that varies, got 'mixture for CartPole-v1'"):
        wannjax.ensemble(small_network(4, 2), make_environment("CartPole-v1"), kind="mixture", progress=False)


def test_a_collection_for_another_problem_is_refused(rings):
    with pytest.raises(ValueError, match="networks: must be of 2 inputs and 2 outputs, as data needs"):
        Ensemble(NETWORK, WEIGHTS, "vote").evaluate(rings)
