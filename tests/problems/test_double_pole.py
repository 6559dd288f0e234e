"""The double pole: its float32 steps against a float64 integration of the equations of motion."""

from functools import partial

import jax
import jax.numpy as jnp
import neat_oracle
import numpy as np
import pytest

import wannjax
from wannjax.problems.environments import double_pole

ENV = double_pole.DoublePole()
PARAMS = ENV.default_params
KEY = jax.random.key(0)


@partial(jax.jit, compiler_options={"xla_cpu_use_fusion_emitters": True} if jax.__version_info__ < (0, 11) else None)
@jax.vmap
def step(state, action):
    """One step: the observation, the state, the reward, and whether the episode has terminated.

    Compiled so that the observation and the state are of one computation, and not of two that round differently.
    """
    start = double_pole.EnvState(**dict(zip(double_pole._MOTION, state, strict=True)), time=0)
    observation, after, reward, terminated, _ = ENV.step_env(KEY, start, action, PARAMS)
    return observation, jnp.stack([getattr(after, name) for name in double_pole._MOTION]), reward, terminated


@pytest.fixture(scope="module")
def random_steps():
    """(state, action) pairs, what the environment makes of them, and what the oracle does."""
    rng = np.random.default_rng(0)
    reach = np.array([2.5, 3, 0.7, 4, 0.7, 6])
    states = rng.uniform(-reach, reach, (1000, 6)).astype(np.float32)
    actions = rng.uniform(-2, 2, (1000, 1)).astype(np.float32)
    wanted = np.array([neat_oracle.double_pole_step(state, action[0]) for state, action in zip(states, actions, strict=True)])
    return states, actions, step(jnp.asarray(states), jnp.asarray(actions)), wanted


def test_a_step_is_that_of_the_equations_of_motion(random_steps):
    _, _, (_, after, reward, _), wanted = random_steps
    np.testing.assert_allclose(after, wanted, atol=3e-5)
    np.testing.assert_array_equal(reward, 1.0)


def test_the_episode_ends_off_the_track_or_when_a_pole_tilts_beyond_36_degrees(random_steps):
    _, _, (_, _, _, terminated), wanted = random_steps
    over = np.stack([np.abs(wanted[:, 0]) - 2.4, np.abs(wanted[:, 2]) - np.pi / 5, np.abs(wanted[:, 4]) - np.pi / 5])
    clear = np.all(np.abs(over) > 1e-4, axis=0)
    np.testing.assert_array_equal(np.asarray(terminated)[clear], np.any(over > 0, axis=0)[clear])
    assert all(0 < np.sum(part > 0) < 1000 for part in over)


def test_the_observation_is_scaled(random_steps):
    _, _, (observation, after, _, _), _ = random_steps
    np.testing.assert_allclose(observation, np.asarray(after) / [4.8, 2, 0.52, 2, 0.52, 2], rtol=1e-6)


def test_the_long_pole_starts_at_four_degrees_and_everything_else_at_rest():
    _, state = ENV.reset_env(KEY, PARAMS)
    start = np.array([getattr(state, name) for name in double_pole._MOTION])
    np.testing.assert_allclose(start, [0, 0, 0.07, 0, 0, 0], rtol=1e-6)


def test_the_short_pole_falls_first_when_nothing_is_done():
    state, steps = np.array([0, 0, 0.07, 0, 0.0, 0]), 0
    while np.all(np.abs(state[[2, 4]]) < np.pi / 5):
        state, steps = neat_oracle.double_pole_step(state, 0.0), steps + 1
    problem = wannjax.make("DoublePole-v0")

    def idle(memory, _observations):
        return memory, jnp.zeros((1, 1, 1))

    _, lengths, _ = problem.run_episodes(idle, (), jax.random.split(KEY, 1), 1, problem.params)
    assert int(lengths[0, 0]) == steps


def test_it_is_an_environment_like_any_other():
    problem = wannjax.make("DoublePole-v0")
    assert (problem.inputs, problem.outputs, problem.max_steps, problem.output_activation) == (6, 1, 100_000, "tanh")
    assert problem.input_names == ("x", "dx", "θ1", "dθ1", "θ2", "dθ2")
    assert "DoublePole-v0" in wannjax.environment_names()
