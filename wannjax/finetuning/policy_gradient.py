"""Proximal policy optimization (Schulman et al. 2017, arXiv 1707.06347) with generalized advantage
estimation, for environments.

The policy is the network with noise on its outputs (see `stochastic_policy.py`). The baseline is a
small perceptron per member. Episodes that end are followed by fresh ones within the same batch of
steps; on the host, where all begin together, a batch is whole episodes (see `host_episodes.py`).

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
from jaxtyping import Array, Bool, Float32, Int

from wannjax.common import devices
from wannjax.common.settings import Settings, count, positive, rate, setting, share, switch
from wannjax.common.validation import require
from wannjax.finetuning.baseline import Baseline, advantages
from wannjax.finetuning.host_episodes import Episodes, whole_episodes
from wannjax.finetuning.lanes import Lanes, begun_again, end_of, fresh, moved
from wannjax.finetuning.method import Trainer, ascend, bounded
from wannjax.finetuning.stochastic_policy import Policy, StochasticPolicy
from wannjax.finetuning.transitions import Batch, batch_of, no_memory, places_of, taken
from wannjax.networks.gradients import SURROGATE, Topology
from wannjax.problems.capabilities import Episodic
from wannjax.problems.host_problem import HostProblem, seeds_of


class Learner(NamedTuple):
    """Everything that goes from one step to the next; leading axis M. Of an environment on the host
    there are no `lanes`, and a `spread` [M, I] of the inputs only where they are normalised.
    """

    policy: Policy
    optimizer: Any
    baseline: Any
    baseline_optimizer: Any
    lanes: Any
    score: Float32[Array, " M"]
    spread: Any = ()


@dataclass(frozen=True)
class PolicyGradient(Settings):
    """Settings of PPO; the defaults are common ones (Huang et al. 2022, "The 37 implementation
    details of PPO").

    Raises ValueError, naming the field, its value and what is allowed.
    """

    name = "policy_gradient"

    episodes: int = count(16, "episodes that run side by side, per member")
    horizon: int = count(128, "time steps of each episode, per training step; on the host an episode runs to its end")
    epochs: int = count(4, "how often a batch of time steps is gone through")
    minibatches: int = count(4, "parts of a batch, each an update; a divisor of `episodes` x `horizon`, with memory of `episodes`")
    # Below 1, since rewards are scaled by 1 - discount.
    discount: float = setting(0.99, "gamma of the advantages", "in [0, 1)", lambda value: 0 <= value < 1)
    trace: float = share(0.95, "lambda of the advantages")
    clip: float = positive(0.2, "how far the probability ratio may move")
    entropy: float = rate(0.01, "weight of the entropy bonus; discrete actions only")
    deviation: float = positive(0.3, "standard deviation of the noise at the start; continuous actions only")
    surrogate: float = rate(SURROGATE, "sharpness of the surrogate gradient of `step` activations, which are flat; 0 for none")
    normalise: bool = switch("whether weights are trained in units of what the inputs vary by at the start")
    learning_rate: float = positive(0.003, "of Adam, where no optimizer is given")

    def __post_init__(self):
        super().__post_init__()
        batch = self.episodes * self.horizon
        require("minibatches", self.minibatches, f"a divisor of episodes x horizon = {batch}", batch % self.minibatches == 0)

    @property
    def updates(self) -> int:
        return self.epochs * self.minibatches

    def trainer(self, problem: Any, topology: Topology, optimizer: optax.GradientTransformation) -> Trainer:
        on_host = isinstance(problem, HostProblem)
        able = on_host or isinstance(problem, Episodic)
        require("method", f"policy_gradient for {problem.name}", "one that needs no actions, of which there are none", able)
        remembered = topology.remembered.shape[0]
        wanted = f"feed-forward for policy_gradient on {problem.name}, which lives on the host"
        require("network", "one with memory", wanted, not (on_host and remembered))
        sequence = self.horizon if remembered else 1
        sequences = self.episodes * (self.horizon // sequence)
        allowed = f"a divisor of episodes = {self.episodes}, for a recurrent network"
        require("minibatches", self.minibatches, allowed, sequences % self.minibatches == 0)
        baseline = Baseline(problem.inputs + remembered)
        acting = StochasticPolicy(topology, problem.environment.actions.groups, self.surrogate)
        read_input = inputs_of(topology)

        def units(spread):
            """What each weight [M, C] is trained in units of one over."""
            return jnp.concatenate([spread, jnp.ones((len(spread), 1))], axis=1)[:, read_input]

        def applied(policy: Policy, spread) -> Policy:
            """The policy, with the weights that the network has."""
            return policy._replace(weights=policy.weights / units(spread)) if self.normalise else policy

        def values(params, spread, observations, memory):
            return baseline.values(params, observations / spread[:, None] if self.normalise else observations, memory)

        def collect(key, learner: Learner, params) -> tuple[Lanes, Batch]:
            reset_key, noise_key, step_key = jax.random.split(key, 3)
            policy, lanes = applied(learner.policy, learner.spread), learner.lanes
            starts = fresh(problem, reset_key, lanes.age.shape, remembered, params)
            step_keys = jax.random.split(step_key, self.episodes)

            def advance(lanes: Lanes, time):
                memory, outputs = acting.run(policy, lanes.memory, lanes.observations)
                choice = acting.noisy(policy, outputs, jax.random.fold_in(noise_key, time))
                led_to = problem.step(step_keys, time, lanes.state, jnp.moveaxis(choice, -1, 0), params)
                after = moved(lanes, led_to, memory)
                next_value = values(learner.baseline, learner.spread, after.observations, after.memory)
                ended, beyond = end_of(led_to, after.age >= problem.max_steps, next_value)
                batch = Batch(
                    lanes.observations,
                    lanes.memory,
                    choice,
                    acting.log_probability(policy, outputs, choice)[0],
                    values(learner.baseline, learner.spread, lanes.observations, lanes.memory),
                    (1 - self.discount) * led_to.reward + self.discount * beyond,
                    ended,
                    jnp.where(ended, after.returns, jnp.nan),
                )
                return begun_again(after, ended, starts, time), batch

            return lax.scan(advance, lanes, jnp.arange(self.horizon, dtype=jnp.int32))

        # Both of sequences [M, n, T', ...].
        def policy_objective(policy: Policy, spread, batch: Batch, advantage):
            outputs = replayed(partial(acting.run, applied(policy, spread)), batch.memory[:, :, 0], batch.observations, batch.ended)
            log_prob, entropy = acting.log_probability(policy, _joined(outputs), _joined(batch.choice))
            log_ratio = log_prob - _joined(batch.log_probability)
            gain = clipped_gain(log_ratio, _joined(advantage), self.clip) + self.entropy * entropy
            return jnp.sum(jnp.mean(gain, axis=1))

        def value_objective(params, spread, batch: Batch, target):
            found = values(params, spread, _joined(batch.observations), _joined(batch.memory))
            return -jnp.sum(jnp.mean((found - _joined(target)) ** 2, axis=1))

        def improve(key, learner: Learner, batch: Batch, advantage) -> Learner:
            steps, _, lanes = batch.value.shape
            sequences = steps // sequence * lanes

            # From [T, M, L, ...] to [M, T/T'·L, T', ...], in an order of its own for each epoch.
            def in_sequences(leaf):
                leaf = leaf.reshape(steps // sequence, sequence, *leaf.shape[1:])
                leaf = jnp.moveaxis(leaf, (0, 1), (1, 3))
                return leaf.reshape(leaf.shape[0], sequences, *leaf.shape[3:])

            order = jax.vmap(lambda key: jax.random.permutation(key, sequences))(jax.random.split(key, self.epochs))
            order = order.reshape(self.epochs * self.minibatches, -1)
            everything = jax.tree.map(in_sequences, (batch, advantage))

            def update(carry, chosen):
                policy, optimizer_state, params, params_state = carry
                part, advantage = jax.tree.map(lambda leaf: leaf[:, chosen], everything)
                gradient = jax.grad(policy_objective)(policy, learner.spread, part, advantage)
                policy, optimizer_state = ascend(optimizer, policy, gradient, optimizer_state)
                gradient = jax.grad(value_objective)(params, learner.spread, part, part.value + advantage)
                params, params_state = ascend(baseline.optimizer, params, gradient, params_state)
                return (policy, optimizer_state, params, params_state), None

            carry = learner.policy, learner.optimizer, learner.baseline, learner.baseline_optimizer
            carry, _ = lax.scan(update, carry, order)
            return Learner(*carry, learner.lanes, learner.score, learner.spread)

        compiled = partial(jax.jit, compiler_options=devices.compiler_options())

        def normalised(learner: Learner, spread) -> Learner:
            """The same policy, in units of the `spread` of the inputs; what does not vary stays."""
            spread = jnp.where(spread > 1e-6, spread, 1.0)
            policy = learner.policy._replace(weights=learner.policy.weights * units(spread))
            return learner._replace(policy=policy, spread=spread)

        @compiled
        def start(key, weights, params):
            members = weights.shape[0]
            baseline_key, reset_key = jax.random.split(key)
            policy = Policy(weights, jnp.full((members, problem.outputs), jnp.log(jnp.float32(self.deviation))))
            lanes = () if on_host else fresh(problem, reset_key, (members, self.episodes), remembered, params)
            score = jnp.full(members, jnp.nan, jnp.float32)
            spread = jnp.ones((members, problem.inputs)) if self.normalise else ()
            learner = Learner(policy, jax.vmap(optimizer.init)(policy), *baseline.init(baseline_key, members), lanes, score, spread)
            if on_host or not self.normalise:
                return learner
            return normalised(learner, jnp.std(collect(reset_key, learner, params)[1].observations, axis=(0, 2)))

        @compiled
        def advance(key, learner: Learner, params):
            collect_key, improve_key = jax.random.split(key)
            lanes, batch = collect(collect_key, learner, params)
            last = values(learner.baseline, learner.spread, lanes.observations, lanes.memory)
            advantage = advantages(batch.value, batch.reward, batch.ended, last, self.discount, self.trace)
            learner = improve(improve_key, learner._replace(lanes=lanes), batch, advantage)
            finished = jnp.nanmean(batch.finished, axis=(0, 2))
            score = jnp.where(jnp.isnan(finished), learner.score, finished)
            return learner._replace(score=score), score

        @compiled
        def act(key, policy: Policy, spread, time, observations):
            policy = applied(policy, spread)
            outputs = acting.run(policy, no_memory(observations), observations)[1]
            choice = acting.noisy(policy, outputs, jax.random.fold_in(key, time))
            actions = jax.vmap(jax.vmap(problem.environment.actions.action))(choice)
            return choice, acting.log_probability(policy, outputs, choice)[0], actions

        @compiled
        def improve_after(key, learner: Learner, episodes: Episodes, chosen) -> Learner:
            def expected(seen):
                return values(learner.baseline, learner.spread, seen, no_memory(seen))

            judged = batch_of(episodes, expected, self.discount, self.trace)
            return improve(key, learner, *jax.tree.map(lambda leaf: taken(leaf, chosen), judged))

        def on_all(key, learner: Learner) -> Episodes:
            """An episode of every lane on the host."""
            reset_key, noise_key = jax.random.split(key)
            seeds = seeds_of(jax.random.split(reset_key, self.episodes))
            return whole_episodes(problem, seeds, partial(act, noise_key, learner.policy, learner.spread), len(learner.score))

        def start_on_host(key, weights):
            learner = start(key, weights, problem.params)
            return normalised(learner, jnp.asarray(on_all(key, learner).spread())) if self.normalise else learner

        def advance_on_host(key, learner: Learner):
            collect_key, improve_key = jax.random.split(key)
            episodes = on_all(collect_key, learner)
            score = jnp.asarray(np.mean(np.sum(episodes.reward, axis=0), axis=1))
            chosen = places_of(episodes.running, self.minibatches)
            return improve_after(improve_key, learner, episodes, chosen)._replace(score=score), score

        return Trainer(
            start_on_host if on_host else lambda key, weights: start(key, weights, problem.params),
            advance_on_host if on_host else lambda key, learner: advance(key, learner, problem.params),
            lambda learner: applied(learner.policy, learner.spread).weights,
        )


def inputs_of(topology: Topology) -> Int[np.ndarray, " C"]:
    """Which input each connection reads, from 0 on; I where it reads none."""
    read = np.append(topology.read, 0)  # of a node no input
    rows = read[np.minimum(topology.origins, len(read) - 1)]
    return np.where((rows >= 1) & (rows <= topology.inputs), rows - 1, topology.inputs)


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
