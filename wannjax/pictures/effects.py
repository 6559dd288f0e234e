"""A picture of what matters: the score that is lost without each connection and each node."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wannjax.analysis.explanation import Explanation
from wannjax.common.digits import number
from wannjax.pictures.curves import finished

_BAR, _WORST = "#1f4e8c", "#b8600b"


def draw_effects(explanation: Explanation, path: str | Path | None = None, *, top: int = 25) -> Figure:
    """Draws the effects of the `top` connections and nodes as bars with their standard errors, and
    the effect at the shared weight that needs the part most as a point; writes it to `path` unless
    that is None. Returns the figure.
    """
    names = [explanation.connection_name(place) for place in range(len(explanation.connection_effects))]
    nodes = [explanation.graph.label(node) for node in explanation.nodes.tolist()]
    shown = min(max(len(names), len(nodes), 3), top)
    figure = Figure(figsize=(11, 1.6 + 0.27 * shown), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    _bars(left, "connections", names, explanation.connection_effects, explanation.connection_errors, top)
    _bars(right, "nodes", nodes, explanation.node_effects, explanation.node_errors, top)
    score = float(explanation.scores.mean())
    figure.suptitle(f"{explanation.problem_name}: score lost without a part, of {number(score)}", fontsize=11)
    if len(explanation.weights) > 1 and names:
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return finished(figure, path)


def _bars(axes: Axes, title: str, names: list[str], effects: np.ndarray, errors: np.ndarray, top: int) -> None:
    means = effects.mean(axis=1)
    order = np.argsort(-means, kind="stable")[:top]
    places = np.arange(len(order))
    axes.barh(places, means[order], xerr=errors[order], color=_BAR, height=0.65, label="mean over the shared weights ± error")
    if effects.shape[1] > 1:
        axes.plot(
            effects[order].max(axis=1), places, "|", color=_WORST, markersize=9, markeredgewidth=2, label="at the weight that needs it most"
        )
    axes.set_yticks(places, [names[place] for place in order], fontsize=9, parse_math=False)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_axisbelow(True)
    axes.axvline(0, color="#20242c", linewidth=0.8)
    axes.set_title(title if len(names) <= top else f"{title}: the first {top} of {len(names)}", fontsize=10)
    axes.set_xlabel("score lost")
