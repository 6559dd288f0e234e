"""A champion's score at every shared weight: `python -m benchmarks.weight_curve --network CHAMPION
[--published swing.out]`.

100 fresh episodes at each of 61 shared weights from -3 to 3, as a curve beside that of the paper's
champion (`swing.out` in the paper's repository, a file that `wannjax.load` reads), and as a table
with the mean over the sweep, the mean over the whole range and the share of the range in which the
score is near its best (within a tenth of the way from best to worst).
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

import wannjax
from benchmarks.common import machine, print_table, write_json
from wannjax.analysis.sensitivity import weight_curve
from wannjax.networks.network import connection_count
from wannjax.pictures.curves import draw_weights
from wannjax.search.wann.config import SWEEP


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
    loaded = {name: wannjax.load(path, inputs=problem.inputs, outputs=problem.outputs) for name, path in files.items() if path}
    networks = {name: replace(network, weights=None) for name, network in loaded.items()}  # the paper does not use its file's
    curves = {name: weight_curve(network, problem, seed=1) for name, network in networks.items()}
    connections = {name: connection_count(network) for name, network in networks.items()}
    rows = []
    for name, curve in curves.items():
        sweep = curve.means[np.isin(curve.weights, SWEEP)].mean()
        figures = (f"{value:.0f}" for value in (sweep, curve.means.mean(), curve.means.min(), curve.means.max()))
        rows.append([name, str(connections[name]), *figures, f"{100 * curve.good_share:.0f} %"])
    columns = ["champion", "connections", "mean, sweep", "mean, [-3, 3]", "worst", "best", "near its best"]
    print_table(f"Score over the shared weight on {options.environment}", columns, rows)
    labelled = {f"{name}, {connections[name]} connections": curve for name, curve in curves.items()}
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    draw_weights(labelled, options.picture, title=options.environment)
    means = {name: dict(zip(curve.weights.tolist(), curve.means.tolist(), strict=True)) for name, curve in curves.items()}
    write_json(options.json, {"machine": machine(), "curves": means})


if __name__ == "__main__":
    main()
