"""CartPoleSwingUp: a pole hangs from a cart on a short track and must be swung up and balanced.

The task of Gaier & Ha 2019 (after Gal et al. 2016 and Ha 2018), as a gymnax environment. θ is 0
when the pole stands. The state carries cos θ and sin θ beside θ: the observation, the dynamics and
the reward all need them, and computing them once, with the package's own polynomial rather than
XLA's scalar calls, makes a step four times cheaper on a CPU.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from gymnax.environments import environment, spaces

from wannjax.networks.activations import half_turns, sinpi_cospi

NAME = "CartPoleSwingUp-v0"


@struct.dataclass
class EnvState(environment.EnvState):
    x: jax.Array
    x_dot: jax.Array
    theta: jax.Array
    theta_dot: jax.Array
    cos_theta: jax.Array
    sin_theta: jax.Array
    time: int


@struct.dataclass
class EnvParams(environment.EnvParams):
    gravity: float = 9.82
    cart_mass: float = 0.5
    pole_mass: float = 0.5
    pole_length: float = 0.6
    friction: float = 0.1
    max_force: float = 10.0
    time_step: float = 0.01
    track_limit: float = 2.4
    start_deviation: float = 0.2
    max_steps_in_episode: int = 1000


class CartPoleSwingUp(environment.Environment[EnvState, EnvParams]):
    """Observation: x, ẋ, cos θ, sin θ, θ̇. Action: the force in [-1, 1], times 10 N. Reward: (cos θ
    + 1)/2 · cos(π x / 4.8).
    """

    _supports_transition_gradients = True
    input_names, output_names = ("x", "dx", "cos θ", "sin θ", "dθ"), ("force",)

    @property
    def default_params(self) -> EnvParams:
        return EnvParams()

    def step_env(self, key, state: EnvState, action, params: EnvParams):
        force = params.max_force * jnp.clip(jnp.ravel(action)[0], -1.0, 1.0)
        cos, sin = state.cos_theta, state.sin_theta
        mass = params.cart_mass + params.pole_mass
        mass_length = params.pole_mass * params.pole_length
        swing = mass_length * state.theta_dot**2 * sin
        pull = force - params.friction * state.x_dot
        share = 1.0 / (4.0 * mass - 3.0 * params.pole_mass * cos**2)
        x_acceleration = (-2.0 * swing + 3.0 * params.pole_mass * params.gravity * sin * cos + 4.0 * pull) * share
        theta_acceleration = (-3.0 * swing * cos + 6.0 * mass * params.gravity * sin + 6.0 * pull * cos) * share / params.pole_length
        state = _state(
            state.x + params.time_step * state.x_dot,
            state.x_dot + params.time_step * x_acceleration,
            state.theta + params.time_step * state.theta_dot,
            state.theta_dot + params.time_step * theta_acceleration,
            state.time + 1,
        )
        # cos(π x / 4.8), with half the length of the track as a quarter turn
        _, centred = sinpi_cospi(state.x / (2 * params.track_limit))
        reward = (state.cos_theta + 1.0) * 0.5 * centred
        observation, detached = self._apply_transition_gradient_policy(self.get_obs(state), state)
        return observation, detached, reward, self.is_terminated(state, params), {"discount": self.discount(state, params)}

    def reset_env(self, key, params: EnvParams):
        start = jnp.array([0.0, 0.0, jnp.pi, 0.0], jnp.float32) + params.start_deviation * jax.random.normal(key, (4,), jnp.float32)
        state = _state(start[0], start[1], start[2], start[3], 0)
        return self.get_obs(state), state

    def get_obs(self, state: EnvState, params=None, key=None):
        return jnp.stack([state.x, state.x_dot, state.cos_theta, state.sin_theta, state.theta_dot])

    def is_terminated(self, state: EnvState, params: EnvParams):
        return jnp.abs(state.x) > params.track_limit

    @property
    def name(self) -> str:
        return NAME

    @property
    def num_actions(self) -> int:
        return 1

    def action_space(self, params: EnvParams | None = None) -> spaces.Box:
        return spaces.Box(-1.0, 1.0, (1,), jnp.float32)

    def observation_space(self, params: EnvParams) -> spaces.Box:
        return spaces.Box(-np.inf, np.inf, (5,), jnp.float32)

    def state_space(self, params: EnvParams) -> spaces.Dict:
        unbounded = spaces.Box(-np.inf, np.inf, (), jnp.float32)
        names = ("x", "x_dot", "theta", "theta_dot", "cos_theta", "sin_theta")
        return spaces.Dict({**dict.fromkeys(names, unbounded), "time": spaces.Discrete(params.max_steps_in_episode + 1)})


def _state(x, x_dot, theta, theta_dot, time) -> EnvState:
    sin, cos = sinpi_cospi(half_turns(theta))
    return EnvState(x=x, x_dot=x_dot, theta=theta, theta_dot=theta_dot, cos_theta=cos, sin_theta=sin, time=time)
