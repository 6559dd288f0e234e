"""Members and gate on data: trained together as a mixture, or members on their regions or bootstrap samples, then the gate."""

from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float32

from wannjax.common.validation import require
from wannjax.ensembles.clustering import clusters
from wannjax.ensembles.ensemble import Ensemble, Gate, combined
from wannjax.finetuning.loop import Callback, run_steps
from wannjax.finetuning.method import ascend
from wannjax.networks.gradients import run_on_batch, topology_of
from wannjax.networks.network import Network
from wannjax.problems.capabilities import Supervised
from wannjax.runs.progress import TrainingView

NOISE = 0.05
"""Standard deviation of what sets members apart that start at the same weights."""
GATE_STEPS, GATE_RATE = 500, 0.03
"""Of the training of the gate alone, by Adam, once the members of regions are trained."""


class _Params(NamedTuple):
    weights: Float32[Array, "M C"]
    gate: Float32[Array, "M G"]
    bias: Float32[Array, " M"]


def train_on_data(
    network: Network,
    problem: Supervised,
    weights: Float32[np.ndarray, "M C"],
    kind: str,
    optimizer: optax.GradientTransformation | None,
    steps: int,
    seed: int,
    callbacks: Iterable[Callback],
    progress: bool,
) -> Ensemble:
    """The collection of `kind` whose members start from `weights`. For the arguments see `ensemble`."""
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
        likelihood = -loss(run_on_batch(topology, params.weights, inputs), targets).T  # [B, M]
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
        log_shares = None if kind == "bagging" else gate_of(params).log_shares(examples.inputs)
        outputs = combined(run_on_batch(topology, params.weights, examples.inputs), log_shares, rule)
        return -jnp.mean(jax.vmap(problem.loss)(outputs, examples.targets))

    apart = NOISE * jax.random.normal(noise_key, weights.shape)
    params = _Params(jnp.asarray(weights) + apart, jnp.zeros((members, problem.inputs)), jnp.zeros(members))
    state = jax.vmap(optimizer.init)(jax.tree.map(lambda leaf: leaf[None], params))
    best, best_score = params, -np.inf

    def advance(number: int) -> None:
        nonlocal params, state
        params, state = step(jax.random.fold_in(step_key, number), params, state, train, shares)

    def check(_number: int) -> tuple[float, float, float]:
        nonlocal best, best_score
        score = float(held_out(params, validation))
        if score > best_score:
            best, best_score = params, score
        return float("nan"), score, score

    view = None
    if progress:
        view = TrainingView(problem, kind, weights.shape[1], members, steps)
    run_steps(range(1, steps + 1), advance, check, callbacks, view, [])
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
        return jax.nn.one_hot(clusters(np.asarray(inputs), members, seed), members)
    if kind == "bagging":
        return jnp.asarray(rng.multinomial(count, np.full(count, 1 / count), members).T, jnp.float32)
    return jnp.zeros((count, members))
