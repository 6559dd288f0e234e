"""Networks in other hands: flax modules, ONNX models, Python and C sources, each held to the float64 oracle."""

import ctypes
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import optax
import oracle
import pytest
import support
from flax import nnx
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

from wannjax.activations import NAMES
from wannjax.export import from_flax, from_onnx, to_c, to_flax, to_onnx, to_python
from wannjax.graph import Connection, Graph, graph_of, network_of
from wannjax.network import connection_count
from wannjax.storage import LARGEST_FILE

STEPS = 40
COMPILER = shutil.which("gcc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no gcc")
WEIRD_NAMES = (
    "a\n    raise SystemExit",
    "b*/ }; int x = 1; /*",
    'c"""',
    "d'",
    "e\\",
    "f\\u000aimport os",
    "g\r\nabort();",
    "h\u2028\u202e\x00",
    "i??/",
    "θ",
)


def random_case(seed):
    """Random genes with every activation, their networks with a shared and with individual weights, and observations."""
    rng = np.random.default_rng(seed)
    genes = oracle.random_genes(rng, nodes=int(rng.integers(0, 13)), ids=tuple(range(1, 12)), defects=0.2)
    weights = rng.normal(size=genes.connections.shape).astype(np.float32)
    networks = support.network_of(genes, STEPS), support.network_of(genes, STEPS, jnp.asarray(weights))
    return genes, weights, *networks, rng.normal(size=(6, 3)).astype(np.float32)


def large_graph():
    """A graph of 256 inputs, 300 hidden nodes and 1,800 connections."""
    rng = np.random.default_rng(0)
    pairs = {(int(rng.integers(0, min(target, 557))), target) for target in rng.integers(257, 561, 1830).tolist()}
    connections = sorted(pairs, key=lambda pair: pair[::-1])[:1800]
    return Graph(
        tuple(f"pixel {i}" for i in range(256)),
        ("a", "b", "c", "d"),
        tuple(rng.integers(1, 11, 304).tolist()),
        tuple(Connection(source, target, float(np.float32(rng.normal()))) for source, target in connections),
    )


def pairs(network):
    """The connections of a network without their weights."""
    return [(connection.source, connection.target) for connection in graph_of(network).connections]


def run_flax(network, observations, weight, directory):
    return np.asarray(to_flax(network, weight=weight)(observations))


def run_onnx(network, observations, weight, directory):
    to_onnx(network, directory / "network.onnx", weight=weight)
    return run_file(directory / "network.onnx", observations)


def run_file(path, observations):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["outputs"], {"observation": observations})[0]


def run_python(network, observations, weight, directory):
    function = function_of(to_python(network, weight=weight))
    return np.array([function(row) for row in observations.tolist()])


def run_c(network, observations, weight, directory):
    library = compiled([to_c(network, weight=weight)], directory)
    return call_c(library.network, observations, network.outputs)


def function_of(source, name="network"):
    """The function that a Python source defines, in a namespace of its own."""
    namespace = {}
    exec(compile(source, "exported", "exec"), namespace)
    return namespace[name]


def compiled(sources, directory):
    """A library of C sources, compiled in a file of their own (a library that is loaded already would not be loaded again)."""
    number = len(list(directory.glob("*.c")))
    (directory / f"{number}.c").write_text("\n".join(sources), encoding="utf-8")
    command = [COMPILER, "-std=c99", "-Wall", "-Werror", "-shared", "-fPIC", f"{number}.c", "-o", f"{number}.so", "-lm"]
    subprocess.run(command, cwd=directory, check=True)
    return ctypes.CDLL(str(directory / f"{number}.so"))


def call_c(function, observations, outputs):
    results = np.full((len(observations), outputs), np.nan, np.float32)
    for observation, result in zip(np.ascontiguousarray(observations), results, strict=True):
        function(observation.ctypes.data_as(ctypes.c_void_p), result.ctypes.data_as(ctypes.c_void_p))
    return results


RUNS = {"flax": run_flax, "onnx": run_onnx, "python": run_python, "c": pytest.param(run_c, marks=needs_compiler)}
every_form = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("exports")


def assert_oracle_agrees(outputs, genes, weights, observations):
    want, bound = oracle.run(genes, weights, observations)
    assert outputs.shape == want.shape
    assert np.all(np.abs(outputs - want) <= bound)


@every_form
@given(seed=st.integers(0, 2**32 - 1), weight=st.sampled_from(support.SWEEP))
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
    assert_oracle_agrees(run(support.network_of(genes, STEPS), observations, -0.5, directory), genes, -0.5, observations)


@every_form
def test_a_large_network_is_exported_with_all_its_nodes_and_connections(run, directory):
    network = network_of(large_graph())
    observations = np.random.default_rng(1).normal(size=(3, 256)).astype(np.float32) * 0.1
    outputs = run(network, observations, 0.1, directory)
    np.testing.assert_allclose(outputs, network(observations, 0.1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("export", [to_flax, to_python, to_c, lambda network, **options: to_onnx(network, "never.onnx", **options)])
class TestEveryExportRefuses:
    def test_a_population(self, export):
        genes, *_ = random_case(0)
        with pytest.raises(ValueError, match=r"^network: must be one network with one set of weights$"):
            export(support.networks_of([genes, genes], STEPS))

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


class TestFlax:
    def test_one_observation_gives_one_row(self):
        *_, network, observations = random_case(1)
        module = to_flax(network)
        assert module(observations[0]).shape == (2,)
        np.testing.assert_allclose(module(observations[0]), module(observations)[0], rtol=1e-6, atol=1e-6)

    def test_the_only_variables_are_one_param_with_a_value_per_connection(self):
        _, _, shared, individual, _ = random_case(1)
        for network in (shared, individual):
            state = nnx.state(to_flax(network))
            assert [path for path, _ in nnx.to_flat_state(state)] == [("weights",)]
            assert isinstance(to_flax(network).weights, nnx.Param)
            assert state["weights"][...].shape == (connection_count(network),)

    def test_values_stand_in_the_order_of_the_graphs_connections(self):
        network = random_case(1)[3]
        assert to_flax(network).weights[...].tolist() == [connection.weight for connection in graph_of(network).connections]

    @given(seed=st.integers(0, 2**32 - 1))
    @settings(max_examples=10)
    def test_there_and_back_is_the_same_network(self, seed):
        network = random_case(seed)[3]
        assert graph_of(from_flax(to_flax(network))) == graph_of(network)

    def test_a_shared_weight_comes_back_as_individual_ones(self):
        network = random_case(1)[2]
        weights = {connection.weight for connection in graph_of(from_flax(to_flax(network, weight=0.5))).connections}
        assert weights == {0.5}

    def test_gradients_are_those_of_finite_differences(self):
        graph = Graph(("a", "b"), ("y",), (5, 4, 3, 6, 1), tuple(Connection(s, t, 0.3) for t in range(3, 8) for s in range(t)))
        definition, state = nnx.split(to_flax(network_of(graph)))
        observations = np.array([[0.3, -0.7], [1.1, 0.2]], np.float32)
        weights, state_of = ravel_pytree(state)
        loss = jax.jit(lambda weights: jnp.sum(nnx.merge(definition, state_of(weights))(observations) ** 2))
        slopes = [(loss(weights + step) - loss(weights - step)) / 2e-2 for step in 1e-2 * np.eye(len(graph.connections), dtype=np.float32)]
        np.testing.assert_allclose(jax.grad(loss)(weights), slopes, rtol=5e-3, atol=5e-3)

    def test_a_loop_of_the_users_own_trains_the_weights_and_nothing_else(self):
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

    def test_the_functional_form_runs_under_jit_and_vmap(self):
        *_, network, observations = random_case(1)
        definition, state = nnx.split(to_flax(network))
        doubled = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), state)
        outputs = jax.jit(jax.vmap(lambda state: nnx.merge(definition, state)(observations)))(doubled)
        np.testing.assert_allclose(outputs, [network(observations, 1.0), network(observations, 2.0)], rtol=1e-4, atol=1e-4)

    def test_modules_of_equal_networks_share_a_definition(self):
        network = random_case(1)[3]
        assert nnx.split(to_flax(network))[0] == nnx.split(to_flax(network, weight=2.0))[0]

    def test_a_network_without_connections_is_constant(self):
        module = to_flax(network_of(Graph(("x",), ("y",), (4,), ())))
        assert module(np.array([[3.0], [4.0]])).tolist() == [[1.0], [1.0]]
        assert nnx.grad(lambda module: module(np.array([3.0])).sum())(module).weights[...].shape == (0,)

    def test_a_wrong_observation_shape_is_named(self):
        with pytest.raises(ValueError, match=r"observation: expected shape \[3\]"):
            to_flax(random_case(1)[2])(np.zeros(4))

    def test_another_module_is_refused(self):
        with pytest.raises(ValueError, match="module: must be a NetworkModule, which to_flax makes, got Linear"):
            from_flax(nnx.Linear(2, 2, rngs=nnx.Rngs(0)))

    def test_weights_that_training_broke_are_refused(self):
        module = to_flax(random_case(1)[2])
        module.weights[...] = module.weights[...] * jnp.nan
        with pytest.raises(ValueError, match="not finite"):
            from_flax(module)


class TestOnnx:
    def test_the_model_is_valid_and_has_any_batch_size(self, tmp_path):
        *_, network, observations = random_case(2)
        to_onnx(network, tmp_path / "network.onnx")
        onnx.checker.check_model(tmp_path / "network.onnx", full_check=True)
        for batch in (1, 6):
            assert run_file(tmp_path / "network.onnx", observations[:batch]).shape == (batch, 2)

    def test_the_runtime_loads_it_without_a_warning(self, tmp_path, capfd):
        for activation in range(1, 12):
            network = network_of(Graph(("x",), ("y",), (activation,), (Connection(1, 2),)))
            run_onnx(network, np.zeros((1, 1), np.float32), 1.0, tmp_path)
        assert capfd.readouterr().err == ""

    def test_names_are_in_the_metadata(self, tmp_path):
        to_onnx(network_of(Graph(WEIRD_NAMES, ("y",), (1,), (Connection(1, 11),))), tmp_path / "network.onnx")
        metadata = {entry.key: entry.value for entry in onnx.load(tmp_path / "network.onnx").metadata_props}
        assert tuple(json.loads(metadata["input_names"])) == WEIRD_NAMES
        assert json.loads(metadata["output_names"]) == ["y"]

    @given(seed=st.integers(0, 2**32 - 1))
    def test_there_and_back_is_the_same_network(self, directory, seed):
        _, _, shared, individual, _ = random_case(seed)
        for network in (shared, individual):
            to_onnx(network, directory / "network.onnx")
            assert graph_of(from_onnx(directory / "network.onnx")) == graph_of(network)

    def test_a_shared_weight_other_than_1_comes_back_as_individual_ones(self, tmp_path):
        *_, network, _, observations = random_case(2)
        to_onnx(network, tmp_path / "network.onnx", weight=0.5)
        np.testing.assert_allclose(from_onnx(tmp_path / "network.onnx")(observations), network(observations, 0.5), rtol=1e-5, atol=1e-5)

    def test_weights_that_were_changed_in_the_file_are_read(self, tmp_path):
        to_onnx(network_of(Graph(("x",), ("y",), (1,), (Connection(1, 2, 0.5),))), tmp_path / "network.onnx")
        model = onnx.load(tmp_path / "network.onnx")
        weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights 0")
        weights.CopyFrom(onnx.numpy_helper.from_array(np.array([[3.0]], np.float32), weights.name))
        onnx.save(model, tmp_path / "network.onnx")
        assert graph_of(from_onnx(tmp_path / "network.onnx")).connections == (Connection(1, 2, 3.0),)

    def test_the_file_grows_with_the_connections(self, tmp_path):
        graph = large_graph()
        to_onnx(network_of(graph), tmp_path / "network.onnx")
        assert (tmp_path / "network.onnx").stat().st_size < 250 * len(graph.connections)
        assert graph_of(from_onnx(tmp_path / "network.onnx")) == graph_of(network_of(graph))

    @pytest.mark.parametrize("call", [lambda path: to_onnx(random_case(2)[2], path), from_onnx], ids=["to_onnx", "from_onnx"])
    def test_without_the_package_the_error_names_the_extra(self, call, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnx", None)
        with pytest.raises(ImportError, match=r'^ONNX files need the package onnx: pip install "wannjax\[onnx\]"$'):
            call(tmp_path / "network.onnx")

    @pytest.mark.parametrize("data", [b"", b"{}", b"\x80\x04\x95.", b"\x08" * 100], ids=["empty", "text", "pickle", "noise"])
    def test_a_file_that_is_no_model_is_one_clear_error(self, data, tmp_path):
        (tmp_path / "bad.onnx").write_bytes(data)
        assert_refused(tmp_path / "bad.onnx", ".")

    def test_a_huge_file_is_refused_unread(self, tmp_path):
        with open(tmp_path / "bad.onnx", "wb") as file:
            file.truncate(LARGEST_FILE + 1)
        with pytest.raises(ValueError, match=r"bad\.onnx: has \d+ bytes, more than the"):
            from_onnx(tmp_path / "bad.onnx")

    @given(position=st.integers(0, 10**6), value=st.integers(0, 255))
    @example(position=0, value=0)
    def test_a_damaged_file_is_one_error_or_the_same_topology(self, directory, position, value):
        network = random_case(2)[3]
        to_onnx(network, directory / "bad.onnx")
        data = bytearray((directory / "bad.onnx").read_bytes())
        data[position % len(data)] = value
        (directory / "bad.onnx").write_bytes(data)
        outcome = network_or_error(directory / "bad.onnx")
        if isinstance(outcome, str):
            assert outcome.startswith(f"{directory / 'bad.onnx'}: not a wannjax network: ")
            assert "\n" not in outcome
        else:
            assert pairs(outcome) == pairs(network)
            assert graph_of(outcome).activations == graph_of(network).activations


def network_or_error(path):
    try:
        return from_onnx(path)
    except ValueError as error:
        return str(error)


def assert_refused(path, reason):
    with pytest.raises(ValueError, match=r"bad\.onnx: not a wannjax network: " + reason) as caught:
        from_onnx(path)
    assert "\n" not in str(caught.value)


def tensor_named(model, name):
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def metadata_of(model):
    return {entry.key: entry for entry in model.metadata_props}


def set_tensor(model, name, values):
    tensor_named(model, name).CopyFrom(onnx.numpy_helper.from_array(values, name))


TAMPERED = {
    "another model": (lambda model: model.ClearField("metadata_props"), "its metadata does not say"),
    "newer version": (lambda model: setattr(metadata_of(model)["version"], "value", "2"), "its metadata does not say"),
    "no names": (lambda model: model.metadata_props.remove(metadata_of(model)["input_names"]), "'input_names' is missing"),
    "unknown activation": (lambda model: setattr(metadata_of(model)["groups"], "value", '[["exec", [2]], ["linear", [3]]]'), "."),
    "missing tensor": (lambda model: model.graph.initializer.remove(tensor_named(model, "weights 0")), "'weights 0' is missing"),
    "tensor elsewhere": (
        lambda model: setattr(tensor_named(model, "weights 0"), "data_location", 1),
        "its tensor 'weights 0' is in another",
    ),
    "operation": (lambda model: setattr(model.graph.node[4], "op_type", "Sin"), "more of it than the weights differs"),
    "constant": (lambda model: set_tensor(model, "one", np.float32(2.0)), "more of it than the weights differs"),
    "output": (lambda model: set_tensor(model, "output rows", np.array([2])), "more of it than the weights differs"),
    "negative source": (lambda model: set_tensor(model, "sources 0", np.array([[-1]])), "."),
    "source to nowhere": (lambda model: set_tensor(model, "sources 0", np.array([[99]])), "."),
    "weight is NaN": (lambda model: set_tensor(model, "weights 0", np.array([[np.nan]], np.float32)), ".*not finite"),
}


@pytest.mark.parametrize(("change", "reason"), TAMPERED.values(), ids=TAMPERED)
def test_a_model_that_to_onnx_did_not_write_is_one_clear_error(change, reason, tmp_path):
    to_onnx(network_of(Graph(("x",), ("y",), (5, 1), (Connection(1, 2, 0.5), Connection(2, 3, 2.0)))), tmp_path / "bad.onnx")
    model = onnx.load(tmp_path / "bad.onnx")
    change(model)
    (tmp_path / "bad.onnx").write_bytes(model.SerializeToString())
    assert_refused(tmp_path / "bad.onnx", reason)


class TestSourceText:
    GRAPH = Graph(WEIRD_NAMES, ("*/ y", "\\"), (1, 5), (Connection(10, 11, 0.25), Connection(1, 12, -1.0)))

    @pytest.mark.parametrize("export", [to_python, to_c])
    def test_the_text_is_returned_and_written(self, export, tmp_path):
        text = export(random_case(3)[3], tmp_path / "exported.txt")
        assert (tmp_path / "exported.txt").read_text(encoding="utf-8") == text

    @pytest.mark.parametrize("export", [to_python, to_c])
    def test_weird_names_change_nothing_but_comments(self, export):
        def code(graph):
            return [line for line in export(network_of(graph)).splitlines() if not line.strip().startswith(("#  ", "# ", "//"))]

        plain = Graph(tuple(f"i{i}" for i in range(10)), ("y0", "y1"), self.GRAPH.activations, self.GRAPH.connections)
        assert code(self.GRAPH) == code(plain)

    def test_weird_names_run_in_python(self):
        assert function_of(to_python(network_of(self.GRAPH)))([0.5] * 9 + [2.0]) == [0.5, pytest.approx(np.tanh(-0.5))]

    @needs_compiler
    def test_weird_names_compile_as_c(self, directory):
        library = compiled([to_c(network_of(self.GRAPH))], directory)
        outputs = call_c(library.network, np.array([[0.5] * 9 + [2.0]], np.float32), 2)
        np.testing.assert_allclose(outputs, [[0.5, np.tanh(-0.5)]], rtol=1e-6)

    @pytest.mark.parametrize("export", [to_python, to_c])
    def test_inputs_and_outputs_are_listed_by_name(self, export):
        text = export(network_of(self.GRAPH))
        assert all(f"observation[{i}]: {name!r}\n" in text for i, name in enumerate(WEIRD_NAMES))
        assert all(f"[{i}]: {name!r}\n" in text for i, name in enumerate(("*/ y", "\\")))

    @needs_compiler
    def test_functions_of_several_names_live_side_by_side_in_c(self, directory):
        cases = [random_case(seed) for seed in range(3)]
        library = compiled([to_c(case[2], name=f"network_{i}") for i, case in enumerate(cases)], directory)
        for i, (genes, _, _, _, observations) in enumerate(cases):
            assert_oracle_agrees(call_c(library[f"network_{i}"], observations, 2), genes, 1.0, observations)

    def test_a_python_function_may_have_another_name(self):
        assert function_of(to_python(network_of(self.GRAPH), name="πolicy"), "πolicy").__name__ == "πolicy"

    @needs_compiler
    def test_c_outputs_may_overwrite_the_observation(self, directory):
        connections = (Connection(2, 3), Connection(1, 4))
        library = compiled([to_c(network_of(Graph(("a", "b"), ("x", "y"), (1, 1), connections)))], directory)
        buffer = np.array([3.0, 4.0], np.float32)
        pointer = buffer.ctypes.data_as(ctypes.c_void_p)
        library.network(pointer, pointer)
        assert buffer.tolist() == [4.0, 3.0]

    @pytest.mark.parametrize("name", ["", "2nd", "a b", "f(): pass\ndef g", "class", "None", "math", "max"])
    def test_a_name_that_python_cannot_use_is_refused(self, name):
        with pytest.raises(ValueError, match=r"^name: must be a Python identifier that has no meaning yet, got "):
            to_python(network_of(self.GRAPH), name=name)

    @pytest.mark.parametrize("name", ["", "2nd", "a b", "f(); int g", "a\n", "π", "float", "main", "sinf", "tanhf"])
    def test_a_name_that_c_cannot_use_is_refused(self, name):
        with pytest.raises(ValueError, match=r"^name: must be a C identifier that has no meaning yet, got "):
            to_c(network_of(self.GRAPH), name=name)

    @needs_compiler
    def test_nodes_that_no_output_depends_on_are_left_out(self, directory):
        network = network_of(Graph(("x",), ("y",), (5, 5, 1), (Connection(1, 2), Connection(2, 3), Connection(1, 4))))
        assert "tanh" not in to_python(network)
        assert call_c(compiled([to_c(network)], directory).network, np.array([[2.0]], np.float32), 1).tolist() == [[2.0]]

    def test_weights_have_the_fewest_digits_that_give_back_the_float32(self):
        graph = Graph(("x",), ("y",), (1,), (Connection(0, 2, float(np.float32(1e-20))), Connection(1, 2, float(np.float32(0.1)))))
        assert "x = 1e-20 + 0.1 * observation[0]" in to_python(network_of(graph))
        assert "x = 1e-20f + 0.1f * observation[0];" in to_c(network_of(graph))
