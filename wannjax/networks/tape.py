"""The tape of steps that networks are laid out as, and the one forward pass that everything runs
on.

A step gathers `FAN_IN` earlier values, sums them, scales the sum by the shared weight and applies
an activation. Values live in rows: row 0 is the constant 0 (where missing sources point), row 1 the
bias 1, rows 2 to 1+I the inputs, then one row per step. A node with more sources than `FAN_IN`
takes several steps, chained through partial sums (activation `SUM`, no weight applied). The last O
steps are the outputs'. They stand at fixed places, whatever else the tape holds.

The table of values lives on from one time step to the next. So a step that reads its own row, or
that of a later step, finds what the last time step left there, and 0 in the first: that is what a
recurrent connection is, and `is_recurrent` whether a tape has one. Whoever runs networks over time
begins with `initial_values`, and hands the table on.

Measured on one CPU core (`python -m benchmarks.throughput`): networks side by side with lanes
(weights × episodes) in the minor dimension run an order of magnitude faster than a dense padded
matrix under vmap. The gather and the sum must stay one reduction, as in `_step`: spelled as three
gathers and two additions, XLA fuses them into the activation and no longer vectorises it (8 times
slower).
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32, Int, Int8, Int32

from wannjax.networks.activations import NAMES, SUM, activate

FAN_IN = 3
"""K, the sources of one step."""

FIRST_INPUT = 2
ALL_ACTIVATIONS = tuple(range(len(NAMES)))


class Tape(NamedTuple):
    """N networks laid out for running on L lanes: the step comes first, so that each step reads one
    contiguous slice.

    Attributes:
        rows: int32[S, K*N]; rows of the flattened value table [(2+I+S)*N, L].
        activations: int8[S, N].
        weights: float32[S, K, N, 1 or L], or None.
        length: int32[]; steps of the longest network, outputs not counted.
        inputs, outputs: I and O.
    """

    rows: Int32[Array, "S KN"]
    activations: Int8[Array, "S N"]
    weights: Float32[Array, "S K N L"] | None
    length: Int32[Array, ""]
    inputs: int
    outputs: int


def initial_values(tape: Tape, lanes: int) -> Float32[Array, "rows N L"]:
    """The table of values before the first forward pass: zeros, and the bias."""
    steps, count = tape.activations.shape
    return jnp.zeros((FIRST_INPUT + tape.inputs + steps - tape.outputs, count, lanes), jnp.float32).at[1].set(1.0)


def forward(
    tape: Tape,
    values: Float32[Array, "rows N L"],
    observations: Float32[Array, "I N L"],
    gain: Float32[Array, " L"] | Float32[Array, "#N L"],
    *,
    activation_ids: tuple[int, ...] = ALL_ACTIVATIONS,
    dynamic_length: bool = False,
) -> tuple[Float32[Array, "rows N L"], Float32[Array, "O N L"]]:
    """One forward pass of N networks on L lanes. Returns the table of values, to be passed in
    again, and the outputs.

    Args:
        gain: the shared weight of each lane, [L], or of each lane of each network, [N, L].
        activation_ids: the activation ids that can occur.
        dynamic_length: stop at the longest network rather than at the padded length. Pays on a CPU;
            not differentiable.
    """
    hidden_steps = tape.activations.shape[0] - tape.outputs
    first_step = FIRST_INPUT + tape.inputs
    values = lax.dynamic_update_slice(values, observations, (FIRST_INPUT, 0, 0))

    def body(i, values):
        value = _step(tape, values, i, 1, gain, activation_ids)
        return lax.dynamic_update_slice_in_dim(values, value, first_step + i, 0)

    values = lax.fori_loop(0, tape.length if dynamic_length else hidden_steps, body, values)
    return values, _step(tape, values, hidden_steps, tape.outputs, gain, activation_ids)


def _step(tape: Tape, values, start, size: int, gain, activation_ids):
    """`size` consecutive steps that do not read each other: float32[size, N, L]."""
    count, lanes = values.shape[1:]
    rows = lax.dynamic_slice_in_dim(tape.rows, start, size)
    gathered = lax.gather(
        values.reshape(values.shape[0] * count, lanes),
        rows.reshape(-1, 1),
        lax.GatherDimensionNumbers(offset_dims=(1,), collapsed_slice_dims=(0,), start_index_map=(0,)),
        slice_sizes=(1, lanes),
        mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
    ).reshape(size, FAN_IN, count, lanes)
    if count == 1:  # XLA would fuse this gather into the activation, which is 15 times slower on a CPU
        gathered = lax.optimization_barrier(gathered)
    weights = None if tape.weights is None else lax.dynamic_slice_in_dim(tape.weights, start, size)
    return fire(gathered, weights, lax.dynamic_slice_in_dim(tape.activations, start, size), gain, activation_ids)


def fire(
    gathered: Float32[Array, "size K N L"],
    weights: Float32[Array, "size K N #L"] | None,
    activations: Int[Array, "size N"],
    gain: Float32[Array, " L"] | Float32[Array, "#N L"],
    activation_ids: tuple[int, ...] = ALL_ACTIVATIONS,
) -> Float32[Array, "size N L"]:
    """The values of steps that have read `gathered`. The rest is as in `forward`."""
    if weights is not None:
        gathered = gathered * weights
    total = jnp.sum(gathered, axis=1)
    ids = activations[..., None]
    return jnp.where(ids == SUM, total, activate(ids, jnp.expand_dims(gain, tuple(range(3 - gain.ndim))) * total, activation_ids))
