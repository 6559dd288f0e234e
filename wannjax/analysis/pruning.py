"""Pruning: taking out of a network what its score does not need.

Every round scores the network without each of its connections and nodes, then tries the least
needed ones, one by one and together, on fresh episodes. Cheap parts go first: an allowance grows to
the tolerance in steps (`ALLOWANCES`). At the end all networks on the way meet on fresh episodes, so
that the luck of a round does not decide.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
from jaxtyping import Array, Key

from wannjax.analysis.ablation import standard_errors, sweep_for, variant_scores
from wannjax.common.keys import Purpose, key_of
from wannjax.common.validation import real, require_count, require_seed
from wannjax.networks.graph import Graph, graph_of, network_of
from wannjax.networks.live import live_connections, thinned
from wannjax.networks.network import Network
from wannjax.problems.problem import Problem, check_sizes
from wannjax.problems.registry import as_problem

ALLOWANCES = (0.25, 0.5, 1.0)
"""The shares of the tolerance that may be spent, one after the other."""

SINGLES = 8
"""How many of the least needed parts a round tries one by one."""

Kept = frozenset[int]
"""The connections of the original graph that are left, by place."""


@dataclass(frozen=True)
class Pruned:
    """A smaller network, and what it cost.

    Attributes:
        network: the smaller network.
        score_before, score_after: mean score over the shared weights, on the same fresh episodes,
            which nothing was chosen on; of data, on the examples for reports.
        cost_error: standard error of the difference.
        connections_before, connections_after: how many.
        removed_connections, removed_nodes: what went, by the names of the original network
            (hidden nodes h1, h2, …); dead ones, which cost nothing, included.
        removed_between: those of the connections whose two nodes are both left.
        tolerance: the score that might be lost.
    """

    network: Network
    score_before: float
    score_after: float
    cost_error: float
    connections_before: int
    connections_after: int
    removed_connections: tuple[str, ...]
    removed_between: tuple[str, ...]
    removed_nodes: tuple[str, ...]
    tolerance: float

    @property
    def cost(self) -> float:
        """The score lost; negative when the smaller network does better."""
        return self.score_before - self.score_after


def prune(
    network: Network,
    problem: Problem | str,
    *,
    tolerance: float,
    weights: Sequence[float] | None = None,
    episodes: int = 4,
    seed: int = 0,
) -> Pruned:
    """Removes from one network what matters less than `tolerance`.

    Args:
        tolerance: what the network may lose in all of its mean score over the shared weights, in
            units of the score: points of return, or of loss for data. 0 removes what is dead, and
            what is as good or better to be without.
        weights: the shared weights; the paper's sweep when None, and 1 for individual weights,
            which they scale.
        episodes: for each shared weight in each of eight rounds of screening; twice that many to
            confirm.

    A data set's training examples screen, its validation examples confirm, and those for reports
    give the scores of the result: without `x_test` the same ones that confirm.

    Raises ValueError for a population, sizes that do not fit the problem, and arguments out of
    range, and TypeError for what is no network or no problem.
    """
    graph = graph_of(network)
    problem = as_problem(problem)
    tolerance = real("tolerance", tolerance, "finite and >= 0", 0.0)
    episodes = require_count("episodes", episodes)
    seed = require_seed(seed)
    check_sizes(network, problem)
    sweep = sweep_for(network, weights)
    key, choice_key, report_key = jax.random.split(key_of(seed, Purpose.PRUNING), 3)
    held_out = problem.split("validation")

    start = live_connections(graph, [place for place, connection in enumerate(graph.connections) if connection.weight != 0])
    trail = [start]
    for share in ALLOWANCES:
        smaller: Kept | None = start
        while smaller is not None:
            key, screen_key, confirm_key = jax.random.split(key, 3)
            trials = _trials(graph, trail[-1], _losses(screen_key, graph, start, _candidates(graph, trail[-1]), problem, sweep, episodes))
            losses = _losses(confirm_key, graph, start, trials, held_out, sweep, 2 * episodes)
            smaller = _smallest(losses, share * tolerance)
            if smaller is not None:
                trail.append(smaller)
    losses = _losses(choice_key, graph, start, trail[1:], held_out, sweep, 2 * episodes)
    chosen = _smallest({start: 0.0, **losses}, tolerance)
    assert chosen is not None  # the start loses nothing
    rounds = variant_scores(report_key, graph, [start, chosen], problem.split("test"), sweep, 2 * episodes).mean(axis=2)
    result = thinned(graph, chosen)
    used = {end for place in chosen for end in (graph.connections[place].source, graph.connections[place].target)}
    gone = [node for node in range(graph.first_hidden, graph.size - graph.outputs) if node not in used]
    lost = [connection for place, connection in enumerate(graph.connections) if place not in chosen]
    shown = graph.with_printable_names()
    return Pruned(
        network=network_of(result),
        score_before=float(rounds[:, 0].mean()),
        score_after=float(rounds[:, 1].mean()),
        cost_error=float(standard_errors(rounds[:, :1] - rounds[:, 1:])[0]),
        connections_before=len(graph.connections),
        connections_after=len(chosen),
        removed_connections=tuple(map(shown.connection_label, lost)),
        removed_between=tuple(shown.connection_label(each) for each in lost if not {each.source, each.target} & {*gone}),
        removed_nodes=tuple(map(shown.label, gone)),
        tolerance=tolerance,
    )


def _candidates(graph: Graph, kept: Kept) -> list[Kept]:
    """What is left without each connection, and without each node."""
    sources = {graph.connections[place].source for place in kept}
    without = [kept - {place} for place in kept]
    without += [frozenset(place for place in kept if graph.connections[place].source != node) for node in sources]
    return sorted({live_connections(graph, each) for each in without}, key=sorted)


def _losses(
    key: Key[Array, ""], graph: Graph, start: Kept, tried: list[Kept], problem: Problem, sweep: tuple[float, ...], episodes: int
) -> dict[Kept, float]:
    """The mean score that each loses against `start`."""
    if not tried:
        return {}
    scores = variant_scores(key, graph, [start, *tried], problem, sweep, episodes).mean(axis=(0, 2))
    return dict(zip(tried, (scores[0] - scores[1:]).tolist(), strict=True))


def _trials(graph: Graph, kept: Kept, losses: dict[Kept, float]) -> list[Kept]:
    """What to confirm: the best single removals, and the best 2, 4, 8, … together."""
    best = sorted(losses, key=lambda left: (losses[left], len(left)))
    together, left = [], kept
    for number, each in enumerate(best, 1):
        left = left & each
        if number.bit_count() == 1:
            together.append(live_connections(graph, left))
    return list(dict.fromkeys([*best[:SINGLES], *together]))


def _smallest(losses: dict[Kept, float], allowance: float) -> Kept | None:
    """The one with the fewest connections, of several the best, among those that lose no more than
    is allowed.
    """
    allowed = [each for each, loss in losses.items() if loss <= allowance]
    return min(allowed, key=lambda each: (len(each), losses[each]), default=None)
