"""Problems whose search sees other weights or more episodes than its champions are chosen on."""

import jax
import jax.numpy as jnp

from wannjax.networks.tape import ALL_ACTIVATIONS
from wannjax.problems.environment_problem import EnvironmentProblem
from wannjax.problems.problem import Problem


class _Searched(Problem):
    """`problem` as it is, champions included; a subclass changes what the search sees."""

    def __init__(self, problem: EnvironmentProblem):
        self.problem = problem
        self.name, self.inputs, self.outputs = problem.name, problem.inputs, problem.outputs
        self.input_names, self.output_names = problem.input_names, problem.output_names
        self.output_activation = problem.output_activation

    def split(self, name):
        return self.problem

    def measure(self, keys, networks, gain, *, activation_ids=ALL_ACTIVATIONS):
        return self.problem.measure(keys, networks, gain, activation_ids=activation_ids)


class DrawnSweep(_Searched):
    """Every generation draws as many weights as the sweep has: half of each sign, sizes spread over
    [0.5, 2].
    """

    def evaluate(self, key, networks, weights, *, episodes, activation_ids=ALL_ACTIVATIONS):
        pairs = (len(weights) + 1) // 2
        sizes = 0.5 + 1.5 * (jnp.arange(pairs) + jax.random.uniform(jax.random.fold_in(key, 1), (2, pairs))) / pairs
        drawn = jnp.concatenate([-sizes[0], sizes[1]])[: len(weights)]
        return self.problem.evaluate(key, networks, drawn, episodes=episodes, activation_ids=activation_ids)


class LateEpisodes(_Searched):
    """Of `generations` generations, of which some are `done`, the second half takes three times as
    many episodes as the first, together as many as ever.
    """

    def __init__(self, problem: EnvironmentProblem, generations: int, done: int):
        super().__init__(problem)
        self.left = generations / 2 - done

    def evaluate(self, key, networks, weights, *, episodes, activation_ids=ALL_ACTIVATIONS):
        self.left -= 1
        episodes = episodes // 2 if self.left >= 0 else episodes + episodes // 2
        return self.problem.evaluate(key, networks, weights, episodes=episodes, activation_ids=activation_ids)
