"""What processes that each hold islands of one population tell each other while they search.
Genomes stay where they are bred, and networks where they are scored.

- Needs, in every generation: how large the largest genome of every island is, in two or three
  integers, so that all get room for the largest.
- The overview, in every generation: 9 bytes of every network, and a few numbers of every process.
- Candidates, where the best promises more than the champion: those of its networks that may become
  champion; and the scores of each process's share of them on fresh episodes.
- Migrants, after every `migrate_every` generations: the best genomes of every island.
- The front, at the end: the networks that no other of the same process dominates.
- Two flags, in every generation: whether a signal or a callback ends the run, and whether it is
  time to save.

Before and beside that they compare their settings, and what they have read and written of
checkpoints.

All processes learn the same, in the order of the islands, so that records and champions are the
same in all of them, and those of one process.
"""

from typing import Any

import jax
import numpy as np

from wannjax.common import hosts
from wannjax.networks.network import Network, take
from wannjax.runs.records import Overview, Work
from wannjax.search.islands import Held


class Exchange:
    """The exchange of one run.

    Attributes:
        apart: whether processes hold different islands. Where there are more processes than
            islands, each holds all of them, as one process does.
        numbers: of the islands that this one holds.
    """

    def __init__(self, population: int, islands: int):
        self.apart = 1 < hosts.count() <= islands
        parts = hosts.in_parts(islands) if self.apart else [range(islands)]
        self._islands = [len(part) for part in parts]
        self._networks = [len(part) * (population // islands) for part in parts]
        self._here = hosts.index() if self.apart else 0
        self.numbers = parts[self._here]

    @property
    def held(self) -> Held:
        """The islands of this process, for `algorithm` of the settings."""
        return Held(self.numbers, lambda tree: self._whole((tree, self._islands))[0])

    @property
    def networks(self) -> int:
        """How many this process holds."""
        return self._networks[self._here]

    def overview(self, own: Overview) -> Overview:
        """That of all networks, given that of this process's own."""
        each = [1] * len(self._islands)
        numbers = np.array([own.largest_hidden, own.work.alive_steps, own.work.computed_steps], np.int64)
        (mean, connections, ahead), figures, best, numbers = self._whole(
            ((own.mean, own.connections, own.ahead), self._networks),
            (own.figures, self._islands),
            (np.array([own.best], np.float32), each),
            (numbers[None], each),
        )
        alive, computed = numbers[:, 1:].sum(axis=0).tolist()
        work = Work(alive, computed, own.work.seconds)
        return Overview(mean, connections, ahead, float(best.max()), int(numbers[:, 0].max()), figures, work)

    def candidates(self, networks: Network, chosen: np.ndarray) -> Network:
        """Those of all networks that are `chosen`, on the host, given this process's own."""
        ends = np.cumsum(self._networks)
        owner = np.searchsorted(ends, chosen, side="right")
        own = take(jax.device_get(networks), chosen[owner == self._here] - (ends - self._networks)[self._here])
        (found,) = self._whole((own, np.bincount(owner, minlength=len(ends)).tolist()))
        return take(found, np.argsort(np.argsort(owner, kind="stable"), kind="stable"))

    def front(self, networks: Network, scores: np.ndarray, connections: np.ndarray) -> tuple[Network, np.ndarray, np.ndarray]:
        """Networks with scores and connections, of all processes, which may give different
        numbers.
        """
        lengths = hosts.gather(np.array(len(scores)))[0].tolist() if self.apart else [len(scores)]
        return self._whole(((networks, scores, connections), lengths))[0]

    def _whole(self, *parts: tuple[Any, list[int]]) -> list[Any]:
        """Pytrees of arrays that have so many rows in each process, with all rows, in one
        exchange.
        """
        if not self.apart:
            return [tree for tree, _ in parts]
        leaves = [jax.tree.flatten(jax.device_get(tree)) for tree, _ in parts]
        rows = [(np.asarray(leaf), lengths) for (flat, _), (_, lengths) in zip(leaves, parts, strict=True) for leaf in flat]
        found = iter(hosts.gather_rows(rows))
        return [jax.tree.unflatten(structure, [next(found) for _ in flat]) for flat, structure in leaves]
