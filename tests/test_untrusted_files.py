"""Files from strangers: whatever they hold, loading them is one clear error or something that works, at a cost in proportion to their size.

A mutant is made from valid files and a seed. When one fails, the note under the error says which: `mutant(kind, seed)` makes it again.
"""

import gzip
import io
import json
import os
import re
import struct
import tempfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import jaxtyping
import numpy as np
import onnx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import wannjax
from wannjax import runs
from wannjax.analysis.drawing import draw
from wannjax.cli import main
from wannjax.ensembles.ensemble import Ensemble, Gate
from wannjax.evolution import Record, Result
from wannjax.export import from_onnx, to_onnx
from wannjax.finetuning import Tuned
from wannjax.finetuning.loop import TrainingRecord
from wannjax.graph import Connection, Graph, graph_of, network_of
from wannjax.growth import Stage
from wannjax.network import FIRST_INPUT
from wannjax.problems.datasets import mnist
from wannjax.storage import load_front, network_text, save_front

QUICK, SLOW = 900, 50_000
"""Mutants of all kinds together."""

LEAST_MEMORY, MEMORY_PER_BYTE = 2 << 20, 100
"""What loading a file may take at most: bytes, and bytes more for every byte of the file."""

MOST_SECONDS = 5.0


# What loaders give must work


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


# Kinds of files


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        file: its name.
        load: given the file, or its directory where `by_directory`.
        check: that what was loaded works, given a directory to write to.
        contents: valid files.
        mutations: each makes a mutant of `contents`, given a random generator.
    """

    file: str
    load: Callable
    check: Callable
    contents: tuple[bytes, ...]
    mutations: tuple[Callable, ...]
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


def zipped(members, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


# Mutations


def pick(generator, options):
    return options[generator.integers(len(options))]


def slice_of(generator, content):
    start, end = sorted(generator.integers(0, len(content) + 1, 2).tolist())
    return (start, end) if generator.random() < 0.5 else (start, min(start + int(generator.integers(1, 9)), len(content)))


def flip_bits(generator, contents):
    content = bytearray(pick(generator, contents))
    for _ in range(generator.integers(1, 9)):
        content[generator.integers(len(content))] ^= 1 << generator.integers(8)
    return bytes(content)


def truncate(generator, contents):
    content = pick(generator, contents)
    return content[: generator.integers(len(content))]


def delete(generator, contents):
    content = pick(generator, contents)
    start, end = slice_of(generator, content)
    return content[:start] + content[end:]


def duplicate(generator, contents):
    content = pick(generator, contents)
    start, end = slice_of(generator, content)
    return content[:end] + content[start:end] * int(generator.integers(1, 4)) + content[end:]


def splice(generator, contents):
    first, second = pick(generator, contents), pick(generator, contents)
    return first[: generator.integers(len(first) + 1)] + second[generator.integers(len(second) + 1) :]


def overwrite(generator, contents):
    """As if another size stood in a header."""
    content = bytearray(pick(generator, contents))
    width = int(pick(generator, (1, 2, 4, 8)))
    value = int(pick(generator, (0, 1, 2, 255, 1 << 15, (1 << 31) - 1, 1 << 31, 10**9, (1 << 63) - 1, (1 << 64) - 1))) % (1 << 8 * width)
    start = int(generator.integers(min(len(content), pick(generator, (16, 128, len(content))))))
    content[start : start + width] = value.to_bytes(width, pick(generator, ("little", "big")))
    return bytes(content)


BYTES = (flip_bits, truncate, delete, duplicate, splice, overwrite)

TOKENS = (
    *("-1", "0", "1", "2", "3", "0.5", "1e9", "1e308", "1e999", "-1e999", "1e-320", "-0.0", "10000000000000", "9" * 400, "9" * 5000),
    *("NaN", "nan", "inf", "-Infinity", "0x10", "1_0", "٣", "1e", "null", "true", '"1"', '"', "'1'", "[]", "[[1]]", "{}", "(1, 2)"),
    *("[" * 20_000, '{"a":' * 20_000, "[" * 900 + "]" * 900, "-" * 9000 + "1", "(" * 9000, " " * 100, "1,2", "\n", "\x00", "", "lambda: 0"),
)
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e-?\d+)?")
WORD = re.compile(rb'"[^"]*"|\'[^\']*\'|[\w.+-]+')


def replace_token(generator, contents):
    """Some number or word becomes another: huge, negative, not a number, of another type, nested."""
    content = pick(generator, contents)
    found = list(pick(generator, (NUMBER, WORD)).finditer(content))
    if not found:
        return content
    match = pick(generator, found)
    return content[: match.start()] + pick(generator, TOKENS).encode() + content[match.end() :]


VALUES = (
    *(None, True, False, 0, 1, -1, 3, 2**31, 2**63, 10**30, 10**400, 0.5, -0.0, 1e308, 1e-320, 3e38),
    *("", "1", "a", "bias", "input", "hidden", "hidden 1", "output", "tanh", "sum", "exec", "\ud800", "a\nb", "\x00", "x" * 3000),
    *("../../outside", "$\\frac$", [], {}, [[]], [{}], [0.5, 0.25], [None], ["a", "b"], [1, 2, 3], [[1.0, 2.0], [3.0, 4.0]]),
    *([[1.0], [2.0, 3.0]], {"name": "x"}, {"from": "x", "to": "left"}),
)


def places(value, found):
    """Every (container, key) inside a JSON value."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        found.append((value, key))
        places(value[key], found)
    return found


def change_json(generator, document):
    """Changes one to three values: another type, the value of another place, gone, twice."""
    for _ in range(generator.integers(1, 4)):
        found = places(document, [])
        if not found:
            break
        container, key = pick(generator, found)
        match generator.integers(8):
            case 0 | 1:
                container[key] = pick(generator, VALUES)
            case 2 | 3:
                namesakes = [(other, place) for other, place in found if place == key]
                other, place = pick(generator, namesakes)
                container[key] = json.loads(json.dumps(other[place]))
            case 4:
                other, place = pick(generator, found)
                container[key] = json.loads(json.dumps(other[place]))
            case 5:
                del container[key]
            case _ if isinstance(container, list):
                container.insert(key, json.loads(json.dumps(container[key])))
            case _:
                container[f"{key} "] = container.pop(key)
    return document


def replace_values(generator, contents):
    return json.dumps(change_json(generator, json.loads(pick(generator, contents)))).encode()


def replace_members(generator, contents):
    """An archive is made again with one of its members changed, so that its checksums are right."""
    with zipfile.ZipFile(io.BytesIO(pick(generator, contents))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = pick(generator, list(members))
    members[name] = pick(generator, (*BYTES, replace_token, replace_token))(
        generator, (members[name], members[pick(generator, list(members))])
    )
    return zipped(members, pick(generator, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def recompress(generator, contents):
    return gzip.compress(pick(generator, BYTES)(generator, tuple(map(gzip.decompress, contents))), 1)


def replace_fields(generator, contents):
    """One field of an ONNX model changes: metadata, or a tensor's sizes, type or data, or an operation."""
    model = onnx.ModelProto.FromString(pick(generator, contents))
    tensor, entry = pick(generator, model.graph.initializer), pick(generator, model.metadata_props)
    match generator.integers(7):
        case 0:
            entry.value = replace_token(generator, (entry.value.encode(),)).decode()
        case 1:
            entry = next(entry for entry in model.metadata_props if entry.key == "groups")
            entry.value = json.dumps(change_json(generator, json.loads(entry.value)))
        case 2:
            tensor.dims[:] = pick(
                generator, ([], [0], [10**12, 0], [0, 10**12], [-1], [1 << 62], [10**12, 10**12], [len(tensor.dims)] * 40)
            )
        case 3:
            tensor.data_type = int(generator.integers(30))
        case 4:
            tensor.raw_data = pick(generator, BYTES)(generator, (tensor.raw_data, bytes(range(9))))
        case 5:
            pick(generator, (model.graph.initializer, model.graph.node, model.metadata_props)).pop()
        case _:
            model.graph.node.append(pick(generator, model.graph.node))
    return model.SerializeToString()


TEXT = (*BYTES, *[replace_token] * 6)
JSON = (*TEXT, *[replace_values] * 8)
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
            *(runs.LIBRARY, wannjax.load_blocks, assert_library_works),
            tuple(written(lambda path, some=some: wannjax.save_blocks(path, some), runs.LIBRARY) for some in (BLOCKS, BLOCKS[:1])),
            JSON,
        ),
        Kind(runs.CONFIG, runs.problem_name, assert_name_works, (json.dumps(CONFIG).encode(),), JSON, by_directory=True),
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


def mutant(kind, seed):
    generator = np.random.default_rng(seed)
    return pick(generator, kind.mutations)(generator, kind.contents)


def check(kind, content, directory):
    """Loads a file and requires one clear error, or what works, for a cost in proportion."""
    path = directory / kind.file
    path.write_bytes(content)
    subject = directory if kind.by_directory else path
    tracemalloc.reset_peak()
    before, start = tracemalloc.get_traced_memory()[0], time.monotonic()
    try:
        loaded = kind.load(subject)
    except ValueError as error:
        loaded, message = None, str(error)
        assert message.startswith(str(subject))
        assert len(message.splitlines()) == 1
    seconds, memory = time.monotonic() - start, tracemalloc.get_traced_memory()[1] - before
    assert seconds < MOST_SECONDS
    assert memory < LEAST_MEMORY + MEMORY_PER_BYTE * len(content)
    if loaded is not None:
        kind.check(loaded, directory)
    return loaded


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture(scope="module")
def directory(tmp_path_factory, kind):
    """With the files that the kind needs beside it."""
    directory = tmp_path_factory.mktemp("stranger")
    if kind.file.startswith("train-"):
        for name, array in zip(IDX_FILES, RAW.values(), strict=True):
            if not kind.file.startswith(name):
                (directory / name).write_bytes(idx(array))
    return directory


@pytest.fixture(autouse=True, scope="module")
def _as_in_production():
    """Without type checks, whose TypeErrors would stand in for what happens without them; and with memory counted."""
    jaxtyping.config.update("jaxtyping_disable", True)
    tracemalloc.start()
    yield
    tracemalloc.stop()
    jaxtyping.config.update("jaxtyping_disable", False)


def check_mutants(kind, directory, seeds):
    for seed in seeds:
        try:
            check(kind, mutant(kind, seed), directory)
        except BaseException as error:
            error.add_note(f"mutant {seed} of {kind.file}")
            raise


def test_valid_files_load(kind, directory):
    for content in kind.contents[:1]:
        assert check(kind, content, directory) is not None


def test_mutants_are_one_clear_error_or_work(kind, directory):
    check_mutants(kind, directory, range(QUICK // len(KINDS)))


@pytest.mark.nightly
def test_many_mutants_are_one_clear_error_or_work(kind, directory):
    check_mutants(kind, directory, range(-(-SLOW // len(KINDS))))


# Anything at all, and what is nearly a file


@given(content=st.binary(max_size=200))
def test_any_bytes_are_one_clear_error_or_work(kind, directory, content):
    check(kind, content, directory)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(VALUES),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["name", "kind", "from", "to", "network"]), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=10)  # every network that works is compiled
@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.file.endswith(".json")], indirect=True)
@given(data=st.data())
def test_any_values_under_the_right_keys_are_one_clear_error_or_work(kind, directory, data):
    document = json.loads(kind.contents[0])
    for key in data.draw(st.sets(st.sampled_from([key for key in document if key not in ("format", "version")]), min_size=1)):
        document[key] = data.draw(JSON_VALUES)
    check(kind, json.dumps(document).encode(), directory)


LABELS = st.sampled_from(["bias", "a", "b", "hidden 1", "hidden 2", "y", "", "θ\n", "\x00", 7])
ACTIVATED = st.fixed_dictionaries({"name": LABELS, "activation": st.sampled_from(["tanh", "step", "square", "linear"])})
WEIGHTS = st.none() | st.floats() | st.integers() | st.floats(-3, 3)


@given(
    inputs=st.lists(LABELS, max_size=3),
    hidden=st.lists(ACTIVATED, max_size=4),
    outputs=st.lists(ACTIVATED, max_size=2),
    ends=st.lists(st.tuples(LABELS, LABELS), max_size=9),
    weight=WEIGHTS,
)
@example(inputs=["a"], hidden=[], outputs=[{"name": "y", "activation": "tanh"}], ends=[("a", "y"), ("bias", "y")], weight=1e-320)
@example(inputs=["a"], hidden=[], outputs=[{"name": "y", "activation": "tanh"}], ends=[], weight=None)
def test_any_graph_is_one_clear_error_or_works(tmp_path_factory, inputs, hidden, outputs, ends, weight):
    nodes = [{"name": "bias", "kind": "bias"}, *({"name": name, "kind": "input"} for name in inputs)]
    nodes += [{"kind": "hidden", **node} for node in hidden] + [{"kind": "output", **node} for node in outputs]
    connections = [{"from": source, "to": target, "weight": weight} for source, target in ends]
    document = {"format": "wannjax network", "version": 1, "nodes": nodes, "connections": connections}
    check(KINDS["network.json"], json.dumps(document).encode(), tmp_path_factory.getbasetemp())


# What is out of proportion


def document_of(inputs, connections=(), **changes):
    """A network of one output."""
    nodes = [{"name": "bias", "kind": "bias"}, *({"name": name, "kind": "input"} for name in inputs)]
    nodes.append({"name": "y", "kind": "output", "activation": "tanh"})
    return json.dumps({"format": "wannjax network", "version": 1, "nodes": nodes, "connections": list(connections), **changes}).encode()


def onnx_with(change):
    model = onnx.ModelProto.FromString(KINDS["network.onnx"].contents[0])
    change({tensor.name: tensor for tensor in model.graph.initializer}, {entry.key: entry for entry in model.metadata_props})
    return model.SerializeToString()


def resized(tensors, dims):
    for name in ("sources 0", "weights 0"):
        tensors[name].raw_data = b""
        tensors[name].dims[:] = dims


def zipped_with(content):
    return zipped({"x_train.npy": content}, zipfile.ZIP_DEFLATED)


NAMES_TWICE = [*map(str, range(50_000)), "a", "a"]
OUT_OF_PROPORTION = {
    "a name twice among 50,000": ("network.json", lambda: document_of(NAMES_TWICE), "two nodes are called 'a'"),
    "a nesting of 100,000": ("config.json", lambda: b"[" * 100_000, "nested too deeply"),
    "a number of 4,000 digits": ("network.json", lambda: document_of("a", [{"from": "a", "to": "y", "weight": int("9" * 4000)}]), "finite"),
    "a kind of a million letters": ("network.json", lambda: document_of("a").replace(b'"input"', b'"' + b"x" * 10**6 + b'"'), "kind is"),
    "an empty tensor of 10**12 rows": ("network.onnx", lambda: onnx_with(lambda tensors, _: resized(tensors, [10**12, 0])), "is empty"),
    "an empty tensor of 10**12 columns": ("network.onnx", lambda: onnx_with(lambda tensors, _: resized(tensors, [0, 10**12])), "is empty"),
    "a header of 64 MB, packed": (
        "mnist.npz",
        lambda: zipped_with(b"\x93NUMPY\2\0" + struct.pack("<I", 1 << 26) + bytes(1 << 26)),
        "in version",
    ),
    "100,000 images announced": (
        IDX_FILES[0],
        lambda: b"\0\0\x08\3" + struct.pack(">3I", 100_000, 28, 28) + bytes(784),
        "announces 78400000",
    ),
}


@pytest.mark.parametrize(("file", "build", "reason"), OUT_OF_PROPORTION.values(), ids=OUT_OF_PROPORTION)
def test_what_is_out_of_proportion_is_refused_cheaply(file, build, reason, tmp_path):
    content = build()
    assert check(KINDS[file], content, tmp_path) is None
    with pytest.raises(ValueError, match=reason) as caught:
        KINDS[file].load(tmp_path if KINDS[file].by_directory else tmp_path / file)
    assert len(str(caught.value)) < 1000


def test_a_large_fan_in_costs_no_more_than_its_connections(tmp_path):
    names = [f"i{i}" for i in range(3_000)]
    content = document_of(names, [{"from": name, "to": "y"} for name in names])
    assert check(KINDS["network.json"], content, tmp_path).inputs == 3_000
    start = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    graph_of(wannjax.load(tmp_path / "network.json"))
    assert tracemalloc.get_traced_memory()[1] - start < MEMORY_PER_BYTE * len(content)


# What a stranger's file or directory could reach


@pytest.mark.parametrize("file", [name for name, kind in KINDS.items() if not kind.by_directory])
def test_what_never_ends_is_refused(file, tmp_path):
    """A link to a device, and a pipe that nobody writes to."""
    (tmp_path / f"device-{file}").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / f"pipe-{file}")
    for path in (tmp_path / f"device-{file}", tmp_path / f"pipe-{file}"):
        with pytest.raises(ValueError, match=f"{path.name}: is "):
            KINDS[file].load(path)


def test_a_link_that_someone_made_is_read(tmp_path):
    wannjax.save(tmp_path / "network.json", NETWORKS[0])
    (tmp_path / "link.json").symlink_to(tmp_path / "network.json")
    assert graph_of(wannjax.load(tmp_path / "link.json")) == graph_of(wannjax.load(tmp_path / "network.json"))


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "mnist", "digits\x00", ""])
def test_the_problem_in_a_config_is_no_path(name, tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text(json.dumps({"problem": name, "path": str(tmp_path), "data": str(tmp_path)}))
    wannjax.save(run / "champion.json", NETWORKS[0])
    assert main(["finetune", str(run)]) == 2
    assert re.fullmatch(r"wannjax: (environment: .* is unknown; .*|path: must be given for mnist, .*)\n", capsys.readouterr().err)
    assert {path.name for path in tmp_path.rglob("*")} == {"run", "config.json", "champion.json"}


def test_a_tensor_in_another_file_is_not_read(tmp_path):
    def change(tensors, _):
        tensors["weights 0"].ClearField("raw_data")
        tensors["weights 0"].data_location = onnx.TensorProto.EXTERNAL
        tensors["weights 0"].external_data.add(key="location", value="../outside")

    assert check(KINDS["network.onnx"], onnx_with(change), tmp_path) is None
    with pytest.raises(ValueError, match="its tensor 'weights 0' is in another file"):
        from_onnx(tmp_path / "network.onnx")


class Unmeasured(wannjax.Problem):
    """A problem that reports can say nothing of."""

    name, inputs, outputs, output_activation = "p", 4, 2, "linear"
    input_names, output_names = GRAPH.input_names, GRAPH.output_names

    def evaluate(self, key, networks, weights, *, episodes, among=()):
        raise NotImplementedError


@pytest.mark.slow
def test_links_in_a_run_directory_are_replaced_and_not_written_through(tmp_path):
    (tmp_path / "run").mkdir()
    outside = tmp_path / "outside"
    outside.write_text("precious")
    files = {
        *(runs.CHAMPION, runs.FRONT, runs.GROWTH, runs.HISTORY, runs.CONFIG, runs.DRAWING, runs.CURVES, runs.REPORT),
        *(runs.TUNED, runs.TRAINING, runs.TRAINING_CONFIG, runs.TUNED_DRAWING, runs.TRAINING_CURVES),
    }
    for name in files:
        (tmp_path / "run" / name).symlink_to(outside)
    history, training = (dict.fromkeys(kind._fields, np.arange(3.0)) for kind in (Record, TrainingRecord))
    method = wannjax.EvolutionStrategy()
    scores, front = np.ones(6), np.ones((1, 6))
    growth = [Stage(1, NETWORKS[0], 1.0)]
    result = Result(NETWORKS[0], scores, NETWORKS[:1], front, history, growth, wannjax.WannConfig(), 0, "p", 1.0, (1, 1.0), False)
    runs.write(tmp_path / "run", result, Unmeasured())
    runs.write_training(tmp_path / "run", Tuned(NETWORKS[1], 1.0, "own", scores, training, method, "p", 0, 1.0, False))
    assert outside.read_text() == "precious"
    assert {path.name for path in (tmp_path / "run").iterdir()} == files
    assert not any(path.is_symlink() for path in (tmp_path / "run").iterdir())


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", ["$\\frac$", "a\x00b", "x\ny", "${"])
def test_any_name_can_be_drawn(name, tmp_path):
    draw(network_of(Graph((name,), (f"{name}!",), (1,), (Connection(1, 2),))), tmp_path / "network.png")
    assert (tmp_path / "network.png").stat().st_size > 0
