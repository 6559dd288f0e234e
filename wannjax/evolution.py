"""`evolve`: the driver. It adds to an algorithm what a run needs (progress, history, a confirmed champion, room to grow, an orderly
end) and decides nothing about the search.

One generation at a time: rollouts take nearly all of it, so a chunk of generations on the device would buy nothing and would
fight Ctrl-C, callbacks and growth. The host's bookkeeping runs while the device breeds the next population.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from wannjax.config import AUTO, WannConfig
from wannjax.graph import graph_of
from wannjax.interruption import interrupt_flag
from wannjax.network import Network, connection_count, take, with_room
from wannjax.problems import Problem
from wannjax.ranking import non_dominated
from wannjax.validation import require_seed
from wannjax.wann import WannState

ARCHIVE = 8
"""Confirmed networks that are kept for the final comparison."""
FINAL_EPISODES = 128
"""Fresh episodes per weight of the final comparison."""


class Record(NamedTuple):
    """One generation of a run, in plain numbers: what callbacks receive and `history` collects."""

    generation: int
    """From 1."""
    mean_score: float
    """The best mean score over the sweep in this generation, on this generation's episodes; nan if no network has a finite one."""
    best_score: float
    """The best score of any network at any weight."""
    median_score: float
    """The population's median mean score."""
    champion_score: float
    """The champion's mean score over the sweep, on the fresh episodes that confirmed it."""
    champion_connections: int
    median_connections: float
    largest_hidden: int
    """Hidden nodes of the largest genome."""
    non_finite: int
    """Networks with a score that is not finite."""
    alive_steps: int
    """Environment steps of unfinished episodes, confirmation included."""
    computed_steps: int
    """All environment steps that were computed."""
    rollout_seconds: float
    """Time in evaluation: rollouts, confirmation included."""
    seconds: float
    """Time of the whole generation, compilation included."""


Callback = Callable[[Record], object]
"""Called once per generation; a true return value ends the run after that generation."""


class Confirmed(NamedTuple):
    """A network with its scores on fresh episodes.

    Attributes:
        network: the network.
        scores: float[W], mean return at each weight of the sweep.
        rounds: how often it was scored; `scores` are the mean over them.
    """

    network: Network
    scores: np.ndarray
    rounds: int = 1

    @property
    def mean(self) -> float:
        return float(np.mean(self.scores))

    @property
    def quality(self) -> tuple[float, int]:
        """What makes one network better than another: the mean score, and of equals the fewer connections."""
        return self.mean, -connection_count(self.network)


@dataclass(frozen=True)
class Result:
    """What a run found.

    Attributes:
        champion: the network with the best mean score over the sweep, confirmed on fresh episodes.
        champion_scores: float[W], its scores on the episodes of the final comparison.
        front: the last generation's non-dominated networks by mean score, best score and number of connections, rescored.
        front_scores: float[F, W], their scores on fresh episodes.
        history: one array per field of `Record`, one entry per generation.
        config, seed, problem_name: what was run.
        seconds: wall time of the run.
        compilations: how many programs were compiled, and the seconds this took.
        interrupted: whether the run ended before its last generation.
    """

    champion: Network
    champion_scores: np.ndarray
    front: list[Network]
    front_scores: np.ndarray
    history: dict[str, np.ndarray]
    config: WannConfig
    seed: int
    problem_name: str
    seconds: float
    compilations: tuple[int, float]
    interrupted: bool


def evolve(
    problem: Problem,
    config: WannConfig | None = None,
    *,
    generations: int | None = None,
    seed: int = 0,
    callbacks: Iterable[Callback] = (),
    progress: bool = True,
) -> Result:
    """Evolves weight-agnostic networks for `problem`.

    Args:
        problem: from `wannjax.make`, or anything that fulfils `Problem`.
        config: the search's settings; the recommended ones when None.
        generations: overrides `config.generations`.
        seed: the same seed gives the same result, on any number of CPU devices.
        callbacks: called with a `Record` after every generation; a true return value ends the run.
        progress: show a live view.

    Ctrl-C ends the run after the current generation; everything found so far is in the result. A second one interrupts at once.

    Raises:
        ValueError: a setting out of range; no network of the whole run had finite scores.
    """
    config = config or WannConfig()
    if generations is not None:
        config = config.replace(generations=generations)
    if config.output_activation == AUTO:
        config = config.replace(output_activation=problem.output_activation)
    require_seed(seed)
    callbacks = list(callbacks)
    with ExitStack() as stack:
        compilations = stack.enter_context(_compilations())
        interrupted = stack.enter_context(interrupt_flag())
        if progress:
            from wannjax.progress import LiveView

            callbacks.insert(0, stack.enter_context(LiveView(problem, config)))
        started = time.perf_counter()
        run = _Run(problem, config, seed)
        records: list[Record] = []
        for _ in range(config.generations):
            records.append(run.generation())
            if any([callback(records[-1]) for callback in callbacks]) or interrupted():
                break
        champion, front = run.final_comparison()
        seconds = time.perf_counter() - started
    return Result(
        champion=champion.network,
        champion_scores=champion.scores,
        front=[member.network for member in front],
        front_scores=np.array([member.scores for member in front]),
        history={name: np.array([getattr(record, name) for record in records]) for name in Record._fields},
        config=config,
        seed=seed,
        problem_name=problem.name,
        seconds=seconds,
        compilations=(compilations.count, compilations.seconds),
        interrupted=len(records) < config.generations,
    )


class _Run:
    """The moving parts of one run: the algorithm's state, the confirmed networks, and the counters of the current generation."""

    def __init__(self, problem: Problem, config: WannConfig, seed: int):
        self.problem, self.config = problem, config
        self.held_out = problem.split("validation")
        self.algorithm = config.algorithm(inputs=problem.inputs, outputs=problem.outputs)
        self.sweep = jnp.array(config.weights, jnp.float32)
        search_key, *self.keys = jax.random.split(jax.random.key(seed), 4)
        self.state = self.algorithm.init(search_key)
        self.number = 0
        self.archive: list[Confirmed] = []
        self.last: tuple[WannState, np.ndarray]

    def generation(self) -> Record:
        """Scores one generation and breeds the next."""
        begun = time.perf_counter()
        episode_key, confirm_key, _ = self.keys
        self.alive_steps = self.computed_steps = 0
        self.rollout_seconds = 0.0
        self.number += 1

        state = self.state
        networks = jax.block_until_ready(self.algorithm.ask(state))
        scores = self.score(self.problem, jax.random.fold_in(episode_key, self.number), networks, self.config.episodes)
        self.last = state, scores
        bred = self.algorithm.tell(state, scores)

        # While the device breeds, the host keeps the books.
        finite = np.all(np.isfinite(scores), axis=1)
        mean = np.where(finite, np.mean(scores, axis=1), -np.inf)
        sizes = jax.device_get(state.sizes)
        leaders = np.lexsort((sizes.connections, -mean))[: self.config.candidates]
        promise = (float(mean[leaders[0]]), -int(sizes.connections[leaders[0]]))
        if finite.any() and (not self.archive or promise > self.archive[0].quality):
            candidates = take(jax.device_get(networks), leaders)
            self.confirm(candidates, jax.random.fold_in(confirm_key, self.number))
        self.state = self.algorithm.grow(bred)

        champion = self.archive[0] if self.archive else None
        return Record(
            generation=self.number,
            mean_score=float(mean[leaders[0]]) if finite.any() else float("nan"),
            best_score=float(np.max(scores[finite])) if finite.any() else float("nan"),
            median_score=float(np.median(mean[finite])) if finite.any() else float("nan"),
            champion_score=champion.mean if champion else float("nan"),
            champion_connections=connection_count(champion.network) if champion else 0,
            median_connections=float(np.median(sizes.connections)),
            largest_hidden=int(np.max(sizes.hidden)),
            non_finite=int(np.sum(~finite)),
            alive_steps=self.alive_steps,
            computed_steps=self.computed_steps,
            rollout_seconds=self.rollout_seconds,
            seconds=time.perf_counter() - begun,
        )

    def score(self, problem: Problem, key, networks: Network, episodes: int) -> np.ndarray:
        """The scores [N, W] of `networks` over the sweep; keeps the counters."""
        begun = time.perf_counter()
        evaluation = problem.evaluate(key, networks, self.sweep, episodes=episodes, among=self.algorithm.activations)
        scores = np.asarray(evaluation.scores)
        self.alive_steps += int(np.asarray(evaluation.steps, np.int64).sum())
        self.computed_steps += int(evaluation.computed_steps)
        self.rollout_seconds += time.perf_counter() - begun
        return scores

    def confirm(self, candidates: Network, key) -> None:
        """Scores `candidates` on fresh episodes and keeps the best in the archive, best first."""
        scores = self.score(self.held_out, key, candidates, self.config.confirm_episodes)
        known = {graph_of(member.network): member for member in self.archive}
        for i in np.flatnonzero(np.all(np.isfinite(scores), axis=1)):
            network = take(candidates, i)
            graph, member = graph_of(network), Confirmed(network, scores[i])
            if graph in known:  # scored before: the mean of all rounds, so that luck does not add up
                earlier = known[graph]
                pooled = (earlier.scores * earlier.rounds + member.scores) / (earlier.rounds + 1)
                member = Confirmed(network, pooled, earlier.rounds + 1)
            known[graph] = member
        self.archive = sorted(known.values(), key=lambda member: member.quality, reverse=True)[:ARCHIVE]

    def final_comparison(self) -> tuple[Confirmed, list[Confirmed]]:
        """The champion and the last generation's front, all rescored on the same fresh episodes.

        The archive's scores are those of the lucky among many; here its networks meet once more on equal terms.
        """
        state, scores = self.last
        valid = np.flatnonzero(np.all(np.isfinite(scores), axis=1))
        on_front = valid[non_dominated(_objectives(scores, np.asarray(state.sizes.connections))[valid])]
        population = jax.device_get(self.algorithm.ask(state))
        networks = [member.network for member in self.archive] + [take(population, i) for i in on_front]
        if not networks:
            raise ValueError(f"problem: {self.problem.name} gave no finite score to any network of {self.number} generations")
        room = max(network.activations.shape[0] for network in networks)
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *(with_room(network, room) for network in networks))
        fresh = self.score(self.held_out, self.keys[-1], stacked, FINAL_EPISODES)
        rescored = [
            Confirmed(replace(network, input_names=self.problem.input_names, output_names=self.problem.output_names), row)
            for network, row in zip(networks, fresh, strict=True)
        ]
        finite = [member for member in rescored if np.all(np.isfinite(member.scores))]
        if not finite:
            raise ValueError(f"problem: {self.problem.name} gave no finite score on fresh episodes")
        champion = max(finite, key=lambda member: member.quality)
        front = [member for member in rescored[len(self.archive) :] if np.all(np.isfinite(member.scores))]
        if front:
            connections = np.array([connection_count(member.network) for member in front])
            keep = non_dominated(_objectives(np.array([member.scores for member in front]), connections))
            front = sorted((front[i] for i in keep), key=lambda member: member.quality, reverse=True)
        return champion, front


def _objectives(scores: np.ndarray, connections: np.ndarray) -> np.ndarray:
    """Mean score, best score and 1/connections (of none: 1), to be maximised: [N, 3]."""
    return np.stack([np.mean(scores, axis=1), np.max(scores, axis=1), 1.0 / np.maximum(connections, 1)], axis=1)


@dataclass
class _Compilations:
    count: int = 0
    seconds: float = 0.0


@contextmanager
def _compilations() -> Iterator[_Compilations]:
    """Counts the programs that XLA compiles, and the time it takes."""
    total = _Compilations()

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            total.count += 1
            total.seconds += duration_secs

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield total
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
