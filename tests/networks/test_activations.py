"""The activation table: values against float64, finite gradients, and what `activation_ids` leaves out."""

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest

from wannjax.networks import activations
from wannjax.networks.activations import NAMES, PUBLISHED, activation_ids, half_turns, sinpi_cospi

activate = jax.jit(activations.activate, static_argnums=2)
gradient_of = jax.jit(jax.grad(lambda x, ids: jnp.sum(activate(ids, x))))

IDS = sorted(oracle.ACTIVATIONS)
GRID = jnp.linspace(-30, 30, 20001)
LARGE = np.array([1e4, 1e6, 12345, 999999, 1e7 + 1, 0.5, 1.5, 1000.5, 4194303.5, 2**23 + 1], np.float32)
EVERYWHERE = np.concatenate([GRID, LARGE, -LARGE, [0.0, -0.0, 1e-30, -1e-30]]).astype(np.float32)
DELICATE = np.array([0.0, -0.0, 0.5, 1.0, 20.0, -20.0, 1e3, -1e3, 1e30, -1e30, 1e-30], np.float32)


@pytest.mark.parametrize("activation", IDS, ids=lambda i: NAMES[i])
def test_value_agrees_with_float64(activation):
    want = oracle.ACTIVATIONS[activation](EVERYWHERE.astype(np.float64))
    got = np.asarray(activate(jnp.int8(activation), jnp.asarray(EVERYWHERE)))
    np.testing.assert_array_less(np.abs(got - want), 1e-6 * np.maximum(1, np.abs(want)))


def test_sum_passes_its_argument_through():
    np.testing.assert_array_equal(activate(jnp.int8(0), jnp.asarray(EVERYWHERE)), EVERYWHERE)


def test_ids_are_the_published_ones():
    assert [NAMES.index(name) for name in PUBLISHED] == list(range(1, 11))
    assert PUBLISHED == ("linear", "step", "sin", "gaussian", "tanh", "sigmoid", "inverse", "abs", "relu", "cos")


def test_ids_broadcast_against_values():
    ids = jnp.array(IDS, jnp.int8)[:, None]
    table = activate(ids, jnp.broadcast_to(GRID[None, :], (len(IDS), len(GRID))))
    for row, activation in zip(table, IDS, strict=True):
        np.testing.assert_array_equal(row, activate(jnp.int8(activation), GRID))


@pytest.mark.parametrize("activation", IDS, ids=lambda i: NAMES[i])
def test_gradient_is_finite_everywhere(activation):
    gradient = gradient_of(np.concatenate([DELICATE, GRID]), jnp.int8(activation))
    assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("activation", IDS, ids=lambda i: NAMES[i])
def test_gradient_is_the_slope_of_the_float64_function(activation):
    x = np.array([-4.3, -1.7, -0.9, -0.2, 0.3, 0.8, 1.6, 3.1])
    slope = (oracle.ACTIVATIONS[activation](x + 1e-6) - oracle.ACTIVATIONS[activation](x - 1e-6)) / 2e-6
    gradient = gradient_of(x.astype(np.float32), jnp.int8(activation))
    np.testing.assert_allclose(gradient, slope, atol=1e-5)


def test_gradients_are_finite_for_mixed_ids():
    ids = jnp.array(IDS, jnp.int8)[:, None]
    x = jnp.broadcast_to(DELICATE[None, :], (len(IDS), len(DELICATE)))
    assert np.all(np.isfinite(jax.jit(jax.grad(lambda x: jnp.sum(jnp.tanh(activate(ids, x)))))(x)))


@pytest.mark.parametrize("activation_ids", [(5,), (3, 10), (2, 6, 8), (1, 4, 5, 6, 7, 9, 11)], ids=str)
def test_among_keeps_the_values_of_its_ids(activation_ids):
    for activation in activation_ids:  # not compiled, where another program would round otherwise
        got = activations.activate(jnp.int8(activation), GRID, activation_ids)
        np.testing.assert_array_equal(got, activations.activate(jnp.int8(activation), GRID))


def test_an_id_outside_among_passes_its_argument_through():
    np.testing.assert_array_equal(activate(jnp.int8(5), GRID, (1, 2, 3)), GRID)


@pytest.mark.parametrize(("activation_ids", "absent"), [((1, 2, 8), "exp"), ((3, 10), "exp"), ((5, 6), "round"), ((4,), "round")], ids=str)
def test_among_compiles_nothing_else(activation_ids, absent):
    program = str(jax.make_jaxpr(lambda x: activate(jnp.int8(1), x, activation_ids))(1.0))
    assert absent not in program
    assert absent in str(jax.make_jaxpr(lambda x: activate(jnp.int8(1), x))(1.0))


def test_activation_ids_are_ascending():
    assert activation_ids(["tanh", "linear", "cos"]) == (1, 5, 10)


def test_every_published_name_is_known():
    assert activation_ids(PUBLISHED) == tuple(range(1, 11))


@pytest.mark.parametrize(
    ("names", "named"),
    [(["linear", "swish"], "'swish'"), (["sum"], "'sum'"), ([], r"\(\)"), (["tanh", "tanh"], "'tanh', 'tanh'")],
)
def test_bad_names_are_refused_and_named(names, named):
    with pytest.raises(ValueError, match=f"^activations: .*{named}"):
        activation_ids(names)


def test_sinpi_and_cospi_agree_with_float64():
    reduced = np.fmod(EVERYWHERE.astype(np.float64), 2.0)
    sin, cos = sinpi_cospi(jnp.asarray(EVERYWHERE))
    np.testing.assert_allclose(sin, np.sin(np.pi * reduced), atol=2e-7, rtol=0)
    np.testing.assert_allclose(cos, np.cos(np.pi * reduced), atol=2e-7, rtol=0)


def test_sinpi_is_odd_and_cospi_even():
    sin, cos = sinpi_cospi(GRID)
    mirrored_sin, mirrored_cos = sinpi_cospi(-GRID)
    np.testing.assert_array_equal(mirrored_sin, -sin)
    np.testing.assert_array_equal(mirrored_cos, cos)


def test_sinpi_vanishes_exactly_at_whole_numbers():
    whole = jnp.array([-7.0, -1.0, 0.0, 1.0, 2.0, 1e6, 16777216.0])
    np.testing.assert_array_equal(sinpi_cospi(whole)[0], np.zeros(7))


@pytest.mark.parametrize("compiled", [True, False])
def test_sines_and_cosines_of_radians_keep_to_their_bound(compiled):
    rng, quarters = np.random.default_rng(0), np.arange(-250_000, 250_000, 7) * (np.pi / 2)
    x = np.concatenate([rng.uniform(-size, size, 50_000) for size in (1, 10, 1e3, 1e5, 4e5)] + [quarters, EVERYWHERE, [1e-40]])
    x = x.astype(np.float32)
    x = x[np.abs(x) <= 4e5]

    def both(x):
        return sinpi_cospi(half_turns(x))

    sin, cos = (jax.jit(both) if compiled else both)(x)  # compiled, a product and a sum are rounded once
    bound = 4e-7 + 2e-11 * np.abs(x.astype(np.float64))
    np.testing.assert_array_less(np.abs(sin - np.sin(x.astype(np.float64))), bound)
    np.testing.assert_array_less(np.abs(cos - np.cos(x.astype(np.float64))), bound)


def test_of_more_turns_a_sine_is_a_number_of_its_range_and_of_no_number_nan():
    large = np.concatenate([np.geomspace(4e5, 3.4e38, 20_001), -np.geomspace(4e5, 3.4e38, 20_001)]).astype(np.float32)
    assert np.max(np.abs(sinpi_cospi(half_turns(large)))) <= 1.000001
    assert np.all(np.isnan(sinpi_cospi(half_turns(jnp.array([np.inf, -np.inf, np.nan], jnp.float32)))))
