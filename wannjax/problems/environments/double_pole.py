"""DoublePole: two poles of different length side by side on a cart, to be balanced at once;
velocities are observed (the Markov case).

The benchmark of Wieland 1991, "Evolving neural network controllers for unstable systems", as Gomez
& Miikkulainen 1999 and Stanley & Miikkulainen 2002 (section 4.2) use it: equations, constants,
scaling of the observation, and the fourth-order Runge-Kutta method with two steps of 0.01 s an
action. As in their published simulation the cart has no friction (the papers' table has 0.0005),
and the long pole starts at 0.07 rad, which is 4.0 degrees (other work starts at 1 or 4.5 degrees).
A pole of length L is one of half-length L/2.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from gymnax.environments import environment, spaces

from wannjax.networks.activations import sinpi_cospi

NAME = "DoublePole-v0"
_MOTION = ("x", "x_dot", "theta1", "theta1_dot", "theta2", "theta2_dot")


@struct.dataclass
class EnvState(environment.EnvState):
    x: jax.Array
    x_dot: jax.Array
    theta1: jax.Array
    theta1_dot: jax.Array
    theta2: jax.Array
    theta2_dot: jax.Array
    time: int


@struct.dataclass
class EnvParams(environment.EnvParams):
    gravity: float = 9.8
    cart_mass: float = 1.0
    pole1_mass: float = 0.1
    pole2_mass: float = 0.01
    pole1_length: float = 1.0
    pole2_length: float = 0.1
    hinge_friction: float = 2e-6
    max_force: float = 10.0
    time_step: float = 0.01
    track_limit: float = 2.4
    angle_limit: float = 36 * np.pi / 180
    start_angle: float = 0.07
    max_steps_in_episode: int = 100_000


class DoublePole(environment.Environment[EnvState, EnvParams]):
    """Observation: x/4.8, ẋ/2, θ₁/0.52, θ̇₁/2, θ₂/0.52, θ̇₂/2. Action: the force in [-1, 1], times
    10 N. Reward: 1 a step of 0.02 s.
    """

    input_names, output_names = ("x", "dx", "θ1", "dθ1", "θ2", "dθ2"), ("force",)

    @property
    def default_params(self) -> EnvParams:
        return EnvParams()

    def step_env(self, key, state: EnvState, action, params: EnvParams):
        force = params.max_force * jnp.clip(jnp.ravel(action)[0], -1.0, 1.0)
        motion = tuple(getattr(state, name) for name in _MOTION)
        for _ in range(2):
            motion = _runge_kutta(motion, force, params)
        state = EnvState(**dict(zip(_MOTION, motion, strict=True)), time=state.time + 1)
        reward = jnp.float32(1.0)
        return self.get_obs(state), state, reward, self.is_terminated(state, params), {"discount": self.discount(state, params)}

    def reset_env(self, key, params: EnvParams):
        zero = jnp.float32(0.0)
        state = EnvState(**{**dict.fromkeys(_MOTION, zero), "theta1": jnp.asarray(params.start_angle, jnp.float32)}, time=0)
        return self.get_obs(state), state

    def get_obs(self, state: EnvState, params=None, key=None):
        parts = (state.x / 4.8, state.x_dot / 2, state.theta1 / 0.52, state.theta1_dot / 2, state.theta2 / 0.52, state.theta2_dot / 2)
        return jnp.stack(parts)

    def is_terminated(self, state: EnvState, params: EnvParams):
        tilt = jnp.maximum(jnp.abs(state.theta1), jnp.abs(state.theta2))
        return (jnp.abs(state.x) > params.track_limit) | (tilt > params.angle_limit)

    @property
    def name(self) -> str:
        return NAME

    @property
    def num_actions(self) -> int:
        return 1

    def action_space(self, params: EnvParams | None = None) -> spaces.Box:
        return spaces.Box(-1.0, 1.0, (1,), jnp.float32)

    def observation_space(self, params: EnvParams) -> spaces.Box:
        return spaces.Box(-np.inf, np.inf, (6,), jnp.float32)

    def state_space(self, params: EnvParams) -> spaces.Dict:
        unbounded = spaces.Box(-np.inf, np.inf, (), jnp.float32)
        return spaces.Dict({**dict.fromkeys(_MOTION, unbounded), "time": spaces.Discrete(params.max_steps_in_episode + 1)})


def _runge_kutta(motion, force, params: EnvParams):
    def ahead(slopes, share):
        return tuple(value + share * params.time_step * slope for value, slope in zip(motion, slopes, strict=True))

    first = _slopes(motion, force, params)
    second = _slopes(ahead(first, 0.5), force, params)
    third = _slopes(ahead(second, 0.5), force, params)
    fourth = _slopes(ahead(third, 1.0), force, params)
    return ahead([(a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(first, second, third, fourth, strict=True)], 1.0)


def _slopes(motion, force, params: EnvParams):
    """The derivatives of x, ẋ, θ₁, θ̇₁, θ₂, θ̇₂."""
    _, x_dot, theta1, theta1_dot, theta2, theta2_dot = motion
    poles = (
        (theta1, theta1_dot, params.pole1_mass, params.pole1_length / 2),
        (theta2, theta2_dot, params.pole2_mass, params.pole2_length / 2),
    )
    push, mass, pulls = force, jnp.asarray(params.cart_mass, jnp.float32), []
    for theta, theta_dot, pole_mass, half in poles:
        sin, cos = sinpi_cospi(theta / np.pi)
        pull = params.hinge_friction * theta_dot / (pole_mass * half) - params.gravity * sin
        push += pole_mass * half * theta_dot**2 * sin + 0.75 * pole_mass * cos * pull
        mass += pole_mass * (1 - 0.75 * cos**2)
        pulls.append((cos, pull, half))
    x_acceleration = push / mass
    turns = [-0.75 * (x_acceleration * cos + pull) / half for cos, pull, half in pulls]
    return x_dot, x_acceleration, theta1_dot, turns[0], theta2_dot, turns[1]
