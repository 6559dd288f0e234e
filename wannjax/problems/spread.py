"""How the populations of one run, or of several, spread over devices, and over blocks of networks that run side by side within each."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import PartitionSpec
from jaxtyping import Array, Bool

from wannjax import devices
from wannjax.network import Network


def spread(
    run: Callable[..., tuple[Any, Any]], networks: Network, block: int, wanted: Bool[Array, " runs"], own: Any, shared: Any
) -> tuple[Any, Any]:
    """`run` on all of every run's population, block by block, the same number of blocks on every device of this process. Call it under jit.

    Args:
        run: (N networks, own, shared) → (a pytree of results with leading axis N, a number that is added up over networks).
        networks: P networks for each of several runs.
        block: networks of one block, at the most.
        wanted: the runs that are computed; of others everything is 0.
        own: what a run's blocks need besides its networks, with a leading axis for the runs.
        shared: what the blocks of all runs need.

    Returns:
        the results with leading axes runs and P, in the order of `networks`; and for each run the sum over its blocks of the number × N.
        The last block is filled up with the shortest network, which is counted in the sum too.
    """
    mesh = devices.local_mesh("population")
    runs, count = networks.activations.shape[:2]
    per_device = -(-count // mesh.size)
    blocks = -(-per_device // block)
    size = -(-per_device // blocks)
    padded = mesh.size * blocks * size

    # Neighbours in length share a block, and every device gets its share of the long ones. Padding repeats the shortest network.
    order = jnp.argsort(networks.steps, axis=1)
    order = jnp.concatenate([jnp.repeat(order[:, :1], padded - count, axis=1), order], axis=1)
    order = order.reshape(runs, blocks, size, mesh.size).transpose(3, 0, 1, 2)
    which = jnp.arange(runs)[None, :, None, None]
    arranged = jax.tree.map(lambda leaf: leaf[which, order], networks)
    everywhere, split = PartitionSpec(), PartitionSpec("population")

    def on_device(networks, wanted, own, shared):
        def blocks_of(networks, own):
            return lax.map(lambda some: run(some, own, shared), networks)

        def nothing(networks, own):
            return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(blocks_of, networks, own))

        def of_run(networks, wanted, own):
            return lax.cond(wanted, blocks_of, nothing, networks, own)

        local = jax.tree.map(lambda leaf: leaf[0], networks)
        results = devices.over_runs(of_run, side_by_side=max(block // size, 1))(local, wanted, own)
        return jax.tree.map(lambda leaf: leaf[None], results)

    specs = (split, everywhere, everywhere, everywhere)
    results, numbers = jax.shard_map(on_device, mesh=mesh, in_specs=specs, out_specs=split, check_vma=False)(arranged, wanted, own, shared)
    place = jnp.arange(padded, dtype=jnp.int32).reshape(mesh.size, 1, blocks, size)
    place = jnp.zeros((runs, count), jnp.int32).at[which, order].set(jnp.broadcast_to(place, order.shape))

    def in_order(leaf):
        leaf = jnp.moveaxis(leaf, 1, 0)
        return leaf.reshape(runs, padded, *leaf.shape[4:])[jnp.arange(runs)[:, None], place]

    return jax.tree.map(in_order, results), jnp.sum(numbers, axis=(0, 2), dtype=jnp.float32) * size
