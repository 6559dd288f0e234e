"""`finetune`: trains the individual weights of one network from several starts side by side, and returns the best on held-out episodes.

The driver adds what training needs (starts, progress, history, the choice among members) and decides nothing about how weights move.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from wannjax.config import SWEEP
from wannjax.evaluation import RANDOM_RANGE
from wannjax.finetuning.evolution_strategy import EvolutionStrategy
from wannjax.finetuning.gradient import Gradient
from wannjax.finetuning.loop import Callback, TrainingRecord, run_steps
from wannjax.finetuning.method import Method
from wannjax.finetuning.policy_gradient import PolicyGradient
from wannjax.gradients import copies, topology_of
from wannjax.graph import Graph, graph_of, network_of
from wannjax.network import Network
from wannjax.problems import DataProblem, GymnaxProblem, Problem
from wannjax.validation import require, require_count, require_seed

METHODS: dict[str, type] = {"gradient": Gradient, "policy_gradient": PolicyGradient, "evolution": EvolutionStrategy}

CHECK_EPISODES = 16
FINAL_EPISODES = 128
"""Fresh episodes of the last comparison."""


@dataclass(frozen=True)
class Tuned:
    """What training found.

    Attributes:
        network: the network with its individual weights.
        score: its mean score on fresh held-out episodes (of data: on the validation examples).
        start: where its weights came from: a shared weight, "random", "given", or "own".
        member_scores: float[M], the score of what came of every start, each at its best check.
        history: one array per field of `TrainingRecord`, one entry per check.
        method, problem_name, seed: what was run.
        seconds: wall time.
        interrupted: whether training ended before its last step.
    """

    network: Network
    score: float
    start: float | str
    member_scores: np.ndarray
    history: dict[str, np.ndarray]
    method: Method
    problem_name: str
    seed: int
    seconds: float
    interrupted: bool


def finetune(
    network: Network,
    problem: Problem,
    *,
    method: str | Method | None = None,
    optimizer: optax.GradientTransformation | None = None,
    steps: int = 500,
    starts: Sequence[float] | np.ndarray | int | None = None,
    seed: int = 0,
    callbacks: Iterable[Callback] = (),
    progress: bool = True,
) -> Tuned:
    """Trains a weight of its own for every connection of `network`, from several starts side by side.

    Args:
        network: one network. Absent connections stay absent.
        problem: from `wannjax.make`, or anything that fulfils `Problem`.
        method: "gradient", "policy_gradient" or "evolution", or one of `Gradient`, `PolicyGradient`, `EvolutionStrategy` with settings of
            your own. None chooses: gradients for data, the policy gradient for discrete actions, evolution strategies for the rest.
        optimizer: any optax transformation. None: Adam, at the method's own rate which falls to 0 along a cosine, after clipping to norm 1.
        steps: of training. One step is one update of a gradient or evolution strategy, and one batch of episodes of a policy gradient.
        starts: shared weights to start from; or a number of random starts from U(-2, 2); or an array [M, C] of weights, in the order of
            `graph_of(network).connections`. None: the network's own weights, or the sweep's where it has none.
        seed: the same seed gives the same result on the same devices.
        callbacks: called at every check (`CHECKS` times, and before the first step); a true return value ends training.
        progress: show a progress bar.

    Returns the best of all checks of all members, the starts included, after a comparison on fresh held-out episodes.
    Ctrl-C ends training after the current step and keeps the best so far.

    Steps, and other activations that are flat: see `wannjax.gradients`.

    Raises:
        ValueError: a bad argument, a method that does not suit the problem, or no finite score at all.
    """
    chosen = method_for(method, problem)
    require_count("steps", steps)
    require("network", network, "one network, not a population", network.activations.ndim == 1)
    require_seed(seed)
    graph = graph_of(network)
    require("network", network, "a network with connections", len(graph.connections) > 0)
    start_key, init_key, check_key, final_key, step_key = jax.random.split(jax.random.key(seed), 5)
    weights, names = _starts(graph, starts, start_key)
    if optimizer is None:
        rate = optax.cosine_decay_schedule(chosen.learning_rate, steps * chosen.updates)
        optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    require("optimizer", optimizer, "an optax transformation", isinstance(optimizer, optax.GradientTransformation))
    topology = topology_of(network)
    trainer = chosen.trainer(problem, topology, optimizer)
    held_out = problem.split("validation")

    def scores_of(weights, key, episodes):
        scores = np.asarray(held_out.score_copies(key, copies(topology, weights), episodes=episodes, among=topology.among))
        return np.where(np.isfinite(scores), scores, -np.inf)

    state: Any = None
    training = np.full(len(names), np.nan)
    best, best_scores = np.array(weights), np.full(len(names), -np.inf)

    def advance(number: int) -> None:
        nonlocal state, training
        if number == 1:
            state = trainer.init(init_key, weights)
        # Waiting for every step: programs of several devices that are under way at once can block each other.
        state, estimates = jax.block_until_ready(trainer.step(jax.random.fold_in(step_key, number - 1), state))
        training = np.asarray(estimates)

    def check(number: int) -> tuple[float, float, float]:
        current = trainer.weights(state) if number > 0 else weights
        scores = scores_of(current, check_key, CHECK_EPISODES)
        better = scores > best_scores
        best[better], best_scores[better] = np.asarray(current)[better], scores[better]
        leader = int(np.argmax(scores))
        return float(training[leader]), float(scores[leader]), float(np.median(scores))

    view = None
    if progress:
        from wannjax.progress import TrainingView

        view = TrainingView(problem, chosen.name, len(graph.connections), len(names), steps)
    started = time.perf_counter()
    records = run_steps(range(steps + 1), advance, check, callbacks, view)

    # The best of every member, and every start, meet once more on fresh episodes: the checks' scores are those of the lucky among many.
    candidates = np.concatenate([best, np.asarray(weights)])
    final = scores_of(jnp.asarray(candidates), final_key, FINAL_EPISODES)
    winner = int(np.argmax(final))
    require("problem", problem.name, "one that gives finite scores", bool(np.isfinite(final[winner])))
    return Tuned(
        network=network_of(graph.with_weights(candidates[winner].tolist())),
        score=float(final[winner]),
        start=names[winner % len(names)],
        member_scores=final[: len(names)],
        history={name: np.array([getattr(record, name) for record in records]) for name in TrainingRecord._fields},
        method=chosen,
        problem_name=problem.name,
        seed=seed,
        seconds=time.perf_counter() - started,
        interrupted=records[-1].step < steps,
    )


def method_for(method: str | Method | None, problem: Problem) -> Method:
    """The method that is meant: itself, the one of that name, or for None what suits the problem."""
    if method is None:
        if isinstance(problem, DataProblem):
            method = "gradient"
        else:
            method = "policy_gradient" if isinstance(problem, GymnaxProblem) and problem.discrete else "evolution"
    if isinstance(method, str):
        require("method", method, f"one of {', '.join(METHODS)}", method in METHODS)
        return METHODS[method]()
    require(
        "method",
        method,
        f"one of {', '.join(METHODS)}, or settings with a `trainer`",
        hasattr(method, "trainer") and not isinstance(method, type),
    )
    return method


def _starts(graph: Graph, starts: Sequence[float] | np.ndarray | int | None, key) -> tuple[jax.Array, list[float | str]]:
    """The weights [M, C] to start from, and what to call them."""
    count = len(graph.connections)
    if starts is None and graph.has_weights:
        return jnp.array([graph.weights], jnp.float32), ["own"]
    starts = SWEEP if starts is None else starts
    if isinstance(starts, int):
        require("starts", starts, "shared weights, or a number of random starts >= 1", not isinstance(starts, bool) and starts >= 1)
        return jax.random.uniform(key, (starts, count), minval=-RANDOM_RANGE, maxval=RANDOM_RANGE), ["random"] * starts
    given = np.asarray(starts, np.float32)
    fine = given.size > 0 and (given.ndim == 1 or given.shape[1:] == (count,)) and bool(np.isfinite(given).all())
    require("starts", starts, f"finite shared weights, at least one, or rows of {count} weights", fine)
    if given.ndim == 2:
        return jnp.asarray(given), ["given"] * len(given)
    return jnp.broadcast_to(jnp.asarray(given)[:, None], (len(given), count)), [float(value) for value in given]
