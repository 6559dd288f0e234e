"""The network: an expressed genome as a tape of steps, and the one forward pass that everything
runs on.

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

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Float32, Int, Int8, Int32

from wannjax.common.pytrees import Placeholder
from wannjax.common.validation import require, require_count, require_type
from wannjax.common.wording import counted
from wannjax.networks.activations import NAMES, SUM, activate

FAN_IN = 3
"""K, the sources of one step."""

FIRST_INPUT = 2
ALL_ACTIVATIONS = tuple(range(len(NAMES)))

Observation = jax.typing.ArrayLike | Sequence[float] | Sequence[Sequence[float]]
"""What a network can be called with: one observation [I], or a batch [B, I]."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Network:
    """An expressed genome; with a leading axis P on every array, a population.

    Networks are equal, and have one hash, if their tapes are equal but for padding, with the same
    weights and names: then they compute the same. Populations are equal if their networks are, one
    by one. Inside JAX's transformations, where arrays have no values, a network equals only itself.

    Attributes:
        sources: int32[S, K]; the row that each source of each step reads.
        activations: int8[S].
        steps: int32[]; how many steps precede the outputs; the rest up to S-O are padding.
        weights: None where one shared weight serves every connection, float32[S, K] for individual
            ones, float32[S, K, L] for individual ones that differ from lane to lane. 1 on the links
            between partial sums.
        inputs: I.
        outputs: O.
        input_names, output_names: for people; empty in populations.
        recurrent: whether steps may read their own rows and those of later steps. Where it is
            False none does; where it is True perhaps none does either (see `is_recurrent`).
    """

    sources: Int32[Array, "... S K"] | Placeholder
    activations: Int8[Array, "... S"] | Placeholder
    steps: Int32[Array, "..."] | Placeholder
    weights: Float32[Array, "... S K"] | Float32[Array, "... S K L"] | Placeholder | None
    inputs: int = field(metadata={"static": True})
    outputs: int = field(metadata={"static": True})
    input_names: tuple[str, ...] = field(default=(), metadata={"static": True})
    output_names: tuple[str, ...] = field(default=(), metadata={"static": True})
    recurrent: bool = field(default=False, metadata={"static": True})

    def __call__(self, observation: Observation, weight: float = 1.0) -> Array:
        """The raw outputs for one `observation` [I] or a batch [B, I]: float32[O] or [B, O].

        `weight` is the shared weight; with individual weights it scales all of them.

        Raises ValueError for a recurrent network, whose outputs depend on what came before: it has
        `step`. Within a program that is traced, where it may not be known, this is its first step.
        """
        observation = checked_observation(observation, self.inputs)
        self._require_one()
        way = "feed-forward to be called; one with memory takes `y, state = network.step(state, x)`, from network.initial_state() on"
        require("network", self, way, not is_recurrent(self))
        return _call(replace(self, input_names=(), output_names=()), observation, jnp.float32(weight))

    def initial_state(self, batch: int | None = None) -> Float32[Array, "*B steps"]:
        """What `step` starts from: 0 for every step of the tape before the outputs, in as many rows
        as the observations have, if they come in a batch.
        """
        self._require_one()
        lanes = () if batch is None else (require_count("batch", batch),)
        return jnp.zeros((*lanes, self.activations.shape[0] - self.outputs), jnp.float32)

    def step(self, state: Float32[Array, "*B steps"], observation: Observation, weight: float = 1.0) -> tuple[Array, Array]:
        """The raw outputs for the next observations, as in a call, and the state after them: of
        every lane [B] what each step of the tape has computed. That of a feed-forward network has
        no say.

        >>> from wannjax.networks.graph import Connection, Graph, network_of
        >>> connections = tuple(Connection(*pair) for pair in ((1, 2), (2, 2), (2, 3)))
        >>> sums = network_of(Graph(("x",), ("sum",), (1, 1), connections))
        >>> state = sums.initial_state()
        >>> for x in (1.0, 2.0, 3.0):
        ...     y, state = sums.step(state, [x])
        >>> float(y[0])
        6.0
        """
        observation = checked_observation(observation, self.inputs)
        self._require_one()
        shape = (*observation.shape[:-1], self.activations.shape[0] - self.outputs)
        require("state", jnp.shape(state), f"of shape {shape}, as network.initial_state gives it", jnp.shape(state) == shape)
        return _step_on(replace(self, input_names=(), output_names=()), state, observation, jnp.float32(weight))

    def _require_one(self) -> None:
        if self.activations.ndim != 1:
            raise ValueError(f"a call runs one network, this is a population of {self.activations.shape[0]}: pick one with `take`")

    def __eq__(self, other: object) -> bool:
        return self._identity == other._identity if isinstance(other, Network) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> object:
        """What equal networks have in common."""
        leaves = jax.tree.leaves(self)
        if not all(isinstance(leaf, np.ndarray | np.generic | jax.Array) and not isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            return id(self)
        host = jax.device_get(self)
        if host.activations.ndim > 1:
            return tuple(take(host, i)._identity for i in range(len(host.activations)))
        return signature(host), self.input_names, self.output_names

    def __repr__(self) -> str:
        if self.activations.ndim != 1:
            return f"Network(population={self.activations.shape[0]}, inputs={self.inputs}, outputs={self.outputs})"
        weights = "shared weight" if self.weights is None else "individual weights"
        sizes = f"{counted(self.inputs, 'input')}, {counted(self.outputs, 'output')}, {counted(connection_count(self), 'connection')}"
        return f"Network({sizes}, {weights}{', recurrent' if is_recurrent(self) else ''})"


def as_network(network: object, argument: str = "network") -> Network:
    """`network` itself. Raises TypeError, which says how to get one, for anything else."""
    if isinstance(network, Network):
        return network
    if hasattr(network, "champion"):
        way = "such as its champion: result.champion"
    elif hasattr(network, "network"):
        way = "such as its network: tuned.network"
    elif hasattr(network, "evaluate") and hasattr(network, "inputs"):
        way = "which comes before the problem"
    else:
        way = "such as a run's result.champion, or what wannjax.load(path) reads from a file"
    require_type(argument, network, f"a Network, {way}", False)
    raise AssertionError("unreachable")


def checked_observation(observation: Observation, inputs: int) -> Float32[Array, "... I"]:
    """One observation [I], or a batch [B, I]. Raises ValueError for another shape."""
    observation = jnp.asarray(observation, jnp.float32)
    if observation.ndim not in (1, 2) or observation.shape[-1] != inputs:
        raise ValueError(f"observation: expected shape [{inputs}] or [B, {inputs}], got {list(observation.shape)}")
    return observation


def take(networks: Network, index: int | np.integer | np.ndarray | Array) -> Network:
    """The network at `index` of a population, or the sub-population at an array of indices."""
    return jax.tree.map(lambda leaf: leaf[index], networks)


def enlarge(network: Network, steps: int) -> Network:
    """The same network on a tape of `steps` steps, at least as many as it has: padding goes before
    the outputs.
    """
    extra = steps - network.activations.shape[-1]

    def pad(leaf, axis):
        if leaf is None:
            return None
        before, outputs = np.split(np.asarray(leaf), [leaf.shape[axis] - network.outputs], axis=axis)
        filler = np.zeros((*leaf.shape[:axis], extra, *leaf.shape[axis + 1 :]), leaf.dtype)
        return np.concatenate([before, filler, outputs], axis=axis)

    lead = network.activations.ndim - 1
    return replace(
        network,
        sources=pad(network.sources, lead),
        activations=pad(network.activations, lead),
        weights=pad(network.weights, lead),
    )


def signature(network: Network) -> bytes:
    """What tells one network from all others: equal for tapes that are equal but for padding and
    names. On the host.
    """
    steps, length, outputs = int(network.steps), network.activations.shape[0], network.outputs
    used = [*range(steps), *range(length - outputs, length)]
    sources, activations = np.asarray(network.sources)[used], np.asarray(network.activations)[used]
    parts = [repr((network.inputs, outputs, steps)).encode(), sources.tobytes(), activations.tobytes()]
    if network.weights is not None:
        weights = np.asarray(network.weights)[used]
        there = (sources > 0).reshape(sources.shape + (1,) * (weights.ndim - 2))
        parts.append(np.where(there, weights, np.float32(0)).tobytes())
    return b"".join(parts)


def require_runnable(networks: Network) -> None:
    """Raises ValueError unless all steps of a population's tapes, which come from a file, read rows
    that exist, by activations that are known.
    """
    networks = jax.device_get(networks)
    count, steps = networks.activations.shape
    rows = FIRST_INPUT + networks.inputs + steps - networks.outputs
    fine = networks.sources.shape[:2] == (count, steps) and networks.steps.shape == (count,)
    fine = fine and (networks.weights is None or networks.weights.shape == networks.sources.shape)
    fine = fine and bool(np.all((networks.sources >= 0) & (networks.sources < rows)))
    fine = fine and bool(np.all((networks.activations >= 0) & (networks.activations < len(NAMES))))
    fine = fine and bool(np.all((networks.steps >= 0) & (networks.steps <= steps - networks.outputs)))
    require("checkpoint", "tapes that refer to what is not there", "of networks that can run", fine)


def is_connection(network: Network) -> Bool[np.ndarray, "... S K"]:
    """Which sources are connections, as opposed to padding and the links between partial sums. On
    the host.
    """
    sources, activations = np.asarray(network.sources), np.asarray(network.activations)
    first_step = FIRST_INPUT + network.inputs
    step = np.maximum(sources - first_step, 0)
    source_activation = np.take_along_axis(activations, step.reshape(*step.shape[:-2], -1), axis=-1).reshape(step.shape)
    is_link = (sources >= first_step) & (source_activation == SUM)
    return (sources > 0) & ~is_link


def is_recurrent(networks: Network) -> bool:
    """Whether some step of one network, or of any of a population, reads its own row or that of a
    later step. On the host; of arrays without values, inside JAX's transformations, whether one
    may.
    """
    if not networks.recurrent or not isinstance(networks.sources, np.ndarray | jax.Array) or isinstance(networks.sources, jax.core.Tracer):
        return networks.recurrent
    own = FIRST_INPUT + networks.inputs + np.arange(networks.activations.shape[-1])
    return bool(np.any(np.asarray(networks.sources) >= own[:, None]))


def connection_count(network: Network) -> int:
    """The connections of one network."""
    return int(np.sum(is_connection(network)))


def individual_weights(network: Network, weights: jax.typing.ArrayLike) -> Float32[Array, "... S K L"]:
    """The network's weights, or 1 where it has none, times `weights` (broadcast against [S, K, L])
    on connections, and 1 on the links between partial sums. Leading axes pass through.
    """
    own = jnp.ones(network.sources.shape, jnp.float32) if network.weights is None else network.weights
    own = own if own.ndim > network.sources.ndim else own[..., None]
    weights = jnp.asarray(weights, jnp.float32)
    weights = weights.reshape((1,) * (own.ndim - weights.ndim) + weights.shape)
    return jnp.where(is_connection(network)[..., None], own * weights, 1.0)


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


def tape_of(networks: Network) -> Tape:
    """Lays out a population of N networks for `forward`."""
    count, steps = networks.activations.shape
    rows = jnp.transpose(networks.sources, (1, 2, 0)) * count + jnp.arange(count, dtype=jnp.int32)[None, None, :]
    weights = networks.weights
    if weights is not None:
        weights = weights[..., None] if weights.ndim == 3 else weights
        weights = jnp.transpose(weights, (1, 2, 0, 3))
    return Tape(
        rows.reshape(steps, FAN_IN * count),
        networks.activations.T,
        weights,
        jnp.max(networks.steps),
        networks.inputs,
        networks.outputs,
    )


def value_rows(networks: Network) -> int:
    """How many values each lane of a network has, its outputs included."""
    return FIRST_INPUT + networks.inputs + networks.activations.shape[-1]


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


@jax.jit
def _step_on(network: Network, state: Float32[Array, "*B steps"], observation: Float[Array, "*B I"], weight):
    batch, rows = jnp.atleast_2d(observation), jnp.atleast_2d(state)
    tape = tape_of(jax.tree.map(lambda leaf: leaf[None], network))
    first = FIRST_INPUT + network.inputs
    values = initial_values(tape, batch.shape[0]).at[first:, 0].set(rows.T)
    values, outputs = forward(tape, values, batch.T[:, None, :], jnp.full(batch.shape[0], weight, jnp.float32))
    outputs, state = outputs[:, 0].T, values[first:, 0].T
    return tuple(each.reshape(*observation.shape[:-1], each.shape[-1]) for each in (outputs, state))


@jax.jit
def _call(network: Network, observation: Float[Array, "*B I"], weight):
    start = jnp.zeros((*observation.shape[:-1], network.activations.shape[0] - network.outputs), jnp.float32)
    return _step_on(network, start, observation, weight)[0]
