"""Data sets as problems: a score is minus the mean loss over examples, drawn anew for every
generation and the same for all networks.

An episode of a data set is one mini-batch. The arrays are arguments of the compiled programs, never
constants in them. Networks run in chunks, and each goes through the examples batch by batch, so
that its table of values stays in the cache.
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Float, Float32, Key, Shaped

from wannjax.common import devices
from wannjax.common.spreading import Spread
from wannjax.common.validation import require, require_count, require_seed
from wannjax.networks.network import ALL_ACTIVATIONS, Network, forward, individual_weights, initial_values, tape_of
from wannjax.problems.problem import Evaluation, Problem, check_population, checked_names
from wannjax.problems.sharding import Shares, put_together, sharded

Loss = Callable[[Array, Array], Array]
"""(outputs [O], target of one example) → the loss of this example, a scalar."""

LOSSES: dict[str, Loss] = {
    "cross_entropy": optax.softmax_cross_entropy,
    "mse": lambda outputs, target: jnp.mean(optax.squared_error(outputs, target)),
}
SPLITS = ("train", "validation", "test")


class Examples(NamedTuple):
    """n examples.

    Attributes:
        inputs: float32[n, I].
        targets: [n, ...]; for cross-entropy the probability of each class, float32[n, O].
    """

    inputs: Float32[Array, "n I"]
    targets: Shaped[Array, "n ..."]


class DataProblem(Problem):
    """Arrays as a problem. The score of a network is minus its mean loss; reports show `metric`:
    for cross-entropy the accuracy in percent.

    >>> x = np.random.default_rng(0).normal(size=(200, 2))
    >>> problem = DataProblem(x, x[:, 0] > 0)
    >>> problem.inputs, problem.outputs, problem.size
    (2, 2, 160)
    """

    output_activation = "linear"
    stochastic = False

    def __init__(
        self,
        x: Any,
        y: Any,
        *,
        loss: str | Loss = "cross_entropy",
        x_test: Any = None,
        y_test: Any = None,
        validation: float = 0.2,
        batch: int = 256,
        outputs: int | None = None,
        seed: int = 0,
        name: str = "data",
        input_names: tuple[str, ...] = (),
        output_names: tuple[str, ...] = (),
    ):
        """
        Args:
            x: inputs [n, ...], any numbers; everything behind the first axis is flattened.
            y: targets: class labels (integers or booleans [n]), or the probability of each class
                (one-hot included) [n, O], for cross-entropy; numbers [n] or [n, O] for "mse";
                anything with n rows for a loss of your own.
            loss: "cross_entropy" (softmax of the outputs), "mse", or a function (outputs [O],
                target of one example) → scalar.
            x_test, y_test: examples for reports, which nothing is fitted to; the validation split
                serves when None.
            validation: share of `x` that is kept from training, for choosing among networks.
            batch: examples of a mini-batch, at the most.
            outputs: O; needed where `y` does not tell, for classes that do not occur and for a loss
                of your own.
            seed: of the validation split.
            input_names, output_names: for people.

        Raises:
            ValueError: wrong shapes, labels out of range, values that are not finite.
        """
        require_seed(seed)
        require("loss", loss, f"one of {', '.join(LOSSES)}, or a function", callable(loss) or (isinstance(loss, str) and loss in LOSSES))
        require("validation", validation, "in (0, 1)", isinstance(validation, float) and 0 < validation < 1)
        require_count("batch", batch)
        require("outputs", outputs, "None or an integer >= 1", outputs is None or (isinstance(outputs, int) and outputs >= 1))
        require("x_test, y_test", "one without the other", "given both or none", (x_test is None) == (y_test is None))
        self.loss: Loss = loss if callable(loss) else LOSSES[loss]
        self.classifies = loss == "cross_entropy"
        self.metric = "accuracy %" if self.classifies else "minus loss"
        inputs, self.inputs = _inputs("x", x, None)
        targets, self.outputs = _targets("y", y, loss, outputs, len(inputs))
        order = np.random.default_rng(seed).permutation(len(inputs))
        held_out = round(validation * len(inputs))
        require("x", f"{len(inputs)} examples", "enough for training and validation", 0 < held_out < len(inputs))
        self._splits = {
            "train": _examples(inputs[order[held_out:]], targets[order[held_out:]]),
            "validation": _examples(inputs[order[:held_out]], targets[order[:held_out]]),
        }
        self._splits["test"] = self._splits["validation"]
        if x_test is not None:
            inputs, _ = _inputs("x_test", x_test, self.inputs)
            targets, _ = _targets("y_test", y_test, loss, self.outputs, len(inputs))
            self._splits["test"] = _examples(inputs, targets)
        for split, examples in self._splits.items():
            self._check_loss("y_test" if split == "test" else "y", examples.targets)
        self.examples = self._splits["train"]
        self.batch = min(batch, self.size)
        self.name = name
        self.input_names = checked_names("input_names", tuple(input_names), self.inputs, "input")
        self.output_names = checked_names("output_names", tuple(output_names), self.outputs, "class" if self.classifies else "output")
        spread = partial(Spread, finish=put_together, compiler_options=devices.compiler_options())
        self._evaluate = spread(self._score_sample, static_argnames=("count", "activation_ids"))
        self._measure = spread(self._score_metric, static_argnames=("activation_ids",))

    def __repr__(self) -> str:
        return f"DataProblem({self.name}: {self.inputs} inputs, {self.outputs} outputs, {self.size} examples)"

    @property
    def size(self) -> int:
        """Examples of this split."""
        return self.examples.inputs.shape[0]

    def split(self, name: str) -> "DataProblem":
        """The same problem on its "train", "validation" or "test" examples; a new problem is on
        "train".
        """
        require("split", name, f"one of {', '.join(SPLITS)}", name in SPLITS)
        other = copy.copy(self)
        other.examples = self._splits[name]
        return other

    def evaluate(
        self,
        key: Key[Array, ""],
        networks: Network,
        weights: Float[Array, " W"],
        *,
        episodes: int,
        activation_ids: tuple[int, ...] = ALL_ACTIVATIONS,
    ) -> Evaluation:
        """Minus the mean loss of P networks at each of W shared weights on `episodes` mini-batches,
        without repetition; on all examples where these are not more. See `Problem`.
        """
        check_population(networks, self)
        require_count("episodes", episodes)
        count = min(episodes * self.batch, self.size)
        scores, computed = self._evaluate(key, networks, weights, self.examples, count=count, activation_ids=activation_ids)
        return Evaluation(scores, jnp.full(scores.shape, count, jnp.int32), computed)

    def measure(
        self,
        keys: Key[Array, " L"],
        networks: Network,
        gain: Float[Array, " L"],
        *,
        activation_ids: tuple[int, ...] = ALL_ACTIVATIONS,
    ) -> Float32[Array, "P L"]:
        """`metric` of every network on every lane over all examples; `keys` have no say. See
        `Problem`.
        """
        check_population(networks, self)
        del keys
        count, lanes = networks.activations.shape[0], gain.shape[0]
        tables = individual_weights(networks, gain)
        flat = jax.tree.map(lambda leaf: jnp.repeat(leaf, lanes, axis=0), replace(networks, weights=None))
        tables = jnp.moveaxis(tables, -1, 1).reshape(count * lanes, *tables.shape[1:3])
        scores, _ = self._measure(replace(flat, weights=tables), jnp.ones(1), self.examples, activation_ids=activation_ids)
        return scores.reshape(count, lanes)

    def draw(self, key: Key[Array, ""], examples: Examples, count: int) -> Examples:
        """`count` of the examples, without repetition. Traceable."""
        if count == examples.inputs.shape[0]:
            return examples
        chosen = jax.random.choice(key, examples.inputs.shape[0], (count,), replace=False)
        return Examples(examples.inputs[chosen], examples.targets[chosen])

    def _check_loss(self, name: str, targets: Array) -> None:
        """Raises ValueError unless the loss takes O outputs and one target to a scalar."""
        try:
            result = jax.eval_shape(self.loss, jax.ShapeDtypeStruct((self.outputs,), jnp.float32), targets[0])
        except (TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{name}: must be targets that the loss takes beside {self.outputs} outputs ({reason})") from error
        require("loss", f"a result of shape {getattr(result, 'shape', result)}", "a scalar", getattr(result, "shape", None) == ())

    def metric_of(self, outputs: Float32[Array, "B O"], targets: Shaped[Array, "B ..."]) -> Float32[Array, " B"]:
        """`metric` of every example, given outputs."""
        return jax.vmap(self._metric_of_one)(outputs, targets)

    def _minus_loss(self, outputs, target):
        return -self.loss(outputs, target)

    def _metric_of_one(self, outputs, target):
        return 100.0 * (jnp.argmax(outputs) == jnp.argmax(target)) if self.classifies else self._minus_loss(outputs, target)

    def _score_sample(self, key, networks, weights, examples, *, shares, count, activation_ids) -> Shares:
        drawn = self.draw(key, examples, count)
        return self._score(drawn, networks, weights, shares=shares, each=self._minus_loss, activation_ids=activation_ids)

    def _score_metric(self, networks, weights, examples, *, shares, activation_ids) -> Shares:
        return self._score(examples, networks, weights, shares=shares, each=self._metric_of_one, activation_ids=activation_ids)

    def _score(self, examples, networks, weights, *, shares, each, activation_ids) -> Shares:
        """The mean of `each(outputs, target)` over `examples`, for P networks at W shared weights,
        and the examples that it took.
        """
        size, lanes = examples.inputs.shape[0], weights.shape[0]
        rows = 2 + self.inputs + networks.activations.shape[-1]
        batch = min(devices.chunk_size(lanes, 4 * rows * lanes), size)
        batches = -(-size // batch)
        # The last batch is filled up with the first examples, which do not count there.
        filled = jnp.arange(batches * batch) % size
        valid = (jnp.arange(batches * batch) < size).reshape(batches, batch)
        inputs = examples.inputs[filled].reshape(batches, batch, -1).transpose(0, 2, 1)
        targets = examples.targets[filled].reshape(batches, batch, *examples.targets.shape[1:])
        chunk = devices.chunk_size(lanes * batch, 4 * rows * lanes * batch)

        def run(networks, inputs, targets, valid, weights):
            tape = tape_of(networks)
            count = tape.activations.shape[1]
            gain = jnp.repeat(weights, batch)

            def add(carry, part):
                total, values = carry
                observations, target, valid = part
                observations = jnp.tile(observations, (1, lanes))[:, None, :]
                observations = jnp.broadcast_to(observations, (self.inputs, count, lanes * batch))
                values, outputs = forward(tape, values, observations, gain, activation_ids=activation_ids, dynamic_length=devices.on_cpu())
                outputs = outputs.reshape(self.outputs, count, lanes, batch)
                scores = jax.vmap(each, in_axes=(-1, 0), out_axes=-1)
                scores = jax.vmap(jax.vmap(scores, in_axes=(1, None)), in_axes=(1, None))(outputs, target)
                return (total + jnp.sum(jnp.where(valid, scores, 0.0), axis=-1), values), None

            start = jnp.zeros((count, lanes)), initial_values(tape, lanes * batch)
            (total, _), _ = lax.scan(add, start, (inputs, targets, valid))
            return total / size, jnp.float32(batches * batch * lanes)

        return sharded(run, networks, chunk, shares, inputs, targets, valid, weights)


def _examples(inputs: np.ndarray, targets: np.ndarray) -> Examples:
    return Examples(jnp.asarray(inputs), jnp.asarray(targets))


def _array(name: str, values: Any) -> np.ndarray:
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name}: must be an array ({error})") from error


def _finite(name: str, values: Any) -> np.ndarray:
    """`values` as finite float32."""
    array = _array(name, values)
    require(name, f"an array of {array.dtype}", "numbers", array.dtype.kind in "fiub")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    bad = int(np.sum(~np.isfinite(array)))
    require(name, f"{bad} values that are not", "finite in float32", bad == 0)
    return array


def _inputs(name: str, x: Any, features: int | None) -> tuple[np.ndarray, int]:
    """float32[n, I], and I."""
    x = _finite(name, x)
    require(name, f"shape {x.shape}", "of shape [n, ...] with at least one example and feature", x.ndim >= 2 and x.size > 0)
    x = x.reshape(len(x), -1)
    require(name, f"{x.shape[1]} features", f"of {features} features, as x", features in (None, x.shape[1]))
    return x, x.shape[1]


def _targets(name: str, y: Any, loss: str | Loss, outputs: int | None, examples: int) -> tuple[np.ndarray, int]:
    """The targets with leading axis n, and O."""
    y = _array(name, y)
    require(name, f"shape {y.shape}", f"of {examples} rows, one per example", y.ndim >= 1 and len(y) == examples)
    if loss == "cross_entropy":
        if y.ndim == 1:
            require(name, f"labels of {y.dtype}", "integers or booleans, or probabilities [n, O]", y.dtype.kind in "iub")
            labels = y.astype(np.int64)
            least, most = int(labels.min()), int(labels.max())
            classes = outputs or max(most + 1, 2)
            require(name, f"labels from {least} to {most}", f"in 0 to {classes - 1}", 0 <= least <= most < classes)
            return (labels[:, None] == np.arange(classes)).astype(np.float32), classes
        y = _finite(name, y)
        good = y.ndim == 2 and y.shape[1] >= 2 and y.min() >= 0 and np.allclose(y.sum(axis=1), 1, atol=1e-3)
        require(name, f"shape {y.shape}", "labels [n], or probabilities [n, O] that sum to 1", bool(good))
    elif loss == "mse":
        y = _finite(name, y)
        y = y.reshape(len(y), -1)
        require(name, f"shape {y.shape}", "of at least one column", y.size > 0)
    else:
        require("outputs", outputs, "given with a loss of your own", outputs is not None)
        return (y if y.dtype.kind in "iub" else _finite(name, y)), int(outputs or 0)
    require(name, f"{y.shape[1]} columns", f"of {outputs} columns, as there are outputs", outputs in (None, y.shape[1]))
    return y, y.shape[1]
