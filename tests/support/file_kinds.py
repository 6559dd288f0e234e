"""The kinds of files that loaders read: valid ones, how to damage them, and what must hold of whatever a loader gives."""

import gzip
import io
import json
import struct
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import jaxtyping
import numpy as np
from corruptions import BYTES, JSON, TEXT, recompress, replace_fields, replace_members, zipped

import wannjax
from wannjax.ensembles.ensemble import Ensemble, Gate
from wannjax.export import from_onnx, to_onnx
from wannjax.networks.files import load_front, network_text, save_front
from wannjax.networks.graph import Connection, Graph, graph_of, network_of
from wannjax.networks.tape import FIRST_INPUT
from wannjax.problems.datasets import mnist
from wannjax.runs import run_directory

LEAST_MEMORY, MEMORY_PER_BYTE = 2 << 20, 100
"""What loading a file may take at most: bytes, and bytes more for every byte of the file."""

MOST_SECONDS = 5.0


def assert_network_works(network, directory):
    """It runs, no step of its tape reads what is not there, and it is the same after saving and loading."""
    graph, sources = graph_of(network), np.asarray(network.sources)
    first_step, hidden_steps = FIRST_INPUT + network.inputs, len(sources) - network.outputs
    readable = first_step + np.minimum(np.arange(len(sources)), hidden_steps)
    assert np.all((sources >= 0) & (sources < readable[:, None]))
    if affordable("network", sources.shape, network.inputs, network.outputs, network.weights is None):
        assert network(np.zeros(network.inputs)).shape == (network.outputs,)
    wannjax.save(directory / "again.json", network)
    assert graph_of(wannjax.load(directory / "again.json")) == graph
    if graph.size < 100 and all(weight not in (0, 1) for weight in graph.weights):
        # The published format is a square matrix, which does not tell 0 from absent, nor all 1 from shared.
        wannjax.save(directory / "again.out", network)
        again = graph_of(wannjax.load(directory / "again.out", inputs=graph.inputs, outputs=graph.outputs))
        assert (again.activations, set(again.connections)) == (graph.activations, set(graph.connections))


def assert_front_works(networks, directory):
    for network in networks:
        assert_network_works(network, directory)
    save_front(directory / "again.json", networks, np.zeros((len(networks), 1)), (1.0,))
    assert list(map(graph_of, load_front(directory / "again.json"))) == list(map(graph_of, networks))


def assert_ensemble_works(flock, directory):
    for member in flock.members:
        assert_network_works(member, directory)
    inputs, context = flock.network.inputs, np.zeros(len(flock.context_names))
    if affordable("ensemble", flock.network.sources.shape, inputs, flock.network.outputs, flock.weights.shape, flock.rule, len(context)):
        assert flock(np.zeros(inputs), context).shape == (flock.network.outputs,)
    flock.save(directory / "again.json")
    again = wannjax.load_ensemble(directory / "again.json")
    assert (again.rule, again.context_names, graph_of(again.network)) == (flock.rule, flock.context_names, graph_of(flock.network))
    for left, right in zip((again.weights, *(again.gate or ())), (flock.weights, *(flock.gate or ())), strict=True):
        np.testing.assert_array_equal(left, right)


def assert_name_works(name, _directory):
    assert isinstance(name, str)


def assert_library_works(blocks, directory):
    """A search takes it, and remembers it in its settings."""
    config = wannjax.WannConfig(blocks=blocks, insert_block=1.0)
    assert wannjax.WannConfig(**json.loads(json.dumps(asdict(config)))) == config
    wannjax.save_blocks(directory / "again.json", blocks)
    assert wannjax.load_blocks(directory / "again.json") == blocks


def assert_data_set_works(data, _directory):
    for images, labels in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        assert images.shape == (len(labels), 256)
        assert images.min() >= 0
        assert images.max() <= 1
        assert set(labels.tolist()) <= set(range(10))


_SHAPES: dict[str, set] = {"network": set(), "ensemble": set()}


def affordable(kind, *shape):
    """Whether running costs no compilation, or is one of the first to do so: every other shape is another program."""
    seen = _SHAPES[kind]
    if len(seen) < 8:
        seen.add(shape)
    return shape in seen


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        file: its name.
        load: given the file, or its directory where `by_directory`.
        check: that what was loaded works, given a directory to write to.
        contents: valid files.
        corruptions: each makes a damaged copy of `contents`, given a random generator.
    """

    file: str
    load: Callable
    check: Callable
    contents: tuple[bytes, ...]
    corruptions: tuple[Callable, ...]
    by_directory: bool = False


GRAPH = Graph(
    ("x", "dx", "θ", "dθ"),
    ("left", "right"),
    (5, 4, 1, 11),
    (*tuple(Connection(s, t) for t in (5, 6, 7, 8) for s in range(5)), Connection(6, 7)),
)
WEIGHTED = GRAPH.with_weights([0.25 * (i - 3.5) for i in range(len(GRAPH.connections))])
SMALL = Graph(("input",), ("output",), (1,), (Connection(1, 2),))
NETWORKS = [network_of(graph) for graph in (GRAPH, WEIGHTED, SMALL)]
RAW = {
    "x_train": np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8),
    "y_train": np.array([0, 9, 1], np.uint8),
    "x_test": np.full((1, 28, 28), 7, np.uint8),
    "y_test": np.array([6], np.uint8),
}
PREPARED = RAW | {name: np.linspace(0, 1, len(RAW[name]) * 256, dtype=np.float32).reshape(-1, 16, 16) for name in ("x_train", "x_test")}
IDX_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def written(write, name):
    """The bytes that `write` writes to the path it is given."""
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory) / name)
        return (Path(directory) / name).read_bytes()


def ensembles():
    gate = Gate(jnp.array([[0.5, -1.0], [0.25, 3.0]]), jnp.array([0.0, 1.0]), jnp.array([0.0, 0.5]), jnp.array([1.0, 2.0]))
    weights = jnp.stack([jnp.array(WEIGHTED.weights), -jnp.array(WEIGHTED.weights)])
    yield Ensemble(NETWORKS[0], weights, "probabilities", gate, ("pole_length", "force"))
    yield Ensemble(NETWORKS[0], weights, "vote")
    yield Ensemble(NETWORKS[2], jnp.array([[2.0], [3.0]]), "outputs", Gate(*(jnp.ones(shape) for shape in ((2, 1), 2, 1, 1))))


def idx(array):
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


FRONT = [
    written(lambda path, some=some: save_front(path, some, np.ones((len(some), 2)), (0.5, 1.0)), "front.json")
    for some in (NETWORKS, NETWORKS[1:])
]
BLOCKS = (wannjax.Block(("tanh", "step"), ((0, 1),)), wannjax.Block(("abs", "relu", "abs", "tanh"), ((0, 3), (1, 3), (2, 3))))
CONFIG = {"problem": "CartPole-v1", "seed": 0, "config": asdict(wannjax.WannConfig()), "versions": {"python": "3.11.0"}}
KINDS = {
    kind.file: kind
    for kind in (
        Kind("network.json", wannjax.load, assert_network_works, tuple(network_text(graph_of(n)).encode() for n in NETWORKS), JSON),
        Kind(
            *("network.out", wannjax.load, assert_network_works),
            tuple(written(lambda path, n=n: wannjax.save(path, n), "network.out") for n in NETWORKS),
            TEXT,
        ),
        Kind("front.json", load_front, assert_front_works, tuple(FRONT), JSON),
        Kind(
            *("ensemble.json", wannjax.load_ensemble, assert_ensemble_works),
            tuple(written(flock.save, "ensemble.json") for flock in ensembles()),
            JSON,
        ),
        Kind(
            *("network.onnx", from_onnx, assert_network_works),
            tuple(written(lambda path, n=n: to_onnx(n, path), "network.onnx") for n in NETWORKS),
            (*BYTES, *[replace_fields] * 4),
        ),
        Kind(
            *(run_directory.LIBRARY, wannjax.load_blocks, assert_library_works),
            tuple(written(lambda path, some=some: wannjax.save_blocks(path, some), run_directory.LIBRARY) for some in (BLOCKS, BLOCKS[:1])),
            JSON,
        ),
        Kind(run_directory.CONFIG, run_directory.problem_name, assert_name_works, (json.dumps(CONFIG).encode(),), JSON, by_directory=True),
        Kind(
            *("mnist.npz", mnist, assert_data_set_works),
            tuple(zipped({f"{name}.npy": npy(array) for name, array in arrays.items()}) for arrays in (RAW, PREPARED)),
            (*BYTES, *[replace_members] * 6),
        ),
        Kind(IDX_FILES[0], mnist, assert_data_set_works, (idx(RAW["x_train"]), idx(RAW["y_train"])), BYTES, by_directory=True),
        Kind(
            *(IDX_FILES[1] + ".gz", mnist, assert_data_set_works),
            (gzip.compress(idx(RAW["y_train"])), gzip.compress(idx(RAW["x_test"]))),
            (*BYTES, *[recompress] * 6),
            by_directory=True,
        ),
    )
}


def check(kind, content, directory):
    """Loads a file and requires one clear error, or what works, for a cost in proportion."""
    path = directory / kind.file
    path.write_bytes(content)
    subject, most = directory if kind.by_directory else path, LEAST_MEMORY + MEMORY_PER_BYTE * len(content)
    loaded, seconds, memory = loaded_at_cost(kind, subject)
    if memory >= most:  # a table of the interpreter's own may have grown meanwhile, which it will not do again
        loaded, seconds, memory = loaded_at_cost(kind, subject)
    assert seconds < MOST_SECONDS
    assert memory < most
    if loaded is not None:
        kind.check(loaded, directory)
    return loaded


def loaded_at_cost(kind, subject):
    """What loading gives, None for one clear error, and the seconds and bytes that it took."""
    tracemalloc.start()  # for the loading alone: it makes compilation several times slower
    start = time.monotonic()
    try:
        loaded = kind.load(subject)
    except ValueError as error:
        loaded, message = None, str(error)
        assert message.startswith(str(subject))
        assert len(message.splitlines()) == 1
    finally:
        seconds, memory = time.monotonic() - start, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return loaded, seconds, memory


def as_in_production():
    """For fixtures: without type checks, whose TypeErrors would stand in for what happens without them."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
