"""The page of a run on data: which examples scores rest on, what is predicted and what is wrong."""

import re
from html import unescape

import numpy as np
import pytest
from data_support import cubic, examples

import wannjax
from wannjax.report.predictions import predictions_part
from wannjax.report.report import write

SMALL = wannjax.WannConfig(population=16, generations=3, episodes=1, confirm_episodes=1)
pytestmark = pytest.mark.slow


def page_of(directory, problem, *, trained=False):
    result = wannjax.evolve(problem, SMALL, seed=5, progress=False, run_dir=directory, finish=None)
    if trained:
        wannjax.finetune(result.champion, problem, steps=2, progress=False, run_dir=directory, finish=None)
    report = write(directory, problem)
    return (directory / "report.html").read_text(), report, result.champion


def text_of(html):
    return unescape(re.sub(r"<[^>]+>", " ", html))


@pytest.fixture(scope="module")
def pixels(tmp_path_factory):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    x = rng.uniform(size=(90, 4, 4)) + labels[:, None, None] / 2
    problem = wannjax.DataProblem(x[:60], labels[:60], x_test=x[60:], y_test=labels[60:], name="pixels")
    return *page_of(tmp_path_factory.mktemp("pixels"), problem, trained=True), problem


def test_there_is_a_column_for_each_split_that_there_is(pixels, tmp_path):
    columns = re.findall(r'<th scope="col">(\d+ [a-z]+ examples)</th>', pixels[0])
    assert columns == ["48 training examples", "12 validation examples", "30 test examples"]
    assert "The test examples had no say in anything." in pixels[0]
    html, _, _ = page_of(tmp_path / "untested", wannjax.DataProblem(*examples(60)))
    assert re.findall(r'<th scope="col">(\d+ [a-z]+ examples)</th>', html) == ["48 training examples", "12 validation examples"]
    assert "There are no test examples: all of it is optimistic." in html
    html, _, _ = page_of(tmp_path / "whole", wannjax.DataProblem(*examples(10)))
    assert '<th scope="col">accuracy % (mean ± sd)</th>' in html
    assert "the 10 training examples" in text_of(html)
    assert not re.search(r"\d (validation|test) examples", html)


def test_the_matrix_and_the_mistakes_are_the_predictions(pixels):
    html, report, champion, problem = pixels
    found = wannjax.predictions(champion, problem, weight=report.tuned_weight)
    right = int(np.trace(found.confusion_matrix))
    assert f"{right} of 30 test examples" in html
    assert f"at the tuned shared weight {report.tuned_weight:.2f}" in html
    first = found.wrong[0]
    share = f"{100 * found.probabilities[first].max():.0f} %"
    assert f"{found.true[first]} taken for {found.predicted[first]}, {share}" in html
    table = re.search(r"<caption>How many of the 30 test examples.*?</table>", html, re.DOTALL)[0]
    counts = [[int(cell) for cell in re.findall(r"<td>(\d+)</td>", row)] for row in re.findall(r"<tr><th scope=.row.*?</tr>", table)]
    np.testing.assert_array_equal(counts, found.confusion_matrix)


def test_images_are_pictures_that_say_what_they_are(pixels):
    section = re.search(r'<section aria-labelledby="predictions">.*?</section>', pixels[0], re.DOTALL)[0]
    assert section.count("shape-rendering") == min(12, len(wannjax.predictions(pixels[2], pixels[3], weight=pixels[1].tuned_weight).wrong))
    assert all(" taken for " in title for title in re.findall(r"shape-rendering=\"crispEdges\".*?<title>(.*?)</title>", section))
    assert "<image" not in pixels[0]


def test_trained_weights_have_a_section_where_there_are_any(pixels):
    assert '<h2 id="tuned">What it predicts with trained weights</h2>' in pixels[0]
    assert "with weights of its own" in pixels[0]


def test_a_regression_has_r2_a_plot_and_what_is_furthest_off(tmp_path):
    x, _ = examples(60)
    problem = wannjax.DataProblem(x, x[:, 0] + x[:, 1] ** 2, loss="mse", input_names=("a", "<b>", "c"), output_names=("y",))
    html, report, champion = page_of(tmp_path / "numbers", problem)
    found = wannjax.predictions(champion, problem, weight=report.tuned_weight)
    assert f"R² is {found.r2[0]:.4g}" in html
    assert report.metric == "R²"
    rows = re.search(r"<caption>Rows of the 12 validation examples.*?</table>", html, re.DOTALL)[0]
    assert re.findall(r'<th scope="row">(\d+)</th>', rows) == [str(i) for i in found.wrong[:12]]


def test_mistakes_in_a_table_are_rows_with_the_inputs_that_are_used(tmp_path):
    x, y = examples(60)
    problem = wannjax.DataProblem(x, np.where(y, "yes", "<no>"), input_names=("a", "<b>", "c"))
    champion = wannjax.evolve(problem, SMALL, seed=5, progress=False).champion
    found = wannjax.predictions(champion, problem, weight=-1.0, split="train")
    part = predictions_part(found, champion, "part")
    assert "<no>" not in part
    shown = re.search(r"<caption>Rows of the 48 training examples.*?</table>", part, re.DOTALL)[0]
    assert re.findall(r'<th scope="row">(\d+)</th>', shown) == [str(i) for i in found.wrong[:12]]


def test_a_loss_of_ones_own_has_neither(tmp_path):
    x, _ = examples(60)
    html, _, _ = page_of(tmp_path / "own", wannjax.DataProblem(x, np.zeros((60, 2, 1)), loss=cubic, outputs=2))
    assert 'id="predictions"' not in html
