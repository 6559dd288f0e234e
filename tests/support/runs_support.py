"""A problem without an environment that searches are quick on, and when two runs found the same."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from wannjax.networks.graph import graph_of
from wannjax.networks.network import tape_of
from wannjax.networks.tape import forward, initial_values
from wannjax.problems.problem import Evaluation, Problem


@partial(jax.jit, static_argnames="episodes")
def _compare(key, networks, weights, episodes):
    points = jax.random.normal(key, (2, 1, 8 * episodes))
    lanes = jnp.tile(points, (1, networks.activations.shape[0], weights.shape[0]))
    tape = tape_of(networks)
    _, outputs = forward(tape, initial_values(tape, lanes.shape[-1]), lanes, jnp.repeat(weights, 8 * episodes))
    agreement = jnp.tanh(outputs[0]) * jnp.sign(jnp.abs(lanes[0]) - jnp.abs(lanes[1]))
    return jnp.mean(agreement.reshape(lanes.shape[1], weights.shape[0], -1), axis=-1)


class Larger(Problem):
    """Scores how well a network tells which of its two inputs is larger in size: a problem without an environment."""

    name, inputs, outputs = "larger", 2, 1
    input_names, output_names, output_activation = ("a", "b"), ("first",), "linear"

    def __init__(self, spoil=lambda generation, scores: scores):
        self.spoil, self.calls = spoil, 0

    def evaluate(self, key, networks, weights, *, episodes, activation_ids=()):
        self.calls += 1
        scores = self.spoil(self.calls, np.asarray(_compare(key, networks, weights, episodes)))
        steps = np.full(scores.shape, 8 * episodes, np.int32)
        return Evaluation(scores, steps, np.int32(steps.sum()))


def same(first, second):
    assert graph_of(first.champion) == graph_of(second.champion)
    np.testing.assert_array_equal(first.champion_scores, second.champion_scores)
    np.testing.assert_array_equal(first.front_scores, second.front_scores)
    for name in set(first.history) - {"seconds", "rollout_seconds", "computed_steps"}:
        np.testing.assert_array_equal(first.history[name], second.history[name], err_msg=name)
