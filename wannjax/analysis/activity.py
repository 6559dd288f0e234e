"""What nodes do while a network works: the ranges of their values, whether they saturate, whether
they act like a line.

To judge by another limit, edit `SATURATED`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Float32, Float64, Int32, Key

from wannjax.common import devices
from wannjax.networks.activations import NAMES, SUM, activate, slope
from wannjax.networks.network import Network, tape_of
from wannjax.networks.tape import FIRST_INPUT, forward, initial_values
from wannjax.problems.capabilities import Episodic, Supervised

SATURATED = 0.05
"""A node is saturated where its activation's slope is less than this share of the steepest."""

_STEEPEST = {"tanh": 1.0, "sigmoid": 0.25, "gaussian": float(np.exp(-0.5)), "relu": 1.0}
"""The steepest slope of the activations that can saturate; a relu does where it is off."""

_CONSTANT = 1e-6
"""Values that differ by less, relative to their size or to 1, are one value: float32 rounding."""


@dataclass(frozen=True, eq=False)
class Activity:
    """Statistics of hidden nodes and outputs, in the order of the network's graph, over all steps
    of episodes or over examples.

    Attributes:
        low, high, mean, deviation: float64[N, W], of the values at each of W shared weights.
        saturated: float64[N, W], the share of steps at which the node is saturated (see
            `SATURATED`); NaN for activations that cannot.
        linearity: float64[N, W], the squared correlation of the value with the sum that is
            activated: 1 where the node acts like a line over all that it met; NaN where either is
            constant.
        steps: int64[W], what the statistics rest on.
    """

    low: Float64[np.ndarray, "N W"]
    high: Float64[np.ndarray, "N W"]
    mean: Float64[np.ndarray, "N W"]
    deviation: Float64[np.ndarray, "N W"]
    saturated: Float64[np.ndarray, "N W"]
    linearity: Float64[np.ndarray, "N W"]
    steps: np.ndarray

    @property
    def dead(self) -> Bool[np.ndarray, " N"]:
        """Which nodes keep one value at each shared weight: such a node is a bias at the most."""
        size = np.maximum(np.maximum(np.abs(self.low), np.abs(self.high)), 1.0)
        return np.all(self.high - self.low <= _CONSTANT * size, axis=1)


def activity(
    key: Key[Array, ""], network: Network, problem: Episodic | Supervised, weights: Float[Array, " W"], *, episodes: int
) -> Activity:
    """Lets one network run at each shared weight over `episodes` episodes, or on that many
    mini-batches of the validation examples: on sequences at all their time steps.
    """
    watched = _watched(network)
    keys = jax.random.split(key, episodes)
    run = jax.jit(
        _over_data if isinstance(problem, Supervised) else partial(_over_episodes, problem), compiler_options=devices.compiler_options()
    )
    plain = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], network)
    if isinstance(problem, Supervised):
        held_out = problem.split("validation")
        examples = held_out.draw(keys[0], held_out.examples, min(episodes * problem.batch, held_out.size))
        by_time = jnp.moveaxis(examples.inputs, 0, -1).reshape(-1, network.inputs, len(examples.inputs))
        totals = run(plain, watched, jnp.repeat(weights, len(examples.inputs)), jnp.tile(by_time, len(weights)))
    else:
        totals = run(plain, watched, jnp.repeat(weights, episodes), jnp.tile(keys, len(weights)), problem.params)
    names = [NAMES[number] for number in np.asarray(watched.activations)]
    return _summary(totals, len(weights), np.array([name in _STEEPEST for name in names]))


class _Watched(NamedTuple):
    """The last steps of the nodes: what each reads and how it is activated.

    Attributes:
        sources: int32[N, K].
        weights: float32[N, K].
        activations: int8[N].
        steepest: float32[N]; of the activation's slope, 0 where it cannot saturate.
        late: bool[N, K]; which sources are read as they were in the last time step. None in a
            feed-forward network.
    """

    sources: Int32[Array, "N K"]
    weights: Float32[Array, "N K"]
    activations: Array
    steepest: Float32[Array, " N"]
    late: Bool[Array, "N K"] | None


class _Totals(NamedTuple):
    """Running sums over the steps of each lane, of differences from its first step: small numbers,
    which float32 adds up well.

    Attributes:
        first_sum, first_value: float32[N, L], x and y of the first step, where y is the activation
            of x.
        x, y, xx, yy, xy: float32[N, L], sums of differences and of their products.
        low, high: float32[N, L], of y.
        saturated: float32[N, L], steps.
        steps: float32[L].
    """

    first_sum: Float32[Array, "N L"]
    first_value: Float32[Array, "N L"]
    x: Float32[Array, "N L"]
    y: Float32[Array, "N L"]
    xx: Float32[Array, "N L"]
    yy: Float32[Array, "N L"]
    xy: Float32[Array, "N L"]
    low: Float32[Array, "N L"]
    high: Float32[Array, "N L"]
    saturated: Float32[Array, "N L"]
    steps: Float32[Array, " L"]


def _watched(network: Network) -> _Watched:
    activations = np.asarray(network.activations)
    outputs = np.arange(len(activations)) >= len(activations) - network.outputs
    used = outputs | (np.arange(len(activations)) < int(network.steps))
    nodes = np.flatnonzero(used & (activations != SUM))
    weights = np.ones(network.sources.shape, np.float32) if network.weights is None else np.asarray(network.weights)
    late = np.asarray(network.sources)[nodes] >= FIRST_INPUT + network.inputs + nodes[:, None]
    return _Watched(
        jnp.asarray(network.sources)[nodes],
        jnp.asarray(weights[nodes]),
        jnp.asarray(activations[nodes]),
        jnp.asarray([_STEEPEST.get(NAMES[activation], 0.0) for activation in activations[nodes]], jnp.float32),
        jnp.asarray(late) if late.any() else None,
    )


def _look(
    watched: _Watched, before: Float32[Array, "rows 1 L"], values: Float32[Array, "rows 1 L"], gain: Float32[Array, " L"]
) -> tuple[Array, Array, Array]:
    """Sums x, values y and whether they are saturated, [N, L] each, given the table of values and
    that of the last time step.
    """
    read = values[:, 0, :][watched.sources]
    if watched.late is not None:
        read = jnp.where(watched.late[:, :, None], before[:, 0, :][watched.sources], read)
    x = gain[None, :] * jnp.sum(read * watched.weights[:, :, None], axis=1)
    ids = watched.activations[:, None]
    flat = jnp.abs(slope(ids, x)) < SATURATED * watched.steepest[:, None]
    return x, activate(ids, x), flat.astype(jnp.float32)


def _begin(x, y, steps) -> _Totals:
    nothing = jnp.zeros_like(x)
    return _Totals(x, y, nothing, nothing, nothing, nothing, nothing, y, y, nothing, steps)


def _add(totals: _Totals, x, y, flat, alive: Bool[Array, " L"]) -> _Totals:
    """The totals after one more step of the lanes that are alive; whatever others compute, NaN
    included, reaches nothing.
    """
    dx, dy = x - totals.first_sum, y - totals.first_value

    def plus(total, new):
        return total + jnp.where(alive, new, 0.0)

    return totals._replace(
        x=plus(totals.x, dx),
        y=plus(totals.y, dy),
        xx=plus(totals.xx, dx * dx),
        yy=plus(totals.yy, dy * dy),
        xy=plus(totals.xy, dx * dy),
        low=jnp.where(alive, jnp.minimum(totals.low, y), totals.low),
        high=jnp.where(alive, jnp.maximum(totals.high, y), totals.high),
        saturated=plus(totals.saturated, flat),
        steps=plus(totals.steps, 1.0),
    )


def _over_data(network: Network, watched: _Watched, gain, observations: Float32[Array, "T I L"]) -> _Totals:
    see = _seeing(network, watched, gain)

    def advance(carry, now):
        values, totals = carry
        values, _, seen = see(values, now[:, None, :])
        return (values, _add(totals, *seen, jnp.ones(len(gain), bool))), None

    start = initial_values(tape_of(network), len(gain))
    x, y, _ = see(start, observations[0][:, None, :])[2]
    return lax.scan(advance, (start, _begin(x, y, jnp.zeros(len(gain)))), observations)[0][1]


def _over_episodes(problem: Episodic, network: Network, watched: _Watched, gain, keys: Key[Array, " L"], params) -> _Totals:
    see = _seeing(network, watched, gain)

    def running(carry):
        time, alive, *_ = carry
        return (time < problem.max_steps) & jnp.any(alive)

    def advance(carry):
        time, alive, observations, state, values, totals = carry
        values, outputs, seen = see(values, observations)
        totals = _add(totals, *seen, alive[0])
        after = problem.step(keys, time, state, outputs, params)
        return time + 1, alive & ~after.ended, after.observation, after.state, values, totals

    observations, state = problem.reset(keys, 1, params)
    start = initial_values(tape_of(network), len(gain))
    x, y, _ = see(start, observations)[2]
    alive = jnp.ones((1, len(gain)), bool)
    carry = (jnp.int32(0), alive, observations, state, start, _begin(x, y, jnp.zeros(len(gain))))
    return lax.while_loop(running, advance, carry)[-1]


def _seeing(network: Network, watched: _Watched, gain) -> Callable[[Array, Array], tuple[Array, Array, tuple[Array, Array, Array]]]:
    """(values, observations) → values after a time step, outputs, and what `_look` finds."""
    tape = tape_of(network)

    def see(before, observations):
        values, outputs = forward(tape, before, observations, gain, dynamic_length=devices.on_cpu())
        return values, outputs, _look(watched, before, values, gain)

    return see


def _summary(totals: _Totals, weights: int, can_saturate: Bool[np.ndarray, " N"]) -> Activity:
    """Joins the lanes of each shared weight."""
    t: Any = jax.tree.map(lambda each: np.asarray(each, np.float64).reshape(*each.shape[:-1], weights, -1), totals)
    steps = t.steps.sum(axis=-1)

    def moments(first_a, a, first_b, b, ab):
        """The means of a and b, and the sum of products of their deviations from it."""
        lane_a, lane_b = first_a + a / t.steps, first_b + b / t.steps
        mean_a, mean_b = ((t.steps * lane).sum(axis=-1) / steps for lane in (lane_a, lane_b))
        within = ab - a * b / t.steps
        between = t.steps * (lane_a - mean_a[..., None]) * (lane_b - mean_b[..., None])
        return mean_b, (within + between).sum(axis=-1)

    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        _, xx = moments(t.first_sum, t.x, t.first_sum, t.x, t.xx)
        mean, yy = moments(t.first_value, t.y, t.first_value, t.y, t.yy)
        _, xy = moments(t.first_sum, t.x, t.first_value, t.y, t.xy)
        low, high = t.low.min(axis=-1), t.high.max(axis=-1)
        varied = (high - low > _CONSTANT * np.maximum(np.maximum(np.abs(low), np.abs(high)), 1.0)) & (xx > 0)
        linearity = np.where(varied, xy**2 / (xx * yy), np.nan)
        saturated = np.where(can_saturate[:, None], t.saturated.sum(axis=-1) / steps, np.nan)
        deviation = np.sqrt(np.maximum(yy, 0) / steps)
    return Activity(low, high, mean, deviation, saturated, np.minimum(linearity, 1.0), steps.astype(np.int64))
