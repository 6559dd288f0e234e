"""What the package should compute, slowly and obviously, in float64 numpy. Nothing here is imported from wannjax.

Add an activation here when the package gains one: its function, and how steep it gets.
"""

from collections.abc import Callable
from itertools import permutations
from typing import NamedTuple

import numpy as np

ACTIVATIONS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda x: x,
    2: lambda x: np.where(x > 0, 1.0, 0.0),
    3: lambda x: np.sin(np.pi * np.fmod(x, 2.0)),
    4: lambda x: np.exp(-x * x / 2),
    5: np.tanh,
    6: lambda x: np.where(x > 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x)))),
    7: lambda x: -x,
    8: np.abs,
    9: lambda x: np.where(x > 0, x, 0.0),
    10: lambda x: np.cos(np.pi * np.fmod(x, 2.0)),
    11: lambda x: x * x,
}
"""Activation by id, as published. fmod is exact, and keeps the argument of sin and cos small."""

_STEEPEST = {1: 1, 3: np.pi, 4: 0.61, 5: 1, 6: 0.25, 7: 1, 8: 1, 9: 1, 10: np.pi}
ROUNDING = 2.0**-23


class Genes(NamedTuple):
    """A genome as plain numpy arrays: connections int8[1+I+H, H+O] of 0, 1 (enabled), -1 (disabled); activations int8[H+O]."""

    connections: np.ndarray
    activations: np.ndarray
    inputs: int
    outputs: int

    @property
    def slots(self) -> int:
        return len(self.activations) - self.outputs

    @property
    def nodes(self) -> int:
        return int(np.count_nonzero(self.activations[: self.slots]))


def random_genes(
    rng, *, inputs=3, outputs=2, nodes=8, slots=12, density=0.3, ids=tuple(range(1, 11)), defects=0.15, recurrent=False
) -> Genes:
    """Random genes with disabled connections, and with dead, inputless and fully connected nodes, each with chance `defects`;
    connections may be `recurrent`.
    """
    first = 1 + inputs
    connections = np.zeros((first + slots, slots + outputs), np.int8)
    activations = np.zeros(slots + outputs, np.int8)
    targets = [*range(nodes), *range(slots, slots + outputs)]
    for target in targets:
        activations[target] = rng.choice(ids)
        sources = [*range(first + (nodes if recurrent else min(target, nodes)))]
        connections[sources, target] = rng.choice([1, -1, 0], len(sources), p=[density, density / 3, 1 - density * 4 / 3])
        if rng.random() < defects:
            connections[sources, target] = rng.choice([0, -1], len(sources))
        elif rng.random() < defects:
            connections[sources, target] = 1
    for node in range(nodes):
        if rng.random() < defects:
            connections[first + node] = -np.abs(connections[first + node])
    return Genes(connections, activations, inputs, outputs)


def fan_in_genes(fan_in: int, *, to_output: bool) -> Genes:
    """One node, hidden or an output, that reads `fan_in` of 45 inputs; a hidden one is read by the output."""
    inputs = 45
    connections = np.zeros((1 + inputs + 2, 2 + 1), np.int8)
    sources = np.linspace(0, inputs, fan_in).astype(int) if fan_in else []
    connections[sources, 2 if to_output else 0] = 1
    if not to_output:
        connections[1 + inputs, 2] = 1
    return Genes(connections, np.array([5, 0, 1], np.int8), inputs, 1)


def run(genes: Genes, weights, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outputs [B, O] for observations [B, I], and a bound on how far correct float32 arithmetic can be from them.

    `weights` is one shared weight or a matrix of individual ones. The bound follows rounding errors from node to node: it is
    large where a network magnifies them, as sin and cos of large values do, or where a step's input is too near to 0 to tell.
    """
    outputs, errors = run_over_time(genes, weights, observations[None])
    return outputs[0], errors[0]


def run_over_time(genes: Genes, weights, observations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `run`, of sequences [T, B, I]: outputs [T, B, O] and their bounds. A source that is not evaluated yet has the value of the last
    time step, and 0 in the first.
    """
    found, last = [], ({}, {})
    for now in observations:
        *pair, last = _step(genes, weights, now, last)
        found.append(pair)
    outputs, errors = zip(*found, strict=True)
    return np.stack(outputs), np.stack(errors)


def _step(genes: Genes, weights, observations: np.ndarray, last):
    """One time step: outputs, bounds, and the values and errors of all nodes, given those of the last time step."""
    batch, first = len(observations), 1 + genes.inputs
    weights = np.broadcast_to(np.asarray(weights, np.float64), genes.connections.shape)
    values = {0: np.ones(batch), **{1 + i: observations[:, i].astype(np.float64) for i in range(genes.inputs)}}
    errors = {source: np.zeros(batch) for source in values}
    for target, activation in enumerate(genes.activations):
        if activation == 0:
            continue
        total, error, magnitude, sources = np.zeros(batch), np.zeros(batch), np.zeros(batch), 0
        for source in np.flatnonzero(genes.connections[:, target] == 1):
            weight = weights[source, target]
            value, its_error = (
                (each[source] if source in values else before.get(source, np.zeros(batch)))
                for each, before in ((values, last[0]), (errors, last[1]))
            )
            total += weight * value
            error += abs(weight) * its_error
            magnitude += abs(weight * value)
            sources += 1
        error += (sources + 2) * ROUNDING * magnitude
        values[first + target] = ACTIVATIONS[activation](total)
        errors[first + target] = _error_after(activation, total, error)
    outputs = [first + target for target in range(genes.slots, genes.slots + genes.outputs)]
    return np.stack([values[o] for o in outputs], 1), np.stack([errors[o] for o in outputs], 1), (values, errors)


def _error_after(activation, x, error):
    if activation == 2:
        return np.where(np.abs(x) <= error, 1.0, 0.0)
    steepness = 2 * (np.abs(x) + error) if activation == 11 else _STEEPEST[activation]
    own = 5e-7 if activation in (3, 4, 5, 6, 10) else ROUNDING * np.abs(ACTIVATIONS[activation](x))
    spread = steepness * error + own
    return np.minimum(spread, 2.0) if activation in (3, 4, 5, 6, 10) else spread


def live_nodes(genes: Genes) -> set[int]:
    """The hidden nodes from which a path of enabled connections leads to an output."""
    first, live, waiting = 1 + genes.inputs, set(), list(range(genes.slots, genes.slots + genes.outputs))
    while waiting:
        target = waiting.pop()
        for source in np.flatnonzero(genes.connections[:, target] == 1):
            node = int(source) - first
            if node >= 0 and node not in live:
                live.add(node)
                waiting.append(node)
    return live


def live_connections(genes: Genes) -> int:
    """Enabled connections into outputs and live nodes."""
    targets = [*live_nodes(genes), *range(genes.slots, genes.slots + genes.outputs)]
    return int(np.sum(genes.connections[:, targets] == 1))


def tape_steps(genes: Genes) -> int:
    """Steps before the outputs: the first step of a node sums three sources, every further one two; outputs stand elsewhere."""

    def chain(target):
        left, steps = int(np.sum(genes.connections[:, target] == 1)) - 3, 1
        while left > 0:
            left, steps = left - 2, steps + 1
        return steps

    outputs = range(genes.slots, genes.slots + genes.outputs)
    return sum(chain(node) for node in live_nodes(genes)) + sum(chain(output) - 1 for output in outputs)


def fronts(points: np.ndarray) -> np.ndarray:
    """The front of each point, by peeling off the non-dominated ones of a full dominance matrix."""
    as_good = np.all(points[:, None] >= points[None, :], axis=2)
    dominates = as_good & np.any(points[:, None] > points[None, :], axis=2)
    front, level = np.full(len(points), -1), 0
    while np.any(front < 0):
        left = front < 0
        front[left & ~np.any(dominates[left], axis=0)] = level
        level += 1
    return front


def crowding(points: np.ndarray, front: np.ndarray) -> np.ndarray:
    """The crowding distance of each point within its front. How identical points share theirs is left open (see the tests)."""
    distance = np.zeros(len(points))
    for level in np.unique(front):
        members = np.flatnonzero(front == level)
        for objective in points.T:
            order = members[np.argsort(objective[members], kind="stable")]
            sorted_values = objective[order]
            span = sorted_values[-1] - sorted_values[0] or 1.0
            distance[order[1:-1]] += (sorted_values[2:] - sorted_values[:-2]) / span
            distance[order[[0, -1]]] = np.inf
    return distance


def lexicase_shares(cases: np.ndarray, valid: np.ndarray, factor: float) -> np.ndarray:
    """How often ε-lexicase selection draws each genome: every order of the cases counts the same, and those that are left share it."""
    eligible = np.flatnonzero(valid)
    tolerance = [factor * np.median(np.abs(case - np.median(case))) for case in cases[eligible].T]
    orders = list(permutations(range(cases.shape[1])))
    shares = np.zeros(len(cases))
    for order in orders:
        left = list(eligible)
        for case in order:
            best = max(cases[genome, case] for genome in left)
            left = [genome for genome in left if cases[genome, case] >= best - tolerance[case]]
        shares[left] += 1 / len(left) / len(orders)
    return shares


def swing_up_step(state: np.ndarray, action: float) -> tuple[np.ndarray, float, bool]:
    """The next (x, ẋ, θ, θ̇), its reward, and whether the cart has left the track."""
    x, x_dot, theta, theta_dot = (float(part) for part in state)
    gravity, cart, pole, length, friction, time_step = 9.82, 0.5, 0.5, 0.6, 0.1, 0.01
    force = 10.0 * min(max(float(action), -1.0), 1.0)
    total, m, s, c = cart + pole, pole * length, np.sin(theta), np.cos(theta)
    x_acceleration = (-2 * m * theta_dot**2 * s + 3 * pole * gravity * s * c + 4 * force - 4 * friction * x_dot) / (
        4 * total - 3 * pole * c**2
    )
    theta_acceleration = (-3 * m * theta_dot**2 * s * c + 6 * total * gravity * s + 6 * (force - friction * x_dot) * c) / (
        4 * length * total - 3 * m * c**2
    )
    x, theta = x + time_step * x_dot, theta + time_step * theta_dot
    x_dot, theta_dot = x_dot + time_step * x_acceleration, theta_dot + time_step * theta_acceleration
    reward = (np.cos(theta) + 1) / 2 * np.cos(np.pi * x / 4.8)
    return np.array([x, x_dot, theta, theta_dot]), float(reward), abs(x) > 2.4


def swing_up_episode(policy: Callable[[np.ndarray], float], state: np.ndarray, steps: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """The states [T, 4] and rewards [T] of one episode; `policy` maps (x, ẋ, cos θ, sin θ, θ̇) to an action."""
    states, rewards, terminated = [], [], False
    while not terminated and len(states) < steps:
        x, x_dot, theta, theta_dot = state
        action = policy(np.array([x, x_dot, np.cos(theta), np.sin(theta), theta_dot]))
        state, reward, terminated = swing_up_step(state, action)
        states.append(state)
        rewards.append(reward)
    return np.array(states), np.array(rewards)


def differences(function, x, step=1e-6):
    """The gradient of `function` at `x` by central differences."""
    gradient = np.zeros(x.shape)
    for place in np.ndindex(*x.shape):
        ahead, behind = x.copy(), x.copy()
        ahead[place] += step
        behind[place] -= step
        gradient[place] = (function(ahead) - function(behind)) / (2 * step)
    return gradient
