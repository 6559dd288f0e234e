"""The books of one run, kept on the host: a record of every generation, the networks that may become champion, and those that were.

A generation's best are candidates when they promise more than the champion; candidates are scored on fresh episodes, and the best of
those are kept. At the end they meet the last generation's front once more, on episodes that none of them has seen. Who does the
scoring, one run or many at once, is not decided here.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np

from wannjax.activations import NAMES
from wannjax.graph import graph_of
from wannjax.growth import KEPT, Stage, remembered
from wannjax.named_arrays import arrays_of
from wannjax.network import FIRST_INPUT, Network, connection_count, take, with_room
from wannjax.ranking import non_dominated, usable
from wannjax.validation import require

ARCHIVE = 8
"""Confirmed networks that are kept for the final comparison."""


class Record(NamedTuple):
    """One generation of a run, in plain numbers: what callbacks receive and `history` collects."""

    generation: int
    """From 1."""
    mean_score: float
    """The best mean score over the sweep in this generation, on this generation's episodes; nan if no network has a finite one."""
    best_score: float
    """The best score of any network at any weight."""
    median_score: float
    """The population's median mean score."""
    champion_score: float
    """The champion's mean score over the sweep, on the fresh episodes that confirmed it."""
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


class Confirmed(NamedTuple):
    """A network with its scores on fresh episodes.

    Attributes:
        network: the network.
        scores: float[W], mean return at each weight of the sweep.
        rounds: how often it was scored; `scores` are the mean over them.
    """

    network: Network
    scores: np.ndarray
    rounds: int = 1

    @property
    def mean(self) -> float:
        return float(np.mean(self.scores))

    @property
    def quality(self) -> tuple[float, int]:
        """What makes one network better than another: the mean score, and of equals the fewer connections."""
        return self.mean, -connection_count(self.network)


class Work(NamedTuple):
    """What scoring cost: environment steps of unfinished episodes, all that were computed, and seconds."""

    alive_steps: int = 0
    computed_steps: int = 0
    seconds: float = 0.0

    def plus(self, other: "Work") -> "Work":
        return Work(self.alive_steps + other.alive_steps, self.computed_steps + other.computed_steps, self.seconds + other.seconds)


class Books:
    """Of one run.

    Attributes:
        records: one per generation.
        archive: confirmed networks, the best first.
        growth: the champions so far, thinned.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.archive: list[Confirmed] = []
        self.growth: list[Stage] = []

    @property
    def number(self) -> int:
        """Generations so far."""
        return len(self.records)

    def promising(self, scores: np.ndarray, connections: np.ndarray, count: int) -> np.ndarray | None:
        """The `count` best networks of a generation with `scores` [P, W], if the first of them promises more than the champion."""
        mean = _means(scores)
        leaders = np.lexsort((connections, -mean))[:count]
        promise = (float(mean[leaders[0]]), -int(connections[leaders[0]]))
        if np.isfinite(promise[0]) and (not self.archive or promise > self.archive[0].quality):
            return leaders
        return None

    def confirm(self, candidates: Network, scores: np.ndarray) -> None:
        """Keeps the best of `candidates`, which have these `scores` on fresh episodes, in the archive."""
        known = {graph_of(member.network): member for member in self.archive}
        for i in np.flatnonzero(usable(scores)):
            network = take(candidates, i)
            graph, member = graph_of(network), Confirmed(network, scores[i])
            if graph in known:  # scored before: the mean of all rounds, so that luck does not add up
                earlier = known[graph]
                pooled = (earlier.scores * earlier.rounds + member.scores) / (earlier.rounds + 1)
                member = Confirmed(network, pooled, earlier.rounds + 1)
            known[graph] = member
        self.archive = sorted(known.values(), key=lambda member: member.quality, reverse=True)[:ARCHIVE]

    def close(self, scores: np.ndarray, sizes: Any, work: Work, seconds: float) -> Record:
        """Ends a generation with these `scores` [P, W], and `sizes`, the hidden nodes and connections of its genomes."""
        fine, mean = usable(scores), _means(scores)
        champion = self.archive[0] if self.archive else None
        if champion and not (self.growth and _same(champion.network, self.growth[-1].network)):
            self.growth = remembered(self.growth, Stage(self.number + 1, champion.network, champion.mean))
        record = Record(
            generation=self.number + 1,
            mean_score=float(np.max(mean[fine])) if fine.any() else float("nan"),
            best_score=float(np.max(scores[fine])) if fine.any() else float("nan"),
            median_score=float(np.median(mean[fine])) if fine.any() else float("nan"),
            champion_score=champion.mean if champion else float("nan"),
            champion_connections=connection_count(champion.network) if champion else 0,
            median_connections=float(np.median(sizes.connections)),
            largest_hidden=int(np.max(sizes.hidden)),
            non_finite=int(np.sum(~fine)),
            alive_steps=work.alive_steps,
            computed_steps=work.computed_steps,
            rollout_seconds=work.seconds,
            seconds=seconds,
        )
        self.records.append(record)
        return record

    def finalists(self, population: Network, scores: np.ndarray, connections: np.ndarray) -> Network:
        """The networks of the final comparison, stacked: the archive, then the front of the last generation with its `scores` [P, W]."""
        fine = np.flatnonzero(usable(scores))
        on_front = fine[non_dominated(_objectives(scores, connections)[fine])]
        return _stacked([member.network for member in self.archive] + [take(population, i) for i in on_front])

    def settle(self, finalists: Network, fresh: np.ndarray, names: dict[str, Any]) -> tuple[Confirmed, list[Confirmed]]:
        """The champion and the last front, best first, by the scores `fresh` [N, W] of the finalists, with `names` on all networks.

        The archive's scores are those of the lucky among many; here its networks meet once more on equal terms.
        """
        rescored = [Confirmed(replace(take(finalists, i), **names), row) for i, row in enumerate(fresh)]
        fine = usable(fresh)
        if not fine.any():
            raise ValueError("problem: gave no finite score to any network of the final comparison, on fresh episodes")
        champion = max((rescored[i] for i in np.flatnonzero(fine)), key=lambda member: member.quality)
        front = [rescored[i] for i in np.flatnonzero(fine) if i >= len(self.archive)]
        if front:
            connections = np.array([connection_count(member.network) for member in front])
            keep = non_dominated(_objectives(np.array([member.scores for member in front]), connections))
            front = sorted((front[i] for i in keep), key=lambda member: member.quality, reverse=True)
        return champion, front

    def named_growth(self, names: dict[str, Any]) -> list[Stage]:
        """The champions so far, with `names` on all networks."""
        return [stage._replace(network=replace(stage.network, **names)) for stage in self.growth]

    @property
    def history(self) -> dict[str, np.ndarray]:
        """One array per field of `Record`, one entry per generation."""
        return {name: np.array([getattr(record, name) for record in self.records]) for name in Record._fields}

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it as named arrays, for a checkpoint."""
        arrays = {"records": np.array(self.records, np.float64).reshape(self.number, len(Record._fields))}
        if self.archive:
            arrays |= arrays_of(_stacked([member.network for member in self.archive]), "archive.network")
            arrays["archive.scores"] = np.stack([member.scores for member in self.archive])
            arrays["archive.rounds"] = np.array([member.rounds for member in self.archive], np.int64)
        if self.growth:
            arrays |= arrays_of(_stacked([stage.network for stage in self.growth]), "growth.network")
            arrays["growth.generations"] = np.array([stage.generation for stage in self.growth], np.int64)
            arrays["growth.scores"] = np.array([stage.score for stage in self.growth], np.float64)
        return arrays

    @classmethod
    def restored(cls, arrays: dict[str, np.ndarray], template: Network) -> "Books":
        """The books of which `arrays` gave these, of a run whose networks are like `template`. Raises ValueError for anything else."""
        books = cls()
        rows = arrays["records"]
        fits = rows.ndim == 2 and rows.shape[1] == len(Record._fields)
        require("checkpoint", rows.shape, f"records of {len(Record._fields)} figures", fits)
        kinds = [Record.__annotations__[name] for name in Record._fields]
        books.records = [Record(*(kind(value) for kind, value in zip(kinds, row, strict=True))) for row in rows.tolist()]
        if "archive.scores" in arrays:
            networks = _restored_networks(arrays, "archive.network", template)
            scores, rounds = arrays["archive.scores"], arrays["archive.rounds"]
            books.archive = [Confirmed(take(networks, i), scores[i], int(rounds[i])) for i in range(len(scores))]
        if "growth.scores" in arrays:
            networks = _restored_networks(arrays, "growth.network", template)
            scores, at = arrays["growth.scores"], arrays["growth.generations"]
            require("checkpoint", len(scores), f"of at most {KEPT} champions", len(scores) <= KEPT)
            books.growth = [Stage(int(at[i]), take(networks, i), float(scores[i])) for i in range(len(scores))]
        return books


def _restored_networks(arrays: dict[str, np.ndarray], prefix: str, template: Network) -> Network:
    leaves: dict[str, Any] = {name: arrays.get(f"{prefix}.{name}") for name in ("sources", "activations", "steps", "weights")}
    networks = replace(template, **leaves)
    require_runnable(networks)
    return networks


def require_runnable(networks: Network) -> None:
    """Raises ValueError unless all steps of a population's tapes read rows that exist, by activations that are known."""
    networks = jax.device_get(networks)
    count, steps = networks.activations.shape
    rows = FIRST_INPUT + networks.inputs + steps - networks.outputs
    fine = networks.sources.shape[:2] == (count, steps) and networks.steps.shape == (count,)
    fine = fine and (networks.weights is None or networks.weights.shape == networks.sources.shape)
    fine = fine and bool(np.all((networks.sources >= 0) & (networks.sources < rows)))
    fine = fine and bool(np.all((networks.activations >= 0) & (networks.activations < len(NAMES))))
    fine = fine and bool(np.all((networks.steps >= 0) & (networks.steps <= steps - networks.outputs)))
    require("checkpoint", "tapes that refer to what is not there", "of networks that can run", fine)


def _stacked(networks: Sequence[Network]) -> Network:
    """Networks of different lengths as one population."""
    room = max(network.activations.shape[0] for network in networks)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *(with_room(network, room) for network in networks))


def _same(one: Network, other: Network) -> bool:
    """Whether two networks have one graph; most generations' champion is the very network of before."""
    return one is other or graph_of(one) == graph_of(other)


def _means(scores: np.ndarray) -> np.ndarray:
    """Mean scores [P]; of networks without usable scores minus infinity."""
    return np.where(usable(scores), np.mean(scores, axis=1), -np.inf)


def _objectives(scores: np.ndarray, connections: np.ndarray) -> np.ndarray:
    """Mean score, best score and 1/connections (of none: 1), to be maximised: [N, 3]."""
    return np.stack([np.mean(scores, axis=1), np.max(scores, axis=1), 1.0 / np.maximum(connections, 1)], axis=1)
