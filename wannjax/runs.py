"""The run directory: what a run leaves behind, readable by people and by spreadsheet programs."""

import csv
import json
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np

from wannjax.devices import describe
from wannjax.evolution import Result
from wannjax.storage import save, save_front
from wannjax.validation import require

CHAMPION, FRONT, HISTORY, CONFIG = "champion.json", "front.json", "history.csv", "config.json"
DRAWING, CURVES = "champion.png", "curves.png"


def claim(directory: Path, *, overwrite: bool) -> None:
    """Creates an empty run directory. Raises ValueError if it exists with anything in it, unless `overwrite`, and OSError."""
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"run directory: {str(directory)!r} is a file")
    occupied = directory.exists() and any(directory.iterdir())
    require("run directory", str(directory), "new or empty (or give --overwrite)", overwrite or not occupied)
    directory.mkdir(parents=True, exist_ok=True)


def write(directory: Path, result: Result) -> None:
    """Writes all files of a finished or interrupted run."""
    from wannjax.analysis.curves import draw_curves
    from wannjax.analysis.drawing import draw

    save(directory / CHAMPION, result.champion)
    save_front(directory / FRONT, result.front, result.front_scores, result.config.weights)
    with open(directory / HISTORY, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(result.history)
        writer.writerows(zip(*(column.tolist() for column in result.history.values()), strict=True))
    document = {
        "problem": result.problem_name,
        "seed": result.seed,
        "config": asdict(result.config),
        "generations run": len(result.history["generation"]),
        "seconds": round(result.seconds, 1),
        "devices": describe(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in ("wannjax", "jax", "gymnax")}},
    }
    (directory / CONFIG).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    mean = float(np.mean(result.champion_scores))
    draw(result.champion, directory / DRAWING, title=f"{result.problem_name}: mean score {mean:.0f} over the sweep")
    draw_curves(result.history, directory / CURVES, title=result.problem_name)


def problem_name(directory: Path) -> str:
    """The problem of a run directory. Raises ValueError when its config cannot be read."""
    try:
        name = json.loads((directory / CONFIG).read_text(encoding="utf-8"))["problem"]
        require("problem", name, "a name", isinstance(name, str))
        return name
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{directory / CONFIG}: cannot be read ({error}); name the environment") from None
