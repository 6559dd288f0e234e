"""What does it cost that the runs of `evolve_many` take turns? `python -m benchmarks.many_runs
[--runs 4] [--environment ENV]`.

The same searches, over seeds and over settings, by `evolve` one after the other in one process and
by `evolve_many`, in turns, programs compiled before. Both find the same networks, which is checked.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np

import wannjax
from benchmarks.common import machine, measure_together, print_table, write_json


def one_by_one(problem: wannjax.Problem, configs: list[wannjax.WannConfig], seeds: range) -> list[wannjax.Result]:
    return [wannjax.evolve(problem, config, seed=seed, progress=False) for config in configs for seed in seeds]


def together(problem: wannjax.Problem, configs: list[wannjax.WannConfig], seeds: range) -> list[wannjax.Result]:
    return wannjax.evolve_many(problem, configs, seeds=seeds, progress=False).results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", default="CartPoleSwingUp-v0")
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--populations", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--generations", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/many_runs.json"))
    options = parser.parse_args()
    wannjax.use_all_cores()

    problem = wannjax.make(options.environment)
    rows, record = [], []
    for population in options.populations:
        config = wannjax.WannConfig(population=population, generations=options.generations)
        rates = np.linspace(0.1, 0.5, options.runs).tolist()
        cases = {
            "seeds": ([config], range(options.runs)),
            "settings": ([config.replace(add_node=rate) for rate in rates], range(1)),
        }
        for case, (configs, seeds) in cases.items():
            functions = [partial(function, problem, configs, seeds) for function in (one_by_one, together)]
            alone, joint = measure_together(functions, options.repeats)
            for first, second in zip(alone.result, joint.result, strict=True):
                np.testing.assert_array_equal(first.champion_scores, second.champion_scores)
            rows.append(
                [
                    f"{options.runs} {case}, population {population}",
                    f"{alone.wall:.1f} / {alone.cpu:.1f}",
                    f"{joint.wall:.1f} / {joint.cpu:.1f}",
                    f"{alone.wall / joint.wall:.2f} / {alone.cpu / joint.cpu:.2f}",
                    f"{alone.wall_best / joint.wall_best:.2f} / {alone.cpu_best / joint.cpu_best:.2f}",
                ]
            )
            figures = {name: timing._replace(result=None)._asdict() for name, timing in (("one by one", alone), ("together", joint))}
            record.append({"runs": options.runs, "of": case, "population": population, **figures})
    columns = ["", "one by one", "together", "ratio", "ratio of the fastest"]
    print_table(
        f"{options.generations} generations of {options.environment}: seconds / CPU-seconds, median of {options.repeats}", columns, rows
    )
    write_json(options.json, {"machine": machine(), "environment": options.environment, "rows": record})


if __name__ == "__main__":
    main()
