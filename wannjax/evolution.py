"""`evolve`: the driver. It adds to an algorithm what a run needs (progress, history, a confirmed champion, room to grow, an orderly
end) and decides nothing about the search.

One generation at a time: rollouts take nearly all of it, so a chunk of generations on the device would buy nothing and would
fight Ctrl-C, callbacks and growth. The host's bookkeeping runs while the device breeds the next population.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np

from wannjax import hosts
from wannjax.algorithm import State
from wannjax.books import Books, Confirmed, Record, Work, require_runnable
from wannjax.checkpoints import Checkpoint
from wannjax.config import AUTO, Config, WannConfig
from wannjax.evaluation import Report
from wannjax.growth import Stage
from wannjax.interruption import interrupt_flag
from wannjax.named_arrays import arrays_of, capacities_of, tree_like, with_capacities
from wannjax.network import Network, take
from wannjax.problems import Problem
from wannjax.ranking import usable
from wannjax.saving import SAVE_EVERY, Saver, saving, seconds_of
from wannjax.validation import require, require_seed

FINAL_EPISODES = 128
"""Fresh episodes per weight of the final comparison."""


CHECKPOINTS = "checkpoints"
"""The folder of a run directory that holds them."""

ConfigT = TypeVar("ConfigT", bound=Config)

Callback = Callable[[Record], object]
"""Called once per generation; a true return value ends the run after that generation."""


@dataclass(frozen=True)
class Result:
    """What a run found.

    Attributes:
        champion: the network with the best mean score over the sweep, confirmed on fresh episodes.
        champion_scores: float[W], its scores on the episodes of the final comparison.
        front: the last generation's non-dominated networks by mean score, best score and number of connections, rescored.
        front_scores: float[F, W], their scores on fresh episodes.
        history: one array per field of `Record`, one entry per generation.
        growth: the champions that the search had, from the first on, thinned to at most `growth.KEPT`; the final comparison may have
            preferred another one.
        config, seed, problem_name: what was run.
        seconds: wall time of the run.
        compilations: how many programs were compiled, and the seconds this took.
        interrupted: whether the run ended before its last generation.
        report: the champion's scores in the paper's protocol; None without a run directory, and for a problem without `measure`.
    """

    champion: Network
    champion_scores: np.ndarray
    front: list[Network]
    front_scores: np.ndarray
    history: dict[str, np.ndarray]
    growth: list[Stage]
    config: Config
    seed: int
    problem_name: str
    seconds: float
    compilations: tuple[int, float]
    interrupted: bool
    report: Report | None = None


def evolve(
    problem: Problem,
    config: Config | None = None,
    *,
    generations: int | None = None,
    seed: int = 0,
    callbacks: Iterable[Callback] = (),
    progress: bool = True,
    run_dir: str | os.PathLike | None = None,
    resume: bool = False,
    save_every: float = SAVE_EVERY,
) -> Result:
    """Evolves networks for `problem`: weight-agnostic ones, or with a `NeatConfig` those with weights of their own.

    Args:
        problem: from `wannjax.make`, or anything that fulfils `Problem`.
        config: the settings of a WANN or NEAT search; the recommended WANN search when None.
        generations: overrides `config.generations`.
        seed: the same seed gives the same result, on any number of CPU devices.
        callbacks: called with a `Record` after every generation; a true return value ends the run.
        progress: show a live view.
        run_dir: a directory for the run: checkpoints while it goes on, and at its end the files that the command line leaves.
        resume: continue the run in `run_dir` where its newest checkpoint stands, to the same result as if it had never stopped; start it
            if there is none. `generations` may differ from before, all else must be the same.
        save_every: seconds between two checkpoints, at the least; 0 saves every generation.

    Ctrl-C, or SIGTERM, ends the run after the current generation; everything found so far is in the result. A second one interrupts
    at once.

    Raises:
        ValueError: a setting out of range; no network of a generation had finite scores; `run_dir` holds another run, or one without
            `resume`, or is used by another process.
        OSError: a checkpoint cannot be written.
    """
    config = settled(config or WannConfig(), problem, generations)
    require_seed(seed)
    require("save_every", save_every, "seconds >= 0", save_every >= 0)
    require("resume", resume, "False without a run_dir", run_dir is not None or not resume)
    callbacks = list(callbacks)
    with ExitStack() as stack:
        compilations = stack.enter_context(count_compilations())
        interrupted = stack.enter_context(interrupt_flag())
        run = _Run(problem, config, seed)
        hosts.require_same({**run.identity, "generations": config.generations, "resume": resume, "saved": run_dir is not None})
        saver: Saver | None = None
        if run_dir is not None:
            saver = stack.enter_context(saving(Path(run_dir), CHECKPOINTS, run, resume=resume, every=save_every))
        if progress and hosts.is_first():
            from wannjax.progress import LiveView

            callbacks.insert(0, stack.enter_context(LiveView(problem, config, run.books.number)))
        stop = False
        while run.books.number < config.generations and not stop:
            record = run.generation()
            stop = hosts.any_of(any([callback(record) for callback in callbacks]) or interrupted())
            if saver:
                saver.keep(last=stop or record.generation == config.generations)
        result = result_of(problem, config, seed, run.books, run.final_comparison(), run.seconds, compilations)
        if run_dir is not None and hosts.is_first():
            from wannjax import runs

            result = replace(result, report=runs.write(Path(run_dir), result, problem))
    return result


def result_of(
    problem: Problem,
    config: Config,
    seed: int,
    books: Books,
    found: tuple[Confirmed, list[Confirmed]],
    seconds: float,
    compilations: "Compilations",
) -> Result:
    """What a run with these `books` found, given the champion and the front of its final comparison."""
    champion, front = found
    return Result(
        champion=champion.network,
        champion_scores=champion.scores,
        front=[member.network for member in front],
        front_scores=np.array([member.scores for member in front]),
        history=books.history,
        growth=books.named_growth(names_of(problem)),
        config=config,
        seed=seed,
        problem_name=problem.name,
        seconds=seconds,
        compilations=(compilations.count, compilations.seconds),
        interrupted=books.number < config.generations,
    )


def names_of(problem: Problem) -> dict[str, Any]:
    """What the networks that are handed out call their inputs and outputs."""
    return {"input_names": problem.input_names, "output_names": problem.output_names}


def settled(config: ConfigT, problem: Problem, generations: int | None) -> ConfigT:
    """`config` for a run on `problem`, with another number of `generations` unless that is None."""
    changes: dict[str, Any] = {} if generations is None else {"generations": generations}
    if config.output_activation == AUTO:
        changes["output_activation"] = problem.output_activation
    return cast(ConfigT, config.replace(**changes))


class _Run:
    """The moving parts of one run.

    Attributes:
        books: what is remembered of all generations.
        last: the state that was scored last and its scores, from which the next generation can be bred again.
        state: the next generation; None until it is bred after a restoration.
        seconds: wall time before and after the run was resumed.
    """

    def __init__(self, problem: Problem, config: Config, seed: int):
        self.problem, self.config, self.seed = problem, config, seed
        self.held_out = problem.split("validation")
        self.algorithm = config.algorithm(inputs=problem.inputs, outputs=problem.outputs)
        self.sweep = jnp.array(config.weights, jnp.float32)
        search_key, *self.keys = jax.random.split(jax.random.key(seed), 4)
        self.state: State | None = self.algorithm.init(search_key)
        self.books = Books()
        self.last: tuple[State, np.ndarray] | None = None
        self.seconds_before, self.started = 0.0, time.perf_counter()

    @property
    def seconds(self) -> float:
        return self.seconds_before + time.perf_counter() - self.started

    def generation(self) -> Record:
        """Scores one generation and breeds the next."""
        begun = time.perf_counter()
        episode_key, confirm_key, _ = self.keys
        if self.state is None:
            assert self.last is not None
            self.state = self.algorithm.grow(self.algorithm.tell(*self.last))
        number, state = self.books.number + 1, self.state
        networks = jax.block_until_ready(self.algorithm.ask(state))
        scores, work = self.score(self.problem, jax.random.fold_in(episode_key, number), networks, self.config.episodes)
        if not usable(scores).any():
            raise ValueError(f"problem: {self.problem.name} gave no finite score to any network of generation {number}")
        bred = self.algorithm.tell(state, scores)

        # While the device breeds, the host keeps the books.
        sizes = jax.device_get(state.sizes)
        leaders = self.books.promising(scores, sizes.connections, self.config.candidates)
        if leaders is not None:
            candidates = take(jax.device_get(networks), leaders)
            fresh, more = self.score(self.held_out, jax.random.fold_in(confirm_key, number), candidates, self.config.confirm_episodes)
            self.books.confirm(candidates, fresh)
            work = work.plus(more)
        self.state, self.last = self.algorithm.grow(bred), (state, scores)
        return self.books.close(scores, sizes, work, time.perf_counter() - begun)

    def score(self, problem: Problem, key, networks: Network, episodes: int) -> tuple[np.ndarray, Work]:
        """The scores [N, W] of `networks` over the sweep, of which every process finds its share, and what they cost."""
        begun = time.perf_counter()
        mine = networks
        if hosts.count() > 1:
            shares = hosts.shares_of(np.asarray(networks.steps))
            mine = take(networks, shares[hosts.index()])
        evaluation = problem.evaluate(key, mine, self.sweep, episodes=episodes, among=self.algorithm.activations)
        with np.errstate(over="ignore"):  # what is too large becomes infinite, which is not a score
            scores = np.asarray(evaluation.scores, np.float32)
        steps, computed = np.asarray(evaluation.steps, np.int64).sum(axis=1), np.asarray(evaluation.computed_steps, np.float64)
        if hosts.count() > 1:
            scores, steps, computed = hosts.gather(scores, steps, computed)
            _, first = np.unique(shares, return_index=True)  # in the order of `networks`, without what fills up
            scores, steps = scores.reshape(-1, scores.shape[-1])[first], steps.reshape(-1)[first]
        return scores, Work(int(steps.sum()), int(computed.sum()), time.perf_counter() - begun)

    @property
    def number(self) -> int:
        """Generations that are complete."""
        return self.books.number

    @property
    def identity(self) -> dict[str, Any]:
        """What another run must have in common with this one to continue it."""
        config = json.loads(json.dumps(asdict(self.config)))
        del config["generations"]
        sizes = [self.problem.inputs, self.problem.outputs]
        return {"problem": self.problem.name, "inputs and outputs": sizes, "seed": self.seed, "config": config}

    def snapshot(self) -> Checkpoint:
        """The run after its last complete generation, of which there must be one."""
        assert self.last is not None
        state, scores = self.last
        document = {
            "algorithm": self.config.name,
            "generations": self.config.generations,
            "capacities": capacities_of(state),
            "seconds": self.seconds,
        }
        return Checkpoint(self.number, document, arrays_of(state, "state") | {"scores": scores} | self.books.arrays())

    def restore(self, found: Checkpoint) -> None:
        """Continues where `snapshot` was taken. Raises an error for one that makes no sense."""
        state = with_capacities(tree_like(self.state, found.arrays, "state"), found.document.get("capacities"))
        scores = found.arrays["scores"]
        require("checkpoint", scores.shape, "scores of the population", scores.shape == (self.config.population, len(self.config.weights)))
        networks = self.algorithm.ask(state)
        require_runnable(networks)
        self.books = Books.restored(found.arrays, take(networks, np.arange(1)))
        require("checkpoint", self.number, f"of generation {found.number}", self.number == found.number)
        jax.eval_shape(self.algorithm.tell, state, scores)
        self.last, self.state = (state, scores), None
        self.seconds_before = seconds_of(found.document)

    def final_comparison(self) -> tuple[Confirmed, list[Confirmed]]:
        """The champion and the last generation's front, all rescored on the same fresh episodes."""
        assert self.last is not None
        state, scores = self.last
        population = jax.device_get(self.algorithm.ask(state))
        finalists = self.books.finalists(population, scores, np.asarray(state.sizes.connections))
        fresh, _ = self.score(self.held_out, self.keys[-1], finalists, FINAL_EPISODES)
        return self.books.settle(finalists, fresh, names_of(self.problem))


@dataclass
class Compilations:
    """How many programs, and how long it took."""

    count: int = 0
    seconds: float = 0.0


@contextmanager
def count_compilations() -> Iterator[Compilations]:
    """Counts the programs that XLA compiles, and the time it takes."""
    total = Compilations()

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            total.count += 1
            total.seconds += duration_secs

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield total
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
