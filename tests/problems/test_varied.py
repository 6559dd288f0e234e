"""Environments whose parameters differ from episode to episode, against the plain environment with these parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import wannjax
from wannjax.networks.network import take
from wannjax.problems.registry import make_environment

BOUNDS = (0.3, 0.9)


@pytest.fixture(scope="module")
def problem():
    return make_environment("CartPoleSwingUp-v0", vary={"pole_length": BOUNDS}, max_steps=60)


@pytest.fixture(scope="module")
def network():
    algorithm = wannjax.WannConfig(population=8).algorithm(inputs=5, outputs=1)
    return take(algorithm.ask(algorithm.init(jax.random.key(0))), np.array([0]))


@pytest.mark.slow
def test_every_episode_is_the_plain_one_with_its_own_parameters(problem, network):
    keys = jax.random.split(jax.random.key(1), 4)
    returns = problem.rollout(keys, network, jnp.ones(4)).returns[0]
    lengths = problem.contexts(keys, problem.params)[:, 0]
    plain = make_environment("CartPoleSwingUp-v0", max_steps=60)
    for key, length, expected in zip(keys, lengths, returns, strict=True):
        own = plain.with_params(plain.params.replace(pole_length=float(length)))
        np.testing.assert_allclose(own.rollout(key[None], network, jnp.ones(1)).returns[0, 0], expected, rtol=1e-5)


def test_values_fill_the_range_and_repeat_by_key(problem):
    keys = jax.random.split(jax.random.key(2), 400)
    lengths = np.asarray(problem.contexts(keys, problem.params))
    assert lengths.shape == (400, 1)
    assert BOUNDS[0] <= lengths.min() < 0.35
    assert 0.85 < lengths.max() <= BOUNDS[1]
    np.testing.assert_array_equal(lengths, problem.contexts(keys, problem.params))


def test_only_a_varied_environment_has_context_names(problem):
    assert problem.context_names == ("pole_length",)
    assert make_environment("CartPole-v1").context_names == ()


def test_gradients_flow_through_a_varied_environment(problem):
    assert problem.differentiable
    assert problem.with_gradients().environment.environment.env.transition_gradients_enabled


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        ({"pole": BOUNDS}, "vary: must be a parameter of the environment, one of gravity,"),
        ({"pole_length": (0.9, 0.3)}, r"vary\['pole_length'\]: must be \(low, high\), finite and ascending, got"),
        ({"pole_length": 0.5}, r"vary\['pole_length'\]: must be"),
        ({}, "vary: must be a dict of parameter names"),
    ],
)
def test_a_bad_range_is_named(vary, message):
    with pytest.raises(ValueError, match=message):
        wannjax.make("CartPoleSwingUp-v0", vary=vary)
