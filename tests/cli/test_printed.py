"""What `print` and notebooks show of results: the command line's tables, and no dumps."""

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Group
from rich.text import Text

import wannjax
from wannjax.cli.plain import html_of, text_of
from wannjax.cli.tables import pruned_table
from wannjax.common.terminal import LiteralTable

X = np.random.default_rng(0).normal(size=(40, 2))


@pytest.fixture(scope="module")
def things():
    """A thing of every kind, and words that its table has."""
    problem = wannjax.DataProblem(X, X[:, 0] > 0, batch=16, input_names=("a<b", "c"))
    result = wannjax.evolve(problem, wannjax.WannConfig(population=8, initial_density=1.0), generations=2, progress=False)
    many = wannjax.evolve_many(problem, wannjax.WannConfig(population=8), seeds=[0, 1], generations=1, progress=False)
    champion = result.champion
    return {
        "Result": (result, ["mean over the sweep", "wann, seed 0: 2 generations"]),
        "ManyResults": (many, ["champions of 2 seeds after 1 generation,", "mean score"]),
        "Report": (wannjax.evaluate(champion, problem, episodes=2), ["accuracy % (mean ± sd)", "random shared weight"]),
        "Tuned": (wannjax.finetune(champion, problem, steps=1, progress=False), ["tuned by gradient", "start 6"]),
        "Ensemble": (wannjax.ensemble(champion, problem, members=2, kind="vote"), ["collection of 2 members", "none: all count the same"]),
        "Explanation": (wannjax.explain(champion, problem, episodes=1), ["score lost without it"]),
        "Pruned": (wannjax.prune(champion, problem, tolerance=0.1, episodes=1), ["before", "after"]),
        "Motifs": (wannjax.mine_motifs([result.front], draws=100, least_runs=1), ["in the fronts of 1 run"]),
        "WeightCurve": (wannjax.weight_curve(champion, problem, weights=[1, 2]), ["shared weight", "near its best"]),
    }


KINDS = ("Result", "ManyResults", "Report", "Tuned", "Ensemble", "Explanation", "Pruned", "Motifs", "WeightCurve")


@pytest.mark.parametrize("kind", KINDS)
def test_print_shows_a_table(things, kind):
    thing, words = things[kind]
    assert type(thing).__name__ == kind
    text = str(thing)
    assert all(word in text for word in words)
    assert "array(" not in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("kind", KINDS)
def test_notebooks_show_an_html_table(things, kind):
    thing, words = things[kind]
    html = thing._repr_html_()
    assert html.count("<table>") == html.count("</table>") >= 1
    assert all(word in html for word in words)
    assert "a<b" not in html


@pytest.mark.parametrize("kind", KINDS)
def test_repr_is_a_short_line(things, kind):
    text = repr(things[kind][0])
    assert text.startswith(f"{kind}(")
    assert "array(" not in text
    assert "\n" not in text
    assert len(text) < 700


def test_names_are_literal_in_text_and_escaped_in_html():
    table = LiteralTable()
    table.add_column("a<b")
    table.add_row("[bold]e[/bold] > f :smile:")
    shown = Group(Text("c & d [i]"), table)
    rows = "<tr><th>a&lt;b</th></tr>\n<tr><td>[bold]e[/bold] &gt; f :smile:</td></tr>\n"
    assert html_of(shown) == f"<p>c &amp; d [i]</p>\n<table>\n{rows}</table>"
    assert {"c & d [i]", "│ [bold]e[/bold] > f :smile: │"} <= {*text_of(shown).splitlines()}


def test_the_text_is_the_command_lines(things):
    assert str(things["Pruned"][0]) == text_of(pruned_table(things["Pruned"][0]))
    assert things["Pruned"][0]._repr_html_() == html_of(pruned_table(things["Pruned"][0]))


def test_a_champion_with_weights_of_its_own_has_one_score(things):
    result = things["Result"][0]
    own = replace(result, champion=things["Tuned"][0].network, champion_scores=np.array([-0.25]), interrupted=True)
    assert "weights of its own │                 -0.25" in str(own)
    assert str(own).endswith("2 generations (interrupted)")


def test_a_run_with_a_report_shows_its_scores(things):
    result, report = things["Result"][0], things["Report"][0]
    assert "tuned shared weight" in str(replace(result, report=report))


def test_results_are_compared_by_identity(things):
    for thing, _ in things.values():
        assert thing == thing
        assert thing in [thing]
    assert things["Result"][0] != things["ManyResults"][0]


def test_dir_lists_all_public_names():
    assert {*wannjax.__all__} <= {*dir(wannjax)}
