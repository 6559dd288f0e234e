"""What the search finds on other tasks: `python -m benchmarks.tasks [--environments ENV …] [--seeds
0 1 2 3 4] [--kept]`.

Every task is searched with every seed, with the default settings but for `TASKS`; each champion is
scored on 100 fresh episodes per weight (20 or 8 where steps are slow). The table has medians and
quartiles over the seeds, a policy that acts at random, and a good score from the literature. Runs
are kept in the JSON file with their settings; a second call does only what is missing. With
`--kept` nothing is run, and a task that was not run with the present settings shows what earlier
ones found, and says so. Tasks of other libraries, `library:name`, run where they are named.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import wannjax
from benchmarks.common import machine, print_table, whole, write_json
from wannjax.common.digits import number, numbers
from wannjax.problems.environment_problem import EnvironmentProblem
from wannjax.problems.host_problem import HostProblem
from wannjax.problems.problem import Problem


class Task(NamedTuple):
    """How a task is searched, and what is known of it.

    Attributes:
        good: a good score, with `source`.
        settings: what differs from the defaults.
        episodes: fresh ones per weight, of the champion.
        max_steps: of an episode, where that is less than the environment's own limit.
        options: of the library's, such as a backend.
    """

    good: str
    source: str
    settings: Mapping[str, Any]
    episodes: int = 100
    max_steps: int | None = None
    options: Mapping[str, Any] = {}

    def problem(self, name: str) -> Problem:
        """The task called `name`."""
        return wannjax.make(name, max_steps=self.max_steps, **self.options)


_GYMNAX = "PPO, table in gymnax's README"
_MANY_EPISODES = {"generations": 100, "episodes": 32, "confirm_episodes": 256}
"""For a task whose episodes differ more than its networks do."""
_MOST = "the most that there can be"
_FEW = {"generations": 8, "population": 24, "episodes": 1, "confirm_episodes": 4, "candidates": 2}
"""For a task of which a CPU takes some thousand steps a second."""
_LEGS = {**_FEW, "generations": 16, "population": 32}
"""For one that moves, and ends early at first."""
_SOME = {"generations": 40, "population": 64, "episodes": 1, "confirm_episodes": 8, "candidates": 4}
"""For a task on the host, or of long episodes."""
_SOLVED = "solved, gymnasium's documentation"
TASKS = {
    "CartPole-v1": Task("500", _GYMNAX, {"generations": 50}),
    "Acrobot-v1": Task("-80", _GYMNAX, {"generations": 50}),
    "MountainCar-v0": Task("-118", _GYMNAX, {"generations": 100}),
    "Pendulum-v1": Task("-130", _GYMNAX, {"generations": 200}),
    "MountainCarContinuous-v0": Task("92", _GYMNAX, {"generations": 100}),
    "Reacher-misc": Task("33", "PPO, one run, RLerneX docs/PPO.md", _MANY_EPISODES),
    "Breakout-MinAtar": Task("28", _GYMNAX, {"generations": 100, "population": 256}),
    "SpaceInvaders-MinAtar": Task("131", _GYMNAX, {"generations": 100, "population": 256}),
    "brax:hopper": Task("2354", "TensorNEAT's paper, 5,000 networks on a GPU", _LEGS, episodes=8, options={"backend": "spring"}),
    "brax:inverted_pendulum": Task("1000", _MOST, _FEW, episodes=8),
    "playground:CartpoleSwingup": Task("1000", _MOST, _FEW, episodes=8),
    "envpool:LunarLander-v3": Task("200", _SOLVED, _SOME, episodes=20),
    "envpool:LunarLanderContinuous-v3": Task("200", _SOLVED, _SOME, episodes=20),
    "jumanji:Maze-v0": Task("1", _MOST, {"generations": 50, "population": 256}),
    "jumanji:Snake-v1": Task("143", _MOST, _SOME, episodes=20, max_steps=200),
}
RANDOM_EPISODES = 256


def random_policy(name: str) -> float:
    """The mean return of a policy that draws every action uniformly."""
    problem = TASKS[name].problem(name)
    if isinstance(problem, HostProblem):
        return random_policy_on_host(problem)
    assert isinstance(problem, EnvironmentProblem)

    def act(key, _observations):
        key, draw = jax.random.split(key)
        # The greatest of independent outputs is uniform among discrete actions; outputs in [-1, 1]
        # are stretched to a box.
        return key, jax.random.uniform(draw, (problem.outputs, 1, RANDOM_EPISODES), minval=-1.0, maxval=1.0)

    keys = jax.random.split(jax.random.key(0), RANDOM_EPISODES)
    run = jax.jit(partial(problem.run_episodes, act), static_argnums=2)
    returns, *_ = run(jax.random.key(1), keys, 1, problem.params)
    return float(jnp.mean(returns))


def random_policy_on_host(problem: HostProblem) -> float:
    """The same on the host."""
    environment, rng = problem.environment, np.random.default_rng(0)
    alive, total = np.arange(RANDOM_EPISODES), 0.0
    act = jax.jit(jax.vmap(environment.actions.action))
    environment.reset(np.arange(RANDOM_EPISODES))
    for _ in range(problem.max_steps):
        outputs = rng.uniform(-1, 1, (RANDOM_EPISODES, problem.outputs)).astype(np.float32)
        _, rewards, terminated, truncated = environment.step(np.asarray(act(outputs))[alive], alive)
        total += float(np.sum(rewards))
        alive = alive[~(terminated | truncated)]
        if not len(alive):
            break
    return total / RANDOM_EPISODES


def settings_of(name: str) -> dict[str, Any]:
    """All settings of a task's searches as they stand in a file."""
    return json.loads(json.dumps(asdict(wannjax.WannConfig(**TASKS[name].settings))))


def search(name: str, seed: int) -> dict:
    """One search, and its champion on fresh episodes."""
    problem = TASKS[name].problem(name)
    result = whole(wannjax.evolve(problem, wannjax.WannConfig(**TASKS[name].settings), seed=seed, progress=False))
    report = wannjax.evaluate(result.champion, problem, episodes=TASKS[name].episodes, seed=seed)
    return {
        "environment": name,
        "settings": settings_of(name),
        "seed": seed,
        "mean": report.mean,
        "scores": {weight: score.mean for weight, score in report.per_weight.items()},
        "best": report.tuned_shared.mean,
        "best weight": report.tuned_weight,
        "connections": report.connections,
        "seconds": result.seconds,
    }


def quartiles(values) -> str:
    """The median, with the quartiles in brackets."""
    low, middle, high = np.percentile(np.asarray(values, float), [25, 50, 75])
    middle, low, high = numbers([middle, low, high], high - low)
    return f"{middle} [{low}, {high}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    needing_nothing = [name for name in TASKS if ":" not in name]
    parser.add_argument("--environments", nargs="+", default=needing_nothing, choices=list(TASKS), metavar="ENV")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--json", type=Path, default=Path("benchmarks/tasks_runs.json"))
    parser.add_argument("--kept", action="store_true", help="run nothing, show what there is")
    options = parser.parse_args()

    wannjax.use_all_cores()
    record = json.loads(options.json.read_text()) if options.json.exists() else {"runs": [], "random": {}}
    for name in options.environments:
        if name not in record["random"]:
            record["random"][name] = random_policy(name)

    def known(name: str, **settings: Any) -> list[dict]:
        wanted = {"environment": name, **settings}.items()
        return [run for run in record["runs"] if run["seed"] in options.seeds and all(run.get(key) == value for key, value in wanted)]

    for seed in options.seeds:
        for name in [] if options.kept else options.environments:
            if seed not in (run["seed"] for run in known(name, settings=settings_of(name))):
                record["runs"].append(search(name, seed))
                latest = record["runs"][-1]
                print(f"{name}, seed {seed}: {number(latest['mean'])} over the sweep in {latest['seconds']:.0f} s", flush=True)
                write_json(options.json, {**record, "machine": machine()})
    rows = []
    for name in options.environments:
        runs = known(name, settings=settings_of(name))
        earlier = len(runs) < len(options.seeds)
        runs = [run for run in known(name) if "settings" not in run] if earlier else runs
        if not runs:
            continue
        columns = [quartiles([run[key] for run in runs]) for key in ("mean", "best", "connections", "seconds")]
        limit = TASKS[name].max_steps
        of_library = [f"{option} {value}" for option, value in TASKS[name].options.items()]
        shown = [name, *of_library, *([] if limit is None else [f"{limit} steps"]), *(["earlier settings"] if earlier else [])]
        good = f"{TASKS[name].good} ({TASKS[name].source})"
        rows.append([", ".join(shown), *columns[:3], number(record["random"][name]), good, columns[3]])
    columns = ["task", "mean, sweep", "best weight", "connections", "random policy", "known good", "seconds"]
    print_table(f"Champions of {len(options.seeds)} searches a task: median and quartiles", columns, rows)


if __name__ == "__main__":
    main()
