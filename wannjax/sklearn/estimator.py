"""A search, and training, as `fit`: what the classifier and the regressor have in common.

It only translates: a table becomes a `DataProblem`. What is searched and trained is decided
elsewhere.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.base import BaseEstimator, is_regressor
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from wannjax.analysis.evaluation import GRID
from wannjax.analysis.formula import Formulas, formula
from wannjax.analysis.predictions import outputs_of
from wannjax.common.keys import Purpose, key_of
from wannjax.common.validation import is_whole, plain, require, require_count, require_one_of
from wannjax.finetuning import finetune
from wannjax.networks.network import Network, connection_count
from wannjax.problems.data import DataProblem
from wannjax.problems.problem import checked_names
from wannjax.problems.splits import Validation, held_out_of, require_share
from wannjax.runs.evolution import evolve
from wannjax.runs.loop import Callback
from wannjax.runs.result import Result
from wannjax.search.registry import ALGORITHMS
from wannjax.search.wann.config import EPISODES, WannConfig
from wannjax.sklearn.table import distinct_rows, problem_of, scaler_of
from wannjax.sklearn.table_formula import in_units_of_the_table

WEIGHTS, SHARED = "weights", "shared"
_ALL_EPISODES = 128
"""Mini-batches on which shared weights are compared: of most tables all rows."""


class _Found(NamedTuple):
    """What one search and training find, and minus the loss on the rows that were kept from
    both.
    """

    result: Result
    network: Network
    weight: float
    score: float


class Estimator(BaseEstimator):
    """What the classifier and the regressor have in common.

    Args:
        algorithm: "wann", or "neat".
        population, generations: of the search.
        train: "weights" gives every connection of the network found a weight of its own, by
            gradients; "shared" chooses the best shared weight of a grid; None leaves the best
            weight of the search.
        steps: of training.
        max_connections: of the network, at the most. The search adds none beyond ("wann"), and the
            network is chosen among those of the front. None: any number, and the champion.
        scale: fit to columns of mean 0 and standard deviation 1, by the statistics of the training
            table. So are the targets of a regression, and predictions are scaled back.
        early_stopping: end the search after so many generations in which the champion has not
            become better on the rows for validation; None never does.
        validation_fraction: share of the distinct rows that is kept from the search and from
            training, to choose champions and weights on. 0 chooses on the training rows. None: 0
            for fewer than 20 distinct rows, else a fifth.
        folds: for tables of some hundred rows: k deals the distinct rows into k parts, and searches
            and trains k times, each time keeping another part in place of a `validation_fraction`.
            The network is the one that does best on its own part, which nothing that it comes from
            has seen. None: one search.
        batch: rows of a mini-batch, at the most; a generation sees eight, or four of NEAT.
        random_state: an integer, a `RandomState`, or None.
        verbose: show progress.

    Attributes:
        network_: the network. It takes scaled columns.
        weight_: the shared weight that it runs at, 1 where it has individual weights.
        formula_: what it computes of the table's own columns, as sympy expressions; see `Formulas`.
        front_: the last generation's non-dominated networks by mean score, best score and number of
            connections.
        result_: what the search found; see `Result`.
        fold_scores_: with `folds`, minus the loss of each search's network on its own part, [k]:
            its log loss, or its squared error in variances of the targets.
        n_features_in_, feature_names_in_: as in scikit-learn.
    """

    def __init__(
        self,
        *,
        algorithm: str = "wann",
        population: int = 512,
        generations: int = 50,
        train: str | None = WEIGHTS,
        steps: int = 500,
        max_connections: int | None = None,
        scale: bool = True,
        early_stopping: int | None = None,
        validation_fraction: float | None = None,
        folds: int | None = None,
        batch: int = 256,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
    ):
        self.algorithm = algorithm
        self.population = population
        self.generations = generations
        self.train = train
        self.steps = steps
        self.max_connections = max_connections
        self.scale = scale
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.folds = folds
        self.batch = batch
        self.random_state = random_state
        self.verbose = verbose

    @property
    def front_(self) -> list[Network]:
        check_is_fitted(self, "result_")
        return self.result_.front

    @property
    def formula_(self) -> Formulas:
        check_is_fitted(self, "network_")
        scaled = formula(self.network_, weight=self.weight_)
        outputs = self.network_.outputs
        return in_units_of_the_table(scaled, _spans(self._scaler, self.n_features_in_), _spans(self._output_scaler, outputs))

    def _fit(self, inputs: np.ndarray, targets: np.ndarray, sample_weight: Any, loss: Any, output_names: Sequence[str]) -> None:
        """Searches and trains, for targets [n, T] that `loss` knows."""
        self._check()
        seeds = check_random_state(plain(self.random_state)).randint(2**31 - 1, size=self.folds or 1).tolist()
        rows = distinct_rows(inputs, targets, _check_sample_weight(sample_weight, inputs, dtype=np.float64))
        held_out_of("validation_fraction", self.validation_fraction, len(rows.inputs), "distinct row")
        self._scaler = scaler_of(rows.inputs, rows.weights, scale=self.scale)
        self._output_scaler = scaler_of(rows.targets, rows.weights, scale=self.scale and is_regressor(self))
        rows = rows._replace(inputs=self._scaler.transform(rows.inputs), targets=self._output_scaler.transform(rows.targets))
        names = _names_of_inputs(list(getattr(self, "feature_names_in_", ())), output_names)
        parts: list[Validation] = [self.validation_fraction]
        if self.folds is not None:
            count = len(rows.inputs)
            require("folds", self.folds, f"at most {count}, the distinct rows", self.folds <= count)
            place = np.random.default_rng(seeds[0]).permutation(count) % self.folds
            parts = [place == part for part in range(self.folds)]
        found = []
        for part, seed in zip(parts, seeds, strict=True):
            problem = problem_of(rows, loss, output_names, input_names=names, validation=part, batch=self.batch, seed=seed, name="table")
            found.append(self._found(problem, seed))
        scores = np.array([each.score for each in found])
        best = found[int(np.argmax(scores))]
        self.result_, self.network_, self.weight_ = best.result, best.network, best.weight
        if self.folds is not None:
            self.fold_scores_ = scores

    def _found(self, problem: DataProblem, seed: int) -> "_Found":
        """What one search and training find."""
        callbacks = [] if self.early_stopping is None else [_patience(self.early_stopping)]
        config = ALGORITHMS[self.algorithm](population=self.population, generations=self.generations)
        if isinstance(config, WannConfig):  # on the mean of few rows, having no connections at all is hard to beat
            config = config.replace(cases=EPISODES)
            if self.max_connections is not None:
                config = config.replace(max_connections=self.max_connections)
        result = evolve(problem, config, seed=seed, callbacks=callbacks, progress=bool(self.verbose))
        network, scores = self._chosen(result)
        weight = float(config.weights[int(np.argmax(scores))])
        if self.train == SHARED:
            weight = _best_weight(network, problem, seed)
        elif self.train == WEIGHTS and connection_count(network) > 0:
            network, weight = finetune(network, problem, steps=self.steps, seed=seed, progress=bool(self.verbose)).network, 1.0
        kept = problem.split("validation").examples
        outputs = jnp.asarray(outputs_of(network, np.asarray(kept.inputs), weight), jnp.float32)
        return _Found(result, network, weight, -float(jnp.mean(jax.vmap(problem.loss)(outputs, kept.targets))))

    def _check(self) -> None:
        """Raises ValueError for a parameter that makes no sense."""
        require_one_of("algorithm", self.algorithm, ALGORITHMS)
        require("train", self.train, f"{WEIGHTS!r}, {SHARED!r} or None", self.train in (WEIGHTS, SHARED, None))
        require_count("steps", self.steps)
        for name in ("max_connections", "early_stopping"):
            if getattr(self, name) is not None:
                require_count(name, getattr(self, name))
        require("scale", self.scale, "True or False", isinstance(plain(self.scale), bool))
        require("verbose", self.verbose, "True, False or an integer", isinstance(plain(self.verbose), int))
        require_share("validation_fraction", self.validation_fraction)
        if self.folds is not None:
            require("folds", self.folds, "None or an integer >= 2", is_whole(self.folds) and self.folds >= 2)
            alone = "None with folds, each of which is kept in turn"
            require("validation_fraction", self.validation_fraction, alone, self.validation_fraction is None)
        state = plain(self.random_state)
        is_state = state is None or isinstance(state, np.random.RandomState) or (is_whole(state) and 0 <= state < 2**32)
        require("random_state", self.random_state, "None, an integer from 0 to 2**32 - 1 or a RandomState", is_state)

    def _chosen(self, result: Result) -> tuple[Network, np.ndarray]:
        """The network to train, and its scores over the sweep."""
        found = [(result.champion, result.champion_scores), *zip(result.front, result.front_scores, strict=True)]
        if self.max_connections is None:
            return found[0]
        sizes = [connection_count(network) for network, _ in found]
        allowed = f"at least {min(sizes)}, the fewest of the front"
        require("max_connections", self.max_connections, allowed, min(sizes) <= self.max_connections)
        return max((each for each, size in zip(found, sizes, strict=True) if size <= self.max_connections), key=lambda each: each[1].mean())

    def _outputs(self, table: Any) -> np.ndarray:
        """The network's outputs [n, O] for n rows, float64."""
        check_is_fitted(self, "network_")
        inputs = self._scaler.transform(validate_data(self, table, dtype=np.float64, reset=False)).astype(np.float32)
        return outputs_of(self.network_, inputs, self.weight_)


def _patience(generations: int) -> Callback:
    """A callback that ends a search after so many generations without a better champion."""
    best, since = -np.inf, 0

    def over(record: Any) -> bool:
        nonlocal best, since
        best, since = (record.champion_score, 0) if record.champion_score > best else (best, since + 1)
        return since >= generations

    return over


def _names_of_inputs(columns: Sequence[str], output_names: Sequence[str]) -> Sequence[str]:
    """The names of columns, beside their kind where some are names of other nodes or of none; none
    where that does not help.
    """
    for names in (tuple(columns), tuple(f"column {name}" for name in columns)):
        with suppress(ValueError):
            return checked_names(names, output_names, len(names), len(output_names))[0]
    return ()


def _best_weight(network: Network, problem: DataProblem, seed: int) -> float:
    """The shared weight at which the network does best on the rows for validation."""
    alone = jax.tree.map(lambda leaf: leaf[None], replace(network, input_names=(), output_names=()))
    key, held_out = key_of(seed, Purpose.EVALUATION), problem.split("validation")
    found = held_out.evaluate(key, alone, jnp.asarray(GRID, jnp.float32), episodes=_ALL_EPISODES)
    return float(GRID[int(np.nanargmax(np.asarray(found.scores)[0]))])


def _spans(scaler: StandardScaler, columns: int) -> list[tuple[float, float]]:
    """The (mean, spread) of each column; (0, 1) where it is not scaled."""
    if scaler.scale_ is None:
        return [(0.0, 1.0)] * columns
    return list(zip(scaler.mean_.tolist(), scaler.scale_.tolist(), strict=True))
