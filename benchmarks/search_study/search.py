"""One search of the study, in a process and on a core of its own."""

import json
import os
import time
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.common import machine
from benchmarks.search_study.candidates import CANDIDATES
from wannjax.common import devices
from wannjax.common.digits import kept

LANES = 24
"""Episodes of one evaluation."""
POINTS = 40
"""Of a run's curve that are kept."""


def settings_of(name: str) -> dict[str, Any]:
    """All settings of a candidate as they stand in a file: a result with other ones, of an earlier
    default say, is not that candidate's.
    """
    settings = json.loads(json.dumps(asdict(CANDIDATES[name].config)))
    return {setting: value for setting, value in settings.items() if setting != "generations"}


def run(name: str, seed: int, evaluations: int) -> dict[str, Any]:
    """One search by the candidate called `name`, on one core: what is kept of it."""
    import wannjax

    devices.cache_compilations()
    candidate = CANDIDATES[name]
    config, problem = candidate.config, wannjax.make("CartPoleSwingUp-v0")
    assert isinstance(problem, wannjax.EnvironmentProblem)
    lanes = len(config.weights) * config.episodes
    generations = max(round(evaluations * LANES / lanes / config.population), 1)
    begun = time.process_time()
    result = wannjax.evolve(candidate.problem(problem, generations), config, generations=generations, seed=seed, progress=False)
    seconds = time.process_time() - begun
    report = wannjax.evaluate(result.champion, problem, seed=seed)
    curve = result.history["champion_score"]
    shown = np.unique(np.linspace(0, generations - 1, POINTS).astype(int))
    return {
        "candidate": name,
        "settings": settings_of(name),
        "seed": seed,
        "evaluations": evaluations,
        "mean": kept(report.mean),
        "scores": {f"{weight:g}": kept(score.mean) for weight, score in report.per_weight.items()},
        "connections": report.connections,
        "generations": generations,
        "cpu seconds": round(seconds),
        "machine": f"{machine()['processor']}, jax {machine()['jax']}",
        "curve": [[int((g + 1) / generations * evaluations), kept(curve[g])] for g in shown],
    }


def take_core(taken) -> None:
    """Gives every worker a core of its own, so that searches side by side do not slow each
    other.
    """
    if hasattr(os, "sched_setaffinity"):
        with taken.get_lock():
            place, taken.value = taken.value, taken.value + 1
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[place % len(cores)]})
