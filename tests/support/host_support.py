"""One small environment in three forms: in numpy for many episodes, in numpy for one, and in JAX."""

import jax
import jax.numpy as jnp
import numpy as np

import wannjax

SPEED, LIMIT = 0.3, 1.5


class Boats(wannjax.HostEnvironment):
    """A boat that drifts: it fails beyond `LIMIT`, and is cut short after 5 steps of 30 where its seed is a multiple of 4."""

    name, inputs, max_steps = "boats", 2, 30
    actions = wannjax.Box(np.full(1, -1.2), np.full(1, 1.0))
    input_names, output_names = ("place", "drift"), ("rudder",)

    def reset(self, seeds):
        self.place = (seeds % 1000).astype(np.float32) / 500 - 1
        self.drift, self.left = -self.place, np.where(seeds % 4 == 0, 5, 99)
        self.alive = np.ones(len(seeds), bool)
        return np.stack([self.place, self.drift], axis=1)

    def step(self, actions, lanes):
        assert self.alive[lanes].all()  # none goes on after its end
        assert (np.diff(lanes) > 0).all()
        self.drift[lanes] = np.float32(0.9) * self.drift[lanes] + np.float32(SPEED) * actions[:, 0]
        self.place[lanes] += np.float32(0.5) * self.drift[lanes]
        self.left[lanes] -= 1
        place = self.place[lanes]
        terminated, truncated = np.abs(place) > LIMIT, self.left[lanes] == 0
        self.alive[lanes] = ~(terminated | truncated)
        return np.stack([place, self.drift[lanes]], axis=1), 1 - place**2, terminated, truncated


class Boat:
    """One of them."""

    name, inputs, max_steps, actions = Boats.name, Boats.inputs, Boats.max_steps, Boats.actions

    def __init__(self):
        self.boats = Boats()

    def reset(self, seed):
        return self.boats.reset(np.array([seed]))[0]

    def step(self, action):
        return tuple(part[0] for part in self.boats.step(action[None], np.array([0])))

    def frame(self):
        return np.full((300, 400, 3), 100 * (1 + np.sign(self.boats.place[0])), np.uint8)


class BoatInJax(wannjax.Environment):
    """The same in JAX: an episode of a key starts as that of the seed which the key has on the host."""

    name, inputs, max_steps, actions = Boats.name, Boats.inputs, Boats.max_steps, Boats.actions

    def reset(self, key, params):
        seed = jax.random.bits(key, (), jnp.uint32) >> 1
        place = (seed % 1000).astype(jnp.float32) / 500 - 1
        return jnp.stack([place, -place]), (place, -place, jnp.where(seed % 4 == 0, 5, 99))

    def step(self, key, state, action, params):
        place, drift, left = state
        drift = 0.9 * drift + SPEED * action[0]
        place, left = place + 0.5 * drift, left - 1
        seen = jnp.stack([place, drift])
        return wannjax.Transition(seen, (place, drift, left), 1 - place**2, jnp.abs(place) > LIMIT, left == 0)
