"""The rows of the table of one network's scores: every score once, the paper's beside those that it has."""

from dataclasses import replace

import numpy as np

import wannjax
from wannjax.analysis.evaluation import Report, Score, measured_on
from wannjax.analysis.score_table import PAPER, report_cells, report_note, report_rows

REPORT = Report(
    per_weight={-2.0: Score(150.0, 3.0, 100), 0.5: Score(250.0, 4.0, 100)},
    random_weights=Score(10.0, 1.0, 100),
    random_shared=Score(20.0, 2.0, 100),
    tuned_shared=Score(30.0, 3.0, 100),
    tuned_weight=-0.55,
    tuned_weights=None,
    connections=7,
    canonical_connections=6,
    problem_name="CartPoleSwingUp-v0",
    metric="return",
    stochastic=True,
    measured_on="100 fresh episodes",
)


def test_every_score_has_a_row_and_those_of_the_paper_stand_beside():
    paper = PAPER["CartPoleSwingUp-v0"]
    assert report_rows(REPORT) == [
        ("shared weight -2", "150 ± 3", ""),
        ("shared weight 0.5", "250 ± 4", ""),
        ("mean over the sweep", "200", ""),
        ("random weights", "10 ± 1", paper.random_weights),
        ("random shared weight", "20 ± 2", paper.random_shared),
        ("tuned shared weight (-0.55)", "30 ± 3", paper.tuned_shared),
    ]


def test_tuned_weights_have_a_row_where_there_are_any():
    rows = report_rows(replace(REPORT, tuned_weights=Score(900.0, 5.0, 100)))
    assert rows[-1] == ("tuned weights", "900 ± 5", PAPER["CartPoleSwingUp-v0"].tuned_weights)


def test_a_task_that_the_paper_has_not_has_nothing_beside():
    assert {row.paper for row in report_rows(replace(REPORT, problem_name="CartPole-v1"))} == {""}


def test_the_note_says_what_scores_rest_on():
    assert report_note([REPORT]) == "100 fresh episodes per score"
    fixed = replace(REPORT, stochastic=False, measured_on="the 3 test examples")
    assert report_note([fixed]) == "the 3 test examples; 100 draws of random weights"
    assert report_note([fixed, fixed]) == "return, mean ± sd; 100 draws of random weights"


def test_reports_on_several_splits_stand_beside_each_other():
    fixed = replace(REPORT, problem_name="data", stochastic=False, measured_on="the 30 training examples")
    other = replace(fixed, per_weight={-2.0: Score(1.0, 0.0, 1), 0.5: Score(2.0, 0.0, 1)}, measured_on="the 3 test examples")
    head, rows = report_cells([fixed, other])
    assert head == ["", "30 training examples", "3 test examples"]
    assert rows[:2] == [["shared weight -2", "150 ± 3", "1"], ["shared weight 0.5", "250 ± 4", "2"]]
    assert report_cells([REPORT])[0] == ["", "return (mean ± sd)", "paper"]


def test_scores_rest_on_the_examples_that_are_named():
    x, y = np.zeros((20, 1)), np.arange(20) % 2
    tested = wannjax.DataProblem(x, y, x_test=x, y_test=y)
    assert measured_on(tested, "test", 1) == "the 20 test examples"
    assert measured_on(tested, "validation", 1) == "the 4 validation examples"
    assert measured_on(wannjax.DataProblem(x, y), "test", 1) == "the 4 validation examples"
    assert measured_on(wannjax.DataProblem(x, y, validation=0), "test", 1) == "the 20 training examples"
    assert measured_on(wannjax.DataProblem(x, y, validation=0, x_test=x, y_test=y), "validation", 1) == "the 20 training examples"
    fixed = wannjax.FunctionProblem(lambda key, network: network(np.zeros(1))[0], inputs=1, outputs=1, stochastic=False)
    assert measured_on(fixed, "test", 1) == "one measurement, which knows no chance"
    assert measured_on(wannjax.make("CartPole-v1"), "test", 3) == "3 fresh episodes"
