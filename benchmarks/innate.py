"""Does learning something new cost the innate skill? `python -m benchmarks.innate [--network FILE]
[--seeds 0 1 2 3 4] [--steps 300]`.

Three tasks, one after the other: swing-up; swing-up with the motor the wrong way round, for which
every reaction must be turned; and swing-up, the motor right again, with a pole twice as long and
twice as heavy. A weight-agnostic champion does the first at its best shared weight, without
training; beside it a perceptron of about as many weights is trained on it. From there both are
trained on the second, and on from those weights on the third, with the same number of steps. After
each, all three are measured on fresh episodes; and at the end the champion's shared weight is put
back, which is one number to remember.

Prints the table (mean ± sd over the seeds, which change training and episodes; the champion is the
same) and draws benchmarks/results/innate.png.
"""

import argparse
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

import wannjax
from benchmarks.common import machine, perceptron, print_table, whole, write_json
from wannjax.networks.graph import graph_of
from wannjax.networks.network import Network, connection_count
from wannjax.problems.registry import make_environment

SWING_UP = "CartPoleSwingUp-v0"
RESULTS = Path("benchmarks/results")
CHANGES = {"swing-up": {}, "motor reversed": {"max_force": -1.0}, "heavy pole": {"pole_length": 2.0, "pole_mass": 2.0}}
"""Each task, by what its parameters are multiplied with."""
STAGES = ("at first", "trained on the second", "trained on the third", "shared weight put back")
LEARNERS = ("WANN", "perceptron")


def tasks() -> list[wannjax.EnvironmentProblem]:
    first = make_environment(SWING_UP)
    return [
        first.with_params(first.params.replace(**{name: factor * getattr(first.params, name) for name, factor in changes.items()}))
        for changes in CHANGES.values()
    ]


def measured(champion: Network, steps: int, seed: int) -> Float[np.ndarray, "learners stages tasks"]:
    """The mean scores, nan where there is none."""
    problems = tasks()

    def at_shared(weight: float) -> list[float]:
        return [wannjax.evaluate(champion, problem, seed=seed, weights=(weight,)).per_weight[weight].mean for problem in problems]

    def with_weights(network: Network) -> list[float]:
        return [mean_of(wannjax.evaluate(network, problem, seed=seed).tuned_weights) for problem in problems]

    def learned(network: Network, start: np.ndarray | tuple[float, ...]) -> list[list[float]]:
        """After the second task, and after the third."""
        found = []
        for problem in problems[1:]:
            network = wannjax.finetune(network, problem, steps=steps, starts=start, seed=seed).network
            found.append(with_weights(network))
            start = weights_of(network)
        return found

    weight = wannjax.evaluate(champion, problems[0], seed=seed).tuned_weight
    innate = at_shared(weight)
    hidden = max(round((connection_count(champion) - 1) / (problems[0].inputs + 2)), 1)
    grown = wannjax.finetune(perceptron(problems[0], (hidden,), seed), problems[0], steps=steps, seed=seed).network
    return np.array(
        [
            [innate, *learned(champion, (weight,)), innate],
            [with_weights(grown), *learned(grown, weights_of(grown)), [np.nan] * len(problems)],
        ]
    )


def mean_of(score: wannjax.Score | None) -> float:
    assert score is not None
    return score.mean


def weights_of(network: Network) -> np.ndarray:
    """A network's own weights, as the only start of a training."""
    return np.array([graph_of(network).weights], np.float32)


def draw(scores: Float[np.ndarray, "seeds learners stages tasks"]) -> None:
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    for place, (learner, axes) in enumerate(zip(LEARNERS, figure.subplots(1, 2, sharey=True), strict=True)):
        for task, (name, colour) in enumerate(zip(CHANGES, ("#1f4e8c", "#c0392b", "#c9a66b"), strict=True)):
            own = scores[:, place, :, task]
            axes.errorbar(range(len(STAGES)), own.mean(axis=0), own.std(axis=0), color=colour, label=name, marker="o", capsize=3)
        axes.set_xticks(range(len(STAGES)), [stage.replace(" on", "\non").replace(" put", "\nput") for stage in STAGES])
        axes.set(title=learner, ylim=(0, 1000))
        axes.grid(axis="y", alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("mean score")
    figure.axes[1].legend(frameon=False, loc="upper right")
    RESULTS.mkdir(parents=True, exist_ok=True)
    figure.savefig(RESULTS / "innate.png", dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", type=Path, default=None, help="a champion's file; a default run with seed 0 when left out")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args()
    wannjax.use_all_cores()
    champion = wannjax.load(options.network) if options.network else whole(wannjax.evolve(make_environment(SWING_UP), seed=0)).champion

    runs = []
    for seed in options.seeds:
        runs.append(measured(champion, options.steps, seed))
        print(f"seed {seed}:", dict(zip(LEARNERS, runs[-1].round().tolist(), strict=True)), flush=True)
    scores = np.array(runs)
    mean, spread = scores.mean(axis=0), scores.std(axis=0)
    rows = [
        [stage, *("" if np.isnan(m) else f"{m:.0f} ± {s:.0f}" for m, s in zip(mean[:, at].ravel(), spread[:, at].ravel(), strict=True))]
        for at, stage in enumerate(STAGES)
    ]
    columns = ["", *(f"{learner}: {task}" for learner in LEARNERS for task in CHANGES)]
    print_table(f"Three tasks in a row ({len(runs)} seeds, {connection_count(champion)} connections)", columns, rows)
    draw(scores)
    record = dict(zip(LEARNERS, scores.swapaxes(0, 1).tolist(), strict=True))
    write_json(
        RESULTS / "innate.json",
        {"machine": machine(), "steps": options.steps, "seeds": options.seeds, "stages": STAGES, "tasks": [*CHANGES], "scores": record},
    )


if __name__ == "__main__":
    main()
