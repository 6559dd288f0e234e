"""What goes on record: plain numbers of every generation of a search, and of every check of
training.

To put one more number on record of every search, add a field to `Record` and fill it in `recorded`;
what a search of your own counts, it gives as figures of its `Info`.
"""

from collections import namedtuple
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast

import numpy as np
from jaxtyping import Bool, Float, Int

from wannjax.common.validation import require
from wannjax.search.algorithm import Info
from wannjax.search.ranking import means, usable


class Record(NamedTuple):
    """One generation of a run, in plain numbers: what callbacks receive and `history` collects.

    Behind these fields come the figures of the search, such as NEAT's `species` and `threshold`.
    """

    generation: int
    """From 1."""
    mean_score: float
    """The best mean score over the sweep in this generation, on all of this generation's episodes;
    nan if no network has a finite one.
    """
    best_score: float
    """The best score of any network at any weight, on all episodes, too."""
    median_score: float
    """The population's median mean score; of networks that lost a race on the first episodes."""
    champion_score: float
    """The champion's mean score over the sweep in the rounds that confirmed it, on fresh episodes
    (of data: on the validation examples). It is optimistic, on swing-up by 2 to 21 points: of many
    rounds the luckiest makes a champion.
    `Result.champion_scores` are those of the final comparison.
    """
    champion_connections: int
    median_connections: float
    largest_hidden: int
    """Hidden nodes of the largest genome."""
    non_finite: int
    """Networks with a score that is not finite, or of a size beyond `ranking.LARGEST_SCORE`."""
    alive_steps: int
    """Environment steps of unfinished episodes, confirmation included."""
    computed_steps: int
    """All environment steps that were computed."""
    rollout_seconds: float
    """Time in evaluation: rollouts, confirmation included."""
    seconds: float
    """Time of the whole generation, compilation included."""


class TrainingRecord(NamedTuple):
    """What callbacks of training receive and `history` collects, at every check, in plain
    numbers.
    """

    step: int
    """Steps done; 0 before training."""
    training_score: float
    """What the method last estimated for the member that is best on held-out episodes; nan before
    the first step.
    """
    held_out_score: float
    """The best member's mean score on the held-out episodes of the checks."""
    median_score: float
    """The median member's."""
    seconds: float
    """Since the start, compilation included."""


class Work(NamedTuple):
    """What scoring cost: environment steps of unfinished episodes, all that were computed, and
    seconds.
    """

    alive_steps: int = 0
    computed_steps: int = 0
    seconds: float = 0.0

    def plus(self, other: "Work") -> "Work":
        return Work(self.alive_steps + other.alive_steps, self.computed_steps + other.computed_steps, self.seconds + other.seconds)


class Overview(NamedTuple):
    """What of a generation's P networks goes on record and makes champions.

    Attributes:
        mean: float32[P], mean scores over the sweep; minus infinity for those that are not usable.
        connections: int32[P].
        ahead: bool[P], which have `mean` on all episodes: all of them where there was no race.
        best: the best score at any weight of those ahead; minus infinity where none is usable.
        largest_hidden: hidden nodes of the largest genome.
        figures: of the search; where there are islands, an array with one for each.
        work: what scoring cost.
    """

    mean: Float[np.ndarray, " P"]
    connections: Int[np.ndarray, " P"]
    ahead: Bool[np.ndarray, " P"]
    best: float
    largest_hidden: int
    figures: dict[str, Any]
    work: Work


def overview(scores: np.ndarray, ahead: np.ndarray, info: Info, work: Work) -> Overview:
    """That of networks with these `scores` [P, W], on all episodes of those at the indices
    `ahead`.
    """
    is_ahead, fine = np.isin(np.arange(len(scores)), ahead), usable(scores)
    best = float(np.max(scores[is_ahead & fine], initial=-np.inf))
    return Overview(means(scores), np.asarray(info.connections), is_ahead, best, int(np.max(info.hidden)), info.figures, work)


def recorded(generation: int, found: Overview, champion: tuple[float, int], seconds: float) -> Any:
    """The record of a generation of which this was `found`, whose champion has a mean score and
    connections.
    """
    fine = np.isfinite(found.mean)
    best = found.mean[fine & found.ahead]
    record = Record(
        generation=generation,
        mean_score=float(np.max(best)) if best.size else float("nan"),
        best_score=found.best if best.size else float("nan"),
        median_score=float(np.median(found.mean[fine])) if fine.any() else float("nan"),
        champion_score=champion[0],
        champion_connections=champion[1],
        median_connections=float(np.median(found.connections)),
        largest_hidden=found.largest_hidden,
        non_finite=int(np.sum(~fine)),
        alive_steps=found.work.alive_steps,
        computed_steps=found.work.computed_steps,
        rollout_seconds=found.work.seconds,
        seconds=seconds,
    )
    figures = {name: float(np.mean(value)) for name, value in sorted(found.figures.items())}
    return cast(Record, _record_type(tuple(figures))(*record, *figures.values()))


@lru_cache
def _record_type(figures: tuple[str, ...]) -> Any:
    """`Record`, with fields for the figures of a search behind its own."""
    return namedtuple("Record", (*Record._fields, *figures)) if figures else Record


def history_of(records: Sequence[Any], kind: type[Record] | type[TrainingRecord]) -> dict[str, np.ndarray]:
    """One array per field of the records, which are of this `kind`, one entry per record."""
    names = records[0]._fields if records else kind._fields
    return {name: np.array([getattr(record, name) for record in records]) for name in names}


def are_columns(names: Any, kind: type[Record] | type[TrainingRecord]) -> bool:
    """Whether a list names the fields of records of this `kind`, and behind those of `Record` only
    figures of a search.
    """
    own = len(kind._fields)
    if not isinstance(names, list) or tuple(names[:own]) != kind._fields or (kind is not Record and len(names) > own):
        return False
    return all(isinstance(name, str) and name.isidentifier() for name in names) and len(set(names)) == len(names)


def record_table(records: Sequence[Any]) -> tuple[list[str], np.ndarray]:
    """The names of the columns, and the records as rows, for a checkpoint."""
    names = records[0]._fields if records else Record._fields
    return list(names), np.array(records, np.float64).reshape(len(records), len(names))


def records_of(names: Any, rows: np.ndarray) -> list[Any]:
    """The records of which `record_table` gave these. Raises ValueError for anything else."""
    require("checkpoint", names, "records with known columns", are_columns(names, Record))
    require("checkpoint", rows.shape, f"records of {len(names)} figures", rows.ndim == 2 and rows.shape[1] == len(names))
    own = len(Record._fields)
    kinds = [*(Record.__annotations__[name] for name in Record._fields), *[float] * (len(names) - own)]
    make = _record_type(tuple(names[own:]))
    return [make(*(kind(value) for kind, value in zip(kinds, row, strict=True))) for row in rows.tolist()]
