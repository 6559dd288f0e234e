"""`finetune`: trains the individual weights of one network from several starts side by side, and
returns the best on held-out episodes.

The driver adds what a training needs (progress, checkpoints, an orderly end) and decides nothing.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import optax

from wannjax.common import hosts
from wannjax.common.files import as_path
from wannjax.common.interrupts import interrupt_flag
from wannjax.common.keys import hidden_settings
from wannjax.common.validation import require, require_count, require_seed
from wannjax.finetuning.evolution_strategy import EvolutionStrategy
from wannjax.finetuning.gradient import Gradient
from wannjax.finetuning.method import Method
from wannjax.finetuning.policy_gradient import PolicyGradient
from wannjax.finetuning.training import Training
from wannjax.finetuning.tuned import Tuned, write
from wannjax.networks.graph import graph_of
from wannjax.networks.network import Network
from wannjax.problems.capabilities import Episodic, Supervised
from wannjax.problems.problem import Problem, check_single
from wannjax.problems.registry import as_problem
from wannjax.runs.ending import Ending
from wannjax.runs.loop import Callback, as_callbacks, drive
from wannjax.runs.progress import TrainingView
from wannjax.runs.resuming import SAVE_EVERY, saving
from wannjax.runs.run_directory import TRAINING_CHECKPOINTS

METHODS: dict[str, type[Gradient] | type[PolicyGradient] | type[EvolutionStrategy]] = {
    method.name: method for method in (Gradient, PolicyGradient, EvolutionStrategy)
}
"""The settings of every method, by its name."""


def finetune(
    network: Network,
    problem: Problem | str,
    *,
    method: str | Method | None = None,
    optimizer: optax.GradientTransformation | None = None,
    decay: float = 0.0,
    steps: int = 500,
    patience: int | None = None,
    starts: Sequence[float] | np.ndarray | int | None = None,
    seed: int = 0,
    callbacks: Iterable[Callback] = (),
    progress: bool = True,
    run_dir: str | os.PathLike | None = None,
    resume: bool = False,
    save_every: float = SAVE_EVERY,
    finish: Callable[[Path], object] | None = None,
) -> Tuned:
    """Trains a weight of its own for every connection of `network`, from several starts side by
    side; in `wannjax.distributed`, together with the other processes.

    Args:
        network: one network. Absent connections stay absent.
        problem: from `wannjax.make`, or anything that fulfils `Problem`; or a name for
            `wannjax.make`.
        method: "gradient", "policy_gradient" or "evolution", or one of `Gradient`,
            `PolicyGradient`, `EvolutionStrategy` with settings of your own. None chooses: gradients
            for data, the policy gradient where an action is one discrete choice, evolution
            elsewhere.
        optimizer: any optax transformation. None: Adam, at the method's own rate which falls to 0
            along a cosine, after clipping to norm 1; none for evolution at its rate of 0.
        decay: decoupled weight decay, as of `optax.adamw`, where no optimizer is given.
        steps: of training, at the most. One step is one update of a gradient, one population of
            an evolution, and one batch of episodes of a policy gradient.
        patience: end training early, once so many checks in a row have found no better score of any
            member than the best before. None: never.
        starts: shared weights to start from; or a number of random starts from U(-2, 2); or an
            array [M, C] of weights, in the order of `graph_of(network).connections`. None: the
            network's own weights, or the sweep's where it has none; for evolution all of these, and
            two random ones. Of several the worse half is dropped at a quarter of an evolution's
            steps, and again at half.
        seed: the same seed gives the same result on the same devices.
        callbacks: called at every check (`training.CHECKS` times, and before the first step), in
            every process; a true return value, in any of them, ends training.
        progress: show a progress bar.
        run_dir: a directory, such as the search's: checkpoints while training goes on, and at its
            end the files that the command line leaves.
        resume: continue the training in `run_dir` where its newest checkpoint stands, to the same
            result, on as many devices, as if it had not been stopped; start it if there is none.
            All other arguments must be the same.
        save_every: seconds between two checkpoints, at the least; 0 saves every step.
        finish: called in the end with `run_dir`, which holds all data of the training.
            `wannjax.finetune` gives a function that leaves the pictures there, unless another one,
            or None, is given.

    Returns the best of all checks of all members, the starts included, after a comparison on fresh
    held-out episodes (of data: on the validation examples, as in the checks). Ctrl-C, or SIGTERM,
    ends training after the current step and keeps the best so far; a second Ctrl-C interrupts at
    once, and leaves it in `run_dir`.

    Steps, and other activations that are flat: see `wannjax.networks.gradients`.

    Raises:
        ValueError: a bad argument, a method that does not suit the problem, no finite score at all;
            processes are given different trainings; `run_dir` holds another training, or one
            without `resume`, or is used by another process; a setting of JAX that draws or rounds
            otherwise than in the training that is resumed.
        TypeError: no network, no problem, or no list of callbacks.
        OSError: a checkpoint cannot be written.
    """
    check_single(network)
    problem, callbacks = as_problem(problem), as_callbacks(callbacks)
    require("finish", finish, "a function, or None", finish is None or callable(finish))
    chosen = method_for(method, problem)
    steps = require_count("steps", steps)
    seed = require_seed(seed)
    graph = graph_of(network)
    require("network", network, "a network with connections", len(graph.connections) > 0)
    with ExitStack() as stack:
        interrupted = stack.enter_context(interrupt_flag("step"))
        training = Training(network, graph, problem, chosen, optimizer, decay, steps, patience, starts, seed)
        arguments: dict[str, Any] = {"starts": np.asarray(training.starts).tolist(), "resume": resume, "saved": run_dir is not None}
        hosts.require_same({**training.identity, **hidden_settings(), **arguments})
        saver = stack.enter_context(saving(run_dir, TRAINING_CHECKPOINTS, training, resume=resume, every=save_every))
        view = None
        if progress and hosts.is_first():
            view = TrainingView(problem, chosen.name, len(graph.connections), len(training.names), steps, training.number)
            callbacks.insert(0, stack.enter_context(view))
        callbacks.append(lambda record: training.finished)
        directory = as_path(run_dir, "run_dir") if run_dir is not None and hosts.is_first() else None

        def leave(directory: Path) -> bool:
            standing = training.standing()
            if standing is not None:
                write(directory, standing)
            return standing is not None

        ending = stack.enter_context(Ending(training, "step", "the same with `--resume`, or `resume=True`,", directory, leave, view, saver))
        interrupted.answer = ending.answer
        if not training.finished:  # which one that is resumed may be
            drive(training, steps, callbacks, interrupted, saver)
        ending.begin("comparing the best weights once more…")
        tuned = training.result()
        if directory is not None:
            write(directory, tuned)
            if finish is not None:
                ending.begin(f"drawing, in {directory}…")
                finish(directory)
    return tuned


def method_for(method: str | Method | None, problem: Problem) -> Method:
    """The method that is meant: itself, the one of that name, or for None what suits the
    problem.
    """
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
