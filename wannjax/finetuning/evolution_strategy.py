"""Evolution of weights by a strategy of evosax (Lange 2022, arXiv 2212.04180), for any problem with
a score.

A strategy keeps a distribution over weights, one for each member. Every step draws a population
from it and scores it, all of them on the same episodes, and the strategy moves to where the better
ones are. CMA-ES (Hansen 2016, arXiv 1604.00772) learns the whole covariance of weights, which takes
an eigendecomposition in every step; beyond `FULL` connections its separable form learns the
variances alone.

Members race: as the worse are dropped, the populations of the others grow, so that a step costs
about the same to the end. A training that stalls drops the worse half as well, and begins again
from the best weights with a population that is twice as large.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from inspect import signature
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float32

from wannjax.common.settings import Settings, choice, count, positive, rate
from wannjax.common.validation import require
from wannjax.finetuning.method import Trainer, scores_of_copies
from wannjax.networks.gradients import Topology, copies
from wannjax.problems.problem import Problem

STRATEGIES = (
    "ARS",
    "ASEBO",
    "CMA_ES",
    "CR_FM_NES",
    "DES",
    "ESMC",
    "GradientlessDescent",
    "GuidedES",
    "HillClimbing",
    "LM_MA_ES",
    "MA_ES",
    "Open_ES",
    "PGPE",
    "Rm_ES",
    "SNES",
    "Sep_CMA_ES",
    "SimpleES",
    "SimulatedAnnealing",
    "iAMaLGaM_Full",
    "iAMaLGaM_Univariate",
    "xNES",
)
"""Those of evosax that move one distribution, of which weights are drawn."""

FULL = 300
"""Connections up to which CMA-ES is chosen. With one thread for linear algebra, a step of 8 members
takes 5, 13 and 32 CPU-ms at 100, 200 and 300 connections beside the rollouts, which take 120 on
swing-up with 52.
"""
LARGEST = 8
"""Weights of all members together, times `population`, up to which restarts double populations."""


@dataclass(frozen=True)
class EvolutionStrategy(Settings):
    """Settings of an evolution of weights. Raises ValueError, naming the field, its value and what
    is allowed.
    """

    name = "evolution"
    updates = 1

    strategy: str = choice(
        "auto",
        f"of evosax; auto for CMA_ES up to {FULL} connections, Sep_CMA_ES beyond, Open_ES with an optimizer",
        ("auto", *STRATEGIES),
    )
    population: int = count(16, "weights drawn in every step, per member; an even number", 4)
    episodes: int = count(16, "episodes of each, the same for all; mini-batches for data")
    deviation: float = positive(0.3, "standard deviation of the weights that are drawn, in the beginning")
    learning_rate: float = rate(0.0, "of Adam, for a strategy that follows an optimizer, where none is given; 0: without one")

    def __post_init__(self):
        super().__post_init__()
        require("population", self.population, "an even number", self.population % 2 == 0)

    def trainer(self, problem: Problem, topology: Topology, optimizer: optax.GradientTransformation | None) -> Trainer:
        score = partial(scores_of_copies, problem, episodes=self.episodes, activation_ids=topology.activation_ids)

        def strategy_for(population) -> Any:
            return self.of_size(population, topology.connections, optimizer)

        def begin(key, weights, population):
            scores = jnp.zeros((len(weights), population), jnp.float32)
            return State(_begin(key, weights, strategy_for(population), self.deviation), scores)

        def step(key, state):
            draw_key, episode_key, move_key = jax.random.split(key, 3)
            strategy = strategy_for(state.scores.shape[1])
            drawn, networks, strategies = _draw(draw_key, state.strategies, topology, strategy)
            scores = jnp.asarray(score(episode_key, networks)).reshape(state.scores.shape)
            return State(_move(move_key, drawn, scores, strategies, strategy), scores), jnp.mean(scores, axis=1)

        def keep(state, places):
            population = 2 * (state.scores.size // (2 * len(places)))
            kept = jax.tree.map(lambda leaf: leaf[places], state.strategies)
            return State(kept, jnp.zeros((len(places), population), jnp.float32))

        def restart(key, state, weights):
            population, largest = state.scores.shape[1], 2 * (LARGEST * self.population // (2 * len(weights)))
            return begin(key, weights, max(population, min(2 * population, largest)))

        strategy_for(self.population)  # raises where it does not suit
        return Trainer(
            init=lambda key, weights: begin(key, weights, self.population),
            step=step,
            weights=lambda state: state.strategies.mean,
            keep=keep,
            restart=restart,
        )

    def of_size(self, population: int, connections: int, optimizer: optax.GradientTransformation | None) -> Any:
        """Evosax's strategy that draws so many weights of so many connections. Raises ValueError
        where it does not suit them, or cannot follow the optimizer.
        """
        name = self.strategy
        if name == "auto":
            name = "Open_ES" if optimizer is not None else "CMA_ES" if connections <= FULL else "Sep_CMA_ES"
        return _strategy(name, population, connections, self.deviation, optimizer)


class State(NamedTuple):
    """Evosax's state of every member, with leading axis M, and the scores of what was drawn last;
    as many weights are drawn next.
    """

    strategies: Any
    scores: Float32[Array, "M N"]


# Compiled once for all trainings of the same settings and sizes.


@lru_cache(maxsize=64)
def _strategy(name: str, population: int, connections: int, deviation: float, optimizer: optax.GradientTransformation | None) -> Any:
    """A strategy of evosax. Raises ValueError for an optimizer that it cannot follow, and where
    there are too few weights for it.
    """
    from evosax.algorithms import algorithms  # where it is used, since importing it takes a while

    kind, options = algorithms[name], {}
    known = signature(kind).parameters
    require("strategy", name, "one that follows an optimizer, such as Open_ES", optimizer is None or "optimizer" in known)
    if optimizer is not None:
        options["optimizer"] = optimizer
    if "std_schedule" in known:
        options["std_schedule"] = optax.constant_schedule(deviation)
    with _as_evosax_counts_on():
        try:
            return kind(population, jnp.zeros(connections, jnp.float32), **options)
        except AssertionError as error:
            raise ValueError(f"strategy: must be one that suits {population} and {connections} weights, got {name!r}: {error}") from None


@partial(jax.jit, static_argnames=("strategy", "deviation"))
def _begin(key, weights, strategy, deviation):
    """The states of members that search around `weights` [M, C]."""
    with _as_evosax_counts_on():
        params = _params(strategy)
        if hasattr(params, "std_init"):
            params = params.replace(std_init=jnp.float32(deviation))
        begin = jax.vmap(partial(strategy.init, params=params))
        return _plain(begin(jax.random.split(key, weights.shape[0]), weights))


@partial(jax.jit, static_argnames="strategy")
def _draw(key, strategies, topology, strategy):
    """Weights [M, N, C], as M x N networks too, and the states after drawing them."""
    members = strategies.mean.shape[0]
    with _as_evosax_counts_on():
        draw = jax.vmap(partial(strategy.ask, params=_params(strategy)))
        drawn, strategies = _plain(draw(jax.random.split(key, members), strategies))
    return drawn, copies(topology, drawn.reshape(-1, drawn.shape[2])), strategies


@partial(jax.jit, static_argnames="strategy")
def _move(key, drawn, scores, strategies, strategy):
    """The states that know the scores [M, N] of what was drawn."""
    with _as_evosax_counts_on():
        move = jax.vmap(partial(strategy.tell, params=_params(strategy)))
        moved, _ = move(jax.random.split(key, drawn.shape[0]), drawn, losses(scores), strategies)
    return _plain(moved)


def _params(strategy: Any) -> Any:
    """Evosax's default parameters, some of which cannot be traced."""
    with jax.ensure_compile_time_eval():
        return strategy.default_params


def losses(scores: Float32[Array, "M N"]) -> Float32[Array, "M N"]:
    """What a strategy minimises: minus the scores, of which those that are not finite are as bad as
    the member's worst; all 0 where none is finite.
    """
    fine = jnp.isfinite(scores)
    worst = jnp.min(jnp.where(fine, scores, jnp.inf), axis=1, keepdims=True)
    return -jnp.where(fine, scores, jnp.where(jnp.isfinite(worst), worst, 0.0))


def _plain(state: Any) -> Any:
    """With the types that a state has whatever JAX's settings are."""
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float32 if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf.dtype), state)


@contextmanager
def _as_evosax_counts_on():
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield
