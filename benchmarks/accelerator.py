"""What an accelerator does, in one command of at most eight minutes: `python -m
benchmarks.accelerator [--minutes 8] [--quick] [--out benchmarks/results]`.

In this order, each part as far as the time allows (what it does not allow is named):
    agreement     the device computes what the CPU of the same machine does (`agreement.py`)
    NEAT          a generation on CartPole-v1 (`neat_speed.py`)
    search        a whole default search on swing-up
    peers         TensorNEAT and evosax, if they are installed (`rivals.py`)
    throughput    `problem.evaluate` of random networks at the sweep's weights on four episodes:
                  environment × nodes × population, in every form that the device has, beside what
                  `benchmarks.kernels` modelled, if its `modelled.json` is there
    brax          a generation of NEAT beside TensorNEAT's paper, if brax is installed

It writes accelerator.json, accelerator.md and accelerator.png into the folder, after every part.
The exit status is 0 if the device agrees with the CPU, and 1 if it does not or could not be asked.

A lane-step is one environment step of one lane. `total` counts all that were computed, `alive`
those before the episode's end, which alone are useful: random networks end early. On a CPU, which
has one form, agreement is that of the CPU with itself.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import wannjax
from benchmarks import agreement, neat_speed, rivals
from benchmarks.accelerator_report import modelled, tables_of, write
from benchmarks.agreement import FORMS, SWING_UP, forms_of
from benchmarks.common import machine, measure, networks_for, print_table, room_for
from benchmarks.throughput import AMONG, EPISODES
from wannjax.common import devices
from wannjax.common.validation import require
from wannjax.problems.registry import make_environment
from wannjax.search.wann.config import SWEEP

GOAL = 700
"""The champion's score that a search on swing-up is timed to."""
RESERVE = 15.0
"""Seconds that are left for pictures and files."""


@dataclass(frozen=True)
class Plan:
    """The sizes of one run."""

    search: wannjax.WannConfig
    environments: tuple[str, ...] = (SWING_UP, "CartPole-v1", "Pendulum-v1", "Breakout-MinAtar")
    populations: tuple[int, ...] = (1024, 16384, 65536)
    nodes: tuple[int, ...] = (29, 128)
    repeats: int = 3
    neat_population: int = 1000
    neat_slots: int = 20
    copies: int = 1024
    robots: tuple[str, ...] = tuple(rivals.PUBLISHED)
    brax_population: int = rivals.PUBLISHED_POPULATION


WHOLE = Plan(wannjax.WannConfig())
QUICK = Plan(
    wannjax.WannConfig(population=32, generations=2, confirm_episodes=4),
    environments=("CartPole-v1",),
    populations=(16, 32),
    nodes=(29,),
    repeats=1,
    neat_population=32,
    neat_slots=8,
    copies=16,
    robots=("inverted_pendulum",),
    brax_population=16,
)


class Clock:
    """The time that a run has, and what it says while it goes on."""

    def __init__(self, minutes: float):
        self.begun, self.seconds = time.perf_counter(), 60 * minutes - RESERVE

    @property
    def left(self) -> float:
        return self.seconds - (time.perf_counter() - self.begun)

    def say(self, text: str) -> None:
        print(f"[{time.perf_counter() - self.begun:5.0f} s] {text}", flush=True)

    def allows(self, what: str, seconds: float = 0.0) -> bool:
        """Whether there is time for what takes so many seconds; says so if not."""
        if self.left > seconds:
            return True
        self.say(f"skipped: {what} ({f'it takes about {seconds:.0f} s, ' if seconds else ''}{max(self.left, 0):.0f} s are left)")
        return False


class Speed(NamedTuple):
    """A generation of one form on one case.

    Attributes:
        asked_nodes: those of the plan, which are too few for a large observation.
        seconds: wall seconds of the median call.
        compile: seconds that the first call took beyond that.
        alive, total: lane-steps of it.
        note: why there are no figures.
    """

    environment: str
    nodes: int
    population: int
    form: str
    asked_nodes: int
    seconds: float | None = None
    compile: float | None = None
    alive: float | None = None
    total: float | None = None
    note: str = ""

    @property
    def case(self) -> tuple[str, int, int, str]:
        return self[:4]

    def record(self, modelled: dict[tuple, dict]) -> dict[str, Any]:
        """For a file: rates per second, and the modelled figures of the same case."""
        rates = {f"{kind}_steps_per_second": getattr(self, kind) / self.seconds if self.seconds else None for kind in ("alive", "total")}
        model = modelled.get(self.case, {})
        return {**self._asdict(), **rates, **{f"modelled_{name}": model.get(name) for name in ("seconds", *rates)}}


def agreements(clock: Clock, quick: bool) -> list[agreement.Agreement] | str:
    """How far this device is from the CPU, case by case; why that is not known if the CPU fails."""
    cases, population = agreement.sizes(quick)
    found: list[tuple[agreement.Case, str, agreement.Outcome | str]] = []
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cpu.npz"
        with agreement.started_on_cpu(path, quick) as process:
            try:
                for case in cases:
                    for form in agreement.forms_to_compare(case):
                        outcome = attempt(agreement.outcome_of, case, form, population)
                        found.append((case, form, outcome))
                        clock.say(f"agreement: {case}, {form}{f': {outcome}' if isinstance(outcome, str) else ''}")
                _, errors = process.communicate(timeout=max(clock.left, 1))
            except subprocess.TimeoutExpired:
                return "the process on the CPU took too long"
            finally:
                process.kill()
        if process.returncode:
            return f"the process on the CPU failed: {(errors.strip().splitlines() or ['no message'])[-1]}"
        expected = agreement.read(path)
    return [
        agreement.Agreement(str(case), form, failure=outcome)
        if isinstance(outcome, str)
        else agreement.compared(case, form, outcome, expected[str(case)])
        for case, form, outcome in found
    ]


def attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """What it returns, or the error in a line: of a compiler that has not met our kernels yet, of a
    device that is short of memory.
    """
    try:
        return function(*arguments)
    except Exception as error:
        return rivals.one_line(error)


def neat(clock: Clock, plan: Plan, _record: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The cost of a generation of NEAT by task."""
    config = wannjax.NeatConfig(population=plan.neat_population, **neat_speed.GROWTH)
    algorithm = config.algorithm(inputs=4, outputs=2)
    state = neat_speed.filled(algorithm, plan.neat_population, plan.neat_slots, seed=0)
    found = {}
    for task, problem in {"falling": make_environment("CartPole-v1"), "never falling": neat_speed.unfailing()}.items():
        found[task] = neat_speed.cost(problem, algorithm, state, plan.repeats)._asdict()
        clock.say(f"NEAT, {task}: {found[task]['rollouts'] + found[task]['outside']:.3f} s a generation")
    return found


def search(clock: Clock, plan: Plan, _record: dict[str, Any]) -> dict[str, Any]:
    """A whole search on swing-up; it ends early when half of the time that was left is spent."""
    rest = clock.left / 2
    result = wannjax.evolve(SWING_UP, plan.search, progress=False, callbacks=[lambda _: clock.left < rest])
    history = result.history
    reached = np.flatnonzero(history["champion_score"] >= GOAL)
    programs, compiling = result.compilations
    return {
        "population": plan.search.population,
        "generations": len(history["generation"]),
        "of": plan.search.generations,
        "seconds": result.seconds,
        "programs": programs,
        "compile_seconds": compiling,
        "outside_rollouts_seconds": float(np.sum(history["seconds"] - history["rollout_seconds"])),
        "champion_mean": float(np.mean(result.champion_scores)),
        f"seconds_to_{GOAL}": float(np.sum(history["seconds"][: reached[0] + 1])) if reached.size else None,
    }


def peers(_clock: Clock, plan: Plan, record: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The rows of other libraries, with our own NEAT's from `record`."""
    ours = record["neat"]["falling"] if "neat" in record else None
    own = (ours["rollouts"] + ours["outside"], ours["alive"]) if ours else None
    return {"rows": [each._asdict() for each in rivals.peers(own, plan.neat_population, plan.neat_slots, plan.copies, plan.repeats)]}


def speed(environment: str, asked: int, population: int, form: str, repeats: int) -> Speed:
    """One generation, timed; that it does not fit or run is a row too."""
    problem = make_environment(environment)
    problem.form = form
    networks = networks_for(problem.inputs, problem.outputs, population, asked)
    row = Speed(environment, room_for(problem.inputs, problem.outputs, asked), population, form, asked)
    key, weights = jax.random.key(0), jnp.array(SWEEP)

    def generation() -> Any:
        return problem.evaluate(key, networks, weights, episodes=EPISODES, activation_ids=AMONG)

    timing = attempt(measure, generation, repeats)
    if isinstance(timing, str):
        return row._replace(note=timing)
    alive, total = float(np.sum(timing.result.steps, dtype=float)), float(timing.result.computed_steps)
    return row._replace(seconds=timing.wall, compile=timing.compile, alive=alive, total=total)


def speeds(clock: Clock, plan: Plan) -> Iterator[Speed]:
    """The rows of all cases that there is time for, those of the fastest form first; a larger
    population is expected to take as many times longer.
    """
    for form in FORMS:
        for environment in plan.environments:
            if form not in forms_of(make_environment(environment)):
                continue
            for nodes in plan.nodes:
                expected = 0.0
                for i, population in enumerate(plan.populations):
                    what = f"{environment}, {nodes} nodes, population {population:,}, {form}"
                    if not clock.allows(what, expected):
                        break
                    row = speed(environment, nodes, population, form, plan.repeats)
                    yield row
                    if row.seconds is None or row.alive is None or row.compile is None:
                        clock.say(f"{what}: {row.note}")
                        break
                    clock.say(f"{what}: {row.seconds:.3g} s, {row.alive / row.seconds / 1e6:.3g} M alive lane-steps/s")
                    growth = plan.populations[min(i + 1, len(plan.populations) - 1)] / population
                    expected = row.compile + (1 + plan.repeats) * row.seconds * growth


def verdict_of(found: list[agreement.Agreement] | str) -> tuple[bool, str]:
    """Whether the device agrees with the CPU, and that in a sentence."""
    if isinstance(found, str):
        return False, f"Not known whether {devices.describe()} agrees with the CPU: {found}"
    wrong = [f"{each.case} ({each.form})" for each in found if not each.holds]
    against = "with itself, being a CPU" if devices.on_cpu() else "with the CPU"
    if wrong:
        return False, f"{devices.describe()} does NOT agree {against}: {', '.join(wrong)}"
    return True, f"{devices.describe()} agrees {against} in all {len(found)} cases"


PARTS: dict[str, Callable[[Clock, Plan, dict[str, Any]], dict[str, Any]]] = {"neat": neat, "search": search, "peers": peers}


def measure_all(clock: Clock, plan: Plan, quick: bool, folder: Path) -> dict[str, Any]:
    """All parts, each on disk as soon as it is done."""
    record: dict[str, Any] = {"machine": machine(), "compilation_cache": os.environ.get("JAX_COMPILATION_CACHE_DIR"), "plan": asdict(plan)}
    found = agreements(clock, quick)
    record["agrees"], record["verdict"] = verdict_of(found)
    record["agreement"] = found if isinstance(found, str) else [asdict(each) for each in found]
    clock.say(record["verdict"])
    for name, part in PARTS.items():
        if clock.allows(name):
            outcome = attempt(part, clock, plan, record)
            record |= {name: outcome} if isinstance(outcome, dict) else {f"{name}_failure": outcome}
            clock.say(f"{name}: {outcome if isinstance(outcome, str) else 'done'}")
        write(folder, record)
    record["throughput"], model = [], modelled()
    for row in speeds(clock, plan):
        record["throughput"].append(row.record(model))
        write(folder, record)
    record["robots"] = []
    for robot in plan.robots:
        if clock.allows(f"brax's {robot}"):
            record["robots"] += [each._asdict() for each in rivals.robot_rows(robot, plan.brax_population, plan.repeats)]
            clock.say(f"brax's {robot}: done")
            write(folder, record)
    record["seconds"] = time.perf_counter() - clock.begun
    write(folder, record)
    return record


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accelerator", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=8.0, help="that it may take (default 8)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder of the three files")
    options = parser.parse_args()
    try:
        require("--minutes", options.minutes, "a number from 0.5 to 1440", 0.5 <= options.minutes <= 1440)
        options.out.mkdir(parents=True, exist_ok=True)
        wannjax.use_all_cores()
        devices.require_devices()
    except (ValueError, OSError) as error:
        parser.error(str(error))
    clock = Clock(options.minutes)
    clock.say(f"measures {devices.describe()}{', a CPU: no accelerator is used' if devices.on_cpu() else ''}")
    record = measure_all(clock, QUICK if options.quick else WHOLE, options.quick, options.out)
    for table in tables_of(record):
        print_table(*table)
    print(f"\n{record['verdict']}\n{', '.join(str(options.out / f'accelerator.{kind}') for kind in ('json', 'md', 'png'))}")
    sys.exit(not record["agrees"])


if __name__ == "__main__":
    main()
