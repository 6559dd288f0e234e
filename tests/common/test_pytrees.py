"""Pytrees as named arrays and back: what a checkpoint holds of a state."""

from dataclasses import dataclass, field
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wannjax.common.pytrees import arrays_of, capacities_of, tree_like, with_capacities


class Pair(NamedTuple):
    first: jax.Array
    second: np.ndarray


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class State:
    pair: Pair
    key: jax.Array
    count: jax.Array
    nothing: None = None
    steps: int = field(default=8, metadata={"static": True})


def state(length=3, seed=7):
    pair = Pair(jnp.arange(2.0 * length).reshape(length, 2), np.arange(length, dtype=np.int64))
    return State(pair, jax.random.key(seed), jnp.int32(length))


NAMES = {"state.pair.first", "state.pair.second", "state.key", "state.count"}


def test_arrays_are_named_by_their_place_and_keys_are_plain_numbers():
    arrays = arrays_of(state(), "state")
    assert set(arrays) == NAMES
    assert {type(array) for array in arrays.values()} == {np.ndarray}
    assert arrays["state.key"].dtype == np.uint32
    assert set(arrays_of((jnp.zeros(1), {"b": jnp.zeros(1)}), "it")) == {"it.0", "it.1.b"}
    assert arrays_of((), "it") == {}


def test_the_pytree_comes_back_and_lengths_are_those_of_the_arrays():
    want = state(length=5, seed=1)
    got = tree_like(state(), arrays_of(want, "state"), "state")
    chex.assert_trees_all_equal(got, want, strict=True)
    chex.assert_trees_all_equal_shapes_and_dtypes(got, want)
    np.testing.assert_array_equal(jax.random.uniform(got.key, (4,)), jax.random.uniform(want.key, (4,)))


def test_what_is_on_the_host_stays_there():
    got = tree_like(state(), arrays_of(state(), "state"), "state")
    assert type(got.pair.second) is np.ndarray
    assert got.pair.second.dtype == np.int64
    assert isinstance(got.pair.first, jax.Array)


def test_keys_are_of_the_implementation_of_the_template():
    template = jax.random.key(0, impl="rbg")
    got = tree_like(template, arrays_of(jax.random.key(3, impl="rbg"), "key"), "key")
    assert jax.random.key_impl(got) == jax.random.key_impl(template)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("state.pair.first", lambda array: None),
        ("state.pair.first", lambda array: array.astype(np.float64)),
        ("state.pair.first", lambda array: array[0]),
        ("state.pair.second", lambda array: array.astype(np.int32)),
        ("state.count", lambda array: array[None]),
        ("state.key", lambda array: array.astype(np.int32)),
    ],
)
def test_another_array_is_named(name, change):
    arrays = arrays_of(state(), "state")
    changed = change(arrays.pop(name))
    if changed is not None:
        arrays[name] = changed
    with pytest.raises(ValueError, match=rf"checkpoint: must be an array of type \w+ with \d axes, got '{name}'"):
        tree_like(state(), arrays, "state")


def test_capacities_are_the_static_fields():
    assert capacities_of(state()) == {"steps": 8}
    assert with_capacities(state(length=20), {"steps": 2}).steps == 2


@pytest.mark.parametrize(
    "capacities", [None, {}, {"steps": 0}, {"steps": 3}, {"steps": 1.0}, {"steps": True}, {"steps": 1, "other": 1}], ids=str
)
def test_other_capacities_are_named(capacities):
    """No more than the arrays have room for."""
    with pytest.raises(ValueError, match="checkpoint: must be the capacities steps, got"):
        with_capacities(state(), capacities)
