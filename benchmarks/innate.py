"""Does learning something new cost the innate skill? `python -m benchmarks.innate [--network FILE]
[--seeds 0 1 2] [--steps 500]`.

The old task is swing-up, the new one swing-up with a pole 1.5 times as long. A weight-agnostic
champion knows the old task at its best shared weight, without training; its weights are trained on
the new task. Then three things are measured on fresh episodes: the new task, the old task with the
trained weights, and the old task with the shared weight put back, which costs one number to
remember. Beside it a perceptron of about as many weights is trained on the old task first, with the
same number of steps, then on the new one.

Prints the table (means over the seeds, which change training and episodes; the champion is the
same) and draws benchmarks/results/innate.png.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import wannjax
from benchmarks.common import machine, perceptron, print_table, whole, write_json
from wannjax.networks.network import Network, connection_count
from wannjax.problems.registry import make_environment

SWING_UP, LONGER = "CartPoleSwingUp-v0", 1.5
RESULTS = Path("benchmarks/results")
STAGES = ("old task, before", "new task, before", "new task, trained", "old task, trained weights", "old task, shared weight restored")


def measured(
    champion: Network, old: wannjax.EnvironmentProblem, new: wannjax.EnvironmentProblem, steps: int, seed: int
) -> dict[str, list[float | None]]:
    """The mean score of each network at each of `STAGES`."""

    def shared(problem: wannjax.EnvironmentProblem) -> float:
        return wannjax.evaluate(champion, problem, seed=seed, weights=(weight,)).per_weight[weight].mean

    def trained(network: Network, problem: wannjax.EnvironmentProblem) -> float:
        score = wannjax.evaluate(network, problem, seed=seed).tuned_weights
        assert score is not None
        return score.mean

    weight = wannjax.evaluate(champion, old, seed=seed).tuned_weight
    learned = wannjax.finetune(champion, new, steps=steps, starts=(weight,), seed=seed).network
    wann: list[float | None] = [shared(old), shared(new), trained(learned, new), trained(learned, old), shared(old)]

    hidden = max(round((connection_count(champion) - 1) / (old.inputs + 2)), 1)
    grown = wannjax.finetune(perceptron(old, (hidden,), seed), old, steps=steps, seed=seed).network
    relearned = wannjax.finetune(grown, new, steps=steps, seed=seed).network
    plain: list[float | None] = [trained(grown, old), trained(grown, new), trained(relearned, new), trained(relearned, old), None]
    return {"WANN": wann, "perceptron": plain}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", type=Path, default=None, help="a champion's file; a default run with seed 0 when left out")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=500)
    options = parser.parse_args()
    wannjax.use_all_cores()
    old = make_environment(SWING_UP)
    new = old.with_params(old.params.replace(pole_length=LONGER * old.params.pole_length))
    champion = wannjax.load(options.network) if options.network else whole(wannjax.evolve(old, seed=0)).champion

    runs = [measured(champion, old, new, options.steps, seed) for seed in options.seeds]
    table = {name: np.array([run[name] for run in runs], float) for name in ("WANN", "perceptron")}
    rows = [
        [
            stage,
            *(
                "-" if np.isnan(scores[:, i]).any() else f"{scores[:, i].mean():.0f} ± {scores[:, i].std():.0f}"
                for scores in table.values()
            ),
        ]
        for i, stage in enumerate(STAGES)
    ]
    print_table(f"Learning a pole {LONGER} times as long ({len(runs)} seeds)", ["", *table], rows)

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    for place, (name, scores) in enumerate(table.items()):
        position = np.arange(len(STAGES)) + 0.38 * (place - 0.5)
        colour = ("#1f4e8c", "#c9a66b")[place]
        axes.bar(position, scores.mean(axis=0), 0.36, yerr=scores.std(axis=0), color=colour, label=name, capsize=3)
    axes.set_xticks(range(len(STAGES)), [stage.replace(", ", ",\n") for stage in STAGES])
    axes.set(ylabel="mean score", ylim=(0, 1120), title="What learning a new task leaves of the old one")
    axes.legend(frameon=False, loc="upper right", ncols=2)
    axes.grid(axis="y", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    RESULTS.mkdir(parents=True, exist_ok=True)
    figure.savefig(RESULTS / "innate.png", dpi=130)
    record = {name: scores.tolist() for name, scores in table.items()}
    write_json(
        RESULTS / "innate.json", {"machine": machine(), "steps": options.steps, "seeds": options.seeds, "stages": STAGES, "scores": record}
    )


if __name__ == "__main__":
    main()
