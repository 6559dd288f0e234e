"""Other libraries beside ours, where they are installed: a generation of NEAT on CartPole-v1 by
TensorNEAT, and one of an evolution strategy of the weights of a perceptron on it by evosax; and
a generation of NEAT on brax, beside what TensorNEAT's paper says of it.

None of them is a dependency. What is not installed, or does not run with this JAX, says so in its
row.
"""

import statistics
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import wannjax
from benchmarks import neat_speed
from benchmarks.common import measure, perceptron
from wannjax.networks.network import take
from wannjax.problems.registry import make_environment

CART_POLE, EPISODES, HIDDEN = "CartPole-v1", 4, (16, 16)
NEAT_TASK = "a generation of NEAT, one episode each"
BRAX_TASK = "a first generation of NEAT on brax's {}, one episode of at most 1,000 steps each"
PUBLISHED = {"swimmer": 215.7, "hopper": 241.3, "halfcheetah": 274.7}
"""Seconds of 100 generations by TensorNEAT on an RTX 4090 (arXiv 2504.08339)."""
PUBLISHED_POPULATION = 10_000
ES_TASK = f"scoring an evolution strategy's 4-16-16-2 perceptrons, {EPISODES} episodes each"


class Peer(NamedTuple):
    """One library on one task.

    Attributes:
        seconds: wall seconds of the median call.
        alive: lane-steps of unfinished episodes in it.
        note: why there are no figures.
    """

    task: str
    library: str
    population: int
    seconds: float | None = None
    alive: float | None = None
    note: str = ""


def tensorneat(population: int, slots: int, repeats: int) -> tuple[float, float]:
    """Seconds and alive lane-steps of a generation of TensorNEAT from its first population on."""
    import gymnax
    from tensorneat.algorithm.neat import NEAT
    from tensorneat.genome import DefaultGenome
    from tensorneat.pipeline import Pipeline
    from tensorneat.problem.rl.rl_jit import RLEnv

    environment, params = gymnax.make(CART_POLE)

    class CartPole(RLEnv):
        """Its own adapter expects the five values that steps of gymnax gave before 1.0."""

        input_shape, output_shape = (4,), ()

        def env_step(self, key, state, action):
            observation, state, reward, terminated, truncated, info = environment.step(key, state, action, params)
            return observation, state, reward, terminated | truncated, info

        def env_reset(self, key):
            return environment.reset(key, params)

    nodes = 4 + 2 + slots
    genome = DefaultGenome(4, 2, max_nodes=nodes, max_conns=2 * nodes, output_transform=jnp.argmax)
    pipeline = Pipeline(NEAT(genome, pop_size=population), CartPole(max_step=params.max_steps_in_episode))
    state, step, alive = pipeline.setup(), jax.jit(pipeline.step), []

    def generation() -> None:
        nonlocal state
        state, _, returns = step(state)
        alive.append(float(jnp.sum(returns)))

    return measure(generation, repeats).wall, statistics.median(alive[1:])


def brax(name: str, population: int, repeats: int) -> tuple[float, float]:
    """Seconds and alive lane-steps of a generation of our NEAT, the first of a search."""
    problem = make_environment(f"brax:{name}")
    config = wannjax.NeatConfig(population=population, output_activation=problem.output_activation)
    algorithm = config.algorithm(inputs=problem.inputs, outputs=problem.outputs)
    cost = neat_speed.cost(problem, algorithm, algorithm.init(jax.random.key(0)), repeats)
    return cost.rollouts + cost.outside, cost.alive


def evosax(population: int, repeats: int) -> tuple[float, float]:
    """Seconds and alive lane-steps of a generation of evosax's OpenAI strategy on its own gymnax
    problem.
    """
    from evosax.algorithms import Open_ES
    from evosax.problems.networks import MLP
    from evosax.problems.rl.gymnax import GymnaxProblem

    policy = MLP((*HIDDEN, 2), output_fn=lambda outputs, _: jnp.argmax(outputs))
    problem = GymnaxProblem(CART_POLE, policy, num_rollouts=EPISODES, use_normalize_obs=False)
    key = jax.random.key(0)
    weights = jax.tree.map(jnp.zeros_like, problem.sample(key))
    strategy = Open_ES(population, weights)
    state, episodes = strategy.init(key, weights, strategy.default_params), problem.init(key)

    @jax.jit
    def generation(key, state):
        asking, playing, telling = jax.random.split(key, 3)
        candidates, state = strategy.ask(asking, state, strategy.default_params)
        returns, _, _ = problem.eval(playing, candidates, episodes)
        state, _ = strategy.tell(telling, candidates, -returns, state, strategy.default_params)
        return state, jnp.sum(returns) * EPISODES

    timing = measure(lambda: generation(key, state), repeats)
    return timing.wall, float(timing.result[1])


def copies(population: int, repeats: int) -> tuple[float, float]:
    """Seconds and alive lane-steps of scoring as many perceptrons with normal random weights, which
    are evosax's first candidates too.
    """
    problem = make_environment(CART_POLE)
    one = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], perceptron(problem, HIDDEN, seed=0))
    networks = take(one, np.zeros(population, int))
    drawn = np.random.default_rng(0).normal(size=networks.sources.shape)
    networks = replace(networks, weights=jnp.asarray(drawn, jnp.float32))
    timing = measure(lambda: problem.score_copies(jax.random.key(0), networks, episodes=EPISODES), repeats)
    return timing.wall, float(jnp.sum(timing.result)) * EPISODES


def peer(task: str, library: str, population: int, run: Callable[[], tuple[float, float]], needed: str | None = None) -> Peer:
    """The row of one library; that what it needs is not installed, or what it failed with, is a row
    too.
    """
    if needed is not None and find_spec(needed) is None:
        return Peer(task, library, population, note=f"{needed} is not installed")
    try:
        return Peer(task, library, population, *run())
    except Exception as error:  # of a library that nothing here depends on
        return Peer(task, library, population, note=f"does not run here: {one_line(error)}")


def one_line(error: Exception) -> str:
    """The kind of an error and the beginning of its message."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:200].replace("|", "/")


def peers(neat: tuple[float, float] | None, population: int, slots: int, es_population: int, repeats: int) -> list[Peer]:
    """All rows on CartPole-v1; `neat` has seconds and alive lane-steps of our own generation of
    NEAT, None where it was not measured.
    """
    return [
        Peer(NEAT_TASK, "wannjax", population, *(neat or (None, None, "not measured"))),
        peer(NEAT_TASK, "TensorNEAT", population, lambda: tensorneat(population, slots, repeats), "tensorneat"),
        peer(ES_TASK, "wannjax", es_population, lambda: copies(es_population, repeats)),
        peer(ES_TASK, "evosax", es_population, lambda: evosax(es_population, repeats), "evosax"),
    ]


def robot_rows(robot: str, population: int, repeats: int) -> list[Peer]:
    """The rows on an environment of brax: ours, and what TensorNEAT's paper says, where it does."""
    task = BRAX_TASK.format(robot)
    rows = [peer(task, "wannjax", population, lambda: brax(robot, population, repeats), "brax")]
    if robot in PUBLISHED:
        note = "its paper's, on an RTX 4090: the mean of 100 generations, and not the first"
        rows.append(Peer(task, "TensorNEAT", PUBLISHED_POPULATION, PUBLISHED[robot] / 100, note=note))
    return rows
