"""What the tests of training share: a problem that is known in closed form, a few networks, and points to sort."""

import jax
import jax.numpy as jnp
import numpy as np

from wannjax import EvolutionStrategy
from wannjax.finetuning import finetune
from wannjax.networks.graph import Connection, Graph, graph_of, network_of
from wannjax.problems.data import DataProblem
from wannjax.problems.problem import Evaluation, Problem

TARGET = np.array([1.0, -0.5, 1.5], np.float32)


class Quadratic(Problem):
    """Minus the squared distance of a network's three weights from `TARGET`, whatever the key; nan where `spoils` says so."""

    name, inputs, outputs, metric, stochastic = "quadratic", 3, 1, "minus distance", False
    input_names, output_names, output_activation = ("a", "b", "c"), ("d",), "linear"

    def __init__(self, spoils=lambda weights: False):
        self.spoils = spoils

    def evaluate(self, key, networks, weights, *, episodes, activation_ids=()):
        own = np.asarray(networks.weights)[:, 0, None, :] * np.asarray(weights)[None, :, None]
        scores = np.where(self.spoils(own), np.float32(np.nan), -np.sum((own - TARGET) ** 2, axis=-1, dtype=np.float32))
        steps = np.full(scores.shape, episodes, np.int32)
        return Evaluation(jax.device_put(scores), jax.device_put(steps), jnp.float32(scores.size * episodes))


LINE = network_of(Graph(("a", "b", "c"), ("d",), (1,), (Connection(1, 4), Connection(2, 4), Connection(3, 4))))
ES = EvolutionStrategy(population=32, deviation=0.05, learning_rate=0.1)
"""Follows an optimizer, which CMA-ES, the default, does not."""


def distance(weights):
    return -np.sum((np.asarray(weights, np.float64) - TARGET) ** 2)


SORTING = network_of(
    Graph(("a", "b"), ("no", "yes"), (5, 1, 1), (Connection(1, 3), Connection(2, 3), Connection(3, 4), Connection(3, 5), Connection(0, 5)))
)
BALANCING = network_of(Graph(("x", "dx", "θ", "dθ"), ("left", "right"), (1, 1), (Connection(3, 6), Connection(4, 6))))
SWINGING = network_of(
    Graph(
        ("x", "dx", "cos", "sin", "dθ"),
        ("force",),
        (5, 5),
        (Connection(3, 6), Connection(4, 6), Connection(5, 6), Connection(0, 7), Connection(1, 7), Connection(6, 7)),
    )
)


def points_to_sort():
    """Which of two numbers is larger; 41 examples to train on, which two devices cannot share equally."""
    x = np.random.default_rng(0).normal(size=(51, 2))
    return DataProblem(x, x[:, 0] > x[:, 1])


QUADRATIC = Quadratic()
"""Shared by the tests, and so its programs."""


def weights_of(network):
    return np.array(graph_of(network).weights)


def tune(network=LINE, problem=None, *, method=ES, steps=4, **options):
    return finetune(network, problem or QUADRATIC, method=method, steps=steps, progress=False, **options)
