"""One training, step by step: it asks the method for steps, checks the members now and then, and
keeps the best that each has been.

It decides nothing about how weights move, but which members go on: where a method allows it, the
worse half is dropped at a quarter of the steps, at half of them, and whenever training stalls, when
what is left is restarted from its best weights.
"""

import json
import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from wannjax.analysis.evaluation import RANDOM_RANGE
from wannjax.common.keys import Purpose, key_of
from wannjax.common.pytrees import arrays_of, tree_like
from wannjax.common.validation import real, require, whole
from wannjax.finetuning.method import Method, scores_of_copies, settings_of
from wannjax.finetuning.tuned import Tuned
from wannjax.networks.files import network_text
from wannjax.networks.gradients import copies, topology_of
from wannjax.networks.graph import Graph, network_of
from wannjax.networks.network import Network
from wannjax.problems.problem import Problem
from wannjax.runs.checkpoints import Checkpoint
from wannjax.runs.records import TrainingRecord, history_of
from wannjax.runs.resuming import seconds_of
from wannjax.search.wann.config import SWEEP

CHECKS = 50
"""How often, in a training, members are scored on held-out episodes, at the most; and once before
it.
"""
CHECK_EPISODES = 32
FINAL_EPISODES = 128
"""Fresh episodes of the last comparison."""
RACES = (4, 2)
"""The worse half of the members is dropped after the steps divided by each of these."""
STALLED = 10
"""Checks in a row without a better one, after which a training is restarted."""
RANDOM_STARTS = 2
"""Random weights among the starts of a race."""


def steps_between_checks(steps: int) -> int:
    """How many steps one check is from the next."""
    return -(-steps // CHECKS)


class Training:
    """The moving parts of one training: the method's state, and the best that every member has
    been.

    Attributes:
        number: steps done.
        state: the method's; None before the first step.
        members: int[A], the numbers of those that were not dropped.
        begun: how many records there were when it was last restarted.
        estimates: float[M], what the method last estimated of each member's score.
        best, best_scores: float[M, C] and [M], the weights of each member's best check, and their
            score.
        records: one per check.
    """

    def __init__(
        self,
        network: Network,
        graph: Graph,
        problem: Problem,
        method: Method,
        optimizer: Any,
        decay: float,
        steps: int,
        patience: int | None,
        starts: Sequence[float] | np.ndarray | int | None,
        seed: int,
    ):
        self.graph, self.problem, self.method, self.steps, self.seed = graph, problem, method, steps, seed
        start_key, self.init_key, self.check_key, self.final_key, self.step_key = jax.random.split(key_of(seed, Purpose.TRAINING), 5)
        self.optimizer_given = optimizer is not None
        self.decay = real("decay", decay, "finite and >= 0", 0.0)
        self.patience = None if patience is None else whole("patience", patience, "None or an integer >= 1", 1)
        require("decay", decay, "0 where an optimizer is given", self.decay == 0 or not self.optimizer_given)
        if optimizer is None and method.learning_rate > 0:
            rate = optax.cosine_decay_schedule(method.learning_rate, steps * method.updates)
            optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, weight_decay=self.decay))
        elif optimizer is None:
            require("decay", decay, f"0 for {method.name} with a learning rate of 0", self.decay == 0)
        else:
            require("optimizer", optimizer, "an optax transformation", isinstance(optimizer, optax.GradientTransformation))
        self.topology = topology_of(network)
        self.trainer = method.trainer(problem, self.topology, optimizer)
        self.starts, self.names = _starts(graph, starts, start_key, raced=self.trainer.keep is not None)
        self.held_out = problem.split("validation")
        self.number, self.state = 0, None
        self.members, self.begun = np.arange(len(self.names)), 0
        self.estimates = np.full(len(self.names), np.nan, np.float32)
        self.best, self.best_scores = np.array(self.starts), np.full(len(self.names), -np.inf, np.float32)
        self.records: list[TrainingRecord] = []
        self.seconds_before, self.started = 0.0, time.perf_counter()

    @property
    def seconds(self) -> float:
        """Wall time before and after training was resumed."""
        return self.seconds_before + time.perf_counter() - self.started

    @property
    def finished(self) -> bool:
        """Whether the last step is done, or patience has run out."""
        return self.number == self.steps or (self.patience is not None and self._waited(0) >= self.patience)

    def _waited(self, since: int) -> int:
        """How many checks ago the best one was, of those from number `since` on."""
        scores = [record.held_out_score for record in self.records[since:]]
        return len(scores) - 1 - int(np.argmax(scores)) if scores else 0

    def advance(self) -> None:
        """Takes the next step."""
        key = jax.random.fold_in(self.step_key, self.number)
        state = self.trainer.init(self.init_key, self.starts) if self.state is None else self.state
        stalled = self.trainer.restart is not None and self._waited(self.begun) >= STALLED
        raced = stalled or self.number in [max(self.steps // part, 1) for part in RACES]
        if self.trainer.keep is not None and raced and len(self.members) > 1:
            places = better_half(self.best_scores[self.members])
            state, self.members = self.trainer.keep(state, places), self.members[places]
        if self.trainer.restart is not None and stalled:
            key, restart_key = jax.random.split(key)
            state, self.begun = self.trainer.restart(restart_key, state, jnp.asarray(self.best[self.members])), len(self.records)
        self.state, estimates = self.trainer.step(key, state)
        self.estimates = np.full_like(self.estimates, np.nan)
        self.estimates[self.members] = np.asarray(estimates)
        self.number += 1

    def record(self, *, last: bool) -> TrainingRecord | None:
        """A check, where one is due: before the first step, every so often, and at the end."""
        if not last and self.number % steps_between_checks(self.steps) != 0:
            return None
        current = self.trainer.weights(self.state) if self.number > 0 else self.starts
        scores = self.scores_of(current, self.check_key, CHECK_EPISODES)
        better = scores > self.best_scores[self.members]
        numbers = self.members[better]
        self.best[numbers], self.best_scores[numbers] = np.asarray(current)[better], scores[better]
        leader = int(np.argmax(scores))
        training_score = float(self.estimates[self.members[leader]])
        held_out_score, median_score = float(scores[leader]), float(np.median(scores))
        self.records.append(TrainingRecord(self.number, training_score, held_out_score, median_score, self.seconds))
        return self.records[-1]

    def scores_of(self, weights: Array, key: Array, episodes: int) -> np.ndarray:
        """The mean scores [N] of N rows of weights; minus infinity where they are not finite."""
        members = copies(self.topology, weights)
        ids = self.topology.activation_ids
        scores = np.asarray(scores_of_copies(self.held_out, key, members, episodes=episodes, activation_ids=ids))
        return np.where(np.isfinite(scores), scores, -np.inf)

    def snapshot(self) -> Checkpoint:
        """The training after its last step, of which there must be one."""
        arrays = {
            "starts": np.asarray(self.starts),
            "members": self.members,
            "begun": np.array(self.begun),
            "estimates": self.estimates,
            "best": self.best,
            "best_scores": self.best_scores,
            "records": np.array(self.records, np.float64),
        }
        return Checkpoint(self.number, {"seconds": self.seconds}, arrays | arrays_of(self.state, "state"))

    @property
    def identity(self) -> dict[str, Any]:
        """What another training must have in common with this one to continue it, besides its
        starts.
        """
        settings = settings_of(self.method)
        own = {"problem": self.problem.name, "method": self.method.name, "settings": settings, "steps": self.steps, "seed": self.seed}
        own |= {"decay": self.decay, "patience": self.patience}
        return {**own, "network": json.loads(network_text(self.graph)), "optimizer": "given" if self.optimizer_given else "default"}

    def restore(self, found: Checkpoint) -> None:
        """Continues where `snapshot` was taken. Raises an error for one that makes no sense, or
        that had other starts.
        """
        arrays = found.arrays
        require("starts", self.names, "those of the training that is resumed", np.array_equal(arrays["starts"], self.starts))
        own = {"estimates": self.estimates, "best": self.best, "best_scores": self.best_scores}
        kept = tree_like({name: jnp.asarray(array) for name, array in own.items()}, {f"own.{name}": arrays[name] for name in own}, "own")
        shapes = {name: array.shape for name, array in kept.items()}
        require("checkpoint", shapes, "of as many members", shapes == {name: array.shape for name, array in own.items()})
        rows = arrays["records"]
        require("checkpoint", rows.shape, "records", rows.ndim == 2 and rows.shape[1] == len(TrainingRecord._fields) and len(rows) > 0)
        standing = {"members": self.members, "begun": np.array(self.begun)}
        standing = tree_like(standing, {f"own.{name}": arrays[name] for name in standing if name in arrays}, "own")
        members, begun = standing["members"], int(standing["begun"])
        fine = len(members) > 0 and np.all(np.diff(members) > 0) and members[0] >= 0 and members[-1] < len(self.names)
        require("checkpoint", members.tolist(), f"members from 0 to {len(self.names) - 1}", bool(fine))
        require("checkpoint", begun, f"a number of records from 0 to {len(rows)}", 0 <= begun <= len(rows))
        self.members, self.begun = members, begun
        self.state = tree_like(self.trainer.init(self.init_key, self.starts), arrays, "state")
        self.number, self.seconds_before = found.number, seconds_of(found.document)
        self.estimates, self.best, self.best_scores = (np.array(kept[name]) for name in ("estimates", "best", "best_scores"))
        self.records = [TrainingRecord(int(row[0]), *row[1:]) for row in rows.tolist()]

    def result(self) -> Tuned:
        """The best of every member, and every start, meet once more on fresh episodes (of data: on
        the validation examples again): the checks' scores are those of the lucky.
        """
        candidates = np.concatenate([self.best, np.asarray(self.starts)])
        final = self.scores_of(jax.device_put(candidates), self.final_key, FINAL_EPISODES)
        winner = int(np.argmax(final))
        require("problem", self.problem.name, "one that gives finite scores", bool(np.isfinite(final[winner])))
        return self._tuned(candidates[winner], float(final[winner]), self.names[winner % len(self.names)], final[: len(self.names)])

    def standing(self) -> Tuned | None:
        """The best of all checks so far, without that comparison and without any computation; None
        where there was no check with a finite score.
        """
        winner = int(np.argmax(self.best_scores))
        if not np.isfinite(self.best_scores[winner]):
            return None
        return self._tuned(self.best[winner], float(self.best_scores[winner]), self.names[winner], self.best_scores)

    def _tuned(self, weights: np.ndarray, score: float, start: float | str, member_scores: np.ndarray) -> Tuned:
        return Tuned(
            network=network_of(self.graph.with_weights(weights.tolist())),
            score=score,
            start=start,
            member_scores=member_scores,
            history=history_of(self.records, TrainingRecord),
            method=self.method,
            problem_name=self.problem.name,
            seed=self.seed,
            seconds=self.seconds,
            interrupted=not self.finished,
        )


def better_half(scores: np.ndarray) -> np.ndarray:
    """The places of the better half of the scores, in their order; of an odd number the larger
    half, and of equal scores the first.
    """
    return np.sort(np.argsort(-scores, kind="stable")[: -(-len(scores) // 2)])


def _starts(graph: Graph, starts: Sequence[float] | np.ndarray | int | None, key, *, raced: bool) -> tuple[jax.Array, list[float | str]]:
    """The weights [M, C] to start from, and what to call them."""
    count = len(graph.connections)
    if starts is None and raced:
        own = [graph.weights] if graph.has_weights else []
        drawn = jax.random.uniform(key, (RANDOM_STARTS, count), jnp.float32, minval=-RANDOM_RANGE, maxval=RANDOM_RANGE)
        rows = np.concatenate([np.array(own, np.float32).reshape(-1, count), np.tile(np.array(SWEEP, np.float32)[:, None], count), drawn])
        return jax.device_put(rows), ["own"] * len(own) + list(SWEEP) + ["random"] * RANDOM_STARTS
    if starts is None and graph.has_weights:
        return jax.device_put(np.array([graph.weights], np.float32)), ["own"]
    starts = SWEEP if starts is None else starts
    try:
        given = np.array(starts, np.float32)  # a copy, which nobody else changes
    except (TypeError, ValueError):  # no numbers, or rows that differ in length
        given = np.zeros(0, np.float32)
    if given.ndim == 0:
        starts = whole("starts", starts, "shared weights, or a number of random starts >= 1", 1)
        return jax.random.uniform(key, (starts, count), jnp.float32, minval=-RANDOM_RANGE, maxval=RANDOM_RANGE), ["random"] * starts
    fine = given.size > 0 and (given.ndim == 1 or given.shape[1:] == (count,)) and bool(np.isfinite(given).all())
    require("starts", starts, f"finite shared weights, at least one, or rows of {count} weights", fine)
    if given.ndim == 2:
        return jax.device_put(given), ["given"] * len(given)
    return jax.device_put(np.tile(given[:, None], count)), [float(value) for value in given]
