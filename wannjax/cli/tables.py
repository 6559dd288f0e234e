"""The tables that people see at the end of a run, and of what is asked about a network."""

from collections.abc import Sequence

import numpy as np
from rich.console import Group
from rich.text import Text

from wannjax.analysis.evaluation import Report
from wannjax.analysis.explanation import Explanation
from wannjax.analysis.motifs import Motifs
from wannjax.analysis.pruning import Pruned
from wannjax.analysis.score_table import report_cells, report_note, report_size
from wannjax.analysis.sensitivity import WeightCurve
from wannjax.common.digits import number, numbers, with_spread
from wannjax.common.terminal import LiteralTable
from wannjax.common.wording import counted
from wannjax.ensembles import Ensemble
from wannjax.finetuning import Tuned
from wannjax.networks.network import connection_count
from wannjax.problems.registry import entries
from wannjax.runs.many import ManyResults
from wannjax.runs.result import Result
from wannjax.runs.run_directory import Saved


def report_table(*reports: Report) -> Group:
    """One network's scores, of one split or several, beside the paper's where it has any."""
    report = reports[0]
    head, rows = report_cells(reports)
    table = LiteralTable()
    for column in head:
        table.add_column(column, justify="right" if column else "left")
    for place, cells in enumerate(rows):
        table.add_row(*cells, end_section=place == len(report.per_weight))
    return _titled(f"{report.problem_name}: {report_size(report)}", table, report_note(reports))


def result_table(result: Result) -> Group:
    """A run's champion: its scores in the paper's protocol where they were measured, else those of
    the final comparison.
    """
    ended = " (interrupted)" if result.interrupted else ""
    run = Text(f"{result.config.name}, seed {result.seed}: {counted(len(result.history['generation']), 'generation')}{ended}")
    if result.report is not None:
        return Group(report_table(result.report), run)
    table = LiteralTable()
    table.add_column("")
    table.add_column("score of the champion", justify="right")
    scores = result.champion_scores.tolist()
    mean, *each = numbers([float(np.mean(scores)), *scores])
    if result.champion.weights is None:
        for place, (weight, score) in enumerate(zip(result.config.weights, each, strict=True), 1):
            table.add_row(f"shared weight {weight:g}", score, end_section=place == len(each))
        table.add_row("mean over the sweep", mean)
    else:
        table.add_row("weights of its own", mean)
    title = f"{result.problem_name}: {counted(connection_count(result.champion), 'connection')}"
    return Group(_titled(title, table, "in the final comparison"), run)


def many_table(many: ManyResults) -> Group:
    """The champions of several runs: median over seeds, and quartiles, for each of the settings."""
    table = LiteralTable(box=None, pad_edge=False)
    table.add_column("")
    for column in ("mean score", "connections"):
        table.add_column(column, justify="right", no_wrap=True)
    for place, label in enumerate(many.labels):
        table.add_row(label, *(_in_brackets(*(part[place] for part in each)) for each in (many.champion_means, many.champion_connections)))
    generations = counted(len(many.results[0].history["generation"]), "generation")
    ended = " (interrupted)" if many.interrupted else ""
    title = f"{many.problem_name}: champions of {counted(len(many.seeds), 'seed')} after {generations}{ended}, median [quartiles]"
    return _titled(title, table)


def seeds_table(problem: str, runs: dict[int, Saved]) -> Group:
    """The champions of searches over seeds, one a line, and their median and quartiles."""
    table = LiteralTable()
    for column in ("seed", "mean score", "connections", "generations", "seconds"):
        table.add_column(column, justify="right")
    columns = [
        [run.mean for run in runs.values()],
        [float(connection_count(run.champion)) for run in runs.values()],
        [float(len(run.history["generation"])) for run in runs.values()],
        [run.seconds for run in runs.values()],
    ]
    cells = zip(*map(numbers, columns), strict=True)
    for place, (seed, row) in enumerate(zip(runs, cells, strict=True), 1):
        table.add_row(f"{seed}", *row, end_section=place == len(runs))
    table.add_row("median [quartiles]", *(_in_brackets(*np.quantile(column, (0.25, 0.5, 0.75))) for column in columns))
    return _titled(f"{problem}: champions of {counted(len(runs), 'seed')}", table, "mean scores are of the final comparisons")


def tuned_table(tuned: Tuned) -> Group:
    """What training found: the best network's score, and that of what came of every start."""
    table = LiteralTable()
    table.add_column("")
    table.add_column("held-out score", justify="right")
    best, *each = numbers([tuned.score, *tuned.member_scores.tolist()])
    start = f"{tuned.start} weights" if isinstance(tuned.start, str) else f"shared weight {tuned.start:g}"
    table.add_row(f"the best, from {start}", best, end_section=True)
    for place, score in enumerate(each, 1):
        table.add_row(f"start {place}", score)
    ended = " (interrupted)" if tuned.interrupted else ""
    steps = f"{counted(connection_count(tuned.network), 'weight')}, {counted(int(tuned.history['step'][-1]), 'step')}{ended}"
    return _titled(f"{tuned.problem_name}: tuned by {tuned.method.name}, seed {tuned.seed}", table, steps)


def ensemble_table(ensemble: Ensemble) -> Group:
    """What a collection is made of."""
    table = LiteralTable(show_header=False)
    table.add_column("")
    table.add_column("")
    network, seen = ensemble.network, ", ".join(ensemble.context_names) or "the observation"
    sizes = (counted(network.inputs, "input"), counted(network.outputs, "output"), counted(connection_count(network), "connection"))
    table.add_row("network", ", ".join(sizes))
    table.add_row("combined by", ensemble.rule)
    table.add_row("gate", "none: all count the same" if ensemble.gate is None else f"sees {seen}")
    return _titled(f"collection of {counted(ensemble.size, 'member')}", table)


def curve_table(curve: WeightCurve) -> Group:
    """The score at every shared weight."""
    table = LiteralTable()
    for name in ("shared weight", "mean", "sd"):
        table.add_column(name, justify="right")
    for weight, mean, deviation in zip(curve.weights, curve.means, curve.deviations, strict=True):
        table.add_row(f"{weight:g}", *numbers([mean, deviation], deviation))
    return _titled(f"{curve.metric} over the shared weight", table, _summary(curve))


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
    head = f"{explanation.problem_name}: score {number(explanation.scores.mean())} at {', '.join(f'{w:g}' for w in explanation.weights)}"
    legend = "± standard error; saturated: share of steps; linear: 1 where a node acts like a line over all that it met"
    second = _titled(_shown("nodes", len(effects), top), nodes, legend if explanation.activity else "± standard error")
    return Group(Text(head), first, second, Text(f"{good}: {_summary(curve)}"))


def pruned_table(pruned: Pruned) -> Group:
    """A network before and after pruning."""
    table = LiteralTable()
    for column in ("", "before", "after"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("connections", str(pruned.connections_before), str(pruned.connections_after))
    table.add_row("mean score", *numbers([pruned.score_before, pruned.score_after], pruned.cost_error or abs(pruned.cost)))
    cost = f"cost {with_spread(pruned.cost, pruned.cost_error)} of {pruned.tolerance:g} allowed"
    parts = [_listed("nodes with their connections", pruned.removed_nodes), _listed("connections", pruned.removed_between)]
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


def environments_table(library: str | None = None) -> LiteralTable:
    """What there is to solve, in all or of one library, with its sizes and what it needs."""
    table = LiteralTable(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    for column in ("inputs", "outputs", "steps at most"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("needs")
    table.add_column("an episode on a GPU runs")
    for entry in entries(library):
        sizes = (entry.inputs, entry.outputs, entry.max_steps)
        table.add_row(entry.name, *("" if size is None else str(size) for size in sizes), entry.needs, entry.on_a_gpu)
    return table


def _titled(title: str, table: LiteralTable, note: str = "") -> Group:
    """A table between two lines that may be longer than it is wide."""
    return Group(Text(title, style="italic"), table, *([Text(note, style="dim")] if note else []))


def _summary(curve: WeightCurve) -> str:
    """How good the best and the worst shared weight are, and how many are good."""
    best, worst = numbers([curve.means.max(), curve.means.min()], curve.means.max() - curve.means.min())
    extremes = f"best {best} at {curve.best_weight:g}, worst {worst}"
    return f"{extremes}; near its best at {100 * curve.good_share:.0f} % of them"


def _in_brackets(lower: float, median: float, upper: float) -> str:
    """Median and quartiles."""
    shown = numbers([median, lower, upper], upper - lower)
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


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
