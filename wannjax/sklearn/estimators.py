"""`WannClassifier` and `WannRegressor`: what the outputs of a network are, as labels, probabilities
or numbers.
"""

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from wannjax.common.validation import require
from wannjax.networks.graph import default_names
from wannjax.sklearn.estimator import Estimator
from wannjax.sklearn.table import log_loss, log_loss_of_two, squared_error


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
