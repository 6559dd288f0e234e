"""The run directory: what a run leaves behind, readable by people and by spreadsheet programs."""

import csv
import io
import json
import platform
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from wannjax.common.devices import describe
from wannjax.common.digits import kept
from wannjax.common.files import MALFORMED, parse_json, parse_score, read_document, read_text, reading, reason_of, write_text
from wannjax.common.validation import require, require_seed
from wannjax.common.versions import versions_of
from wannjax.genomes.blocks import save_blocks
from wannjax.networks.files import load, load_scored_front, parse_network, save, save_front
from wannjax.networks.graph import network_of
from wannjax.networks.network import Network
from wannjax.runs.checkpoints import Checkpoints
from wannjax.runs.past_champions import Stage, load_growth, save_growth
from wannjax.runs.records import Record, TrainingRecord, are_columns
from wannjax.runs.result import Result
from wannjax.runs.run import START
from wannjax.search.registry import ALGORITHMS, Config
from wannjax.search.wann.config import WannConfig

CHECKPOINTS, TRAINING_CHECKPOINTS = "checkpoints", "training-checkpoints"
"""The folders that hold them."""
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
    """Creates a run directory; where one may `overwrite`, what an earlier run left in it is
    removed, and nothing else.

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
    """The problem, settings and seed of the search whose checkpoints are in a run directory. Raises
    ValueError if there is none.
    """
    found = Checkpoints(directory / CHECKPOINTS).newest()
    if found is None:
        raise ValueError(f"run directory: must hold checkpoints, and {str(directory / CHECKPOINTS)!r} has none")
    with reading(directory, "its checkpoint makes no sense"):
        name, settings, seed, generations = (found.document[key] for key in ("problem", "config", "seed", "generations"))
        require("problem", name, "a name", isinstance(name, str))
        return name, _config(found.document["algorithm"], {**settings, "generations": generations}), seed


def generations_saved(directory: Path) -> int:
    """The generations after which a run directory's newest checkpoint was saved; 0 where there is
    none.
    """
    return max(Checkpoints(directory / CHECKPOINTS).numbers(), default=0)


def start_saved(directory: Path) -> list[Any] | None:
    """The networks that a run began with, as they stand in its newest checkpoint; None where there
    is none.
    """
    found = Checkpoints(directory / CHECKPOINTS).newest()
    return None if found is None else found.document.get(START, [])


def _config(algorithm: Any, settings: dict[str, Any], kind: type[Config] | None = None) -> Config:
    """What a file says of a search's settings."""
    known = ALGORITHMS if kind is None else {**ALGORITHMS, kind.name: kind}
    require("algorithm", algorithm, f"one of {', '.join(known)}", isinstance(algorithm, str) and algorithm in known)
    return known[algorithm](**settings)


def write(directory: Path, result: Result) -> None:
    """Writes the data of a finished or interrupted run, the checkpoints apart; the page and the
    pictures are the report's. The run counts as under way until it is marked as `complete`.
    """
    save(directory / CHAMPION, result.champion)
    save_front(directory / FRONT, result.front, result.front_scores, result.config.weights)
    save_growth(directory / GROWTH, result.growth)
    write_history(directory / HISTORY, result.history)
    if isinstance(result.config, WannConfig) and result.config.blocks:
        save_blocks(directory / LIBRARY, result.config.blocks)
    document = {
        "problem": result.problem_name,
        "seed": result.seed,
        "algorithm": result.config.name,
        "config": asdict(result.config),
        "mean score": kept(np.mean(result.champion_scores)),
        "generations run": len(result.history["generation"]),
        "complete": False,
        "seconds": round(result.seconds, 1),
        **circumstances(),
    }
    write_json(directory / CONFIG, document)


def mark_complete(directory: Path) -> None:
    """Marks a run that was written as one with nothing left to do."""
    write_json(directory / CONFIG, {**parse_json(read_text(directory / CONFIG)), "complete": True})


class Saved(NamedTuple):
    """What the files of a run directory say.

    Attributes:
        problem: its name.
        champion, mean: the champion, and its mean score over the sweep in the final comparison.
        front, front_means: the last generation's non-dominated networks, and their mean scores.
        growth: the champions that the search had.
        history: one array per field of `Record`.
        seconds: wall time of the run.
        complete: whether the run had come to its end when they were written, the final comparison
            and the report included.
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
    complete: bool
    devices: str
    versions: dict[str, str]


def read(directory: Path, kind: type[Config] | None = None) -> Saved:
    """The files of a finished or interrupted run, whose settings are of this `kind`, or of one in
    `ALGORITHMS`. Raises ValueError, naming the file, for one that makes no sense, and OSError.
    """
    settings = read_document(directory / CONFIG, "not the settings of a run", partial(_settings, kind=kind))
    front = load_scored_front(directory / FRONT)
    return Saved(
        **settings,
        champion=load(directory / CHAMPION),
        front=[network for network, _ in front],
        front_means=[score for _, score in front],
        growth=load_growth(directory / GROWTH),
        history=read_history(directory / HISTORY, Record),
    )


def _settings(document: Any, kind: type[Config] | None) -> dict[str, Any]:
    """What `CONFIG` says of a run, as the fields of `Saved`."""
    problem, seed = document["problem"], document["seed"]
    require("problem", problem, "a name", isinstance(problem, str))
    seed = require_seed(seed)
    return {
        "problem": problem,
        "seed": seed,
        "config": _config(document["algorithm"], document["config"], kind),
        "mean": parse_score(document["mean score"]),
        "seconds": parse_score(document["seconds"]),
        "complete": bool(document.get("complete", True)),
        "devices": str(document["devices"]),
        "versions": {str(name): str(number) for name, number in dict(document["versions"]).items()},
    }


def read_history(path: Path, kind: type[Record] | type[TrainingRecord]) -> dict[str, np.ndarray]:
    """The columns of a history of records of this `kind`. Raises ValueError, naming the file, for
    anything else, and OSError.
    """
    with reading(path, "not the history of a run", (*MALFORMED, csv.Error)):
        head, *rows = csv.reader(io.StringIO(read_text(path)))
        require("columns", head, ", ".join(kind._fields), are_columns(head, kind))
        require("rows", len(rows), f"at least one, each of {len(head)} figures", bool(rows) and all(len(row) == len(head) for row in rows))
        columns = np.array(rows, np.float64).T
    return dict(zip(head, columns, strict=True))


def require_untrained(directory: Path, *, overwrite: bool) -> None:
    """Raises ValueError if the directory holds a tuned network, unless `overwrite`."""
    require("run directory", str(directory), "without a tuned network (or give --overwrite)", overwrite or not (directory / TUNED).exists())
    if overwrite:
        shutil.rmtree(directory / TRAINING_CHECKPOINTS, ignore_errors=True)


def network_path(directory: Path) -> Path:
    """The file of a run's network: the tuned one, or else the champion."""
    return directory / (TUNED if (directory / TUNED).exists() else CHAMPION)


def network_in_training(directory: Path) -> Network | None:
    """The network that a training began with, by its newest checkpoint; None where there is
    none.
    """
    found = Checkpoints(directory / TRAINING_CHECKPOINTS).newest()
    if found is None:
        return None
    with reading(directory / TRAINING_CHECKPOINTS, "not the checkpoint of a training"):
        return network_of(parse_network(found.document["network"]))


def write_history(path: Path, history: dict[str, np.ndarray]) -> None:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(history)
    writer.writerows(zip(*(column.tolist() for column in history.values()), strict=True))
    write_text(path, file.getvalue())


def write_json(path: Path, document: dict) -> None:
    write_text(path, json.dumps(document, indent=2) + "\n")


def circumstances() -> dict:
    """What a result depends on besides its settings."""
    versions = {"python": platform.python_version(), **versions_of("wannjax", "jax", "gymnax")}
    return {"devices": describe(), "versions": versions}


def problem_name(directory: Path) -> str:
    """The problem of a run directory. Raises ValueError when its config cannot be read."""
    try:
        name = parse_json(read_text(directory / CONFIG))["problem"]
        require("problem", name, "a name", isinstance(name, str))
        return name
    except (OSError, *MALFORMED) as error:
        raise ValueError(f"{directory / CONFIG}: cannot be read ({reason_of(error)}); name the environment") from None
