"""How a run's champion grew: the champions that it had, thinned so that a few show the whole run,
and the file that keeps them.

To keep more of them, change `KEPT`; which one goes is decided in `remembered`.
"""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from wannjax.common.digits import kept
from wannjax.common.files import VERSION, Pathlike, parse_score, read_document, write_text
from wannjax.common.validation import is_whole, require
from wannjax.networks.files import network_text, parse_network
from wannjax.networks.graph import graph_of, network_of
from wannjax.networks.network import Network

FORMAT = "wannjax growth"
KEPT = 16
"""Champions that a run remembers, at the most."""


class Stage(NamedTuple):
    """A champion, from the generation on in which it became one.

    Attributes:
        generation: from 1.
        network: the champion.
        score: its mean score over the sweep in the round that confirmed it, which is optimistic.
    """

    generation: int
    network: Network
    score: float


def remembered(growth: list[Stage], stage: Stage) -> list[Stage]:
    """`growth` with one more stage at its end. Of more than `KEPT` the one that leaves the smallest
    gap goes, never the first or the last.

    What is kept depends on the stages alone, so that a run that is resumed, or continued, remembers
    the same.
    """
    longer = [*growth, stage]
    if len(longer) > KEPT:
        at = [each.generation for each in longer]
        del longer[min(range(1, KEPT), key=lambda i: at[i + 1] - at[i - 1])]
    return longer


def save_growth(path: Pathlike, growth: list[Stage]) -> None:
    """Writes the stages as JSON."""
    members = [
        f'{{"generation": {stage.generation}, "mean score": {kept(stage.score)}, "network":\n{network_text(graph_of(stage.network))}}}'
        for stage in growth
    ]
    head = f'"format": {json.dumps(FORMAT)}, "version": {VERSION}'
    write_text(Path(path), f'{{{head}, "members": [\n' + ",\n".join(members) + "\n]}\n")


def load_growth(path: Pathlike) -> list[Stage]:
    """Reads the stages that `save_growth` wrote, the first champion first.

    Raises ValueError for anything that is not such a file, and OSError when it cannot be read.
    """
    return read_document(path, "not a wannjax growth", _growth, FORMAT)


def _growth(document: Any) -> list[Stage]:
    growth = [_stage(member) for member in document["members"]]
    at = [0, *(stage.generation for stage in growth)]
    require("generations", at[1:], "ascending from 1", all(a < b for a, b in pairwise(at)))
    require("members", len(growth), f"at most {KEPT}", len(growth) <= KEPT)
    return growth


def _stage(member: dict) -> Stage:
    generation = member["generation"]
    require("generation", generation, "an integer", is_whole(generation))
    return Stage(generation, network_of(parse_network(member["network"])), parse_score(member["mean score"]))
