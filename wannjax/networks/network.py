"""The network: an expressed genome, whose steps are those of a tape (see `tape.py`)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int8, Int32

from wannjax.common.pytrees import Placeholder
from wannjax.common.validation import require, require_count, require_type
from wannjax.common.wording import counted
from wannjax.networks.activations import NAMES, SUM
from wannjax.networks.tape import FAN_IN, FIRST_INPUT, Tape, forward, initial_values

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

    def __call__(self, observation: Observation, weight: float | np.number | Array = 1.0) -> Array:
        """The raw outputs for one `observation` [I] or a batch [B, I]: float32[O] or [B, O].

        `weight` is the shared weight; with individual weights it scales all of them.

        Raises ValueError for a recurrent network, whose outputs depend on what came before: it has
        `step`. Within a program that is traced, where it may not be known, this is its first step.
        """
        observation = checked_observation(observation, self.inputs)
        self._require_one()
        way = "feed-forward to be called; one with memory takes `y, state = network.step(state, x)`, from network.initial_state() on"
        require("network", self, way, not (_has_values(self) and is_recurrent(self)))
        return _call(replace(self, input_names=(), output_names=()), observation, jnp.float32(weight))

    def initial_state(self, batch: int | None = None) -> Float32[Array, "*B steps"]:
        """What `step` starts from: 0 for every step of the tape before the outputs, in as many rows
        as the observations have, if they come in a batch.
        """
        self._require_one()
        lanes = () if batch is None else (require_count("batch", batch),)
        return jnp.zeros((*lanes, self.activations.shape[0] - self.outputs), jnp.float32)

    def step(
        self, state: Float32[Array, "*B steps"], observation: Observation, weight: float | np.number | Array = 1.0
    ) -> tuple[Array, Array]:
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
        sizes = [counted(self.inputs, "input"), counted(self.outputs, "output")]
        if _has_values(self):
            sizes.append(counted(connection_count(self), "connection"))
        return f"Network({', '.join(sizes)}, {weights}{', recurrent' if is_recurrent(self) else ''})"


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
    if not networks.recurrent or not _has_values(networks):
        return networks.recurrent
    own = FIRST_INPUT + networks.inputs + np.arange(networks.activations.shape[-1])
    return bool(np.any(np.asarray(networks.sources) >= own[:, None]))


def _has_values(networks: Network) -> bool:
    """Whether the sources are numbers, as they are but inside JAX's transformations."""
    return isinstance(networks.sources, np.ndarray | jax.Array) and not isinstance(networks.sources, jax.core.Tracer)


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
