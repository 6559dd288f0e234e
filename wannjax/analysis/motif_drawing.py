"""A picture of motifs: each block drawn as networks are, with its name and how it recurs."""

from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wannjax.analysis.drawing import STYLES
from wannjax.analysis.motifs import Motifs
from wannjax.blocks import Block
from wannjax.storage import replacing
from wannjax.validation import require

COLUMNS = 4


def draw_motifs(motifs: Motifs, path: str | Path | None = None) -> Figure:
    """Draws all motifs of `motifs` in ranked order; writes the picture to `path` (.png, .svg or .pdf) unless that is None.

    Raises ValueError where there are no motifs.
    """
    require("motifs", len(motifs.ranked), "one or more motifs", bool(motifs.ranked))
    rows = -(-len(motifs.ranked) // COLUMNS)
    figure = Figure(figsize=(3.2 * COLUMNS, 0.5 + 2.75 * rows), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for place, axes in enumerate(grid):
        axes.set_axis_off()
        if place < len(motifs.ranked):
            motif = motifs.ranked[place]
            _draw_block(axes, motif.block)
            name = fill(motif.block.name.replace(" [", "\n["), 34)
            count = f"{motif.count:.2g} a network, {motif.expected:.2g} at random"
            axes.set_title(f"{name}\nz {motif.z:.1f}; {motif.runs} of {motifs.runs} runs\n{count}", fontsize=9)
    figure.suptitle(f"Building blocks in the fronts of {motifs.runs} runs", fontsize=12)
    if path is not None:
        with replacing(Path(path)) as temporary:
            figure.savefig(temporary, dpi=110)
    return figure


def _draw_block(axes: Axes, block: Block) -> None:
    positions = _positions(block)
    for source, target in block.connections:
        line = dict(arrowstyle="-|>", color="#7d8796", linewidth=1.3, shrinkA=13, shrinkB=14)
        # A straight arrow over more than one layer would run through the nodes between.
        skips = block.layers[target] - block.layers[source] > 1
        line["connectionstyle"] = f"arc3,rad={-0.38 if skips else 0}"
        axes.annotate("", positions[target], positions[source], arrowprops=line)
    for name, (x, y) in zip(block.activations, positions, strict=True):
        style = STYLES[name]
        axes.plot(x, y, marker="o", markersize=25, color=style.colour, markeredgecolor="white", zorder=3)
        axes.text(x, y, style.symbol, ha="center", va="center_baseline", color="white", fontsize=8, zorder=4)
    margin = 0.45
    middle = (positions.max(axis=0) + positions.min(axis=0)) / 2
    reach = np.maximum(np.ptp(positions, axis=0) / 2, (1.2, 0.8)) + margin
    axes.set(xlim=(middle[0] - reach[0], middle[0] + reach[0]), ylim=(middle[1] - reach[1], middle[1] + reach[1]))


def _positions(block: Block) -> np.ndarray:
    """float[size, 2]: a column for each layer, its nodes spread around the middle, and alternate columns shifted."""
    layers = np.array(block.layers)
    positions = np.stack([layers.astype(float), np.zeros(block.size)], axis=1)
    for layer in range(layers.max() + 1):
        column = np.flatnonzero(layers == layer)
        positions[column, 1] = (len(column) - 1) / 2 - np.arange(len(column)) + 0.12 * (-1) ** layer
    return positions
