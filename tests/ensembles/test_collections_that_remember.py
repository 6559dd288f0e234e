"""Collections of recurrent networks: each member remembers for itself, held to the float64 oracle step by step."""

from dataclasses import replace

import bridge
import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import assert_same_bits
from marking import slow

import wannjax
from wannjax.common.keys import Purpose
from wannjax.ensembles import Ensemble, Gate
from wannjax.networks.graph import Connection, Graph, graph_of, network_of

TIME, LANES, MEMBERS = 5, 4, 3
RNG = np.random.default_rng(9)
GENES = oracle.random_genes(RNG, nodes=6, ids=(1, 4, 5, 6), density=0.25, defects=0.0, recurrent=True)
MATRICES = RNG.normal(size=(MEMBERS, *GENES.connections.shape)).astype(np.float32)
NETWORKS = [bridge.network_of(GENES, 40, matrix, recurrent=True) for matrix in MATRICES]
WEIGHTS = jnp.asarray([graph_of(network).weights for network in NETWORKS], jnp.float32)
GATE = Gate(
    *(jnp.asarray(leaf, jnp.float32) for leaf in (RNG.normal(size=(3, 3)), RNG.normal(size=3), RNG.normal(size=3), [1.0, 2.0, 0.5]))
)
SEEN = RNG.normal(size=(TIME, LANES, 3)).astype(np.float32)
NETWORK = replace(NETWORKS[0], weights=None)


def said_by_numpy(rule, gate):
    """[T, B, O] of the collection at `SEEN`."""
    outputs = np.stack([oracle.run_over_time(GENES, matrix.astype(np.float64), SEEN)[0] for matrix in MATRICES])
    shares = np.full((MEMBERS, TIME, LANES, 1), 1 / MEMBERS)
    if gate is not None:
        weights, bias, centre, scale = (np.asarray(leaf, np.float64) for leaf in gate)
        shares = softmax((SEEN - centre) / scale @ weights.T + bias).transpose(2, 0, 1)[..., None]
    return np.log(np.sum(shares * softmax(outputs), axis=0)) if rule == "probabilities" else np.sum(shares * outputs, axis=0)


def softmax(x):
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def stepped(ensemble, state, observations):
    found = []
    for seen in observations:
        outputs, state = ensemble.step(state, seen)
        found.append(outputs)
    return np.stack(found)


@pytest.mark.parametrize(("rule", "gate"), [("outputs", GATE), *slow(("probabilities", None))])
def test_a_collection_steps_as_its_members_do_in_the_oracle(rule, gate, tmp_path):
    ensemble = Ensemble(NETWORK, WEIGHTS, rule, gate)
    want = said_by_numpy(rule, gate)
    np.testing.assert_allclose(stepped(ensemble, ensemble.initial_state(LANES), SEEN), want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(stepped(ensemble, ensemble.initial_state(), SEEN[:, 1]), want[:, 1], rtol=1e-4, atol=1e-5)
    ensemble.save(tmp_path / "flock.json")
    again = wannjax.load_ensemble(tmp_path / "flock.json")
    assert_same_bits(stepped(again, again.initial_state(LANES), SEEN), stepped(ensemble, ensemble.initial_state(LANES), SEEN))


def test_a_call_says_how_a_collection_with_memory_is_run():
    ensemble = Ensemble(NETWORK, WEIGHTS, "vote")
    with pytest.raises(ValueError, match=r"^ensemble: must be of feed-forward networks to be called; .*ensemble\.step\(state, x\)"):
        ensemble(SEEN[0])
    with pytest.raises(ValueError, match=r"^state: must be of shape \(4, 3, 3\), as ensemble\.initial_state gives it"):
        ensemble.step(ensemble.initial_state(), SEEN[0])


def test_memory_needs_time():
    problem = wannjax.DataProblem(SEEN[0], SEEN[1], loss="mse")
    with pytest.raises(ValueError, match=r"^networks: must be feed-forward for data, which has no time steps"):
        wannjax.ensemble(network_of(Graph(("a", "b", "c"), ("x", "y", "z"), (1,) * 4, (Connection(4, 4), Connection(4, 5)))), problem)


@pytest.mark.slow
@pytest.mark.parametrize("sequences", ["last", "all"])
def test_a_collection_is_scored_on_sequences_as_it_speaks_there(sequences):
    targets = RNG.normal(size=(LANES, TIME, 2) if sequences == "all" else (LANES, 2))
    problem = wannjax.DataProblem(SEEN.swapaxes(0, 1), targets, loss="mse", sequences=sequences, validation=0)
    said = said_by_numpy("outputs", GATE)
    errors = (said.swapaxes(0, 1) if sequences == "all" else said[-1]) - targets
    axes = tuple(range(targets.ndim - 1))
    want = np.mean(1 - np.mean(errors**2, axis=axes) / np.var(targets, axis=axes))
    assert Ensemble(NETWORK, WEIGHTS, "outputs", GATE).evaluate(problem).mean == pytest.approx(want, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mixture", "regions", "bagging", "vote"])
@pytest.mark.parametrize("sequences", ["last", "all"])
@pytest.mark.nightly
def test_collections_learn_on_sequences(kind, sequences):
    """Whether what came two time steps before was above 0."""
    x = np.random.default_rng(0).normal(size=(400, TIME, 1)).astype(np.float32)
    before = np.roll(x, 2, axis=1) * (np.arange(TIME) >= 2)[:, None]
    y = (before[:, :, 0] if sequences == "all" else before[:, -1, 0]) > 0
    problem = wannjax.DataProblem(x, y, sequences=sequences, batch=100)
    pairs = ((1, 4), (4, 3), (3, 2), (2, 5), (2, 6), (0, 5), (0, 6))
    hands_on = network_of(Graph(("x",), ("no", "yes"), (1,) * 5, tuple(Connection(*pair) for pair in pairs)))
    trained = wannjax.ensemble(hands_on, problem, members=2, kind=kind, steps=150, start=0.5, progress=False)
    if kind != "vote":
        assert trained.evaluate(problem).mean > 90
    else:
        assert trained.rule == "vote"
        assert 0 <= trained.evaluate(problem).mean <= 100


@pytest.mark.slow
def test_every_member_keeps_its_memory_in_a_rollout():
    problem = wannjax.make("CartPoleSwingUp-v0", max_steps=25)
    pairs = ((1, 6), (3, 6), (6, 6), (7, 6), (6, 7), (6, 8), (7, 8), (5, 8))
    network = network_of(Graph(problem.input_names, problem.output_names, (5, 1, 5), tuple(Connection(*pair) for pair in pairs)))
    gate = Gate(*(jnp.asarray(leaf, jnp.float32) for leaf in (RNG.normal(size=(2, 5)), [0.0, 0.5], np.zeros(5), np.ones(5))))
    flock = Ensemble(network, jnp.asarray(RNG.normal(size=(2, 8)), jnp.float32), "outputs", gate)
    keys = jax.random.split(jax.random.key(0), 2)
    for key, got in zip(keys, flock.returns(problem, keys), strict=True):
        observation, place = problem.environment.reset(jax.random.fold_in(key, Purpose.EPISODE_START), problem.params)
        state, total = flock.initial_state(), 0.0
        for time in range(25):
            outputs, state = flock.step(state, observation)
            after = problem.environment.step(jax.random.fold_in(key, time), place, np.clip(outputs, -1, 1), problem.params)
            observation, place, total = after.observation, after.state, total + float(after.reward)
        assert float(got) == pytest.approx(total, rel=1e-3)
    vote = wannjax.ensemble(network, problem, members=3, kind="vote", progress=False)
    assert np.isfinite(vote.evaluate(problem, episodes=2).mean)


@pytest.mark.slow
@pytest.mark.nightly
def test_members_of_regions_are_trained_with_their_memory():
    varied = wannjax.make("CartPoleSwingUp-v0", vary={"pole_length": (0.3, 0.9)}, max_steps=20)
    pairs = ((1, 6), (3, 6), (6, 6), (6, 7), (5, 7))
    network = network_of(Graph(varied.input_names, varied.output_names, (5, 5), tuple(Connection(*pair) for pair in pairs)))
    flock = wannjax.ensemble(network, varied, members=2, steps=1, progress=False)
    assert graph_of(flock.members[0]).recurrent
    assert np.isfinite(flock.evaluate(varied, episodes=3).mean)
