"""The tapes of a population inside a kernel, where a program, a warp, runs one network on 32 lanes.

    memory, a column a lane
    ┌─────────────────────────┐
    │ rows that come before   │  the table of values: rows as in `networks.tape`
    ├─────────────────────────┤
    │ steps of the tape       ├──┐
    │ outputs                 │  │ rows that the tape names
    └─────────────────────────┘  │
        └──── fire: traced, on lanes ◀─┘

A thread reads and writes its own column only, so that nothing waits for anything. The tape is the
same for all lanes: its entries are scalars, and a source is a row. No node is described here:
`network.fire` is traced, and evaluated on lanes (see `lanes`).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import pallas

from wannjax.networks.activations import SUM
from wannjax.networks.network import Network
from wannjax.networks.tape import FAN_IN, FIRST_INPUT, fire
from wannjax.problems.kernels.cells import LANES, Cells, vector, vectors_of
from wannjax.problems.kernels.lanes import OnLanes


class Tapes:
    """The tapes of N networks on L lanes, for a kernel.

    Attributes:
        outputs: O.
        width: int, lanes with those that fill up the last warp.
        remembers: whether networks may read what the last time step left in their table.
        table: the shape and type of the tables of values, [N, rows, width].
        operands: the arrays that the kernel is given.
        specs: which part of each a program has.
    """

    def __init__(self, networks: Network, lanes: int, activation_ids: tuple[int, ...]):
        """Traceable. `activation_ids` are those that can occur."""
        steps, self.outputs = networks.activations.shape[1], networks.outputs
        self._hidden, self._first_step = steps - self.outputs, FIRST_INPUT + networks.inputs
        self.width = -(-lanes // LANES) * LANES
        self.table = jax.ShapeDtypeStruct((len(networks.steps), self._first_step + steps, self.width), jnp.float32)
        self.remembers = networks.recurrent
        # All lanes have the same activation: one is computed, where XLA computes all.
        self._fire = {activation: _fire_on_lanes(activation) for activation in sorted({SUM, *activation_ids})}
        places = jnp.searchsorted(jnp.array(list(self._fire), jnp.int8), networks.activations, method="compare_all")
        self.operands = [networks.sources, places.astype(jnp.int32), networks.steps[:, None]]
        self.specs = list(map(of_network, self.operands))
        if networks.weights is not None:
            differ = networks.weights.ndim == 4
            filled = [(0, 0)] * 3 + [(0, self.width - lanes)]
            self.operands.append(jnp.pad(networks.weights, filled, mode="edge") if differ else networks.weights)
            self.specs.append((of_network_and_lanes if differ else of_network)(self.operands[-1]))

    def begin(self, table: Any) -> None:
        """Makes a program's table that of the first time step."""

        def clear(row, carry):
            table[row, :] = vector(0, jnp.float32)
            return carry

        if self.remembers:
            lax.fori_loop(0, self.table.shape[1], clear, None)
        table[0, :], table[1, :] = vector(0, jnp.float32), vector(1, jnp.float32)

    def run(self, tape: Sequence[Any], table: Any, gain: Cells, read: Callable[[Any], Any] | None = None) -> Cells:
        """One forward pass inside a kernel: the outputs [O].

        Args:
            tape: a program's part of `operands`.
            table: [rows, LANES], where the rows of steps are written.
            gain: [1], the shared weight of each lane.
            read: (row) → its values, where these do not stand in the table.
        """
        sources, activations, length, *weights = tape
        read = read or (lambda row: table[row])

        def fired(activation, *vectors):
            inputs = (cells((1, FAN_IN, 1, 1), jnp.float32, values) for values in (vectors[:FAN_IN], vectors[FAN_IN:]))
            return vectors_of(self._fire[activation](*inputs, cells((1, 1), jnp.int32, [activation]), gain))[0]

        def run_step(i, carry):
            step = lax.select(i < length[0], i, self._hidden + i - length[0])
            gathered = [read(sources[step, k]) for k in range(FAN_IN)]
            own = [weights[0][step, k] for k in range(FAN_IN)] if weights else [jnp.float32(1)] * FAN_IN
            branches = [partial(fired, activation) for activation in self._fire]
            table[self._first_step + step, :] = lax.switch(activations[step], branches, *gathered, *own)
            return carry

        lax.fori_loop(0, length[0] + self.outputs, run_step, None)
        first = self._first_step + self._hidden
        return cells((self.outputs,), jnp.float32, [table[first + i] for i in range(self.outputs)])


def cells(shape: tuple[int, ...], dtype: Any, values: Sequence[Any]) -> Cells:
    """The array of one lane that has these vectors."""
    return Cells(shape, np.dtype(dtype), tuple(values))


def _fire_on_lanes(activation: int) -> OnLanes:
    """`network.fire` of one step of one network on one lane."""

    def of(shape, dtype):
        return jax.ShapeDtypeStruct(shape, dtype)

    read = of((1, FAN_IN, 1, 1), jnp.float32)
    return OnLanes(partial(fire, activation_ids=(activation,)), read, read, of((1, 1), jnp.int32), of((1,), jnp.float32))


# Which part of an array a program has: that of its network n, or of its block b of lanes.


def of_network(array: Any) -> pallas.BlockSpec:
    """Of an array [N, ...]."""
    return pallas.BlockSpec((None, *array.shape[1:]), lambda n, _: (n, *[0] * (array.ndim - 1)))


def of_network_and_lanes(array: Any) -> pallas.BlockSpec:
    """Of an array [N, ..., width]."""
    return pallas.BlockSpec((None, *array.shape[1:-1], LANES), lambda n, b: (n, *[0] * (array.ndim - 2), b))


def of_lanes(array: Any) -> pallas.BlockSpec:
    """Of an array [rows, width]."""
    return pallas.BlockSpec((array.shape[0], LANES), lambda _, b: (0, b))


def of_all(array: Any) -> pallas.BlockSpec:
    """All of an array [cells]."""
    return pallas.BlockSpec(array.shape, lambda *_: (0,))
