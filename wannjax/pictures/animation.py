"""An episode as a film: the environment, and beneath it the network with the values that its nodes
have at that moment.

To change what a frame looks like, edit `_NetworkView` and `_arrange`; to change how long and how
large films are, the numbers below.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.animation import FFMpegWriter
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.path import Path as Curve
from matplotlib.transforms import Affine2D
from PIL import Image

from wannjax.analysis.episodes import Episodes, episodes_of
from wannjax.common.digits import decimals_for
from wannjax.common.files import as_path, ending_of, replacing, require_folder
from wannjax.common.keys import Purpose, key_of
from wannjax.common.validation import require, require_seed, require_weights
from wannjax.networks.graph import Graph, graph_of
from wannjax.networks.network import Network
from wannjax.pictures.drawing import INK, connection_curves, trunk_curve
from wannjax.pictures.glyphs import curve_of
from wannjax.pictures.layout import layout_of
from wannjax.pictures.rendering import Film, render
from wannjax.problems.capabilities import Episodic
from wannjax.problems.host_problem import HostProblem
from wannjax.problems.problem import Problem
from wannjax.problems.registry import as_problem

SUFFIXES = (".gif", ".mp4")

_LONGEST = 250
"""Frames: longer episodes show every second step, or every third, …"""

_MILLISECONDS = 80
"""Per frame."""

_DOTS = 80
"""Per inch."""

_COLOURS = 48
"""The colours of a GIF."""

_STEPS = 8
"""Shades of a value on either side of 0."""

_MOST_WEIGHTS = 6
_WIDTHS = {1: 7.0, 2: 5.4, 3: 4.4}
"""Inches of a column by the number of columns; with more, 3.6."""

_MAP = LinearSegmentedColormap.from_list("values", ["#053061", "#2f79b5", "#dfe3e8", "#cf4a3c", "#67001f"])


def watch(network: Network, problem: Problem | str, path: str | Path, *, weights: Sequence[float] | None = None, seed: int = 0) -> Episodes:
    """Films one episode of `network` at several shared weights side by side, and writes it to
    `path` (.gif, or .mp4 with ffmpeg).

    All columns show the same episode: the same start and noise, and the same wiring under another
    weight. A node's colour is its value now (blue negative, red positive), and its size and a
    line's width grow with what they carry.

    Args:
        problem: an environment, or a name for `wannjax.make`.
        weights: one to six shared weights; -2, -0.5 and 1 when None, or just 1, which leaves them
            as they are, for individual weights.
        seed: of the episode.

    Returns the episodes shown, one lane per weight. Raises ValueError for another ending, for .mp4
    without ffmpeg, for a problem that is not an environment, and for a network of other sizes,
    OSError where `path` cannot be written, and TypeError for what is no network or no problem.
    """
    graph = graph_of(network).with_printable_names()
    problem = as_problem(problem)
    path = as_path(path)
    require("path", str(path), f"a file name that ends in {' or '.join(SUFFIXES)}", ending_of(path) in SUFFIXES)
    require("path", str(path), "a .gif: for .mp4, ffmpeg must be installed", ending_of(path) == ".gif" or FFMpegWriter.isAvailable())
    if not isinstance(problem, Episodic | HostProblem):
        raise ValueError(f"problem: must be an environment, got {problem.name}, which has no episodes to watch")
    require_folder(path)
    weights = require_weights(weights if weights is not None else (1.0,) if graph.has_weights else (-2.0, -0.5, 1.0))
    require("weights", weights, f"one to {_MOST_WEIGHTS} finite numbers", len(weights) <= _MOST_WEIGHTS)
    seed = require_seed(seed)
    keys = jnp.stack([key_of(seed, Purpose.FILM)] * len(weights))
    episodes = episodes_of(network, problem, keys, jnp.asarray(weights, jnp.float32))
    figure, moving, move = _arrange(graph, problem, episodes, weights)
    length = len(episodes.alive)
    times = list(range(0, length, -(-length // _LONGEST)))
    if times[-1] != length - 1:
        times.append(length - 1)
    with replacing(path) as temporary:
        if ending_of(path) == ".gif":
            _write_gif(temporary, frames(figure, moving, move, times))
        else:
            _write_mp4(temporary, figure, move, times)
    return episodes


def frames(figure: Figure, moving: list[Artist], move: Callable[[int], None], times: Sequence[int]) -> Iterator[UInt8[np.ndarray, "H W 3"]]:
    """The picture at each time; what stands still is drawn once."""
    canvas = FigureCanvasAgg(figure)
    for artist in moving:
        artist.set_animated(True)
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    for time in times:
        canvas.restore_region(still)
        move(time)
        for artist in moving:
            figure.draw_artist(artist)
        yield np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _write_gif(path: Path, pictures: Iterator[UInt8[np.ndarray, "H W 3"]]) -> None:
    """With one palette for all frames, chosen from several of them, and of every frame only what
    differs from the one before: a third of the size that Pillow's own comparison gives.
    """
    images = [Image.fromarray(picture) for picture in pictures]
    sample = Image.fromarray(np.concatenate([np.asarray(image) for image in images[:: -(-len(images) // 8)]]))
    palette = sample.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    shown = [np.asarray(image.quantize(palette=palette, dither=Image.Dither.NONE)) for image in images]
    changes = [shown[0], *(np.where(now == before, _COLOURS, now).astype(np.uint8) for before, now in pairwise(shown))]
    layers = [Image.fromarray(change) for change in changes]
    for layer in layers:
        layer.putpalette([*(palette.getpalette() or [])[: 3 * _COLOURS], 0, 0, 0])
    layers[0].save(
        path,
        format="GIF",
        save_all=True,
        append_images=layers[1:],
        duration=_MILLISECONDS,
        loop=0,
        transparency=_COLOURS,
        disposal=1,
        optimize=False,
    )


def _write_mp4(path: Path, figure: Figure, move: Callable[[int], None], times: Sequence[int]) -> None:
    writer = FFMpegWriter(fps=round(1000 / _MILLISECONDS), extra_args=["-pix_fmt", "yuv420p"])
    with writer.saving(figure, str(path), _DOTS):
        for time in times:
            move(time)
            writer.grab_frame()


def _arrange(
    graph: Graph, problem: Episodic | HostProblem, episodes: Episodes, weights: tuple[float, ...]
) -> tuple[Figure, list[Artist], Callable[[int], None]]:
    """The figure, what moves in it, and what moves it: a column per weight."""
    width = _WIDTHS.get(len(weights), 3.6)
    heights = 0.34, 2.2, 3.1, 0.34  # of the words, the environment, the network and the scale, in inches
    total = sum(heights)
    figure = Figure(figsize=(width * len(weights), total), dpi=_DOTS)
    moving: list[Artist] = []
    movers: list[Callable[[int], None]] = []
    returns = np.cumsum(episodes.rewards, axis=0)
    decimals = decimals_for(returns[-1].max(), 0.1 * np.ptp(returns))  # the same in all frames, so that words stand still
    kind = "own weights ×" if graph.has_weights else "weight"
    for lane, weight in enumerate(weights):
        left, share = lane / len(weights), 1 / len(weights)
        above = figure.add_axes((left + 0.03 * share, (heights[3] + heights[2]) / total, 0.94 * share, heights[1] / total))
        below = figure.add_axes((left + 0.02 * share, heights[3] / total, 0.96 * share, 0.97 * heights[2] / total))
        above.spines[:].set_visible(False)
        states = jax.tree.map(lambda leaf, lane=lane: leaf[:, lane], episodes.states)
        values = episodes.values[:, :, lane]
        first_output = graph.size - graph.outputs
        environment, states, params = problem.environment.drawn_as(states, problem.params)
        film = Film(environment, params, states, values[:, 1 : graph.first_hidden], values[:, first_output:], problem.input_names)
        parts, move_environment = render(above, film)
        view = _NetworkView(below, graph, weight, (0.96 * width, 0.97 * heights[2]))
        words = figure.text(
            left + 0.5 * share, 1 - 0.55 * heights[0] / total, "", ha="center", va="center", fontsize=10, color=INK, parse_math=False
        )
        moving += [*parts, *view.artists, words]
        steps = int(episodes.steps[lane])

        def move(time, lane=lane, weight=weight, steps=steps, words=words, values=values, view=view, environment=move_environment):
            now = min(time, steps - 1)
            environment(now)
            view.show(values[now], values[now - 1] if now else np.zeros_like(values[0]))
            state = "ended at step" if time >= steps else "step"
            words.set_text(f"{kind} {weight:g}    {state} {now + 1}    {problem.metric} {returns[now, lane]:.{decimals}f}")

        movers.append(move)
    _scale(figure, heights[3] / total)

    def move_all(time: int) -> None:
        for move in movers:
            move(time)

    return figure, moving, move_all


class _NetworkView:
    """A network on `axes`, which are `size` inches large, with its nodes and connections in the
    colours of their values.
    """

    def __init__(self, axes: Axes, graph: Graph, gain: float, size: tuple[float, float]):
        axes.set_axis_off()
        layout = layout_of(graph)
        names = max((len(graph.name(node)) for node in layout.nodes if node < graph.first_hidden), default=0)
        drawn_inputs = sum(node < graph.first_hidden for node in layout.nodes)
        named = drawn_inputs <= 20
        before = 0.2 + (0.075 * names if named else 0.0)
        after = 0.2 + 0.075 * max(map(len, graph.output_names))
        scale = np.array([(size[0] - before - after) / layout.width, (size[1] - 0.4) / max(layout.height, 1e-9)])
        scale = np.minimum(scale, 1.5 * scale.min())  # as much of the panel as is possible without much distortion
        room = np.array([size[0] - before - after, size[1] - 0.4]) - scale * [layout.width, layout.height]
        shift = np.array([before, 0.2]) + room / 2
        axes.set_xlim(0, size[0])
        axes.set_ylim(0, size[1])

        def placed(points):
            return np.asarray(points) * scale + shift

        self._nodes = np.array(list(layout.nodes))
        self._sources = np.array([connection.source for connection in graph.connections], int)
        self._late = np.array([connection.is_recurrent for connection in graph.connections], bool)
        self._trunks = np.array(list(layout.trunks), int)
        self._gains = gain * np.array([1.0 if weight is None else weight for weight in graph.weights])
        self._gain = gain
        lines = [_points(trunk_curve(points)) for points in layout.trunks.values()]
        for curve, connection in zip(connection_curves(layout, graph), graph.connections, strict=True):
            lines.append(np.concatenate([_points(curve), layout.nodes[connection.target][None]]))
        paths = [placed(points) for points in lines]
        self._lines = LineCollection(paths, zorder=1)
        axes.add_collection(self._lines)
        places = np.array([placed(place) for place in layout.nodes.values()])
        diameter = float(np.clip(72 * 2 * 0.17 * scale.min(), 5.0, 20.0))  # points
        is_input = self._nodes < graph.first_hidden
        self._full = np.where(is_input, 0.35, 1.0) * diameter**2
        self._dots = axes.scatter(places[:, 0], places[:, 1], s=self._full, edgecolors=INK, linewidths=0.8, zorder=2)
        radius = diameter / 144
        curves_of = [
            places[i] + radius * 0.95 * curve_of(graph.activations[node - graph.first_hidden])[0]
            for i, node in enumerate(self._nodes)
            if node >= graph.first_hidden
        ]
        glyphs = LineCollection(curves_of if diameter >= 11 else [], colors=INK, linewidths=0.9, zorder=3)
        axes.add_collection(glyphs)
        self.artists: list[Artist] = [self._lines, self._dots, glyphs]
        for node, place in zip(layout.nodes, places, strict=True):
            if named and node < graph.first_hidden:
                axes.text(place[0] - 0.1, place[1], graph.name(node), ha="right", va="center", fontsize=8, color=INK, parse_math=False)
            elif node >= graph.size - graph.outputs:
                axes.text(place[0] + 0.16, place[1], graph.name(node), ha="left", va="center", fontsize=8, color=INK, parse_math=False)

    def show(self, values: Float[np.ndarray, " N"], before: Float[np.ndarray, " N"]) -> None:
        """Colours everything by the nodes' values, now and in the last time step."""
        own = _bounded(values[self._nodes])
        self._dots.set_facecolor(cast(Any, _MAP(0.5 + 0.5 * own)))
        carried = np.concatenate(
            [self._gain * values[self._trunks], self._gains * np.where(self._late, before[self._sources], values[self._sources])]
        )
        signal = _bounded(carried)
        self._lines.set_color(cast(Any, _MAP(0.5 + 0.5 * signal)))
        self._lines.set_linewidth((0.8 + 2.2 * np.abs(signal)).tolist())


def _points(curve: Curve) -> Float[np.ndarray, "points 2"]:
    """A line in straight pieces."""
    return np.asarray(curve.transformed(Affine2D().scale(_DOTS)).to_polygons(closed_only=False)[0]) / _DOTS


def _bounded(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """From -1 to 1, a half at ±1, in steps, so that little changes from frame to frame; 0 for what
    is no number.
    """
    values = np.clip(np.nan_to_num(values.astype(float)), -1e6, 1e6)
    return np.round(_STEPS * values / (1 + np.abs(values))) / _STEPS


def _scale(figure: Figure, height: float) -> None:
    """What the colours mean."""
    axes = figure.add_axes((0.5 - 1.6 / figure.get_figwidth(), 0.55 * height, 3.2 / figure.get_figwidth(), 0.28 * height))
    axes.imshow(np.linspace(0, 1, 2 * _STEPS + 1)[None], cmap=_MAP, aspect="auto", extent=(-1, 1, 0, 1))
    axes.set_yticks([])
    marks = np.array([-9.0, -3.0, -1.0, 0.0, 1.0, 3.0, 9.0])
    axes.set_xticks(marks / (1 + np.abs(marks)), [f"{mark:g}" for mark in marks], fontsize=6)
    axes.tick_params(length=0, pad=1.5)
    axes.spines[:].set_visible(False)
