"""The curves of a run: scores and sizes over generations, scores over the steps of training, scores over the shared weight."""

from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from wannjax.evaluation import Report
from wannjax.storage import replacing

_COLOURS = ("#1f4e8c", "#b8600b", "#1b7a43", "#a61e61", "#5b6270")
_LINES = ("-", "--", "-.", ":")


def draw_curves(history: dict[str, np.ndarray], path: str | Path | None = None, *, title: str = "") -> Figure:
    """Draws a run's history (`Result.history`); writes it to `path` unless that is None. Returns the figure."""
    generation = history["generation"]
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    scores, sizes = figure.subplots(1, 2)
    scores.plot(generation, history["mean_score"], color="#9fb4cc", linewidth=1, label="best of the generation")
    scores.plot(generation, history["median_score"], color="#c9a66b", linewidth=1, label="median of the generation")
    scores.plot(generation, history["champion_score"], color="#1f4e8c", linewidth=2, label="champion, confirmed")
    scores.set(xlabel="generation", ylabel="mean score", title=title)
    scores.legend(frameon=False)
    sizes.plot(generation, history["champion_connections"], color="#1f4e8c", linewidth=2, label="champion's connections")
    sizes.plot(generation, history["median_connections"], color="#c9a66b", linewidth=1, label="median connections")
    sizes.plot(generation, history["largest_hidden"], color="#8c510a", linewidth=1, linestyle="--", label="largest: hidden nodes")
    sizes.set(xlabel="generation", ylabel="count")
    sizes.set_ylim(bottom=0)
    sizes.legend(frameon=False)
    return _finished(figure, path)


def draw_training(history: dict[str, np.ndarray], path: str | Path | None = None, *, title: str = "") -> Figure:
    """Draws the history of training (`Tuned.history`); writes it to `path` unless that is None. Returns the figure."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(history["step"], history["training_score"], color="#9fb4cc", linewidth=1, label="best start, in training")
    axes.plot(history["step"], history["median_score"], color="#c9a66b", linewidth=1, label="median start, held out")
    axes.plot(history["step"], history["held_out_score"], color="#1f4e8c", linewidth=2, label="best start, held out")
    axes.set(xlabel="step", ylabel="mean score", title=title)
    axes.title.set_fontsize(10)
    axes.legend(frameon=False)
    return _finished(figure, path)


def draw_weights(reports: dict[str, Report], path: str | Path | None = None, *, title: str = "") -> Figure:
    """Draws the score of one network or several over the shared weight, mean and standard deviation of the episodes at every weight of
    the reports (`evaluate(..., weights=…)`), by label; writes it to `path` unless that is None. Returns the figure."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    axes = figure.subplots()
    for (label, report), colour, line in zip(reports.items(), cycle(_COLOURS), cycle(_LINES), strict=False):
        weights = np.array(sorted(report.per_weight))
        mean = np.array([report.per_weight[weight].mean for weight in weights])
        deviation = np.array([report.per_weight[weight].std for weight in weights])
        axes.fill_between(weights, mean - deviation, mean + deviation, color=colour, alpha=0.15, linewidth=0)
        axes.plot(weights, mean, color=colour, linestyle=line, linewidth=2, label=label)
    axes.set(xlabel="shared weight", ylabel="score", title=title)
    axes.legend(frameon=False)
    return _finished(figure, path)


def _finished(figure: Figure, path: str | Path | None) -> Figure:
    for axes in figure.axes:
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    if path is not None:
        with replacing(Path(path)) as temporary:
            figure.savefig(temporary, dpi=130)
    return figure
