"""`ensemble`: copies one network, trains the copies individually, and trains the gate that combines
them.

mixture   members and gate are trained together, each member on the inputs that the gate gives it
          (Jacobs et al. 1991, "Adaptive mixtures of local experts"). For data.
regions   the input space is cut into regions by k-means: of the inputs of data, of the parameters
          of a varied environment. Each member is trained on its region; then the gate is trained on
          what the members score, or evolved on what they score together.
bagging   each member is trained on a bootstrap sample of the examples (Breiman 1996); all count the
          same. For data.
vote      nothing is trained: the members are the network at different shared weights, and vote.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float32

from wannjax.common.validation import plain, real, require, require_count, require_one_of, require_seed
from wannjax.ensembles.data_training import train_on_data
from wannjax.ensembles.ensemble import Ensemble
from wannjax.ensembles.environment_training import train_on_environment
from wannjax.finetuning import Callback
from wannjax.networks.graph import graph_of
from wannjax.networks.network import Network
from wannjax.problems.capabilities import Episodic, Supervised
from wannjax.problems.problem import check_single, check_sizes
from wannjax.problems.registry import as_problem
from wannjax.runs.loop import as_callbacks
from wannjax.search.wann.config import SWEEP

KINDS = ("mixture", "regions", "bagging", "vote")


def ensemble(
    network: Network,
    problem: Supervised | Episodic | str,
    *,
    members: int = 5,
    kind: str | None = None,
    optimizer: optax.GradientTransformation | None = None,
    steps: int = 500,
    start: float | None = None,
    told: bool = True,
    seed: int = 0,
    callbacks: Iterable[Callback] = (),
    progress: bool = True,
) -> Ensemble:
    """Trains `members` copies of `network`, and a gate, to be used together.

    Args:
        network: one network.
        problem: data; or an environment, one that varies (`wannjax.make(name, vary={...})`) unless
            `kind` is "vote". A name for `wannjax.make` will do.
        members: how many copies; for "vote" how many shared weights, evenly spaced over the sweep's
            range.
        kind: one of `KINDS`, see above. None: "mixture" for data, "regions" for environments.
        optimizer: any optax transformation; Adam after clipping to norm 1 when None.
        steps: of training, of each member.
        start: the shared weight that all members start from. None: the network's own weights, or
            else one of the sweep for each.
        told: whether the gate of an environment that varies is told the episode's parameters;
            otherwise it sees every observation, as the members do, and is evolved for `steps`,
            without `optimizer`.
        seed: the same seed gives the same result on the same devices.
        callbacks: called at every check; a true return value ends training.
        progress: show a progress bar.

    What is kept is the best of all checks on the validation examples.

    Raises:
        ValueError: a bad argument, or a kind that does not suit the problem.
        TypeError: what is no network, no problem, or no list of callbacks.
    """
    check_single(network)
    problem = cast(Supervised | Episodic, as_problem(problem))
    callbacks = as_callbacks(callbacks)
    kind = kind or ("mixture" if isinstance(problem, Supervised) else "regions")
    require_one_of("kind", kind, KINDS)
    members = require_count("members", members, least=2)
    steps = require_count("steps", steps)
    seed = require_seed(seed)
    fine = optimizer is None or isinstance(optimizer, optax.GradientTransformation)
    require("optimizer", optimizer, "None or an optax transformation", fine)
    require("told", told, "True or False", isinstance(plain(told), bool))
    start = None if start is None else real("start", start, "None or a finite weight")
    check_sizes(network, problem)
    graph = graph_of(network)
    require("network", network, "a network with connections", len(graph.connections) > 0)
    network = replace(
        network, input_names=network.input_names or problem.input_names, output_names=network.output_names or problem.output_names
    )
    weights = _starts(network, start, members)
    require("told", told, f"True for {kind} on {problem.name}", told or (kind == "regions" and isinstance(problem, Episodic)))
    if kind == "vote":
        chooses = problem.classifies if isinstance(problem, Supervised) else isinstance(problem, Episodic) and problem.discrete
        rule = "vote" if chooses else "outputs"
        return Ensemble(network, jnp.broadcast_to(_evenly(members)[:, None], weights.shape), rule)
    if isinstance(problem, Supervised):
        return train_on_data(network, problem, weights, kind, optimizer, steps, seed, callbacks, progress)
    suits = kind == "regions" and isinstance(problem, Episodic) and bool(problem.context_names)
    require("kind", f"{kind} for {problem.name}", "vote, or regions of an environment that varies", suits)
    return train_on_environment(network, problem, weights, optimizer, steps, told, seed, callbacks, progress)


def _evenly(members: int) -> Float32[Array, " M"]:
    """Shared weights of both signs, evenly spaced up to the sweep's greatest, without 0, which says
    nothing.
    """
    steps = -(-members // 2)
    return jnp.array([max(SWEEP) * (i // 2 + 1) / steps * (-1) ** i for i in range(members)], jnp.float32)


def _starts(network: Network, start: float | None, members: int) -> Float32[np.ndarray, "M C"]:
    graph = graph_of(network)
    if start is None and graph.has_weights:
        own = np.array([graph.weights], np.float32)
        return np.repeat(own, members, axis=0)
    shared = [SWEEP[i % len(SWEEP)] if start is None else start for i in range(members)]
    return np.repeat(np.array(shared, np.float32)[:, None], len(graph.connections), axis=1)
