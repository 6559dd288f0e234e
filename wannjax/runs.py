"""The run directory: what a run leaves behind, readable by people and by spreadsheet programs."""

import csv
import io
import json
import platform
import shutil
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from wannjax.blocks import save_blocks
from wannjax.books import Record
from wannjax.checkpoints import Checkpoints
from wannjax.config import ALGORITHMS, Config, WannConfig
from wannjax.devices import describe
from wannjax.evaluation import Report
from wannjax.evolution import CHECKPOINTS, Result
from wannjax.finetuning import Tuned
from wannjax.finetuning.finetune import CHECKPOINTS as TRAINING_CHECKPOINTS
from wannjax.growth import Stage, load_growth, save_growth
from wannjax.network import Network
from wannjax.problems import Problem
from wannjax.storage import load, load_scored_front, parse_json, parse_score, read_text, reason_of, save, save_front, write_text
from wannjax.validation import require, require_seed

CHAMPION, FRONT, HISTORY, CONFIG = "champion.json", "front.json", "history.csv", "config.json"
GROWTH, LIBRARY, REPORT = "growth.json", "library.json", "report.html"
DRAWING, CURVES = "champion.png", "curves.png"
TUNED, TRAINING, TRAINING_CONFIG = "tuned.json", "training.csv", "training.json"
TUNED_DRAWING, TRAINING_CURVES = "tuned.png", "training.png"
FILES = (
    *(CHAMPION, FRONT, HISTORY, CONFIG, GROWTH, LIBRARY, REPORT, DRAWING, CURVES),
    *(TUNED, TRAINING, TRAINING_CONFIG, TUNED_DRAWING, TRAINING_CURVES),
)
"""All that a run and its training write, the checkpoints apart."""


def claim(directory: Path, *, overwrite: bool) -> None:
    """Creates a run directory; where one may `overwrite`, what an earlier run left in it is removed, and nothing else.

    Raises ValueError if it exists with anything in it, unless `overwrite`, and OSError.
    """
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"run directory: {str(directory)!r} is a file")
    occupied = directory.exists() and any(directory.iterdir())
    require("run directory", str(directory), "new or empty (or give --overwrite)", overwrite or not occupied)
    directory.mkdir(parents=True, exist_ok=True)
    if occupied:
        for folder in (CHECKPOINTS, TRAINING_CHECKPOINTS):
            shutil.rmtree(directory / folder, ignore_errors=True)
        for file in FILES:
            (directory / file).unlink(missing_ok=True)


def saved_search(directory: Path) -> tuple[str, Config, int]:
    """The problem, settings and seed of the search whose checkpoints are in a run directory. Raises ValueError if there is none."""
    found = Checkpoints(directory / CHECKPOINTS).newest()
    if found is None:
        raise ValueError(f"run directory: must hold checkpoints, and {str(directory / CHECKPOINTS)!r} has none")
    try:
        name, settings, seed, generations = (found.document[key] for key in ("problem", "config", "seed", "generations"))
        require("problem", name, "a name", isinstance(name, str))
        return name, _config(found.document["algorithm"], {**settings, "generations": generations}), seed
    except (KeyError, TypeError) as error:
        raise ValueError(f"{directory}: its checkpoint makes no sense: {reason_of(error)}") from None


def _config(algorithm: Any, settings: dict[str, Any]) -> Config:
    """What a file says of a search's settings."""
    require("algorithm", algorithm, f"one of {', '.join(ALGORITHMS)}", isinstance(algorithm, str) and algorithm in ALGORITHMS)
    return ALGORITHMS[algorithm](**settings)


def write(directory: Path, result: Result, problem: Problem) -> Report | None:
    """Writes all files of a finished or interrupted run, the checkpoints apart; returns the champion's scores that the report shows."""
    from wannjax.analysis.curves import draw_curves
    from wannjax.analysis.drawing import draw
    from wannjax.analysis.report import write_report

    save(directory / CHAMPION, result.champion)
    save_front(directory / FRONT, result.front, result.front_scores, result.config.weights)
    save_growth(directory / GROWTH, result.growth)
    _write_history(directory / HISTORY, result.history)
    if isinstance(result.config, WannConfig) and result.config.blocks:
        save_blocks(directory / LIBRARY, result.config.blocks)
    mean = float(np.mean(result.champion_scores))
    document = {
        "problem": result.problem_name,
        "seed": result.seed,
        "algorithm": result.config.name,
        "config": asdict(result.config),
        "mean score": round(mean, 3),
        "generations run": len(result.history["generation"]),
        "seconds": round(result.seconds, 1),
        **_circumstances(),
    }
    _write_json(directory / CONFIG, document)
    sweep = " over the sweep" if len(result.config.weights) > 1 else ""
    draw(result.champion, directory / DRAWING, title=f"{result.problem_name}: mean score {mean:.0f}{sweep}")
    draw_curves(result.history, directory / CURVES, title=result.problem_name)
    return write_report(directory, problem)


class Saved(NamedTuple):
    """What the files of a run directory say.

    Attributes:
        problem: its name.
        champion, mean: the champion, and its mean score over the sweep in the final comparison.
        front, front_means: the last generation's non-dominated networks, and their mean scores.
        growth: the champions that the search had.
        history: one array per field of `Record`.
        seconds: wall time of the run.
        devices, versions: what it ran on.
    """

    problem: str
    seed: int
    config: Config
    champion: Network
    mean: float
    front: list[Network]
    front_means: list[float]
    growth: list[Stage]
    history: dict[str, np.ndarray]
    seconds: float
    devices: str
    versions: dict[str, str]


def read(directory: Path) -> Saved:
    """The files of a finished or interrupted run. Raises ValueError, naming the file, for one that makes no sense, and OSError."""
    path = directory / CONFIG
    text = read_text(path)
    try:
        document = parse_json(text)
        problem, seed = document["problem"], document["seed"]
        require("problem", problem, "a name", isinstance(problem, str))
        require_seed(seed)
        config = _config(document["algorithm"], document["config"])
        mean, seconds = parse_score(document["mean score"]), parse_score(document["seconds"])
        devices = str(document["devices"])
        versions = {str(name): str(number) for name, number in dict(document["versions"]).items()}
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise ValueError(f"{path}: not the settings of a run: {reason_of(error)}") from None
    front = load_scored_front(directory / FRONT)
    return Saved(
        problem=problem,
        seed=seed,
        config=config,
        champion=load(directory / CHAMPION),
        mean=mean,
        front=[network for network, _ in front],
        front_means=[score for _, score in front],
        growth=load_growth(directory / GROWTH),
        history=_read_history(directory / HISTORY),
        seconds=seconds,
        devices=devices,
        versions=versions,
    )


def _read_history(path: Path) -> dict[str, np.ndarray]:
    try:
        head, *rows = csv.reader(io.StringIO(read_text(path)))
        require("columns", head, ", ".join(Record._fields), head == list(Record._fields))
        require("rows", len(rows), f"at least one, each of {len(head)} figures", bool(rows) and all(len(row) == len(head) for row in rows))
        columns = np.array(rows, np.float64).T
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: not the history of a run: {reason_of(error)}") from None
    return dict(zip(head, columns, strict=True))


def write_training(directory: Path, tuned: Tuned) -> None:
    """Writes the files of a finished or interrupted training: the network with its weights, the history, and pictures."""
    from wannjax.analysis.curves import draw_training
    from wannjax.analysis.drawing import draw

    save(directory / TUNED, tuned.network)
    _write_history(directory / TRAINING, tuned.history)
    document = {
        "problem": tuned.problem_name,
        "seed": tuned.seed,
        "method": tuned.method.name,
        "settings": asdict(cast(Any, tuned.method)),
        "steps run": int(tuned.history["step"][-1]),
        "start": tuned.start,
        "held-out score": round(tuned.score, 3),
        "seconds": round(tuned.seconds, 1),
        **_circumstances(),
    }
    _write_json(directory / TRAINING_CONFIG, document)
    title = f"{tuned.problem_name}: {tuned.score:.4g} on held-out episodes, tuned by {tuned.method.name}"
    draw(tuned.network, directory / TUNED_DRAWING, title=title)
    draw_training(tuned.history, directory / TRAINING_CURVES, title=title)


def require_untrained(directory: Path, *, overwrite: bool) -> None:
    """Raises ValueError if the directory holds a tuned network, unless `overwrite`."""
    require("run directory", str(directory), "without a tuned network (or give --overwrite)", overwrite or not (directory / TUNED).exists())
    if overwrite:
        shutil.rmtree(directory / TRAINING_CHECKPOINTS, ignore_errors=True)


def network_path(directory: Path) -> Path:
    """The file of a run's network: the tuned one, or else the champion."""
    return directory / (TUNED if (directory / TUNED).exists() else CHAMPION)


def _write_history(path: Path, history: dict[str, np.ndarray]) -> None:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(history)
    writer.writerows(zip(*(column.tolist() for column in history.values()), strict=True))
    write_text(path, file.getvalue())


def _write_json(path: Path, document: dict) -> None:
    write_text(path, json.dumps(document, indent=2) + "\n")


def _circumstances() -> dict:
    """What a result depends on besides its settings."""
    versions = {"python": platform.python_version(), **{name: version(name) for name in ("wannjax", "jax", "gymnax")}}
    return {"devices": describe(), "versions": versions}


def problem_name(directory: Path) -> str:
    """The problem of a run directory. Raises ValueError when its config cannot be read."""
    try:
        name = parse_json(read_text(directory / CONFIG))["problem"]
        require("problem", name, "a name", isinstance(name, str))
        return name
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{directory / CONFIG}: cannot be read ({reason_of(error)}); name the environment") from None
