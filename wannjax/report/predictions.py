"""What a network predicts of the examples of a data set, as a part of the page: how much is right,
the confusion matrix or the plot, and what it gets most wrong.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from wannjax.analysis.predictions import ClassPredictions, NumberPredictions, Predictions
from wannjax.common.digits import number
from wannjax.common.wording import counted, printable
from wannjax.networks.graph import graph_of
from wannjax.networks.network import Network
from wannjax.pictures.predictions import image_svg, matrix_side, plot_confusion, plot_numbers, short_names
from wannjax.report.document import folded, paragraph, picture, plotted, strip, table

_MOST_SHOWN = 12
"""Examples that are shown of those that are wrong, or furthest off."""
_MOST_INPUTS = 8
"""Inputs of such an example, where it is a row of a table."""
_MOST_CLASSES = 40
"""Classes of a confusion matrix that is a picture."""
_MOST_PIXELS = 4096
"""Pixels of an example that is a picture."""


def predictions_part(found: ClassPredictions | NumberPredictions, network: Network, name: str) -> str:
    """The part of the page on the predictions of `network`; `name` is its own within the page."""
    return _classes(found, network, name) if isinstance(found, ClassPredictions) else _numbers(found, network, name)


def _classes(found: ClassPredictions, network: Network, name: str) -> str:
    matrix, classes = found.confusion_matrix, short_names(found.output_names)
    right = int(np.trace(matrix))
    told = f"{right} of {found.examples} ({number(100 * found.accuracy)} %) are classified correctly{_at(found, network)}."
    off = matrix - np.diag(np.diag(matrix))
    if off.any():
        row, column = np.unravel_index(np.argmax(off), off.shape)
        told += f" The most frequent mistake: {classes[row]} taken for {classes[column]}, {counted(int(off[row, column]), 'time')}."
    head = ("true class", *(f"as {each}" for each in classes), "correct")
    shares = [f"{100 * row[place] / row.sum():.0f} %" if row.sum() else "none there" for place, row in enumerate(matrix)]
    rows = [(each, *map(str, row), share) for each, row, share in zip(classes, matrix, shares, strict=True)]
    data = table(f"How many of the {found.examples} of each true class are predicted to be of which", head, rows)
    shown = paragraph(told)
    if len(classes) <= _MOST_CLASSES:
        side = matrix_side(len(classes))
        svg = plotted(lambda axes: plot_confusion(axes, matrix, found.output_names), f"Confusion matrix. {told}", (side + 0.3, side))
        caption = "Rows are true classes, columns predicted ones; shaded by the share of the row; framed: correct."
        shown += picture(svg, f"{name}-confusion", caption) + folded("The matrix as a table", data)
    else:
        shown += folded("The confusion matrix", data)
    return shown + _mistakes(found, network, name)


def _mistakes(found: ClassPredictions, network: Network, name: str) -> str:
    wrong, images = found.wrong, found.images
    if not len(wrong):
        return ""
    kept, classes = wrong[:_MOST_SHOWN].tolist(), short_names(found.output_names)
    which = f"the {len(kept)} surest of {len(wrong)}" if len(kept) < len(wrong) else f"all {len(wrong)}, the surest first"
    heading = f"<h3>What it gets wrong: {which}</h3>\n"
    sure = [f"{100 * found.probabilities[i, found.predicted[i]]:.0f} %" for i in kept]
    pairs = [(classes[found.true[i]], classes[found.predicted[i]]) for i in kept]
    note = paragraph("With the probability that the network gives to the predicted class.")
    if images is not None and images[0].size <= _MOST_PIXELS:
        low, high = float(images.min()), float(images.max())
        captions = [f"{true} taken for {predicted}, {share}" for (true, predicted), share in zip(pairs, sure, strict=True)]
        shown = [(image_svg(images[i], low, high, caption), caption) for i, caption in zip(kept, captions, strict=True)]
        return heading + note + strip(shown, f"{name}-wrong-")
    cells = [(*pair, share) for pair, share in zip(pairs, sure, strict=True)]
    return heading + note + _rows(found, network, kept, ("true", "predicted", "probability"), cells)


def _numbers(found: NumberPredictions, network: Network, name: str) -> str:
    scores = [f"{printable(output)} {number(score)}" for output, score in zip(found.output_names, found.r2, strict=True)]
    overall = f"R² is {number(found.r2.mean())} on the {found.examples}{_at(found, network)}"
    told = f"{overall}." if len(scores) == 1 else f"{overall}, the mean of {', '.join(scores)}."
    pictures = ""
    for output, title in enumerate(found.output_names):
        alternative = f"Predicted against true {printable(title)}: R² {number(found.r2[output])}."
        svg = plotted(partial(plot_numbers, found=found, output=output), alternative, (4.6, 4.4))
        pictures += picture(svg, f"{name}-numbers{output}")
    kept = found.wrong[:_MOST_SHOWN].tolist()
    head = [f"{kind} {printable(output)}" for output in found.output_names for kind in ("true", "predicted")]
    cells = [[number(value) for pair in zip(found.targets[i], found.outputs[i], strict=True) for value in pair] for i in kept]
    shape = f'<div class="pair">{pictures}</div>\n' if len(scores) > 1 else pictures
    return (
        paragraph(told) + shape + f"<h3>Furthest off, {len(kept)} of {len(found.outputs)}</h3>\n" + _rows(found, network, kept, head, cells)
    )


def _rows(found: Predictions, network: Network, kept: Sequence[int], head: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Examples as rows of a table, with the inputs that the network uses."""
    used = sorted({each.source - 1 for each in graph_of(network).connections if 1 <= each.source <= network.inputs})
    shown = used[:_MOST_INPUTS]
    rows = [(str(i), *cell, *map(number, found.inputs[i, shown])) for i, cell in zip(kept, cells, strict=True)]
    names = [printable(found.input_names[place]) for place in shown]
    which = f"the first {len(shown)} of {counted(len(used), 'input')} that it uses" if len(shown) < len(used) else "the inputs that it uses"
    return table(f"Rows of the {found.examples}, from 0, with {which}", ("row", *head, *names), rows)


def _at(found: Predictions, network: Network) -> str:
    if network.weights is not None:
        return ", with weights of its own"
    return f", at the tuned shared weight {found.weight:.2f}"
