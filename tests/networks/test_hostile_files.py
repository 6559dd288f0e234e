"""Files and directories that are made to harm: out of all proportion, without end, or reaching for what lies outside."""

import json
import os
import re
import struct
import tracemalloc
import zipfile

import numpy as np
import onnx
import pytest
from corruptions import zipped
from file_kinds import GRAPH, IDX_FILES, KINDS, MEMORY_PER_BYTE, NETWORKS, as_in_production, check

import wannjax
from wannjax.cli import main
from wannjax.export import from_onnx
from wannjax.finetuning import Tuned
from wannjax.finetuning.tuned import write as write_training
from wannjax.networks.graph import Connection, Graph, graph_of, network_of
from wannjax.pictures.drawing import draw
from wannjax.report.report import write as write_report
from wannjax.report.training import draw_training
from wannjax.runs import run_directory
from wannjax.runs.evolution import Result
from wannjax.runs.past_champions import Stage
from wannjax.runs.records import Record, TrainingRecord

_as_in_production = pytest.fixture(as_in_production, autouse=True, scope="module")


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
    tracemalloc.start()
    graph_of(wannjax.load(tmp_path / "network.json"))
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert memory < MEMORY_PER_BYTE * len(content)


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
    assert re.fullmatch(r"wannjax: (.*: its problem was made in Python: .*|--data: must be given for mnist, .*)\n", capsys.readouterr().err)
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

    def evaluate(self, key, networks, weights, *, episodes, activation_ids=()):
        raise NotImplementedError


@pytest.mark.slow
def test_links_in_a_run_directory_are_replaced_and_not_written_through(tmp_path):
    (tmp_path / "run").mkdir()
    outside = tmp_path / "outside"
    outside.write_text("precious")
    files = {*run_directory.FILES} - {run_directory.LIBRARY}
    for name in files:
        (tmp_path / "run" / name).symlink_to(outside)
    history, training = (dict.fromkeys(kind._fields, np.arange(3.0)) for kind in (Record, TrainingRecord))
    method = wannjax.EvolutionStrategy()
    scores, front = np.ones(6), np.ones((1, 6))
    growth = [Stage(1, NETWORKS[0], 1.0)]
    result = Result(NETWORKS[0], scores, NETWORKS[:1], front, history, growth, wannjax.WannConfig(), 0, "p", 1.0, (1, 1.0), False)
    run_directory.write(tmp_path / "run", result)
    write_report(tmp_path / "run", Unmeasured())
    write_training(tmp_path / "run", Tuned(NETWORKS[1], 1.0, "own", scores, training, method, "p", 0, 1.0, False))
    draw_training(tmp_path / "run")
    assert outside.read_text() == "precious"
    assert {path.name for path in (tmp_path / "run").iterdir()} == files
    assert not any(path.is_symlink() for path in (tmp_path / "run").iterdir())


@pytest.mark.parametrize("ending", ["png", "svg", "html"])
@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("$\\frac$", "$\\frac$"),
        ("a\x00b", "a\\x00b"),
        ("x\ny", "x\\ny"),
        ("${<", "${&lt;"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\ud800", "\\ud800"),
    ],
)
def test_any_name_can_be_drawn(name, shown, ending, tmp_path):
    path = tmp_path / f"network.{ending}"
    draw(network_of(Graph((name,), (f"{name}!",), (1,), (Connection(1, 2),))), path)
    assert path.stat().st_size > 0
    assert ending == "png" or f"{shown} → {shown}!" in path.read_text()
