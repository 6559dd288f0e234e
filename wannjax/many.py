"""`evolve_many`: independent searches side by side, over seeds and settings, so that a claim rests on more than one run.

All runs share their compiled programs, and every generation of all of them is one call of each. A run's draws are those of its own
seed, and padding, which all runs share, changes nothing: its result is what `evolve` gives for that seed, to the last bit on a CPU.
What may differ between settings is `wann.RATES`; how runs are laid out on the device is decided in `devices.over_runs`.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Float32

from wannjax import devices
from wannjax.books import Books, Confirmed, Record, Work
from wannjax.config import WannConfig
from wannjax.evaluation import decimals_for
from wannjax.evolution import FINAL_EPISODES, Result, count_compilations, names_of, result_of, settled
from wannjax.interruption import interrupt_flag
from wannjax.network import Network, connection_count, take, with_room
from wannjax.problems import Problem
from wannjax.ranking import usable
from wannjax.validation import require, require_seed
from wannjax.wann import RATES, Sizes, WannState
from wannjax.wann import with_room as state_with_room


class Statistics(NamedTuple):
    """The quartiles of a figure over seeds: each float[C], or float[C, generations], for C settings."""

    lower: Float[np.ndarray, "C *generations"]
    median: Float[np.ndarray, "C *generations"]
    upper: Float[np.ndarray, "C *generations"]


@dataclass(frozen=True)
class ManyResults:
    """What several runs found.

    Attributes:
        results: one per run: all seeds of the first settings, then of the second, and so on. The seconds of a run are its equal share of
            the time of all; the compilations are those of all.
        configs, seeds: what was run, every one with every other.
        seconds: wall time of all runs.
        compilations: how many programs were compiled, and the seconds this took.
    """

    results: list[Result]
    configs: tuple[WannConfig, ...]
    seeds: tuple[int, ...]
    seconds: float
    compilations: tuple[int, float]

    @property
    def problem_name(self) -> str:
        return self.results[0].problem_name

    @property
    def interrupted(self) -> bool:
        """Whether the runs ended before their last generation."""
        return self.results[0].interrupted

    @property
    def labels(self) -> tuple[str, ...]:
        """For each of the settings, those that differ among them; empty for a single one."""
        names = [name for name in RATES if len({getattr(config, name) for config in self.configs}) > 1]
        return tuple(", ".join(f"{name} {getattr(config, name):g}" for name in names) for config in self.configs)

    def statistics(self, column: str) -> Statistics:
        """Quartiles over seeds of a column of `Result.history`, per generation: each float[C, generations].

        Raises ValueError for a column that there is not.
        """
        require("column", column, f"one of {', '.join(Record._fields)}", column in Record._fields)
        return self._quartiles(np.array([result.history[column] for result in self.results], np.float64))

    @property
    def champion_means(self) -> Statistics:
        """Quartiles over seeds of the champions' mean score in the final comparison: each float[C]."""
        return self._quartiles(np.array([result.champion_scores.mean() for result in self.results], np.float64))

    @property
    def champion_connections(self) -> Statistics:
        """Quartiles over seeds of the champions' number of connections: each float[C]."""
        return self._quartiles(np.array([connection_count(result.champion) for result in self.results], np.float64))

    def _quartiles(self, values: np.ndarray) -> Statistics:
        return Statistics(*np.quantile(values.reshape(len(self.configs), len(self.seeds), *values.shape[1:]), (0.25, 0.5, 0.75), axis=1))

    def __str__(self) -> str:
        """A table of the champions: median over seeds, and quartiles."""
        generations = len(self.results[0].history["generation"])
        rows = [("", "mean score", "connections")]
        for i, label in enumerate(self.labels):
            rows.append((label, _in_brackets(self.champion_means, i), _in_brackets(self.champion_connections, i)))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join([row[0].ljust(widths[0]), row[1].rjust(widths[1]), row[2].rjust(widths[2])]).rstrip() for row in rows]
        title = f"{self.problem_name}: champions of {len(self.seeds)} seeds after {generations} generations, median [quartiles]"
        return "\n".join([title, *lines])


def _in_brackets(statistics: Statistics, number: int) -> str:
    """Median and quartiles of one of the settings."""
    lower, median, upper = (part[number] for part in statistics)
    decimals = decimals_for(median)
    return f"{median:.{decimals}f} [{lower:.{decimals}f}, {upper:.{decimals}f}]"


def evolve_many(
    problem: Problem,
    config: WannConfig | Sequence[WannConfig] | None = None,
    *,
    seeds: Iterable[int],
    generations: int | None = None,
    progress: bool = True,
) -> ManyResults:
    """Runs an independent search for every seed, side by side. Each gives what `evolve` gives for it.

    Args:
        problem: from `wannjax.make`, or anything that fulfils `Problem`.
        config: the settings; the recommended ones when None. With several, every one is run with every seed; they may differ in
            `initial_density`, `initial_fan_in`, `complexity_probability` and the rates of the operators.
        seeds: different ones, such as `range(8)`.
        generations: overrides `config.generations`.
        progress: show a live view.

    Ctrl-C, or SIGTERM, ends all runs after the current generation; everything found so far is in the results. A second one interrupts
    at once.

    Raises ValueError for a setting out of range, for settings that cannot run side by side, and when no network of a run's generation
    has finite scores.
    """
    seeds = tuple(seeds)
    for seed in seeds:
        require_seed(seed)
    require("seeds", seeds, "different seeds, at least one", 0 < len(seeds) == len(set(seeds)))
    given = (config or WannConfig(),) if config is None or isinstance(config, WannConfig) else tuple(config)
    require("config", given, "settings, or several of them", len(given) > 0 and all(isinstance(each, WannConfig) for each in given))
    configs = tuple(settled(each, problem, generations) for each in given)
    _require_alike(configs)
    started = time.perf_counter()
    with ExitStack() as stack:
        compilations = stack.enter_context(count_compilations())
        interrupted = stack.enter_context(interrupt_flag())
        runs = _Runs(problem, [(config, seed) for config in configs for seed in seeds])
        views = []
        if progress:
            from wannjax.progress import ManyView

            views.append(stack.enter_context(ManyView(problem, configs[0], len(runs.books))))
        while runs.number < configs[0].generations and not interrupted():
            records = runs.generation()
            for view in views:
                view(records)
        found = runs.final_comparison()
        seconds = time.perf_counter() - started
    results = [
        result_of(problem, config, seed, books, each, seconds / len(found), compilations)
        for (config, seed), books, each in zip(runs.pairs, runs.books, found, strict=True)
    ]
    return ManyResults(results, configs, seeds, seconds, (compilations.count, compilations.seconds))


def _require_alike(configs: Sequence[WannConfig]) -> None:
    """Raises ValueError unless searches with these settings share their compiled programs."""
    for other in configs[1:]:
        for each in fields(configs[0]):
            first, value = (getattr(config, each.name) for config in (configs[0], other))
            allowed = f"{first!r}, as in the first settings, since only {', '.join(RATES)} may differ"
            require(each.name, value, allowed, each.name in RATES or value == first)


@lru_cache(maxsize=32)
def _over_runs(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of one run, compiled for all of them."""
    return jax.jit(devices.over_runs(function))


_fold = jax.jit(jax.vmap(jax.random.fold_in, in_axes=(0, None)))


class _Runs:
    """The moving parts of several runs, which are stacked along the leading axis of every array.

    Attributes:
        pairs: the settings and the seed of each run.
        books: of each run.
        state: the next generation of all.
        last: the state that was scored last, and its scores.
    """

    def __init__(self, problem: Problem, pairs: list[tuple[WannConfig, int]]):
        self.problem, self.pairs = problem, pairs
        self.held_out = problem.split("validation")
        self.config = pairs[0][0]
        self.sweep = jnp.array(self.config.weights, jnp.float32)
        algorithms = [config.algorithm(inputs=problem.inputs, outputs=problem.outputs) for config, _ in pairs]
        self.algorithm = algorithms[0]
        keys = jnp.stack([jax.random.split(jax.random.key(seed), 4) for _, seed in pairs], axis=1)
        search_keys, *self.keys = keys
        self.state = _together([algorithm.init(key) for algorithm, key in zip(algorithms, search_keys, strict=True)])
        self.books = [Books() for _ in pairs]
        self.last: tuple[WannState, np.ndarray] | None = None

    @property
    def number(self) -> int:
        """Generations that are complete."""
        return self.books[0].number

    def generation(self) -> list[Record]:
        """Scores one generation of every run and breeds the next."""
        begun = time.perf_counter()
        episode_keys, confirm_keys, _ = self.keys
        number, state = self.number + 1, self.state
        networks = jax.block_until_ready(_over_runs(self.algorithm.ask)(state))
        everyone = np.ones(len(self.books), bool)
        scores, works = self.score(self.problem, _fold(episode_keys, number), networks, everyone, self.config.episodes)
        for (_, seed), each in zip(self.pairs, scores, strict=True):
            if not usable(each).any():
                raise ValueError(f"problem: {self.problem.name} gave no finite score to any network of generation {number} of seed {seed}")
        bred = _over_runs(self.algorithm.tell)(state, scores)

        # While the device breeds, the host keeps the books.
        sizes = jax.device_get(state.sizes)
        count = min(self.config.candidates, self.config.population)
        leaders = [books.promising(scores[run], sizes.connections[run], count) for run, books in enumerate(self.books)]
        wanted = np.array([some is not None for some in leaders])
        if wanted.any():
            chosen = np.array([np.arange(count) if some is None else some for some in leaders])
            every = np.arange(len(chosen))[:, None]
            candidates = jax.tree.map(lambda leaf: leaf[every, chosen], jax.device_get(networks))
            fresh, more = self.score(self.held_out, _fold(confirm_keys, number), candidates, wanted, self.config.confirm_episodes)
            for run in np.flatnonzero(wanted):
                self.books[run].confirm(take(candidates, run), fresh[run])
            works = [work.plus(other) for work, other in zip(works, more, strict=True)]
        self.state, self.last = self.algorithm.grow(bred), (state, scores)
        seconds = (time.perf_counter() - begun) / len(self.books)
        return [books.close(scores[i], Sizes(*(size[i] for size in sizes)), works[i], seconds) for i, books in enumerate(self.books)]

    def score(
        self, problem: Problem, keys, networks: Network, wanted: Bool[np.ndarray, " runs"], episodes: int
    ) -> tuple[Float32[np.ndarray, "runs N W"], list[Work]]:
        """The scores of every run's `networks` over the sweep, and what they cost: of the seconds, each `wanted` run has an equal share."""
        begun = time.perf_counter()
        among = self.algorithm.activations
        evaluation = problem.evaluate_many(keys, networks, self.sweep, wanted=wanted, episodes=episodes, among=among)
        with np.errstate(over="ignore"):  # what is too large becomes infinite, which is not a score
            scores = np.asarray(evaluation.scores, np.float32)
        steps = np.asarray(evaluation.steps, np.int64).sum(axis=(1, 2))
        computed = np.asarray(evaluation.computed_steps)
        seconds = wanted * (time.perf_counter() - begun) / wanted.sum()
        return scores, [Work(int(steps[i]), int(computed[i]), float(seconds[i])) for i in range(len(wanted))]

    def final_comparison(self) -> list[tuple[Confirmed, list[Confirmed]]]:
        """Of every run the champion and the last generation's front, all rescored on the run's fresh episodes."""
        assert self.last is not None
        state, scores = self.last
        populations, connections = jax.device_get((_over_runs(self.algorithm.ask)(state), state.sizes.connections))
        finalists = [books.finalists(take(populations, i), scores[i], connections[i]) for i, books in enumerate(self.books)]
        # All as many, on tapes of one length: the first of a run is repeated, and not looked at again.
        counts = [each.activations.shape[0] for each in finalists]
        room = max(each.activations.shape[1] for each in finalists)
        first = np.arange(max(counts))
        filled = [take(with_room(each, room), first * (first < count)) for each, count in zip(finalists, counts, strict=True)]
        together = jax.tree.map(lambda *leaves: np.stack(leaves), *filled)
        fresh, _ = self.score(self.held_out, self.keys[-1], together, np.ones(len(counts), bool), FINAL_EPISODES)
        return [
            books.settle(each, fresh[i, :count], names_of(self.problem))
            for i, (books, each, count) in enumerate(zip(self.books, finalists, counts, strict=True))
        ]


def _together(states: Sequence[WannState]) -> WannState:
    """The states of several runs as one, with room for the largest."""
    hidden, steps = max(state.genomes.hidden for state in states), max(state.steps for state in states)
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *(state_with_room(state, hidden, steps) for state in states))
