"""Pytrees: what type checkers must let pass in one, and its arrays by name, which is what
checkpoints hold of a state.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from wannjax.common.validation import require

Placeholder = Any
"""What JAX puts in place of a pytree's arrays while it transforms one: type checkers must let it
pass.
"""


def arrays_of(tree: Any, prefix: str) -> dict[str, np.ndarray]:
    """The arrays of a pytree by name; keys as their data."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {_name(prefix, path): np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf) for path, leaf in leaves}


def tree_like(template: Any, arrays: dict[str, np.ndarray], prefix: str) -> Any:
    """The pytree of which `arrays_of` gave `arrays`: as `template`, whose lengths along the axes
    may differ; what is a numpy array there stays one.

    Raises ValueError for other names, types or numbers of axes.
    """

    def restored(path, leaf):
        name = _name(prefix, path)
        on_host = isinstance(leaf, np.ndarray)
        plain = jax.random.key_data(leaf) if _is_key(leaf) else leaf if on_host else jnp.asarray(leaf)
        array = arrays.get(name)
        fits = array is not None and array.dtype == plain.dtype and array.ndim == plain.ndim
        require("checkpoint", name, f"an array of type {plain.dtype} with {plain.ndim} axes", fits)
        if on_host:
            return array
        return jax.random.wrap_key_data(jax.device_put(array), impl=jax.random.key_impl(leaf)) if _is_key(leaf) else jax.device_put(array)

    return jax.tree_util.tree_map_with_path(restored, template)


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _name(prefix: str, path: tuple) -> str:
    return ".".join([prefix, *(jax.tree_util.keystr((key,), simple=True) for key in path)])


def capacities_of(state: Any) -> dict[str, int]:
    """The static fields of a state that is a dataclass, or of each in a dict of them: the
    capacities that its arrays are padded to.
    """
    if isinstance(state, dict):
        return capacities_of(next(iter(state.values())))
    return {f.name: getattr(state, f.name) for f in dataclasses.fields(state) if f.metadata.get("static")}


def with_capacities(state: Any, capacities: Any) -> Any:
    """`state` with these static fields. Raises ValueError unless they are the names and numbers of
    such.
    """
    if isinstance(state, dict):
        return {name: with_capacities(part, capacities) for name, part in state.items()}
    names = set(capacities_of(state))
    room = max(leaf.size // leaf.shape[0] for leaf in jax.tree.leaves(state) if leaf.ndim)
    fine = isinstance(capacities, dict) and set(capacities) == names and all(type(n) is int and 0 < n <= room for n in capacities.values())
    require("checkpoint", capacities, f"the capacities {', '.join(sorted(names))}", fine)
    return dataclasses.replace(state, **capacities)
