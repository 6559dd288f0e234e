"""The searches of the study by one candidate, over seeds: jobs, each with a run directory, that any
number of processes take.
"""

import json
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import wannjax
from benchmarks.search_study.candidates import CANDIDATES
from wannjax.common.digits import kept
from wannjax.problems.environment_problem import EnvironmentProblem
from wannjax.runs.loop import Callback
from wannjax.runs.result import Result
from wannjax.runs.run_directory import Saved, generations_saved
from wannjax.runs.seeds import run_seeds

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


def run(name: str, seeds: list[int], evaluations: int, folder: Path, keep: Callable[[dict[str, Any]], None]) -> bool:
    """Searches by the candidate called `name` with those of the `seeds` that no other process has,
    and calls `keep` with what is kept of each as soon as it is done. Returns whether it was ended
    early.
    """
    candidate, problem = CANDIDATES[name], wannjax.make("CartPoleSwingUp-v0")
    assert isinstance(problem, EnvironmentProblem)
    lanes = len(candidate.config.weights) * candidate.config.episodes
    generations = max(round(evaluations * LANES / lanes / candidate.config.population), 1)
    config = candidate.config.replace(generations=generations)

    def search(seed: int, directory: Path, tell: Callback) -> Result:
        seen = candidate.problem(problem, generations, generations_saved(directory))
        return wannjax.evolve(seen, config, seed=seed, callbacks=[tell], progress=False, run_dir=directory, resume=True, finish=None)

    told_apart = zlib.crc32(json.dumps(settings_of(name), sort_keys=True).encode())
    own = folder / f"{name.replace(': ', '-').replace(' ', '-')}-{evaluations}-{told_apart:08x}"
    return run_seeds(
        problem, config, seeds, own, search, found=lambda seed, saved: keep(kept_of(name, problem, seed, evaluations, saved))
    ).interrupted


def kept_of(name: str, problem: EnvironmentProblem, seed: int, evaluations: int, saved: Saved) -> dict[str, Any]:
    """A line of the results: what a search found, its champion scored on fresh episodes."""
    report = wannjax.evaluate(saved.champion, problem, seed=seed)
    curve = saved.history["champion_score"]
    generations = len(curve)
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
        "seconds": round(saved.seconds),
        "machine": f"{saved.devices}, jax {saved.versions['jax']}",
        "curve": [[int((g + 1) / generations * evaluations), kept(curve[g])] for g in shown],
    }
