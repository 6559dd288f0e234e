"""The tables that people see at the end of a run, and of what is asked about a network."""

from collections.abc import Sequence

import numpy as np
from rich.console import Group
from rich.text import Text

from wannjax.analysis.evaluation import Report
from wannjax.analysis.explanation import Explanation
from wannjax.analysis.motifs import Motifs
from wannjax.analysis.pruning import Pruned
from wannjax.analysis.score_table import PAPER, report_note, report_rows, report_size
from wannjax.common.digits import number, numbers, with_spread
from wannjax.common.terminal import LiteralTable
from wannjax.common.wording import counted
from wannjax.problems.problem import Problem
from wannjax.problems.registry import entries


def report_table(report: Report, problem: Problem) -> Group:
    """One network's scores, beside the paper's where it has any."""
    paper = problem.name in PAPER
    table = LiteralTable()
    table.add_column("")
    table.add_column(f"{problem.metric} (mean ± sd)", justify="right")
    if paper:
        table.add_column("paper", justify="right")
    for place, row in enumerate(report_rows(report, problem)):
        table.add_row(row.name, row.score, *([row.paper] if paper else []), end_section=place == len(report.per_weight))
    return _titled(f"{problem.name}: {report_size(report)}", table, report_note(report, problem))


def explanation_tables(explanation: Explanation, top: int = 12) -> Group:
    """The `top` connections and nodes by the score that is lost without them, and what nodes do."""
    graph = explanation.graph
    effects = explanation.connection_effects.mean(axis=1)
    connections = LiteralTable()
    connections.add_column("")
    if graph.has_weights:
        connections.add_column("weight", justify="right")
    connections.add_column("score lost without it", justify="right")
    for place in np.argsort(-effects, kind="stable")[:top].tolist():
        weight = graph.connections[place].weight
        own = [] if weight is None else [f"{weight:.3g}"]
        connections.add_row(explanation.connection_name(place), *own, with_spread(effects[place], explanation.connection_errors[place]))

    first = _titled(_shown("connections", len(effects), top), connections)
    effects = explanation.node_effects.mean(axis=1)
    nodes = LiteralTable()
    nodes.add_column("")
    nodes.add_column("activation")
    nodes.add_column("score lost", justify="right", no_wrap=True)
    if explanation.activity:
        for column in ("range", "saturated", "linear"):
            nodes.add_column(column, justify="right", no_wrap=True)
    for place in np.argsort(-effects, kind="stable")[:top].tolist():
        node = int(explanation.nodes[place])
        effect = with_spread(effects[place], explanation.node_errors[place])
        nodes.add_row(graph.label(node), graph.activation_name(node), effect, *_activity_cells(explanation, node))
    for node in range(graph.size - graph.outputs, graph.size):
        nodes.add_row(graph.label(node), graph.activation_name(node), "", *_activity_cells(explanation, node))

    curve = explanation.curve
    good = f"{curve.metric} over shared weights from {curve.weights[0]:g} to {curve.weights[-1]:g}"
    best, worst = numbers([curve.means.max(), curve.means.min()], curve.means.max() - curve.means.min())
    extremes = f"best {best} at {curve.best_weight:g}, worst {worst}"
    summary = f"{good}: {extremes}; near its best at {100 * curve.good_share:.0f} % of them"
    head = f"{explanation.problem_name}: score {number(explanation.scores.mean())} at {', '.join(f'{w:g}' for w in explanation.weights)}"
    legend = "± standard error; saturated: share of steps; linear: 1 where a node acts like a line over all that it met"
    second = _titled(_shown("nodes", len(effects), top), nodes, legend if explanation.activity else "± standard error")
    return Group(Text(head), first, second, Text(summary))


def pruned_table(pruned: Pruned) -> Group:
    """A network before and after pruning."""
    table = LiteralTable()
    for column in ("", "before", "after"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("connections", str(pruned.connections_before), str(pruned.connections_after))
    table.add_row("mean score", *numbers([pruned.score_before, pruned.score_after], pruned.cost_error or abs(pruned.cost)))
    cost = f"cost {with_spread(pruned.cost, pruned.cost_error)} of {pruned.tolerance:g} allowed"
    single = [name for name in pruned.removed_connections if not {*name.split(" → ")} & {*pruned.removed_nodes}]
    parts = [_listed("nodes with their connections", pruned.removed_nodes), _listed("connections", single)]
    return Group(table, *(Text(part) for part in (cost, *parts) if part))


def motifs_table(motifs: Motifs) -> Group:
    """The building blocks that recur, the most significant first."""
    counts = f"{counted(motifs.networks, 'network')} in the fronts of {counted(motifs.runs, 'run')}"
    caption = f"{counts}; z-scores of {motifs.draws} draws of rewired networks"
    table = LiteralTable()
    table.add_column("block", overflow="fold")
    for column in ("z", "a network", "at random", "networks", "runs"):
        table.add_column(column, justify="right", no_wrap=True)
    for motif in motifs.ranked:
        often = numbers([motif.count, motif.expected], motif.spread)
        table.add_row(motif.block.name, f"{motif.z:.1f}", *often, str(motif.networks), str(motif.runs))
    return _titled("building blocks", table, caption)


def environments_table() -> LiteralTable:
    """What there is to solve, with its sizes and what it needs."""
    table = LiteralTable(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    for column in ("inputs", "outputs", "steps at most"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("needs")
    for entry in entries():
        sizes = (entry.inputs, entry.outputs, entry.max_steps)
        table.add_row(entry.name, *("" if size is None else str(size) for size in sizes), entry.needs)
    return table


def _titled(title: str, table: LiteralTable, note: str = "") -> Group:
    """A table between two lines that may be longer than it is wide."""
    return Group(Text(title, style="italic"), table, *([Text(note, style="dim")] if note else []))


def _listed(kind: str, names: Sequence[str], most: int = 12) -> str:
    """One line on what was removed; empty where nothing was."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"removed {kind}: {', '.join(names[:most])}{more}" if names else ""


def _shown(kind: str, count: int, top: int) -> str:
    return f"{kind} that matter most, {top} of {count}" if count > top else f"{kind}, what matters most first"


def _activity_cells(explanation: Explanation, node: int) -> list[str]:
    """Range, saturated share and linearity of one node; empty for bias and inputs."""
    activity, place = explanation.activity, node - explanation.graph.first_hidden
    if activity is None:
        return []
    if place < 0:
        return ["", "", ""]
    low, high = activity.low[place].min(), activity.high[place].max()
    if activity.dead[place]:
        return [f"always {low:.3g}" if low == high else f"constant, {low:.3g} to {high:.3g}", "", ""]
    saturated, linear = activity.saturated[place], activity.linearity[place]
    share = "" if np.isnan(saturated).all() else f"{100 * np.nanmean(saturated):.0f} %"
    return [f"{low:.3g} to {high:.3g}", share, "" if np.isnan(linear).all() else f"{np.nanmean(linear):.2f}"]
