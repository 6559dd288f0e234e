"""Networks as flax modules, trained there and brought back."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from export_support import pairs, random_case
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

from wannjax.export import from_flax, to_flax
from wannjax.networks.graph import Connection, Graph, graph_of, network_of
from wannjax.networks.network import connection_count


def test_one_observation_gives_one_row():
    *_, network, observations = random_case(1)
    module = to_flax(network)
    assert module(observations[0]).shape == (2,)
    np.testing.assert_allclose(module(observations[0]), module(observations)[0], rtol=1e-6, atol=1e-6)


def test_the_only_variables_are_one_param_with_a_value_per_connection():
    _, _, shared, individual, _ = random_case(1)
    for network in (shared, individual):
        state = nnx.state(to_flax(network))
        assert [path for path, _ in nnx.to_flat_state(state)] == [("weights",)]
        assert isinstance(to_flax(network).weights, nnx.Param)
        assert state["weights"][...].shape == (connection_count(network),)


def test_values_stand_in_the_order_of_the_graphs_connections():
    network = random_case(1)[3]
    assert to_flax(network).weights[...].tolist() == [connection.weight for connection in graph_of(network).connections]


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_there_and_back_is_the_same_network(seed):
    network = random_case(seed)[3]
    assert graph_of(from_flax(to_flax(network))) == graph_of(network)


def test_a_shared_weight_comes_back_as_individual_ones():
    network = random_case(1)[2]
    weights = {connection.weight for connection in graph_of(from_flax(to_flax(network, weight=0.5))).connections}
    assert weights == {0.5}


def test_gradients_are_those_of_finite_differences():
    graph = Graph(("a", "b"), ("y",), (5, 4, 3, 6, 1), tuple(Connection(s, t, 0.3) for t in range(3, 8) for s in range(t)))
    definition, state = nnx.split(to_flax(network_of(graph)))
    observations = np.array([[0.3, -0.7], [1.1, 0.2]], np.float32)
    weights, state_of = ravel_pytree(state)
    loss = jax.jit(lambda weights: jnp.sum(nnx.merge(definition, state_of(weights))(observations) ** 2))
    slopes = [(loss(weights + step) - loss(weights - step)) / 2e-2 for step in 1e-2 * np.eye(len(graph.connections), dtype=np.float32)]
    np.testing.assert_allclose(jax.grad(loss)(weights), slopes, rtol=5e-3, atol=5e-3)


def test_a_loop_of_the_users_own_trains_the_weights_and_nothing_else():
    network = network_of(Graph(("x",), ("y",), (5, 1), (Connection(0, 2), Connection(1, 2), Connection(2, 3), Connection(0, 3))))
    module = to_flax(network, weight=0.5)
    optimizer = nnx.Optimizer(module, optax.adam(0.05), wrt=nnx.Param)
    x = jnp.linspace(-1, 1, 32)[:, None]
    target = 0.7 * jnp.tanh(2 * x - 0.3) - 0.1

    @nnx.jit
    def train(module, optimizer):
        loss, gradient = nnx.value_and_grad(lambda module: jnp.mean((module(x) - target) ** 2))(module)
        optimizer.update(module, gradient)
        return loss

    losses = [float(train(module, optimizer)) for _ in range(400)]
    trained = from_flax(module)
    assert losses[-1] < 1e-3 * losses[0]
    assert pairs(trained) == pairs(network)
    np.testing.assert_allclose(trained(x), target, atol=0.05)


def test_the_functional_form_runs_under_jit_and_vmap():
    *_, network, observations = random_case(1)
    definition, state = nnx.split(to_flax(network))
    doubled = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), state)
    outputs = jax.jit(jax.vmap(lambda state: nnx.merge(definition, state)(observations)))(doubled)
    np.testing.assert_allclose(outputs, [network(observations, 1.0), network(observations, 2.0)], rtol=1e-4, atol=1e-4)


def test_modules_of_equal_networks_share_a_definition():
    network = random_case(1)[3]
    assert nnx.split(to_flax(network))[0] == nnx.split(to_flax(network, weight=2.0))[0]


def test_a_network_without_connections_is_constant():
    module = to_flax(network_of(Graph(("x",), ("y",), (4,), ())))
    assert module(np.array([[3.0], [4.0]])).tolist() == [[1.0], [1.0]]
    assert nnx.grad(lambda module: module(np.array([3.0])).sum())(module).weights[...].shape == (0,)


def test_a_wrong_observation_shape_is_named():
    with pytest.raises(ValueError, match=r"observation: expected shape \[3\]"):
        to_flax(random_case(1)[2])(np.zeros(4))


def test_another_module_is_refused():
    with pytest.raises(ValueError, match="module: must be a NetworkModule, which to_flax makes, got Linear"):
        from_flax(nnx.Linear(2, 2, rngs=nnx.Rngs(0)))


def test_weights_that_training_broke_are_refused():
    module = to_flax(random_case(1)[2])
    module.weights[...] = module.weights[...] * jnp.nan
    with pytest.raises(ValueError, match="not finite"):
        from_flax(module)
