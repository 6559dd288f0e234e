"""Racing: the first episodes of a generation say which of its networks are worth the others.

Lexicase selection takes parents that are outstanding at one weight, whatever their mean. So a
network's standing is its best place, at any weight or by the mean. After the first of four episodes
of swing-up (`python -m benchmarks.racing --studies parents`) that half holds 96 to 100 % of the
parents that all four select, and half by the mean alone 90 to 98 %; a quarter holds 68 to 93 %.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from wannjax.search.ranking import means, usable


class Race(NamedTuple):
    """What decides it.

    Attributes:
        episodes: the first ones, which all networks get.
        islands: equal parts of the population, each of which has a race of its own.
    """

    episodes: int
    islands: int

    def ahead(self, scores: Float[np.ndarray, "P W"]) -> Int[np.ndarray, " half"]:
        """The networks of the better half of every island, in order, by their `scores` over the
        first episodes: by the best place at any weight or by the mean, and of equals by the mean.
        """
        size = len(scores) // self.islands
        mean = means(scores)
        cases = np.where(usable(scores)[:, None], np.column_stack([scores, mean]), -np.inf)
        halves = []
        for island in np.split(np.arange(len(scores)), self.islands):
            behind = -cases[island]
            places = np.min([np.searchsorted(np.sort(case), case) for case in behind.T], axis=0)
            order = np.lexsort((-mean[island], places))
            halves.append(island[np.sort(order[: size - size // 2])])
        return np.concatenate(halves)
