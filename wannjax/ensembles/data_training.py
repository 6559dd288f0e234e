"""Members and gate on data: trained together as a mixture, or members on their regions or bootstrap
samples, then the gate. On sequences the gate sees what the members see at each time step, and
regions are of whole sequences.
"""

import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float32, Key

from wannjax.common import hosts
from wannjax.common.interrupts import interrupt_flag
from wannjax.common.keys import Purpose, generator_of, key_of
from wannjax.common.validation import require
from wannjax.ensembles.clustering import clusters
from wannjax.ensembles.ensemble import Ensemble, Gate, spoken, together
from wannjax.finetuning import Callback
from wannjax.finetuning.method import ascend, descend
from wannjax.finetuning.training import steps_between_checks
from wannjax.networks.gradients import topology_of
from wannjax.networks.network import Network
from wannjax.problems.capabilities import Supervised
from wannjax.runs.loop import drive
from wannjax.runs.progress import TrainingView
from wannjax.runs.records import TrainingRecord

NOISE = 0.05
"""Standard deviation of what sets members apart that start at the same weights."""
GATE_STEPS, GATE_RATE = 500, 0.03
"""Steps and rate of Adam, which trains the gate alone once the members of regions are trained."""


class Params(NamedTuple):
    """What is trained."""

    weights: Float32[Array, "M C"]
    gate: Float32[Array, "M I"]
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
    """The collection of `kind` whose members start from `weights`. For the arguments see
    `ensemble`.
    """
    callbacks = list(callbacks)
    with ExitStack() as stack:
        interrupted = stack.enter_context(interrupt_flag("step"))
        training = DataTraining(network, problem, weights, kind, optimizer, steps, seed)
        if progress and hosts.is_first():
            members, connections = weights.shape
            callbacks.insert(0, stack.enter_context(TrainingView(problem, kind, connections, members, steps)))
        drive(training, steps, callbacks, interrupted)
        return training.result()


class DataTraining:
    """The moving parts of the training of one collection.

    Attributes:
        number: steps done.
        params, state: what is trained, and what the optimizer keeps.
        best, best_score: the parameters of the best check, and their score; minus infinity before
            the first one.
        shares: float32[n, M], how much each example counts for each member.
    """

    def __init__(
        self,
        network: Network,
        problem: Supervised,
        weights: Float32[np.ndarray, "M C"],
        kind: str,
        optimizer: optax.GradientTransformation | None,
        steps: int,
        seed: int,
    ):
        self.network, self.problem, self.kind, self.steps = network, problem, kind, steps
        noise_key, self.step_key = jax.random.split(key_of(seed, Purpose.COLLECTION))
        self.topology, members = topology_of(network), len(weights)
        self.train, self.validation = problem.examples, problem.split("validation").examples
        every = tuple(range(self.train.inputs.ndim - 1))
        self.centre = jnp.mean(self.train.inputs, axis=every)
        # One scale for all inputs: one that hardly varies must not decide.
        self.scale = jnp.full_like(self.centre, jnp.sqrt(jnp.mean(jnp.var(self.train.inputs, axis=every))) + 1e-6)
        self.rule = "probabilities" if problem.classifies else "outputs"
        self.shares = _shares_of_examples(kind, self.train.inputs, members, seed)
        self.optimizer = optimizer or optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.01))
        self._step, self._score, self._learn_gate = jax.jit(self._stepped), jax.jit(self._scored), jax.jit(self._with_gate)
        apart = NOISE * jax.random.normal(noise_key, weights.shape, jnp.float32)
        self.params = Params(
            jnp.asarray(weights) + apart, jnp.zeros((members, problem.inputs), jnp.float32), jnp.zeros(members, jnp.float32)
        )
        self.state: Any = jax.vmap(self.optimizer.init)(_as_one_member(self.params))
        self.number, self.best, self.best_score = 0, self.params, -np.inf
        self.started = time.perf_counter()

    def advance(self) -> None:
        """Takes the next step."""
        self.number += 1
        key = jax.random.fold_in(self.step_key, self.number)
        self.params, self.state = self._step(key, self.params, self.state, self.train, self.shares)

    def record(self, *, last: bool) -> TrainingRecord | None:
        """A check on the validation examples, where one is due: every so often and at the end, but
        not before the first step.
        """
        if self.number == 0 or not (last or self.number % steps_between_checks(self.steps) == 0):
            return None
        score = self._held_out_score(self.params)
        if score > self.best_score:
            self.best, self.best_score = self.params, score
        return TrainingRecord(self.number, float("nan"), score, score, time.perf_counter() - self.started)

    def result(self) -> Ensemble:
        """The best of all checks; where the members have regions, with a gate that has learned what
        they are good at, if it is better.
        """
        require("problem", self.problem.name, "one that gives finite scores", bool(np.isfinite(self.best_score)))
        best = self.best
        if self.kind == "regions":
            learned = self._learn_gate(jax.random.fold_in(self.step_key, 0), best, self.train, self.shares)
            best = learned if self._held_out_score(learned) > self.best_score else best
        return Ensemble(self.network, best.weights, self.rule, None if self.kind == "bagging" else self._gate_of(best))

    def _held_out_score(self, params: Params) -> float:
        return float(self._score(params, self.validation))

    def _gate_of(self, params: Params) -> Gate:
        return Gate(params.gate, params.bias, self.centre, self.scale)

    def _stepped(self, key: Key[Array, ""], params: Params, state: Any, examples, shares) -> tuple[Params, Any]:
        """One step of members and gate."""
        gradient = self._gradient(key, params, examples, shares, together=self.kind == "mixture")
        # One member for the optimizer, since the gate ties all together.
        moved, state = ascend(self.optimizer, _as_one_member(params), _as_one_member(gradient), state)
        return jax.tree.map(lambda leaf: leaf[0], moved), state

    def _with_gate(self, key: Key[Array, ""], params: Params, examples, shares) -> Params:
        """`params` with a gate that has learned what pays, the members staying as they are."""
        adam = optax.adam(GATE_RATE)

        def learn(carry, key):
            params, state = carry
            gradient = self._gradient(key, params, examples, shares, together=True)
            moved, state = descend(adam, params, jax.tree.map(jnp.negative, gradient), state)
            return (moved._replace(weights=params.weights), state), None

        return jax.lax.scan(learn, (params, adam.init(params)), jax.random.split(key, GATE_STEPS))[0][0]

    def _gradient(self, key: Key[Array, ""], params: Params, examples, shares, *, together: bool) -> Params:
        """The gradient of the objective on one mini-batch."""
        chosen = jax.random.choice(key, len(examples.inputs), (self.problem.batch,), replace=False)
        return jax.grad(self._objective)(params, examples.inputs[chosen], examples.targets[chosen], shares[chosen], together=together)

    def _objective(self, params: Params, inputs: Float32[Array, "B ... I"], targets, share: Float32[Array, "B M"], *, together: bool):
        """The mean log-likelihood of what members and gate say `together`, or of each member by
        itself.
        """
        loss = jax.vmap(jax.vmap(self.problem.loss, in_axes=(-1, 0)), in_axes=(1, None))
        outputs, seen, targets = spoken(self.topology, params.weights, inputs, targets, self.problem.sequences)
        likelihood = -loss(outputs, targets).T  # [S, M]
        log_gate = self._gate_of(params).log_shares(seen)
        share = jnp.tile(share, (len(seen) // len(share), 1))
        if together:
            return jnp.mean(jax.nn.logsumexp(log_gate + likelihood, axis=1))
        # Each member by itself, while the gate of regions learns which is whose.
        return jnp.mean(jnp.sum(share * (likelihood + (log_gate if self.kind == "regions" else 0.0)), axis=1))

    def _scored(self, params: Params, examples) -> Float32[Array, ""]:
        """Minus the mean loss of what the collection says to `examples`."""
        gate = None if self.kind == "bagging" else self._gate_of(params)
        said, targets = together(self.topology, params.weights, gate, *examples, rule=self.rule, sequences=self.problem.sequences)
        return -jnp.mean(jax.vmap(self.problem.loss)(said, targets))


def _as_one_member(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[None], tree)


def _shares_of_examples(kind: str, inputs: Array, members: int, seed: int) -> Float32[Array, "n M"]:
    """How much each example counts for each member."""
    rng = generator_of(seed, Purpose.COLLECTION)
    count = len(inputs)
    if kind == "regions":
        return jax.nn.one_hot(clusters(np.asarray(inputs).reshape(count, -1), members, rng), members, dtype=jnp.float32)
    if kind == "bagging":
        return jnp.asarray(rng.multinomial(count, np.full(count, 1 / count), members).T, jnp.float32)
    return jnp.zeros((count, members), jnp.float32)
