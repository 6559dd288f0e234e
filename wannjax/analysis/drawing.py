"""Drawings of one network: layered from left to right, activations by symbol and colour.

To change what an activation looks like, edit `STYLES`.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wannjax.activations import NAMES
from wannjax.graph import Graph, graph_of
from wannjax.network import Network
from wannjax.storage import replacing


class Style(NamedTuple):
    """How one activation is drawn: a symbol inside the node, and the node's colour (dark enough for white text)."""

    symbol: str
    colour: str


STYLES: dict[str, Style] = {
    "linear": Style("x", "#5b6270"),
    "step": Style("⊓", "#8c510a"),
    "sin": Style("sin", "#1f6fb4"),
    "gaussian": Style("∩", "#6a3d9a"),
    "tanh": Style("tanh", "#c0392b"),
    "sigmoid": Style("σ", "#a61e61"),
    "inverse": Style("-x", "#3a3f4a"),
    "abs": Style("|x|", "#1b7a43"),
    "relu": Style("relu", "#b8600b"),
    "cos": Style("cos", "#12777f"),
    "square": Style("x²", "#7a6a00"),
}


def draw(network: Network, path: str | Path | None = None, *, title: str = "") -> Figure:
    """Draws one network; writes it to `path` (.png, .svg or .pdf) unless that is None. Returns the figure.

    With individual weights, a connection's width grows with the weight's size, and negative ones are dashed.
    """
    graph = graph_of(network)
    positions = _layout(graph)
    layers, tallest = positions[:, 0].max() + 1, np.ptp(positions[:, 1]) + 1
    figure = Figure(figsize=(min(2.4 + 1.45 * layers, 26), min(2.2 + 0.62 * tallest, 18)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_axis_off()
    strongest = max((abs(c.weight) for c in graph.connections if c.weight is not None), default=1.0) or 1.0
    fade = float(np.clip(14.0 / np.sqrt(len(graph.connections) + 1) / 2, 0.25, 0.8))
    for connection in graph.connections:
        (x0, y0), (x1, y1) = positions[connection.source], positions[connection.target]
        weight = 1.0 if connection.weight is None else connection.weight
        t = np.linspace(0, 1, 40)
        bend = t * t * (3 - 2 * t)
        axes.plot(
            x0 + (x1 - x0) * t,
            y0 + (y1 - y0) * bend,
            color="#7d8796" if weight >= 0 else "#c0392b",
            linestyle="-" if weight >= 0 else "--",
            linewidth=1.1 if connection.weight is None else 0.4 + 2.6 * abs(weight) / strongest,
            alpha=fade,
            zorder=1,
        )
    for number, (x, y) in enumerate(positions):
        _draw_node(axes, graph, number, x, y)
    used = sorted({graph.activations[i] for i in range(len(graph.activations))})
    handles = [
        Line2D(
            [],
            [],
            marker="o",
            linestyle="",
            markersize=9,
            color=STYLES[NAMES[a]].colour,
            label=f"{STYLES[NAMES[a]].symbol}  {NAMES[a]}",
        )
        for a in used
    ]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=6, frameon=False, fontsize=9)
    hidden = len(graph.activations) - graph.outputs
    axes.set_title(title or f"{hidden} hidden nodes, {len(graph.connections)} connections", fontsize=11)
    axes.set_xlim(-1.1, positions[:, 0].max() + 0.9)
    if path is not None:
        with replacing(Path(path)) as temporary:
            figure.savefig(temporary, dpi=130)
    return figure


def _draw_node(axes, graph: Graph, number: int, x: float, y: float) -> None:
    is_source = number < graph.first_hidden
    is_output = number >= graph.size - graph.outputs
    style = None if is_source else STYLES[NAMES[graph.activations[number - graph.first_hidden]]]
    axes.plot(
        x,
        y,
        marker="s" if is_source else "o",
        markersize=11 if is_source else 23,
        color="#20242c" if style is None else style.colour,
        markeredgecolor="#20242c" if is_output else "white",
        markeredgewidth=2.0 if is_output else 1.2,
        zorder=2,
    )
    if style is not None:
        axes.text(x, y, style.symbol, ha="center", va="center_baseline", color="white", fontsize=8, zorder=3)
    if is_source:
        axes.text(x - 0.14, y, graph.name(number), ha="right", va="center", fontsize=10, parse_math=False)
    elif is_output:
        axes.text(x + 0.24, y, graph.name(number), ha="left", va="center", fontsize=10, parse_math=False)


def _layout(graph: Graph) -> np.ndarray:
    """Positions [nodes, 2]: column by the longest path from an input, rows ordered to keep connections short."""
    depth = np.zeros(graph.size, int)
    depth[graph.first_hidden :] = 1  # also of hidden nodes without sources
    for connection in sorted(graph.connections, key=lambda c: c.source):
        depth[connection.target] = max(depth[connection.target], depth[connection.source] + 1)
    depth[graph.size - graph.outputs :] = depth.max()
    columns = [np.flatnonzero(depth == layer) for layer in range(depth.max() + 1)]
    height = np.zeros(graph.size)
    for column in columns:
        height[column] = np.arange(len(column)) - (len(column) - 1) / 2
    neighbours: list[list[int]] = [[] for _ in range(graph.size)]
    for connection in graph.connections:
        neighbours[connection.source].append(connection.target)
        neighbours[connection.target].append(connection.source)
    for _ in range(12):  # a few barycentre sweeps, inputs and outputs staying in their natural order
        for layer, column in enumerate(columns):
            if layer == 0 or layer == len(columns) - 1:
                continue
            centre = [np.mean(height[neighbours[node]]) if neighbours[node] else 0.0 for node in column]
            for place, node in enumerate(column[np.argsort(np.array(centre), kind="stable")]):
                height[node] = place - (len(column) - 1) / 2
    stagger = np.array([0.22 * ((layer % 2) - 0.5) if 0 < layer < depth.max() else 0.0 for layer in depth])
    return np.stack([depth.astype(float), -(height + stagger)], axis=1)
