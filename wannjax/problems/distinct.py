"""Scores on data of a population that is merged into one tape of distinct steps, on CPU devices.

A lane is an example. Steps are computed one by one, each on a block of examples and at one shared
weight at a time: so an activation is chosen once a step, partial sums of inputs are computed once
for all weights, and the values that are read again stay in the cache. Then every network gathers
its outputs and adds up its losses; for softmax cross-entropy the exponential of each distinct
output is computed once.

Examples that are sequences are not scored here but on plain tapes. What a step of a recurrent
network computes depends on what it and later ones computed before, on every lane and at every
weight, so that the values of all weights would have to be kept side by side; and steps along a
cycle have no first one, from which hashes could start.

Devices share the work by blocks and weights. What is summed in which order depends neither on their
number nor on which other networks there are, so that scores are the same to the last bit.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Float64, Int32, Shaped

from wannjax.common import devices
from wannjax.common.per_device import PerDevice, on_devices
from wannjax.networks.activations import NAMES, SUM, activate
from wannjax.networks.merging import Merged, merge
from wannjax.networks.network import Network, take
from wannjax.networks.tape import FAN_IN, FIRST_INPUT

BLOCK = 256
"""Examples of a block: few enough that the values of all steps stay in the third-level cache."""

FEWEST_EXAMPLES = 64
"""From so many on merging pays: fewer do not outweigh what it costs to start each step."""

_FEWEST_ROWS = 1 << 12
_MOST_ROWS = 1 << 18
"""Rows of a table of values, which then takes 256 MiB: populations with more distinct steps are
scored half by half.
"""


class Blocks(NamedTuple):
    """Examples in n blocks of B, the last of which is filled up with the first examples.

    Attributes:
        inputs: float32[n, I, B]; of sequences float32[n, T, I, B].
        targets: [n, B, ...].
        valid: bool[n, G, B/G]; whether each counts. Examples take turns in G groups, and those of a
            group stand together.
    """

    inputs: Float32[Array, "n *T I B"]
    targets: Shaped[Array, "n B ..."]
    valid: Bool[Array, "n G each"]

    @property
    def sizes(self) -> Float32[Array, " G"]:
        """The examples of each group."""
        return jnp.sum(self.valid, axis=(0, 2), dtype=jnp.float32)


def in_blocks(inputs: Float32[Array, "size *T I"], targets: Shaped[Array, "size ..."], block: int, groups: int) -> Blocks:
    """Examples in blocks of `block`, or as many more as share it out to all `groups`. Traceable."""
    size, each = inputs.shape[0], -(-block // groups)
    count = -(-size // (groups * each))
    place = jnp.arange(count * each * groups).reshape(count, each, groups).swapaxes(1, 2).reshape(count, -1)
    filled = place % size
    return Blocks(jnp.moveaxis(inputs[filled], 1, -1), targets[filled], (place < size).reshape(count, groups, each))


def over_groups(scores: Float32[Array, "... B"], valid: Bool[Array, "G each"]) -> Float32[Array, "... G"]:
    """The sum of the scores of the examples of each group. Traceable."""
    return jnp.sum(jnp.where(valid, scores.reshape(*scores.shape[:-1], *valid.shape), 0.0), axis=-1)


class DistinctScores:
    """What scores merged populations by one function of outputs and targets."""

    def __init__(self, score: Callable[[Array, Array], Array], *, softmax: bool):
        """
        Args:
            score: (outputs [O], target of one example) → a scalar.
            softmax: whether that is minus the softmax cross-entropy.
        """
        self._score, self._softmax = score, softmax
        options = devices.compiler_options()
        self._merge = jax.jit(merge, compiler_options=options)
        self._sums = PerDevice(self._of_units, _one_after_another, ("room", "activation_ids"), options)

    def __call__(
        self, networks: Network, blocks: Blocks, weights: Float32[Array, " W"], activation_ids: tuple[int, ...]
    ) -> Float64[np.ndarray, "P W G"] | None:
        """The sum of the scores of each network at each shared weight over the examples of each
        group. None where merging is not sound, which takes a collision of hashes.
        """
        networks = jax.device_get(networks)
        merged = self._merge(networks)
        count = networks.activations.shape[0]
        if _rows(merged, networks.inputs) > _MOST_ROWS and count > 3:
            halves = [self(take(networks, part), blocks, weights, activation_ids) for part in np.array_split(np.arange(count), 2)]
            found = [half for half in halves if half is not None]
            return np.concatenate(found) if len(found) == 2 else None
        return self.sums(merged, blocks, weights, activation_ids) if merged.sound else None

    def sums(
        self, merged: Merged, blocks: Blocks, weights: Float32[Array, " W"], activation_ids: tuple[int, ...]
    ) -> Float64[np.ndarray, "P W G"]:
        """As a call, of networks that are merged already."""
        room = max(1 << (_rows(merged, blocks.inputs.shape[1]) - 1).bit_length(), _FEWEST_ROWS)
        merged = merged._replace(sources=merged.sources[:room], activations=merged.activations[:room])
        sums = np.asarray(self._sums(merged, blocks, weights, room=room, activation_ids=activation_ids), np.float64)
        shape = len(blocks.valid), len(weights)
        return sums[: shape[0] * shape[1]].reshape(*shape, *sums.shape[1:]).sum(axis=0).swapaxes(0, 1)

    def _of_units(self, merged: Merged, blocks: Blocks, weights, *, shares: int, room: int, activation_ids: tuple[int, ...]):
        """The sums of the scores of every unit, which is a block of examples at a weight: float32[
        shares, units of each, P, G].
        """
        count, features, block = blocks.inputs.shape
        units = count * len(weights)
        # No device has a single unit unless there is but one, since XLA may round it otherwise.
        own = max(-(-units // shares), min(units, 2))

        def on_device(share, merged, blocks, weights):
            first = share * own

            def unit(values, number):
                at, weight = jnp.divmod(jnp.minimum(number, units - 1), len(weights))
                inputs, targets, valid = jax.tree.map(lambda leaf: leaf[at], blocks)
                is_new = (number == first) | (weight == 0)
                values = lax.dynamic_update_slice(values, inputs, (FIRST_INPUT, 0))
                values = evaluate(merged, values, weights[weight], is_new, FIRST_INPUT + features, activation_ids, self._softmax)
                return values, self._over_networks(merged, values, targets, valid)

            values = jnp.zeros((room, block), jnp.float32).at[1].set(1.0)
            return lax.scan(unit, values, first + jnp.arange(own))[1]

        return on_devices(on_device, shares, merged, blocks, weights)

    def _over_networks(self, merged: Merged, values, targets, valid) -> Float32[Array, "P G"]:
        """The sum of the scores of every network over each group of one block."""
        over_examples = jax.vmap(self._score, in_axes=(-1, 0))
        behind = merged.ends[2] - merged.ends[1]

        def plain(rows):
            outputs = jnp.stack([_row(values, row) for row in rows])
            return over_groups(over_examples(outputs, targets), valid)

        if not self._softmax:
            return lax.map(plain, merged.outputs)

        # Without the barrier XLA transposes and adds up the targets again for every network.
        by_output, sizes = lax.optimization_barrier((targets.T, jnp.sum(targets, axis=1)))

        def by_exponentials(rows):
            total = sum(_row(values, row + behind) for row in rows)
            hit = sum(_row(values, row) * target for row, target in zip(rows, by_output, strict=True))
            return over_groups(hit - jnp.log(total) * sizes, valid)

        def corrected(i, scores):
            return scores.at[extreme[i]].set(plain(merged.outputs[extreme[i]]))

        # Where all outputs are below -87, or one is above 88, the sum is out of a float's range.
        scores = lax.map(by_exponentials, merged.outputs)
        is_extreme = ~jnp.all(jnp.isfinite(scores), axis=1)
        (extreme,) = jnp.nonzero(is_extreme, size=len(scores), fill_value=0)
        return lax.fori_loop(0, jnp.sum(is_extreme), corrected, scores)


def evaluate(
    merged: Merged,
    values: Float32[Array, "rows B"],
    weight: Float32[Array, ""],
    is_new: Bool[Array, ""],
    first: int,
    activation_ids: tuple[int, ...],
    exponentials: bool,
) -> Float32[Array, "rows B"]:
    """The values of all steps of a merged tape.

    Args:
        values: those of the inputs; and of what is the same at all weights, unless `is_new`.
        first: the row of the first step.
        activation_ids: the activation ids that can occur.
        exponentials: whether those of the outputs are wanted, in rows behind theirs.
    """
    ids = [i for i in activation_ids if i != SUM]
    branches: list[Any] = [lambda total: total, lambda total: weight * total]
    branches += [lambda total, i=i: activate(jnp.int32(i), weight * total, (i,)) for i in ids]
    numbers = np.ones(len(NAMES), np.int32)
    numbers[[SUM, *ids]] = [0, *range(2, 2 + len(ids))]
    branch = jnp.asarray(numbers)[merged.activations]

    def total(values, i):
        return sum(_row(values, merged.sources[i, k]) for k in range(FAN_IN))

    def put(values, row, value):
        return lax.dynamic_update_slice(values, value[None], (first + row, 0))

    def partial_sum(i, values):
        return put(values, i, total(values, i))

    def step(i, values):
        return put(values, i, lax.switch(branch[i], branches, total(values, i)))

    def output(i, values):
        value = lax.switch(branch[i], branches, total(values, i))
        return put(put(values, i, value), i + ends[2] - ends[1], jnp.exp(value))

    ends = merged.ends
    values = lax.fori_loop(0, jnp.where(is_new, ends[0], 0), partial_sum, values)
    values = lax.fori_loop(ends[0], ends[1], step, values)
    return lax.fori_loop(ends[1], ends[2], output if exponentials else step, values)


def _rows(merged: Merged, inputs: int) -> int:
    """Rows of the table of values, with one more for the exponential of every distinct output."""
    _, inner, steps = np.asarray(merged.ends)
    return FIRST_INPUT + inputs + int(2 * steps - inner)


def _row(values: Float32[Array, "rows B"], row: Int32[Array, ""]) -> Float32[Array, " B"]:
    return lax.dynamic_index_in_dim(values, row, keepdims=False)


def _one_after_another(sums):
    """[shares, units of each, P, G] → [units, P, G]."""
    return sums.reshape(-1, *sums.shape[2:])
