"""A picture of motifs: each block drawn as networks are, with its name and how it recurs."""

from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wannjax.analysis.motifs import Motifs
from wannjax.common.digits import numbers
from wannjax.common.files import replacing
from wannjax.common.validation import require
from wannjax.common.wording import counted
from wannjax.genomes.blocks import Block
from wannjax.networks.activations import NAMES
from wannjax.pictures.glyphs import COLOURS, curve_of

COLUMNS = 4
CLEAR = 0.42
"""Distance between an arrow and a node that it does not lead to, where layers are 1 apart."""
RADIUS = 0.24
"""The radius of the curves in the nodes, on the same scale."""


def draw_motifs(motifs: Motifs, path: str | Path | None = None) -> Figure:
    """Draws all motifs of `motifs` in ranked order; writes the picture to `path` (.png, .svg or
    .pdf) unless that is None.

    Raises ValueError where there are no motifs.
    """
    require("motifs", len(motifs.ranked), "one or more motifs", bool(motifs.ranked))
    rows = -(-len(motifs.ranked) // COLUMNS)
    figure = Figure(figsize=(3.2 * COLUMNS, 0.5 + 2.6 * rows), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for place, axes in enumerate(grid):
        axes.set_axis_off()
        if place < len(motifs.ranked):
            motif = motifs.ranked[place]
            _draw_block(axes, motif.block)
            name = fill(motif.block.name, 42, break_long_words=False)
            count, expected = numbers([motif.count, motif.expected], motif.spread)
            counts = f"{count} a network, {expected} at random"
            axes.set_title(f"{name}\nz {motif.z:.1f}; {motif.runs} of {counted(motifs.runs, 'run')}\n{counts}", fontsize=8)
    figure.suptitle(f"Building blocks in the fronts of {counted(motifs.runs, 'run')}", fontsize=12)
    if path is not None:
        with replacing(Path(path)) as temporary:
            figure.savefig(temporary, dpi=110)
    return figure


def _draw_block(axes: Axes, block: Block) -> None:
    positions = _positions(block)
    for source, target in block.connections:
        style = f"arc3,rad={_bend(positions, source, target)}"
        line = dict(arrowstyle="-|>", color="#7d8796", linewidth=1.3, shrinkA=13, shrinkB=14, connectionstyle=style)
        axes.annotate("", positions[target], positions[source], arrowprops=line)
    for name, (x, y) in zip(block.activations, positions, strict=True):
        curve, _ = curve_of(NAMES.index(name))
        axes.plot(x, y, marker="o", markersize=25, color=COLOURS[name], markeredgecolor="white", zorder=3)
        axes.plot(x + RADIUS * curve[:, 0], y + RADIUS * curve[:, 1], color="white", linewidth=1.5, zorder=4)
    middle = (positions.max(axis=0) + positions.min(axis=0)) / 2
    reach = np.maximum(np.ptp(positions, axis=0) / 2, (1.2, 0.8)) + 0.45
    axes.set(xlim=(middle[0] - reach[0], middle[0] + reach[0]), ylim=(middle[1] - reach[1], middle[1] + reach[1]), aspect="equal")


def _bend(positions: np.ndarray, source: int, target: int) -> float:
    """How far to bend an arrow, as matplotlib's `arc3` takes it: as little as keeps it clear of the
    other nodes, where that is possible.
    """
    (x0, y0), (x1, y1) = positions[source], positions[target]
    others = np.delete(positions, [source, target], axis=0)
    t = np.linspace(0, 1, 40)[:, None]

    def clearance(bend: float) -> float:
        control = np.array([(x0 + x1) / 2 + bend * (y1 - y0), (y0 + y1) / 2 - bend * (x1 - x0)])
        curve = (1 - t) ** 2 * positions[source] + 2 * t * (1 - t) * control + t**2 * positions[target]
        return min((float(np.min(np.hypot(*(curve - other).T))) for other in others), default=CLEAR)

    bends = sorted(np.linspace(-0.7, 0.7, 15).round(1).tolist(), key=abs)
    return next((bend for bend in bends if clearance(bend) >= CLEAR), max(bends, key=clearance))


def _positions(block: Block) -> np.ndarray:
    """float[size, 2]: a column for each layer, nodes at about the height of their targets, and
    alternate columns shifted.
    """
    layers = np.array(block.layers)
    positions = np.stack([layers.astype(float), np.zeros(block.size)], axis=1)
    for layer in reversed(range(layers.max() + 1)):
        column = np.flatnonzero(layers == layer)
        targets = [[target for source, target in block.connections if source == node] for node in column]
        heights = [np.mean(positions[read, 1]) if read else 0.0 for read in targets]
        column = column[np.argsort(-np.array(heights), kind="stable")]
        positions[column, 1] = (len(column) - 1) / 2 - np.arange(len(column)) + 0.12 * (-1) ** layer
    return positions
