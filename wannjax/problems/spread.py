"""How a population spreads over devices, and over blocks of networks that run side by side within each."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import PartitionSpec

from wannjax import devices
from wannjax.network import Network


def spread(run: Callable[..., tuple[Any, Any]], networks: Network, block: int, *shared: Any) -> tuple[Any, Any]:
    """`run` on all of a population, block by block, the same number of blocks on every device of this process. Call it under jit.

    Args:
        run: (N networks, *shared) → (a pytree of results with leading axis N, a number that is added up over networks).
        networks: P networks.
        block: networks of one block, at the most.
        shared: what every block needs besides its networks.

    Returns:
        the results with leading axis P, in the order of `networks`; and the sum over blocks of the number × N. The last block is filled
        up with the shortest network, which is counted in the sum too.
    """
    mesh = devices.local_mesh("population")
    count = networks.activations.shape[0]
    per_device = -(-count // mesh.size)
    blocks = -(-per_device // block)
    block = -(-per_device // blocks)
    padded = mesh.size * blocks * block

    # Neighbours in length share a block, and every device gets its share of the long ones. Padding repeats the shortest network.
    order = jnp.argsort(networks.steps)
    order = jnp.concatenate([jnp.full(padded - count, order[0]), order])
    order = order.reshape(blocks, block, mesh.size).transpose(2, 0, 1)
    arranged = jax.tree.map(lambda leaf: leaf[order], networks)
    everywhere, split = PartitionSpec(), PartitionSpec("population")

    def on_device(networks, shared):
        local = jax.tree.map(lambda leaf: leaf[0], networks)
        results = lax.map(lambda some: run(some, *shared), local)
        return jax.tree.map(lambda leaf: leaf[None], results)

    results, numbers = jax.shard_map(on_device, mesh=mesh, in_specs=(split, everywhere), out_specs=split, check_vma=False)(arranged, shared)
    position = jnp.zeros(count, jnp.int32).at[order.reshape(-1)].set(jnp.arange(padded, dtype=jnp.int32))
    return (
        jax.tree.map(lambda leaf: leaf.reshape(padded, *leaf.shape[3:])[position], results),
        jnp.sum(numbers, dtype=jnp.float32) * block,
    )
