"""The tables that people see at the end of a run."""

from rich.table import Table

from wannjax.evaluation import PAPER, Report, decimals_for
from wannjax.problems import Problem


def report_table(report: Report, problem: Problem) -> Table:
    """One network's scores, beside the paper's where it has any."""
    paper = PAPER.get(problem.name)
    draws = report.random_shared.episodes
    caption = f"{draws} fresh episodes per score" if problem.stochastic else f"test examples; {draws} draws of random weights"
    table = Table(title=f"{problem.name}: {report.connections} connections", caption=caption, title_justify="left")
    table.add_column("")
    table.add_column(f"{problem.metric} (mean ± sd)", justify="right")
    if paper:
        table.add_column("paper", justify="right")

    def row(name: str, score: object, published: str = "", *, end_section: bool = False) -> None:
        table.add_row(name, str(score), *([published] if paper else []), end_section=end_section)

    for weight, score in report.per_weight.items():
        row(f"shared weight {weight:g}", score)
    row("mean over the sweep", f"{report.mean:.{decimals_for(report.mean)}f}", end_section=True)
    row("random weights", report.random_weights, paper.random_weights if paper else "")
    row("random shared weight", report.random_shared, paper.random_shared if paper else "")
    row(f"tuned shared weight ({report.tuned_weight:.2f})", report.tuned_shared, paper.tuned_shared if paper else "")
    if report.tuned_weights:
        row("tuned weights", report.tuned_weights, paper.tuned_weights if paper else "")
    return table
