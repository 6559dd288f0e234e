"""What training found, and the files that it leaves in a run directory."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wannjax.common.digits import kept, number
from wannjax.finetuning.method import Method, settings_of
from wannjax.networks.files import save
from wannjax.networks.network import Network
from wannjax.runs.run_directory import TRAINING, TRAINING_CONFIG, TUNED, circumstances, write_history, write_json


@dataclass(frozen=True, eq=False)
class Tuned:
    """What training found.

    Attributes:
        network: the network with its individual weights.
        score: its mean score on fresh held-out episodes (of data: on the validation examples).
        start: where its weights came from: a shared weight, "random", "given", or "own".
        member_scores: float[M], the score of what came of every start, each at its best check.
        history: one array per field of `TrainingRecord`, one entry per check.
        method, problem_name, seed: what was run.
        seconds: wall time.
        interrupted: whether training ended before its last step though its patience had not run
            out.
    """

    network: Network
    score: float
    start: float | str
    member_scores: np.ndarray
    history: dict[str, np.ndarray]
    method: Method
    problem_name: str
    seed: int
    seconds: float
    interrupted: bool

    def __repr__(self) -> str:
        return f"Tuned({self.problem_name}: {self.method.name}, seed {self.seed}, score {number(self.score)}, {self.network!r})"


def write(directory: Path, tuned: Tuned) -> None:
    """Writes the data of a finished or interrupted training: the network with its weights, the
    history, the settings.
    """
    save(directory / TUNED, tuned.network)
    write_history(directory / TRAINING, tuned.history)
    document = {
        "problem": tuned.problem_name,
        "seed": tuned.seed,
        "method": tuned.method.name,
        "settings": settings_of(tuned.method),
        "steps run": int(tuned.history["step"][-1]),
        "start": tuned.start,
        "held-out score": kept(tuned.score),
        "seconds": round(tuned.seconds, 1),
        **circumstances(),
    }
    write_json(directory / TRAINING_CONFIG, document)
