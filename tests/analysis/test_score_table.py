"""The rows of the table of one network's scores: every score once, the paper's beside those that it has."""

from dataclasses import replace

from wannjax.analysis.evaluation import Report, Score
from wannjax.analysis.score_table import PAPER, report_note, report_rows

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
    assert report_note(REPORT) == "100 fresh episodes per score"
    assert report_note(replace(REPORT, stochastic=False)) == "test examples; 100 draws of random weights"
