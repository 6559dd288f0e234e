"""Data sets as problems: a score is minus the mean loss over examples, drawn anew for every
generation and the same for all networks.

An example is one observation or, where a problem has `sequences`, a series of T of them, which a
network sees one after the other, and through which a recurrent one remembers: its values start at 0
in every example.

An episode of a data set is one mini-batch. The arrays are arguments of the compiled programs, never
constants in them. Networks run in chunks, and each goes through the examples batch by batch, so
that its table of values stays in the cache.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Float, Float32, Key, Shaped

from wannjax.common import devices
from wannjax.common.per_device import is_traced
from wannjax.common.validation import as_weights, require, require_count, require_seed, require_text, whole
from wannjax.common.wording import counted
from wannjax.networks.network import Network, individual_weights, tape_of, value_rows
from wannjax.networks.tape import ALL_ACTIVATIONS, forward, initial_values
from wannjax.problems.distinct import BLOCK, FEWEST_EXAMPLES, Blocks, DistinctScores, in_blocks, over_groups
from wannjax.problems.problem import Evaluation, Problem, as_names, check_population, checked_names
from wannjax.problems.sequences import ALL, LAST, at_each_time, over_time
from wannjax.problems.sharding import Shares, on_population, sharded
from wannjax.problems.splits import SPLITS, Examples, Validation, examples_of, sample, split_of
from wannjax.problems.tables import Targets, anything_of, columns_of, inputs_of, numbers_of, probabilities_of, rows_of, warn_of_scale

Loss = Callable[[Array, Array], Array]
"""(outputs [O], target of one example) → the loss of this example, a scalar."""

LOSSES: dict[str, Loss] = {
    "cross_entropy": optax.softmax_cross_entropy,
    "mse": lambda outputs, target: jnp.mean(optax.squared_error(outputs, target)),
}
GROUPS = 8
"""Groups of examples whose scores are told apart, as those of episodes are."""


class DataProblem(Problem):
    """Arrays as a problem. The score of a network is minus its mean loss; reports show `metric`:
    for cross-entropy the accuracy in percent, for "mse" R², the mean over outputs.

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
        sequences: str | None = None,
        x_test: Any = None,
        y_test: Any = None,
        validation: Validation = None,
        batch: int = 256,
        outputs: int | None = None,
        seed: int = 0,
        name: str = "data",
        input_names: Sequence[str] = (),
        output_names: Sequence[str] = (),
    ):
        """
        Args:
            x: inputs [n, ...], any numbers; everything behind the first axis is flattened. Of a
                table with `columns`, such as a DataFrame of pandas, the columns are the names of
                the inputs.
            y: targets: for cross-entropy class labels [n], which are strings or whole numbers, or
                the probability of each class (one-hot included) [n, O]; numbers [n] or [n, O] for
                "mse"; anything with n rows for a loss of your own. Classes are the labels that
                occur, in sorted order; but where `outputs` is given, numbers from 0 to O - 1 are
                the numbers of classes, and where it is not, labels 0 and 1 are of two.
            loss: "cross_entropy" (softmax of the outputs), "mse", or a function (outputs [O],
                target of one example) → scalar.
            sequences: None, or how `x` [n, T, ...] is scored, of which every example is a series of
                T observations: "last", the outputs after the last one against `y`, as of single
                examples; or "all", the outputs after each of them against `y` [n, T, ...], a mean
                over T. A feed-forward network has only the present observation to go by.
            x_test, y_test: examples for reports, which nothing is fitted to; the validation split
                serves when None. Sequences may be of another length.
            validation: share of `x` that is kept from training, for choosing among networks; or a
                bool for each example [n], whether it is. 0: none is; training, choosing, and
                reports without `x_test`, all use all examples, as a truth table wants it. None: 0
                for fewer than `FEW` examples, else a fifth.
            batch: examples of a mini-batch, at the most.
            outputs: O; needed where `y` does not tell, for classes that do not occur and for a loss
                of your own.
            seed: of the validation split.
            input_names, output_names: for people; those of the columns and classes, where they have
                some, when empty.

        Raises:
            ValueError: wrong shapes, labels that are no classes, values that are not finite, names
                that `checked_names` refuses.

        Warns where the targets of "mse" are far from unit scale.
        """
        seed = require_seed(seed)
        require("loss", loss, f"one of {', '.join(LOSSES)}, or a function", callable(loss) or (isinstance(loss, str) and loss in LOSSES))
        batch = require_count("batch", batch)
        require("sequences", sequences, f'None, "{LAST}" or "{ALL}"', sequences in (None, LAST, ALL))
        self.sequences, self.sequential = sequences, sequences is not None
        outputs = None if outputs is None else whole("outputs", outputs, "None or an integer >= 1", 1)
        require("x_test, y_test", "one without the other", "given both or none", (x_test is None) == (y_test is None))
        self._loss: Loss = loss if callable(loss) else LOSSES[loss]
        self.classifies, self.regresses = loss == "cross_entropy", loss == "mse"
        self.metric = "accuracy %" if self.classifies else "R²" if self.regresses else "minus loss"
        inputs, self.example_shape = self._flat("x", inputs_of("x", x))
        self.inputs = inputs.shape[-1]
        targets = self._targets("y", y, loss, outputs, inputs, None)
        self.outputs = targets.outputs
        if loss == "mse":
            warn_of_scale("y", targets.values)
        self._splits = split_of(inputs, targets.values, validation, seed)
        if x_test is not None:
            columns, names = columns_of(x), columns_of(x_test)
            require("x_test", f"columns {', '.join(names)}", f"of the columns of x, {', '.join(columns)}", not names or names == columns)
            inputs, _ = self._flat("x_test", inputs_of("x_test", x_test))
            require("x_test", f"{inputs.shape[-1]} features", f"of {self.inputs} features, as x", inputs.shape[-1] == self.inputs)
            self._splits["test"] = examples_of(inputs, self._targets("y_test", y_test, loss, self.outputs, inputs, targets.classes).values)
        for split, examples in self._splits.items():
            self._check_loss("y_test" if split == "test" else "y", examples.targets)
        self.examples = self._splits["train"]
        self.batch = min(batch, self.size)
        require_text("name", name)
        require("name", name, "in one line", len(name.splitlines()) == 1)
        self.name = name
        self.input_names, self.output_names = self._names(input_names, columns_of(x), output_names, targets.names)
        self._evaluate = on_population(self._score_sample, "count", "activation_ids")
        self._drawn = jax.jit(self._blocks_of_sample, static_argnames="count")
        self._distinct = DistinctScores(self._minus_loss, softmax=self.classifies)
        self._measure = on_population(self._score_metric, "activation_ids")

    def __repr__(self) -> str:
        sizes = f"{counted(self.inputs, 'input')}, {counted(self.outputs, 'output')}, {counted(self.size, 'example')}"
        return f"DataProblem({self.name}: {sizes})"

    @property
    def size(self) -> int:
        """Examples of this split."""
        return self.examples.inputs.shape[0]

    @property
    def _length(self) -> int:
        """Observations of an example of this split."""
        return self.examples.inputs.shape[1] if self.sequential else 1

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
        episodes = require_count("episodes", episodes)
        count = min(episodes * self.batch, self.size)
        weights = as_weights(weights)
        found = None
        pays = not self.sequential and devices.on_cpu() and networks.weights is None and count >= FEWEST_EXAMPLES and _in_usual_modes()
        if pays and not is_traced(key, networks, weights):
            blocks = self._drawn(key, self.examples, count=count)
            found = self._distinct(networks, blocks, weights, activation_ids)
        if found is None:
            means, computed = self._evaluate(key, networks, weights, self.examples, count=count, activation_ids=activation_ids)
            scores, by_group = means
        else:
            means = found.sum(axis=2) / count, found / np.asarray(blocks.sizes)
            scores, by_group = (jnp.asarray(each, jnp.float32) for each in means)
            computed = jnp.float32(blocks.valid.size * scores.size)
        return Evaluation(scores, jnp.full(scores.shape, count * self._length, jnp.int32), computed, by_group)

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
        ones = jnp.ones(1, jnp.float32)
        (scores, _), _ = self._measure(replace(flat, weights=tables), ones, self.examples, activation_ids=activation_ids)
        return scores.reshape(count, lanes)

    def draw(self, key: Key[Array, ""], examples: Examples, count: int) -> Examples:
        """`count` of the examples, without repetition. Traceable."""
        if count == examples.inputs.shape[0]:
            return examples
        chosen = sample(key, examples.inputs.shape[0], count)
        return Examples(examples.inputs[chosen], examples.targets[chosen])

    def _blocks_of_sample(self, key, examples, *, count) -> Blocks:
        drawn = self.draw(key, examples, count)
        return in_blocks(drawn.inputs, drawn.targets, min(BLOCK, count), min(GROUPS, count))

    def _names(self, input_names, columns, output_names, found) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those given, or else those in the data, where a label may be an input's name too."""
        kind = "class" if self.classifies else "output"
        check = partial(checked_names, inputs=self.inputs, outputs=self.outputs, output_kind=kind)
        inputs, output_names = as_names("input_names", input_names) or columns, as_names("output_names", output_names)
        if output_names or not found:
            return check(inputs, output_names)
        try:
            return check(inputs, found)
        except ValueError:
            return check(inputs, [f"{kind} {name}" for name in found])

    def _flat(self, name: str, x: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
        """Inputs [n, I], or sequences of them [n, T, I], and the shape of what became I."""
        if not self.sequential:
            return x.reshape(len(x), -1), x.shape[1:]
        require(name, f"shape {x.shape}", "sequences [n, T, ...]", x.ndim >= 3)
        return x.reshape(*x.shape[:2], -1), x.shape[2:]

    def _targets(self, name: str, y: Any, loss: str | Loss, outputs: int | None, inputs: np.ndarray, classes: np.ndarray | None) -> Targets:
        """Those of examples, or those of every time step [n, T, ...]."""
        if self.sequences != ALL:
            return self._targets_of_each(name, y, loss, outputs, len(inputs), classes)
        rows, steps = rows_of(name, y, len(inputs)), inputs.shape[:2]
        require(name, f"shape {rows.shape}", f"of shape {steps} and more, one target for each time step", rows.shape[:2] == steps)
        found = self._targets_of_each(name, rows.reshape(-1, *rows.shape[2:]), loss, outputs, steps[0] * steps[1], classes)
        return found._replace(values=found.values.reshape(*steps, *found.values.shape[1:]))

    def _targets_of_each(
        self, name: str, y: Any, loss: str | Loss, outputs: int | None, examples: int, classes: np.ndarray | None
    ) -> Targets:
        if loss == "cross_entropy":
            return probabilities_of(name, y, examples, outputs, classes)
        if loss == "mse":
            return numbers_of(name, y, examples, outputs)
        require("outputs", outputs, "given with a loss of your own", outputs is not None)
        return Targets(anything_of(name, y, examples), int(outputs or 0), (), None)

    def _check_loss(self, name: str, targets: Array) -> None:
        """Raises ValueError unless the loss takes O outputs and one target to a scalar."""
        try:
            target = jax.ShapeDtypeStruct(targets.shape[1 + (self.sequences == ALL) :], targets.dtype)
            result = jax.eval_shape(self._loss, jax.ShapeDtypeStruct((self.outputs,), jnp.float32), target)
        except (TypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{name}: must be targets that the loss takes beside {self.outputs} outputs ({reason})") from error
        require("loss", f"a result of shape {getattr(result, 'shape', result)}", "a scalar", getattr(result, "shape", None) == ())

    def loss(self, outputs: Float32[Array, " O"], target: Shaped[Array, "..."]) -> Float32[Array, ""]:
        """The loss of one example, as float32 whatever the floats of a loss of one's own.
        Traceable.
        """
        return jnp.asarray(self._loss(outputs, target), jnp.float32)

    def metric_of(self, outputs: Float32[Array, "B O"], targets: Shaped[Array, "B ..."]) -> Float32[Array, " B"]:
        """`metric` of every example, given outputs; the mean over all is that of them together."""
        return jax.vmap(self._metric_of_one)(outputs, self._beside_variance(targets))

    def _minus_loss(self, outputs, target):
        return -self.loss(outputs, target)

    def _beside_variance(self, targets):
        """The targets; of a regression [n, 2, O], each beside the variances of all, for R²."""
        if not self.regresses:
            return targets
        variance = jnp.var(targets, axis=tuple(range(targets.ndim - 1)))
        return jnp.stack([targets, jnp.broadcast_to(variance, targets.shape)], axis=-2)

    def _metric_of_one(self, outputs, target):
        if self.classifies:
            return jnp.where(jnp.argmax(outputs) == jnp.argmax(target), jnp.float32(100), 0)
        if self.regresses:
            error, variance = optax.squared_error(outputs, target[0]), target[1]
            # Where all targets are equal it is 1 for those that are met, as in scikit-learn.
            return jnp.mean(jnp.where(variance > 0, 1 - error / jnp.where(variance > 0, variance, 1.0), error == 0))
        return self._minus_loss(outputs, target)

    def _score_sample(self, key, networks, weights, examples, *, shares, count, activation_ids) -> Shares:
        drawn = self.draw(key, examples, count)
        return self._score(drawn, networks, weights, shares=shares, each=self._minus_loss, activation_ids=activation_ids)

    def _score_metric(self, networks, weights, examples, *, shares, activation_ids) -> Shares:
        examples = Examples(examples.inputs, self._beside_variance(examples.targets))
        return self._score(examples, networks, weights, shares=shares, each=self._metric_of_one, activation_ids=activation_ids)

    def _score(self, examples, networks, weights, *, shares, each, activation_ids) -> Shares:
        """The mean of `each(outputs, target)` over `examples`, and over each of their groups, for P
        networks at W shared weights; and the examples that it took.
        """
        size, lanes = examples.inputs.shape[0], weights.shape[0]
        rows = value_rows(networks)
        batch = min(devices.chunk_size(lanes, 4 * rows * lanes), size)
        blocks = in_blocks(examples.inputs, examples.targets, batch, min(GROUPS, size))
        batch = blocks.inputs.shape[-1]
        chunk = devices.chunk_size(lanes * batch, 4 * rows * lanes * batch)

        through = at_each_time if self.sequences == ALL else over_time

        def run(networks, blocks, weights):
            tape = tape_of(networks)
            count = tape.activations.shape[1]
            gain = jnp.repeat(weights, batch)

            def run_on(values, observations):
                observations = jnp.tile(observations, (1, lanes))[:, None, :]
                observations = jnp.broadcast_to(observations, (self.inputs, count, lanes * batch))
                values, outputs = forward(tape, values, observations, gain, activation_ids=activation_ids, dynamic_length=devices.on_cpu())
                return values, outputs.reshape(self.outputs, count, lanes, batch)

            def scores_of(outputs, target):
                scores = jax.vmap(each, in_axes=(-1, 0), out_axes=-1)
                return jax.vmap(jax.vmap(scores, in_axes=(1, None)), in_axes=(1, None))(outputs, target)

            def add(carry, block):
                totals, values = carry
                observations, target, valid = block
                if self.sequential:
                    scores = through(run_on, scores_of, initial_values(tape, lanes * batch), observations, target)
                else:
                    values, outputs = run_on(values, observations)
                    scores = scores_of(outputs, target)
                return (totals + over_groups(scores, valid), values), None

            start = jnp.zeros((count, lanes, blocks.valid.shape[1]), jnp.float32), initial_values(tape, lanes * batch)
            (totals, _), _ = lax.scan(add, start, blocks)
            means = jnp.sum(totals, axis=2) / size, totals / blocks.sizes[None, None]
            return means, jnp.float32(blocks.valid.size * lanes * self._length)

        return sharded(run, networks, chunk, shares, blocks, weights)


def _in_usual_modes() -> bool:
    """Whether JAX's integers have 32 bits and its types are promoted, as merging counts on."""
    usual = {"jax_enable_x64": False, "jax_numpy_dtype_promotion": "standard"}
    return all(getattr(jax.config, name) == value for name, value in usual.items())
