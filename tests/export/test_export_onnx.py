"""Networks as ONNX models, and models that are none."""

import json
import sys

import numpy as np
import onnx
import pytest
from export_support import WEIRD_NAMES, large_graph, pairs, random_case, run_file, run_onnx
from hypothesis import example, given
from hypothesis import strategies as st

from wannjax.common.files import LARGEST_FILE
from wannjax.export import from_onnx, to_onnx
from wannjax.networks.graph import Connection, Graph, graph_of, network_of


def test_the_model_is_valid_and_has_any_batch_size(tmp_path):
    *_, network, observations = random_case(2)
    to_onnx(network, tmp_path / "network.onnx")
    onnx.checker.check_model(tmp_path / "network.onnx", full_check=True)
    for batch in (1, 6):
        assert run_file(tmp_path / "network.onnx", observations[:batch]).shape == (batch, 2)


def test_the_runtime_loads_it_without_a_warning(tmp_path, capfd):
    for activation in range(1, 12):
        network = network_of(Graph(("x",), ("y",), (activation,), (Connection(1, 2),)))
        run_onnx(network, np.zeros((1, 1), np.float32), 1.0, tmp_path)
    assert capfd.readouterr().err == ""


def test_names_are_in_the_metadata(tmp_path):
    to_onnx(network_of(Graph(WEIRD_NAMES, ("y",), (1,), (Connection(1, 11),))), tmp_path / "network.onnx")
    metadata = {entry.key: entry.value for entry in onnx.load(tmp_path / "network.onnx").metadata_props}
    assert tuple(json.loads(metadata["input_names"])) == WEIRD_NAMES
    assert json.loads(metadata["output_names"]) == ["y"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@given(seed=st.integers(0, 2**32 - 1))
def test_there_and_back_is_the_same_network(directory, seed):
    _, _, shared, individual, _ = random_case(seed)
    for network in (shared, individual):
        to_onnx(network, directory / "network.onnx")
        assert graph_of(from_onnx(directory / "network.onnx")) == graph_of(network)


def test_a_shared_weight_other_than_1_comes_back_as_individual_ones(tmp_path):
    *_, network, _, observations = random_case(2)
    to_onnx(network, tmp_path / "network.onnx", weight=0.5)
    np.testing.assert_allclose(from_onnx(tmp_path / "network.onnx")(observations), network(observations, 0.5), rtol=1e-5, atol=1e-5)


def test_weights_that_were_changed_in_the_file_are_read(tmp_path):
    to_onnx(network_of(Graph(("x",), ("y",), (1,), (Connection(1, 2, 0.5),))), tmp_path / "network.onnx")
    model = onnx.load(tmp_path / "network.onnx")
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights 0")
    weights.CopyFrom(onnx.numpy_helper.from_array(np.array([[3.0]], np.float32), weights.name))
    onnx.save(model, tmp_path / "network.onnx")
    assert graph_of(from_onnx(tmp_path / "network.onnx")).connections == (Connection(1, 2, 3.0),)


def test_the_file_grows_with_the_connections(tmp_path):
    graph = large_graph()
    to_onnx(network_of(graph), tmp_path / "network.onnx")
    assert (tmp_path / "network.onnx").stat().st_size < 250 * len(graph.connections)
    assert graph_of(from_onnx(tmp_path / "network.onnx")) == graph_of(network_of(graph))


@pytest.mark.parametrize("call", [lambda path: to_onnx(random_case(2)[2], path), from_onnx], ids=["to_onnx", "from_onnx"])
def test_without_the_package_the_error_names_the_extra(call, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'^ONNX files need the package onnx: pip install "wannjax\[onnx\]"$'):
        call(tmp_path / "network.onnx")


@pytest.mark.parametrize("data", [b"", b"{}", b"\x80\x04\x95.", b"\x08" * 100], ids=["empty", "text", "pickle", "noise"])
def test_a_file_that_is_no_model_is_one_clear_error(data, tmp_path):
    (tmp_path / "bad.onnx").write_bytes(data)
    assert_refused(tmp_path / "bad.onnx", ".")


def test_a_huge_file_is_refused_unread(tmp_path):
    with open(tmp_path / "bad.onnx", "wb") as file:
        file.truncate(LARGEST_FILE + 1)
    with pytest.raises(ValueError, match=r"bad\.onnx: has \d+ bytes, more than the"):
        from_onnx(tmp_path / "bad.onnx")


@given(position=st.integers(0, 10**6), value=st.integers(0, 255))
@example(position=0, value=0)
def test_a_damaged_file_is_one_error_or_the_same_topology(directory, position, value):
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
    "newer version": (lambda model: setattr(metadata_of(model)["version"], "value", "3"), "its metadata does not say"),
    "a state that it lacks": (lambda model: setattr(metadata_of(model)["version"], "value", "2"), "'remembered' is missing"),
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
