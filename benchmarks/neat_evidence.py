"""What NEAT solves, and how it compares: `python -m benchmarks.neat_evidence TASK [--seeds N]`,
where TASK is one of

    xor          until all four cases are right after thresholding at 0.5; beside the paper's 4,755
                 evaluations
    double-pole  until two poles with velocities are balanced for 100,000 steps; beside the paper's
                 3,600 evaluations
    curves       CartPole-v1, Acrobot-v1 and CartPoleSwingUp-v0 with the default settings: the
                 champion's score over the generations
    comparison   swing-up, NEAT against a WANN whose weights are trained afterwards, for the same
                 number of environment steps

The paper is Stanley & Miikkulainen 2002, whose figures are means. An evaluation is one network
scored once; every generation counts as a whole. xor and double-pole run with every preset of
`--preset` (small, and paper, which has the paper's own settings). Means are of the runs that solved
the task. Finished runs are kept in the JSON file; a second call does only what is missing.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import wannjax
from benchmarks.common import Results, print_table, whole
from benchmarks.tasks import quartiles
from wannjax.problems.registry import make_environment

PAPER = {"xor": 4755, "double-pole": 3600}
"""Mean evaluations to a solution, sections 4.1 and 4.2."""
PRESETS = ("small", "paper")
CURVES = {"CartPole-v1": 30, "Acrobot-v1": 50, "CartPoleSwingUp-v0": 150}
"""Generations, by environment."""


CASES = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
ANSWERS = np.array([0, 1, 1, 0], np.float32)


def fitness(_key: Any, network: Callable[[Any], Any]) -> Any:
    """The paper's fitness on the four cases of exclusive or: (4 - the sum of the absolute errors)
    squared.
    """
    return (4 - jnp.sum(jnp.abs(network(CASES)[:, 0] - ANSWERS))) ** 2


def right(_key: Any, network: Callable[[Any], Any]) -> Any:
    """How many cases are right after thresholding at 0.5."""
    return jnp.sum((network(CASES)[:, 0] > 0.5) == (ANSWERS > 0.5))


class Solution(NamedTuple):
    """The first network that solves a task, if there was one: evaluations up to the end of its
    generation, and its size.
    """

    evaluations: int | None
    hidden: int
    connections: int


def solve(config: wannjax.NeatConfig, problem: wannjax.Problem, solved: Callable[..., Any], seed: int) -> Solution:
    """Evolves until a network is `solved`, a function (networks, scores [P]) → bool[P], for
    `config.generations` at the most.
    """
    config = config.replace(output_activation=problem.output_activation)
    algorithm = config.algorithm(inputs=problem.inputs, outputs=problem.outputs)
    start, episodes = jax.random.split(jax.random.key(seed))
    state = algorithm.init(start)
    for generation in range(1, config.generations + 1):
        networks = algorithm.ask(state)
        key = jax.random.fold_in(episodes, generation)
        scores = problem.evaluate(key, networks, jnp.ones(1), episodes=config.episodes, activation_ids=algorithm.activation_ids).scores
        winners = np.flatnonzero(solved(networks, np.asarray(scores)[:, 0]))
        if len(winners):
            sizes = state.sizes
            return Solution(generation * config.population, int(sizes.hidden[winners[0]]), int(sizes.connections[winners[0]]))
        state = algorithm.enlarge(algorithm.tell(state, scores)[0])
    return Solution(None, 0, 0)


def xor(seed: int, preset: str) -> dict:
    """One search for exclusive or."""
    problem, answered = (
        wannjax.FunctionProblem(score, inputs=2, outputs=1, stochastic=False, output_activation="sigmoid") for score in (fitness, right)
    )

    def solved(networks, _scores):
        return np.asarray(answered.evaluate(jax.random.key(0), networks, jnp.ones(1), episodes=1).scores)[:, 0] == len(CASES)

    return solve(wannjax.NeatConfig.preset(preset, generations=1000, episodes=1), problem, solved, seed)._asdict()


def double_pole(seed: int, preset: str) -> dict:
    """One search for a controller of two poles."""
    problem = make_environment("DoublePole-v0")
    config = wannjax.NeatConfig.preset(preset, generations=300, episodes=1)
    return solve(config, problem, lambda _networks, scores: scores >= problem.params.max_steps_in_episode, seed)._asdict()


def curves(seed: int, environment: str) -> dict:
    """One search with the default settings, and its champion on fresh episodes."""
    problem = wannjax.make(environment)
    result = whole(wannjax.evolve(problem, wannjax.NeatConfig(), generations=CURVES[environment], seed=seed, progress=False))
    report = wannjax.evaluate(result.champion, problem, seed=seed)
    history = {name: result.history[name].tolist() for name in ("champion_score", "alive_steps")}
    return {**scores_of(report), "seconds": result.seconds, "history": history}


def scores_of(report: wannjax.Report) -> dict:
    """What a table shows of a network that has weights of its own."""
    assert report.tuned_weights is not None
    return {"score": report.tuned_weights.mean, "shared": report.tuned_shared.mean, "connections": report.connections}


def within(budget: float) -> Callable[[wannjax.Record], bool]:
    """A callback that ends a search when its environment steps have reached `budget`."""
    used = [0]

    def ended(record: wannjax.Record) -> bool:
        used[0] += record.alive_steps
        return used[0] >= budget

    return ended


def comparison(seed: int, algorithm: str, budget: float, training: float) -> dict:
    """A search of swing-up for `budget` environment steps, of which the share `training` trains a
    WANN's weights.

    Training starts at the best shared weight of the sweep. Steps are those of unfinished episodes,
    confirmation included; training is counted with episodes of full length.
    """
    problem = make_environment("CartPoleSwingUp-v0")
    if algorithm == "neat":
        config: Any = wannjax.NeatConfig(generations=10**6)
        result = wannjax.evolve(problem, config, seed=seed, progress=False, callbacks=[within(budget)])
        network, seconds = result.champion, result.seconds
    else:
        config = wannjax.WannConfig(generations=10**6)
        result = wannjax.evolve(problem, config, seed=seed, progress=False, callbacks=[within((1 - training) * budget)])
        method, start = wannjax.EvolutionStrategy(), config.weights[int(np.argmax(result.champion_scores))]
        cost = method.population * method.episodes * problem.max_steps
        steps = max(round(training * budget / cost), 1)
        tuned = wannjax.finetune(result.champion, problem, method=method, starts=[start], steps=steps, seed=seed, progress=False)
        network, seconds = tuned.network, result.seconds + tuned.seconds
    report = wannjax.evaluate(network, problem, seed=seed)
    return {**scores_of(report), "seconds": seconds, "generations": len(result.history["generation"])}


def show_solutions(task: str, presets: dict[str, list[dict]]) -> None:
    rows = []
    for preset, runs in presets.items():
        solved = [run for run in runs if run["evaluations"] is not None]
        row = [f"{task}, preset {preset}", f"{len(solved)} of {len(runs)}"]
        if solved:
            evaluations = [run["evaluations"] for run in solved]
            row += [quartiles(evaluations), f"{np.mean(evaluations):.0f}", f"{max(evaluations)}"]
            row += [quartiles([run[key] for run in solved]) for key in ("hidden", "connections")]
        rows.append([*row, *[""] * (7 - len(row)), f"{PAPER[task]}"])
    columns = ["", "solved", "evaluations", "mean", "most", "hidden", "connections", "paper's mean"]
    print_table("Evaluations to a solution, of the runs that found one: median and quartiles", columns, rows)


def show_curves(runs: dict[str, list[dict]], picture: Path) -> None:
    rows = [[name, *(quartiles([run[key] for run in each]) for key in ("score", "connections", "seconds"))] for name, each in runs.items()]
    print_table("Champions, 100 fresh episodes: median and quartiles", ["", "score", "connections", "seconds"], rows)
    figure = Figure(figsize=(4 * len(runs), 3.4), layout="constrained")
    for axes, (name, each) in zip(figure.subplots(1, len(runs), squeeze=False)[0], runs.items(), strict=True):
        scores = np.array([run["history"]["champion_score"] for run in each])
        low, middle, high = np.percentile(scores, [25, 50, 75], axis=0)
        generation = np.arange(1, scores.shape[1] + 1)
        axes.fill_between(generation, low, high, color="#1f4e8c", alpha=0.2, linewidth=0)
        axes.plot(generation, middle, color="#1f4e8c")
        axes.set(title=name, xlabel="generation", ylabel="champion's score, when confirmed")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["xor", "double-pole", "curves", "comparison"])
    parser.add_argument("--seeds", type=int, default=None, help="how many, from 0 on (default: 100 for xor and double-pole, else 5)")
    parser.add_argument("--preset", nargs="+", default=["small"], choices=PRESETS, help="of xor and double-pole (default: small)")
    parser.add_argument("--environments", nargs="+", default=list(CURVES), choices=list(CURVES), help="of the curves")
    parser.add_argument("--budget", type=float, default=2e9, help="environment steps of the comparison (default: 2e9)")
    parser.add_argument("--training", type=float, default=0.25, help="share of them that trains the WANN's weights (default: 0.25)")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/neat_evidence.json"))
    parser.add_argument("--picture", type=Path, default=Path("benchmarks/results/neat_curves.png"))
    options = parser.parse_args()

    wannjax.use_all_cores()
    results = Results(options.json)
    if options.task in PAPER:
        run = xor if options.task == "xor" else double_pole
        show_solutions(options.task, {preset: results.of(run, options.seeds or 100, preset=preset) for preset in options.preset})
    elif options.task == "curves":
        show_curves({name: results.of(curves, options.seeds or 5, environment=name) for name in options.environments}, options.picture)
    else:
        rows = []
        for name in ("neat", "wann"):
            settings = {"algorithm": name, "budget": options.budget, "training": options.training}
            runs = results.of(comparison, options.seeds or 5, **settings)
            rows.append([name, *(quartiles([run[key] for run in runs]) for key in ("score", "shared", "connections", "seconds"))])
        columns = ["", "own weights", "best shared weight", "connections", "seconds"]
        print_table(f"Swing-up after {options.budget:.3g} environment steps: median and quartiles", columns, rows)


if __name__ == "__main__":
    main()
