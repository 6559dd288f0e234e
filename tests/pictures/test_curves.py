"""Curves show what they are given, by label."""

import numpy as np

from wannjax.analysis.sensitivity import WeightCurve
from wannjax.pictures.curves import draw_weights


def curve(means: dict[float, float]) -> WeightCurve:
    weights, values = np.array([*means]), np.array([*means.values()])
    return WeightCurve(weights, values, np.full(len(values), 5.0), 10, "return")


def test_scores_over_the_shared_weight_have_a_band_of_one_deviation(tmp_path):
    figure = draw_weights({"ours": curve({-1.0: 10.0, 0.5: 20.0, 2.0: 30.0}), "other": curve({-1.0: 8.0, 1.0: 7.0})}, tmp_path / "x.png")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["ours", "other"]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[-1, 10], [0.5, 20], [2, 30]])
    np.testing.assert_array_equal(axes.lines[1].get_xydata(), [[-1, 8], [1, 7]])
    assert axes.get_ylabel() == "return"
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (5, 35)
    assert axes.lines[0].get_color() != axes.lines[1].get_color()
    assert (tmp_path / "x.png").stat().st_size > 1000
