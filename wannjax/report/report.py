"""`report.html`: what a run found, as one page to read and to send, made from the files of its run
directory.

To add a part, write a function that returns HTML (see `document`) and name it in `write`. The page
holds no times but those in the files, so that the same files give the same page.
"""

import shlex
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from wannjax.analysis.canonical import canonical
from wannjax.analysis.evaluation import Report, evaluate_splits, measured_on, splits_of
from wannjax.analysis.formula import formula
from wannjax.analysis.predictions import predictions
from wannjax.analysis.score_table import PAPER, report_cells, report_note, report_size
from wannjax.analysis.sensitivity import WeightCurve, weight_curve
from wannjax.common.digits import number, numbers
from wannjax.common.files import write_text
from wannjax.common.wording import counted
from wannjax.networks.activations import NAMES
from wannjax.networks.files import load
from wannjax.networks.graph import graph_of
from wannjax.networks.network import Network, connection_count
from wannjax.pictures.curves import draw_curves, plot_front, plot_scores, plot_sizes, plot_weights
from wannjax.pictures.drawing import draw, drawing_svg, sketch_svg
from wannjax.problems.capabilities import Supervised
from wannjax.problems.problem import Problem, is_measurable
from wannjax.problems.registry import DATA_SETS, is_known
from wannjax.report.document import explorable, folded, page, paragraph, picture, plotted, preformatted, strip, table
from wannjax.report.predictions import predictions_part
from wannjax.runs import run_directory
from wannjax.runs.run import final_episodes, suited
from wannjax.search.wann.config import SWEEP, WannConfig

CURVE_EPISODES = 32
"""Episodes at every shared weight of the curve."""

_MOST_ROWS = 100
"""Rows of the table of generations."""

_MOST_LISTED = 400
"""Connections of the champion that are listed as text."""


def write(directory: Path, problem: Problem) -> Report | None:
    """Writes the page, `report.html`, and the pictures into a run directory from the data there,
    and returns the champion's scores on `problem` that the page shows; None for a problem without
    `measure`, of which the page says so.

    Raises ValueError for files that make no sense and for a problem of other sizes, and OSError.
    """
    saved = run_directory.read(directory)
    sweep = " over the sweep" if len(saved.config.weights) > 1 else ""
    draw(saved.champion, directory / run_directory.DRAWING, title=f"{saved.problem}: mean score {number(saved.mean)}{sweep}")
    draw_curves(saved.history, directory / run_directory.CURVES, title=saved.problem)
    report, table_part = None, paragraph(f"Not measured: {problem.name} has no `measure`, which reports need.")
    weight_part, of_data = table_part, []
    if is_measurable(problem):
        splits = splits_of(problem)
        reports = evaluate_splits(saved.champion, problem, seed=saved.seed, weights=_sweep(saved))
        report = reports[-1]
        curve = weight_curve(saved.champion, problem, episodes=CURVE_EPISODES, seed=saved.seed)
        table_part, weight_part, of_data = (
            _table(reports, splits),
            _weights(curve, problem),
            _predictions(saved, problem, report, directory),
        )
    sections = [
        ("scores", "Scores beside the paper" if saved.problem in PAPER else "Scores", table_part),
        ("champion", "The champion", _champion(saved)),
        ("formulas", "Its formulas", _formulas(saved.champion)),
        ("weight", "Score against the shared weight", weight_part),
        *of_data,
        ("search", "The search", _search(saved)),
        ("front", "The front: score against size", _front(saved)),
        ("growth", "How the champion grew", _growth(saved)),
        ("settings", "Settings and versions", _settings(saved, problem)),
        ("again", "How to run it again", _again(saved, problem, directory)),
    ]
    write_text(
        directory / run_directory.REPORT,
        page(f"{saved.problem}: {saved.config.name} search, seed {saved.seed}", _lead(saved, problem), sections),
    )
    return report


def _sweep(saved: run_directory.Saved) -> tuple[float, ...]:
    """The shared weights of the table: those of the search; the usual ones, of the bare wiring, for
    networks with own weights.
    """
    return saved.config.weights if saved.champion.weights is None else SWEEP


def _which_weights(saved: run_directory.Saved) -> str:
    weights = ", ".join(f"{weight:g}" for weight in saved.config.weights)
    return f"over the shared weights {weights}" if saved.champion.weights is None else "with weights of its own"


def _lead(saved: run_directory.Saved, problem: Problem) -> str:
    generations, planned = len(saved.history["generation"]), saved.config.generations
    ended = "" if generations >= planned else f" of {planned}; the run was ended early"
    form = canonical(saved.champion).network
    episodes = measured_on(problem, "validation", final_episodes(saved.config)) + (" a weight" if problem.stochastic else "")
    return paragraph(
        f"The champion has {_size(saved.champion)} ({_size(form)} in normal form, where what computes a constant, or the same twice, "
        f"counts once), and a mean score of {number(saved.mean)} {_which_weights(saved)}, on {episodes} of the final comparison, which it "
        f"won. Found in {counted(generations, 'generation')}{ended}, {saved.config.population} networks each, {saved.seconds:.0f} s."
    )


def _size(network: Network) -> str:
    graph = graph_of(network)
    return f"{counted(len(graph.connections), 'connection')} and {counted(len(graph.activations) - graph.outputs, 'hidden node')}"


def _table(reports: Sequence[Report], splits: Sequence[str]) -> str:
    report = reports[-1]
    head, rows = report_cells(reports)
    source = (
        '<p>Paper: <a href="https://arxiv.org/abs/1906.04358">Gaier &amp; Ha 2019, Weight Agnostic Neural Networks</a>, table 1.</p>\n'
        if report.problem_name in PAPER
        else ""
    )
    note = (
        "Measured on episodes of their own, on which no network was chosen: the scores to compare with others. Those of the "
        "headline and of the search are of episodes on which the champion was chosen."
        if report.stochastic
        else f"{report.metric}; the scores in the headline and the curves are minus the loss, on the examples that chose the champion. "
        + _roles(splits)
    )
    return paragraph(note[0].upper() + note[1:]) + table(f"{report_size(report)}; {report_note(reports)}", head, rows) + source


def _roles(splits: Sequence[str]) -> str:
    """What the examples of each split were for."""
    if "train" not in splits:
        return ""
    chose = "validation" if "validation" in splits else "same"
    held_out = " The test examples had no say in anything." if "test" in splits else " There are no test examples: all of it is optimistic."
    return f"The training examples bred the networks; the {chose} ones chose the champion and the tuned shared weight.{held_out}"


def _predictions(saved: run_directory.Saved, problem: Problem, report: Report, directory: Path) -> list[tuple[str, str, str]]:
    """The sections on what the champion predicts, and what the network does that training made of
    it, where the directory holds one; none unless `problem` is data with classes or numbers.
    """
    if not isinstance(problem, Supervised) or problem.sequential or not (problem.classifies or problem.regresses):
        return []
    weight = report.tuned_weight if saved.champion.weights is None else 1.0
    found = predictions(saved.champion, problem, weight=weight)
    sections = [("predictions", "What the champion predicts", predictions_part(found, saved.champion, "champion"))]
    if (directory / run_directory.TUNED).exists():
        tuned = load(directory / run_directory.TUNED)
        content = predictions_part(predictions(tuned, problem), tuned, "tuned")
        sections.append(("tuned", "What it predicts with trained weights", content))
    return sections


def _champion(saved: run_directory.Saved) -> str:
    graph = graph_of(saved.champion).with_printable_names()
    head = ["connection", "source's activation", "target's activation", *(["weight"] if graph.has_weights else [])]
    rows = [
        (
            graph.connection_label(each),
            graph.activation_name(each.source) or "none",
            graph.activation_name(each.target),
            *([] if each.weight is None else [f"{each.weight:.4g}"]),
        )
        for each in graph.connections[:_MOST_LISTED]
    ]
    used = ", ".join(NAMES[activation] for activation in sorted(set(graph.activations)))
    caption = (
        f"From the inputs on the left to the outputs on the right; each activation has its own symbol ({used}). Drag to move; click it, "
        "then the wheel, + and -, the arrow keys and 0 work too. Point at a node or a line to see what it is."
    )
    mean = f"{saved.problem}: mean score {number(saved.mean)} over the sweep, in the final comparison"
    shown = f"the first {len(rows)} of {len(graph.connections)}" if len(rows) < len(graph.connections) else f"all {len(rows)}"
    return explorable(drawing_svg(saved.champion, mean, labels=True), caption) + folded(
        "The drawing as a list", table(f"Connections, {shown}", head, rows, figures=False)
    )


def _formulas(network: Network) -> str:
    formulas = formula(network)
    said = "w is the shared weight, and scales the individual weights." if network.weights is not None else "w is the shared weight."
    said += " h1, h2 and so on are hidden nodes, by their labels in the drawing."
    if formulas.last:
        said += " [t-1] marks what one was in the last time step, 0 in the first."
    return (
        paragraph(said)
        + preformatted(str(formulas), "Formulas")
        + folded("As LaTeX", preformatted(formulas.latex(), "Formulas as LaTeX"))
        + folded("As a Python function", preformatted(formulas.python().rstrip(), "Formulas as Python"))
    )


def _weights(curve: WeightCurve, problem: Problem) -> str:
    best, spread = curve.best_weight, float(curve.deviations.mean())
    rest = measured_on(problem, "test", curve.episodes) + (" each" if problem.stochastic else "")
    highest, lowest = numbers([curve.means.max(), curve.means.min()], spread)
    told = (
        f"{curve.metric} is highest at a shared weight of {best:.1f}, {highest}, and lowest, "
        f"{lowest}, at {curve.weights[np.argmin(curve.means)]:.1f}; within a tenth of that range of the best at "
        f"{100 * curve.good_share:.0f} % of the weights from {curve.weights[0]:g} to {curve.weights[-1]:g}."
    )
    told = told[0].upper() + told[1:]
    label = "mean; shaded: ± sd" if problem.stochastic else "champion"
    svg = plotted(lambda axes: plot_weights(axes, {label: curve}), f"Score against the shared weight. {told}")
    rows = [
        (f"{weight:.1f}", *numbers([mean, deviation], deviation))
        for weight, mean, deviation in zip(curve.weights, curve.means, curve.deviations, strict=True)
    ]
    data = table(f"{curve.metric} at each shared weight, {rest}", ("shared weight", "mean", "sd"), rows)
    return paragraph(told) + picture(svg, "weights", f"{rest[0].upper()}{rest[1:]}.") + folded("The curve as a table", data)


def _search(saved: run_directory.Saved) -> str:
    history = saved.history
    first, last = history["champion_score"][0], history["champion_score"][-1]
    sizes = history["champion_connections"]
    scores = plotted(
        lambda axes: plot_scores(axes, history),
        f"Mean score over generations: the champion's, when confirmed, goes from {number(first)} at first to {number(last)} at last.",
    )
    counts = plotted(
        lambda axes: plot_sizes(axes, history),
        f"Sizes over generations: the champion's connections go from {sizes[0]:.0f} at first to {sizes[-1]:.0f} at last.",
    )
    columns = ("mean_score", "median_score", "champion_score", "champion_connections", "median_connections", "largest_hidden")
    count = len(history["generation"])
    kept = np.unique(np.linspace(0, count - 1, min(count, _MOST_ROWS)).round().astype(int))
    rows = [(f"{history['generation'][i]:.0f}", *(number(history[name][i]) for name in columns)) for i in kept]
    head = (
        "generation", "best mean score", "median mean score", "champion's, when confirmed", "champion's connections", "median connections",
        "hidden nodes of the largest",
    )  # fmt: skip
    caption = (
        f"{counted(len(rows), 'generation')} of {count}; {run_directory.HISTORY} has all of them"
        if len(rows) < count
        else "All generations"
    )
    pictures = picture(scores, "history-scores") + picture(counts, "history-sizes")
    note = paragraph(
        "Scores here and below are what the search maximises: returns of episodes, or minus the loss on data. The champion's are those of "
        "the rounds that confirmed it, of many rounds the luckiest: they are optimistic."
    )
    return note + f'<div class="pair">{pictures}</div>\n' + folded("The curves as a table", table(caption, head, rows))


def _front(saved: run_directory.Saved) -> str:
    if not saved.front:
        return paragraph("No network of the last generation had a finite score in the final comparison.")
    sizes = [connection_count(network) for network in saved.front]
    champion = (connection_count(saved.champion), saved.mean)
    alt = (
        f"Mean score against connections, {counted(len(sizes), 'network')} of {min(sizes)} to {max(sizes)} connections with scores from "
        f"{number(min(saved.front_means))} to {number(max(saved.front_means))}; the champion: {champion[0]} and {number(champion[1])}."
    )
    svg = plotted(lambda axes: plot_front(axes, sizes, saved.front_means, champion), alt)
    rows = [("champion", str(champion[0]), number(champion[1]))]
    rows += [(f"{place}", str(size), number(mean)) for place, (size, mean) in enumerate(zip(sizes, saved.front_means, strict=True), 1)]
    note = (
        "Networks of the last generation of which none is at least as good as another in mean score, best score and fewness of connections "
        f"together; scored on the episodes of the final comparison. {run_directory.FRONT} holds them."
    )
    data = table("The front, best mean score first", ("network", "connections", "mean score"), rows)
    return paragraph(note) + picture(svg, "front-plot") + folded("The front as a table", data)


def _growth(saved: run_directory.Saved) -> str:
    items = [(f"Generation {stage.generation}", stage.network, stage.score) for stage in saved.growth]
    if not items or graph_of(items[-1][1]) != graph_of(saved.champion):
        items.append(("Chosen in the final comparison", saved.champion, saved.mean))
    pictures = []
    for when, network, score in items:
        caption = f"{when}: {counted(connection_count(network), 'connection')}, score {number(score)}"
        pictures.append((sketch_svg(network, f"Drawing of the champion. {caption}"), caption))
    note = (
        "The champions of the search at the generations in which they became it. Scores are those of the rounds that confirmed them, and "
        "optimistic; the last, where it was chosen in the final comparison, has its score there."
    )
    return paragraph(note) + strip(pictures, "growth-")


def _changes(saved: run_directory.Saved, problem: Problem) -> dict[str, Any]:
    """The settings that are not the defaults: those that were left to the problem are."""
    default = suited(type(saved.config)(), problem)
    values = {setting.name: getattr(saved.config, setting.name) for setting in fields(saved.config)}
    return {name: value for name, value in values.items() if value != getattr(default, name)}


def _settings(saved: run_directory.Saved, problem: Problem) -> str:
    changes = _changes(saved, problem)
    rows = [("problem", saved.problem, ""), ("seed", str(saved.seed), "")]
    for setting in fields(saved.config):
        changed = " (not the default)" if setting.name in changes else ""
        rows.append((setting.name, f"{_plain(getattr(saved.config, setting.name))}{changed}", setting.metadata["meaning"].replace("`", "")))
    versions = [*saved.versions.items()]
    return (
        table("Settings of the search", ("setting", "value", "meaning"), rows, figures=False, stacked=True)
        + "<h3>Versions</h3>\n"
        + table(f"Ran on {saved.devices}", ("package", "version"), versions, figures=False)
    )


def _again(saved: run_directory.Saved, problem: Problem, directory: Path) -> str:
    changes, library = _changes(saved, problem), str(directory / run_directory.LIBRARY)
    in_python = {name: repr(value) for name, value in changes.items()}
    if "blocks" in changes:
        in_python["blocks"], changes["blocks"] = f"wannjax.load_blocks({library!r})", library
    settings = ", ".join(f"{name}={value}" for name, value in in_python.items())
    call = f"wannjax.{type(saved.config).__name__}({settings}), seed={saved.seed}"
    known = is_known(saved.problem)
    path = "PATH" if saved.problem == "mnist" else None
    made = f"wannjax.make({saved.problem!r}{', path=PATH' if path else ''})" if known else "...  # your own problem, made as it was then"
    python = f"import wannjax\n\nproblem = {made}\nresult = wannjax.evolve(problem, {call})"
    python_part = "<h3>In Python</h3>\n" + preformatted(python, "Python call")
    if not known:
        return python_part
    algorithm = "" if isinstance(saved.config, WannConfig) else f"--algorithm {saved.config.name}"
    options = " ".join(_option(name.replace("_", "-"), value) for name, value in changes.items())
    command = " ".join(
        part
        for part in (
            f"wannjax evolve {shlex.quote(saved.problem)} --seed {saved.seed}",
            f"--data {path}" if path else "",
            algorithm,
            options,
        )
        if part
    )
    here, data = shlex.quote(str(directory)), f" --data {path}" if path else ""
    resume = f"wannjax resume {here}{data} --generations {2 * saved.config.generations}"
    if len(saved.history["generation"]) < saved.config.generations:
        resume = f"wannjax resume {here}{data}"
    verbs = ["evaluate", "explain", "finetune", *([] if saved.problem in DATA_SETS else ["watch"]), "report"]
    return (
        paragraph(
            "The same versions, seed and settings give the same networks, however many CPU devices there are. A problem that was made with "
            "options of its own must be made with them again. Paths are as they were given when this page was written: paste the commands "
            "where it was written from."
        )
        + "<h3>On the command line</h3>\n"
        + preformatted(command, "Command")
        + python_part
        + "<h3>To go on from the last checkpoint</h3>\n"
        + preformatted(resume, "Command to resume")
        + "<h3>To measure, explain, watch and train the champion</h3>\n"
        + preformatted("\n".join(f"wannjax {verb} {here}{data}" for verb in verbs), "Further commands")
    )


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _option(name: str, value: object) -> str:
    return f"--{'' if value else 'no-'}{name}" if isinstance(value, bool) else f"--{name} {_quoted(value)}"


def _quoted(value: object) -> str:
    parts: Sequence[object] = value if isinstance(value, tuple) else (value,)
    return " ".join(shlex.quote(str(part)) for part in parts)
