"""One search, generation by generation: it scores what the algorithm asks for, tells the scores,
and keeps the champions.

It decides nothing about the search. Rollouts take nearly all of the time, so a chunk of generations
on the device would buy nothing and would fight Ctrl-C, callbacks and the enlarging of genomes. The
host's bookkeeping runs while the device breeds the next population.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from wannjax.common import hosts
from wannjax.common.keys import Purpose, key_of
from wannjax.common.pytrees import arrays_of, capacities_of, tree_like, with_capacities
from wannjax.common.validation import require
from wannjax.networks.files import network_text, parse_network
from wannjax.networks.graph import graph_of, network_of
from wannjax.networks.network import Network, require_runnable, take
from wannjax.problems.problem import Problem, checked_names, require_time
from wannjax.runs.champions import Champions, Confirmed, front_of
from wannjax.runs.checkpoints import Checkpoint
from wannjax.runs.compilations import Compilations
from wannjax.runs.exchange import Exchange
from wannjax.runs.records import Record, Work, history_of, overview, record_table, recorded, records_of
from wannjax.runs.result import Result
from wannjax.runs.resuming import seconds_of
from wannjax.search.activation_settings import AUTO
from wannjax.search.algorithm import Info
from wannjax.search.registry import Config
from wannjax.search.wann.config import EPISODES, WEIGHTS, WannConfig

FINAL_EPISODES, FINAL_ROUNDS = 128, 4
"""Fresh episodes per weight of the final comparison, at the most; and how many times those that
confirm a champion, which are fewer where steps are costly.
"""
START = "start"
"""What the networks that a run begins with are called in its checkpoints."""
_FEW = 8
"""What the number of networks in it is a multiple of."""


def final_episodes(config: Config) -> int:
    """Fresh episodes per weight of the final comparison."""
    return min(FINAL_EPISODES, FINAL_ROUNDS * config.confirm_episodes)


def documents_of(start: Sequence[Network]) -> list[Any]:
    """The networks that a run begins with, as they stand in its checkpoints."""
    return [json.loads(network_text(graph_of(network))) for network in start]


def suited(config: Config, problem: Problem) -> Config:
    """The settings with what was left to the problem."""
    if config.output_activation == AUTO:
        config = config.replace(output_activation=problem.output_activation)
    if isinstance(config, WannConfig) and config.cases == AUTO:
        config = config.replace(cases=EPISODES if problem.stochastic else WEIGHTS)
    return config


class Run:
    """The moving parts of one search.

    Attributes:
        config: the settings, those that were left to the problem included.
        start: networks that it begins with, where some are given.
        exchange: which islands this process holds, and how it learns of the others.
        champions: the networks that may become champion, and those that were.
        records: one per generation.
        last: the state that was scored last and its scores as told, [P, W] or [P, W, R], from
            which the next generation can be bred again.
        bred: what came of it: the next generation's state, and the info on the last; None before
            the first generation, and after a restoration.
    """

    def __init__(self, problem: Problem, config: Config, seed: int, start: Sequence[Network] = ()):
        config = suited(config, problem)
        checked_names(problem.input_names, problem.output_names, problem.inputs, problem.outputs)  # which files are to have
        self.problem, self.config, self.seed = problem, config, seed
        self.held_out = problem.split("validation")
        self.sweep = jnp.array(config.weights, jnp.float32)
        self.search_key, self.episode_key, self.confirm_key, self.final_key = jax.random.split(key_of(seed, Purpose.SEARCH), 4)
        self.exchange = Exchange(config.population, getattr(config, "islands", 1))
        self._begin(tuple(start))
        self.champions = Champions()
        self.records: list[Record] = []
        self.last: tuple[Any, np.ndarray] | None = None
        self.bred: tuple[Any, Info] | None = None
        self.seconds_before, self.started = 0.0, time.perf_counter()

    def _begin(self, start: tuple[Network, ...]) -> None:
        given: dict[str, Any] = {"start": start} if start else {}
        if self.exchange.apart:
            given["held"] = self.exchange.held
        self.start = start
        require_time(self.problem, getattr(self.config, "recurrent", False))
        self.algorithm = self.config.algorithm(inputs=self.problem.inputs, outputs=self.problem.outputs, **given)
        if self.algorithm.race is not None:
            wanted = f"0 for {self.problem.name}, whose scores are of no episodes"
            require("racing", self.algorithm.race.episodes, wanted, self.problem.stochastic)
        self.first: Any = self.algorithm.init(self.search_key)

    @property
    def number(self) -> int:
        """Generations that are complete."""
        return len(self.records)

    @property
    def seconds(self) -> float:
        """Wall time before and after the run was resumed."""
        return self.seconds_before + time.perf_counter() - self.started

    def record(self, *, last: bool) -> Any | None:
        """The latest generation's."""
        return self.records[-1] if self.records else None

    def advance(self) -> None:
        """Scores one generation and breeds the next."""
        begun = time.perf_counter()
        state = self._bred()[0] if self.last else self.first
        number = self.number + 1
        networks = jax.block_until_ready(self.algorithm.ask(state))
        scores, told, ahead, work = self._score_all(jax.random.fold_in(self.episode_key, number), networks)
        following, info = self.algorithm.tell(state, told)

        # While the device breeds, the host keeps records and champions.
        info = jax.device_get(info)
        found = self.exchange.overview(overview(scores, ahead, info, work))
        ahead = np.flatnonzero(found.ahead)
        if not np.isfinite(found.mean[ahead]).any():
            name, seed = self.problem.name, self.seed
            raise ValueError(f"problem: {name} gave no finite score to any network of generation {number} of seed {seed}")
        leaders = self.champions.promising(found.mean[ahead], found.connections[ahead], self.config.candidates)
        if leaders is not None:
            candidates = self.exchange.candidates(networks, ahead[leaders])
            fresh, _, more = self._score(
                self.held_out, jax.random.fold_in(self.confirm_key, number), candidates, self.config.confirm_episodes
            )
            self.champions.confirm(number, candidates, fresh)
            found = found._replace(work=found.work.plus(more))
        self.last, self.bred = (state, told), (self.algorithm.enlarge(following), info)
        seconds = time.perf_counter() - begun
        self.records.append(recorded(number, found, self.champions.standing, seconds))

    def _bred(self) -> tuple[Any, Info]:
        """What the last generation led to, bred again where it was restored."""
        if self.bred is None:
            assert self.last is not None
            following, info = self.algorithm.tell(*self.last)
            self.bred = self.algorithm.enlarge(following), jax.device_get(info)
        return self.bred

    def _score_all(self, key, networks: Network) -> tuple[np.ndarray, np.ndarray, np.ndarray, Work]:
        """The scores [P, W] of a generation, as far as it is held here; what the algorithm is told,
        which are these or, if it goes by them, those of every episode [P, W, R]; which networks
        these rest on all episodes of; and what it cost. After a race nothing is told of the others.
        """
        race, episodes, dealt = self.algorithm.race, self.config.episodes, not self.exchange.apart
        if race is None:
            scores, each, work = self._score(self.problem, key, networks, episodes, dealt=dealt)
            return scores, each, np.arange(len(scores)), work
        none = np.zeros((self.exchange.networks, len(self.config.weights), 0), np.float32)
        scores, first, work = self._score(self.problem, key, networks, race.episodes, none, dealt=dealt)
        ahead = race.ahead(scores)
        full, each, more = self._score(self.problem, key, take(networks, ahead), episodes, first[ahead], dealt=dealt)
        each = each if self.algorithm.by_episode else full
        scores, told = scores.copy(), np.full((len(scores), *each.shape[1:]), np.nan, np.float32)
        scores[ahead], told[ahead] = full, each
        return scores, told, ahead, work.plus(more)

    def _score(
        self, problem: Problem, key, networks: Network, episodes: int, first: np.ndarray | None = None, dealt: bool = True
    ) -> tuple[np.ndarray, np.ndarray, Work]:
        """The scores [N, W] of `networks` over the sweep, of which every process finds its share
        where they are `dealt` out, since all have them; these again or, if the algorithm or its
        race goes by them, those of every episode [N, W, R]; and what it cost. Of some episodes
        those scores may be known: the `first` ones.
        """
        begun = time.perf_counter()
        mine, several = np.arange(len(networks.steps)), dealt and hosts.count() > 1
        if several:
            shares = hosts.shares_of(np.asarray(networks.steps))
            mine, networks = shares[hosts.index()], take(networks, shares[hosts.index()])
        evaluate = problem.evaluate if first is None else partial(problem.evaluate_after, first=first[mine])
        evaluation = evaluate(key, networks, self.sweep, episodes=episodes, activation_ids=self.algorithm.activation_ids)
        if not self.algorithm.by_episode and self.algorithm.race is None:
            evaluation = evaluation._replace(by_episode=None)  # which then stays where it is
        evaluation = jax.device_get(evaluation)
        with np.errstate(over="ignore"):  # what is too large becomes infinite, which is not a score
            scores = np.asarray(evaluation.scores, np.float32)
            each = [] if evaluation.by_episode is None else [np.asarray(evaluation.by_episode, np.float32)]
        steps, computed = np.asarray(evaluation.steps, np.int64).sum(axis=1), np.asarray(evaluation.computed_steps, np.float64)
        if several:
            scores, steps, computed, *each = hosts.gather(scores, steps, computed, *each)
            scores, steps, *each = hosts.in_order(shares, (scores, steps, *each))
        return scores, each[0] if each else scores, Work(int(steps.sum()), int(computed.sum()), time.perf_counter() - begun)

    @property
    def identity(self) -> dict[str, Any]:
        """What another run must have in common with this one to continue it."""
        config = json.loads(json.dumps(asdict(self.config)))
        del config["generations"]
        sizes = [self.problem.inputs, self.problem.outputs]
        start = {START: documents_of(self.start)} if self.start else {}
        return {"problem": self.problem.name, "inputs and outputs": sizes, "seed": self.seed, "config": config, **start}

    def snapshot(self) -> Checkpoint:
        """The run after its last complete generation, of which there must be one."""
        assert self.last is not None
        state, scores = self.last
        columns, rows = record_table(self.records)
        document = {
            "algorithm": self.config.name,
            "generations": self.config.generations,
            "capacities": capacities_of(state),
            "columns": columns,
            "seconds": self.seconds,
        }
        own = arrays_of(state, "state") | arrays_of(self._by_island(scores), "scores")
        return Checkpoint(self.number, document, {"records": rows} | self.champions.arrays(), own)

    def _by_island(self, rows: np.ndarray) -> Any:
        """What there is of every network held here, as the state has its islands."""
        if not isinstance(self.first, dict):
            return rows
        return dict(zip(self.first, np.split(rows, len(self.first)), strict=True))

    @property
    def parts(self) -> set[str] | None:
        """The names of the arrays that this process alone has; None where all have all."""
        if not self.exchange.apart:
            return None
        return {*arrays_of(self.first, "state"), *arrays_of(self._by_island(np.zeros(self.exchange.networks)), "scores")}

    def restore(self, found: Checkpoint) -> None:
        """Continues where `snapshot` was taken, of a run that began with the same networks. Raises
        an error for one that makes no sense.
        """
        if START in found.document and not self.start:
            self._begin(tuple(network_of(parse_network(document)) for document in found.document[START]))
        state = with_capacities(tree_like(self.first, found.arrays, "state"), found.document.get("capacities"))
        names = arrays_of(self._by_island(np.zeros(self.exchange.networks)), "scores")
        scores = np.concatenate([found.arrays[name] for name in names])
        expected = self.exchange.networks, len(self.config.weights)
        fits = scores.shape[:2] == expected and scores.ndim in ((2, 3) if self.algorithm.by_episode else (2,))
        require("checkpoint", scores.shape, "scores of the population", fits)
        networks = self.algorithm.ask(state)
        require_runnable(networks)
        self.records = records_of(found.document["columns"], found.arrays["records"])
        self.champions = Champions.restored(found.arrays, jax.device_get(take(networks, np.arange(1))))
        require("checkpoint", self.number, f"of generation {found.number}", self.number == found.number)
        self.last, self.bred = (state, scores), None
        self._bred()
        self.seconds_before = seconds_of(found.document)

    def result(self, compilations: Compilations) -> Result:
        """What the run has found, after a comparison of the champions and the last generation's
        front on the same fresh episodes.
        """
        assert self.last is not None
        state, scores = self.last
        scores = scores if scores.ndim == 2 else np.mean(scores, axis=2)
        connections = np.asarray(self._bred()[1].connections)
        on_front = front_of(scores, connections)
        members = take(jax.device_get(self.algorithm.ask(state)), on_front)
        finalists = self.champions.finalists(*self.exchange.front(members, scores[on_front], connections[on_front]))
        count = len(finalists.steps)
        filled = np.arange(-(-count // _FEW) * _FEW) % count  # few sizes, since each is compiled
        fresh = self._score(self.held_out, self.final_key, take(finalists, filled), final_episodes(self.config))[0][:count]
        champion, front = self.champions.settle(finalists, fresh, self._names)
        return self._result(champion, front, compilations)

    def standing(self, compilations: Compilations) -> Result | None:
        """What the run has found so far, without that comparison and without any computation; None
        where there is no champion yet.
        """
        if not self.records or not self.champions.archive:
            return None
        return self._result(*self.champions.standing_now(self._names), compilations)

    @property
    def _names(self) -> dict[str, Any]:
        return {"input_names": self.problem.input_names, "output_names": self.problem.output_names}

    def _result(self, champion: Confirmed, front: list[Confirmed], compilations: Compilations) -> Result:
        return Result(
            champion=champion.network,
            champion_scores=champion.scores,
            front=[member.network for member in front],
            front_scores=np.array([member.scores for member in front]),
            history=history_of(self.records, Record),
            growth=self.champions.named_growth(self._names),
            config=self.config,
            seed=self.seed,
            problem_name=self.problem.name,
            seconds=self.seconds,
            compilations=(compilations.count, compilations.seconds),
            interrupted=self.number < self.config.generations,
        )
