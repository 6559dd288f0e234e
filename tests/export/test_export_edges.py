"""Exports and calls at their edges: names that C knows, networks without connections, no examples at all."""

import subprocess

import numpy as np
import pytest
from export_support import call_c, compiled, function_of, needs_compiler

from wannjax.ensembles import Ensemble
from wannjax.export import from_flax, from_onnx, to_c, to_flax, to_onnx, to_python
from wannjax.export.c_names import is_free
from wannjax.networks.graph import Connection, Graph, graph_of, network_of

GRAPH = Graph(("a", "b"), ("y",), (5, 1), (Connection(1, 3), Connection(3, 4)))
NOTHING = Graph(("a", "b"), ("y", "z"), (1, 9), ())
MATHS = "exp fabsf j0 lgamma_r isnan sincos INFINITY M_PI HUGE_VAL double_t y1l"


@pytest.mark.parametrize("name", f"{MATHS} class template main bool printf malloc linux _Bool __func__".split())
def test_a_name_that_means_something_in_c_is_refused(name):
    with pytest.raises(ValueError, match=f"name: must be a C identifier that has no meaning yet, got '{name}'"):
        to_c(network_of(GRAPH), name=name)


@needs_compiler
def test_all_that_the_header_of_mathematics_declares_is_taken():
    header = subprocess.run(["cc", "-E", "-P", "-D_GNU_SOURCE", "-"], input="#include <math.h>", capture_output=True, text=True, check=True)
    declared = {part.split("(")[0].split()[-1] for part in header.stdout.split(";") if "(" in part and part.split("(")[0].split()}
    assert len(declared) > 100
    assert [name for name in sorted(declared) if is_free(name)] == []


@needs_compiler
def test_names_that_are_free_compile(tmp_path):
    names = ("x", "observation", "outputs", "exponent", "h3", "policy_2")
    library = compiled([to_c(network_of(GRAPH), name=name) for name in names], tmp_path)
    for name in names:
        assert call_c(library[name], np.array([[0.5, 0.0]], np.float32), 1)[0, 0] == pytest.approx(np.tanh(0.5))


def test_a_network_without_connections_is_exported_everywhere(tmp_path):
    network = network_of(NOTHING)
    expected = network(np.ones(2)).tolist()
    assert expected == [0, 0]
    assert function_of(to_python(network))([1.0, 1.0]) == expected
    assert "outputs[1] = y1;" in to_c(network)
    assert to_flax(network)(np.ones(2)).tolist() == expected
    assert graph_of(from_flax(to_flax(network))).connections == ()
    to_onnx(network, tmp_path / "n.onnx")
    assert graph_of(from_onnx(tmp_path / "n.onnx")).connections == ()


@pytest.mark.parametrize(
    "run", [network_of(GRAPH), to_flax(network_of(GRAPH)), Ensemble(network_of(GRAPH), np.ones((2, 2), np.float32), "vote")]
)
def test_no_examples_give_no_outputs(run):
    assert run(np.zeros((0, 2))).shape == (0, 1)
