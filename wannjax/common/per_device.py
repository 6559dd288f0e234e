"""Programs that run on all devices of this process, each with its share of the work.

On CPU devices no program exchanges anything between devices: one that does waits for threads that
another operation may hold (an `eigh`, a large product), and XLA ends a process that waits too long.
Results leave the program where they are and are put together on the host. On accelerators they are
put together within the program.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec

from wannjax.common import devices


class PerDevice:
    """A function compiled for all devices of this process.

    Attributes:
        apart: the compiled function, for CPU devices.
        whole: the same, and what puts its results together; for accelerators.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        finish: Callable[[Any], Any],
        static_argnames: tuple[str, ...] = (),
        compiler_options: dict[str, Any] | None = None,
    ):
        """
        Args:
            function: traceable. Its results are those of `on_devices`, for as many devices as its
                keyword `shares` says.
            finish: puts them together, whether they are JAX's arrays or numpy's.
            static_argnames: keywords of `function` that are no arrays.
            compiler_options: as of `jax.jit`.
        """

        def finished(*arguments, **settings):
            return finish(function(*arguments, **settings))

        compiled = partial(jax.jit, static_argnames=(*static_argnames, "shares"))
        self.apart = compiled(function, compiler_options=compiler_options)
        self.whole = compiled(finished, compiler_options=compiler_options)
        self._within = compiled(finished)  # another program, whose options are its own
        self._finish = finish

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        """What `finish` makes of the results. Traceable: within a program of the caller's, one CPU
        device does all of the work.
        """
        shares = jax.local_device_count()
        if is_traced(*arguments):
            return self._within(*arguments, **settings, shares=1 if devices.on_cpu() else shares)
        if not devices.on_cpu():
            return self.whole(*arguments, **settings, shares=shares)
        parts = jax.device_get(self.apart(*jax.tree.map(_to_be_copied, arguments), **settings, shares=shares))
        with np.errstate(all="ignore"):
            return jax.tree.map(jnp.asarray, self._finish(parts))


def on_devices(function: Callable[..., Any], shares: int, *arguments: Any) -> Any:
    """What `function` gives on each of `shares` devices, all of this process or one: its results
    with leading axis `shares`. Call it under jit.

    Args:
        function: (the number of its share, int32[], *arguments) → a pytree of arrays.
        arguments: all devices have all of them.
    """

    def on_device(*arguments):
        share = jax.lax.axis_index("share").astype(jnp.int32) if shares > 1 else jnp.int32(0)
        return jax.tree.map(lambda leaf: leaf[None], function(share, *arguments))

    if shares == 1:
        return on_device(*arguments)
    split = jax.shard_map(
        on_device, mesh=devices.local_mesh("share"), in_specs=PartitionSpec(), out_specs=PartitionSpec("share"), check_vma=False
    )
    return split(*arguments)


def is_traced(*arguments: Any) -> bool:
    """Whether a program of the caller's is being traced, though it may give none of `arguments`."""
    # What is made here shows it.
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((arguments, jnp.zeros((), jnp.int32))))


def _to_be_copied(leaf: Any) -> Any:
    """An argument that is spread over devices itself, on the host, since it would be put together
    within the program.
    """
    apart = isinstance(leaf, jax.Array) and not leaf.is_fully_replicated
    return jax.device_get(leaf) if apart else leaf
