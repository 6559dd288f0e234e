"""The rows of the table of one network's scores: every score once, the paper's beside those that it has."""

from dataclasses import replace

import numpy as np
import pytest

import wannjax
from wannjax.analysis.evaluation import Report, Score
from wannjax.analysis.score_table import PAPER, measured_on, report_note, report_rows

REPORT = Report(
    per_weight={-2.0: Score(150.0, 3.0, 100), 0.5: Score(250.0, 4.0, 100)},
    random_weights=Score(10.0, 1.0, 100),
    random_shared=Score(20.0, 2.0, 100),
    tuned_shared=Score(30.0, 3.0, 100),
    tuned_weight=-0.55,
    tuned_weights=None,
    connections=7,
    canonical_connections=6,
)


@pytest.fixture(scope="module")
def swing_up():
    return wannjax.make("CartPoleSwingUp-v0", max_steps=10)


def test_every_score_has_a_row_and_those_of_the_paper_stand_beside(swing_up):
    paper = PAPER["CartPoleSwingUp-v0"]
    assert report_rows(REPORT, swing_up) == [
        ("shared weight -2", "150 ± 3", ""),
        ("shared weight 0.5", "250 ± 4", ""),
        ("mean over the sweep", "200", ""),
        ("random weights", "10 ± 1", paper.random_weights),
        ("random shared weight", "20 ± 2", paper.random_shared),
        ("tuned shared weight (-0.55)", "30 ± 3", paper.tuned_shared),
    ]


def test_tuned_weights_have_a_row_where_there_are_any(swing_up):
    rows = report_rows(replace(REPORT, tuned_weights=Score(900.0, 5.0, 100)), swing_up)
    assert rows[-1] == ("tuned weights", "900 ± 5", PAPER["CartPoleSwingUp-v0"].tuned_weights)


def test_a_task_that_the_paper_has_not_has_nothing_beside():
    assert {row.paper for row in report_rows(REPORT, wannjax.make("CartPole-v1", max_steps=10))} == {""}


def test_the_note_says_what_scores_rest_on(swing_up):
    assert report_note(REPORT, swing_up) == "100 fresh episodes per score"
    x, y = np.zeros((20, 1)), np.arange(20) % 2
    tested, held_out, small = (
        wannjax.DataProblem(x, y, x_test=x, y_test=y),
        wannjax.DataProblem(x, y),
        wannjax.DataProblem(x, y, validation=0),
    )
    assert report_note(REPORT, tested) == "the test examples; 100 draws of random weights"
    assert report_note(REPORT, held_out) == "the validation examples; 100 draws of random weights"
    assert report_note(REPORT, small) == "the training examples; 100 draws of random weights"
    fixed = wannjax.FunctionProblem(lambda key, network: network(np.zeros(1))[0], inputs=1, outputs=1, stochastic=False)
    assert report_note(REPORT, fixed) == "one measurement, which knows no chance; 100 draws of random weights"


def test_a_champion_is_chosen_on_the_examples_that_it_is_said_to_be():
    x, y = np.zeros((20, 1)), np.arange(20) % 2
    assert measured_on(wannjax.DataProblem(x, y, x_test=x, y_test=y), "validation", 1) == "the validation examples"
    assert measured_on(wannjax.DataProblem(x, y, validation=0, x_test=x, y_test=y), "validation", 1) == "the training examples"
