"""Digits: those that the spread leaves any meaning are shown, and six are kept in files."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wannjax.analysis.evaluation import Score
from wannjax.common.digits import decimals_for, kept, number, numbers, with_spread


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (750.3, 57.1, "750 ± 57"),
        (932.4, 6.2, "932 ± 6"),
        (750.34, 0.42, "750.34 ± 0.42"),
        (-79.51, 8.52, "-79.5 ± 8.5"),
        (12.4, 37.0, "12 ± 37"),
        (0.012, 0.003, "0.012 ± 0.003"),
        (-0.32781, 0.00213, "-0.3278 ± 0.0021"),
        (-0.0001, 0.2, "0.0 ± 0.2"),
        (500.0, 0.0, "500 ± 0"),
        (9.35, 1e-8, "9.35 ± 0"),
        (0.0, 0.0, "0 ± 0"),
        (3e-12, 4e-13, "3e-12 ± 4e-13"),
        (1.25e20, 3e18, "1.2e+20 ± 3e+18"),
        (nan, nan, "nan ± nan"),
        (-inf, nan, "-inf ± nan"),
    ],
)
def test_digits_follow_the_spread(value, spread, text):
    assert with_spread(value, spread) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0120044, "0.012"),
        (0.123456, "0.1235"),
        (302.44, "302.4"),
        (512.0, "512"),
        (-12345.6, "-12346"),
        (0, "0"),
        (nan, "nan"),
        (inf, "inf"),
    ],
)
def test_without_a_spread_there_are_four(value, text):
    assert number(value) == text


def test_numbers_beside_each_other_have_the_same_decimals():
    assert numbers([0.5, 0.4312, 0.6], spread=0.17) == ["0.50", "0.43", "0.60"]


@given(st.floats(-1e6, 1e6), st.floats(1e-5, 1e6))
def test_what_is_shown_is_within_a_tenth_of_the_spread(value, spread):
    if spread > 1e-6 * abs(value) and not (abs(value) >= 100 and spread >= 1):
        assert abs(float(number(value, spread)) - value) <= max(0.051 * spread, 1e-9) if spread < 10 else 0.5001


@given(st.floats(1e-9, 1e8), st.floats(1e-9, 1e8))
def test_a_spread_is_never_shown_as_nothing(value, spread):
    shown = with_spread(value, spread).split(" ± ")[1]
    assert (float(shown) == 0) == (spread <= 1e-6 * value)


def test_zeros_count_where_a_number_is_to_stand_still():
    assert decimals_for(0.5, 0.17) == 2


@given(st.floats(-1e30, 1e30).filter(lambda value: value == 0 or abs(value) > 1e-30))
def test_files_keep_six_digits(value):
    assert kept(value) == pytest.approx(value, rel=5e-6, abs=0)
    assert kept(kept(value)) == kept(value)


def test_a_score_of_one_episode_has_no_spread():
    assert str(Score(0.91254, 0.0, 1)) == "0.9125"
    assert str(Score(0.012, 0.003, 100)) == "0.012 ± 0.003"
