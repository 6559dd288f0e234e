"""Which searches find better networks: `python -m benchmarks.search_study [--seeds 0 1 2 3 4]
[--evaluations 100000]`.

Every candidate of `candidates.py` searches swing-up with every seed and the same number of
evaluations (one network over the six weights of the sweep, four episodes each; a sweep or a number
of episodes that differs counts in proportion), and its champion is scored on 100 fresh episodes per
weight. `--carry N` then gives the N best candidates, and what they start from, five times as much.
Every finished search is a line of the results at once; a second call does only what is missing, and
goes on with what was ended early. Start the same command in as many processes as you like, each on
cores of its own (`taskset -c 0 python -m …`): they share the searches out. Prints medians and
quartiles, and draws them.

The best of so many candidates is best by luck, too, and going on with the same seeds does not take
that away. `--fresh N` runs the winner and its start on N seeds that the study never used, and
prints what is left of the gain:

    python -m benchmarks.search_study --fresh 16

Errors are of the difference of two means, unpaired: equal seeds have no more in common here than
others (the correlation of winner and start over seeds is -0.4 in the study, and 0.0 on eight more).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import wannjax
from benchmarks.common import print_table
from benchmarks.search_study import search
from benchmarks.search_study.candidates import CANDIDATES
from benchmarks.tasks import quartiles
from wannjax.cli.options import exit_code
from wannjax.common import devices
from wannjax.common.wording import counted

CARRIED = 5
"""How many times the evaluations of the screening the best candidates get."""
WINNER = "lexicase: half the tolerance"
"""The best by median of the candidates on the seeds 0 to 4, which is how it was chosen."""
FRESH = 1000
"""The first of the seeds that confirm it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--evaluations", type=int, default=100_000, help="of the screening")
    parser.add_argument("--carry", type=int, default=0, metavar="N", help=f"candidates that get {CARRIED} times as many")
    parser.add_argument("--fresh", type=int, default=0, metavar="N", help=f"only the winner and its start, on N seeds from {FRESH} on")
    parser.add_argument(
        "--candidates", nargs="+", default=None, choices=list(CANDIDATES), metavar="NAME", help="only these, such as 'ranked: ageing'"
    )
    parser.add_argument("--runs", type=Path, default=Path("benchmarks/results/search_study"), help="the folder for run directories")
    parser.add_argument("--results", type=Path, default=Path("benchmarks/search_study/results.jsonl"))
    parser.add_argument("--picture", type=Path, default=Path("docs/search_study.png"))
    options = parser.parse_args()

    names = [WINNER, CANDIDATES[WINNER].group] if options.fresh else options.candidates or list(CANDIDATES)
    wannjax.use_all_cores()
    devices.cache_compilations()
    seeds = list(range(FRESH, FRESH + options.fresh)) if options.fresh else options.seeds
    work_off(names, seeds, options.evaluations, options)
    runs = results_of(names, seeds, options.results)
    screened = finished(runs, names, options.evaluations)
    if options.fresh:
        winner, start = ([run["mean"] for run in screened[name]] for name in names)
        print_confirmation(winner, start, options.evaluations)
        return
    best = sorted(screened, key=lambda name: -np.median([run["mean"] for run in screened[name]]))[: options.carry]
    starts = {CANDIDATES[name].group for name in best}
    work_off(list(dict.fromkeys([*best, *starts])), options.seeds, CARRIED * options.evaluations, options)
    runs = results_of(names, seeds, options.results)
    for evaluations in (options.evaluations, CARRIED * options.evaluations):
        if found := finished(runs, names, evaluations):
            print_summary(found, evaluations)
    if screened:
        draw_quartiles(screened, finished(runs, names, CARRIED * options.evaluations), options.evaluations, options.picture)


def results_of(names: list[str], seeds: list[int], path: Path) -> list[dict]:
    """The results on record of candidates as they are now on these seeds, each once, whichever
    process wrote it down.
    """
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    current = {name: search.settings_of(name) for name in names}
    lines = [run for run in lines if run["candidate"] in current and run["seed"] in seeds]
    lines = [run for run in lines if run["settings"].items() <= current[run["candidate"]].items()]
    return list({(run["candidate"], run["seed"], run["evaluations"]): run for run in lines}.values())


def work_off(names: list[str], seeds: list[int], evaluations: int, options: argparse.Namespace) -> None:
    """Runs what is not on record yet, candidate by candidate, and adds it to the results. Ends the
    program where others still have some of it, or when it was ended early.
    """

    def missing() -> dict[str, list[int]]:
        found = results_of(names, seeds, options.results)
        done = {(run["candidate"], run["seed"]) for run in found if run["evaluations"] == evaluations}
        return {name: left for name in names if (left := [seed for seed in seeds if (name, seed) not in done])}

    def keep(run: dict) -> None:
        with open(options.results, "a", encoding="utf-8") as file:
            file.write(json.dumps(run) + "\n")

    options.results.parent.mkdir(parents=True, exist_ok=True)
    left, before = missing(), None
    while left and left != before:  # what others had may be done by now, or free
        before = left
        for name, some in left.items():
            print(f"{name}, {evaluations} evaluations", flush=True)
            if search.run(name, some, evaluations, options.runs, keep):
                print("ended early: the same command goes on")
                sys.exit(exit_code(interrupted=True))
        left = missing()
    if left:
        searches = ", ".join(f"{name} ({counted(len(some), 'seed')})" for name, some in left.items())
        print(f"others run {searches}: call again for the table")
        sys.exit()


def finished(runs: list[dict], names: list[str], evaluations: int) -> dict[str, list[dict]]:
    """The runs of each candidate with that many evaluations; candidates without any are left
    out.
    """
    found = {name: [run for run in runs if run["candidate"] == name and run["evaluations"] == evaluations] for name in names}
    return {name: runs for name, runs in found.items() if runs}


def print_summary(found: dict[str, list[dict]], evaluations: int) -> None:
    """A table of the candidates, the best first, each beside its starting point."""
    rows = []
    for name, runs in sorted(found.items(), key=lambda item: -np.median([run["mean"] for run in item[1]])):
        low, middle, high = np.percentile([run["mean"] for run in runs], [25, 50, 75])
        start = [run["mean"] for run in found.get(CANDIDATES[name].group, [])]
        gain = gained([run["mean"] for run in runs], start) if name != CANDIDATES[name].group else ""
        connections = np.median([run["connections"] for run in runs])
        seconds = np.median([run["seconds"] for run in runs])
        scores = ", ".join(f"{run['mean']:.0f}" for run in sorted(runs, key=lambda run: run["seed"]))
        label = f"{name} (chosen on these seeds)" if name == WINNER else name
        rows.append([label, f"{middle:.0f}", f"{low:.0f}–{high:.0f}", gain, f"{connections:.0f}", f"{seconds:.0f}", scores])
    columns = [f"after {evaluations:,} evaluations", "median", "quartiles", "gain over its start", "connections", "seconds", "by seed"]
    print_table("Champions on swing-up", columns, rows)


def gained(scores: Sequence[float], start: Sequence[float]) -> str:
    """The difference of two means ± its standard error, unpaired; empty where one run is too few to
    tell.
    """
    if min(len(scores), len(start)) < 2:
        return ""
    error = np.sqrt(np.var(scores, ddof=1) / len(scores) + np.var(start, ddof=1) / len(start))
    return f"{np.mean(scores) - np.mean(start):+.0f} ± {error:.0f}"


def print_confirmation(winner: Sequence[float], start: Sequence[float], evaluations: int) -> None:
    """What the winner gains over its start on seeds that it was not chosen on, with the two-sided
    p-value of Mann and Whitney's test.
    """
    from scipy.stats import mannwhitneyu  # a second to import

    both = {WINNER: winner, CANDIDATES[WINNER].group: start}
    rows = [[name, quartiles(scores), ", ".join(f"{score:.0f}" for score in scores), "", ""] for name, scores in both.items()]
    rows[0][3:] = gained(winner, start), f"{mannwhitneyu(winner, start).pvalue:.2f}"
    columns = [f"after {evaluations:,} evaluations, fresh seeds", "median [quartiles]", "by seed", "gain", "p (Mann–Whitney)"]
    print_table("Champions on swing-up, on seeds that the study did not use", columns, rows)


def draw_quartiles(screened: dict[str, list[dict]], carried: dict[str, list[dict]], evaluations: int, path: Path) -> None:
    """Quartiles and runs of every candidate; and the curves of those that were carried on, or else
    of the two starting points.
    """
    figure = Figure(figsize=(13, 1.6 + 0.27 * len(screened)), layout="constrained")
    bars, curves = figure.subplots(1, 2, width_ratios=(3, 2))
    ordered = sorted(screened, key=lambda name: np.median([run["mean"] for run in screened[name]]))
    for row, name in enumerate(ordered):
        scores = [run["mean"] for run in screened[name]]
        low, middle, high = np.percentile(scores, [25, 50, 75])
        colour = "#1f4e8c" if name.startswith("lexicase") else "#b8600b"
        bars.barh(row, high - low, left=low, height=0.6, color=colour, alpha=0.3)
        bars.plot([middle, middle], [row - 0.3, row + 0.3], color=colour, linewidth=2)
        bars.plot(scores, [row] * len(scores), "o", markersize=3, color=colour)
    bars.set_yticks(range(len(ordered)), ordered, fontsize=8)
    bars.set(xlabel="champion's mean score over the sweep", title=f"after {evaluations:,} evaluations: runs, medians, quartiles")
    shown = carried or {name: runs for name, runs in screened.items() if ":" not in name}
    for (name, runs), colour in zip(shown.items(), ("#1f4e8c", "#b8600b", "#1b7a43", "#a61e61", "#5b6270", "#8c510a"), strict=False):
        at = np.linspace(0, max(run["evaluations"] for run in runs), 100)[1:]
        values = np.array([np.interp(at, *np.transpose(run["curve"])) for run in runs])
        low, middle, high = np.percentile(values, [25, 50, 75], axis=0)
        curves.fill_between(at, low, high, color=colour, alpha=0.2, linewidth=0)
        curves.plot(at, middle, color=colour, label=name)
    curves.set(xlabel="evaluations", ylabel="champion's score, when confirmed", title="median and quartiles over seeds")
    curves.legend(frameon=False, fontsize=8)
    for axes in (bars, curves):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
