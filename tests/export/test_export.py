"""Networks in other hands: flax and PyTorch modules, ONNX models, Python and C sources, each held to the float64 oracle."""

from dataclasses import replace

import bridge
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from export_support import (
    STEPS,
    assert_oracle_agrees,
    in_every_form,
    large_graph,
    needs_torch,
    random_case,
    run_c,
    run_flax,
    run_onnx,
    run_python,
    run_torch,
    run_torch_source,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from wannjax.export import to_c, to_flax, to_onnx, to_python, to_torch, to_torch_source
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Connection, Graph, network_of

every_form = in_every_form(flax=run_flax, onnx=run_onnx, python=run_python, c=run_c, torch=run_torch, torch_source=run_torch_source)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("exports")


@every_form
@given(seed=st.integers(0, 2**32 - 1), weight=st.sampled_from(bridge.SWEEP))
@settings(max_examples=8)
def test_an_exported_network_gives_the_oracles_outputs(run, directory, seed, weight):
    genes, weights, shared, individual, observations = random_case(seed)
    assert_oracle_agrees(run(shared, observations, weight, directory), genes, weight, observations)
    assert_oracle_agrees(run(individual, observations, weight, directory), genes, weight * weights, observations)


@every_form
@pytest.mark.parametrize("activation", range(1, 12), ids=NAMES[1:])
def test_every_activation_is_as_accurate_as_the_packages_for_small_and_large_values(run, activation, directory):
    network = network_of(Graph(("x",), ("y",), (activation,), (Connection(1, 2),)))
    x = np.array([0, -0.5, 0.5, 1, -1.25, 3.7, -21, 100.25, 4097.5, -1e6 - 0.25, 3e37], np.float32)
    with np.errstate(over="ignore"):
        want = oracle.ACTIVATIONS[activation](x.astype(np.float64)).astype(np.float32)
        got = run(network, x[:, None], 1.0, directory)[:, 0].astype(np.float32)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


@every_form
@pytest.mark.parametrize("fan_in", [0, 1, 3, 4, 8, 45])
def test_a_node_may_have_any_number_of_sources(run, fan_in, directory):
    genes = oracle.fan_in_genes(fan_in, to_output=False)
    observations = np.random.default_rng(0).normal(size=(4, 45)).astype(np.float32)
    assert_oracle_agrees(run(bridge.network_of(genes, STEPS), observations, -0.5, directory), genes, -0.5, observations)


@every_form
def test_a_large_network_is_exported_with_all_its_nodes_and_connections(run, directory):
    network = network_of(large_graph())
    observations = np.random.default_rng(1).normal(size=(3, 256)).astype(np.float32) * 0.1
    outputs = run(network, observations, 0.1, directory)
    np.testing.assert_allclose(outputs, network(observations, 0.1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "export",
    [
        *(to_flax, to_python, to_c, to_torch_source, pytest.param(to_torch, marks=needs_torch)),
        lambda network, **options: to_onnx(network, "never.onnx", **options),
    ],
)
class TestEveryExportRefuses:
    def test_a_population(self, export):
        genes, *_ = random_case(0)
        with pytest.raises(ValueError, match=r"^network: must be one network with one set of weights$"):
            export(bridge.networks_of([genes, genes], STEPS))

    def test_weights_that_differ_from_lane_to_lane(self, export):
        _, _, network, *_ = random_case(0)
        lanes = jnp.ones((*network.sources.shape, 2))
        with pytest.raises(ValueError, match=r"^network: must be one network with one set of weights$"):
            export(replace(network, weights=lanes))

    @pytest.mark.parametrize("weight", [float("nan"), float("inf"), 1e39])
    def test_a_weight_that_is_not_finite(self, export, weight):
        with pytest.raises(ValueError, match=r"^weight: must be a finite number, got "):
            export(random_case(0)[2], weight=weight)

    def test_a_product_of_weights_that_is_not_finite(self, export):
        network = network_of(Graph(("x",), ("y",), (1,), (Connection(1, 2, 1e30),)))
        with pytest.raises(ValueError, match=r"^weight: must be small enough .* 1e\+60, got 1e\+30$"):
            export(network, weight=1e30)
