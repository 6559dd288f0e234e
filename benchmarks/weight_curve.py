"""A champion's score at every shared weight: `python -m benchmarks.weight_curve --network CHAMPION [--published swing.out]`.

100 fresh episodes at each of 61 shared weights from -3 to 3, as a curve beside that of the paper's champion (`swing.out` in the paper's
repository, a file that `wannjax.load` reads), and as a table with the mean over the sweep, the mean over the whole range and the range in
which the score stays within a tenth of its best.
"""

import argparse
from pathlib import Path

import numpy as np

import wannjax
from benchmarks.common import machine, print_table, write_json
from wannjax.analysis.curves import draw_weights
from wannjax.config import SWEEP

GRID = tuple(round(float(weight), 1) for weight in np.linspace(-3, 3, 61))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", default="CartPoleSwingUp-v0")
    parser.add_argument("--network", type=Path, required=True, help="a champion's file")
    parser.add_argument("--published", type=Path, default=None, help="the paper's champion's file")
    parser.add_argument("--picture", type=Path, default=Path("benchmarks/results/weight_curve.png"))
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/weight_curve.json"))
    options = parser.parse_args()

    wannjax.use_all_cores()
    problem = wannjax.make(options.environment)
    files = {"wannjax": options.network, "paper": options.published}
    networks = {name: wannjax.load(path, inputs=problem.inputs, outputs=problem.outputs) for name, path in files.items() if path}
    reports = {name: wannjax.evaluate(network, problem, weights=GRID, seed=1) for name, network in networks.items()}
    rows = []
    for name, report in reports.items():
        means = np.array([report.per_weight[weight].mean for weight in GRID])
        sweep = np.mean([report.per_weight[weight].mean for weight in SWEEP])
        good = np.mean(means >= 0.9 * means.max())
        rows.append(
            [
                name,
                str(report.connections),
                f"{sweep:.0f}",
                f"{means.mean():.0f}",
                f"{means.min():.0f}",
                f"{means.max():.0f}",
                f"{100 * good:.0f} %",
            ]
        )
    columns = ["champion", "connections", "mean, sweep", "mean, [-3, 3]", "worst", "best", "within a tenth of its best"]
    print_table(f"Score over the shared weight on {options.environment}", columns, rows)
    labelled = {f"{name}, {report.connections} connections": report for name, report in reports.items()}
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    draw_weights(labelled, options.picture, title=options.environment)
    curves = {name: {weight: score.mean for weight, score in report.per_weight.items()} for name, report in reports.items()}
    write_json(options.json, {"machine": machine(), "curves": curves})


if __name__ == "__main__":
    main()
