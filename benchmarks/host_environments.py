"""What do we add to an environment that lives on the host? `python -m benchmarks.host_environments
[--environments envpool:BipedalWalker-v3 ...] [--lanes 64 256 1024]`.

So many networks play one episode each, side by side, until the last one has ended. The time of the
environment itself is that of its `reset` and `step`; ours is the rest of the evaluation: forward
passes, actions, bookkeeping. CPU-seconds of all threads, medians, programs compiled before.
"""

import argparse
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import wannjax
from benchmarks.common import machine, networks_for, print_table, write_json
from wannjax.common.digits import number
from wannjax.problems.host_problem import HostProblem


class Timed(wannjax.HostEnvironment):
    """An environment, and the CPU-seconds of its own."""

    def __init__(self, environment: wannjax.HostEnvironment):
        self.environment, self.seconds = environment, 0.0
        for name in ("name", "inputs", "actions", "max_steps", "input_names", "output_names"):
            setattr(self, name, getattr(environment, name))

    def _timed(self, function, *arguments):
        begun = time.process_time()
        found = function(*arguments)
        self.seconds += time.process_time() - begun
        return found

    def reset(self, seeds):
        return self._timed(self.environment.reset, seeds)

    def step(self, actions, lanes):
        return self._timed(self.environment.step, actions, lanes)


def cost(problem: HostProblem, timed: Timed, networks, key) -> tuple[int, float, float]:
    """The steps of one evaluation, and the CPU-seconds of the environment and of ours."""
    timed.seconds, begun = 0.0, time.process_time()
    evaluation = problem.evaluate(key, networks, jnp.ones(1), episodes=1)
    steps = int(evaluation.computed_steps)
    return steps, timed.seconds, time.process_time() - begun - timed.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", nargs="+", default=["envpool:BipedalWalker-v3", "gymnasium:BipedalWalker-v3"])
    parser.add_argument("--lanes", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--nodes", type=int, default=100, help="of a network; the paper's biped has 103")
    parser.add_argument("--max-steps", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/host_environments.json"))
    options = parser.parse_args()

    rows, record = [], []
    for name in options.environments:
        plain = wannjax.make(name, max_steps=options.max_steps)
        assert isinstance(plain, HostProblem)
        timed = Timed(plain.environment)
        problem = HostProblem(timed, lanes=max(options.lanes))
        for lanes in options.lanes:
            networks = networks_for(plain.inputs, plain.outputs, lanes, options.nodes)
            costs = [cost(problem, timed, networks, jax.random.key(1)) for _ in range(1 + options.repeats)][1:]
            steps = costs[0][0]
            own, ours = (float(np.median([each[part] for each in costs])) for part in (1, 2))
            each = {"steps": steps, "environment": own / steps * 1e6, "ours": ours / steps * 1e6, "overhead": ours / own}
            record.append({"environment": name, "lanes": lanes, **each})
            shares = [f"{each['environment']:.0f}", number(each["ours"]), f"{100 * each['overhead']:.1f} %"]
            rows.append([f"{name}, {lanes} lanes", f"{steps / lanes:.0f}", *shares])
    columns = ["", "steps of a lane", "environment, µs a step", "ours, µs a step", "overhead"]
    print_table(f"Networks of {options.nodes} nodes, episodes of at most {options.max_steps} steps", columns, rows)
    write_json(options.json, {"machine": machine(), "rows": record})


if __name__ == "__main__":
    main()
