"""Pictures of predictions say what they show without colours."""

import re

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from wannjax.analysis.predictions import ClassPredictions, NumberPredictions
from wannjax.pictures.drawing import svg_text
from wannjax.pictures.predictions import draw_predictions, image_svg, plot_confusion


def classes(outputs, targets, names=("cat", "dog", "$x_1")):
    inputs = np.zeros((len(outputs), 2), np.float32)
    return ClassPredictions(inputs, np.eye(3)[outputs], np.eye(3)[targets], 1.0, "7 examples", "pets", ("a", "b"), names, (2,))


def test_every_cell_of_a_matrix_has_its_count_and_every_class_its_name(tmp_path):
    found = classes([0, 0, 1, 2, 2, 2, 2], [0, 1, 1, 2, 2, 2, 0])
    figure = draw_predictions(found, tmp_path / "matrix.png", title="pets")
    axes = figure.axes[0]
    counts = np.array([int(text.get_text()) for text in axes.texts]).reshape(3, 3)
    np.testing.assert_array_equal(counts, found.confusion_matrix)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog", "$x_1"]
    assert len(axes.patches) == 3
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert (tmp_path / "matrix.png").stat().st_size > 5000


def test_counts_stand_apart_from_what_is_behind_them():
    """By at least the contrast of 4.5 that people with poor sight need (WCAG 2.1, 1.4.3)."""
    figure = Figure()
    axes = figure.subplots()
    plot_confusion(axes, np.diag(np.arange(0, 101, 10)) + np.diag(np.full(10, 50), 1), [f"c{i}" for i in range(11)])
    behind = axes.collections[0].to_rgba(axes.collections[0].get_array())[..., :3]

    def luminance(colour):
        linear = np.where(np.asarray(colour) <= 0.03928, np.asarray(colour) / 12.92, ((np.asarray(colour) + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    for place, text in enumerate(axes.texts):
        first, second = sorted([luminance(to_rgb(text.get_color())), luminance(behind[place // 11, place % 11])])
        assert (second + 0.05) / (first + 0.05) >= 4.5, (place, text.get_text())


def test_numbers_have_a_plot_for_each_output_with_its_r2():
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(5000, 4))
    outputs = targets + 0.1 * rng.normal(size=targets.shape)
    names = ("a", "b", "c", "d")
    found = NumberPredictions(np.zeros((5000, 1), np.float32), outputs, targets, 1.0, "5000 examples", "data", ("x",), names, (1,))
    drawn = [axes for axes in draw_predictions(found).axes if axes.get_title()]
    assert [axes.get_title() for axes in drawn] == [f"R² {score:.4g}" for score in found.r2]
    assert all(len(axes.collections[0].get_offsets()) <= 2000 for axes in drawn)
    assert "one of 3 shown" in svg_text(drawn[0].figure)


def test_an_image_is_its_pixels_and_says_what_it_is():
    text = image_svg(np.array([[0.0, 0.5, 1.0], [0.0, 0.0, 0.25]]), 0.0, 1.0, "a < b")
    assert re.findall(r'x="(\d)" y="(\d)" .*?fill="(.*?)"', text) == [("1", "0", "#808080"), ("2", "0", "#000000"), ("2", "1", "#bfbfbf")]
    assert "<title>a &lt; b</title>" in text
    assert 'viewBox="0 0 3 2"' in text


def test_anything_else_is_refused():
    with pytest.raises(TypeError, match=r"^predictions: must be what wannjax.predictions gives"):
        draw_predictions(np.eye(3))
