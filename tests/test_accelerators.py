"""Every compiled entry point of a run lowers for CUDA and TPU, in the form that accelerators get, without a call to the host."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import wannjax
from wannjax.common import devices
from wannjax.genomes.genome import enlarge
from wannjax.networks import gradients, network

CONFIG = wannjax.WannConfig(population=16)
ALGORITHM = CONFIG.algorithm(inputs=5, outputs=1)
SLOW = pytest.mark.slow


@pytest.fixture(autouse=True)
def _as_on_an_accelerator(monkeypatch):
    monkeypatch.setattr(devices, "on_cpu", lambda: False)


def lowered(function, *arguments) -> str:
    exported = jax.export.export(jax.jit(function), platforms=["cuda", "tpu"])(*arguments)
    return exported.mlir_module()


@pytest.fixture(scope="module")
def state():
    return ALGORITHM.init(jax.random.key(0))


def test_the_search_lowers(state):
    scores = jnp.zeros((16, 6))
    for function, arguments in {
        ALGORITHM.ask: (state,),
        ALGORITHM.tell: (state, scores),
        (lambda genomes: enlarge(genomes, 64)): (state.genomes,),
    }.items():
        assert "callback" not in lowered(function, *arguments)


def test_a_search_with_blocks_lowers():
    blocks = (wannjax.Block(("tanh", "step"), ((0, 1),)), wannjax.Block(("sin", "abs", "cos"), ((0, 2), (1, 2))))
    algorithm = CONFIG.replace(blocks=blocks, insert_block=0.1).algorithm(inputs=5, outputs=1)
    state = algorithm.init(jax.random.key(0))
    assert "callback" not in lowered(algorithm.tell, state, jnp.zeros((16, 6)))


def test_neat_lowers():
    config = wannjax.NeatConfig(population=16, delete_node=0.01, delete_connection=0.01)
    algorithm = config.algorithm(inputs=5, outputs=1)
    state = algorithm.init(jax.random.key(0))
    assert "callback" not in lowered(algorithm.ask, state)
    assert "callback" not in lowered(algorithm.tell, state, jnp.zeros((16, 1)))
    problem = wannjax.make("CartPoleSwingUp-v0")
    networks = algorithm.ask(state)

    def evaluate(key, networks, params):
        return problem.with_params(params).evaluate(key, networks, jnp.ones(1), episodes=2, activation_ids=algorithm.activation_ids)

    assert "callback" not in lowered(evaluate, jax.random.key(0), networks, problem.params)


@pytest.mark.parametrize(
    "name",
    ["CartPoleSwingUp-v0", "CartPole-v1", *(pytest.param(n, marks=SLOW) for n in ("Breakout-MinAtar", "Pendulum-v1", "DoublePole-v0"))],
)
def test_evaluation_lowers(name):
    problem = wannjax.make(name)
    algorithm = CONFIG.algorithm(inputs=problem.inputs, outputs=problem.outputs)
    networks = algorithm.ask(algorithm.init(jax.random.key(0)))

    def evaluate(key, networks, weights, params):
        return problem.with_params(params).evaluate(key, networks, weights, episodes=2, activation_ids=algorithm.activation_ids)

    text = lowered(evaluate, jax.random.key(0), networks, jnp.array(CONFIG.weights), problem.params)
    assert "callback" not in text


def test_rollouts_with_individual_weights_lower(state):
    problem = wannjax.make("CartPoleSwingUp-v0")
    networks = ALGORITHM.ask(state)
    weighted = network.Network(networks.sources, networks.activations, networks.steps, jnp.ones((*networks.sources.shape, 4)), 5, 1)
    keys = jax.random.split(jax.random.key(0), 4)

    def rollout(keys, networks, gain, params):
        return problem.with_params(params).rollout(keys, networks, gain, activation_ids=network.ALL_ACTIVATIONS)

    assert "callback" not in lowered(rollout, keys, weighted, jnp.ones(4), problem.params)


def test_a_single_call_lowers(state):
    one = network.take(ALGORITHM.ask(state), 0)
    assert "callback" not in lowered(network._call, one, jnp.zeros((7, 5)), jnp.float32(1.0))


def data_problem():
    x = np.random.default_rng(0).normal(size=(60, 5))
    return wannjax.DataProblem(x, np.stack([x[:, 0] > 0, x[:, 0] <= 0], axis=1), batch=8)


def test_evaluation_on_data_lowers():
    problem = data_problem()
    algorithm = CONFIG.algorithm(inputs=5, outputs=2)
    networks = algorithm.ask(algorithm.init(jax.random.key(0)))

    def evaluate(key, networks, weights, examples):
        return problem._evaluate(key, networks, weights, examples, count=16, activation_ids=algorithm.activation_ids)

    assert "callback" not in lowered(evaluate, jax.random.key(0), networks, jnp.array(CONFIG.weights), problem.examples)


def test_the_metric_of_data_with_individual_weights_lowers():
    problem = data_problem()
    algorithm = CONFIG.algorithm(inputs=5, outputs=2)
    networks = algorithm.ask(algorithm.init(jax.random.key(0)))
    weighted = network.Network(networks.sources, networks.activations, networks.steps, jnp.ones(networks.sources.shape), 5, 2)

    def metric(networks, examples):
        return problem._measure(networks, jnp.ones(1), examples, activation_ids=network.ALL_ACTIVATIONS)

    assert "callback" not in lowered(metric, weighted, problem.examples)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("data", wannjax.Gradient()),
        pytest.param("data", wannjax.EvolutionStrategy(pairs=2), marks=SLOW),
        ("CartPoleSwingUp-v0", wannjax.Gradient()),
        pytest.param("CartPoleSwingUp-v0", wannjax.PolicyGradient(), marks=SLOW),
        pytest.param("CartPoleSwingUp-v0", wannjax.EvolutionStrategy(pairs=2), marks=SLOW),
        ("CartPole-v1", wannjax.PolicyGradient()),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_training_step_lowers(name, method):
    problem = data_problem() if name == "data" else wannjax.make(name)
    algorithm = CONFIG.algorithm(inputs=problem.inputs, outputs=problem.outputs)
    networks = algorithm.ask(algorithm.init(jax.random.key(0)))
    densest = network.take(networks, jnp.argmax(jnp.sum(networks.sources > 0, axis=(1, 2))))
    topology = gradients.topology_of(densest)
    trainer = method.trainer(problem, topology, optax.adam(0.01))
    state = jax.eval_shape(trainer.init, jax.random.key(0), jnp.ones((2, topology.connections)))
    assert "callback" not in lowered(trainer.step, jax.random.key(0), state)
