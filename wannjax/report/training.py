"""The pictures of a training, made from its files in a run directory."""

from pathlib import Path
from typing import Any

from wannjax.common.digits import number
from wannjax.common.files import read_document
from wannjax.networks.files import load
from wannjax.pictures.curves import draw_training as draw_curves
from wannjax.pictures.drawing import draw
from wannjax.runs import run_directory
from wannjax.runs.records import TrainingRecord


def draw_training(directory: Path) -> None:
    """Draws the tuned network and the scores over the steps into the run directory. Raises
    ValueError for files that make no sense.
    """
    title = read_document(directory / run_directory.TRAINING_CONFIG, "not the settings of a training", _title)
    draw(load(directory / run_directory.TUNED), directory / run_directory.TUNED_DRAWING, title=title)
    history = run_directory.read_history(directory / run_directory.TRAINING, TrainingRecord)
    draw_curves(history, directory / run_directory.TRAINING_CURVES, title=title)


def _title(training: Any) -> str:
    return f"{training['problem']}: {number(training['held-out score'])} on held-out episodes, tuned by {training['method']}"
