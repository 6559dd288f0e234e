"""The forward pass with gradients: one topology, M copies of it with weights of their own.

`tape.forward` runs many topologies and is for scores. Here all copies share one, so what it sums
is products of matrices, absent connections being 0: one product for all that nodes read of the
inputs, which is most of a network trained on data, and one for each group of up to `GROUP` nodes of
the same level for what they read of other nodes. A level is the nodes whose longest path from the
inputs is equally long. The backward pass goes through the groups in reverse. Products cost as if
every node read every other, and still less than a tape that gathers what is connected. Measured on
one CPU core beside the tape that they replaced, the gradient of 6 copies took:

    1849 connections, 256 examples      5.6 instead of 47 ms
    200 connections, 256 examples       1.1 instead of 2.9 ms
    52 connections, 16 lanes            0.21 instead of 0.17 ms

`python -m benchmarks.training_speed` has the steps of training beside those of a dense network.

What a recurrent connection reads is an input like others: the value that its source had in the last
time step, which is handed from step to step (`step`). So gradients flow through time as far as
whoever takes the steps lets them.

Gradients of activations are those of `activations.slope`: 0 where one is flat. `step` is flat
everywhere and would cut off all that lies before it, so training gives it a surrogate gradient by
default, while its value stays that of the step.

Gradients are finite whatever the values do: what is not finite counts as 0, and every node's
gradient is held within ±`LARGEST`.
"""

from dataclasses import dataclass, field, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int, Int8, Int32, Shaped

from wannjax.common import devices
from wannjax.common.pytrees import Placeholder
from wannjax.common.validation import require
from wannjax.networks.activations import SUM, activate, slope
from wannjax.networks.graph import Graph, graph_of
from wannjax.networks.network import Network, is_connection
from wannjax.networks.tape import FAN_IN, FIRST_INPUT

SURROGATE = 2.0
"""The sharpness of the step's surrogate gradient, 1 / (1 + SURROGATE·|x|)²."""

LARGEST = 1e8
"""Bound of a single node's gradient, and of the values that gradients are made of: optimizers
square what comes of them.
"""

_UNBOUNDED = float(np.finfo(np.float32).max)
"""Bound of a node's value: of an infinite one, an absent connection would make not a number."""

GROUP = 8
"""Nodes whose sums are one product, at the most."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Topology:
    """One network without padding: what copies share.

    Its N nodes are the hidden ones, level by level, and then the outputs.

    Attributes:
        sources, activations: int32[S, K] and int8[S], the tape; the last O steps are the outputs.
        connection: int32[S, K]; which of C connections a source is, in the order of
            `graph_of(network).connections`; C for a link between partial sums, C + 1 for none.
        read: int32[U]; what connections read of the bias, 0, the inputs, from 1 on, and behind them
            what is remembered.
        remembered: int32[V]; the nodes whose values in the last time step are read.
        nodes: int8[N + GROUP]; activations of the nodes, and of padding.
        groups: int32[G]; the first node of each group.
        targets: int32[C]; the node that a connection leads to.
        origins: int32[C]; what it reads: a place in `read`, or U and the number of a node.
        connections: C.
        inputs, outputs: I and O.
        activation_ids: the activation ids that occur.
    """

    sources: Int32[Array, "S K"] | Placeholder
    activations: Int8[Array, " S"] | Placeholder
    connection: Int32[Array, "S K"] | Placeholder
    read: Int32[Array, " U"] | Placeholder
    remembered: Int32[Array, " V"] | Placeholder
    nodes: Int8[Array, " N+8"] | Placeholder
    groups: Int32[Array, " G"] | Placeholder
    targets: Int32[Array, " C"] | Placeholder
    origins: Int32[Array, " C"] | Placeholder
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
    connects = is_connection(network)[used]
    count = int(connects.sum())
    connection = np.where(sources > 0, count, count + 1).astype(np.int32)
    connection[connects] = _numbers(sources, activations, network.inputs, connects)

    graph = graph_of(replace(network, weights=None))
    levels = _levels(graph)
    order = np.argsort(levels, kind="stable")
    place = np.argsort(order)
    sizes = np.unique(levels, return_counts=True)[1]
    groups = [np.arange(end - size, end, GROUP) for size, end in zip(sizes, np.cumsum(sizes), strict=True)]
    ends = np.array([(each.source, each.target) for each in graph.connections], int).reshape(-1, 2)
    late = ends[:, 0] >= ends[:, 1]
    remembered = np.unique(ends[late, 0])
    given = np.where(late, graph.first_hidden + np.searchsorted(remembered, ends[:, 0]), ends[:, 0])
    of_inputs = late | (ends[:, 0] < graph.first_hidden)
    nodes = place[np.maximum(ends - graph.first_hidden, 0)]
    read = np.unique(given[of_inputs])
    origins = np.where(of_inputs, np.searchsorted(read, given), len(read) + nodes[:, 0])
    ids = np.array(graph.activations, np.int8)
    return Topology(
        jax.device_put(sources),
        jax.device_put(activations),
        jax.device_put(connection),
        jax.device_put(read.astype(np.int32)),
        jax.device_put(place[remembered - graph.first_hidden].astype(np.int32)),
        jax.device_put(np.append(ids[order], np.full(GROUP, SUM, np.int8))),
        jax.device_put(np.concatenate(groups).astype(np.int32)),
        jax.device_put(nodes[:, 1].astype(np.int32)),
        jax.device_put(origins.astype(np.int32)),
        connections=count,
        inputs=network.inputs,
        outputs=network.outputs,
        activation_ids=tuple(sorted({SUM, *np.unique(ids).tolist()})),
    )


def _levels(graph: Graph) -> Int[np.ndarray, " N"]:
    """The level of every hidden node, from 1 on, and of the outputs, which are the last one.
    Recurrent connections have no say.
    """
    levels = np.zeros(graph.size, int)
    levels[graph.first_hidden :] = 1
    for each in graph.in_no_time.connections:  # target by target
        levels[each.target] = max(levels[each.target], levels[each.source] + 1)
    levels[-graph.outputs :] = levels.max() + 1
    return levels[graph.first_hidden :]


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
    remembers = topology.remembered.shape[0] > 0
    return Network(sources, activations, hidden_steps, tables, topology.inputs, topology.outputs, recurrent=remembers)


def run(
    topology: Topology, weights: Float32[Array, "M C"], observations: Float32[Array, "I M L"], *, surrogate: float = SURROGATE
) -> Float32[Array, "O M L"]:
    """The outputs of M copies of one network without memory on L lanes, differentiable in `weights`
    and `observations`.

    Args:
        weights: of the connections, in the order of `graph_of(network).connections`. Whatever is no
            connection has none.
        surrogate: sharpness of the step's surrogate gradient; 0 for its true gradient, which is 0.
    """
    return step(topology, weights, no_memory(topology, *observations.shape[1:]), observations, surrogate=surrogate)[1]


def no_memory(topology: Topology, members: int, lanes: int) -> Float32[Array, "V M L"]:
    """What M copies on L lanes remember before the first time step."""
    return jnp.zeros((topology.remembered.shape[0], members, lanes), jnp.float32)


def step(
    topology: Topology,
    weights: Float32[Array, "M C"],
    memory: Float32[Array, "V M L"],
    observations: Float32[Array, "I M L"],
    *,
    surrogate: float = SURROGATE,
) -> tuple[Float32[Array, "V M L"], Float32[Array, "O M L"]]:
    """The memory after a time step, and the outputs as of `run`, of copies that have a `memory` of
    the step before. Differentiable in the memory too.
    """
    observations, memory = (jnp.moveaxis(each.astype(jnp.float32), 0, 1) for each in (observations, memory))
    bias = jnp.ones((observations.shape[0], 1, observations.shape[2]), jnp.float32)
    read = jnp.concatenate([bias, observations, memory], axis=1)[:, topology.read]
    outputs, memory = _run(surrogate, topology, weights.astype(jnp.float32), read)
    return memory, outputs


def run_on_batch(
    topology: Topology, weights: Float32[Array, "M C"], batch: Float32[Array, "B I"], *, surrogate: float = SURROGATE
) -> Float32[Array, "O M B"]:
    """As `run`, with the same observations for every copy."""
    return step_on_batch(topology, weights, no_memory(topology, weights.shape[0], batch.shape[0]), batch, surrogate=surrogate)[1]


@partial(jax.jit, static_argnames="surrogate")
def step_on_batch(
    topology: Topology,
    weights: Float32[Array, "M C"],
    memory: Float32[Array, "V M B"],
    batch: Float32[Array, "B I"],
    *,
    surrogate: float = SURROGATE,
) -> tuple[Float32[Array, "V M B"], Float32[Array, "O M B"]]:
    """As `step`, with the same observations for every copy."""
    given = jnp.concatenate([jnp.ones((1, batch.shape[0]), jnp.float32), batch.astype(jnp.float32).T])
    if memory.shape[0]:
        given = jnp.broadcast_to(given, (weights.shape[0], *given.shape))
        given = jnp.concatenate([given, jnp.moveaxis(memory.astype(jnp.float32), 0, 1)], axis=1)
    read = given[..., topology.read, :]
    if read.ndim == 2 and not devices.on_cpu():  # the compiler for GPUs fails on a product of all copies with one matrix
        read = jnp.broadcast_to(read, (weights.shape[0], *read.shape))
    outputs, memory = _run(surrogate, topology, weights.astype(jnp.float32), read)
    return memory, outputs


def _table(topology: Topology, weights: Float32[Array, "M C"]) -> Float32[Array, "S K M"]:
    """The weights as the tape reads them: 1 on the links between partial sums, 0 where there is
    nothing.
    """
    ends = jnp.broadcast_to(jnp.array([1.0, 0.0], jnp.float32), (weights.shape[0], 2))
    return jnp.concatenate([weights.astype(jnp.float32), ends], axis=1).T[topology.connection]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _run(surrogate, topology: Topology, weights, read):
    """Outputs [O, M, L], and what is remembered [V, M, L], of what is `read`: [U, L] by all copies,
    or [M, U, L].
    """
    return _forward(surrogate, topology, weights, read)[0]


def _forward(_surrogate, topology: Topology, weights, read):
    rows, width = topology.nodes.shape[0], topology.read.shape[0]
    matrix = jnp.zeros((weights.shape[0], rows, width + rows), jnp.float32)
    matrix = matrix.at[:, topology.targets, topology.origins].set(weights, unique_indices=True)
    of_inputs, of_nodes = matrix[..., :width], matrix[..., width:]

    def compute(i, carry):
        # What is behind the group belongs to later ones, which will compute it again.
        totals, values = carry
        start = topology.groups[i]
        total = _group(from_inputs, start) + _product("mnh,mhl->mnl", _group(of_nodes, start), values)
        value = activate(_group(topology.nodes[None], start)[..., None], total, topology.activation_ids)
        value = jnp.clip(value, -_UNBOUNDED, _UNBOUNDED)
        return tuple(lax.dynamic_update_slice_in_dim(table, new, start, 1) for table, new in ((totals, total), (values, value)))

    from_inputs = _product(f"mnu,{_axes(read)}->mnl", of_inputs, read)
    empty = jnp.zeros_like(from_inputs)
    totals, values = lax.fori_loop(0, topology.groups.shape[0], compute, (empty, empty))
    last = _outputs(topology)
    outputs = activate(topology.nodes[None, last, None], totals[:, last], topology.activation_ids)  # without that bound
    found = jnp.moveaxis(outputs, 1, 0), jnp.moveaxis(values[:, topology.remembered], 1, 0)
    return found, (topology, of_inputs, of_nodes, read, totals, values)


def _backward(surrogate, residual, cotangent):
    topology, of_inputs, of_nodes, read, totals, values = residual
    slopes = slope(topology.nodes[None, :, None], totals, topology.activation_ids, surrogate=surrogate)
    of_outputs, of_memory = (jnp.moveaxis(each, 0, 1) for each in cotangent)
    given = jnp.zeros_like(totals).at[:, _outputs(topology)].set(of_outputs)
    if topology.remembered.shape[0]:
        given = given.at[:, topology.remembered].set(_held(of_memory), unique_indices=True)
    readers = jnp.swapaxes(of_nodes, 1, 2)
    last = topology.groups.shape[0] - 1

    def descend(i, own):
        # What is behind the group is complete already, and comes out the same.
        start = topology.groups[last - i]
        passed = _group(given, start) + _product("mhn,mnl->mhl", _group(readers, start), own)
        return lax.dynamic_update_slice_in_dim(own, _held(passed * _group(slopes, start)), start, 1)

    own = lax.fori_loop(0, last + 1, descend, jnp.zeros_like(given))
    of_inputs_and_nodes = _product(f"mnl,{_axes(read)}->mnu", own, _held(read)), _product("mnl,mhl->mnh", own, _held(values))
    gradient = jnp.concatenate(of_inputs_and_nodes, axis=2)[:, topology.targets, topology.origins]
    return None, gradient, _held(_product(f"mnu,mnl->{_axes(read)}", of_inputs, own))


_run.defvjp(_forward, _backward)


def _group(table: Shaped[Array, "M N ..."], start) -> Shaped[Array, "M 8 ..."]:
    return lax.dynamic_slice_in_dim(table, start, GROUP, 1)


def _outputs(topology: Topology) -> slice:
    end = topology.nodes.shape[0] - GROUP
    return slice(end - topology.outputs, end)


def _axes(read) -> str:
    return "ul" if read.ndim == 2 else "mul"


def _product(axes: str, *factors):
    # By default accelerators would round the factors to 10 bits, or to 7.
    return jnp.einsum(axes, *factors, precision=lax.Precision.HIGHEST)


def _held(x):
    return jnp.clip(jnp.where(jnp.isfinite(x), x, 0.0), -LARGEST, LARGEST)
