"""The champions of one run, kept on the host: the networks that may become champion, and those that
were.

A generation's best are candidates when they promise more than the champion; candidates are scored
on fresh episodes, and the best of those are kept. At the end they meet the last generation's front
once more, on episodes that none of them has seen. Data has no fresh episodes: all of this takes the
validation examples, which are those of the search where there is no validation split. Who does the
scoring is not decided here.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np

from wannjax.common.pytrees import arrays_of, tree_like
from wannjax.common.validation import require
from wannjax.networks.network import Network, connection_count, enlarge, require_runnable, signature, take
from wannjax.runs.past_champions import KEPT, Stage, remembered
from wannjax.search.ranking import non_dominated, usable

ARCHIVE = 8
"""Confirmed networks that are kept for the final comparison."""


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
        """What makes one network better than another: the mean score, and of equals the fewer
        connections.
        """
        return self.mean, -connection_count(self.network)


class Champions:
    """The champions of one run.

    Attributes:
        archive: confirmed networks, the best first.
        growth: the champions so far, thinned.
    """

    def __init__(self) -> None:
        self.archive: list[Confirmed] = []
        self.growth: list[Stage] = []

    @property
    def standing(self) -> tuple[float, int]:
        """The champion's mean score and number of connections; nan and 0 where there is none."""
        return (self.archive[0].mean, connection_count(self.archive[0].network)) if self.archive else (float("nan"), 0)

    def promising(self, mean: np.ndarray, connections: np.ndarray, count: int) -> np.ndarray | None:
        """The `count` best networks of a generation with these `mean` scores [P], if the first of
        them promises more than the champion.
        """
        count = min(count, len(mean))
        best = np.flatnonzero(mean >= np.partition(mean, -count)[-count])  # few, since sorting all takes long
        leaders = best[np.lexsort((connections[best], -mean[best]))[:count]]
        promise = (float(mean[leaders[0]]), -int(connections[leaders[0]]))
        if np.isfinite(promise[0]) and (not self.archive or promise > self.archive[0].quality):
            return leaders
        return None

    def confirm(self, generation: int, candidates: Network, scores: np.ndarray) -> None:
        """Keeps the best of a generation's `candidates`, which have these `scores` on fresh
        episodes, in the archive.
        """
        known = {signature(member.network): member for member in self.archive}
        for i in np.flatnonzero(usable(scores)):
            member = Confirmed(take(candidates, i), scores[i])
            name = signature(member.network)
            if name in known:  # scored before: the mean of all rounds, so that luck does not add up
                earlier = known[name]
                pooled = (earlier.scores * earlier.rounds + member.scores) / (earlier.rounds + 1)
                member = Confirmed(member.network, pooled, earlier.rounds + 1)
            known[name] = member
        self.archive = sorted(known.values(), key=lambda member: member.quality, reverse=True)[:ARCHIVE]
        champion = self.archive[0] if self.archive else None
        if champion and not (self.growth and signature(champion.network) == signature(self.growth[-1].network)):
            self.growth = remembered(self.growth, Stage(generation, champion.network, champion.mean))

    def finalists(self, population: Network, scores: np.ndarray, connections: np.ndarray) -> Network:
        """The networks of the final comparison, stacked: the archive, then the front of the last
        generation with its `scores` [P, W].
        """
        on_front = front_of(scores, connections)
        return _stacked([member.network for member in self.archive] + [take(population, i) for i in on_front])

    def settle(self, finalists: Network, fresh: np.ndarray, names: dict[str, Any]) -> tuple[Confirmed, list[Confirmed]]:
        """The champion and the last front, best first, by the scores `fresh` [N, W] of the
        finalists, with `names` on all networks.

        The archive's scores are those of the lucky among many; here its networks meet once more on
        equal terms.
        """
        rescored = [Confirmed(replace(take(finalists, i), **names), row) for i, row in enumerate(fresh)]
        fine = usable(fresh)
        if not fine.any():
            raise ValueError("problem: gave no finite score to any network of the final comparison")
        champion = max((rescored[i] for i in np.flatnonzero(fine)), key=lambda member: member.quality)
        return champion, _front_of([rescored[i] for i in np.flatnonzero(fine) if i >= len(self.archive)])

    def standing_now(self, names: dict[str, Any]) -> tuple[Confirmed, list[Confirmed]]:
        """The champion so far, of which there must be one, and the front of the archive, with
        `names` on all networks: without the final comparison.
        """
        archive = [member._replace(network=replace(member.network, **names)) for member in self.archive]
        return archive[0], _front_of(archive)

    def named_growth(self, names: dict[str, Any]) -> list[Stage]:
        """The champions so far, with `names` on all networks."""
        return [stage._replace(network=replace(stage.network, **names)) for stage in self.growth]

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it as named arrays, for a checkpoint."""
        archive = _Archive.of(self.archive) if self.archive else ()
        growth = _Growth.of(self.growth) if self.growth else ()
        return arrays_of(archive, "archive") | arrays_of(growth, "growth")

    @classmethod
    def restored(cls, arrays: dict[str, np.ndarray], template: Network) -> "Champions":
        """The champions of which `arrays` gave these, of a run whose networks are like `template`.
        Raises ValueError for anything else.
        """
        champions = cls()
        if "archive.scores" in arrays:
            champions.archive = _Archive.read(arrays, template)
        if "growth.scores" in arrays:
            champions.growth = _Growth.read(arrays, template)
        return champions


def front_of(scores: np.ndarray, connections: np.ndarray) -> np.ndarray:
    """The indices of the networks that no other dominates, given `scores` [P, W]."""
    fine = np.flatnonzero(usable(scores))
    return fine[non_dominated(_objectives(scores, connections)[fine])]


def _front_of(members: list[Confirmed]) -> list[Confirmed]:
    """The members that no other dominates, best first."""
    if not members:
        return []
    connections = np.array([connection_count(member.network) for member in members])
    keep = non_dominated(_objectives(np.array([member.scores for member in members]), connections))
    return sorted((members[i] for i in keep), key=lambda member: member.quality, reverse=True)


class _Archive(NamedTuple):
    """Confirmed networks as a pytree with leading axis N."""

    network: Network
    scores: np.ndarray
    rounds: np.ndarray

    @classmethod
    def of(cls, members: Sequence[Confirmed]) -> "_Archive":
        scores = np.stack([member.scores for member in members])
        return cls(_stacked([member.network for member in members]), scores, np.array([member.rounds for member in members], np.int64))

    @classmethod
    def read(cls, arrays: dict[str, np.ndarray], template: Network) -> list[Confirmed]:
        archive = _restored(cls(template, np.zeros((1, 1), arrays["archive.scores"].dtype), np.zeros(1, np.int64)), arrays, "archive")
        return [Confirmed(take(archive.network, i), archive.scores[i], int(archive.rounds[i])) for i in range(len(archive.scores))]


class _Growth(NamedTuple):
    """The champions so far as a pytree with leading axis N."""

    network: Network
    generations: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, stages: Sequence[Stage]) -> "_Growth":
        generations = np.array([stage.generation for stage in stages], np.int64)
        return cls(_stacked([stage.network for stage in stages]), generations, np.array([stage.score for stage in stages], np.float64))

    @classmethod
    def read(cls, arrays: dict[str, np.ndarray], template: Network) -> list[Stage]:
        growth = _restored(cls(template, np.zeros(1, np.int64), np.zeros(1)), arrays, "growth")
        require("checkpoint", len(growth.scores), f"of at most {KEPT} champions", len(growth.scores) <= KEPT)
        return [Stage(int(growth.generations[i]), take(growth.network, i), float(growth.scores[i])) for i in range(len(growth.scores))]


def _restored(template: Any, arrays: dict[str, np.ndarray], prefix: str) -> Any:
    """The pytree of N networks and what is known of each."""
    found = tree_like(template, arrays, prefix)
    lengths = {name: len(leaf) for name, leaf in arrays_of(found, prefix).items()}
    require("checkpoint", lengths, "of as many entries in each", len({*lengths.values()}) == 1)
    require_runnable(found.network)
    return found


def _stacked(networks: Sequence[Network]) -> Network:
    """Networks of different lengths as one population."""
    room = max(network.activations.shape[0] for network in networks)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *(enlarge(network, room) for network in networks))


def _objectives(scores: np.ndarray, connections: np.ndarray) -> np.ndarray:
    """Mean score, best score and 1/connections (of none: 1), to be maximised: [N, 3]."""
    return np.stack([np.mean(scores, axis=1), np.max(scores, axis=1), 1.0 / np.maximum(connections, 1)], axis=1)
