"""What networks with memory do where velocities are hidden: `python -m benchmarks.hidden_velocities
TASK [--seeds N]`, where TASK is one of

    double-pole  two poles without velocities by the protocol of Stanley & Miikkulainen 2002,
                 section 4.3, and Gruau, Whitley & Pyeatt 1996: the fitness is 0.1·t/1000 for t
                 balanced steps of 1,000, and, after 100, 0.9·0.75 / the sum over the last 100 steps
                 of |x| + |ẋ| + |θ₁| + |θ̇₁|. A generation's best network solves the task when it
                 balances the poles for 100,000 steps, and from at least 200 of 625 other starts for
                 1,000.
    swing-up     CartPoleSwingUp-v0 without velocities: a search for networks with memory beside one
                 for networks without, on the same observations

NEAT has the preset small with weights that move half as far, and the preset paper, each with the
paper's population of 1,000 and its rate of new connections for this task, 0.3; paper has its
thresholds, too, and up to 200 species. WANN has its defaults at that population; its fitness at
each shared weight counts, and its best weight is what is tested. A solution is then tried at every
weight of the sweep. An evaluation is one network scored once (of a WANN at six weights); every
generation counts as a whole. Finished runs are kept in the JSON file; a second call does only what
is missing.
"""

import argparse
import itertools
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import wannjax
from benchmarks.common import Results, print_table, whole
from benchmarks.tasks import quartiles
from wannjax.networks.network import take
from wannjax.problems.environment_problem import EnvironmentProblem
from wannjax.problems.environments.wrapped import WrappedEnvironment
from wannjax.problems.registry import make_environment

PAPER = 33_184, 286
"""Mean evaluations to a solution, and starts of 625 that solutions balance: table 2."""
LIMIT, WINDOW, LONG, ENOUGH = 1000, 100, 100_000, 200
_PAPER: dict[str, Any] = dict(population=1000, add_connection=0.3, episodes=1, recurrent=True)
ALGORITHMS: dict[str, Any] = {
    "neat": wannjax.NeatConfig.preset("small", **_PAPER, perturbation=0.5),
    "neat, paper": wannjax.NeatConfig.preset("paper", **_PAPER, weight_difference=3.0, threshold=4.0, species=100),
    "wann": wannjax.WannConfig(population=1000, episodes=1, recurrent=True),
}


class Wobble(NamedTuple):
    """The environment's own state, and how far cart and long pole were from rest in each of the
    last steps.
    """

    inner: Any
    last: Any


class Gruau(WrappedEnvironment):
    """Two poles, whose only reward is Gruau's fitness at the end of an episode."""

    def reset(self, key, params):
        observation, inner = self.environment.reset(key, params)
        return observation, Wobble(inner, jnp.zeros(WINDOW, jnp.float32))

    def step(self, key, state, action, params):
        after = self.environment.step(key, state.inner, action, params)
        poles, time = after.state, after.state.time
        far = jnp.abs(poles.x) + jnp.abs(poles.x_dot) + jnp.abs(poles.theta1) + jnp.abs(poles.theta1_dot)
        last = jnp.concatenate([state.last[1:], far[None]])
        calm = jnp.where(time < WINDOW, 0.0, 0.75 / jnp.sum(last))
        over = after.terminated | (time >= LIMIT)
        reward = jnp.where(over, 0.1 * time / LIMIT + 0.9 * calm, 0.0)
        return after._replace(state=Wobble(poles, last), reward=reward.astype(jnp.float32))


def two_poles() -> EnvironmentProblem:
    """They, without their velocities."""
    return make_environment("DoublePole-v0", observe=("x", "θ1", "θ2"), max_steps=LIMIT)


def starts() -> np.ndarray:
    """The 625 starts, [625, 4]: x, ẋ, θ₁, θ̇₁."""
    bounds = np.array([2.16, 1.35, np.deg2rad(3.6), np.deg2rad(8.6)])
    shares = np.array(list(itertools.product([0.05, 0.25, 0.5, 0.75, 0.95], repeat=4)))
    return (-bounds + 2 * bounds * shares).astype(np.float32)


@partial(jax.jit, static_argnames="limit")
def balanced(network: wannjax.Network, weight, begun, limit: int):
    """For how many steps a network balances the poles from each of the starts `begun` [N, 4]."""
    environment: Any = two_poles().environment
    poles, params, seen = environment.environment.env, environment.params, jnp.array(environment.columns)
    _, one = poles.reset_env(jax.random.key(0), params)
    state = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, len(begun)), one)
    state = state.replace(**dict(zip(("x", "x_dot", "theta1", "theta1_dot"), begun.T, strict=True)))

    def step(carry):
        state, memory, alive, count, time = carry
        observation = jax.vmap(poles.get_obs)(state)[:, seen]
        action, memory = network.step(memory, observation, weight)
        _, state, _, fallen, _ = jax.vmap(poles.step_env, in_axes=(None, 0, 0, None))(jax.random.key(0), state, action, params)
        alive &= ~fallen
        return state, memory, alive, count + alive, time + 1

    def goes_on(carry):
        return jnp.any(carry[2]) & (carry[4] < limit)

    alive, count = jnp.ones(len(begun), bool), jnp.zeros(len(begun), jnp.int32)
    return lax.while_loop(goes_on, step, (state, network.initial_state(len(begun)), alive, count, jnp.int32(0)))[3]


def generalisation(network: wannjax.Network, weight: float) -> int:
    """From how many of the 625 starts it balances the poles for 1,000 steps, if it does so for
    100,000 from the usual start; else 0.
    """
    usual = np.array([[0.0, 0.0, two_poles().params.start_angle, 0.0]], np.float32)
    if balanced(network, weight, usual, LONG)[0] < LONG:
        return 0
    return int(np.sum(np.asarray(balanced(network, weight, starts(), LIMIT)) == LIMIT))


def double_pole(seed: int, config: Any, generations: int) -> dict[str, Any]:
    """One search."""
    problem = EnvironmentProblem(Gruau(two_poles().environment))
    config = config.replace(output_activation=problem.output_activation)
    search, sweep = config.algorithm(inputs=problem.inputs, outputs=problem.outputs), jnp.array(config.weights, jnp.float32)
    start, key = jax.random.split(jax.random.key(seed))
    state = search.init(start)
    for generation in range(1, generations + 1):
        networks = search.ask(state)
        scores = np.asarray(problem.evaluate(key, networks, sweep, episodes=1, activation_ids=search.activation_ids).scores)
        best, at = np.unravel_index(np.nanargmax(scores), scores.shape)
        if scores[best, at] > 0.1:  # it balances the poles to the end, or nearly so and calmly
            network, size = take(networks, best), int(state.sizes.connections[best])
            starts_held = generalisation(network, float(sweep[at]))
            if starts_held >= ENOUGH:
                sweep_held = [
                    starts_held if place == at else generalisation(network, weight) for place, weight in enumerate(config.weights)
                ]
                evaluations = generation * config.population
                return {"evaluations": evaluations, "starts": starts_held, "sweep": sweep_held, "connections": size}
        state = search.enlarge(search.tell(state, scores)[0])
    return {"evaluations": None, "starts": 0, "sweep": [], "connections": 0}


def swing_up(seed: int, memory: bool, generations: int) -> dict[str, Any]:
    """One search, and its champion on fresh episodes."""
    problem = make_environment("CartPoleSwingUp-v0", observe=("x", "cos θ", "sin θ"))
    config = wannjax.WannConfig(recurrent=memory, racing=4)
    result = whole(wannjax.evolve(problem, config, generations=generations, seed=seed, progress=False))
    report = wannjax.evaluate(result.champion, problem, seed=seed)
    scores = {"mean": report.mean, "shared": report.tuned_shared.mean, "connections": report.connections}
    return {**scores, "seconds": result.seconds}


def show_double_pole(runs: dict[str, list[dict]], generations: int) -> None:
    rows = []
    for algorithm, each in runs.items():
        most = generations * ALGORITHMS[algorithm].population
        solved = [run for run in each if run["evaluations"] is not None]
        middle = np.median([run["evaluations"] or np.inf for run in each])
        row = [algorithm, f"{len(solved)} of {len(each)}", f"{middle:.0f}" if middle <= most else f"above {most}"]
        if solved:
            evaluations, held = ([run[key] for run in solved] for key in ("evaluations", "starts"))
            row += [quartiles(evaluations), f"{np.mean(evaluations):.0f}", f"{np.mean(held):.0f}", quartiles(held)]
            row += [f"{np.mean([run['sweep'] for run in solved]):.0f}", quartiles([run["connections"] for run in solved])]
        rows.append(row + [""] * (9 - len(row)))
    rows.append(["paper, NEAT", "20 of 20", "", "", *map(str, PAPER), "", "", ""])
    columns = ["", "solved", "median of all", "evaluations", "mean", "mean starts of 625", "starts", "over the sweep", "connections"]
    print_table("Two poles without velocities: evaluations and starts of those that solved it, with quartiles", columns, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=["double-pole", "swing-up"])
    parser.add_argument("--seeds", type=int, default=None, help="how many, from 0 on (default: 20 for double-pole, else 5)")
    parser.add_argument("--algorithms", nargs="+", default=list(ALGORITHMS), choices=list(ALGORITHMS), help="of double-pole")
    parser.add_argument("--generations", type=int, default=200, help="of a search, at the most (default: 200)")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/hidden_velocities.json"))
    options = parser.parse_args()

    wannjax.use_all_cores()
    results = Results(options.json)
    if options.task == "double-pole":
        search = partial(results.of, double_pole, options.seeds or 20, generations=options.generations)
        show_double_pole({name: search(config=ALGORITHMS[name]) for name in options.algorithms}, options.generations)
        return
    rows = []
    for memory in (False, True):
        runs = results.of(swing_up, options.seeds or 5, memory=memory, generations=options.generations)
        each = " ".join(f"{run['mean']:.0f}" for run in runs)
        row = [quartiles([run[key] for run in runs]) for key in ("mean", "shared", "connections", "seconds")]
        rows.append(["with memory" if memory else "without", each, *row])
    columns = ["networks", "mean over the sweep, by seed", "median", "best shared weight", "connections", "seconds"]
    print_table("Swing-up without velocities: 100 fresh episodes a weight", columns, rows)


if __name__ == "__main__":
    main()
