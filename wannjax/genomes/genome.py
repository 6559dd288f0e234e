"""The genome: a topology as a triangular matrix of genes, padded to a fixed number of hidden slots.

Sources are the rows `[bias | inputs | hidden]`, targets the columns `[hidden | outputs]`, hidden
slots in topological order with the empty ones last. A connection from hidden slot i to hidden slot
j is allowed only if i < j, so every genome is acyclic by construction, and nothing here checks for
cycles. Functions are written for one genome; callers vmap.

To give a genome more genes, add a field to `Genome` and teach `enlarge` how to pad it.
"""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int8, Key

from wannjax.common.pytrees import Placeholder
from wannjax.networks.activations import LINEAR

ENABLED, ABSENT, DISABLED = 1, 0, -1


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
    return jnp.sum(genome.connections == ENABLED, axis=(-2, -1))


def allowed(genome: Genome) -> Bool[Array, "sources targets"]:
    """Where one genome may have a connection: both ends exist, and the source comes before the
    target.
    """
    sources, targets = genome.connections.shape
    first_hidden = 1 + genome.inputs
    is_target = (genome.activations != 0)[None, :]
    is_source = jnp.concatenate([jnp.ones(first_hidden, bool), genome.activations[: genome.hidden] != 0])[:, None]
    forward = jnp.arange(sources)[:, None] - first_hidden < jnp.arange(targets)[None, :]
    return is_target & is_source & forward
