"""Proximal policy optimization (Schulman et al. 2017, arXiv 1707.06347) with generalized advantage
estimation, for environments.

The policy is the network with noise on its outputs: Gumbel noise where the greatest of all, or of
each group, says the action, which makes it a draw from their softmax; Gaussian noise of a learned
deviation elsewhere, switches and boxes of integers included. Without the noise it is the policy
that `evaluate` scores. The baseline is a small perceptron per member. Episodes that end are
followed by fresh ones within the same batch of steps.

A recurrent network keeps its memory from step to step, also from one batch of steps to the next,
and the baseline sees it beside the observation. Its minibatches are whole sequences, run again from
the memory that they began with, and not single steps with the memory of their collection: to these
the memory would be a given, so that a weight which only serves later steps would learn nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Bool, Float32

from wannjax.common import devices
from wannjax.common.settings import Settings, count, positive, rate, setting, share
from wannjax.common.validation import require
from wannjax.finetuning.baseline import Baseline, advantages
from wannjax.finetuning.lanes import Lanes, begun_again, end_of, fresh, moved
from wannjax.finetuning.method import Trainer, ascend, bounded
from wannjax.networks import gradients
from wannjax.networks.gradients import SURROGATE, Topology
from wannjax.problems.capabilities import Episodic


class Policy(NamedTuple):
    """What the optimizer trains; leading axis M."""

    weights: Float32[Array, "M C"]
    log_deviation: Float32[Array, "M O"]


class Learner(NamedTuple):
    """Everything that goes from one step to the next; leading axis M."""

    policy: Policy
    optimizer: Any
    baseline: Any
    baseline_optimizer: Any
    lanes: Lanes
    score: Float32[Array, " M"]


class Batch(NamedTuple):
    """Transitions. `memory` is that before each, `choice` are the outputs with their noise,
    `reward` is scaled by 1 - γ, `finished` the return of an episode that ended, nan elsewhere.
    """

    observations: Float32[Array, "T M L I"]
    memory: Float32[Array, "T M L V"]
    choice: Float32[Array, "T M L O"]
    log_probability: Float32[Array, "T M L"]
    value: Float32[Array, "T M L"]
    reward: Float32[Array, "T M L"]
    ended: Bool[Array, "T M L"]
    finished: Float32[Array, "T M L"]


@dataclass(frozen=True)
class PolicyGradient(Settings):
    """Settings of PPO; the defaults are common ones (Huang et al. 2022, "The 37 implementation
    details of PPO").

    Raises ValueError, naming the field, its value and what is allowed.
    """

    name = "policy_gradient"

    episodes: int = count(16, "episodes that run side by side, per member")
    horizon: int = count(128, "time steps of each episode, per training step")
    epochs: int = count(4, "how often a batch of time steps is gone through")
    minibatches: int = count(4, "parts of a batch, each an update; a divisor of `episodes` x `horizon`, with memory of `episodes`")
    # Below 1, since rewards are scaled by 1 - discount.
    discount: float = setting(0.99, "gamma of the advantages", "in [0, 1)", lambda value: 0 <= value < 1)
    trace: float = share(0.95, "lambda of the advantages")
    clip: float = positive(0.2, "how far the probability ratio may move")
    entropy: float = rate(0.01, "weight of the entropy bonus; discrete actions only")
    deviation: float = positive(0.3, "standard deviation of the noise at the start; continuous actions only")
    surrogate: float = rate(SURROGATE, "sharpness of the surrogate gradient of `step` activations, which are flat; 0 for none")
    learning_rate: float = positive(0.003, "of Adam, where no optimizer is given")

    def __post_init__(self):
        super().__post_init__()
        batch = self.episodes * self.horizon
        require("minibatches", self.minibatches, f"a divisor of episodes x horizon = {batch}", batch % self.minibatches == 0)

    @property
    def updates(self) -> int:
        return self.epochs * self.minibatches

    def trainer(self, problem: Any, topology: Topology, optimizer: optax.GradientTransformation) -> Trainer:
        able = isinstance(problem, Episodic)
        require("method", f"policy_gradient for {problem.name}", "one that needs no actions, of which there are none", able)
        remembered = topology.remembered.shape[0]
        sequence = self.horizon if remembered else 1
        sequences = self.episodes * (self.horizon // sequence)
        allowed = f"a divisor of episodes = {self.episodes}, for a recurrent network"
        require("minibatches", self.minibatches, allowed, sequences % self.minibatches == 0)
        baseline = Baseline(problem.inputs + remembered)
        groups = problem.environment.actions.groups

        def run(policy: Policy, memory, observations):
            """Memory [M, B, V] and outputs [M, B, O] at observations [M, B, I]."""
            given = (jnp.moveaxis(each, -1, 0) for each in (memory, observations))
            after = gradients.step(topology, policy.weights, *given, surrogate=self.surrogate)
            return tuple(jnp.moveaxis(each, 0, -1) for each in after)

        def of_groups(function, outputs):
            """`function` of each group of outputs [M, B, O]."""
            parts = jnp.split(outputs, np.cumsum(groups)[:-1], axis=-1)
            return jnp.concatenate([function(part) for part in parts], axis=-1)

        def noisy(policy: Policy, outputs, key):
            if groups:
                return outputs + jax.random.gumbel(key, outputs.shape, jnp.float32)
            return outputs + jnp.exp(policy.log_deviation)[:, None] * jax.random.normal(key, outputs.shape, jnp.float32)

        def log_probability(policy: Policy, outputs, choice):
            """That of `choice` [M, B, O] given the outputs, and the entropy bonus; both [M, B]."""
            if groups:
                logits = of_groups(jax.nn.log_softmax, outputs)
                chosen = of_groups(lambda part: jax.nn.one_hot(jnp.argmax(part, axis=-1), part.shape[-1], dtype=jnp.float32), choice)
                return jnp.sum(chosen * logits, axis=-1), -jnp.sum(jnp.exp(logits) * logits, axis=-1)
            log_deviation = policy.log_deviation[:, None]
            scaled = (choice - outputs) * jnp.exp(-log_deviation)
            density = jnp.sum(-0.5 * scaled**2 - log_deviation, axis=-1)
            return density, jnp.zeros_like(density)

        def collect(key, learner: Learner, params) -> tuple[Lanes, Batch]:
            reset_key, noise_key, step_key = jax.random.split(key, 3)
            policy, lanes = learner.policy, learner.lanes
            starts = fresh(problem, reset_key, lanes.age.shape, remembered, params)
            step_keys = jax.random.split(step_key, self.episodes)

            def advance(lanes: Lanes, time):
                memory, outputs = run(policy, lanes.memory, lanes.observations)
                choice = noisy(policy, outputs, jax.random.fold_in(noise_key, time))
                led_to = problem.step(step_keys, time, lanes.state, jnp.moveaxis(choice, -1, 0), params)
                after = moved(lanes, led_to, memory)
                next_value = baseline.values(learner.baseline, after.observations, after.memory)
                ended, beyond = end_of(led_to, after.age >= problem.max_steps, next_value)
                batch = Batch(
                    lanes.observations,
                    lanes.memory,
                    choice,
                    log_probability(policy, outputs, choice)[0],
                    baseline.values(learner.baseline, lanes.observations, lanes.memory),
                    (1 - self.discount) * led_to.reward + self.discount * beyond,
                    ended,
                    jnp.where(ended, after.returns, jnp.nan),
                )
                return begun_again(after, ended, starts, time), batch

            return lax.scan(advance, lanes, jnp.arange(self.horizon, dtype=jnp.int32))

        # Both of sequences [M, n, T', ...].
        def policy_objective(policy: Policy, batch: Batch, advantage):
            outputs = replayed(partial(run, policy), batch.memory[:, :, 0], batch.observations, batch.ended)
            log_prob, entropy = log_probability(policy, _joined(outputs), _joined(batch.choice))
            log_ratio = log_prob - _joined(batch.log_probability)
            gain = clipped_gain(log_ratio, _joined(advantage), self.clip) + self.entropy * entropy
            return jnp.sum(jnp.mean(gain, axis=1))

        def value_objective(params, batch: Batch, target):
            found = baseline.values(params, _joined(batch.observations), _joined(batch.memory))
            return -jnp.sum(jnp.mean((found - _joined(target)) ** 2, axis=1))

        def improve(key, learner: Learner, batch: Batch, advantage) -> Learner:
            # From [T, M, L, ...] to [M, T/T'·L, T', ...], in an order of its own for each epoch.
            def in_sequences(leaf):
                leaf = leaf.reshape(self.horizon // sequence, sequence, *leaf.shape[1:])
                leaf = jnp.moveaxis(leaf, (0, 1), (1, 3))
                return leaf.reshape(leaf.shape[0], sequences, *leaf.shape[3:])

            order = jax.vmap(lambda key: jax.random.permutation(key, sequences))(jax.random.split(key, self.epochs))
            order = order.reshape(self.epochs * self.minibatches, -1)
            everything = jax.tree.map(in_sequences, (batch, advantage))

            def update(carry, chosen):
                policy, optimizer_state, params, params_state = carry
                part, advantage = jax.tree.map(lambda leaf: leaf[:, chosen], everything)
                gradient = jax.grad(policy_objective)(policy, part, advantage)
                policy, optimizer_state = ascend(optimizer, policy, gradient, optimizer_state)
                gradient = jax.grad(value_objective)(params, part, part.value + advantage)
                params, params_state = ascend(baseline.optimizer, params, gradient, params_state)
                return (policy, optimizer_state, params, params_state), None

            carry = learner.policy, learner.optimizer, learner.baseline, learner.baseline_optimizer
            carry, _ = lax.scan(update, carry, order)
            return Learner(*carry, learner.lanes, learner.score)

        compiled = partial(jax.jit, compiler_options=devices.compiler_options())

        @compiled
        def start(key, weights, params):
            members = weights.shape[0]
            baseline_key, reset_key = jax.random.split(key)
            policy = Policy(weights, jnp.full((members, problem.outputs), jnp.log(jnp.float32(self.deviation))))
            lanes = fresh(problem, reset_key, (members, self.episodes), remembered, params)
            score = jnp.full(members, jnp.nan, jnp.float32)
            return Learner(policy, jax.vmap(optimizer.init)(policy), *baseline.init(baseline_key, members), lanes, score)

        @compiled
        def advance(key, learner: Learner, params):
            collect_key, improve_key = jax.random.split(key)
            lanes, batch = collect(collect_key, learner, params)
            last = baseline.values(learner.baseline, lanes.observations, lanes.memory)
            advantage = advantages(batch.value, batch.reward, batch.ended, last, self.discount, self.trace)
            learner = improve(improve_key, learner._replace(lanes=lanes), batch, advantage)
            finished = jnp.nanmean(batch.finished, axis=(0, 2))
            score = jnp.where(jnp.isnan(finished), learner.score, finished)
            return learner._replace(score=score), score

        return Trainer(
            lambda key, weights: start(key, weights, problem.params),
            lambda key, learner: advance(key, learner, problem.params),
            lambda learner: learner.policy.weights,
        )


def replayed(
    run: Callable[[Array, Array], tuple[Array, Array]],
    memory: Float32[Array, "M B V"],
    observations: Float32[Array, "M B T I"],
    ended: Bool[Array, "M B T"],
) -> Float32[Array, "M B T O"]:
    """The outputs of `run`, which is (memory, observations [M, B, I]) → memory, outputs, over
    sequences that begin with `memory`; after an end with none. How much flows back from one time
    step to the one before is bounded, since it would explode.
    """

    if observations.shape[2] == 1:  # a loop around one time step costs a twentieth of training
        return run(memory, observations[:, :, 0])[1][:, :, None]

    def advance(memory, now):
        seen, ended = now
        memory, outputs = run(bounded(1.0, memory), seen)
        return jnp.where(ended[..., None], 0.0, memory), outputs

    by_time = tuple(jnp.moveaxis(each, 2, 0) for each in (observations, ended))
    return jnp.moveaxis(lax.scan(advance, memory, by_time)[1], 0, 2)


def _joined(leaf: Float32[Array, "M B T ..."]) -> Float32[Array, "M BT ..."]:
    """The time steps of all sequences side by side."""
    return leaf.reshape(leaf.shape[0], leaf.shape[1] * leaf.shape[2], *leaf.shape[3:])


def clipped_gain(log_ratio: Float32[Array, "M B"], advantage: Float32[Array, "M B"], clip: float) -> Float32[Array, "M B"]:
    """The clipped objective of every transition. Advantages are standardized over each member's
    batch.
    """
    ratio = jnp.exp(log_ratio)
    advantage = (advantage - jnp.mean(advantage, axis=1, keepdims=True)) / (jnp.std(advantage, axis=1, keepdims=True) + 1e-8)
    return jnp.minimum(ratio * advantage, jnp.clip(ratio, 1 - clip, 1 + clip) * advantage)
