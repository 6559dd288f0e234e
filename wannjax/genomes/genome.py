"""The genome: a topology as a triangular matrix of genes, padded to a fixed number of hidden slots.

Sources are the rows `[bias | inputs | hidden]`, targets the columns `[hidden | outputs]`, hidden
slots in topological order with the empty ones last. A connection from hidden slot i to hidden slot
j is allowed only if i < j, so every genome is acyclic by construction, and nothing here checks for
cycles. Functions are written for one genome; callers vmap.

To give a genome more genes, add a field to `Genome` and teach `enlarge` how to pad it.
"""

from dataclasses import dataclass, field
from functools import reduce

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int8, Int32, Key

from wannjax.common.pytrees import Placeholder
from wannjax.networks.activations import LINEAR

ENABLED, ABSENT, DISABLED = 1, 0, -1
_BYTE = 255
"""As far as a byte counts."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Genome:
    """The genes of one network; with a leading axis P on both arrays, a population.

    Attributes:
        connections: int8[1+I+H, H+O]; `ENABLED`, `ABSENT` or `DISABLED`, row = source, column =
            target.
        activations: int8[H+O]; the activation id of every target, 0 for an empty hidden slot.
        inputs: I, the length of an observation.
        outputs: O.
    """

    connections: Int8[Array, "... sources targets"] | Placeholder
    activations: Int8[Array, "... targets"] | Placeholder
    inputs: int = field(metadata={"static": True})
    outputs: int = field(metadata={"static": True})

    @property
    def hidden(self) -> int:
        """H, the number of hidden slots, used or empty."""
        return self.activations.shape[-1] - self.outputs


def random_genome(
    key: Key[Array, ""], *, inputs: int, outputs: int, hidden: int, density: float | Float[Array, ""], output_activation: int = LINEAR
) -> Genome:
    """A genome without hidden nodes, in which bias and inputs connect to every output.

    Each connection is enabled with probability `density`; the others are disabled, and wait for the
    enable operator.
    """
    sources = 1 + inputs
    enabled = jax.random.bernoulli(key, density, (sources, outputs))
    connections = jnp.zeros((sources + hidden, hidden + outputs), jnp.int8)
    connections = connections.at[:sources, hidden:].set(jnp.where(enabled, ENABLED, DISABLED).astype(jnp.int8))
    activations = jnp.zeros(hidden + outputs, jnp.int8).at[hidden:].set(output_activation)
    return Genome(connections, activations, inputs, outputs)


def enlarge(genome: Genome, hidden: int) -> Genome:
    """The same genome with `hidden` slots, at least as many as it has; leading axes pass
    through.
    """
    extra = hidden - genome.hidden
    if extra < 0:
        raise ValueError(f"hidden: a genome cannot shrink from {genome.hidden} to {hidden} slots")
    lead = [(0, 0)] * (genome.activations.ndim - 1)

    def pad(array, rows):
        slots, outputs = jnp.split(array, [genome.hidden], axis=-1)
        padded = jnp.concatenate([jnp.pad(slots, [*lead, *rows, (0, extra)]), jnp.pad(outputs, [*lead, *rows, (0, 0)])], -1)
        return padded

    return Genome(pad(genome.connections, [(0, extra)]), pad(genome.activations, []), genome.inputs, genome.outputs)


def hidden_count(genome: Genome) -> Int[Array, "..."]:
    """The number of hidden nodes."""
    return jnp.sum(genome.activations[..., : genome.hidden] != 0, axis=-1)


def connection_count(genome: Genome) -> Int[Array, "..."]:
    """The number of enabled connections."""
    return jnp.sum(count_by_target(genome.connections == ENABLED), axis=-1)


def count_by_target(cells: Bool[Array, "... sources targets"]) -> Int32[Array, "... targets"]:
    """How many of the `cells` are true in every column; in bytes as far as these can count, so that
    a CPU counts many columns at once.
    """
    starts = range(0, cells.shape[-2], _BYTE)
    counts = (jnp.sum(cells[..., start : start + _BYTE, :], axis=-2, dtype=jnp.uint8).astype(jnp.int32) for start in starts)
    return reduce(jnp.add, counts)


def allowed_sources(genome: Genome) -> Int32[Array, " targets"]:
    """How many sources, from the first row on, every target of one genome may have: the nodes that
    exist and come before it; none where it does not exist.
    """
    before = jnp.minimum(jnp.arange(genome.activations.shape[0], dtype=jnp.int32), hidden_count(genome).astype(jnp.int32))
    return jnp.where(genome.activations != 0, 1 + genome.inputs + before, 0)
