"""The curves of a run, or of several: scores and sizes over generations, scores over the steps of
training, over the shared weight.
"""

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from wannjax.analysis.sensitivity import WeightCurve
from wannjax.common.files import replacing
from wannjax.common.wording import counted
from wannjax.runs.many import ManyResults

_COLOURS = ("#1f4e8c", "#b8600b", "#1b7a43", "#a61e61", "#5b6270")
_LINES = ("-", "--", "-.", ":")


def draw_curves(history: dict[str, np.ndarray], path: str | Path | None = None, *, title: str = "") -> Figure:
    """Draws a run's history (`Result.history`); writes it to `path` unless that is None. Returns
    the figure.
    """
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    scores, sizes = figure.subplots(1, 2)
    plot_scores(scores, history)
    plot_sizes(sizes, history)
    scores.set_title(title)
    return finished(figure, path)


def plot_scores(axes: Axes, history: dict[str, np.ndarray]) -> None:
    """Scores over the generations of a run."""
    generation = history["generation"]
    axes.plot(generation, history["mean_score"], color="#6b86a8", linewidth=1.4, linestyle="--", label="best of the generation")
    axes.plot(generation, history["median_score"], color="#9a6a1f", linewidth=1.6, linestyle=":", label="median of the generation")
    axes.plot(generation, history["champion_score"], color="#1f4e8c", linewidth=2, label="champion, when confirmed: optimistic")
    axes.set(xlabel="generation", ylabel="mean score")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(edgecolor="none", framealpha=0.8, fontsize=9)


def plot_sizes(axes: Axes, history: dict[str, np.ndarray]) -> None:
    """Sizes over the generations of a run."""
    generation = history["generation"]
    axes.plot(generation, history["champion_connections"], color="#1f4e8c", linewidth=2, label="champion's connections")
    axes.plot(generation, history["median_connections"], color="#9a6a1f", linewidth=1.6, linestyle=":", label="median connections")
    axes.plot(generation, history["largest_hidden"], color="#8c510a", linewidth=1.4, linestyle="--", label="largest: hidden nodes")
    axes.set(xlabel="generation", ylabel="count")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)


def plot_front(axes: Axes, connections: Sequence[int], means: Sequence[float], champion: tuple[int, float]) -> None:
    """The front: the mean score of every member against its connections; the champion,
    (connections, mean score), is a star.
    """
    axes.scatter(connections, means, s=34, facecolor="white", edgecolor="#1f4e8c", linewidth=1.3, label="the last generation's front")
    axes.scatter(*champion, s=150, marker="*", color="#b8600b", zorder=3, label="champion")
    axes.set(xlabel="connections", ylabel="mean score")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)


def draw_statistics(many: ManyResults, path: str | Path | None = None, *, title: str = "") -> Figure:
    """Draws the champions of several runs over generations, median and quartiles over seeds for
    each of the settings; writes it to `path` unless that is None. Returns the figure.

    Scores are those of the rounds that confirmed the champions, and optimistic; `str(many)` has the
    final comparison's.
    """

    def plot(axes: Axes, column: str) -> None:
        quartiles = zip(many.labels, *many.statistics(column), cycle(_COLOURS), cycle(_LINES), strict=False)
        for name, lower, median, upper, colour, line in quartiles:
            generation = np.arange(1, len(median) + 1)
            axes.fill_between(generation, lower, upper, color=colour, alpha=0.15, linewidth=0)
            axes.plot(
                generation, median, color=colour, linestyle=line, linewidth=2, label=name or f"median of {counted(len(many.seeds), 'seed')}"
            )

    return _of_champions(plot, path, title)


def draw_seeds(histories: dict[int, dict[str, np.ndarray]], path: str | Path | None = None, *, title: str = "") -> Figure:
    """Draws the champions of runs with several seeds over generations, each (`Result.history`) and
    their median; writes it to `path` unless that is None. Returns the figure.
    """

    def plot(axes: Axes, column: str) -> None:
        for history in histories.values():
            axes.plot(history["generation"], history[column], color="#9fb4cc", linewidth=1)
        shared = min(len(history[column]) for history in histories.values())
        median = np.median([history[column][:shared] for history in histories.values()], axis=0)
        axes.plot(np.arange(1, shared + 1), median, color="#1f4e8c", linewidth=2, label=f"median of {counted(len(histories), 'seed')}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))

    return _of_champions(plot, path, title)


def _of_champions(plot: Callable[[Axes, str], None], path: str | Path | None, title: str) -> Figure:
    """What `plot` draws of the champions' scores and of their sizes, side by side."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    scores, sizes = figure.subplots(1, 2)
    plot(scores, "champion_score")
    plot(sizes, "champion_connections")
    scores.set(xlabel="generation", ylabel="champion's score, when confirmed: optimistic", title=title)
    sizes.set(xlabel="generation", ylabel="champion's connections")
    scores.legend(frameon=False)
    sizes.set_ylim(bottom=0)
    return finished(figure, path)


def draw_training(history: dict[str, np.ndarray], path: str | Path | None = None, *, title: str = "") -> Figure:
    """Draws the history of training (`Tuned.history`); writes it to `path` unless that is None.
    Returns the figure.
    """
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(history["step"], history["training_score"], color="#9fb4cc", linewidth=1, label="best start, in training")
    axes.plot(history["step"], history["median_score"], color="#c9a66b", linewidth=1, label="median start, held out")
    axes.plot(history["step"], history["held_out_score"], color="#1f4e8c", linewidth=2, label="best start, held out")
    axes.set(xlabel="step", ylabel="mean score", title=title)
    axes.title.set_fontsize(10)
    axes.legend(frameon=False)
    return finished(figure, path)


def draw_weights(curves: dict[str, WeightCurve], path: str | Path | None = None, *, title: str = "") -> Figure:
    """Draws the score of one network or several over the shared weight, mean and standard deviation
    of the episodes at every weight, by label; writes it to `path` unless that is None. Returns the
    figure.
    """
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    plot_weights(axes, curves)
    axes.set_title(title)
    return finished(figure, path)


def plot_weights(axes: Axes, curves: dict[str, WeightCurve]) -> None:
    """Scores over the shared weight, mean and standard deviation over episodes, by label."""
    lines: list[Line2D] = []
    for curve, colour, line in zip(curves.values(), cycle(_COLOURS), cycle(_LINES), strict=False):
        low, high = curve.means - curve.deviations, curve.means + curve.deviations
        axes.fill_between(curve.weights, low, high, color=colour, alpha=0.15, linewidth=0)
        lines += axes.plot(curve.weights, curve.means, color=colour, linestyle=line, linewidth=2)
    metrics = dict.fromkeys(curve.metric for curve in curves.values())
    axes.set(xlabel="shared weight", ylabel=", ".join(metrics))
    axes.legend(lines, list(curves), frameon=False)  # named here, since a label "_x" would be left out


def finished(figure: Figure, path: str | Path | None) -> Figure:
    """The figure with a light grid, written to `path` unless that is None. Its words are text as it
    stands: a name such as "$x_1" is no formula.
    """
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    for axes in figure.axes:
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    if path is not None:
        with replacing(Path(path)) as temporary:
            figure.savefig(temporary, dpi=130)
    return figure
