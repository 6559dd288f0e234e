"""The table of one network's scores, beside the paper's (table 1 of Gaier & Ha 2019): its rows, and
what they rest on.

The command line and the page of a run show it. To compare another task with the paper, add its
figures to `PAPER`.
"""

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


def report_cells(report: Report) -> tuple[list[str], list[list[str]]]:
    """The headings and the cells of the table, with a column of the paper's figures where it has
    any.
    """
    paper = report.problem_name in PAPER
    head = ["", f"{report.metric} (mean ± sd)", *(["paper"] if paper else [])]
    return head, [[row.name, row.score, *([row.paper] if paper else [])] for row in report_rows(report)]


def report_size(report: Report) -> str:
    """How large the network is, as it is and in its normal form."""
    return f"{counted(report.connections, 'connection')}, {report.canonical_connections} in normal form"


def report_note(report: Report) -> str:
    """What the scores rest on."""
    draws = report.random_shared.episodes
    if report.stochastic:
        return f"{report.measured_on} per score"
    return f"{report.measured_on}; {counted(draws, 'draw')} of random weights"
