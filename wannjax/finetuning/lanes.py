"""Episodes that go on from one step of training to the next: where they are, and what follows their
ends.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from wannjax.finetuning.method import where_lanes
from wannjax.problems.capabilities import Episodic
from wannjax.problems.environment import Transition


class Lanes(NamedTuple):
    """Where M × L episodes are: the steps since the start of each, and its return so far. Leading
    axes M and L on everything.
    """

    observations: Float32[Array, "M L I"]
    memory: Float32[Array, "M L V"]
    state: Any
    age: Int32[Array, "M L"]
    returns: Float32[Array, "M L"]


def fresh(problem: Episodic, key, grid: tuple[int, ...], remembered: int, params) -> Lanes:
    """M × L episodes at their starts, without memory of the V nodes that are `remembered`; all
    members have the same.
    """
    members, episodes = grid
    observations, state = problem.reset(jax.random.split(key, episodes), members, params)
    memory = jnp.zeros((*grid, remembered), jnp.float32)
    return Lanes(jnp.moveaxis(observations, 0, -1), memory, state, jnp.zeros(grid, jnp.int32), jnp.zeros(grid, jnp.float32))


def moved(lanes: Lanes, led_to: Transition, memory: Float32[Array, "M L V"]) -> Lanes:
    """The episodes one time step later: `led_to` is what the environment gave, `memory` what the
    network remembers.
    """
    return Lanes(jnp.moveaxis(led_to.observation, 0, -1), memory, led_to.state, lanes.age + 1, lanes.returns + led_to.reward)


def end_of(
    led_to: Transition, at_limit: Bool[Array, "M L"], value: Float32[Array, "M L"]
) -> tuple[Bool[Array, "M L"], Float32[Array, "M L"]]:
    """Where episodes end, by themselves or at the limit of their steps, and what is beyond: where
    they are only cut short, what would have followed still counts, by its `value`; elsewhere
    nothing.
    """
    ended = led_to.ended | at_limit
    return ended, jnp.where(ended & ~led_to.terminated, value, 0.0)


def begun_again(lanes: Lanes, ended: Bool[Array, "M L"], starts: Lanes, time: Int32[Array, ""]) -> Lanes:
    """The episodes, with a start in place of each that has `ended`: one for every lane, dealt out
    anew at every time step.
    """
    begun = jax.tree.map(lambda leaf: jnp.roll(leaf, time, axis=1), starts)
    return jax.tree.map(partial(where_lanes, ended), begun, lanes)
