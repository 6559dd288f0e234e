"""How a population is spread over devices, and over chunks of networks that run side by side within
each.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, Int32, Num

from wannjax.common import devices
from wannjax.common.per_device import PerDevice, on_devices
from wannjax.networks.network import Network


class Shares(NamedTuple):
    """What D devices found of P networks, each in C chunks of N.

    Attributes:
        results: a pytree with leading axes [D, C, N].
        numbers: [D, C], one number of every chunk.
        place: int32[D, P], where each network's results are, counted through D, C and N; the same
            for all devices.
    """

    results: Any
    numbers: Num[Array | np.ndarray, "D C"]
    place: Int32[Array | np.ndarray, "D P"]


def sharded(run: Callable[..., tuple[Any, Any]], networks: Network, chunk: int, shares: int, *arguments: Any) -> Shares:
    """`run` on all of a population, chunk by chunk, the same number of chunks on every device. Call
    it under jit.

    Args:
        run: (N networks, *arguments) → (a pytree of results with leading axis N, a number).
        networks: P networks.
        chunk: networks of one chunk, at the most.
        shares: on how many devices; see `on_devices`.
        arguments: what all chunks need.

    The last chunk is filled up with the shortest network. None has a single network unless all
    have, since XLA compiles that to other roundings.
    """
    count = networks.activations.shape[0]
    per_device = -(-count // shares)
    chunks = -(-per_device // chunk)
    size = max(-(-per_device // chunks), min(chunk, count, 2))
    padded = shares * chunks * size

    def on_device(share, networks, *arguments):
        # Neighbours in length share a chunk, and every device gets its share of the long ones.
        # Padding repeats the shortest network.
        order = jnp.argsort(networks.steps)
        order = jnp.concatenate([jnp.repeat(order[:1], padded - count), order])
        order = order.reshape(chunks, size, shares).transpose(2, 0, 1)
        own = jax.tree.map(lambda leaf: leaf[order[share]], networks)
        results, numbers = lax.map(lambda some: run(some, *arguments), own)
        place = jnp.arange(padded, dtype=jnp.int32).reshape(order.shape)
        return Shares(results, numbers, jnp.zeros(count, jnp.int32).at[order].set(place))

    return on_devices(on_device, shares, networks, *arguments)


def on_population(function: Callable[..., Shares], *static: str) -> PerDevice:
    """`function`, which gives what `sharded` does, compiled for all devices; `static` are those of
    its keywords that are no arrays.
    """
    return PerDevice(function, put_together, static_argnames=static, compiler_options=devices.compiler_options())


def put_together(shares: Shares) -> tuple[Any, Float32[Array | np.generic, ""]]:
    """The results with leading axis P, in the order of the networks; and the sum over chunks of the
    numbers × N, where networks that fill up count too.
    """
    place, size = shares.place[0], jax.tree.leaves(shares.results)[0].shape[2]
    ordered = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[3:])[place], shares.results)
    return ordered, shares.numbers.sum(dtype=jnp.float32) * size
