"""`finetune`: trains the individual weights of one network from several starts side by side, and returns the best on held-out episodes.

The driver adds what training needs (starts, progress, history, the choice among members) and decides nothing about how weights move.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from wannjax.analysis.evaluation import RANDOM_RANGE
from wannjax.common.pytrees import arrays_of, tree_like
from wannjax.common.validation import require, require_count, require_seed
from wannjax.finetuning.evolution_strategy import EvolutionStrategy
from wannjax.finetuning.gradient import Gradient
from wannjax.finetuning.loop import Callback, run_steps
from wannjax.finetuning.method import Method
from wannjax.finetuning.policy_gradient import PolicyGradient
from wannjax.finetuning.tuned import Tuned, write
from wannjax.networks.files import network_text
from wannjax.networks.gradients import copies, topology_of
from wannjax.networks.graph import Graph, graph_of, network_of
from wannjax.networks.network import Network
from wannjax.problems.capabilities import Episodic, Supervised
from wannjax.problems.problem import Problem, check_single
from wannjax.runs.checkpoints import Checkpoint
from wannjax.runs.progress import TrainingView
from wannjax.runs.records import TrainingRecord
from wannjax.runs.resuming import SAVE_EVERY, Saver, saving, seconds_of
from wannjax.runs.run_directory import TRAINING_CHECKPOINTS
from wannjax.search.wann.config import SWEEP

METHODS: dict[str, type] = {"gradient": Gradient, "policy_gradient": PolicyGradient, "evolution": EvolutionStrategy}

CHECK_EPISODES = 16
FINAL_EPISODES = 128
"""Fresh episodes of the last comparison."""


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
    run_dir: str | os.PathLike | None = None,
    resume: bool = False,
    save_every: float = SAVE_EVERY,
    finish: Callable[[Path], object] | None = None,
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
        run_dir: a directory, such as the search's: checkpoints while training goes on, and at its end the files that the command line
            leaves.
        resume: continue the training in `run_dir` where its newest checkpoint stands, to the same result as if it had never stopped; start
            it if there is none. All other arguments must be the same.
        save_every: seconds between two checkpoints, at the least; 0 saves every step.
        finish: called in the end with `run_dir`, which holds all data of the training. `wannjax.finetune` gives a function that leaves
            the pictures there, unless another one, or None, is given.

    Returns the best of all checks of all members, the starts included, after a comparison on fresh held-out episodes.
    Ctrl-C, or SIGTERM, ends training after the current step and keeps the best so far.

    Steps, and other activations that are flat: see `wannjax.networks.gradients`.

    Raises:
        ValueError: a bad argument, a method that does not suit the problem, no finite score at all; `run_dir` holds another training, or
            one without `resume`, or is used by another process.
        OSError: a checkpoint cannot be written.
    """
    chosen = method_for(method, problem)
    require_count("steps", steps)
    check_single(network)
    require_seed(seed)
    graph = graph_of(network)
    require("network", network, "a network with connections", len(graph.connections) > 0)
    require("save_every", save_every, "seconds >= 0", save_every >= 0)
    require("resume", resume, "False without a run_dir", run_dir is not None or not resume)
    training = _Training(network, graph, problem, chosen, optimizer, steps, starts, seed)
    with ExitStack() as stack:
        saver: Saver | None = None
        if run_dir is not None:
            saver = stack.enter_context(saving(Path(run_dir), TRAINING_CHECKPOINTS, training, resume=resume, every=save_every))
        view = None
        if progress:
            view = TrainingView(problem, chosen.name, len(graph.connections), len(training.names), steps, training.number)
        first = training.number + 1 if training.records else 0
        run_steps(range(first, steps + 1), training.advance, training.check, callbacks, view, training.records, saver)
        tuned = training.final_comparison()
        if run_dir is not None:
            write(Path(run_dir), tuned)
            if finish is not None:
                finish(Path(run_dir))
    return tuned


class _Training:
    """The moving parts of one training: the method's state, and the best that every member has been.

    Attributes:
        number: steps done.
        state: the method's; None before the first step.
        estimates: float[M], what the method last estimated of each member's score.
        best, best_scores: float[M, C] and [M], the weights of each member's best check, and their score.
        records: one per check.
    """

    def __init__(
        self,
        network: Network,
        graph: Graph,
        problem: Problem,
        method: Method,
        optimizer: Any,
        steps: int,
        starts: Sequence[float] | np.ndarray | int | None,
        seed: int,
    ):
        self.graph, self.problem, self.method, self.steps, self.seed = graph, problem, method, steps, seed
        start_key, self.init_key, self.check_key, self.final_key, self.step_key = jax.random.split(jax.random.key(seed), 5)
        self.starts, self.names = _starts(graph, starts, start_key)
        self.optimizer_given = optimizer is not None
        if optimizer is None:
            rate = optax.cosine_decay_schedule(method.learning_rate, steps * method.updates)
            optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
        require("optimizer", optimizer, "an optax transformation", isinstance(optimizer, optax.GradientTransformation))
        self.topology = topology_of(network)
        self.trainer = method.trainer(problem, self.topology, optimizer)
        self.held_out = problem.split("validation")
        self.number, self.state = 0, None
        self.estimates = np.full(len(self.names), np.nan, np.float32)
        self.best, self.best_scores = np.array(self.starts), np.full(len(self.names), -np.inf, np.float32)
        self.records: list[TrainingRecord] = []
        self.seconds_before, self.started = 0.0, time.perf_counter()

    @property
    def seconds(self) -> float:
        """Wall time before and after training was resumed."""
        return self.seconds_before + time.perf_counter() - self.started

    def advance(self, number: int) -> None:
        """Takes the step of this number."""
        state = self.trainer.init(self.init_key, self.starts) if self.state is None else self.state
        # Waiting for every step: programs of several devices that are under way at once can block each other.
        self.state, estimates = jax.block_until_ready(self.trainer.step(jax.random.fold_in(self.step_key, number - 1), state))
        self.number, self.estimates = number, np.asarray(estimates)

    def check(self, number: int) -> tuple[float, float, float]:
        """Scores all members on the held-out episodes of the checks: a record's figures."""
        current = self.trainer.weights(self.state) if number > 0 else self.starts
        scores = self.scores_of(current, self.check_key, CHECK_EPISODES)
        better = scores > self.best_scores
        self.best[better], self.best_scores[better] = np.asarray(current)[better], scores[better]
        leader = int(np.argmax(scores))
        return float(self.estimates[leader]), float(scores[leader]), float(np.median(scores))

    def scores_of(self, weights: Array, key: Array, episodes: int) -> np.ndarray:
        """The mean scores [N] of N rows of weights; minus infinity where they are not finite."""
        members = copies(self.topology, weights)
        scores = np.asarray(self.held_out.score_copies(key, members, episodes=episodes, activation_ids=self.topology.activation_ids))
        return np.where(np.isfinite(scores), scores, -np.inf)

    def snapshot(self) -> Checkpoint:
        """The training after its last step, of which there must be one."""
        arrays = {
            "starts": np.asarray(self.starts),
            "estimates": self.estimates,
            "best": self.best,
            "best_scores": self.best_scores,
            "records": np.array(self.records, np.float64),
        }
        return Checkpoint(self.number, {"seconds": self.seconds}, arrays | arrays_of(self.state, "state"))

    @property
    def identity(self) -> dict[str, Any]:
        """What another training must have in common with this one to continue it, besides its starts."""
        settings = json.loads(json.dumps(asdict(cast(Any, self.method))))
        own = {"problem": self.problem.name, "method": self.method.name, "settings": settings, "steps": self.steps, "seed": self.seed}
        return {**own, "network": json.loads(network_text(self.graph)), "optimizer": "given" if self.optimizer_given else "default"}

    def restore(self, found: Checkpoint) -> None:
        """Continues where `snapshot` was taken. Raises an error for one that makes no sense, or that had other starts."""
        arrays = found.arrays
        require("starts", self.names, "those of the training that is resumed", np.array_equal(arrays["starts"], self.starts))
        own = {"estimates": self.estimates, "best": self.best, "best_scores": self.best_scores}
        kept = tree_like({name: jnp.asarray(array) for name, array in own.items()}, {f"own.{name}": arrays[name] for name in own}, "own")
        shapes = {name: array.shape for name, array in kept.items()}
        require("checkpoint", shapes, "of as many members", shapes == {name: array.shape for name, array in own.items()})
        rows = arrays["records"]
        require("checkpoint", rows.shape, "records", rows.ndim == 2 and rows.shape[1] == len(TrainingRecord._fields) and len(rows) > 0)
        self.state = tree_like(self.trainer.init(self.init_key, self.starts), arrays, "state")
        self.number, self.seconds_before = found.number, seconds_of(found.document)
        self.estimates, self.best, self.best_scores = (np.array(kept[name]) for name in ("estimates", "best", "best_scores"))
        self.records = [TrainingRecord(int(row[0]), *row[1:]) for row in rows.tolist()]

    def final_comparison(self) -> Tuned:
        """The best of every member, and every start, meet once more on fresh episodes: the checks' scores are those of the lucky."""
        candidates = np.concatenate([self.best, np.asarray(self.starts)])
        final = self.scores_of(jnp.asarray(candidates), self.final_key, FINAL_EPISODES)
        winner = int(np.argmax(final))
        require("problem", self.problem.name, "one that gives finite scores", bool(np.isfinite(final[winner])))
        return Tuned(
            network=network_of(self.graph.with_weights(candidates[winner].tolist())),
            score=float(final[winner]),
            start=self.names[winner % len(self.names)],
            member_scores=final[: len(self.names)],
            history={name: np.array([getattr(record, name) for record in self.records]) for name in TrainingRecord._fields},
            method=self.method,
            problem_name=self.problem.name,
            seed=self.seed,
            seconds=self.seconds,
            interrupted=self.number < self.steps,
        )


def method_for(method: str | Method | None, problem: Problem) -> Method:
    """The method that is meant: itself, the one of that name, or for None what suits the problem."""
    if method is None:
        if isinstance(problem, Supervised):
            method = "gradient"
        else:
            method = "policy_gradient" if isinstance(problem, Episodic) and problem.discrete else "evolution"
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
