"""The table of one network's scores, beside the paper's (table 1 of Gaier & Ha 2019): its rows, and
what they rest on.

The command line and the page of a run show it. To compare another task with the paper, add its
figures to `PAPER`.
"""

from collections.abc import Sequence
from typing import NamedTuple

from wannjax.analysis.evaluation import Report
from wannjax.common.digits import number
from wannjax.common.wording import counted


class PaperRow(NamedTuple):
    """The paper's figures for one task, as it prints them: mean ± sd over 100 trials; of mnist the
    accuracy in percent.
    """

    random_weights: str
    random_shared: str
    tuned_shared: str
    tuned_weights: str


PAPER: dict[str, PaperRow] = {
    "CartPoleSwingUp-v0": PaperRow("57 ± 121", "515 ± 58", "723 ± 16", "932 ± 6"),
    **dict.fromkeys(
        ("envpool:BipedalWalker-v3", "gymnasium:BipedalWalker-v3"),  # the paper's is v2
        PaperRow("-46 ± 54", "51 ± 108", "261 ± 58", "332 ± 1"),
    ),
    "mnist": PaperRow("", "82.0 ± 18.7", "91.9", "94.2"),
}


class Row(NamedTuple):
    """A line of the table of one network's scores: what was measured, the score, and the paper's,
    empty where it has none.
    """

    name: str
    score: str
    paper: str = ""


def report_rows(report: Report) -> list[Row]:
    """One network's scores: first at every weight of the sweep, then their mean, then the paper's
    columns.
    """
    paper = PAPER.get(report.problem_name, PaperRow("", "", "", ""))
    spread = sum(score.std for score in report.per_weight.values()) / len(report.per_weight)
    rows = [Row(f"shared weight {weight:g}", str(score)) for weight, score in report.per_weight.items()]
    rows += [
        Row("mean over the sweep", number(report.mean, spread)),
        Row("random weights", str(report.random_weights), paper.random_weights),
        Row("random shared weight", str(report.random_shared), paper.random_shared),
        Row(f"tuned shared weight ({report.tuned_weight:.2f})", str(report.tuned_shared), paper.tuned_shared),
    ]
    if report.tuned_weights:
        rows.append(Row("tuned weights", str(report.tuned_weights), paper.tuned_weights))
    return rows


def report_cells(reports: Sequence[Report]) -> tuple[list[str], list[list[str]]]:
    """The headings and the cells of the table of reports on one network, one or several that differ
    in the examples only: a column for each, and one of the paper's figures where it has any.
    """
    metric, paper = reports[0].metric, reports[0].problem_name in PAPER
    columns = [report.measured_on.removeprefix("the ") for report in reports] if len(reports) > 1 else [f"{metric} (mean ± sd)"]
    head = ["", *columns, *(["paper"] if paper else [])]
    beside = zip(*map(report_rows, reports), strict=True)
    return head, [[rows[0].name, *(row.score for row in rows), *([rows[0].paper] if paper else [])] for rows in beside]


def report_size(report: Report) -> str:
    """How large the network is, as it is and in its normal form."""
    return f"{counted(report.connections, 'connection')}, {report.canonical_connections} in normal form"


def report_note(reports: Sequence[Report]) -> str:
    """What the scores of reports on one network rest on."""
    draws, measured_on, metric = reports[0].random_shared.episodes, reports[0].measured_on, reports[0].metric
    if reports[0].stochastic:
        return f"{measured_on} per score"
    what = measured_on if len(reports) == 1 else f"{metric}, mean ± sd"
    return f"{what}; {counted(draws, 'draw')} of random weights"
