"""How much the value of the shared weight matters: a network's score as a curve over it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from wannjax.common.keys import Purpose, key_of
from wannjax.common.validation import require_count, require_seed, require_weights
from wannjax.common.wording import counted
from wannjax.networks.network import Network
from wannjax.problems.problem import Problem, check_single, check_sizes
from wannjax.problems.registry import as_problem

RANGE = tuple(round(float(weight), 1) for weight in np.linspace(-3, 3, 61))
"""-3 to 3 in steps of 0.1: the sweep, and what the search never looked at."""


@dataclass(frozen=True, eq=False)
class WeightCurve:
    """The score of one network at many shared weights.

    Attributes:
        weights: float64[W], ascending.
        means, deviations: float64[W], mean and standard deviation of the score over episodes.
        episodes: at each weight.
        metric: what the score is.
    """

    weights: Float64[np.ndarray, " W"]
    means: Float64[np.ndarray, " W"]
    deviations: Float64[np.ndarray, " W"]
    episodes: int
    metric: str

    def __repr__(self) -> str:
        shared = counted(len(self.weights), "shared weight")
        return f"WeightCurve({self.metric}: {shared} from {self.weights[0]:g} to {self.weights[-1]:g})"

    @property
    def best_weight(self) -> float:
        """The shared weight with the best mean score; the smallest of several."""
        return float(self.weights[np.argmax(self.means)])

    @property
    def good_share(self) -> float:
        """The share of the weights at which the score is within a tenth of its range (worst to
        best) of the best.
        """
        worst, best = self.means.min(), self.means.max()
        return float(np.mean(self.means >= best - 0.1 * (best - worst)))


def weight_curve(
    network: Network, problem: Problem | str, *, weights: Sequence[float] = RANGE, episodes: int = 100, seed: int = 0
) -> WeightCurve:
    """Measures `network` at every shared weight of `weights`, which scales individual weights where
    it has any.

    All weights see the same `episodes` episodes; a data set is measured once, on its examples for
    reports (`split` "test"). `problem` may be a name for `wannjax.make`. Raises ValueError for a
    population, sizes that do not fit the problem, and arguments out of range, and TypeError for
    what is no network or no problem.
    """
    check_single(network)
    problem = as_problem(problem)
    episodes = require_count("episodes", episodes)
    seed = require_seed(seed)
    weights = require_weights(weights)
    check_sizes(network, problem)
    count = episodes if problem.stochastic else 1
    plain = jax.tree.map(lambda leaf: leaf[None], replace(network, input_names=(), output_names=()))
    grid = np.array(sorted(map(float, weights)))
    keys = jnp.tile(jax.random.split(key_of(seed, Purpose.WEIGHT_CURVE), count), len(grid))
    measured = problem.split("test").measure(keys, plain, jax.device_put(np.repeat(grid.astype(np.float32), count)))
    scores = np.asarray(measured[0], np.float64).reshape(len(grid), count)
    return WeightCurve(grid, scores.mean(axis=1), scores.std(axis=1), count, problem.metric)
