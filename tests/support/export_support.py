"""Networks to export, and what runs them in their other form."""

import ctypes
import shutil
import subprocess
from importlib.util import find_spec

import bridge
import jax.numpy as jnp
import numpy as np
import onnxruntime
import oracle
import pytest

from wannjax.export import to_c, to_flax, to_onnx, to_python, to_torch, to_torch_source
from wannjax.networks.graph import Connection, Graph, graph_of

STEPS = 64
COMPILER = shutil.which("gcc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no gcc")
needs_torch = [pytest.mark.slow, pytest.mark.skipif(find_spec("torch") is None, reason='needs pip install "wannjax[torch]"')]


def in_every_form(**runs):
    """A test once for each form of export, by what runs it: `run`."""
    needs = {"c": needs_compiler, "torch": needs_torch, "torch_source": needs_torch}
    return pytest.mark.parametrize("run", [pytest.param(run, marks=needs.get(form, ())) for form, run in runs.items()], ids=list(runs))


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
    networks = bridge.network_of(genes, STEPS), bridge.network_of(genes, STEPS, jnp.asarray(weights))
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


def run_torch(network, observations, weight, directory):
    return to_torch(network, weight=weight)(observations).detach().numpy()


def run_torch_source(network, observations, weight, directory):
    made = function_of(to_torch_source(network, weight=weight), "Network")()
    return made(observations).detach().numpy()


def run_python(network, observations, weight, directory):
    function = function_of(to_python(network, weight=weight))
    return np.array([function(row) for row in observations.tolist()])


def run_c(network, observations, weight, directory):
    library = compiled([to_c(network, weight=weight)], directory)
    return call_c(library.network, observations, network.outputs)


def function_of(source, name="network"):
    """The function or class that a Python source defines, in a namespace of its own."""
    namespace = {"__name__": "exported"}
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


def assert_oracle_agrees(outputs, genes, weights, observations):
    want, bound = oracle.run(genes, weights, observations)
    assert outputs.shape == want.shape
    assert np.all(np.abs(outputs - want) <= bound)
