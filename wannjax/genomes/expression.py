"""Expression: from genomes to networks, on the device, without a loop over nodes' sources and
without scatter.

A node's n-th source is found among the bits of the genome's columns (see `bits.py`). Nodes that do
not reach an output are dropped. A hidden node without sources stays, and gives its activation of 0,
as in the published code. Functions are written for one genome; callers vmap.

In a recurrent search a node lives if an output is reached from it through time: memory that is read
at once, or one or many time steps later. A recurrent connection becomes a source whose row is that
of the step itself or of a later one. The table of values still holds there what the last time step
wrote (see `networks/tape.py`). That is so for nodes of several steps too, since a node's value
stands in the row of its last one.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32, Int32, UInt32

from wannjax.genomes import bits
from wannjax.genomes.genome import Genome
from wannjax.networks.activations import SUM
from wannjax.networks.network import Network
from wannjax.networks.tape import FAN_IN, FIRST_INPUT


def steps_needed(fan_in: Int32[Array, " targets"], genome: Genome) -> Int32[Array, ""]:
    """How many steps before the outputs the genome takes at the most, counting dead nodes as if
    they lived; `fan_in` is the number of enabled connections into every target.
    """
    return jnp.sum(_steps_of(fan_in, genome.activations != 0, genome.hidden))


def express(genome: Genome, steps: int, weights: Float32[Array, "sources targets"] | None = None, *, recurrent: bool = False) -> Network:
    """The network of one genome, with room for `steps` steps before the outputs.

    Args:
        steps: at least `steps_needed(genome)`; what does not fit is lost without a word, since
            shapes are all that is known here.
        weights: the individual weight of every connection, in the genome's layout.
        recurrent: whether connections may be.
    """
    hidden, outputs = genome.hidden, genome.outputs
    words = genome.enabled
    # A scan, since a CPU does cumsum one by one, and the tree of an associative one in many passes.
    fan_in, words_end = lax.scan(lambda before, row: (before + bits.count(row),) * 2, jnp.zeros(words.shape[1], jnp.int32), words)
    live = jnp.concatenate([_reaches_output(words, hidden, 1 + genome.inputs, recurrent), jnp.ones(outputs, bool)])
    counts = _steps_of(fan_in, live, hidden)
    ends = jnp.cumsum(counts)

    # Which node each step of the tape serves, and which of the node's steps it is.
    index = jnp.arange(steps)
    node = jnp.searchsorted(ends, index, side="right", method="scan_unrolled")
    used = node < hidden + outputs
    node = jnp.concatenate([jnp.where(used, node, 0), hidden + jnp.arange(outputs)])
    used = jnp.concatenate([used, jnp.ones(outputs, bool)])
    part = jnp.concatenate([index, ends[hidden:]]) - (ends - counts)[node]
    is_last = jnp.where(node < hidden, part == counts[node] - 1, jnp.arange(steps + outputs) >= steps)

    # A step after the first of its node reads the one before it, and FAN_IN - 1 further sources.
    lane = jnp.arange(FAN_IN)[None, :]
    is_link = (part[:, None] > 0) & (lane == 0) & used[:, None]
    ordinal = part[:, None] * (FAN_IN - 1) + lane
    is_source = used[:, None] & ~is_link & (ordinal < fan_in[node][:, None])
    source = jnp.where(is_source, bits.nth_bit(words[:, node], words_end[:, node], ordinal.T).T, 0)
    first_step = FIRST_INPUT + genome.inputs
    row_of = jnp.concatenate([jnp.arange(1, first_step), first_step + ends[:hidden] - 1]).astype(jnp.int32)
    previous = first_step + jnp.concatenate([index, ends[hidden:]])[:, None] - 1
    rows = jnp.where(is_source, row_of[source], jnp.where(is_link, previous, 0)).astype(jnp.int32)

    if weights is not None:
        weights = jnp.where(is_source, weights[source, node[:, None]], is_link.astype(jnp.float32))
    activations = jnp.where(used & is_last, genome.activations[node], jnp.int8(SUM))
    return Network(rows, activations, ends[-1].astype(jnp.int32), weights, genome.inputs, outputs, recurrent=recurrent)


def _steps_of(fan_in, live, hidden: int):
    """Steps per target: a chain takes FAN_IN sources, then FAN_IN - 1 more each; outputs keep their
    last step elsewhere.
    """
    chain = jnp.maximum((fan_in + FAN_IN - 3) // (FAN_IN - 1), 1)
    is_output = jnp.arange(fan_in.shape[0]) >= hidden
    return jnp.where(live, chain - is_output.astype(chain.dtype), 0).astype(jnp.int32)


def _reaches_output(words: UInt32[Array, "words targets"], hidden: int, first_hidden: int, recurrent: bool):
    """bool[H]: from which hidden nodes a path of enabled connections leads to an output."""
    reached = lax.reduce(words[:, hidden:], jnp.uint32(0), lax.bitwise_or, (1,))

    def test(reached, j):
        return bits.is_set(reached, first_hidden + j)

    def visit(i, reached):
        j = hidden - 1 - i
        return jnp.where(test(reached, j), reached | words[:, j], reached)

    def sweep(reached):
        return lax.fori_loop(0, hidden, visit, reached)

    reached = sweep(reached)
    if recurrent:  # a sweep goes against evaluation: one more for every recurrent connection on a path
        start = reached, sweep(reached)
        _, reached = lax.while_loop(lambda found: jnp.any(found[0] != found[1]), lambda found: (found[1], sweep(found[1])), start)
    return test(reached, jnp.arange(hidden))
