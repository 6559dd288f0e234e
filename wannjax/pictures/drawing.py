"""Drawings of one network: layered from left to right, activations by symbol and colour, as a
picture or as a page to explore.

A drawing is made in inches, one unit of its axes each. To change how lines look, edit
`_line_styles`; nodes, `Pen.node`.
"""

import io
from collections import Counter
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, PathPatch, Rectangle
from matplotlib.path import Path as Curve

from wannjax.common.files import ending_of, replacing, require_folder, write_text
from wannjax.common.validation import require
from wannjax.common.wording import counted, printable
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Graph, graph_of
from wannjax.networks.network import Network
from wannjax.pictures.glyphs import COLOURS, curve_of
from wannjax.pictures.layout import RADIUS, Layout, layout_of
from wannjax.pictures.page import page_of, with_titles

SUFFIXES = (".svg", ".png", ".pdf", ".html")

INK = "#20242c"
"""The colour of text, and of inputs."""

_NEGATIVE, _POSITIVE = "#b3261e", "#33507a"
_DASHED, _DOTTED, _DASH_DOTTED = (0, (3.2, 1.6)), (0, (1.0, 1.4)), (0, (3.2, 1.4, 1.0, 1.4))
_PITCH = 1.12
"""Inches that an entry of the legend takes."""

_STEEPEST = 0.7
"""Slope of a line that passes a layer."""

_LETTER = 0.094
"""Inches that a letter of a name takes, at most."""


def draw(network: Network, path: str | Path | None = None, *, title: str = "", labels: bool = False) -> Figure:
    """Draws one network; writes it to `path` (.svg, .png, .pdf or .html) unless that is None.
    Returns the figure.

    All connections of one source share a line until they branch off to their targets. With
    individual weights, a branch's width grows with the weight's size, and negative ones are dashed.
    A recurrent connection is a dotted arc over its nodes, with a dash between dots if negative.
    Inputs without connections are left out, and said to be. In .svg and .html, nodes and
    connections say what they are when pointed at; .html is one file to zoom and pan in. The same
    network gives the same bytes.

    With `labels`, hidden nodes have their names beside them: h1, h2, …, as in formulas and in what
    `explain` and `prune` print.

    Raises ValueError for another ending, OSError where `path` cannot be written, and TypeError for
    what is no network.
    """
    if path is not None:
        require("path", str(path), f"a file name that ends in {', '.join(SUFFIXES)}", ending_of(path) in SUFFIXES)
        require_folder(path)
    figure, heading, titles = _drawn(network, title, labels)
    if path is not None:
        _write(figure, Path(path), heading, titles)
    return figure


def drawing_svg(network: Network, title: str = "", *, labels: bool = False) -> str:
    """What `draw` writes as an .svg, as a text."""
    figure, heading, titles = _drawn(network, title, labels)
    return with_titles(svg_text(figure), heading, titles)


def _drawn(network: Network, title: str, labels: bool) -> tuple[Figure, str, dict[str, str]]:
    """The figure of a network, its heading, and what its parts are."""
    graph = graph_of(network).with_printable_names()
    layout = layout_of(graph)
    hidden = len(graph.activations) - graph.outputs
    heading = (
        "\n".join(map(printable, title.splitlines()))
        or f"{counted(hidden, 'hidden node')}, {counted(len(graph.connections), 'connection')}"
    )
    before, after = (0.4 + _LETTER * max(map(len, names), default=0) for names in _drawn_names(graph, layout))
    width = max(layout.width + before + after + 2 * RADIUS, 0.088 * len(heading) + 0.4, 4.5)
    left = before + (width - layout.width - before - after) / 2
    notes = _notes(graph, layout)
    used = sorted(set(graph.activations))
    columns = max(int((width - 0.4) / _PITCH), 1)
    below = 0.45 + 0.3 * ceil(len(used) / columns) + 0.22 * len(notes)
    height = layout.height + 2 * RADIUS + 0.55 + below

    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-left, width - left)
    axes.set_ylim(-RADIUS - below, height - RADIUS - below)
    pen = Pen(axes, graph, layout, labels=labels)
    pen.network()
    axes.text(width / 2 - left, layout.height + RADIUS + 0.3, heading, ha="center", va="center", fontsize=12, color=INK, parse_math=False)
    columns = min(columns, len(used))
    for place, activation in enumerate(used):
        row, column = divmod(place, columns)
        x, y = width / 2 - left + (column - columns / 2) * _PITCH + 0.15, -RADIUS - 0.4 - 0.3 * row
        _symbol(axes, x, y, 0.11, activation)
        axes.text(x + 0.18, y, NAMES[activation], ha="left", va="center", fontsize=9, color=INK)
    for place, note in enumerate(reversed(notes)):
        axes.text(
            width / 2 - left,
            -RADIUS - below + 0.16 + 0.22 * place,
            note,
            ha="center",
            va="center",
            fontsize=9,
            color="#555b66",
            parse_math=False,
        )
    return figure, heading, pen.titles


def sketch_svg(network: Network, heading: str) -> str:
    """One network as the text of a small SVG: no legend, no notes."""
    graph = graph_of(network).with_printable_names()
    layout = layout_of(graph)
    before, after = (0.4 + _LETTER * max(map(len, names), default=0) for names in _drawn_names(graph, layout))
    width, height = layout.width + before + after + 2 * RADIUS, layout.height + 4 * RADIUS
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-before - RADIUS, width - before - RADIUS)
    axes.set_ylim(-2 * RADIUS, height - 2 * RADIUS)
    Pen(axes, graph, layout).network()
    return with_titles(svg_text(figure), heading, {})


def _drawn_names(graph: Graph, layout: Layout) -> tuple[list[str], list[str]]:
    """The names on the left and on the right."""
    return [graph.label(node) for node in layout.nodes if node < graph.first_hidden], list(graph.output_names)


def _notes(graph: Graph, layout: Layout) -> list[str]:
    notes = []
    if graph.has_weights:
        strongest = max(abs(weight or 0.0) for weight in graph.weights)
        notes.append(f"solid: positive; dashed: negative; the widest has a weight of ±{strongest:.3g}")
    if graph.recurrent:
        notes.append("dotted: what its source was in the last time step")
    if layout.left_out:
        names = [graph.label(node) for node in layout.left_out]
        few = len(names) <= 6 and sum(map(len, names)) < 50
        notes.append(
            f"not connected: {', '.join(names)}" if few else f"{len(names)} of {graph.inputs + 1} inputs (with the bias) are not connected"
        )
    return notes


@dataclass
class Pen:
    """Draws parts of a network on `axes`, whose unit is an inch at `scale` 1.

    With `labels`, hidden nodes have theirs beside them. `titles` gathers what the drawn parts are,
    by their ids in an SVG: node-N, trunk-N, connection-M-N.
    """

    axes: Axes
    graph: Graph
    layout: Layout
    labels: bool = False
    titles: dict[str, str] = field(default_factory=dict)

    def network(self) -> None:
        """All of it."""
        graph, layout = self.graph, self.layout
        fade = float(np.clip(1.1 - len(graph.connections) / 500, 0.65, 0.9))
        for node, points in layout.trunks.items():
            if len(points) > 1:
                self.titles[f"trunk-{node}"] = f"from {graph.label(node)}"
                self._line(trunk_curve(points), f"trunk-{node}", color=self._tint(node), linewidth=1.3, alpha=fade)
        curves = connection_curves(layout, graph)
        for number, connection in enumerate(graph.connections):
            name = f"connection-{connection.source}-{connection.target}"
            weight = "" if connection.weight is None else f", weight {connection.weight:.4g}"
            late = ", from the last time step" if connection.is_recurrent else ""
            self.titles[name] = f"{graph.connection_label(connection)}{weight}{late}"
            self._line(curves[number], name, alpha=fade, **self._line_style(number))
        for node, (x, y) in layout.nodes.items():
            self.node(node, x, y)

    def node(self, node: int, x: float, y: float) -> None:
        """One node, with its name beside it if it is an input or an output, or is to have one."""
        graph = self.graph
        degree = Counter(c.source == node for c in graph.connections if node in (c.source, c.target))
        if node < graph.first_hidden:
            side = min(0.13, 0.75 * self.layout.input_pitch)
            square = Rectangle((x - side / 2, y - side / 2), side, side, color=INK, linewidth=0, zorder=3)
            square.set_gid(f"node-{node}")
            self.axes.add_patch(square)
            size = min(10.0, 40 * self.layout.input_pitch)
            self.axes.text(x - 0.15, y, graph.label(node), ha="right", va="center", fontsize=size, color=INK, parse_math=False)
            self.titles[f"node-{node}"] = f"{graph.label(node)}: {degree[True]} out"
            return
        activation = graph.activations[node - graph.first_hidden]
        is_output = node >= graph.size - graph.outputs
        _symbol(self.axes, x, y, RADIUS, activation, ring=is_output, name=f"node-{node}")
        flow = f"{degree[False]} in" if is_output else f"{degree[False]} in, {degree[True]} out"
        self.titles[f"node-{node}"] = f"{graph.label(node)}: {NAMES[activation]}, {flow}"
        if is_output:
            self.axes.text(x + 0.27, y, graph.label(node), ha="left", va="center", fontsize=10, color=INK, parse_math=False)
        elif self.labels:
            paper = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.4}
            self.axes.text(
                x, y - RADIUS - 0.02, graph.label(node), ha="center", va="top", fontsize=7, color=INK, bbox=paper, parse_math=False
            )

    def _tint(self, node: int) -> tuple[float, ...]:
        """The colour of lines from a node: its own, greyed, so that lines can be followed."""
        if self.graph.has_weights or node < self.graph.first_hidden:
            return to_rgb("#76808f")
        own = np.array(to_rgb(COLOURS[NAMES[self.graph.activations[node - self.graph.first_hidden]]]))
        return tuple(0.75 * own + 0.25 * np.array(to_rgb("#8a93a0")))

    def _line_style(self, number: int) -> dict[str, Any]:
        connection = self.graph.connections[number]
        late = connection.is_recurrent
        if connection.weight is None:
            return {"color": self._tint(connection.source), "linewidth": 1.3, "linestyle": _DOTTED if late else "-"}
        strongest = max(abs(weight or 0.0) for weight in self.graph.weights) or 1.0
        sign = connection.weight < 0
        return {
            "color": _NEGATIVE if sign else _POSITIVE,
            "linestyle": (_DASH_DOTTED if late else _DASHED) if sign else _DOTTED if late else "-",
            "linewidth": 0.7 + 2.6 * abs(connection.weight) / strongest,
        }

    def _line(self, curve: Curve, name: str, **style: Any) -> None:
        patch = PathPatch(curve, fill=False, capstyle="butt", clip_on=False, zorder=1, **style)
        patch.set_gid(name)
        self.axes.add_patch(patch)


def trunk_curve(points: Float[np.ndarray, "points 2"]) -> Curve:
    """The line through a trunk's points, level at both ends."""
    slopes = _slopes(points)
    vertices, codes = [points[0]], [Curve.MOVETO]
    for start, end, first, last in zip(points, points[1:], slopes, slopes[1:], strict=False):
        _bend(vertices, codes, start, end, first, last)
    return Curve(np.array(vertices), codes)


def connection_curves(layout: Layout, graph: Graph) -> list[Curve]:
    """The line of every connection."""
    branches = iter(layout.branches)
    return [
        _arc(layout.nodes[each.source], layout.nodes[each.target])
        if each.is_recurrent
        else _branch(layout.trunks[each.source], *next(branches))
        for each in graph.connections
    ]


def _arc(start: Float[np.ndarray, " 2"], end: Float[np.ndarray, " 2"]) -> Curve:
    """From the top of one node over to that of another, or in a loop to its own."""
    apart = np.abs(start - end).max()
    side, rise = max(0.25 * apart, 1.2 * RADIUS), np.array([0, RADIUS + 0.25 * apart + 1.5 * RADIUS])
    top = np.array([0.5 * RADIUS, 0.8 * RADIUS])
    first, last = start + top, end + top * [-1, 1]
    towards = np.array([side, 0])
    return Curve(np.array([first, first + towards + rise - top * [0, 1], last - towards + rise - top * [0, 1], last]), _ARC)


_ARC = [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4]


def _branch(trunk: Float[np.ndarray, "points 2"], points: int, end: Float[np.ndarray, " 2"]) -> Curve:
    """The line of a connection from where it leaves its source's trunk, in that one's direction."""
    vertices, codes = [trunk[points - 1]], [Curve.MOVETO]
    _bend(vertices, codes, trunk[points - 1], end, _slopes(trunk)[points - 1], 0.0)
    return Curve(np.array(vertices), codes)


def _slopes(points: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, " points"]:
    """The slope at every point: that of a monotone cubic (Fritsch & Butland 1984), too small to
    reach the nodes above and below.
    """
    rise = np.diff(points[:, 1]) / np.diff(points[:, 0])
    slopes = np.zeros(len(points))
    before, after = rise[:-1], rise[1:]
    same = before * after > 0
    slopes[1:-1][same] = 2 * before[same] * after[same] / (before + after)[same]
    return np.clip(slopes, -_STEEPEST, _STEEPEST)


def _bend(vertices: list, codes: list, start, end, first: float, last: float) -> None:
    """Adds a line from `start` to `end`: straight beside each as far as a node reaches, so that no
    node is run over; a bend between.
    """
    level = min(RADIUS, 0.2 * (end[0] - start[0]))
    out, back = (start[0] + level, start[1] + first * level), (end[0] - level, end[1] - last * level)
    reach = (back[0] - out[0]) / 2
    vertices += [out, (out[0] + reach, out[1] + first * reach), (back[0] - reach, back[1] - last * reach), back, tuple(end)]
    codes += [Curve.LINETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4, Curve.LINETO]


def _symbol(axes: Axes, x: float, y: float, radius: float, activation: int, *, ring: bool = False, name: str | None = None) -> None:
    """An activation: a disc of its colour with its curve in white."""
    if ring:
        axes.add_patch(Circle((x, y), radius * 1.28, facecolor="white", edgecolor=INK, linewidth=1.3, zorder=2))
    disc = Circle((x, y), radius, facecolor=COLOURS[NAMES[activation]], edgecolor="white", linewidth=0.8, zorder=3)
    disc.set_gid(name)
    axes.add_patch(disc)
    points, zero = curve_of(activation)
    reach = 0.72 * radius
    axes.plot([x - reach, x + reach], [y + zero * radius] * 2, color="white", alpha=0.75, linewidth=4 * radius, zorder=4, gid="curve")
    axes.plot(*(np.array([x, y]) + radius * points).T, color="white", linewidth=9 * radius, solid_joinstyle="round", zorder=4, gid="curve")


def svg_text(figure: Figure) -> str:
    """A figure as an SVG without a date or a random id, so that equal networks give equal texts."""
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "wannjax"}):
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
        return file.getvalue()


def _write(figure: Figure, path: Path, heading: str, titles: dict[str, str]) -> None:
    """Writes a drawing without a date or a random id, so that equal networks give equal files."""
    if ending_of(path) in (".svg", ".html"):
        text = with_titles(svg_text(figure), heading, titles)
        write_text(path, page_of(text, heading) if ending_of(path) == ".html" else text)
        return
    metadata = {"Software": None} if ending_of(path) == ".png" else {"CreationDate": None}
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=130, metadata=metadata)
