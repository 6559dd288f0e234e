"""`WannClassifier` and `WannRegressor`: a search, and training, as `fit`.

They only translate: a table becomes a `DataProblem`, and outputs become labels, probabilities or
numbers. What is searched and trained is decided elsewhere.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_regressor
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from wannjax.analysis.evaluation import GRID
from wannjax.analysis.formula import Formulas, formula
from wannjax.analysis.predictions import outputs_of
from wannjax.common.keys import Purpose, key_of
from wannjax.common.validation import is_whole, plain, require, require_count, require_one_of
from wannjax.finetuning import finetune
from wannjax.networks.graph import default_names
from wannjax.networks.network import Network, connection_count
from wannjax.problems.data import DataProblem
from wannjax.problems.problem import checked_names
from wannjax.problems.splits import held_out_of, require_share
from wannjax.runs.evolution import evolve
from wannjax.runs.loop import Callback
from wannjax.runs.result import Result
from wannjax.search.registry import ALGORITHMS
from wannjax.search.wann.config import EPISODES, WannConfig
from wannjax.sklearn.table import distinct_rows, log_loss, log_loss_of_two, problem_of, scaler_of, squared_error
from wannjax.sklearn.table_formula import in_units_of_the_table

WEIGHTS, SHARED = "weights", "shared"
_ALL_EPISODES = 128
"""Mini-batches on which shared weights are compared: of most tables all rows."""


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
        batch: rows of a mini-batch, at the most; a generation sees four.
        random_state: an integer, a `RandomState`, or None.
        verbose: show progress.

    Attributes:
        network_: the network. It takes scaled columns.
        weight_: the shared weight that it runs at, 1 where it has individual weights.
        formula_: what it computes of the table's own columns, as sympy expressions; see `Formulas`.
        front_: the last generation's non-dominated networks by mean score, best score and number of
            connections.
        result_: what the search found; see `Result`.
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
        callbacks = [] if self.early_stopping is None else [_patience(self.early_stopping)]
        seed = int(check_random_state(plain(self.random_state)).randint(2**31 - 1))
        rows = distinct_rows(inputs, targets, _check_sample_weight(sample_weight, inputs, dtype=np.float64))
        held_out_of("validation_fraction", self.validation_fraction, len(rows.inputs), "distinct row")
        self._scaler = scaler_of(rows.inputs, rows.weights, scale=self.scale)
        self._output_scaler = scaler_of(rows.targets, rows.weights, scale=self.scale and is_regressor(self))
        rows = rows._replace(inputs=self._scaler.transform(rows.inputs), targets=self._output_scaler.transform(rows.targets))
        problem = problem_of(
            rows,
            loss,
            output_names,
            input_names=_names_of_inputs(list(getattr(self, "feature_names_in_", ())), output_names),
            validation=self.validation_fraction,
            batch=self.batch,
            seed=seed,
            name="table",
        )
        config = ALGORITHMS[self.algorithm](population=self.population, generations=self.generations)
        if isinstance(config, WannConfig):  # on the mean of few rows, having no connections at all is hard to beat
            config = config.replace(cases=EPISODES)
            if self.max_connections is not None:
                fan_in = min(config.initial_fan_in, max(1, self.max_connections // len(output_names)))
                config = config.replace(max_connections=self.max_connections, initial_fan_in=fan_in)
        self.result_: Result = evolve(problem, config, seed=seed, callbacks=callbacks, progress=bool(self.verbose))
        network, scores = self._chosen()
        self.network_, self.weight_ = network, float(config.weights[int(np.argmax(scores))])
        if self.train == SHARED:
            self.weight_ = _best_weight(network, problem, seed)
        elif self.train == WEIGHTS and connection_count(network) > 0:
            tuned = finetune(network, problem, steps=self.steps, seed=seed, progress=bool(self.verbose))
            self.network_, self.weight_ = tuned.network, 1.0

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
        state = plain(self.random_state)
        is_state = state is None or isinstance(state, np.random.RandomState) or (is_whole(state) and 0 <= state < 2**32)
        require("random_state", self.random_state, "None, an integer from 0 to 2**32 - 1 or a RandomState", is_state)

    def _chosen(self) -> tuple[Network, np.ndarray]:
        """The network to train, and its scores over the sweep."""
        found = [(self.result_.champion, self.result_.champion_scores), *zip(self.front_, self.result_.front_scores, strict=True)]
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


class WannClassifier(ClassifierMixin, Estimator):
    """A classifier, with the parameters and attributes of `Estimator`.

    Of two classes the network has one output, the log odds of the second one; of more, an output
    for each, whose softmax are the probabilities.

    Attributes:
        classes_: the labels, in order.
    """

    def fit(self, X, y, sample_weight=None):  # noqa: N803 - scikit-learn's names
        """Fits to a table `X` [n, I] and labels `y` [n]; a `sample_weight` [n] counts a row so many
        times.
        """
        inputs, labels = validate_data(self, X, y, dtype=np.float64)
        texts = [isinstance(label, str) for label in labels]
        kinds = ", ".join(sorted({type(label).__name__ for label in labels}))
        require("y", f"labels of {kinds}", "all strings, or all numbers", all(texts) or not any(texts))
        check_classification_targets(labels)
        self.classes_, places = np.unique(labels, return_inverse=True)
        require("y", f"{len(self.classes_)} class", "labels of two or more classes", len(self.classes_) > 1)
        if len(self.classes_) == 2:
            self._fit(inputs, places[:, None].astype(float), sample_weight, log_loss_of_two, [f"log odds of {self.classes_[1]}"])
        else:
            self._fit(inputs, np.eye(len(self.classes_))[places], sample_weight, log_loss, [f"score of {name}" for name in self.classes_])
        return self

    def decision_function(self, X):  # noqa: N803
        """The log odds [n] of the second of two classes, or the scores [n, C] of more."""
        outputs = self._outputs(X)
        return outputs[:, 0] if len(self.classes_) == 2 else outputs

    def predict_proba(self, X):  # noqa: N803
        """The probability of each class, [n, C]."""
        outputs = self._outputs(X)
        if len(self.classes_) == 2:
            outputs = np.column_stack([np.zeros(len(outputs)), outputs])
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def predict(self, X):  # noqa: N803
        """The likeliest class of each row, [n]."""
        places = self.predict_proba(X).argmax(axis=1)
        return self.classes_[places]


class WannRegressor(RegressorMixin, Estimator):
    """A regressor of one number or several, with the parameters and attributes of `Estimator`.
    `score` is R².
    """

    def fit(self, X, y, sample_weight=None):  # noqa: N803
        """Fits to a table `X` [n, I] and numbers `y`, [n] or [n, O]; a `sample_weight` [n] counts a
        row so many times.
        """
        inputs, numbers = validate_data(self, X, y, dtype=np.float64, y_numeric=True, multi_output=True)
        self._single = numbers.ndim == 1
        numbers = numbers.reshape(len(numbers), -1).astype(np.float64)
        self._fit(inputs, numbers, sample_weight, squared_error, default_names(numbers.shape[1], "prediction"))
        return self

    def predict(self, X):  # noqa: N803
        """The numbers of each row, [n] or [n, O] as they were fitted to."""
        outputs = self._outputs(X)
        numbers = self._output_scaler.inverse_transform(outputs)
        return numbers[:, 0] if self._single else numbers

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


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
