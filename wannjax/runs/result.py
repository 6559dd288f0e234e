"""What a run found."""

from dataclasses import dataclass

import numpy as np

from wannjax.analysis.evaluation import Report
from wannjax.common.wording import counted
from wannjax.networks.network import Network
from wannjax.runs.past_champions import Stage
from wannjax.search.registry import Config


@dataclass(frozen=True, eq=False)
class Result:
    """What a run found.

    Attributes:
        champion: the network with the best mean score over the sweep, confirmed on fresh episodes,
            of data on the validation examples.
        champion_scores: float[W], its scores on the episodes of the final comparison.
        front: the last generation's non-dominated networks by mean score, best score and number of
            connections, rescored.
        front_scores: float[F, W], their scores in the final comparison.
        history: one array per field of `Record`, one entry per generation. Its `champion_score` is
            that of the rounds which confirmed each champion, and optimistic.
        growth: the champions that the search had, from the first on, thinned to at most
            `past_champions.KEPT`; the final comparison may have preferred another one.
        config, seed, problem_name: what was run.
        seconds: wall time of the run.
        compilations: how many programs were compiled, and the seconds this took.
        interrupted: whether the run ended before its last generation.
        report: the champion's scores in the paper's protocol; None without a run directory, and for
            a problem without `measure`.
    """

    champion: Network
    champion_scores: np.ndarray
    front: list[Network]
    front_scores: np.ndarray
    history: dict[str, np.ndarray]
    growth: list[Stage]
    config: Config
    seed: int
    problem_name: str
    seconds: float
    compilations: tuple[int, float]
    interrupted: bool
    report: Report | None = None

    def __repr__(self) -> str:
        run = f"{self.config.name}, seed {self.seed}, {counted(len(self.history['generation']), 'generation')}"
        return f"Result({self.problem_name}: {run}, champion {self.champion!r})"
