"""`ensemble`: copies one network, trains the copies individually, and trains the gate that combines them.

mixture   members and gate are trained together, each member on the inputs that the gate gives it (Jacobs et al. 1991, "Adaptive
          mixtures of local experts"). For data.
regions   the input space is cut into regions by k-means: of the inputs of data, of the parameters of a varied environment. Each
          member is trained on its region; then the gate is trained on what the members score.
bagging   each member is trained on a bootstrap sample of the examples (Breiman 1996); all count the same. For data.
vote      nothing is trained: the members are the network at different shared weights, and vote.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float32

from wannjax import gradients
from wannjax.config import SWEEP
from wannjax.ensembles.ensemble import Ensemble, Gate, combined
from wannjax.finetuning import TrainingRecord, finetune
from wannjax.finetuning.finetune import CHECKS
from wannjax.finetuning.method import ascend
from wannjax.gradients import copies, topology_of
from wannjax.graph import graph_of
from wannjax.interruption import interrupt_flag
from wannjax.network import Network
from wannjax.problems import DataProblem, GymnaxProblem
from wannjax.validation import require, require_seed

KINDS = ("mixture", "regions", "bagging", "vote")
GATE_EPISODES = 512
"""Episodes on which the members of a varied environment are scored for the gate."""
GATE_STEPS, GATE_RATE = 500, 0.03
NOISE = 0.05
"""Standard deviation of what sets members apart that start at the same weights."""

Callbacks = Iterable[Callable[[TrainingRecord], object]]


def ensemble(
    network: Network,
    problem: DataProblem | GymnaxProblem,
    *,
    members: int = 5,
    kind: str | None = None,
    optimizer: optax.GradientTransformation | None = None,
    steps: int = 500,
    start: float | None = None,
    seed: int = 0,
    callbacks: Callbacks = (),
    progress: bool = True,
) -> Ensemble:
    """Trains `members` copies of `network`, and a gate, to be used together.

    Args:
        network: one network.
        problem: data; or an environment, one that varies (`wannjax.make(name, vary={...})`) unless `kind` is "vote".
        members: how many copies; for "vote" how many shared weights, evenly spaced over the sweep's range.
        kind: one of `KINDS`, see above. None: "mixture" for data, "regions" for environments.
        optimizer: any optax transformation; Adam after clipping to norm 1 when None.
        steps: of training, of each member.
        start: the shared weight that all members start from. None: the network's own weights, or else one of the sweep for each.
        seed: the same seed gives the same result on the same devices.
        callbacks: called at every check; a true return value ends training.
        progress: show a progress bar.

    What is kept is the best of all checks on the validation examples.

    Raises:
        ValueError: a bad argument, or a kind that does not suit the problem.
    """
    kind = kind or ("mixture" if isinstance(problem, DataProblem) else "regions")
    require("kind", kind, f"one of {', '.join(KINDS)}", kind in KINDS)
    require("members", members, "an integer >= 2", isinstance(members, int) and members >= 2)
    require("steps", steps, "an integer >= 1", isinstance(steps, int) and steps >= 1)
    require_seed(seed)
    require("network", network, "one network, not a population", network.activations.ndim == 1)
    require("start", start, "None or a finite weight", start is None or abs(start) < float("inf"))
    graph = graph_of(network)
    require("network", network, "a network with connections", len(graph.connections) > 0)
    network = replace(
        network, input_names=network.input_names or problem.input_names, output_names=network.output_names or problem.output_names
    )
    weights = _starts(network, start, members)
    if kind == "vote":
        spread = _spread(members)
        rule = "vote" if (isinstance(problem, DataProblem) and problem.classifies) or getattr(problem, "discrete", False) else "outputs"
        return Ensemble(network, jnp.broadcast_to(spread[:, None], weights.shape), rule)
    if isinstance(problem, DataProblem):
        return _on_data(network, problem, weights, kind, optimizer, steps, seed, list(callbacks), progress)
    suits = kind == "regions" and isinstance(problem, GymnaxProblem) and bool(problem.context_names)
    require("kind", f"{kind} for {problem.name}", "vote, or regions of an environment that varies", suits)
    return _on_environment(network, problem, weights, optimizer, steps, seed, list(callbacks), progress)


def _spread(members: int) -> Float32[Array, " M"]:
    """Shared weights of both signs, evenly spaced up to the sweep's greatest, without 0, which says nothing."""
    steps = -(-members // 2)
    return jnp.array([max(SWEEP) * (i // 2 + 1) / steps * (-1) ** i for i in range(members)], jnp.float32)


def _starts(network: Network, start: float | None, members: int) -> Float32[np.ndarray, "M C"]:
    graph = graph_of(network)
    if start is None and graph.has_weights:
        own = np.array([graph.weights], np.float32)
        return np.repeat(own, members, axis=0)
    shared = [SWEEP[i % len(SWEEP)] if start is None else start for i in range(members)]
    return np.repeat(np.array(shared, np.float32)[:, None], len(graph.connections), axis=1)


class _Params(NamedTuple):
    weights: Float32[Array, "M C"]
    gate: Float32[Array, "M G"]
    bias: Float32[Array, " M"]


def _on_data(network, problem: DataProblem, weights, kind, optimizer, steps, seed, callbacks, progress) -> Ensemble:
    noise_key, step_key = jax.random.split(jax.random.key(seed))
    topology, members = topology_of(network), len(weights)
    train, validation = problem.examples, problem.split("validation").examples
    centre = jnp.mean(train.inputs, axis=0)
    # One scale for all inputs: one that hardly varies must not decide.
    scale = jnp.full_like(centre, jnp.sqrt(jnp.mean(jnp.var(train.inputs, axis=0))) + 1e-6)
    rule = "probabilities" if problem.classifies else "outputs"
    shares = _shares_of_examples(kind, train.inputs, members, seed)
    optimizer = optimizer or optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.01))
    loss = jax.vmap(jax.vmap(problem.loss, in_axes=(-1, 0)), in_axes=(1, None))

    def gate_of(params: _Params) -> Gate:
        return Gate(params.gate, params.bias, centre, scale)

    def objective(params: _Params, inputs, targets, share, *, together: bool):
        observations = jnp.broadcast_to(inputs.T[:, None], (inputs.shape[1], members, len(inputs)))
        likelihood = -loss(gradients.run(topology, params.weights, observations), targets).T  # [B, M]
        log_gate = gate_of(params).log_shares(inputs)
        if together:
            return jnp.mean(jax.nn.logsumexp(log_gate + likelihood, axis=1))
        # Each member by itself, while the gate of regions learns which is whose.
        return jnp.mean(jnp.sum(share * (likelihood + (log_gate if kind == "regions" else 0.0)), axis=1))

    def gradient_at(key, params, examples, shares, together):
        chosen = jax.random.choice(key, len(examples.inputs), (problem.batch,), replace=False)
        return jax.grad(objective)(params, examples.inputs[chosen], examples.targets[chosen], shares[chosen], together=together)

    @jax.jit
    def step(key, params, state, examples, shares):
        gradient = gradient_at(key, params, examples, shares, kind == "mixture")
        # One member for the optimizer, since the gate ties all together.
        params, gradient = jax.tree.map(lambda leaf: leaf[None], (params, gradient))
        params, state = ascend(optimizer, params, gradient, state)
        return jax.tree.map(lambda leaf: leaf[0], params), state

    @jax.jit
    def with_gate_for(key, params, examples, shares):
        """`params` with a gate that has learned what pays, the members staying as they are."""
        adam = optax.adam(GATE_RATE)

        def learn(carry, key):
            params, state = carry
            gradient = gradient_at(key, params, examples, shares, True)
            updates, state = adam.update(jax.tree.map(jnp.negative, gradient), state)
            updates = updates._replace(weights=jnp.zeros_like(params.weights))
            return (optax.apply_updates(params, updates), state), None

        return jax.lax.scan(learn, (params, adam.init(params)), jax.random.split(key, GATE_STEPS))[0][0]

    @jax.jit
    def held_out(params, examples):
        inputs = examples.inputs
        observations = jnp.broadcast_to(inputs.T[:, None], (inputs.shape[1], members, len(inputs)))
        log_shares = None if kind == "bagging" else gate_of(params).log_shares(inputs)
        outputs = combined(gradients.run(topology, params.weights, observations), log_shares, rule)
        return -jnp.mean(jax.vmap(problem.loss)(outputs, examples.targets))

    apart = NOISE * jax.random.normal(noise_key, weights.shape)
    params = _Params(jnp.asarray(weights) + apart, jnp.zeros((members, problem.inputs)), jnp.zeros(members))
    state = jax.vmap(optimizer.init)(jax.tree.map(lambda leaf: leaf[None], params))
    best, best_score = params, -np.inf
    started, every = time.perf_counter(), -(-steps // CHECKS)
    with ExitStack() as stack:
        interrupted = stack.enter_context(interrupt_flag())
        if progress:
            from wannjax.progress import TrainingView

            callbacks.insert(0, stack.enter_context(TrainingView(problem, kind, weights.shape[1], members, steps)))
        for number in range(1, steps + 1):
            params, state = step(jax.random.fold_in(step_key, number), params, state, train, shares)
            stop = bool(interrupted())
            if number % every == 0 or number == steps or stop:
                score = float(held_out(params, validation))
                if score > best_score:
                    best, best_score = params, score
                record = TrainingRecord(number, float("nan"), score, score, time.perf_counter() - started)
                stop = any([callback(record) for callback in callbacks]) or stop
            if stop:
                break
    require("problem", problem.name, "one that gives finite scores", bool(np.isfinite(best_score)))
    if kind == "regions":
        learned = with_gate_for(jax.random.fold_in(step_key, 0), best, train, shares)
        best = learned if float(held_out(learned, validation)) > best_score else best
    return Ensemble(network, best.weights, rule, None if kind == "bagging" else gate_of(best))


def _shares_of_examples(kind: str, inputs: Array, members: int, seed: int) -> Float32[Array, "n M"]:
    """How much each example counts for each member."""
    rng = np.random.default_rng(seed)
    count = len(inputs)
    if kind == "regions":
        return jax.nn.one_hot(_clusters(np.asarray(inputs), members, seed), members)
    if kind == "bagging":
        return jnp.asarray(rng.multinomial(count, np.full(count, 1 / count), members).T, jnp.float32)
    return jnp.zeros((count, members))


def _clusters(points: np.ndarray, count: int, seed: int) -> np.ndarray:
    try:
        from sklearn.cluster import KMeans
    except ImportError:
        raise ValueError('regions need scikit-learn: pip install "wannjax[data]"') from None
    return KMeans(count, n_init=4, random_state=seed).fit_predict(points)


def _on_environment(network, problem: GymnaxProblem, weights, optimizer, steps, seed, callbacks, progress) -> Ensemble:
    """One member per region of the environment's parameters, and a gate trained on what the members score."""
    members, contexts = len(weights), np.asarray(problem.params.contexts)
    centre, scale = contexts.mean(axis=0), contexts.std(axis=0) + 1e-6
    region = _clusters((contexts - centre) / scale, members, seed)
    graph = graph_of(network)
    own = graph.has_weights
    rng = np.random.default_rng(seed)
    trained = []
    for member in range(members):
        rows = contexts[region == member]
        narrow = problem.with_params(problem.params.replace(contexts=jnp.asarray(rng.permutation(np.resize(rows, contexts.shape)))))
        starts = None if own else (float(weights[member, 0]),)
        tuned = finetune(
            network, narrow, optimizer=optimizer, steps=steps, starts=starts, seed=seed + member, callbacks=callbacks, progress=progress
        )
        trained.append(graph_of(tuned.network).weights)
    tuned_weights = jnp.array(trained, jnp.float32)

    key = jax.random.key(seed)
    topology = topology_of(network)
    keys = jax.random.split(key, GATE_EPISODES)
    seen = problem.contexts(keys, problem.params)
    returns = problem.rollout(keys, copies(topology, tuned_weights), jnp.ones(GATE_EPISODES), among=topology.among).returns
    gate = _gate_by_returns(seen, returns, jnp.asarray(centre), jnp.asarray(scale))
    return Ensemble(network, tuned_weights, "outputs", gate, problem.context_names)


@jax.jit
def _gate_by_returns(seen: Float32[Array, "L G"], returns: Float32[Array, "M L"], centre, scale) -> Gate:
    """The gate that maximises the expected return of drawing a member by its share. It is steep in the end, so that one member acts."""
    members = returns.shape[0]
    advantage = (returns - jnp.mean(returns, axis=0, keepdims=True)) / (jnp.std(returns) + 1e-6)
    optimizer = optax.adam(0.1)

    def objective(gate: Gate):
        return -jnp.mean(jnp.sum(jnp.exp(gate.log_shares(seen)).T * advantage, axis=0))

    def step(carry, _):
        gate, state = carry
        gradient = jax.grad(objective)(gate)
        frozen = gradient._replace(centre=jnp.zeros_like(centre), scale=jnp.zeros_like(scale))
        updates, state = optimizer.update(frozen, state)
        return (optax.apply_updates(gate, updates), state), None

    gate = Gate(jnp.zeros((members, seen.shape[1])), jnp.zeros(members), centre, scale)
    (gate, _), _ = jax.lax.scan(step, (gate, optimizer.init(gate)), None, length=GATE_STEPS)
    return gate
