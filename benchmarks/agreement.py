"""Whether an accelerator computes what a CPU computes: the same networks on the same episodes, here
and in a process of its own on the CPU.

`python -m benchmarks.agreement` shows what one rounding does on this device: all weights of a
second computation are larger by one unit in the last place. With PATH it writes what it computes
into an .npz, which `python -m benchmarks.accelerator` compares with what the accelerator computes.

Both round differently (fused multiply-adds, other orders of sums), by 1e-7 at first. Poles, double
pendulums and networks with step functions amplify that until an episode has little to do with its
twin: on swing-up one rounding alone changes the length of one in eleven (`--steps 1000`). So
episodes are cut off after `STEPS`, when roundings have changed few. MinAtar's games are not played
with shared weights: where all cells are 0 or 1, two outputs are often equal, and any rounding then
chooses the action. No single return is asked to be equal, since a step function turns a rounding
into any difference, but `MOST_UNEQUAL` of the episodes may end at another step, the mean score may
differ by `TOLERANCE` of the mean absolute score, and `LEAST_NEAR` of the scores must be within
`NEAR` of each other. One rounding stays below half of the first two and leaves 92 % or more of
the scores that near; one wrong activation of ten leaves less than half of those on swing-up.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import wannjax
from benchmarks.common import Table, networks_for, print_table
from benchmarks.throughput import EPISODES
from wannjax.networks.network import take
from wannjax.problems.environment_problem import EnvironmentProblem
from wannjax.problems.registry import make_environment
from wannjax.search.wann.config import SWEEP

SWING_UP = "CartPoleSwingUp-v0"
EPISODE_KERNEL = (
    SWING_UP,
    "CartPole-v1",
    "Pendulum-v1",
    "MountainCarContinuous-v0",
    "Reacher-misc",
    "Swimmer-misc",
    "PointRobot-misc",
    "Catch-bsuite",
)
"""Environments whose episodes fit into one kernel."""
FORWARD_KERNEL = ("Breakout-MinAtar",)
"""Those that are too large for it."""

STEPS = 50
"""Steps of an episode at the most."""

FORMS = ("episode kernel", "forward kernel", "XLA")
SHARED, OF_NETWORKS, OF_LANES, COPIES, DATA = "shared weights", "weights of networks", "weights of lanes", "copies", "data"
MOST_UNEQUAL, TOLERANCE = 0.01, 0.01
LEAST_NEAR, NEAR = 0.8, 1e-3


ROUNDING = float(np.finfo(np.float32).eps)


class Case(NamedTuple):
    """What is compared: an environment, and what its networks' weights are."""

    environment: str
    weights: str

    def __str__(self) -> str:
        return ", ".join(filter(None, self))


CASES = (
    *(Case(name, SHARED) for name in EPISODE_KERNEL),
    *(Case(name, weights) for name in (SWING_UP, *FORWARD_KERNEL) for weights in (OF_NETWORKS, OF_LANES, COPIES)),
    Case("", DATA),
)


class Outcome(NamedTuple):
    """Scores of any shape, and the lengths of their episodes; none where there is but a mean."""

    scores: np.ndarray
    steps: np.ndarray


@dataclass(frozen=True)
class Agreement:
    """How far one form on this device is from the CPU.

    Attributes:
        equal: the share of episodes of equal length; of mean scores, 1.
        largest: the largest difference of two scores, relative to the larger one, over episodes of
            equal length.
        mean: the difference of the mean scores, relative to the mean of the larger absolute ones.
        near: the share of scores within `NEAR` of each other, relative to the larger one.
        failure: why there is nothing to compare.
    """

    case: str
    form: str
    episodes: int = 0
    equal: float = 0.0
    largest: float = 0.0
    mean: float = 0.0
    near: float = 0.0
    failure: str = ""

    @property
    def holds(self) -> bool:
        return not self.failure and self.equal >= 1 - MOST_UNEQUAL and self.mean <= TOLERANCE and self.near >= LEAST_NEAR


def forms_of(problem: EnvironmentProblem) -> tuple[str, ...]:
    """The forms in which episodes of `problem` can run on this device, its own first."""
    return FORMS[FORMS.index(problem.form) :]


def outcome_of(case: Case, form: str, population: int, factor: float = 1.0, steps: int = STEPS) -> Outcome:
    """What this device computes, in one of the forms that it has, with `factor` times the weights
    and episodes of at most `steps`.
    """
    rng, key = np.random.default_rng(1), jax.random.key(1)

    def individual(shape: tuple[int, ...]) -> jax.Array:
        return jnp.asarray(rng.normal(size=shape), jnp.float32) * factor

    if case.weights == DATA:
        x = rng.normal(size=(1000, 5))
        networks = networks_for(5, 2, population, 29)
        evaluation = wannjax.DataProblem(x, x[:, 0] * x[:, 1] > 0).evaluate(key, networks, jnp.array(SWEEP) * factor, episodes=800)
        return Outcome(np.asarray(evaluation.scores), np.zeros(0, int))
    problem = make_environment(case.environment)
    problem.form, problem.max_steps = form, min(problem.max_steps, steps)
    networks = networks_for(problem.inputs, problem.outputs, population, 29)
    shape = networks.sources.shape
    if case.weights == COPIES:
        weighted = replace(take(networks, np.zeros(population, int)), weights=individual(shape))
        return Outcome(np.asarray(problem.score_copies(key, weighted, episodes=EPISODES)), np.zeros(0, int))
    gain = jnp.repeat(jnp.array(SWEEP) * factor, EPISODES)
    if case.weights != SHARED:
        shape = (*shape, len(gain)) if case.weights == OF_LANES else shape
        networks, gain = replace(networks, weights=individual(shape)), jnp.ones(len(gain))
    keys = jnp.tile(jax.random.split(key, EPISODES), len(SWEEP))
    rollouts = problem.rollout(keys, networks, gain)
    return Outcome(np.asarray(rollouts.returns), np.asarray(rollouts.steps))


def compared(case: Case, form: str, here: Outcome, there: Outcome) -> Agreement:
    """How far what this device computed is from what the CPU did."""
    (scores, steps), (expected, lengths) = here, there
    equal = steps == lengths
    alike = equal if steps.size else np.ones(scores.shape, bool)
    differences = np.abs(scores - expected)
    larger = np.maximum(np.abs(scores), np.abs(expected))
    relative = np.divide(differences, larger, out=np.zeros(scores.shape), where=larger > 0)
    mean = abs(float(np.mean(scores, dtype=float) - np.mean(expected, dtype=float)))
    scale = float(np.mean(larger, dtype=float))
    return Agreement(
        str(case),
        form,
        scores.size,
        equal=float(np.mean(alike)),
        largest=float(np.max(relative, where=alike, initial=0)),
        mean=mean / scale if mean else 0.0,
        near=float(np.mean(differences <= NEAR * larger)),
    )


def sizes(quick: bool) -> tuple[tuple[Case, ...], int]:
    """The cases and the networks of each."""
    return ((Case("CartPole-v1", SHARED), Case("CartPole-v1", COPIES)), 8) if quick else (CASES, 512)


def started_on_cpu(path: Path, quick: bool) -> subprocess.Popen:
    """A process that computes the same on the CPU and writes it to `path`."""
    command = [sys.executable, "-m", "benchmarks.agreement", str(path), *(["--quick"] if quick else [])]
    return subprocess.Popen(command, env={**os.environ, "JAX_PLATFORMS": "cpu"}, stderr=subprocess.PIPE, text=True)


def forms_to_compare(case: Case) -> tuple[str, ...]:
    """The device's own form; on swing-up with shared weights all that it has."""
    if not case.environment:
        return FORMS[-1:]
    forms = forms_of(make_environment(case.environment))
    return forms if case == Case(SWING_UP, SHARED) else forms[:1]


def read(path: Path) -> dict[str, Outcome]:
    """The outcomes in a file, by case."""
    with np.load(path) as arrays:
        names = dict.fromkeys(name.rsplit("/", 1)[0] for name in arrays)
        return {name: Outcome(arrays[f"{name}/scores"], arrays[f"{name}/steps"]) for name in names}


def table_of(title: str, agreements: Iterable[Agreement]) -> Table:
    """How far each is, and whether that is near enough."""
    columns = ["case", "form", "scores", "equal length", "largest difference", "of the mean", f"within {NEAR:.1%}", "agrees"]
    caption = (
        f"Relative differences: the largest of two scores (of episodes of equal length), "
        f"and that of the mean. {MOST_UNEQUAL:.0%} of the episodes may end at another step, the mean may differ by {TOLERANCE:.0%}, and "
        f"{LEAST_NEAR:.0%} of the scores must be near."
    )
    rows = [
        [
            each.case,
            each.form,
            f"{each.episodes:,}",
            f"{each.equal:.2%}",
            f"{each.largest:.1e}",
            f"{each.mean:.1e}",
            f"{each.near:.1%}",
            "yes" if each.holds else each.failure or "NO",
        ]
        for each in agreements
    ]
    return Table(title, columns, rows, caption)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, nargs="?", help="where an .npz goes")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of an episode at the most (default {STEPS})")
    parser.add_argument("--quick", action="store_true", help="few cases and networks")
    options = parser.parse_args()
    if options.steps < 1:
        parser.error(f"--steps: must be an integer >= 1, got {options.steps}")
    wannjax.use_all_cores()
    cases, population = sizes(options.quick)
    arrays, rounded = dict[str, np.ndarray](), list[Agreement]()
    for case in cases:
        form = forms_to_compare(case)[0]
        outcome = outcome_of(case, form, population, steps=options.steps)
        if options.path:
            arrays |= {f"{case}/{field}": values for field, values in outcome._asdict().items()}
        else:
            rounded.append(compared(case, form, outcome, outcome_of(case, form, population, 1 + ROUNDING, options.steps)))
    if options.path:
        np.savez(options.path, **arrays)  # type: ignore[arg-type]
    else:
        print_table(*table_of(f"What one rounding does in {options.steps} steps", rounded))


if __name__ == "__main__":
    main()
