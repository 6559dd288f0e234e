"""The genome: a topology as a triangular matrix of genes, padded to a fixed number of hidden slots.

Sources are the rows `[bias | inputs | hidden]`, targets the columns `[hidden | outputs]`, hidden
slots in order of evaluation with the empty ones last. A connection from hidden slot i to hidden
slot j reads the present value of its source if i < j. So what takes no time is acyclic by
construction, and nothing here checks for cycles. The matrix is kept as two of bits (see `bits.py`):
which connections are enabled, and which disabled. Functions are written for one genome; callers
vmap.

In a recurrent search the cells on and below that diagonal may be set too, i >= j. Such a connection
is *recurrent*: its source is evaluated when its target has been, so it carries the value of the
last time step, 0 in the first. The place of a connection says what kind it is, and nothing else
does. Outputs are sources of none, so that memory lives in hidden nodes.

To give a genome more genes, add a field to `Genome` and teach `enlarge` how to pad it.
"""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Int8, Int32, Key, UInt32

from wannjax.common.pytrees import Placeholder
from wannjax.genomes import bits
from wannjax.networks.activations import LINEAR

ENABLED, ABSENT, DISABLED = 1, 0, -1


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Genome:
    """The genes of one network; with a leading axis P on all arrays, a population.

    Attributes:
        enabled, disabled: uint32[words, H+O]; the sources of every target, as bits of the rows
            1+I+H.
        activations: int8[H+O]; the activation id of every target, 0 for an empty hidden slot.
        inputs: I, the length of an observation.
        outputs: O.
    """

    enabled: UInt32[Array, "... words targets"] | Placeholder
    disabled: UInt32[Array, "... words targets"] | Placeholder
    activations: Int8[Array, "... targets"] | Placeholder
    inputs: int = field(metadata={"static": True})
    outputs: int = field(metadata={"static": True})

    @property
    def hidden(self) -> int:
        """H, the number of hidden slots, used or empty."""
        return self.activations.shape[-1] - self.outputs

    @property
    def sources(self) -> int:
        """1+I+H, the number of rows."""
        return 1 + self.inputs + self.hidden

    @property
    def connections(self) -> Int8[Array, "... sources targets"]:
        """The matrix, of `ENABLED`, `ABSENT` and `DISABLED`."""
        enabled, disabled = (bits.unpack(words, self.sources).astype(jnp.int8) for words in (self.enabled, self.disabled))
        return ENABLED * enabled + DISABLED * disabled


def from_matrix(
    connections: Int8[Array, "... sources targets"], activations: Int8[Array, "... targets"], inputs: int, outputs: int
) -> Genome:
    """The genome, or the population, of `Genome.connections`."""
    return Genome(bits.pack(connections == ENABLED), bits.pack(connections == DISABLED), activations, inputs, outputs)


def random_genome(
    key: Key[Array, ""], *, inputs: int, outputs: int, hidden: int, density: float | Float[Array, ""], output_activation: int = LINEAR
) -> Genome:
    """A genome without hidden nodes, in which bias and inputs connect to every output.

    Each connection is enabled with probability `density`; the others are disabled, and wait for the
    enable operator.
    """
    enabled = jax.random.bernoulli(key, density, (1 + inputs, outputs))
    padding = ((0, bits.words_for(1 + inputs + hidden) - bits.words_for(1 + inputs)), (hidden, 0))
    of_enabled, of_disabled = (jnp.pad(bits.pack(cells), padding) for cells in (enabled, ~enabled))
    activations = jnp.zeros(hidden + outputs, jnp.int8).at[hidden:].set(output_activation)
    return Genome(of_enabled, of_disabled, activations, inputs, outputs)


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

    words = [(0, bits.words_for(genome.sources + extra) - genome.enabled.shape[-2])]
    enabled, disabled = pad(genome.enabled, words), pad(genome.disabled, words)
    return Genome(enabled, disabled, pad(genome.activations, []), genome.inputs, genome.outputs)


def hidden_count(genome: Genome) -> Int[Array, "..."]:
    """The number of hidden nodes."""
    return jnp.sum(genome.activations[..., : genome.hidden] != 0, axis=-1)


def fan_in(genome: Genome) -> Int32[Array, "... targets"]:
    """The number of enabled connections into every target."""
    return jnp.sum(bits.count(genome.enabled), axis=-2)


def connection_count(genome: Genome) -> Int[Array, "..."]:
    """The number of enabled connections."""
    return jnp.sum(fan_in(genome), axis=-1)


def allowed_sources(genome: Genome, *, recurrent: bool = False) -> Int32[Array, " targets"]:
    """How many sources, from the first row on, every target of one genome may have: the nodes that
    exist and come before it, and all that exist in a `recurrent` search; none where it does not
    exist.
    """
    first = genome.hidden if recurrent else 0  # as if every target stood behind all hidden nodes
    before = jnp.minimum(jnp.arange(first, first + genome.activations.shape[0], dtype=jnp.int32), hidden_count(genome).astype(jnp.int32))
    return jnp.where(genome.activations != 0, 1 + genome.inputs + before, 0)
