"""A network as an ONNX model of standard operations, and back.

The model holds a growing table of values [B, rows]: rows 0 and 1 are the constants 0 and 1, then
come the inputs, then hidden nodes and outputs. The model of a recurrent network is of one time step
(`Graph.cell`), and its table has the state among the inputs. Nodes that depend on equally many
others in a row are computed together, in groups of one activation and about as many sources: a
group gathers [B, nodes, sources] from the table, multiplies by its weights, sums and activates. A
node with fewer sources than its group is wide reads row 0, so the file grows with the connections,
not with nodes².

To read a model back, its `sources` and `weights` and the metadata suffice. The rest of the graph
must then be what `to_onnx` would write: a file that tells of another network than its operations
compute is refused.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, Int64

from wannjax.common.files import Pathlike, as_path, parse_json, read_bytes, reading
from wannjax.export.weights import incoming, weighted_graph
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Connection, Graph, network_of, require_in_order
from wannjax.networks.network import Network
from wannjax.networks.tape import FIRST_INPUT

FORMAT, VERSION, WITH_MEMORY = "wannjax network", "1", "2"
"""Version 2 has a state, and says which nodes are remembered."""
OPSET, IR_VERSION = 17, 8
"""The versions of 2022, so that runtimes that are not of this year read the files too."""

_CONSTANTS: dict[str, np.generic | np.ndarray] = {
    "zero": np.float32(0.0),
    "half": np.float32(0.5),
    "minus half": np.float32(-0.5),
    "one": np.float32(1.0),
    "two": np.float32(2.0),
    "pi": np.float32(math.pi),
    "column before": np.array([0, 1, 0, 0], np.int64),
    "last axis": np.array([2], np.int64),
}


class _Group(NamedTuple):
    """Nodes that are computed together.

    Attributes:
        activation: their activation id.
        nodes: their numbers in the graph of one time step.
        sources: int64[nodes, width]; rows of the table of values, 0 where a node has fewer sources.
        weights: float32[nodes, width].
    """

    activation: int
    nodes: tuple[int, ...]
    sources: Int64[np.ndarray, "nodes width"]
    weights: Float32[np.ndarray, "nodes width"]


def to_onnx(network: Network, path: Pathlike, *, weight: float = 1.0) -> None:
    """Writes what `network` computes when called with `weight` as an ONNX model.

    Its input is `observation` float32[B, I], its output `outputs` float32[B, O], for any B. The
    metadata entries `input_names` and `output_names` are JSON lists of the names of the columns.
    A recurrent network has a further input `state` and output `next_state`, float32[B, V] of V
    values; a state is 0 before the first time step.

    Raises ImportError without the extra `onnx`; ValueError for a population, for weights that
    differ from lane to lane, and for a weight that is not finite.
    """
    onnx = _onnx()
    model = _model(onnx, weighted_graph(network, weight))
    as_path(path).write_bytes(model.SerializeToString(deterministic=True))


def from_onnx(path: Pathlike) -> Network:
    """Reads a network that `to_onnx` wrote, with the weights that stand in the file: individual
    ones, or shared where all are 1.

    Raises ImportError without the extra `onnx`, ValueError for any other file, and OSError when it
    cannot be read.
    """
    onnx = _onnx()
    path = as_path(path)
    data = read_bytes(path)
    # What protobuf and onnx raise for a broken file has no common class.
    with reading(path, "not a wannjax network", (Exception,)):
        return network_of(_parse(onnx, onnx.ModelProto.FromString(data)))


def _onnx() -> Any:
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    except ImportError:
        raise ImportError('ONNX files need the package onnx: pip install "wannjax[onnx]"') from None
    return onnx


def _model(onnx: Any, graph: Graph) -> Any:
    """The ONNX model of a weighted graph."""
    cell, remembered = graph.cell, graph.remembered
    levels = _levels(cell)
    groups = [group for level in levels for group in level]
    operations = _operations(onnx, levels, has_state=bool(remembered))
    read = {name for operation in operations for name in operation.input}  # runtimes warn of a constant that nothing reads
    initializers = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in _CONSTANTS.items() if name in read]
    for number, group in enumerate(groups):
        initializers.append(onnx.numpy_helper.from_array(group.sources, f"sources {number}"))
        initializers.append(onnx.numpy_helper.from_array(group.weights, f"weights {number}"))
    ends = {"output rows": [*range(cell.size - cell.outputs, cell.size)]}
    given, found = {"observation": graph.inputs}, {"outputs": graph.outputs}
    if remembered:
        ends["state rows"] = [node + len(remembered) for node in remembered]
        given["state"] = found["next_state"] = len(remembered)
    initializers += [onnx.numpy_helper.from_array(_rows_of(nodes, cell, groups), name) for name, nodes in ends.items()]

    def described(sizes: dict[str, int]) -> list[Any]:
        return [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", size]) for name, size in sizes.items()]

    body = onnx.helper.make_graph(operations, "network", described(given), described(found), initializers)
    model = onnx.helper.make_model(
        body, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="wannjax"
    )
    metadata = {
        "format": FORMAT,
        "version": WITH_MEMORY if remembered else VERSION,
        "input_names": json.dumps(graph.input_names),
        "output_names": json.dumps(graph.output_names),
        "groups": json.dumps([[NAMES[group.activation], group.nodes] for group in groups]),
    }
    if remembered:
        metadata["remembered"] = json.dumps(remembered)
    onnx.helper.set_model_props(model, metadata)
    return model


def _levels(graph: Graph) -> list[list[_Group]]:
    """The groups of each level; the nodes of a level read only earlier ones."""
    terms = incoming(graph)
    level = [0] * graph.size
    members: dict[tuple[int, int, int], list[int]] = {}
    for node in range(graph.first_hidden, graph.size):
        level[node] = 1 + max((level[source] for source, _ in terms[node]), default=0)
        width = 1 << max(len(terms[node]) - 1, 0).bit_length()
        members.setdefault((level[node], graph.activations[node - graph.first_hidden], width), []).append(node)
    row = {node: node + 1 for node in range(graph.first_hidden)}
    levels: list[list[_Group]] = [[] for _ in range(max(level))]
    for (depth, activation, width), nodes in sorted(members.items()):
        sources = np.zeros((len(nodes), width), np.int64)
        weights = np.zeros((len(nodes), width), np.float32)
        for i, node in enumerate(nodes):
            for k, (source, weight) in enumerate(terms[node]):
                sources[i, k], weights[i, k] = row[source], weight
        row.update({node: len(row) + 1 + i for i, node in enumerate(nodes)})
        levels[depth - 1].append(_Group(activation, tuple(nodes), sources, weights))
    return levels


def _rows_of(nodes: Iterable[int], graph: Graph, groups: list[_Group]) -> Int64[np.ndarray, " n"]:
    """The rows of nodes that are computed."""
    computed = (node for group in groups for node in group.nodes)
    row = {node: FIRST_INPUT + graph.inputs + i for i, node in enumerate(computed)}
    return np.array([row[node] for node in nodes], np.int64)


def _operations(onnx: Any, levels: list[list[_Group]], *, has_state: bool) -> list[Any]:
    """The ONNX nodes, in order of evaluation."""
    operations: list[Any] = []

    def add(operator: str, *inputs: str, output: str = "", **attributes: int) -> str:
        output = output or f"value {len(operations)}"
        operations.append(onnx.helper.make_node(operator, list(inputs), [output], name=f"{operator} {len(operations)}", **attributes))
        return output

    table = add("Pad", add("Pad", "observation", "column before", "one"), "column before", "zero")
    if has_state:
        table = add("Concat", table, "state", axis=1)
    number = 0
    for level in levels:
        columns = [table]
        for group in level:
            terms = add("Mul", add("Gather", table, f"sources {number}", axis=1), f"weights {number}")
            columns.append(_activate(onnx, add, group.activation, add("ReduceSum", terms, "last axis", keepdims=0)))
            number += 1
        table = add("Concat", *columns, axis=1)
    add("Gather", table, "output rows", output="outputs", axis=1)
    if has_state:
        add("Gather", table, "state rows", output="next_state", axis=1)
    return operations


def _activate(onnx: Any, add: Any, activation: int, x: str) -> str:
    """Activates `x`. tanh, sigmoid and the gaussian saturate by themselves, where the package clips
    before one shared exponential.
    """
    match NAMES[activation]:
        case "step":
            return add("Cast", add("Greater", x, "zero"), to=onnx.TensorProto.FLOAT)
        case "sin" | "cos":
            # x modulo 2 in [-1, 1], exact at any size of x: runtimes reduce large angles badly
            remainder = add("Sub", x, add("Mul", add("Round", add("Mul", x, "half")), "two"))
            return add("Sin" if NAMES[activation] == "sin" else "Cos", add("Mul", remainder, "pi"))
        case "gaussian":
            return add("Exp", add("Mul", add("Mul", x, x), "minus half"))
        case "tanh":
            return add("Tanh", x)
        case "sigmoid":
            return add("Sigmoid", x)
        case "inverse":
            return add("Neg", x)
        case "abs":
            return add("Abs", x)
        case "relu":
            return add("Relu", x)
        case "square":
            return add("Mul", x, x)
        case "linear":
            return x
    raise NotImplementedError(f"activation {NAMES[activation]!r} has no ONNX form yet")


def _parse(onnx: Any, model: Any) -> Graph:
    """The graph that a model was made from. Raises KeyError or ValueError when it was not made by
    `to_onnx`.
    """
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    if metadata.get("format") != FORMAT or metadata.get("version") not in (VERSION, WITH_MEMORY):
        raise ValueError(f'its metadata does not say "{FORMAT}", version {VERSION} or {WITH_MEMORY}')
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for tensor in tensors.values():
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ValueError(f"its tensor {tensor.name!r} is in another file")
        if 0 in tensor.dims:  # no data bounds the other sizes
            raise ValueError(f"its tensor {tensor.name!r} is empty")
    input_names, output_names = (tuple(map(str, parse_json(metadata[key]))) for key in ("input_names", "output_names"))
    groups = [(NAMES.index(name), tuple(nodes)) for name, nodes in parse_json(metadata["groups"])]

    remembered = parse_json(metadata["remembered"]) if metadata["version"] == WITH_MEMORY else []
    activation_of = {node: activation for activation, nodes in groups for node in nodes}
    first_last = 1 + len(input_names)
    first_hidden = first_last + len(remembered)
    computed = range(first_hidden, first_hidden + len(activation_of))
    activations = tuple(activation_of[node] for node in computed)
    number_of_row = [*range(first_hidden), *(node for _, nodes in groups for node in nodes)]
    connections = []
    for i, (_, nodes) in enumerate(groups):
        sources, weights = (onnx.numpy_helper.to_array(tensors[f"{kind} {i}"]) for kind in ("sources", "weights"))
        for node, rows, values in zip(nodes, sources.tolist(), weights.tolist(), strict=True):
            connections += [Connection(number_of_row[row - 1], node, value) for row, value in zip(rows, values, strict=True) if row != 0]
    connections.sort(key=lambda connection: connection.target)
    number = [*range(first_last), *remembered, *range(first_last, first_last + len(computed))]
    over_time = tuple(replace(each, source=number[each.source], target=number[each.target]) for each in connections)
    graph = Graph(input_names, output_names, activations, over_time)
    require_in_order(graph, [first_last <= each.source < first_hidden for each in connections])
    if _model(onnx, graph).graph != model.graph:
        raise ValueError("more of it than the weights differs from what to_onnx writes")
    shared = all(connection.weight == 1 for connection in graph.connections)
    return graph.with_weights(None) if shared else graph
