"""What matters in a network: the effect of taking out each connection and node, what nodes do, and
how much the shared weight counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64, Int64

from wannjax.analysis.ablation import standard_errors, sweep_for, variant_scores
from wannjax.analysis.activity import Activity, activity
from wannjax.analysis.sensitivity import WeightCurve, weight_curve
from wannjax.common.keys import Purpose, key_of
from wannjax.common.validation import require_count, require_seed
from wannjax.common.wording import counted
from wannjax.networks.graph import Graph, graph_of
from wannjax.networks.live import live_connections
from wannjax.networks.network import Network
from wannjax.problems.capabilities import Episodic, Supervised
from wannjax.problems.problem import Problem, check_sizes
from wannjax.problems.registry import as_problem


@dataclass(frozen=True, eq=False)
class Explanation:
    """What matters in one network, on one problem.

    An effect is the score lost when the part is taken out, at each shared weight: the larger, the
    more the part matters; negative where the network does better without it. Its error is the
    standard error of its mean over the sweep.

    Attributes:
        graph: of the network; connections and nodes below are numbered as there.
        weights: the W shared weights.
        scores: float64[W], of the whole network.
        connection_effects: float64[C, W], of every connection of the graph.
        connection_errors: float64[C].
        nodes: int64[N], bias, inputs and hidden nodes that others read.
        node_effects: float64[N, W], of all connections that leave the node at once.
        node_errors: float64[N].
        activity: of hidden nodes and outputs; None for a problem that is neither an environment nor
            a data set.
        curve: score over the shared weight, from -3 to 3.
        problem_name: for people.
    """

    graph: Graph
    weights: tuple[float, ...]
    scores: Float64[np.ndarray, " W"]
    connection_effects: Float64[np.ndarray, "C W"]
    connection_errors: Float64[np.ndarray, " C"]
    nodes: Int64[np.ndarray, " N"]
    node_effects: Float64[np.ndarray, "N W"]
    node_errors: Float64[np.ndarray, " N"]
    activity: Activity | None
    curve: WeightCurve
    problem_name: str

    def __repr__(self) -> str:
        sizes = f"{counted(len(self.connection_effects), 'connection')}, {counted(len(self.nodes), 'node')}"
        return f"Explanation({self.problem_name}: {sizes})"

    def connection_name(self, place: int) -> str:
        """What connection number `place` is called."""
        return self.graph.connection_label(self.graph.connections[place])


def explain(
    network: Network, problem: Problem | str, *, weights: Sequence[float] | None = None, episodes: int = 4, seed: int = 0
) -> Explanation:
    """Finds out what matters in one network.

    All networks that lack a part are scored as one population on the same episodes: `episodes` a
    shared weight in each of eight rounds, whose spread gives the errors. A data set is scored on
    its validation examples.

    Args:
        problem: a problem, or a name for `wannjax.make`.
        weights: the shared weights; the paper's sweep when None, and 1 for individual weights,
            which they scale.

    Raises ValueError for a population, sizes that do not fit the problem, and arguments out of
    range, and TypeError for what is no network or no problem.
    """
    graph = graph_of(network).with_printable_names()
    problem = as_problem(problem)
    seed = require_seed(seed)
    episodes = require_count("episodes", episodes)
    check_sizes(network, problem)
    sweep = sweep_for(network, weights)
    score_key, activity_key = jax.random.split(key_of(seed, Purpose.EXPLANATION))

    everything = frozenset(range(len(graph.connections)))
    nodes = sorted({connection.source for connection in graph.connections})
    leaving = [{place for place in everything if graph.connections[place].source == node} for node in nodes]
    kept = [everything, *(everything - {place} for place in sorted(everything)), *(everything - gone for gone in leaving)]
    distinct = list(dict.fromkeys(live_connections(graph, each) for each in kept))  # taking out either end of a lone path is the same
    rounds = variant_scores(score_key, graph, distinct, problem.split("validation"), sweep, episodes)
    rounds = rounds[:, [distinct.index(live_connections(graph, each)) for each in kept]]
    effects = rounds[:, :1] - rounds[:, 1:]
    means, errors = effects.mean(axis=0), standard_errors(effects.mean(axis=2))
    count = len(graph.connections)
    active = None
    if isinstance(problem, Episodic | Supervised):
        active = activity(activity_key, network, problem, jnp.asarray(sweep, jnp.float32), episodes=episodes)
    return Explanation(
        graph=graph,
        weights=sweep,
        scores=rounds[:, 0].mean(axis=0),
        connection_effects=means[:count],
        connection_errors=errors[:count],
        nodes=np.array(nodes, np.int64),
        node_effects=means[count:],
        node_errors=errors[count:],
        activity=active,
        curve=weight_curve(network, problem, seed=seed),
        problem_name=problem.name,
    )
