"""Problems of time: what networks remember lives on from step to step, and begins at 0 in every episode and every sequence."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import networks_of
from host_support import BoatInJax, Boats
from marking import slow

import wannjax
from wannjax.networks.graph import Connection, Graph, network_of
from wannjax.problems.host_problem import HostProblem

KEY = jax.random.key(2)
WEIGHTS = (-1.0, 0.5, 1.0)
RNG = np.random.default_rng(0)
SHAPE = dict(ids=(1, 4, 5, 6, 8), density=0.25, recurrent=True)
TIME = 6


def random_genes(count, **shape):
    return [oracle.random_genes(RNG, nodes=int(RNG.integers(2, 8)), slots=8, **SHAPE | shape) for _ in range(count)]


def networks_for(genes):
    return networks_of(genes, 64, recurrent=True)


@pytest.mark.slow
def test_lanes_on_the_host_keep_their_memory_when_they_move_together():
    networks, gain = networks_for(random_genes(24, inputs=2, outputs=1)), jnp.linspace(-2.0, 2.0, 9)
    keys = jax.random.split(KEY, 9)
    host, in_jax = (problem.rollout(keys, networks, gain) for problem in (HostProblem(Boats()), wannjax.EnvironmentProblem(BoatInJax())))
    np.testing.assert_array_equal(host.steps, in_jax.steps)
    np.testing.assert_allclose(host.returns, in_jax.returns, rtol=1e-4, atol=1e-4)
    alive = [int((np.asarray(host.steps) > time).sum()) for time in range(30)]
    assert alive[0] > 64 > alive[-1] > 8, "they moved, and some went on"


def sequences(count, targets):
    x = RNG.normal(size=(count, TIME, 3)).astype(np.float32)
    return x, RNG.normal(size=(count, *targets)).astype(np.float32)


@pytest.mark.parametrize("sequences_as", ["all", *slow("last")])
def test_scores_of_sequences_are_those_of_the_genomes_step_by_step(sequences_as):
    x, y = sequences(50, (2,) if sequences_as == "last" else (TIME, 2))
    problem = wannjax.DataProblem(x, y, loss="mse", sequences=sequences_as, validation=0, batch=20)
    genes = random_genes(12)
    evaluation = problem.evaluate(KEY, networks_for(genes), jnp.array(WEIGHTS), episodes=100)
    for index, one in enumerate(genes):
        for w, weight in enumerate(WEIGHTS):
            outputs, _ = oracle.run_over_time(one, weight, x.swapaxes(0, 1))
            errors = (outputs.swapaxes(0, 1) - y) ** 2 if sequences_as == "all" else (outputs[-1] - y) ** 2
            np.testing.assert_allclose(evaluation.scores[index, w], -np.mean(errors), rtol=1e-4)
    assert np.all(np.asarray(evaluation.steps) == 50 * TIME)
    measured = problem.measure(jax.random.split(KEY, 2), networks_for(genes), jnp.array(WEIGHTS[:2]))
    outputs, _ = oracle.run_over_time(genes[0], WEIGHTS[0], x.swapaxes(0, 1))
    residual = (outputs.swapaxes(0, 1) if sequences_as == "all" else outputs[-1]) - y
    axes = tuple(range(y.ndim - 1))
    want = np.mean(1 - np.mean(residual**2, axis=axes) / np.var(y, axis=axes))
    np.testing.assert_allclose(measured[0, 0], want, rtol=1e-3)


def test_classes_of_every_time_step_are_scored():
    x = RNG.normal(size=(40, TIME, 1)).astype(np.float32)
    y = np.cumsum(x[:, :, 0] > 0, axis=1) % 2
    problem = wannjax.DataProblem(x, y, sequences="all", validation=0)
    never = network_of(Graph(("x",), ("even", "odd"), (1, 1), (Connection(0, 2),)))
    scored = problem.measure(KEY[None], jax.tree.map(lambda leaf: leaf[None], never), jnp.ones(1))
    np.testing.assert_allclose(scored, [[100 * np.mean(y == 0)]], rtol=1e-6)


def test_a_network_that_counts_solves_parity_of_any_length():
    """At the shared weight 1: s = |x - s'|, where s' is what s was in the last time step."""
    x = (RNG.random((200, 9, 1)) < 0.5).astype(np.float32)
    longer = (RNG.random((100, 33, 1)) < 0.5).astype(np.float32)
    parity = [np.sum(each[:, :, 0], axis=1).astype(int) % 2 for each in (x, longer)]
    problem = wannjax.DataProblem(x, parity[0], sequences="last", x_test=longer, y_test=parity[1])
    # Node 2 is -s', node 3 is s, which "odd" reads; node 4 is a sigmoid of nothing, 0.5, which "even" reads.
    connections = (Connection(3, 2), Connection(1, 3), Connection(2, 3), Connection(4, 5), Connection(3, 6))
    memory = network_of(Graph(("x",), ("even", "odd"), (7, 8, 6, 1, 1), connections))
    population = jax.tree.map(lambda leaf: leaf[None], memory)
    for split in ("train", "test"):
        accuracy = problem.split(split).measure(KEY[None], population, jnp.ones(1))
        np.testing.assert_allclose(accuracy, [[100.0]])


def test_memory_needs_time_and_is_refused_in_one_line_elsewhere():
    problem = wannjax.DataProblem(RNG.normal(size=(30, 3)), RNG.normal(size=(30, 2)), loss="mse")
    with pytest.raises(ValueError, match=r"^networks: must be feed-forward for data, which has no time steps"):
        problem.evaluate(KEY, networks_for(random_genes(12)), jnp.ones(1), episodes=1)
    for config in (wannjax.WannConfig(recurrent=True), wannjax.NeatConfig(recurrent=True)):
        with pytest.raises(ValueError, match=r"^recurrent: must be False for data, which has no time steps"):
            wannjax.evolve(problem, config, progress=False)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (dict(sequences="each"), 'sequences: must be None, "last" or "all", got'),
        (dict(sequences="last", x=np.zeros((30, 3))), r"x: must be sequences \[n, T, \.\.\.\], got"),
        (dict(sequences="all"), r"y: must be of shape \(30, 6\) and more, one target for each time step, got"),
    ],
    ids=str,
)
def test_what_is_no_sequence_is_named(settings, told):
    arguments = dict(x=np.zeros((30, TIME, 3)), y=np.arange(30) % 2) | settings
    with pytest.raises(ValueError, match=f"^{told}"):
        wannjax.DataProblem(arguments.pop("x"), arguments.pop("y"), **arguments)


@pytest.mark.slow
@pytest.mark.parametrize("sequences_as", ["last", "all"])
@pytest.mark.nightly
def test_weights_learn_through_time(sequences_as):
    """What came two time steps before, which two nodes hand on, at weights that training has to find."""
    x = RNG.normal(size=(300, TIME, 1)).astype(np.float32)
    y = np.roll(x, 2, axis=1)
    y[:, :2] = 0
    problem = wannjax.DataProblem(x, y if sequences_as == "all" else y[:, -1], loss="mse", sequences=sequences_as)
    hands_on = network_of(Graph(("x",), ("y",), (1, 1, 1, 1), (Connection(1, 4), Connection(4, 3), Connection(3, 2), Connection(2, 5))))
    tuned = wannjax.finetune(hands_on, problem, method="gradient", steps=300, starts=[0.5], progress=False)
    assert tuned.score > -1e-3


@pytest.mark.slow
@pytest.mark.nightly
def test_gradients_flow_through_dynamics_and_memory():
    problem = wannjax.make("CartPoleSwingUp-v0", max_steps=20)
    names = problem.input_names, problem.output_names
    loop = network_of(Graph(*names, (5, 5), (Connection(3, 6), Connection(6, 6), Connection(6, 7), Connection(2, 7))))
    tuned = wannjax.finetune(loop, problem, method=wannjax.Gradient(episodes=4), steps=20, starts=[0.3], progress=False)
    assert tuned.history["held_out_score"].max() > tuned.history["held_out_score"][0]


def test_what_takes_single_examples_says_so():
    x, y = sequences(30, (2,))
    problem = wannjax.DataProblem(x, y, loss="mse", sequences="last", outputs=2)
    network = network_of(Graph(("a", "b", "c"), ("y", "z"), (1, 1), (Connection(1, 4), Connection(2, 5))))
    with pytest.raises(ValueError, match=r"^problem: must be of single examples, and not of sequences"):
        wannjax.predictions(network, problem)
