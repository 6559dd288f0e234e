"""Streams of random numbers: what is drawn for one purpose is drawn for no other one."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import wannjax
from wannjax.common.keys import Purpose, generator_of, key_of
from wannjax.ensembles.ensemble import Ensemble
from wannjax.networks.graph import Connection, Graph, network_of
from wannjax.problems.environment import Environment, Transition
from wannjax.problems.environment_problem import EnvironmentProblem
from wannjax.problems.spaces import Box

NETWORK = network_of(Graph(("x", "dx"), ("force",), (1,), (Connection(1, 3), Connection(2, 3))))


def words(keys) -> set[tuple[int, int]]:
    return set(map(tuple, np.asarray(jax.random.key_data(keys)).reshape(-1, 2).tolist()))


def test_every_purpose_has_a_number_which_no_split_reaches():
    assert len(set(Purpose)) == len(Purpose.__members__)
    assert 2**31 <= min(Purpose) < max(Purpose) < 2**32


def test_keys_differ_by_seed_and_purpose():
    keys = {(int(a), int(b)) for seed in (0, 1, 2, 2**40) for purpose in Purpose for a, b in words(key_of(seed, purpose))}
    assert len(keys) == 4 * len(Purpose)
    draws = {float(generator_of(seed, purpose).random()) for seed in (0, 1, 2**63 - 1) for purpose in Purpose}
    assert len(draws) == 3 * len(Purpose)


def test_the_key_of_a_purpose_is_none_that_a_seed_is_split_into():
    split = words(jax.random.split(jax.random.key(0), 10_000))
    assert not split & words(jnp.stack([key_of(0, purpose) for purpose in Purpose]))


class Drift(Environment):
    """A point that drifts. Its state tells the key that it was made with."""

    name, inputs, actions, max_steps = "drift", 2, Box((-1.0,), (1.0,)), 6
    context_names, params = ("wind",), jnp.linspace(0.0, 1.0, 8)[:, None]

    def context_of(self, key, params):
        return params[jax.random.randint(key, (), 0, len(params))]

    def reset(self, key, params):
        return jax.random.normal(key, (2,)), jax.random.key_data(key)

    def step(self, key, state, action, params):
        return Transition(jnp.ones(2), jax.random.key_data(key), action[0], False, False)


def test_an_episodes_start_and_its_steps_share_no_key():
    """Nor does a step draw what a reset draws that splits its key."""
    problem = EnvironmentProblem(Drift())
    keys = jax.random.split(jax.random.key(0), 3)
    starts = problem.reset(keys, 1, problem.params)[1]
    steps = [problem.step(keys, time, starts, jnp.zeros((1, 1, 3)), problem.params).state for time in range(6)]
    start_keys = jax.random.wrap_key_data(jnp.asarray(starts)[0], impl="threefry2x32")
    drawn = [words(start_keys), words(jax.vmap(lambda key: jax.random.split(key, 8))(start_keys))]
    drawn += [set(map(tuple, np.asarray(step).reshape(-1, 2).tolist())) for step in steps]
    assert [len(each) for each in drawn] == [3, 24, *[3] * 6]
    assert len(set.union(*drawn)) == 3 + 24 + 6 * 3


@pytest.fixture(scope="module")
def episodes_of(tmp_path_factory):
    """The episodes of everything that takes a seed, all with seed 0, by what they serve."""
    problem, seen, now = EnvironmentProblem(Drift()), {}, []
    patch = pytest.MonkeyPatch()

    def recorded(function, keys_of):
        def call(self, *arguments, **settings):
            seen.setdefault(now[-1], set()).update(words(keys_of(*arguments, **settings)))
            return function(self, *arguments, **settings)

        return call

    def of_key(key, *_, episodes, **__):
        return jax.random.split(key, episodes)

    patch.setattr(EnvironmentProblem, "evaluate", recorded(EnvironmentProblem.evaluate, of_key))
    patch.setattr(EnvironmentProblem, "score_copies", recorded(EnvironmentProblem.score_copies, of_key))
    patch.setattr(EnvironmentProblem, "rollout", recorded(EnvironmentProblem.rollout, lambda keys, *_, **__: keys))
    patch.setattr(Ensemble, "returns", recorded(Ensemble.returns, lambda _, keys: keys))

    def during(name, call):
        now.append(name)
        return call()

    quiet = {"seed": 0, "progress": False}
    config = wannjax.WannConfig(population=8, generations=2, episodes=2, confirm_episodes=3)
    method = wannjax.EvolutionStrategy(population=4, episodes=2)
    during("search", lambda: wannjax.evolve(problem, config, **quiet))
    during("training", lambda: wannjax.finetune(NETWORK, problem, method=method, steps=2, **quiet))
    ensemble = Ensemble(NETWORK, jnp.ones((2, 2)), "outputs", None, ())
    during("evaluation of a collection", lambda: ensemble.evaluate(problem, episodes=5, seed=0))
    during("evaluation", lambda: wannjax.evaluate(NETWORK, problem, episodes=5, seed=0))
    during("weight curve", lambda: wannjax.weight_curve(NETWORK, problem, episodes=5, seed=0))
    during("explanation", lambda: wannjax.explain(NETWORK, problem, episodes=2, seed=0))
    during("pruning", lambda: wannjax.prune(NETWORK, problem, tolerance=0.1, episodes=2, seed=0))
    varied = wannjax.make("CartPoleSwingUp-v0", max_steps=5, vary={"pole_length": (0.3, 0.9)})
    swinging = network_of(Graph(varied.input_names, varied.output_names, (1,), (Connection(3, 6), Connection(5, 6))))
    during("training of a collection", lambda: wannjax.ensemble(swinging, varied, members=2, steps=1, **quiet))
    patch.undo()
    seen["explanation"] -= seen["weight curve"]  # which is part of it
    return seen


@pytest.mark.slow
def test_nothing_is_measured_on_episodes_that_something_else_has_seen(episodes_of):
    assert len(episodes_of) == 8
    assert min(map(len, episodes_of.values())) >= 5
    for (one, left), (other, right) in itertools.combinations(episodes_of.items(), 2):
        assert not left & right, f"{one} and {other}"
