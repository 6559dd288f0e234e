"""Members on a varied environment: one per region of its parameters, and a gate trained on what the
members score, or evolved on what they score together.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float32

from wannjax.common.keys import Purpose, generator_of, key_of
from wannjax.ensembles.clustering import clusters
from wannjax.ensembles.ensemble import Ensemble, Gate
from wannjax.ensembles.gated import gate_by_evolution
from wannjax.finetuning import Callback, finetune
from wannjax.finetuning.method import descend
from wannjax.networks.gradients import copies, topology_of
from wannjax.networks.graph import graph_of
from wannjax.networks.network import Network
from wannjax.problems.capabilities import Episodic

GATE_EPISODES = 512
"""Episodes on which the members are scored for the gate."""
GATE_STEPS, GATE_RATE = 500, 0.1
"""Steps and rate of Adam, which trains the gate."""


def train_on_environment(
    network: Network,
    problem: Episodic,
    weights: Float32[np.ndarray, "M C"],
    optimizer: optax.GradientTransformation | None,
    steps: int,
    told: bool,
    seed: int,
    callbacks: list[Callback],
    progress: bool,
) -> Ensemble:
    """The collection of regions whose members start from `weights`. For the arguments see
    `ensemble`.

    When training is ended early, the members that are still to come stay as they are, and all
    count the same where the gate would be evolved.
    """
    members, contexts = len(weights), np.asarray(problem.params.contexts)
    centre, scale = contexts.mean(axis=0), contexts.std(axis=0) + 1e-6
    rng = generator_of(seed, Purpose.COLLECTION)
    region = clusters((contexts - centre) / scale, members, rng)
    seeds = rng.integers(2**63, size=members).tolist()
    trained = weights.copy()
    for member in range(members):
        rows = contexts[region == member]
        narrow = problem.with_params(problem.params._replace(contexts=jnp.asarray(rng.permutation(np.resize(rows, contexts.shape)))))
        starts = weights[member : member + 1]
        tuned = finetune(
            network, narrow, optimizer=optimizer, steps=steps, starts=starts, seed=seeds[member], callbacks=callbacks, progress=progress
        )
        trained[member] = graph_of(tuned.network).weights
        if tuned.interrupted:
            break
    tuned_weights = jnp.asarray(trained)
    if not told:
        gate_seed = int(rng.integers(2**63))
        evolved = None if tuned.interrupted else gate_by_evolution(network, problem, tuned_weights, steps, gate_seed, callbacks, progress)
        return Ensemble(network, tuned_weights, "outputs", evolved)

    topology = topology_of(network)
    keys = jax.random.split(key_of(seed, Purpose.COLLECTION), GATE_EPISODES)
    seen = problem.contexts(keys, problem.params)
    returns = problem.rollout(
        keys, copies(topology, tuned_weights), jnp.ones(GATE_EPISODES, jnp.float32), activation_ids=topology.activation_ids
    ).returns
    gate = gate_by_returns(seen, returns, jnp.asarray(centre), jnp.asarray(scale))
    return Ensemble(network, tuned_weights, "outputs", gate, problem.context_names)


@jax.jit
def gate_by_returns(seen: Float32[Array, "L G"], returns: Float32[Array, "M L"], centre, scale) -> Gate:
    """The gate that maximises the expected return of drawing a member by its share. It is steep in
    the end, so that one member acts.
    """
    members = returns.shape[0]
    advantage = (returns - jnp.mean(returns, axis=0, keepdims=True)) / (jnp.std(returns) + 1e-6)
    optimizer = optax.adam(GATE_RATE)

    def objective(gate: Gate):
        return -jnp.mean(jnp.sum(jnp.exp(gate.log_shares(seen)).T * advantage, axis=0))

    def step(carry, _):
        gate, state = carry
        gradient = jax.grad(objective)(gate)
        frozen = gradient._replace(centre=jnp.zeros_like(centre), scale=jnp.zeros_like(scale))
        return descend(optimizer, gate, frozen, state), None

    gate = Gate(jnp.zeros((members, seen.shape[1]), jnp.float32), jnp.zeros(members, jnp.float32), centre, scale)
    (gate, _), _ = jax.lax.scan(step, (gate, optimizer.init(gate)), None, length=GATE_STEPS)
    return gate
