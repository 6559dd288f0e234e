"""Everything that a run compiles, by name: a function that gives a traceable function and its arguments, small ones."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import wannjax
from wannjax.genomes.genome import enlarge
from wannjax.networks import gradients, network, tape

KEY = jax.random.key(0)
WANN = wannjax.WannConfig(population=16)
BLOCKS = (wannjax.Block(("tanh", "step"), ((0, 1),)), wannjax.Block(("sin", "abs", "cos"), ((0, 2), (1, 2))))
NEAT = wannjax.NeatConfig(population=16, delete_node=0.01, delete_connection=0.01)
BRED = 256  # so many that what is launched for each of them would show
CONFIGS = {
    "wann": WANN.replace(population=BRED, cases="episodes"),
    "wann with blocks": WANN.replace(population=BRED, blocks=BLOCKS, insert_block=0.1),
    "neat": NEAT.replace(population=BRED),
    "wann, recurrent": WANN.replace(population=BRED, recurrent=True),
    "neat, recurrent": NEAT.replace(population=BRED, recurrent=True),
}
EPISODE_KERNEL = ("CartPoleSwingUp-v0", "CartPole-v1", "DoublePole-v0", "Pendulum-v1")
FORWARD_KERNEL = ("Breakout-MinAtar",)
METHODS = {
    "gradient": wannjax.Gradient(),
    "policy gradient": wannjax.PolicyGradient(),
    "evolution strategy": wannjax.EvolutionStrategy(population=4),
}
TRAINED = (
    ("data", "gradient"),
    ("data", "evolution strategy"),
    ("CartPoleSwingUp-v0", "gradient"),
    ("CartPoleSwingUp-v0", "policy gradient"),
    ("CartPoleSwingUp-v0", "evolution strategy"),
    ("CartPole-v1", "policy gradient"),
)

EntryPoint = Callable[[], tuple[Callable[..., Any], tuple[Any, ...]]]


def data_problem():
    x = np.random.default_rng(0).normal(size=(60, 5))
    return wannjax.DataProblem(x, np.stack([x[:, 0] > 0, x[:, 0] <= 0], axis=1), batch=8)


def networks_for(problem, **settings):
    algorithm = WANN.replace(**settings).algorithm(inputs=problem.inputs, outputs=problem.outputs)
    return algorithm.ask(algorithm.init(KEY)), algorithm.activation_ids


def started(config):
    algorithm = config.algorithm(inputs=5, outputs=1)
    return algorithm, algorithm.init(KEY)


def ask(config):
    algorithm, state = started(config)
    return algorithm.ask, (state,)


def tell(config):
    algorithm, state = started(config)
    episodes = (config.episodes,) if algorithm.by_episode else ()
    return algorithm.tell, (state, jnp.zeros((BRED, len(config.weights), *episodes)))


def enlarging():
    _, state = started(WANN)
    return (lambda genomes: enlarge(genomes, 64)), (state.genomes,)


def evaluation(name, **settings):
    problem = wannjax.make(name)
    networks, ids = networks_for(problem, **settings)

    def evaluate(key, networks, weights, params):
        return problem.with_params(params).evaluate(key, networks, weights, episodes=2, activation_ids=ids)

    return evaluate, (KEY, networks, jnp.array(WANN.weights), problem.params)


def rollout_of_lanes(name):
    """With weights of their own on every lane."""
    problem = wannjax.make(name)
    networks, _ = networks_for(problem)
    weighted = replace(networks, weights=jnp.ones((*networks.sources.shape, 4)))

    def rollout(keys, networks, gain, params):
        return problem.with_params(params).rollout(keys, networks, gain)

    return rollout, (jax.random.split(KEY, 4), weighted, jnp.ones(4), problem.params)


def copies(name):
    problem = wannjax.make(name)
    one = network.take(networks_for(problem)[0], np.zeros(8, int))
    weighted = replace(one, weights=jnp.ones(one.sources.shape))

    def score(key, networks, params):
        return problem.with_params(params).score_copies(key, networks, episodes=4)

    return score, (KEY, weighted, problem.params)


def call():
    algorithm, state = started(WANN)
    return network._call, (network.take(algorithm.ask(state), 0), jnp.zeros((7, 5)), jnp.float32(1.0))


def evaluation_on_data():
    problem = data_problem()
    networks, ids = networks_for(problem)

    def evaluate(key, networks, weights, examples):
        return problem._evaluate(key, networks, weights, examples, count=16, activation_ids=ids)

    return evaluate, (KEY, networks, jnp.array(WANN.weights), problem.examples)


def metric_on_data():
    problem = data_problem()
    networks, _ = networks_for(problem)

    def metric(networks, examples):
        return problem._measure(networks, jnp.ones(1), examples, activation_ids=tape.ALL_ACTIVATIONS)

    return metric, (replace(networks, weights=jnp.ones(networks.sources.shape)), problem.examples)


def training(name, method):
    problem = data_problem() if name == "data" else wannjax.make(name)
    networks, _ = networks_for(problem)
    densest = network.take(networks, jnp.argmax(jnp.sum(networks.sources > 0, axis=(1, 2))))
    topology = gradients.topology_of(densest)
    trainer = METHODS[method].trainer(problem, topology, optax.adam(0.01) if METHODS[method].learning_rate > 0 else None)
    return trainer.step, (KEY, jax.eval_shape(trainer.init, KEY, jnp.ones((2, topology.connections))))


ENTRY_POINTS: dict[str, EntryPoint] = {
    **{f"ask, {name}": partial(ask, config) for name, config in CONFIGS.items()},
    **{f"tell, {name}": partial(tell, config) for name, config in CONFIGS.items()},
    "enlarge": enlarging,
    **{f"evaluate, {name}": partial(evaluation, name) for name in (*EPISODE_KERNEL, *FORWARD_KERNEL)},
    **{f"evaluate recurrent, {name}": partial(evaluation, name, recurrent=True) for name in (EPISODE_KERNEL[0], *FORWARD_KERNEL)},
    **{f"rollout of lanes, {name}": partial(rollout_of_lanes, name) for name in (EPISODE_KERNEL[0], *FORWARD_KERNEL)},
    **{f"copies, {name}": partial(copies, name) for name in (EPISODE_KERNEL[0], *FORWARD_KERNEL)},
    "a call": call,
    "evaluate, data": evaluation_on_data,
    "metric, data": metric_on_data,
    **{f"training, {name}, {method}": partial(training, name, method) for name, method in TRAINED},
}
