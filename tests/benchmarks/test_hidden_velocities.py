"""Two poles without velocities: Gruau's fitness and the 625 starts against plain loops over the environment's steps."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.hidden_velocities import Gruau, balanced, starts, two_poles
from wannjax.networks.graph import Connection, Graph, network_of
from wannjax.problems.environment_problem import EnvironmentProblem

# The force is tanh(7 θ₁ + 3 θ₂ - 3 times a trace of θ₁, of which half is left after a step).
CONNECTIONS = ((2, 4, 1.0), (4, 4, 0.5), (2, 5, 7.0), (3, 5, 3.0), (4, 5, -3.0))
CONTROL = network_of(Graph(("x", "θ1", "θ2"), ("force",), (1, 5), tuple(Connection(*each) for each in CONNECTIONS)))


def angles_and_steps(start, limit):
    """How far from rest the poles were after every step, by a loop of one start."""
    environment = two_poles().environment
    _, state = environment.reset(jax.random.key(0), environment.params)
    state = state.replace(**dict(zip(("x", "x_dot", "theta1", "theta1_dot"), map(jnp.float32, start), strict=True)))
    far, memory = [], CONTROL.initial_state()
    for _ in range(limit):
        observation = np.array([state.x / 4.8, state.theta1 / 0.52, state.theta2 / 0.52])
        action, memory = CONTROL.step(memory, observation)
        after = environment.step(jax.random.key(0), state, action, environment.params)
        state = after.state
        far.append(sum(abs(float(value)) for value in (state.x, state.x_dot, state.theta1, state.theta1_dot)))
        if after.terminated:
            break
    return np.array(far), bool(after.terminated)


@pytest.mark.slow
def test_fitness_is_gruaus():
    far, fallen = angles_and_steps((0, 0, 0.07, 0), 1000)
    assert fallen
    calm = 0.75 / far[-100:].sum() if len(far) >= 100 else 0.0
    alone = jax.tree.map(lambda leaf: leaf[None], replace(CONTROL, input_names=(), output_names=()))
    problem = EnvironmentProblem(Gruau(two_poles().environment))
    found = problem.rollout(jax.random.key(0)[None], alone, jnp.ones(1)).returns[0, 0]
    assert found == pytest.approx(0.1 * len(far) / 1000 + 0.9 * calm, rel=1e-3)


@pytest.mark.slow
@pytest.mark.nightly
def test_steps_are_those_of_a_loop_over_single_starts():
    chosen = starts()[[0, 100, 312, 624]]
    expected = [len(far) - fallen for far, fallen in (angles_and_steps(start, 300) for start in chosen)]
    np.testing.assert_array_equal(balanced(CONTROL, 1.0, chosen, 300), expected)


def test_there_are_625_starts_within_the_bounds():
    found = starts()
    assert found.shape == (625, 4)
    assert len(np.unique(found, axis=0)) == 625
    np.testing.assert_allclose(np.abs(found).max(axis=0), 0.9 * np.array([2.16, 1.35, np.pi / 50, 8.6 * np.pi / 180]), rtol=1e-5)
