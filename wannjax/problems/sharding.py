"""How a population is spread over devices, and over chunks of networks that run side by side within
each.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import PartitionSpec

from wannjax.common import devices
from wannjax.networks.network import Network


def sharded(run: Callable[..., tuple[Any, Any]], networks: Network, chunk: int, *arguments: Any) -> tuple[Any, Any]:
    """`run` on all of a population, chunk by chunk, the same number of chunks on every device of
    this process. Call it under jit.

    Args:
        run: (N networks, *arguments) → (a pytree of results with leading axis N, a number that is
            added up over networks).
        networks: P networks.
        chunk: networks of one chunk, at the most.
        arguments: what all chunks need.

    Returns:
        the results with leading axis P, in the order of `networks`; and the sum over chunks of the
        number × N. The last chunk is filled up with the shortest network, which is counted in the
        sum too.
    """
    mesh = devices.local_mesh("population")
    count = networks.activations.shape[0]
    per_device = -(-count // mesh.size)
    chunks = -(-per_device // chunk)
    size = -(-per_device // chunks)
    padded = mesh.size * chunks * size

    # Neighbours in length share a chunk, and every device gets its share of the long ones. Padding
    # repeats the shortest network.
    order = jnp.argsort(networks.steps)
    order = jnp.concatenate([jnp.repeat(order[:1], padded - count), order])
    order = order.reshape(chunks, size, mesh.size).transpose(2, 0, 1)
    arranged = jax.tree.map(lambda leaf: leaf[order], networks)
    everywhere, split = PartitionSpec(), PartitionSpec("population")

    def on_device(networks, *arguments):
        local = jax.tree.map(lambda leaf: leaf[0], networks)
        results = lax.map(lambda some: run(some, *arguments), local)
        return jax.tree.map(lambda leaf: leaf[None], results)

    specs = (split, *[everywhere] * len(arguments))
    results, numbers = jax.shard_map(on_device, mesh=mesh, in_specs=specs, out_specs=split, check_vma=False)(arranged, *arguments)
    place = jnp.arange(padded, dtype=jnp.int32).reshape(mesh.size, chunks, size)
    place = jnp.zeros(count, jnp.int32).at[order].set(place)
    ordered = jax.tree.map(lambda leaf: leaf.reshape(padded, *leaf.shape[3:])[place], results)
    return ordered, jnp.sum(numbers, dtype=jnp.float32) * size
