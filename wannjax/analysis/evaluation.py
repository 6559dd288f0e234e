"""The paper's protocol: what one network scores with random weights, a random shared weight, the
best shared weight, trained weights.

These are the columns of table 1 of Gaier & Ha 2019. All are measured on fresh episodes; where a
weight is chosen, it is chosen on episodes of its own. Of data they are measured on the examples for
reports, and the weight is chosen on those for validation; without `x_test` these are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from wannjax.analysis.canonical import canonical
from wannjax.common.digits import number, with_spread
from wannjax.common.keys import Purpose, key_of
from wannjax.common.validation import require_count, require_one_of, require_seed, require_weights
from wannjax.common.wording import counted
from wannjax.networks.graph import graph_of, network_of
from wannjax.networks.network import Network, connection_count, individual_weights
from wannjax.problems.capabilities import Supervised
from wannjax.problems.problem import Problem, check_single
from wannjax.problems.registry import as_problem
from wannjax.problems.splits import SPLITS
from wannjax.search.wann.config import SWEEP

RANDOM_RANGE = 2.0
"""Random weights are drawn from U(-RANDOM_RANGE, RANDOM_RANGE), as in the paper."""
GRID = np.linspace(-3.0, 3.0, 121)
"""Shared weights among which the tuned one is chosen."""
GRID_EPISODES = 20
"""On which each of them is tried, unless the figures are of fewer."""


class Score(NamedTuple):
    """A mean return and its standard deviation over episodes."""

    mean: float
    std: float
    episodes: int

    def __str__(self) -> str:
        """With as many digits as the deviation leaves any meaning, and without it where there is
        only one episode.

        >>> print(Score(750.3, 57.1, 100), Score(0.012, 0.003, 100), Score(91.25, 0.0, 1), sep=", ")
        750 ± 57, 0.012 ± 0.003, 91.25
        """
        return with_spread(self.mean, self.std) if self.episodes > 1 else number(self.mean)


@dataclass(frozen=True)
class Report:
    """One network's scores.

    Attributes:
        per_weight: shared weight → score.
        random_weights: every connection's weight drawn anew for every episode.
        random_shared: one weight drawn for every episode.
        tuned_shared: at the shared weight that did best on a grid, `tuned_weight`.
        tuned_weights: with the network's individual weights; None where it has none.
        connections: of the network.
        canonical_connections: of its normal form (`canonical`), in which what computes a constant
            and what computes the same twice count once.
        problem_name, metric, stochastic: of the problem.
        measured_on: what each score rests on, for people.
    """

    per_weight: dict[float, Score]
    random_weights: Score
    random_shared: Score
    tuned_shared: Score
    tuned_weight: float
    tuned_weights: Score | None
    connections: int
    canonical_connections: int
    problem_name: str
    metric: str
    stochastic: bool
    measured_on: str

    @property
    def mean(self) -> float:
        """The mean score over the sweep: what the search maximises."""
        return float(np.mean([score.mean for score in self.per_weight.values()]))


def evaluate(
    network: Network,
    problem: Problem | str,
    *,
    episodes: int = 100,
    seed: int = 0,
    weights: tuple[float, ...] = SWEEP,
    split: str = "test",
) -> Report:
    """Measures `network` on `problem`, with `episodes` fresh episodes per figure.

    `problem` may be a name for `wannjax.make`. Of data the figures are of the examples of `split`:
    "train", "validation" or "test".

    Raises ValueError for a population, sizes that do not fit the problem, fewer than one episode,
    weights that are not finite, or another split, and TypeError for what is no network or no
    problem.
    """
    check_single(network)
    problem = as_problem(problem)
    require_one_of("split", split, SPLITS)
    return _reports(network, problem, [split], episodes, seed, weights)[0]


def evaluate_splits(
    network: Network, problem: Problem, *, episodes: int = 100, seed: int = 0, weights: tuple[float, ...] = SWEEP
) -> list[Report]:
    """As `evaluate`, on each of `splits_of(problem)`: what does not depend on the examples is found
    once.
    """
    check_single(network)
    return _reports(network, problem, splits_of(problem), episodes, seed, weights)


def _reports(
    network: Network, problem: Problem, splits: Sequence[str], episodes: int, seed: int, weights: tuple[float, ...]
) -> list[Report]:
    network = network_of(graph_of(network))  # without padding, on which draws of weights would depend
    episodes = require_count("episodes", episodes)
    seed = require_seed(seed)
    weights = require_weights(weights)
    grid_key, score_key, shared_key, weights_key = jax.random.split(key_of(seed, Purpose.EVALUATION), 4)
    bare = replace(network, weights=None, input_names=(), output_names=())
    plain = jax.tree.map(lambda leaf: leaf[None], bare)

    tuned_weight = _tuned(grid_key, plain, problem, episodes)

    # One call for all columns, each a table of weights for every lane. What is the same in every
    # episode of a data set is measured once.
    fixed = episodes if problem.stochastic else 1
    random_shared = jax.random.uniform(shared_key, (episodes,), jnp.float32, minval=-RANDOM_RANGE, maxval=RANDOM_RANGE)
    random_weights = jax.random.uniform(
        weights_key, (*network.sources.shape, episodes), jnp.float32, minval=-RANDOM_RANGE, maxval=RANDOM_RANGE
    )
    tables = [individual_weights(bare, jax.device_put(np.full(fixed, weight, np.float32))) for weight in (*weights, tuned_weight)]
    tables += [individual_weights(bare, random_shared), individual_weights(bare, random_weights)]
    if network.weights is not None:
        tables.append(individual_weights(network, jax.device_put(np.ones(fixed, np.float32))))
    counts = [table.shape[-1] for table in tables]
    lanes = replace(plain, weights=jnp.concatenate(tables, axis=-1)[None])
    keys = jax.random.split(score_key, episodes)
    keys = jnp.concatenate([keys[:count] for count in counts])
    ones, count = jax.device_put(np.ones(len(keys), np.float32)), len(weights)
    sizes = connection_count(network), connection_count(canonical(network).network)
    reports = []
    for split in splits:
        returns = problem.split(split).measure(keys, lanes, ones)
        rows = np.split(np.asarray(returns)[0], np.cumsum(counts)[:-1])
        columns = [Score(float(row.mean()), float(row.std()), len(row)) for row in rows]
        report = Report(
            per_weight=dict(zip((float(weight) for weight in weights), columns[:count], strict=True)),
            tuned_shared=columns[count],
            random_shared=columns[count + 1],
            random_weights=columns[count + 2],
            tuned_weights=columns[count + 3] if network.weights is not None else None,
            tuned_weight=tuned_weight,
            connections=sizes[0],
            canonical_connections=sizes[1],
            problem_name=problem.name,
            metric=problem.metric,
            stochastic=problem.stochastic,
            measured_on=measured_on(problem, split, episodes),
        )
        reports.append(report)
    return reports


def tuned_shared_weight(network: Network, problem: Problem) -> float:
    """The shared weight of `GRID` that is best on the examples for validation; the same as in the
    table of scores where those are all that it depends on.
    """
    plain = jax.tree.map(lambda leaf: leaf[None], replace(network, weights=None, input_names=(), output_names=()))
    return _tuned(key_of(0, Purpose.EVALUATION), plain, problem)


def _tuned(key: Key[Array, ""], plain: Network, problem: Problem, episodes: int = GRID_EPISODES) -> float:
    """The shared weight of `GRID` at which the only network of `plain` has the best `measure`."""
    tries = min(GRID_EPISODES, episodes) if problem.stochastic else 1
    keys = jnp.tile(jax.random.split(key, tries), len(GRID))
    grid = problem.split("validation").measure(keys, plain, jax.device_put(np.repeat(np.array(GRID, np.float32), tries)))
    means = _finite(grid).reshape(len(GRID), tries).mean(axis=1)
    ties = np.flatnonzero(means == means.max())
    return float(GRID[ties[len(ties) // 2]])  # of equally good weights one in their middle


def _finite(returns) -> np.ndarray:
    """Returns with what is not finite as the worst."""
    values = np.asarray(returns, np.float64)
    return np.where(np.isfinite(values), values, -np.inf)


def measured_on(problem: Problem, split: str, episodes: int) -> str:
    """What a score on a split of `problem` rests on: so many fresh episodes, or the examples of
    that split.

    >>> from wannjax.problems.data import DataProblem
    >>> measured_on(DataProblem([[0.0], [1.0]], [0, 1]), "test", 100)
    'the 2 training examples'
    """
    if problem.stochastic:
        return counted(episodes, "fresh episode")
    if not isinstance(problem, Supervised):
        return "one measurement, which knows no chance"
    return f"the {examples_of(problem, split)}"


def examples_of(problem: Supervised, split: str) -> str:
    """The examples of a split, which are those of an earlier one where it has none of its own.

    >>> from wannjax.problems.data import DataProblem
    >>> examples_of(DataProblem(np.eye(30), np.arange(30) % 2), "test")
    '6 validation examples'
    """
    examples = problem.split(split).examples
    first = next(name for name in SPLITS if problem.split(name).examples is examples)
    return counted(len(examples.inputs), f"{'training' if first == 'train' else first} example")


def splits_of(problem: Problem) -> list[str]:
    """The splits of a problem that have examples of their own; "test" alone where keys draw the
    episodes, or no chance has a say.

    >>> from wannjax.problems.data import DataProblem
    >>> splits_of(DataProblem(np.eye(30), np.arange(30) % 2))
    ['train', 'validation']
    """
    if not isinstance(problem, Supervised):
        return ["test"]
    found = {name: problem.split(name).examples for name in SPLITS}
    return [name for place, name in enumerate(SPLITS) if all(found[name] is not found[other] for other in SPLITS[:place])]
