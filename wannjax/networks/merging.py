"""A population as one tape of distinct steps, each of which is computed once for all networks.

Where all networks see the same observations, as examples of a data set, two steps compute the same
if they have the same activation and read the same values, in whatever order. Children differ from
their parents by a gene, so most steps of a population are the same: of 51,171 steps of 960 networks
after 100 generations on digits 2,626 are distinct (`benchmarks.data_throughput`). Partial sums
count as steps of their own, so two nodes with the same sources in other chains are not merged: in
one such population that would have saved one step of 4,978.

Steps are found to be the same by a hash of 64 bits, which is made along the tape of the activation
and of the sum of the sources' hashes. The result does not rest on chance: `Merged.sound` says
whether every step has the activation of the one that stands for it, and reads the same rows of the
merged tape. If so, steps with the same row compute the same, by induction along the tape: the first
steps read inputs alone, and every other one reads rows of which that is known.
"""

from collections.abc import Sequence
from functools import reduce
from operator import and_
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Int32, UInt32

from wannjax.networks.activations import NAMES, SUM
from wannjax.networks.network import Network
from wannjax.networks.tape import FAN_IN, FIRST_INPUT

Hashes = tuple[UInt32[Array, "*shape"], UInt32[Array, "*shape"]]
"""Two halves of a hash of 64 bits each."""


class Merged(NamedTuple):
    """P networks that share one weight per lane, as one tape with room for M steps, of which the
    first `ends[2]` are used. Rows of its table of values are numbered as those of a `Network`: the
    constant 0, the bias, the inputs, then one for every step.

    Steps come in three kinds, one after the other, in each of which a step reads earlier ones only:
    partial sums of inputs, which are the same at all shared weights; what else the outputs rest on;
    and outputs, which no step reads.

    Attributes:
        sources: int32[M, K]; in an order that depends on what they compute alone, so that sums are
            the same to the last bit whatever networks are merged.
        activations: int32[M].
        ends: int32[3], the number of steps up to the end of each kind.
        outputs: int32[P, O], the rows of every network's outputs.
        sound: bool[], whether this computes what the networks do.
    """

    sources: Int32[Array, "M K"]
    activations: Int32[Array, " M"]
    ends: Int32[Array, "3"]
    outputs: Int32[Array, "P O"]
    sound: Bool[Array, ""]


def merge(networks: Network, *, hash_bits: int = 32) -> Merged:
    """The distinct steps of a population, with room for as many as all networks have. Traceable.

    `hash_bits` are those that are used of each half of the hash: for tests of what happens when
    there are too few.
    """
    count, length = networks.activations.shape
    first = FIRST_INPUT + networks.inputs
    step = jnp.broadcast_to(jnp.arange(length), (count, length))
    is_output = step >= length - networks.outputs
    # An output is told from other steps, since it stands behind all of them.
    code = networks.activations.astype(jnp.int32) + len(NAMES) * is_output
    hashes, still, sources = _along_the_tape(networks, code, hash_bits)
    high, low = (half[:, first:].reshape(-1) for half in hashes)

    # Everything from here on is in the order of networks, and of steps within each.
    is_output = is_output.reshape(-1)
    used = (step < networks.steps[:, None]).reshape(-1) | is_output
    representative = _first_with_same((high, low), used)
    kind = jnp.where(is_output, 2, jnp.where(still[:, first:].reshape(-1), 0, 1))
    is_first = (representative == jnp.arange(count * length)) & used
    member = lax.optimization_barrier([(is_first & (kind == each)).astype(jnp.int32) for each in range(3)])
    numbers = [lax.associative_scan(jnp.add, part) for part in member]
    ends = jnp.cumsum(jnp.stack([part[-1] for part in numbers]))
    place = jnp.choose(kind, [numbers[0], numbers[1] + ends[0], numbers[2] + ends[1]], mode="clip") - 1
    rows = (first + place[representative]).reshape(count, length)
    rows = jnp.concatenate([jnp.broadcast_to(jnp.arange(first, dtype=jnp.int32), (count, first)), rows], axis=1)

    base = jnp.arange(count, dtype=jnp.int32)[:, None] * (first + length)
    read = [_take(rows, base + part).reshape(-1) for part in sources]
    own = lax.optimization_barrier([code.reshape(-1), *read])
    same = jnp.stack([part == _take(part, representative) for part in own]).all(axis=0)
    room = jnp.where(is_first, place, count * length)
    return Merged(
        jnp.zeros((count * length, FAN_IN), jnp.int32).at[room].set(jnp.stack(own[1:], axis=-1), mode="drop"),
        jnp.zeros(count * length, jnp.int32).at[room].set(own[0] % len(NAMES), mode="drop"),
        ends,
        rows[:, first + length - networks.outputs :],
        jnp.all(same | ~used),
    )


def _along_the_tape(networks: Network, code: Int32[Array, "P S"], bits: int) -> tuple[Hashes, Bool[Array, "P rows"], Int32[Array, "K P S"]]:
    """The hash of every row of every network's table; whether it holds the same at all shared
    weights; and the sources of every step in the order of their hashes. `code` are activations, and
    whatever else tells one step from another.
    """
    count, length = networks.activations.shape
    first = FIRST_INPUT + networks.inputs
    sources = networks.sources.transpose(1, 2, 0)
    network = jnp.arange(count, dtype=jnp.int32)
    code = code.T.astype(jnp.uint32)
    halves = []
    for half in range(2):
        of_inputs = _mixed(jnp.arange(first, dtype=jnp.uint32) + jnp.uint32(1 + half << 20)).at[0].set(0)
        table = jnp.concatenate([jnp.repeat(of_inputs, count), jnp.zeros(length * count, jnp.uint32)])
        halves.append((table, _mixed(code + jnp.uint32(3 + half << 20))))
    (high, of_high), (low, of_low) = halves
    still = jnp.concatenate([jnp.ones(first * count, bool), jnp.zeros(length * count, bool)])
    mask = jnp.uint32((1 << bits) - 1)

    def body(i, state):
        high, low, still, into = state
        # Without the barrier XLA computes the gathers element by element, 15 times slower.
        read = lax.optimization_barrier(
            [[_take(table, sources[i, k] * count + network) for table in (high, low, still)] for k in range(FAN_IN)]
        )
        highs, lows, stills = zip(*read, strict=True)
        values = _mixed(sum(highs) + of_high[i]) & mask, _mixed(sum(lows) + of_low[i]) & mask, (code[i] == SUM) & reduce(and_, stills)
        ordered = jnp.stack(_sorted(list(sources[i]), highs, lows))
        tables = [lax.dynamic_update_slice(table, value, ((first + i) * count,)) for table, value in zip(state, values, strict=False)]
        return *tables, lax.dynamic_update_slice(into, ordered[None], (i, 0, 0))

    state = lax.fori_loop(0, jnp.max(networks.steps), body, (high, low, still, jnp.zeros_like(sources)))
    *tables, into = lax.fori_loop(length - networks.outputs, length, body, state)
    high, low, still = (table.reshape(first + length, count).T for table in tables)
    return (high, low), still, into.transpose(1, 2, 0)


def _first_with_same(hashes: Hashes, used: Bool[Array, " M"]) -> Int32[Array, " M"]:
    """The number of the first thing with the same hash as each that is used."""
    high, low = hashes
    count = high.shape[0]
    number = jnp.arange(count, dtype=jnp.int32)
    bits = max((2 * count - 1).bit_length(), 1)

    def body(state):
        # Things of one hash fall into one cell of a table; those of several try again elsewhere.
        found, is_open, attempt = state
        cell = _mixed(high + attempt * low) >> (32 - bits)
        table = jnp.full(1 << bits, count, jnp.int32).at[cell].min(jnp.where(is_open, number, count))
        winner = jnp.minimum(table[cell], count - 1)
        same = is_open & (high[winner] == high) & (low[winner] == low)
        return jnp.where(same, winner, found), is_open & ~same, attempt + 1

    found, _, _ = lax.while_loop(lambda state: jnp.any(state[1]), body, (number, used, jnp.uint32(1)))
    return found


def _sorted(values: Sequence[Array], high: Sequence[Array], low: Sequence[Array]) -> list[Array]:
    """The K `values`, ascending in their hashes, element by element."""
    parts: list[tuple[Array, ...]] = list(zip(high, low, values, strict=True))
    for turn in range(len(parts)):
        for k in range(turn % 2, len(parts) - 1, 2):
            left, right = parts[k], parts[k + 1]
            swap = (left[0] > right[0]) | ((left[0] == right[0]) & (left[1] > right[1]))
            parts[k] = tuple(jnp.where(swap, b, a) for a, b in zip(left, right, strict=True))
            parts[k + 1] = tuple(jnp.where(swap, a, b) for a, b in zip(left, right, strict=True))
    return [part[2] for part in parts]


def _take(table: Array, index: Int32[Array, "*shape"]) -> Array:
    """Elements of a table of any shape, counted through it."""
    return jnp.ravel(table).at[index].get(mode="promise_in_bounds")


def _mixed(x: UInt32[Array, "*shape"]) -> UInt32[Array, "*shape"]:
    """A bijection of 32 bits in which every bit of the result depends on all of `x`."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)
