"""Names, titles and units are text as it stands in pictures, tables and pages: no markup, no formula."""

import numpy as np
import pytest
from matplotlib.text import Text
from runs_support import Larger

import wannjax
from wannjax.analysis.sensitivity import WeightCurve
from wannjax.cli.tables import explanation_tables, motifs_table, pruned_table, report_table
from wannjax.common.terminal import say
from wannjax.networks.graph import Connection, Graph, network_of
from wannjax.pictures.curves import draw_curves, draw_training, draw_weights
from wannjax.pictures.effects import draw_effects
from wannjax.pictures.motif_drawing import draw_motifs
from wannjax.runs.records import Record, TrainingRecord

NAMES = ("$x_", "speed [m/s] [bold] ^$")
OUTPUT = "a[/b]$\\frac$_^"
TITLE = "out/run[seed=1] $x_ ^$ <b>&"


@pytest.fixture(scope="module")
def network():
    hidden = tuple(Connection(source, target) for source, target in ((1, 3), (2, 4), (3, 5), (4, 5)))
    return network_of(Graph(NAMES, (OUTPUT,), (5, 9, 5), hidden))


class Nasty(wannjax.Problem):
    name, inputs, outputs, output_activation, metric = TITLE, 2, 1, "linear", "score [m/s] $_$"
    input_names, output_names = NAMES, (OUTPUT,)
    evaluate = Larger.evaluate
    spoil, calls = staticmethod(lambda generation, scores: scores), 0

    def measure(self, keys, networks, gain, *, activation_ids=()):
        return np.ones((networks.activations.shape[0], len(keys)), np.float32)


def drawn(figure):
    """The words on a figure after it has been drawn, which raises for a broken formula."""
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(Text)]


def test_titles_and_labels_of_curves_are_no_formulas(tmp_path):
    weights = np.arange(3.0)
    curve = WeightCurve(weights, weights, weights, 1, "score [m/s] $_$")
    words = drawn(draw_weights({"_$x_$": curve}, tmp_path / "weights.png", title=TITLE))
    assert {TITLE, "_$x_$", "score [m/s] $_$"} <= set(words)
    for draw, kind in ((draw_curves, Record), (draw_training, TrainingRecord)):
        history = {name: np.arange(2.0) for name in kind._fields}
        assert TITLE in drawn(draw(history, tmp_path / "curves.svg", title=TITLE))


def test_names_in_drawings_are_no_formulas(network, tmp_path):
    for ending in (".svg", ".html", ".png"):
        words = drawn(wannjax.draw(network, tmp_path / f"drawing{ending}", title=TITLE))
        assert {*NAMES, OUTPUT, TITLE} <= set(words)
    assert "out/run[seed=1] $x_ ^$ &lt;b&gt;&amp;" in (tmp_path / "drawing.svg").read_text()
    assert "<b>" not in (tmp_path / "drawing.html").read_text()


def test_a_title_that_cannot_be_printed_is_escaped(network, tmp_path):
    wannjax.draw(network, tmp_path / "drawing.svg", title="a\x00b")
    assert "a\\x00b" in (tmp_path / "drawing.svg").read_text()


def test_tables_of_a_network_show_its_names(network, capsys, tmp_path):
    problem = Nasty()
    explanation = wannjax.explain(network, problem, weights=(1.0,), episodes=1)
    assert {"$x_ → h1", f"h1 → {OUTPUT}", f"{TITLE}: score lost without a part, of 0.0178"[:30]} <= {
        word[:30] if word.startswith(TITLE) else word for word in drawn(draw_effects(explanation, tmp_path / "effects.png"))
    }
    say(explanation_tables(explanation))
    say(report_table(wannjax.evaluate(network, problem, episodes=2, weights=(1.0,))))
    say(pruned_table(wannjax.prune(network, problem, tolerance=10.0, weights=(1.0,), episodes=1)))
    text = capsys.readouterr().out
    for shown in (f"{TITLE}: score", f"{TITLE}: 4 connections", "score [m/s] $_$ (mean ± sd)", f"{NAMES[1]} → h2", OUTPUT):
        assert shown in text


def test_blocks_show_their_names(network, capsys, tmp_path):
    motifs = wannjax.mine_motifs([[network], [network]], draws=100)
    say(motifs_table(motifs))
    assert motifs.ranked[0].block.name in capsys.readouterr().out
    assert any(motifs.ranked[0].block.name in " ".join(word.split("\n")) for word in drawn(draw_motifs(motifs)))
