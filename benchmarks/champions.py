"""What runs find: `python -m benchmarks.champions [--environment ENV] [--preset default] [--seeds
3000 3001 …] [--generations N and other settings, as of wannjax evolve]`.

Every seed is one run. Its champion is then scored on 100 fresh episodes per figure: at each weight
of the sweep, their mean, and the paper's columns. Its size stands there as it is and in normal
form, in which constants and doubles count once. A run that was ended early says so beside its
generations. The last rows are medians over the seeds, with quartiles, and the paper's own champion,
where there is one. Runs are kept in `benchmarks/results/champions`, also what there is of one that
was ended (Ctrl-C); a second call goes on.
"""

import argparse
from pathlib import Path

import numpy as np

import wannjax
from benchmarks.common import machine, print_table, write_json
from benchmarks.tasks import quartiles
from wannjax.analysis.score_table import PAPER
from wannjax.cli.options import add_settings_of, given_settings
from wannjax.common.digits import number
from wannjax.runs import run_directory

PUBLISHED = {"CartPoleSwingUp-v0": (536, 688, 521, 522, 702, 689)}
"""The paper's champion, measured again over 100 episodes per weight of the sweep."""
SEEDS = range(3000, 3010)
"""Ten that had no say in any setting."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", default="CartPoleSwingUp-v0")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="a run each (default: 3000 to 3009)")
    parser.add_argument("--preset", default="default", choices=list(wannjax.PRESETS))
    parser.add_argument("--runs", type=Path, default=Path("benchmarks/results/champions"), help="the folder for run directories")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/champions.json"))
    add_settings_of(parser.add_argument_group("settings that change the preset"), [wannjax.WannConfig])
    options = parser.parse_args()

    wannjax.use_all_cores()
    problem = wannjax.make(options.environment)
    given = given_settings(options, wannjax.WannConfig)
    config = wannjax.WannConfig.preset(options.preset, **given)
    name = "-".join([options.preset, *(f"{setting}={value}" for setting, value in given.items())])
    rows, record = [], []
    for seed in options.seeds:
        directory = options.runs / f"{options.environment}-{name}-{seed}"
        result = wannjax.evolve(problem, config, seed=seed, run_dir=directory, resume=True, finish=None)
        wannjax.save(directory / run_directory.CHAMPION, result.champion)
        report = wannjax.evaluate(result.champion, problem, seed=seed)
        scores = {weight: score.mean for weight, score in report.per_weight.items()}
        generations = len(result.history["generation"])
        seconds = float(result.history["seconds"].sum())  # without what a second call adds
        spread = float(np.mean([score.std for score in report.per_weight.values()]))
        found = {
            "mean": report.mean,
            "scores": scores,
            "seconds": seconds,
            "connections": report.connections,
            "in normal form": report.canonical_connections,
        }
        record.append({"seed": seed, "generations": generations, **found})
        rows.append(
            [
                f"seed {seed}",
                f"{generations}" if generations >= config.generations else f"{generations} of {config.generations}",
                str(report.connections),
                str(report.canonical_connections),
                *(number(score.mean, score.std) for score in report.per_weight.values()),
                number(report.mean, spread),
                *(str(column) for column in (report.random_weights, report.random_shared, report.tuned_shared)),
                f"{seconds:.0f}",
            ]
        )
    weights = [f"{weight:g}" for weight in config.weights]
    sizes, means, times = (quartiles([run[name] for run in record]) for name in ("connections", "mean", "seconds"))
    rows.append(["median [quartiles]", "", sizes, "", *[""] * len(weights), means, "", "", "", times])
    published = PUBLISHED.get(options.environment)
    if published:
        paper = PAPER[options.environment]
        mean = f"{np.mean(published):.0f}"
        rows.append(["paper", "", "52", "", *map(str, published), mean, paper.random_weights, paper.random_shared, paper.tuned_shared, ""])
    columns = [
        "",
        "generations",
        "connections",
        "in normal form",
        *weights,
        "mean",
        "random weights",
        "random shared",
        "tuned shared",
        "seconds",
    ]
    print_table(f"Champions of {name} runs on {options.environment}", columns, rows)
    write_json(options.json, {"machine": machine(), "preset": name, "runs": record})


if __name__ == "__main__":
    main()
