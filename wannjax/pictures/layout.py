"""Where the nodes and connections of a drawing go: layers from left to right, after Sugiyama,
Tagawa & Toda 1981.

All connections of one source share a trunk: a line through the layers up to its last target, from
which every connection branches off one layer before its own target. That leaves one line per source
and layer to place, however many connections skip layers.

To change how much room things take, edit the lengths below; all are inches.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, sqrt

import numpy as np
from jaxtyping import Float

from wannjax.networks.graph import Graph

RADIUS = 0.16
"""The radius of a node."""

_NODE_PITCH, _LINE_PITCH, _MIXED_PITCH = 0.46, 0.15, 0.3
"""Least distances in a layer: between nodes, between lines passing by, and between a node and a
line.
"""

_INPUT_COLUMN, _WIDEST_INPUT_PITCH, _LEAST_INPUT_PITCH = 11.0, 0.27, 0.11
"""How tall a column of many inputs may be, while the distance between two of them stays within
these bounds.
"""

_LEAST_GAP, _WIDEST_GAP = 0.56, 1.9
"""Bounds of the distance between two layers."""

_FLATTEST, _TALLEST = 1.75, 1.0
"""Bounds of width / height: flatter layouts are stretched upwards, taller ones sideways."""

_SWEEPS = 24

_ORDERED_INPUTS = 24
"""More inputs than these do not keep their order: few crossings are worth more then."""

Vertex = tuple[int, int]
"""A place in a layer: a node's number, and the layer, which is the node's own or, further right,
one that its trunk passes through.
"""


@dataclass(frozen=True)
class Layout:
    """Where everything in a drawing goes, in inches.

    Attributes:
        nodes: the centre of every node that is drawn, by number: inputs (and the bias) without
            connections are left out.
        trunks: by source, the points of its trunk [points, 2], the source's own first.
        branches: per connection that is not recurrent, in the graph's order, how many points of the
            trunk come before it, and where it ends [2].
        width, height: of the whole, which begins at 0, 0.
        input_pitch: the least distance between two inputs.
        left_out: the numbers of the nodes that are not drawn.
    """

    nodes: dict[int, Float[np.ndarray, " 2"]]
    trunks: dict[int, Float[np.ndarray, "points 2"]]
    branches: tuple[tuple[int, Float[np.ndarray, " 2"]], ...]
    width: float
    height: float
    input_pitch: float
    left_out: tuple[int, ...]


def layout_of(graph: Graph) -> Layout:
    """Places a network. Connections lead to the right; inputs stand on the left and outputs on the
    right, in their order unless there are very many inputs. Recurrent ones have no say, and no
    place here.
    """
    graph = graph.in_no_time
    sources = {connection.source for connection in graph.connections}
    left_out = tuple(node for node in range(graph.first_hidden) if node not in sources)
    layer_of = _layers(graph)
    last = max(layer_of)
    ends = {c.source: max(layer_of[d.target] for d in graph.connections if d.source == c.source) for c in graph.connections}
    layers: list[list[Vertex]] = [[] for _ in range(last + 1)]
    for node in range(graph.size):
        if node not in left_out:
            for layer in range(layer_of[node], max(ends.get(node, 0), layer_of[node] + 1)):
                layers[layer].append((node, layer))
    links = [((c.source, layer_of[c.target] - 1), (c.target, layer_of[c.target])) for c in graph.connections]
    links += [((node, layer), (node, layer + 1)) for node, end in ends.items() for layer in range(layer_of[node], end - 1)]
    layers = _ordered(layers, links)
    is_line = {vertex: vertex[1] > layer_of[vertex[0]] for layer in layers for vertex in layer}
    input_pitch = min(max(_INPUT_COLUMN / max(len(layers[0]), 1), _LEAST_INPUT_PITCH), _WIDEST_INPUT_PITCH)
    y = _heights(layers, links, is_line, input_pitch)
    x = _columns(layers, links, y)
    low = min(y.values(), default=0.0)
    width, height = x[-1], max(y.values(), default=0.0) - low
    flat, tall = width / max(height, 1e-9), max(height, 1e-9) / max(width, 1e-9)
    if len(y) > len(layers):  # else there is nothing but one chain
        stretch = min(flat / _FLATTEST, 4.0)
        y = {vertex: value * max(stretch, 1.0) for vertex, value in y.items()}
    widen = min(max(tall * _TALLEST, 1.0), 3.0)
    x = x * widen
    low = min(y.values(), default=0.0)
    place = {vertex: np.array([x[vertex[1]], y[vertex] - low]) for vertex in y}
    nodes = {node: place[node, layer_of[node]] for node in range(graph.size) if node not in left_out}
    trunks = {
        node: np.stack([place[node, layer] for layer in range(layer_of[node], max(end, layer_of[node] + 1))]) for node, end in ends.items()
    }
    branches = _branches(graph, layer_of, nodes, trunks)
    return Layout(nodes, trunks, branches, float(x[-1]), float(max(y.values()) - low), input_pitch, left_out)


def _layers(graph: Graph) -> list[int]:
    """The layer of every node. Hidden ones are scheduled layer by layer, those with the longest way
    to an output first, at most so many in a layer that the drawing is not much taller than wide
    (Coffman & Graham 1972), then moved to where trunks are short.
    """
    sources: list[list[int]] = [[] for _ in range(graph.size)]
    targets: list[list[int]] = [[] for _ in range(graph.size)]
    for connection in graph.connections:
        sources[connection.target].append(connection.source)
        targets[connection.source].append(connection.target)
    hidden = range(graph.first_hidden, graph.size - graph.outputs)
    way = [0] * graph.size
    for node in reversed(hidden):
        way[node] = 1 + max((way[target] for target in targets[node]), default=0)
    capacity = max(8, graph.outputs, ceil(2 * sqrt(len(hidden))))
    layer_of, waiting, layer = [0] * graph.size, set(hidden), 0
    while waiting:
        layer += 1
        ready = [node for node in waiting if not any(source in waiting for source in sources[node])]
        for node in sorted(ready, key=lambda node: (-way[node], node))[:capacity]:
            layer_of[node] = layer
        waiting -= {node for node in ready if layer_of[node]}
    last = layer + 1
    for node in range(graph.size - graph.outputs, graph.size):
        layer_of[node] = last
    _shorten(layer_of, hidden, sources, targets, capacity)
    return layer_of


def _shorten(layer_of: list[int], hidden: range, sources: list[list[int]], targets: list[list[int]], capacity: int) -> None:
    """Moves nodes within their freedom to where all trunks together are shortest, ties to the
    emptier layer.
    """
    count = [0] * (max(layer_of) + 1)
    for node in hidden:
        count[layer_of[node]] += 1

    def cost(node: int, layer: int) -> tuple[int, int, int]:
        own, layer_of[node] = layer_of[node], layer
        trunks = sum(max(layer_of[t] for t in targets[s]) - layer_of[s] for s in (*sources[node], *([node] if targets[node] else [])))
        layer_of[node] = own
        return trunks, count[layer] - (layer == own), layer

    for _ in range(6):
        for node in hidden:
            first = 1 + max((layer_of[source] for source in sources[node]), default=0)
            end = min((layer_of[target] for target in targets[node]), default=max(layer_of))
            best = min(
                (layer for layer in range(first, end) if count[layer] < capacity or layer == layer_of[node]),
                key=lambda layer: cost(node, layer),
            )
            count[layer_of[node]] -= 1
            count[best] += 1
            layer_of[node] = best


def _ordered(layers: list[list[Vertex]], links: list[tuple[Vertex, Vertex]]) -> list[list[Vertex]]:
    """The layers from bottom to top, in an order with few crossings: barycentre sweeps, and
    neighbours exchanged while that helps.
    """
    left, right = _neighbours(links)
    first = 0 if len(layers[0]) > _ORDERED_INPUTS else 1
    layers = [layer[::-1] for layer in layers]
    best, fewest = layers, _crossings(layers, left)
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        layers = list(layers)
        inner = range(1 if forward else first, len(layers) - 1)
        for number in inner if forward else reversed(inner):
            beside = layers[number - 1 if forward else number + 1]
            rank = {vertex: place / max(len(beside) - 1, 1) for place, vertex in enumerate(beside)}
            near = left if forward else right
            own = {vertex: place / max(len(layers[number]) - 1, 1) for place, vertex in enumerate(layers[number])}
            centre = {v: float(np.mean([rank[u] for u in near[v]])) if near.get(v) else own[v] for v in layers[number]}
            layers[number] = sorted(layers[number], key=lambda vertex: centre[vertex])
        exchanged = _exchanged(layers, left, right)
        crossings = _crossings(exchanged, left)
        if crossings < fewest:
            best, fewest = exchanged, crossings
    return best


def _neighbours(links: list[tuple[Vertex, Vertex]]) -> tuple[dict[Vertex, list[Vertex]], dict[Vertex, list[Vertex]]]:
    left: dict[Vertex, list[Vertex]] = {}
    right: dict[Vertex, list[Vertex]] = {}
    for start, end in links:
        right.setdefault(start, []).append(end)
        left.setdefault(end, []).append(start)
    return left, right


def _crossings(layers: list[list[Vertex]], left: dict[Vertex, list[Vertex]]) -> int:
    total = 0
    for before, layer in pairwise(layers):
        rank = {vertex: place for place, vertex in enumerate(before)}
        ends = [(place, rank[source]) for place, vertex in enumerate(layer) for source in left.get(vertex, ())]
        if ends:
            high, low = np.array(ends).T
            total += int(np.sum((high[:, None] < high[None, :]) & (low[:, None] > low[None, :])))
    return total


def _exchanged(layers: list[list[Vertex]], left: dict[Vertex, list[Vertex]], right: dict[Vertex, list[Vertex]]) -> list[list[Vertex]]:
    layers = [list(layer) for layer in layers]
    for _ in range(3):
        for number in range(1, len(layers) - 1):
            layer = layers[number]
            sides = []
            for near, beside in ((left, layers[number - 1]), (right, layers[number + 1])):
                rank = {vertex: place for place, vertex in enumerate(beside)}
                sides.append({vertex: np.array([rank[u] for u in near.get(vertex, ())]) for vertex in layer})
            for place in range(len(layer) - 1):
                below, above = layer[place], layer[place + 1]
                gain = sum(int(np.sum(np.sign(side[below][:, None] - side[above][None, :]))) for side in sides)
                if gain > 0:
                    layer[place], layer[place + 1] = above, below
    return layers


def _heights(
    layers: list[list[Vertex]], links: list[tuple[Vertex, Vertex]], is_line: dict[Vertex, bool], input_pitch: float
) -> dict[Vertex, float]:
    """Heights that keep the order and the least distances, each as near to the mean of its
    neighbours' as these allow. Links between two passing lines count more, so that trunks run
    straight.
    """

    def distance(below: Vertex, above: Vertex) -> float:
        if below[1] == 0:
            return input_pitch
        lines = is_line[below] + is_line[above]
        return (_NODE_PITCH, _MIXED_PITCH, min(_LINE_PITCH, input_pitch))[lines]

    offsets = [np.cumsum([0.0, *(distance(a, b) for a, b in pairwise(layer))])[: len(layer)] for layer in layers]
    y: dict[Vertex, float] = {}
    for layer, offset in zip(layers, offsets, strict=True):
        middle = offset[-1] / 2 if len(offset) else 0.0
        y.update({vertex: float(place - middle) for vertex, place in zip(layer, offset, strict=True)})
    pulls: dict[Vertex, list[tuple[Vertex, float]]] = {vertex: [] for vertex in y}
    for start, end in links:
        weight = 4.0 if is_line[start] and is_line[end] else 1.0
        pulls[start].append((end, weight))
        pulls[end].append((start, weight))
    for sweep in range(3 * _SWEEPS):
        order = range(len(layers)) if sweep % 2 else reversed(range(len(layers)))
        for number in order:
            layer, offset = layers[number], offsets[number]
            strength = np.array([max(sum(weight for _, weight in pulls[vertex]), 0.1) for vertex in layer])
            wish = np.array([sum(y[u] * w for u, w in pulls[v]) if pulls[v] else 0.1 * y[v] for v in layer])
            if len(layer):
                y.update(zip(layer, (_isotonic(wish / strength - offset, strength) + offset).tolist(), strict=True))
    return y


def _isotonic(values: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The ascending sequence nearest to `values` in weighted squares, by pooling adjacent
    violators.
    """
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        pools.append((float(value), float(weight), 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, u, m), (b, v, n) = pools[-2:]
            pools[-2:] = [((a * u + b * v) / (u + v), u + v, m + n)]
    return np.repeat([value for value, _, _ in pools], [size for _, _, size in pools])


def _columns(layers: list[list[Vertex]], links: list[tuple[Vertex, Vertex]], y: dict[Vertex, float]) -> Float[np.ndarray, " layers"]:
    """Where the layers stand: the steeper the links between two of them, the further apart."""
    rise: list[list[float]] = [[0.0] for _ in layers]
    for start, end in links:
        rise[end[1]].append(abs(y[start] - y[end]))
    gaps = [min(_LEAST_GAP + 0.28 * float(np.quantile(heights, 0.9)), _WIDEST_GAP) for heights in rise[1:]]
    return np.cumsum([0.0, *gaps])


def _branches(graph: Graph, layer_of: list[int], nodes, trunks) -> tuple[tuple[int, Float[np.ndarray, " 2"]], ...]:
    """Where connections leave their trunks and reach their targets: side by side on the target's
    left, ordered by where they come from.
    """
    before = [layer_of[c.target] - layer_of[c.source] for c in graph.connections]
    starts = [trunks[c.source][points - 1] for c, points in zip(graph.connections, before, strict=True)]
    ends: dict[int, Float[np.ndarray, " 2"]] = {}
    for target in {connection.target for connection in graph.connections}:
        incoming = sorted((i for i, c in enumerate(graph.connections) if c.target == target), key=lambda i: (starts[i][1], i))
        spread = np.linspace(-1, 1, len(incoming)) * min(0.75, 0.2 * (len(incoming) - 1)) if len(incoming) > 1 else np.zeros(1)
        for i, share in zip(incoming, spread, strict=True):
            ends[i] = nodes[target] + RADIUS * np.array([-sqrt(1 - share**2), share])
    return tuple((points, ends[i]) for i, points in enumerate(before))
