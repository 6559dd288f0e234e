"""The forward pass with gradients: one topology, M copies of it with weights of their own, and a
backward pass over the transposed tape.

`network.forward` runs many topologies and is for scores; JAX could differentiate its loop, but
would keep every table of values on the way and copy it in every step. Here all copies share one
topology, so each step reads whole rows, and the backward pass is a tape as well: a step's gradient
is gathered from the steps that read it. Slopes and the weights' gradients are computed for all
steps at once.

Gradients of activations are those of `activations.slope`: 0 where one is flat. `step` is flat
everywhere and would cut off all that lies before it, so training gives it a surrogate gradient by
default, while its value stays that of the step.

Gradients are finite whatever the values do: what is not finite counts as 0, and every node's
gradient is held within ±`LARGEST`.
"""

from dataclasses import dataclass, field
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int, Int8, Int32

from wannjax.common.pytrees import Placeholder
from wannjax.common.validation import require
from wannjax.networks.activations import SUM, activate, slope
from wannjax.networks.network import FAN_IN, FIRST_INPUT, Network, is_connection

SURROGATE = 2.0
"""The sharpness of the step's surrogate gradient, 1 / (1 + SURROGATE·|x|)²."""

LARGEST = 1e8
"""Bound of a single node's gradient, and of the values that gradients are made of: optimizers
square what comes of them.
"""

_READERS = 4
"""How many of a row's readers the backward pass takes at a time."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Topology:
    """One network's tape and its transpose, without padding: what copies share.

    Attributes:
        sources: int32[S, K]; row of each source.
        activations: int8[S]; the last O steps are the outputs.
        connection: int32[S, K]; which of C connections a source is, in the order of
            `graph_of(network).connections`; C for a link between partial sums, C + 1 for none.
        readers, reading: int32[E, 4]; groups of readers: the steps that read a row, S for none, and
            the places s·K + k of the sources that read it.
        first_group, groups: int32[rows]; where a row's groups of readers start, and how many there
            are.
        connections: C.
        inputs, outputs: I and O.
        activation_ids: the activation ids that occur.
    """

    sources: Int32[Array, "S K"] | Placeholder
    activations: Int8[Array, " S"] | Placeholder
    connection: Int32[Array, "S K"] | Placeholder
    readers: Int32[Array, "E R"] | Placeholder
    reading: Int32[Array, "E R"] | Placeholder
    first_group: Int32[Array, " rows"] | Placeholder
    groups: Int32[Array, " rows"] | Placeholder
    connections: int = field(metadata={"static": True})
    inputs: int = field(metadata={"static": True})
    outputs: int = field(metadata={"static": True})
    activation_ids: tuple[int, ...] = field(metadata={"static": True})


def topology_of(network: Network) -> Topology:
    """The topology of one network, on the host. Raises ValueError for a population."""
    require("network", network, "one network, not a population", network.activations.ndim == 1)
    hidden, length = int(network.steps), network.activations.shape[0]
    used = np.r_[:hidden, length - network.outputs : length]
    sources, activations = np.asarray(network.sources)[used], np.asarray(network.activations)[used]
    steps, rows = len(used), FIRST_INPUT + network.inputs + len(used)
    connects = is_connection(network)[used]
    count = int(connects.sum())
    connection = np.where(sources > 0, count, count + 1).astype(np.int32)
    connection[connects] = _numbers(sources, activations, network.inputs, connects)

    groups_of: list[list[list[tuple[int, int]]]] = []
    for row in range(rows):
        entries = [(int(s), int(s * FAN_IN + k)) for s, k in np.argwhere(sources == row)] if row >= FIRST_INPUT else []
        entries += [(steps, 0)] * (-len(entries) % _READERS)
        groups_of.append([entries[i : i + _READERS] for i in range(0, len(entries), _READERS)])
    groups = np.array([len(group) for group in groups_of], np.int32)
    groups_of.append([[(steps, 0)] * _READERS])  # so that there is one
    flat = np.array([group for some in groups_of for group in some], np.int32)
    return Topology(
        jax.device_put(sources),
        jax.device_put(activations),
        jax.device_put(connection),
        jax.device_put(flat[..., 0]),
        jax.device_put(flat[..., 1]),
        jax.device_put((np.cumsum(groups) - groups).astype(np.int32)),
        jax.device_put(groups),
        connections=count,
        inputs=network.inputs,
        outputs=network.outputs,
        activation_ids=tuple(sorted({SUM, *np.unique(activations).tolist()})),
    )


def _numbers(sources, activations, inputs: int, connects: Bool[np.ndarray, "S K"]) -> Int[np.ndarray, " C"]:
    """The number of every connection of a tape without padding. They are counted node by node, as
    in a graph, while a tape may have other nodes between a partial sum and the node that it serves.
    """
    node = np.arange(len(sources))
    """The step that computes the node which each step serves."""
    for step in reversed(range(len(sources))):
        read = sources[step] - (FIRST_INPUT + inputs)
        read = read[read >= 0]
        node[read[activations[read] == SUM]] = node[step]
    order = np.argsort(np.repeat(node, connects.sum(axis=1)), kind="stable")
    return np.argsort(order)


@jax.jit
def copies(topology: Topology, weights: Float32[Array, "M C"]) -> Network:
    """M copies of one network, with weights of their own, as a population."""
    count, steps = weights.shape[0], topology.activations.shape[0]
    tables = jnp.moveaxis(_table(topology, weights), -1, 0)
    sources = jnp.broadcast_to(topology.sources, (count, steps, FAN_IN))
    activations = jnp.broadcast_to(topology.activations, (count, steps))
    hidden_steps = jnp.full(count, steps - topology.outputs, jnp.int32)
    return Network(sources, activations, hidden_steps, tables, topology.inputs, topology.outputs)


def run(
    topology: Topology, weights: Float32[Array, "M C"], observations: Float32[Array, "I M L"], *, surrogate: float = SURROGATE
) -> Float32[Array, "O M L"]:
    """The outputs of M copies of one network on L lanes, differentiable in `weights` and
    `observations`.

    Args:
        weights: of the connections, in the order of `graph_of(network).connections`. Whatever is no
            connection has none.
        surrogate: sharpness of the step's surrogate gradient; 0 for its true gradient, which is 0.
    """
    return _run(surrogate, topology, _table(topology, weights), observations.astype(jnp.float32))


@partial(jax.jit, static_argnames="surrogate")
def run_on_batch(
    topology: Topology, weights: Float32[Array, "M C"], batch: Float32[Array, "B I"], *, surrogate: float = SURROGATE
) -> Float32[Array, "O M B"]:
    """As `run`, with the same observations for every copy."""
    observations = jnp.broadcast_to(batch.T[:, None], (batch.shape[1], weights.shape[0], batch.shape[0]))
    return run(topology, weights, observations, surrogate=surrogate)


def _table(topology: Topology, weights: Float32[Array, "M C"]) -> Float32[Array, "S K M"]:
    """The weights as the tape reads them: 1 on the links between partial sums, 0 where there is
    nothing.
    """
    ends = jnp.broadcast_to(jnp.array([1.0, 0.0], jnp.float32), (weights.shape[0], 2))
    return jnp.concatenate([weights.astype(jnp.float32), ends], axis=1).T[topology.connection]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _run(surrogate, topology: Topology, table, observations):
    return _forward(surrogate, topology, table, observations)[0]


def _forward(_surrogate, topology: Topology, table, observations):
    sources, activations = topology.sources, topology.activations
    inputs, steps = observations.shape[0], sources.shape[0]
    first = FIRST_INPUT + inputs
    values = jnp.zeros((first + steps, *observations.shape[1:]), jnp.float32).at[1].set(1.0).at[FIRST_INPUT:first].set(observations)

    def step(i, values):
        total = jnp.sum(_rows(values, sources[i]) * table[i][..., None], axis=0)
        value = jnp.where(activations[i] == SUM, total, activate(activations[i], total, topology.activation_ids))
        return lax.dynamic_update_index_in_dim(values, value, first + i, 0)

    values = lax.fori_loop(0, steps, step, values)
    return values[first + steps - topology.outputs :], (topology, table, values)


def _backward(surrogate, residual, cotangent):
    topology, table, values = residual
    steps, lanes = table.shape[0], values.shape[1:]
    first = values.shape[0] - steps
    read = values[topology.sources]
    totals = jnp.sum(read * table[..., None], axis=1)
    ids = topology.activations[:, None, None]
    slopes = jnp.where(ids == SUM, 1.0, slope(ids, totals, topology.activation_ids, surrogate=surrogate))
    given = jnp.zeros((steps, *lanes), jnp.float32).at[steps - topology.outputs :].set(cotangent)
    arranged = table.reshape(steps * FAN_IN, -1)[topology.reading][..., None]

    def gathered(own, row, start):
        """What the readers of `row` pass back to it, and `start`."""

        def add(j, total):
            group = topology.first_group[row] + j
            return total + jnp.sum(_rows(own, topology.readers[group]) * arranged[group], axis=0)

        return lax.fori_loop(0, topology.groups[row], add, start)

    def step(back, own):
        i = steps - 1 - back
        passed = gathered(own, first + i, given[i])
        return lax.dynamic_update_index_in_dim(own, _held(passed * slopes[i]), i, 0)

    # Row `steps` stays 0: the reader of a row that has no more readers.
    own = lax.fori_loop(0, steps, step, jnp.zeros((steps + 1, *lanes), jnp.float32))
    gradient = jnp.sum(_held(read) * own[:steps, None], axis=-1)
    to_inputs = lax.map(lambda row: _held(gathered(own, row, jnp.zeros(lanes, jnp.float32))), jnp.arange(FIRST_INPUT, first))
    return None, gradient, to_inputs


_run.defvjp(_forward, _backward)


def _rows(values: Float32[Array, "rows M L"], rows: Int32[Array, " K"]) -> Float32[Array, "K M L"]:
    # Whole rows, which XLA must not fuse with what follows: see `network._step`.
    return lax.optimization_barrier(values[rows])


def _held(x):
    return jnp.clip(jnp.where(jnp.isfinite(x), x, 0.0), -LARGEST, LARGEST)
