"""Networks with parts taken out, scored side by side: what importance and pruning rest on.

A part is taken out by dropping connections; a node goes with all connections that leave it, so that
its value counts as 0.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64, Key

from wannjax.common.validation import require, require_count, require_weights
from wannjax.networks.activations import SUM
from wannjax.networks.graph import Graph, network_of
from wannjax.networks.live import thinned
from wannjax.networks.network import Network, enlarge
from wannjax.problems.problem import Problem
from wannjax.search.wann.config import SWEEP

ROUNDS = 8
"""Groups of episodes that scores are measured in: their spread tells how certain a mean is."""

SMALLEST_POPULATION = 16


def sweep_for(network: Network, weights: Sequence[float] | None) -> tuple[float, ...]:
    """The shared weights to score a network at: those given; or the paper's sweep, or just 1 where
    it has individual weights.

    Raises ValueError for weights that are not finite, and for none.
    """
    if weights is None:
        return SWEEP if network.weights is None else (1.0,)
    return require_weights(weights)


def population_of(graph: Graph, kept: Sequence[Collection[int]], steps: int) -> Network:
    """A network for each set of connections kept, all on tapes of `steps` steps (outputs
    included).
    """
    alike = partial(replace, input_names=(), output_names=(), recurrent=graph.recurrent)
    networks = [enlarge(alike(network_of(thinned(graph, each))), steps) for each in kept]
    if graph.has_weights:  # a graph without connections has no weights either
        networks = [n if n.weights is not None else replace(n, weights=np.zeros(n.sources.shape, np.float32)) for n in networks]
    return jax.tree.map(lambda *leaves: jax.device_put(np.stack(leaves)), *networks)


def variant_scores(
    key: Key[Array, ""],
    graph: Graph,
    kept: Sequence[Collection[int]],
    problem: Problem,
    weights: Sequence[float],
    episodes: int,
) -> Float64[np.ndarray, "rounds variants W"]:
    """Scores of the graph with each set of connections kept, `episodes` episodes a shared weight in
    each of `ROUNDS` rounds.

    All variants see the same episodes and are evaluated as one population, filled up so that few
    sizes are compiled. What is not finite counts as the worst finite score. Raises ValueError when
    no score is finite.
    """
    episodes = require_count("episodes", episodes)
    steps = len(network_of(graph).activations)
    size = max(1 << (len(kept) - 1).bit_length(), SMALLEST_POPULATION)
    filled = [*kept, *[kept[0]] * (size - len(kept))]
    networks = population_of(graph, filled, steps)
    activation_ids = tuple(sorted({SUM, *graph.activations}))
    sweep = jnp.asarray(weights, jnp.float32)
    keys = jax.random.split(key, ROUNDS)
    rounds = [problem.evaluate(each, networks, sweep, episodes=episodes, activation_ids=activation_ids).scores for each in keys]
    scores = np.stack([np.asarray(each, np.float64)[: len(kept)] for each in rounds])
    finite = np.isfinite(scores)
    require("network", "scores that are not finite", "one with a finite score", bool(finite.any()))
    return np.where(finite, scores, scores[finite].min())


def standard_errors(rounds: Float64[np.ndarray, "rounds N"]) -> Float64[np.ndarray, " N"]:
    """The standard errors of means over rounds."""
    return np.std(rounds, axis=0, ddof=1) / np.sqrt(len(rounds))
