"""Networks in files: JSON that a person can read, and the published `.out` format.

How files are read and written, and what is refused, is in `common/files.py`. A network is written
in the lowest version of the format that holds it, so that older releases read what they can:
version 2 has recurrent connections, which say so, and version 1 has none. To change the format, add
a version and keep reading the old ones.
"""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from wannjax.common.digits import kept
from wannjax.common.files import (
    VERSION,
    Pathlike,
    as_path,
    check_header,
    ending_of,
    parse_score,
    read_document,
    read_text,
    reading,
    write_text,
)
from wannjax.common.validation import require
from wannjax.common.wording import counted
from wannjax.networks.activations import LINEAR, NAMES
from wannjax.networks.graph import Connection, Graph, default_names, graph_of, network_of, require_distinct, require_in_order
from wannjax.networks.network import Network

FORMAT, FRONT_FORMAT = "wannjax network", "wannjax front"
WITH_MEMORY = 2
"""The version of documents with recurrent connections."""
_NO_NETWORK = "not a wannjax network"


def save(path: Pathlike, network: Network) -> None:
    """Writes one network: `.json`, or the published format where the name ends in `.out`.

    In the published format a weight of 0 is no connection. What its matrix does not tell (how many
    nodes are inputs and outputs, whether weights are shared) stands in a comment behind it, which
    `np.loadtxt(path, delimiter=",")`, the published reader, skips.

    Raises ValueError for another ending, for weights that differ from lane to lane, and for a
    recurrent network in the published format, which has none; TypeError for what is no network.
    """
    graph = graph_of(network)
    path, ending = as_path(path), ending_of(path)
    if ending == ".json":
        write_text(path, network_text(graph) + "\n")
    elif ending == ".out":
        require("network", network, "feed-forward for a file in .out, the published format", not graph.recurrent)
        write_text(path, _published_text(graph))
    else:
        raise ValueError(f"path: must end in .json or .out, got {str(path)!r}")


def load(path: Pathlike, *, inputs: int | None = None, outputs: int | None = None) -> Network:
    """Reads one network that `save` or the published code wrote.

    Args:
        inputs, outputs: for `.out` files of others, which do not say how many of their nodes these
            are. When None, the nodes at the start without incoming connections are bias and inputs,
            and those at the end without outgoing ones are outputs. Weights that are all 1 count as
            shared there.

    Raises ValueError for anything that is not such a file, and OSError when it cannot be read.
    """
    path = as_path(path)
    if ending_of(path) != ".out":
        return read_document(path, _NO_NETWORK, lambda document: network_of(parse_network(document)))
    text = read_text(path)
    with reading(path, _NO_NETWORK):
        return network_of(_parse_published(text, inputs, outputs))


def save_front(path: Pathlike, networks: list[Network], scores: np.ndarray, weights: tuple[float, ...]) -> None:
    """Writes networks with their `scores` [F, W] over the sweep `weights` as JSON."""
    members = []
    for network, row in zip(networks, scores, strict=True):
        per_weight = json.dumps({str(weight): kept(score) for weight, score in zip(weights, row, strict=True)})
        members.append(f'{{"mean score": {kept(np.mean(row))}, "scores": {per_weight}, "network":\n{network_text(graph_of(network))}}}')
    head = f'"format": {json.dumps(FRONT_FORMAT)}, "version": {VERSION}'
    write_text(Path(path), f'{{{head}, "members": [\n' + ",\n".join(members) + "\n]}\n")


def load_front(path: Pathlike) -> list[Network]:
    """Reads the networks that `save_front` wrote, best mean score first. Raises as `load` does."""
    return [network for network, _ in load_scored_front(path)]


def load_scored_front(path: Pathlike) -> list[tuple[Network, float]]:
    """As `load_front`, every network with its mean score."""
    return read_document(path, "not a wannjax front", _members, FRONT_FORMAT)


def _members(document: Any) -> list[tuple[Network, float]]:
    return [(network_of(parse_network(member["network"])), parse_score(member["mean score"])) for member in document["members"]]


def network_text(graph: Graph) -> str:
    """JSON with one node or connection a line."""
    nodes: list[dict[str, Any]] = []
    for number in range(graph.size):
        is_hidden = graph.first_hidden <= number < graph.size - graph.outputs
        kind = "bias" if number == 0 else "input" if number < graph.first_hidden else "hidden" if is_hidden else "output"
        node: dict[str, Any] = {"name": graph.name(number), "kind": kind}
        if number >= graph.first_hidden:
            node["activation"] = NAMES[graph.activations[number - graph.first_hidden]]
        nodes.append(node)
    connections = []
    for connection in graph.connections:
        entry: dict[str, Any] = {"from": graph.name(connection.source), "to": graph.name(connection.target)}
        if connection.weight is not None:
            entry["weight"] = connection.weight
        if connection.is_recurrent:
            entry["recurrent"] = True
        connections.append(entry)

    def lines(entries):
        return ",\n".join("    " + json.dumps(entry, ensure_ascii=False) for entry in entries)

    weights = "individual" if graph.has_weights else "shared"
    return (
        f'{{\n  "format": {json.dumps(FORMAT)},\n  "version": {WITH_MEMORY if graph.recurrent else VERSION},\n  "weights": "{weights}",\n'
        f'  "nodes": [\n{lines(nodes)}\n  ],\n  "connections": [\n{lines(connections)}\n  ]\n}}'
    )


def parse_network(document: Any) -> Graph:
    check_header(document, FORMAT, WITH_MEMORY)
    nodes, entries = document["nodes"], document["connections"]
    kinds = [node["kind"] for node in nodes]
    order = {"bias": 0, "input": 1, "hidden": 2, "output": 3}
    for kind in kinds:
        if kind not in order:
            raise ValueError(f"a node's kind is {kind!r}, not one of {', '.join(order)}")
    if kinds != sorted(kinds, key=order.__getitem__) or kinds.count("bias") != 1:
        raise ValueError("its nodes must be one bias, then inputs, hidden nodes, outputs")
    names = {kind: tuple(str(node["name"]) for node in nodes if node["kind"] == kind) for kind in ("input", "output")}
    activations = []
    for node in nodes[1 + len(names["input"]) :]:
        if node["activation"] not in NAMES[1:]:
            raise ValueError(f"activation {node['activation']!r} is unknown; known are {', '.join(NAMES[1:])}")
        activations.append(NAMES.index(node["activation"]))
    require_distinct([str(node["name"]) for node in nodes])
    number = {str(node["name"]): i for i, node in enumerate(nodes)}
    for entry in entries:
        for end in ("from", "to"):
            if entry[end] not in number:
                raise ValueError(f"a connection names node {entry[end]!r}, which does not exist")
    connections = tuple(Connection(number[entry["from"]], number[entry["to"]], _weight(entry.get("weight"))) for entry in entries)
    graph = Graph(names["input"], names["output"], tuple(activations), connections)
    marked = [document["version"] == WITH_MEMORY and entry.get("recurrent") is True for entry in entries]
    require_in_order(graph, marked)
    return graph


def _weight(value: Any) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= float(np.finfo(np.float32).max):
        raise ValueError(f"a weight must be a finite number, got {value!r}")
    return float(value)


def _published_text(graph: Graph) -> str:
    matrix = np.zeros((graph.size, graph.size + 1))
    matrix[:, -1] = [LINEAR] * graph.first_hidden + list(graph.activations)
    for connection in graph.connections:
        matrix[connection.source, connection.target] = 1.0 if connection.weight is None else connection.weight
    weights = "individual" if graph.has_weights else "shared"
    told = f"# inputs {graph.inputs} outputs {graph.outputs} weights {weights}\n"
    return "".join(",".join(format(value, ".9g") for value in row) + "\n" for row in matrix) + told


def _parse_published(text: str, inputs: int | None, outputs: int | None) -> Graph:
    told = re.search(r"^# inputs (\d{1,9}) outputs (\d{1,9}) weights (shared|individual)\s*$", text, re.MULTILINE)
    if told is not None:
        sizes = int(told[1]), int(told[2])
        if inputs not in (None, sizes[0]) or outputs not in (None, sizes[1]):
            given = ", ".join(f"{name}={size}" for name, size in (("inputs", inputs), ("outputs", outputs)) if size is not None)
            raise ValueError(f"it has {counted(sizes[0], 'input')} and {counted(sizes[1], 'output')}, and not {given}")
        inputs, outputs = sizes
    rows = [line for line in (line.partition("#")[0] for line in text.splitlines()) if line.strip()]
    size = len(rows)
    if size < 3:
        raise ValueError(f"it has {size} rows; a network has at least bias, one input and one output")
    edges: list[tuple[int, int, float]] = []
    activations: list[int] = []
    for number, line in enumerate(rows):
        cells = line.split("," if "," in line else None)
        if len(cells) != size + 1:
            raise ValueError(f"row {number} has {len(cells)} columns; {size} rows need {size + 1}")
        values = [float(cell) for cell in cells]
        if not values[-1].is_integer():
            raise ValueError(f"row {number} has activation {values[-1]}, not an integer")
        activations.append(int(values[-1]))
        edges += [(number, target, w) for target, w in enumerate(values[:-1]) if w != 0 and not math.isnan(w)]
    targets, sources = {target for _, target, _ in edges}, {source for source, _, _ in edges}
    if inputs is None:
        inputs = next((node for node in range(size) if node in targets), size) - 1
    if outputs is None:
        outputs = next((i for i in range(size) if size - 1 - i in sources), size)
    if inputs < 1 or outputs < 1 or 1 + inputs + outputs > size:
        raise ValueError(f"{size} nodes cannot be a bias, {inputs} inputs and {outputs} outputs")
    shared = told[3] == "shared" if told else all(weight == 1 for _, _, weight in edges)
    if shared and not all(weight == 1 for _, _, weight in edges):
        raise ValueError("it says that weights are shared, and has some that are not 1")
    connections = tuple(
        Connection(source, target, None if shared else _weight(weight))
        for source, target, weight in sorted(edges, key=lambda edge: (edge[1], edge[0]))
    )
    names = default_names(inputs, "input"), default_names(outputs, "output")
    graph = Graph(*names, tuple(activations[1 + inputs :]), connections)
    require_in_order(graph)
    return graph
