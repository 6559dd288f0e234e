"""Networks as Python and C sources."""

import ctypes

import numpy as np
import pytest
from export_support import WEIRD_NAMES, assert_oracle_agrees, call_c, compiled, function_of, needs_compiler, random_case

from wannjax.export import to_c, to_python
from wannjax.networks.graph import Connection, Graph, network_of

GRAPH = Graph(WEIRD_NAMES, ("*/ y", "\\"), (1, 5), (Connection(10, 11, 0.25), Connection(1, 12, -1.0)))


@pytest.mark.parametrize("export", [to_python, to_c])
def test_the_text_is_returned_and_written(export, tmp_path):
    text = export(random_case(3)[3], tmp_path / "exported.txt")
    assert (tmp_path / "exported.txt").read_text(encoding="utf-8") == text


@pytest.mark.parametrize("export", [to_python, to_c])
def test_weird_names_change_nothing_but_comments(export):
    def code(graph):
        return [line for line in export(network_of(graph)).splitlines() if not line.strip().startswith(("#  ", "# ", "//"))]

    plain = Graph(tuple(f"i{i}" for i in range(10)), ("y0", "y1"), GRAPH.activations, GRAPH.connections)
    assert code(GRAPH) == code(plain)


def test_weird_names_run_in_python():
    assert function_of(to_python(network_of(GRAPH)))([0.5] * 9 + [2.0]) == [0.5, pytest.approx(np.tanh(-0.5))]


@needs_compiler
def test_weird_names_compile_as_c(tmp_path):
    library = compiled([to_c(network_of(GRAPH))], tmp_path)
    outputs = call_c(library.network, np.array([[0.5] * 9 + [2.0]], np.float32), 2)
    np.testing.assert_allclose(outputs, [[0.5, np.tanh(-0.5)]], rtol=1e-6)


@pytest.mark.parametrize("export", [to_python, to_c])
def test_inputs_and_outputs_are_listed_by_name(export):
    text = export(network_of(GRAPH))
    assert all(f"observation[{i}]: {name!r}\n" in text for i, name in enumerate(WEIRD_NAMES))
    assert all(f"[{i}]: {name!r}\n" in text for i, name in enumerate(("*/ y", "\\")))


@needs_compiler
def test_functions_of_several_names_live_side_by_side_in_c(tmp_path):
    cases = [random_case(seed) for seed in range(3)]
    library = compiled([to_c(case[2], name=f"network_{i}") for i, case in enumerate(cases)], tmp_path)
    for i, (genes, _, _, _, observations) in enumerate(cases):
        assert_oracle_agrees(call_c(library[f"network_{i}"], observations, 2), genes, 1.0, observations)


def test_a_python_function_may_have_another_name():
    assert function_of(to_python(network_of(GRAPH), name="πolicy"), "πolicy").__name__ == "πolicy"


@needs_compiler
def test_c_outputs_may_overwrite_the_observation(tmp_path):
    connections = (Connection(2, 3), Connection(1, 4))
    library = compiled([to_c(network_of(Graph(("a", "b"), ("x", "y"), (1, 1), connections)))], tmp_path)
    buffer = np.array([3.0, 4.0], np.float32)
    pointer = buffer.ctypes.data_as(ctypes.c_void_p)
    library.network(pointer, pointer)
    assert buffer.tolist() == [4.0, 3.0]


@pytest.mark.parametrize("name", ["", "2nd", "a b", "f(): pass\ndef g", "class", "None", "math", "max"])
def test_a_name_that_python_cannot_use_is_refused(name):
    with pytest.raises(ValueError, match=r"^name: must be a Python identifier that has no meaning yet, got "):
        to_python(network_of(GRAPH), name=name)


@pytest.mark.parametrize("name", ["", "2nd", "a b", "f(); int g", "a\n", "π", "float", "main", "sinf", "tanhf"])
def test_a_name_that_c_cannot_use_is_refused(name):
    with pytest.raises(ValueError, match=r"^name: must be a C identifier that has no meaning yet, got "):
        to_c(network_of(GRAPH), name=name)


@needs_compiler
def test_nodes_that_no_output_depends_on_are_left_out(tmp_path):
    network = network_of(Graph(("x",), ("y",), (5, 5, 1), (Connection(1, 2), Connection(2, 3), Connection(1, 4))))
    assert "tanh" not in to_python(network)
    assert call_c(compiled([to_c(network)], tmp_path).network, np.array([[2.0]], np.float32), 1).tolist() == [[2.0]]


def test_weights_have_the_fewest_digits_that_give_back_the_float32():
    graph = Graph(("x",), ("y",), (1,), (Connection(0, 2, float(np.float32(1e-20))), Connection(1, 2, float(np.float32(0.1)))))
    assert "x = 1e-20 + 0.1 * observation[0]" in to_python(network_of(graph))
    assert "x = 1e-20f + 0.1f * observation[0];" in to_c(network_of(graph))
