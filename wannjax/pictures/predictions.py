"""What a network predicts, as pictures: the confusion matrix of classes, predicted against true
numbers, and single examples that are images.

A confusion matrix can be read without its colours: every cell has its count, and what is right is
framed.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from wannjax.analysis.predictions import ClassPredictions, NumberPredictions
from wannjax.common.digits import number
from wannjax.common.validation import require_type
from wannjax.common.wording import printable
from wannjax.pictures.curves import finished

_INK, _BLUE, _ORANGE = "#20242c", "#1f4e8c", "#b8600b"
_DARK = 0.83
"""The share from which on white can be read better than black."""
_SHADES = LinearSegmentedColormap.from_list("shares", ["#ffffff", "#b9cde8", _BLUE])
_COLUMNS = 3
"""Plots beside each other."""
_MOST_POINTS = 2000
"""Points of a plot; of more examples every so many are shown."""
_LONGEST = 18
"""Letters of a class's name beside a matrix."""


def draw_predictions(found: ClassPredictions | NumberPredictions, path: str | Path | None = None, *, title: str = "") -> Figure:
    """Draws the confusion matrix of classes, or numbers against the true ones, a plot for each
    output; writes it to `path` unless that is None. Returns the figure.

    Raises TypeError for anything but predictions.
    """
    require_type("predictions", found, "what wannjax.predictions gives", isinstance(found, ClassPredictions | NumberPredictions))
    if isinstance(found, ClassPredictions):
        side = matrix_side(len(found.output_names))
        figure = Figure(figsize=(side + 0.3, side + 0.3 * bool(title)), layout="constrained")
        plot_confusion(figure.subplots(), found.confusion_matrix, found.output_names)
        figure.suptitle(title, fontsize=11)
        return finished(figure, path)
    outputs = len(found.output_names)
    rows, columns = -(-outputs // _COLUMNS), min(outputs, _COLUMNS)
    figure = Figure(figsize=(4.4 * columns, 4.2 * rows + 0.3 * bool(title)), layout="constrained")
    for place, axes in enumerate(figure.subplots(rows, columns, squeeze=False).ravel()):
        if place < outputs:
            plot_numbers(axes, found, place)
        else:
            axes.set_axis_off()
    figure.suptitle(title, fontsize=11)
    return finished(figure, path)


def matrix_side(classes: int) -> float:
    """The inches of a confusion matrix with its names, so that counts can be read."""
    return max(3.4, 1.2 + 0.42 * classes)


def plot_confusion(axes: Axes, matrix: Int[np.ndarray, "O O"], names: Sequence[str]) -> None:
    """Counts by true class (rows) and predicted class (columns), shaded by the share of the row."""
    count = len(matrix)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.pcolormesh(
        np.arange(count + 1), np.arange(count + 1), shares, cmap=_SHADES, vmin=0, vmax=1, edgecolor="#dfe3ea", linewidth=0.6, zorder=1
    )
    axes.set_axisbelow(True)  # the grid, which would strike out counts
    size = float(np.clip(9.5 - 0.9 * (len(str(matrix.max())) - 2), 6, 9.5))
    for row, column in np.ndindex(count, count):
        value = int(matrix[row, column])
        ink = "white" if shares[row, column] > _DARK else "black" if value else "#646b78"
        weight = "bold" if row == column else "normal"
        axes.text(column + 0.5, row + 0.5, str(value), ha="center", va="center", fontsize=size, color=ink, fontweight=weight)
    for place in range(count):
        axes.add_patch(Rectangle((place, place), 1, 1, fill=False, edgecolor=_INK, linewidth=1.4, zorder=3))
    labels = short_names(names)
    long = max(map(len, labels)) > 4
    axes.set_xticks(np.arange(count) + 0.5, labels, rotation=90 if long and count > 3 else 0)
    axes.set_yticks(np.arange(count) + 0.5, labels)
    axes.tick_params(length=0, labelsize=9)
    axes.set(xlabel="predicted", ylabel="true", xlim=(0, count), ylim=(count, 0), aspect="equal")


def plot_numbers(axes: Axes, found: NumberPredictions, output: int) -> None:
    """Predicted against true numbers of one output; what is right is on the line."""
    true, predicted = found.targets[:, output], found.outputs[:, output]
    low, high = min(true.min(), predicted.min()), max(true.max(), predicted.max())
    margin = 0.04 * (high - low) or 1.0
    bounds = low - margin, high + margin
    axes.plot(bounds, bounds, color=_ORANGE, linewidth=1.4, linestyle="--", label="predicted = true")
    every = -(-len(true) // _MOST_POINTS)
    shown = found.examples if every == 1 else f"{found.examples}, one of {every} shown"
    alpha = float(np.clip(60 / len(true), 0.15, 0.8))
    axes.scatter(true[::every], predicted[::every], s=16, color=_BLUE, alpha=alpha, linewidth=0, label=shown)
    name = printable(found.output_names[output])
    axes.set(xlabel=f"true {name}", ylabel=f"predicted {name}", xlim=bounds, ylim=bounds, aspect="equal")
    axes.set_title(f"R² {number(found.r2[output])}", fontsize=11)
    axes.legend(frameon=False, fontsize=9, loc="upper left")


def image_svg(image: Float[np.ndarray, "height width"], low: float, high: float, alternative: str) -> str:
    """A grey image as an SVG, a rectangle a pixel, white where it is `low` and black where it is
    `high`; `alternative` is its title.
    """
    height, width = image.shape
    shades = np.clip((image - low) / (high - low or 1.0), 0, 1)
    pixels = "".join(
        f'<rect x="{column}" y="{row}" width="1" height="1" fill="#{3 * f"{round(255 * (1 - shades[row, column])):02x}"}"/>'
        for row, column in np.argwhere(shades > 0)
    )
    side, titled = max(height, width), f"<title>{escape(alternative)}</title>"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{72 * width / side:g}pt" height="{72 * height / side:g}pt" '
        f'viewBox="0 0 {width} {height}" role="img" shape-rendering="crispEdges">{titled}{pixels}</svg>'
    )


def short_names(names: Sequence[str]) -> list[str]:
    """Names of classes as they can be shown: long ones are cut, and default ones are numbers.

    >>> short_names(["class 7", "a kind that has a very long name"])
    ['7', 'a kind that has a…']
    """
    shown = [printable(name).removeprefix("class ") for name in names]
    return [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in shown]
