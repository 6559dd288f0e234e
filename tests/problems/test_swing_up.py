"""The swing-up: its float32 steps against the float64 equations of motion."""

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest

from wannjax.problems.environments import swing_up

ENV = swing_up.CartPoleSwingUp()
PARAMS = ENV.default_params
KEY = jax.random.key(0)


def state_of(x, x_dot, theta, theta_dot, time=0):
    return swing_up._state(*(jnp.float32(part) for part in (x, x_dot, theta, theta_dot)), time)


@jax.jit
@jax.vmap
def step(state, action):
    """One step from (x, ẋ, θ, θ̇): the observation, the state, the reward, and whether the episode has terminated."""
    observation, after, reward, terminated, _ = ENV.step_env(KEY, swing_up._state(*state, 0), action, PARAMS)
    return observation, jnp.stack([after.x, after.x_dot, after.theta, after.theta_dot]), reward, terminated


@jax.jit
def starts(keys):
    return jax.vmap(lambda key: ENV.reset_env(key, PARAMS))(keys)


@pytest.fixture(scope="module")
def random_steps():
    """(state, action) pairs, what the environment makes of them, and what the oracle does."""
    rng = np.random.default_rng(0)
    states = rng.uniform([-2.5, -5, -10, -12], [2.5, 5, 10, 12], (2000, 4)).astype(np.float32)
    actions = rng.uniform(-2.5, 2.5, (2000, 1)).astype(np.float32)
    wanted = [oracle.swing_up_step(state, action[0]) for state, action in zip(states, actions, strict=True)]
    return states, actions, step(jnp.asarray(states), jnp.asarray(actions)), [np.array(part) for part in zip(*wanted, strict=True)]


def test_a_step_is_that_of_the_equations_of_motion(random_steps):
    _, _, (_, after, _, _), (want, _, _) = random_steps
    np.testing.assert_allclose(after, want, atol=1e-5)


def test_the_reward_is_that_of_the_new_state(random_steps):
    _, _, (_, _, reward, _), (_, want, _) = random_steps
    np.testing.assert_allclose(reward, want, atol=2e-6)


def test_the_episode_terminates_when_the_cart_leaves_the_track(random_steps):
    _, _, (_, _, _, terminated), (want, _, ends) = random_steps
    clear = np.abs(np.abs(want[:, 0]) - 2.4) > 1e-5
    np.testing.assert_array_equal(np.asarray(terminated)[clear], ends[clear])
    assert 0 < np.sum(ends) < len(ends)


def test_the_observation_is_position_speed_cosine_sine_and_angular_speed(random_steps):
    _, _, (observation, after, _, _), _ = random_steps
    x, x_dot, theta, theta_dot = np.asarray(after, np.float64).T
    np.testing.assert_allclose(observation, np.stack([x, x_dot, np.cos(theta), np.sin(theta), theta_dot], 1), atol=2e-6)


def test_the_action_is_clipped(random_steps):
    states, actions, _, _ = random_steps
    clipped = step(jnp.asarray(states), jnp.clip(jnp.asarray(actions), -1, 1))
    np.testing.assert_array_equal(clipped[1], random_steps[2][1])


def test_cosine_and_sine_survive_many_turns():
    theta = np.linspace(-50, 50, 20_001, dtype=np.float32) * np.float32(2 * np.pi)
    state = jax.vmap(lambda angle: state_of(0, 0, angle, 0))(jnp.asarray(theta))
    np.testing.assert_allclose(state.cos_theta, np.cos(theta.astype(np.float64)), atol=1e-4)
    np.testing.assert_allclose(state.sin_theta, np.sin(theta.astype(np.float64)), atol=1e-4)


def test_an_episode_follows_the_float64_one():
    """Over 200 steps of a smooth policy. Later the motion is chaotic, and any two roundings part."""

    def policy(observation):
        x, x_dot, cos, sin, theta_dot = observation
        return 0.6 * theta_dot * cos - 0.3 * x - 0.2 * x_dot + 0.1 * sin

    def advance(state, _):
        action = policy(ENV.get_obs(state))
        _, state, reward, terminated, _ = ENV.step_env(KEY, state, action[None], PARAMS)
        return state, (state.x, state.x_dot, state.theta, state.theta_dot, reward, terminated)

    start = np.array([0.1, -0.2, np.pi + 0.3, 0.4], np.float32)
    _, (*parts, reward, terminated) = jax.lax.scan(advance, state_of(*start), length=200)
    states, rewards = oracle.swing_up_episode(policy, start, 200)
    assert not np.any(terminated)
    np.testing.assert_allclose(np.stack(parts, 1), states, atol=2e-3)
    np.testing.assert_allclose(reward, rewards, atol=1e-3)


@pytest.mark.parametrize(("theta", "x", "reward"), [(0, 0, 1), (np.pi, 0, 0), (np.pi / 2, 0, 0.5), (0, 1.2, np.sqrt(0.5)), (0, 2.4, 0)])
def test_the_reward_is_1_upright_in_the_middle_and_falls_to_0(theta, x, reward):
    after = step(jnp.array([[x, 0.0, theta, 0.0]], jnp.float32), jnp.zeros((1, 1)))
    np.testing.assert_allclose(after[2], [reward], atol=1e-6)


def test_episodes_start_near_the_hanging_pole_with_a_deviation_of_a_fifth():
    _, state = starts(jax.random.split(jax.random.key(1), 4000))
    parts = np.stack([state.x, state.x_dot, state.theta, state.theta_dot], 1)
    np.testing.assert_allclose(parts.mean(0), [0, 0, np.pi, 0], atol=5 * 0.2 / np.sqrt(4000))
    np.testing.assert_allclose(parts.std(0), 0.2, atol=5 * 0.2 / np.sqrt(8000))
    assert np.all(np.abs(np.corrcoef(parts.T) - np.eye(4)) < 5 / np.sqrt(4000))
    np.testing.assert_array_equal(state.time, 0)


def test_the_first_observation_is_that_of_the_first_state():
    observation, state = starts(jax.random.split(jax.random.key(2), 10))
    theta = np.asarray(state.theta, np.float64)
    want = np.stack([state.x, state.x_dot, np.cos(theta), np.sin(theta), state.theta_dot], 1)
    np.testing.assert_allclose(observation, want, atol=2e-6)


def test_an_episode_is_truncated_after_a_thousand_steps():
    assert not ENV.is_truncated(state_of(0, 0, 0, 0, time=999), PARAMS)
    assert ENV.is_truncated(state_of(0, 0, 0, 0, time=1000), PARAMS)


def test_spaces_contain_what_they_describe():
    observation, state = ENV.reset_env(KEY, PARAMS)
    assert ENV.observation_space(PARAMS).contains(observation)
    assert ENV.action_space(PARAMS).shape == (ENV.num_actions,)
    assert set(ENV.state_space(PARAMS).spaces) == set(vars(state))


def test_gradients_pass_only_where_they_are_asked_for():
    def position_gain(env):
        def energy(action):
            observation, *_ = env.step_env(KEY, state_of(0, 0, 1, 0), action, PARAMS)
            return observation[1]

        return float(jax.grad(energy)(jnp.zeros(1))[0])

    assert position_gain(ENV) == 0
    assert position_gain(ENV.with_transition_gradients()) > 0


def test_it_is_a_gymnax_environment():
    assert isinstance(ENV, gymnax.environments.environment.Environment)
    assert ENV.name == "CartPoleSwingUp-v0"
