"""What is evaluated on lanes gives what JAX gives lane by lane, to the last bit."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from bridge import assert_same_bits
from jax import lax

from wannjax.problems.kernels.cells import LANES, Cells, UnfitError, vector, vectors_of
from wannjax.problems.kernels.lanes import OnLanes


def on_lanes(function, *arguments):
    """`function` of arguments [LANES, ...], evaluated on lanes and put together again."""
    of_one = OnLanes(function, *(jax.ShapeDtypeStruct(each.shape[1:], each.dtype) for each in arguments))

    def cells_of(each):
        return Cells(each.shape[1:], each.dtype, tuple(jnp.moveaxis(each.reshape(LANES, -1), 1, 0)))

    def together(cells):
        values = vectors_of(cells)
        return jnp.stack(values, 1).reshape(LANES, *cells.shape) if values else jnp.zeros((LANES, *cells.shape), cells.dtype)

    return jax.tree.map(together, of_one(*map(cells_of, arguments)))


def assert_same(function, *arguments):
    got, want = jax.jit(lambda *arrays: (on_lanes(function, *arrays), jax.vmap(function)(*arrays)))(*arguments)
    assert_same_bits(got, want)


def draw(*shape, seed=0, special=()):
    values = np.random.default_rng(seed).normal(size=(LANES, *shape)).astype(np.float32)
    for place, value in enumerate(special):
        values.reshape(LANES, -1)[place] = value
    return values


def index(*shape, low=-2, high=6, seed=0):
    return np.random.default_rng(seed).integers(low, high, (LANES, *shape)).astype(np.int32)


def test_cells_are_moved_as_arrays_are():
    def moved(x):
        parts = jnp.split(x, [1], axis=1)
        swapped = jnp.concatenate([jnp.flip(parts[1].T, 0), jnp.broadcast_to(x[0, :1], (1, 4))])
        rows = lax.unstack(x, 1) if hasattr(lax, "unstack") else tuple(x.T)
        return (
            rows,
            swapped[::2, 1:],
            jnp.stack([x[0], x[1]], axis=1),
            jnp.expand_dims(x, 1).reshape(-1),
            jnp.arange(3) * x[0].astype(jnp.int32),
        )

    assert_same(moved, draw(4, 3))


def test_a_shift_by_all_bits_or_more_is_what_xla_says_and_is_left_to_no_compiler():
    def shifted(x, words, distance):
        shifts = (lax.shift_left, lax.shift_right_logical, lax.shift_right_arithmetic)
        return [shift(bits, distance.astype(bits.dtype)) for shift in shifts for bits in (x, words)]

    x, distance = index(low=-(2**31), high=2**31 - 1), np.resize([0, 1, 9, 31, 32, 33, 40, 2**30, -1], LANES).astype(np.int32)
    arguments = x, x.view(np.uint32), distance
    assert_same(shifted, *arguments)

    program, found = jax.make_jaxpr(partial(on_lanes, shifted))(*arguments).jaxpr, 0
    known = dict(zip(program.invars, arguments, strict=True))
    for equation in program.eqns:
        values = [known.get(each) if not hasattr(each, "val") else each.val for each in equation.invars]
        if equation.primitive.name.startswith("shift"):
            found += 1
            assert np.all((np.asarray(values[1], np.int64) >= 0) & (np.asarray(values[1], np.int64) < 32)), "LLVM does not say what that is"
        results = equation.primitive.bind(*values, **equation.params)
        known.update(zip(equation.outvars, results if equation.primitive.multiple_results else [results], strict=True))
    assert found >= 6


def test_a_dynamic_index_reads_and_writes_as_jax_does():
    def indexed(x, table, i, pair):
        row = jnp.array([[3, 1], [4, 1], [5, 9]])[i % 3]
        return (
            x[i],
            x.at[i].get(mode="fill"),
            x.at[i].get(mode="clip"),
            table[pair[0], pair[1]],
            table[:, pair],
            lax.dynamic_slice(table, (i, i), (2, 2)),
            lax.dynamic_update_slice(x, x[:2] * 2, (i,)),
            x.at[i].set(7.0),
            x.at[i].set(7.0, mode="clip"),
            x.at[pair].add(x[:2]),
            table.at[1, pair[0]].set(-1.0),
            table.at[pair[0]].set(x[:3]),
            row,
        )

    assert_same(indexed, draw(4), draw(5, 3), index(), index(2))


def test_numbers_are_computed_as_jax_does_even_if_they_are_none():
    def computed(x, y):
        return (
            jnp.round(x * 3),
            lax.round(x * 3),
            jnp.clip(x, -0.5, y),
            jnp.sign(x),
            jnp.isfinite(x),
            x**-3,
            x**0,
            jnp.maximum(x, y),
            jnp.minimum(x, y),
            (x > 0) == (y > 0),
            (x * 100).astype(jnp.int32) % 7,
            (x > 0).astype(jnp.int8),
            x.astype(bool),
            jnp.where(x > y, x, 0.0),
            jnp.logical_xor(x > 0, ~(y > 0)),
        )

    special = (np.nan, np.inf, -np.inf, 0.5, -0.5, 1.5, 2.5 / 3, 0.5 / 3, 1e9, -1e9, 0.0, 1e20)
    assert_same(computed, draw(special=special), draw(seed=1, special=(0.0, np.nan)))


def test_cells_are_combined_as_jax_does():
    def combined(x, y):
        return (
            x.sum(),
            x.max(axis=0),
            x.min(axis=1),
            (x > 0).any(axis=0),
            (x > 0).all(),
            x.prod(axis=1),
            jnp.argmax(x, axis=1),
            jnp.argmin(x),
            jnp.argmax(jnp.sign(x[0])),
            lax.switch(jnp.argmax(y), [jnp.sin, jnp.cos, lambda values: -values], y),
            lax.cond(y[0] > 0, lambda: x[0], lambda: x[1]),
        )

    assert_same(combined, draw(2, 3, special=(np.nan,)), draw(3))


def test_products_are_those_of_jax():
    got, want = jax.jit(lambda *arrays: (on_lanes(jnp.matmul, *arrays), jax.vmap(jnp.matmul)(*arrays)))(draw(2, 3), draw(3, 4))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("partitionable", [True, False])
def test_random_numbers_are_those_of_jax(partitionable):
    def drawn(words, number):
        key = jax.random.wrap_key_data(words, impl="threefry2x32")
        first, second = jax.random.split(jax.random.fold_in(key, number))
        whole = jax.random.randint(second, (3,), 0, 10), jax.random.bits(second, (5,), jnp.uint8)
        return jax.random.uniform(first, (3,)), *whole, jax.random.key_data(second), jax.random.bernoulli(key, 0.3)

    words = np.random.default_rng(0).integers(0, 2**32, (LANES, 2), dtype=np.uint32)
    with jax.threefry_partitionable(partitionable):
        assert_same(drawn, words, index())


def test_only_what_has_an_influence_is_used():
    of_one = OnLanes(
        lambda a, b, c: (a, c["x"] * 2), *(jax.ShapeDtypeStruct((), jnp.float32),) * 2, {"x": jnp.float32(0), "y": jnp.ones(3)}
    )
    assert of_one.used == (True, False, {"x": True, "y": False})
    same, twice = jax.jit(lambda: [vector(*cells.values, cells.dtype) for cells in of_one(one(1.0), None, {"x": one(2.0), "y": None})])()
    assert same[0] == 1.0
    assert twice[0] == 4.0


def one(value):
    return Cells((), np.dtype(np.float32), (value,))


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (jnp.sort, "`sort`"),
        (lambda x: jnp.ones((20, 20)) * x[0], "an array of 400 cells, more than 256"),
        (lambda x: jax.random.uniform(jax.random.wrap_key_data(jnp.zeros(4, jnp.uint32), impl="rbg")) * x[0], "random bits of key<rbg>"),
        (lambda x: jax.vmap(jnp.matmul)(x.reshape(2, 1, 2), x.reshape(2, 2, 1)), "`dot_general` of several products at once"),
    ],
    ids=["sort", "size", "keys", "products"],
)
def test_what_does_not_fit_is_named(function, reason):
    with pytest.raises(UnfitError, match=f"^{reason}"):
        jax.eval_shape(partial(on_lanes, function), draw(4))
