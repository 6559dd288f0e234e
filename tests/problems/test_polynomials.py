"""A step whose sin, cos and tan are polynomials is the step that was written, within their bound, wherever they occur."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from wannjax.problems.polynomials import with_polynomials

X = np.random.default_rng(0).uniform(-20, 20, 2000).astype(np.float32)
FUNCTIONS = {"sin": (jnp.sin, np.sin, np.cos), "cos": (jnp.cos, np.cos, lambda x: -np.sin(x))}


@jax.custom_jvp
def own(x):
    return jnp.sin(x)


own.defjvps(lambda tangent, _, x: 7 * tangent)


@jax.custom_vjp
def backwards(x):
    return jnp.sin(x)


backwards.defvjp(lambda x: (jnp.sin(x), None), lambda _, bar: (7 * bar,))

CALLS = {
    "plain": jnp.sin,
    "jit": jax.jit(jnp.sin),
    "vmap": lambda x: jax.vmap(jnp.sin)(x[None])[0],
    "cond": lambda x: lax.cond(x > 0, jnp.sin, lambda x: -jnp.sin(-x), x),
    "switch": lambda x: lax.switch(jnp.int32(x > 0), [jnp.sin, jnp.sin], x),
    "while": lambda x: lax.while_loop(lambda carry: jnp.sin(carry[0]) > 2, lambda carry: carry, (x, jnp.sin(x)))[1],
    "fori": lambda x: lax.fori_loop(0, 2, lambda _, y: jnp.sin(x), x),
    "scan": lambda x: lax.scan(lambda carry, _: (jnp.sin(x), carry), x, None, length=2)[0],
    "checkpoint": jax.checkpoint(jnp.sin),
    "custom_jvp": own,
    "custom_vjp": backwards,
}


def operations(function, *arguments):
    """What a compiled program is made of, before it is optimised."""
    return jax.jit(function).lower(*arguments).as_text()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_derivatives_agree_with_float64(name):
    function, value, slope = FUNCTIONS[name]
    replaced = with_polynomials(function)
    np.testing.assert_allclose(replaced(X), value(X.astype(np.float64)), atol=4e-7, rtol=0)
    np.testing.assert_allclose(jax.vmap(jax.grad(replaced))(X), slope(X.astype(np.float64)), atol=4e-7, rtol=0)


def test_a_tangent_and_its_derivative_agree_with_float64():
    want = np.tan(X.astype(np.float64))
    near = np.abs(want) < 100  # nearer a pole, the error's square counts
    error, slope_error = with_polynomials(jnp.tan)(X) - want, jax.vmap(jax.grad(with_polynomials(jnp.tan)))(X) - (1 + want**2)
    assert np.max(np.abs(error / (1 + want**2))[near]) < 1e-6
    assert np.max(np.abs(slope_error / (1 + np.abs(want) ** 3))[near]) < 1e-5


@pytest.mark.parametrize("name", CALLS)
def test_a_sine_is_replaced_wherever_it_is_called(name):
    function = CALLS[name]
    assert "sine" in operations(function, jnp.float32(0.5))
    assert "sine" not in operations(with_polynomials(function), jnp.float32(0.5))
    np.testing.assert_allclose(jax.jit(jax.vmap(with_polynomials(function)))(X), np.sin(X.astype(np.float64)), atol=4e-7, rtol=0)


@pytest.mark.parametrize("name", ["custom_jvp", "custom_vjp"])
def test_a_derivative_of_the_functions_own_stays(name):
    assert jax.grad(with_polynomials(CALLS[name]))(jnp.float32(0.5)) == 7


def test_gradients_are_finite_at_the_folds():
    folds = (np.arange(-400, 401) * (np.pi / 2)).astype(np.float32)
    for function, _, slope in FUNCTIONS.values():
        gradient = jax.jit(jax.vmap(jax.grad(with_polynomials(function))))(folds)
        np.testing.assert_allclose(gradient, slope(folds.astype(np.float64)), atol=4e-7, rtol=0)


def test_what_is_no_float32_is_left_alone():
    assert "sine" in operations(with_polynomials(jnp.sin), jnp.float16(0.5))


def test_pytrees_and_plain_numbers_go_through():
    def function(tree, scale):
        return {"y": tree["x"] * jnp.sin(scale), "n": tree["n"] + 1, "key": jax.random.fold_in(tree["key"], 1)}

    tree = {"x": jnp.float32(2.0), "n": 3, "key": jax.random.key(0)}
    got, want = with_polynomials(function)(tree, 0.5), function(tree, 0.5)
    assert jax.tree.structure(got) == jax.tree.structure(want)
    np.testing.assert_allclose(got["y"], want["y"], atol=4e-7)
    assert (got["n"], got["key"]) == (want["n"], want["key"])
