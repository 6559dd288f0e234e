"""The collection: copies of one network with weights of their own, a gate that says whom to listen
to, and a rule that combines them.

It is used as a single network is: called, evaluated, saved and loaded. Each copy of a recurrent
network remembers for itself; the gate has no memory, and sees what is now.
"""

import json
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Shaped

from wannjax.analysis.evaluation import Score
from wannjax.common.files import VERSION, Pathlike, as_path, ending_of, read_document, write_text
from wannjax.common.keys import Purpose, key_of
from wannjax.common.validation import require, require_count, require_seed
from wannjax.finetuning.method import bounded_memory
from wannjax.networks.files import network_text, parse_network
from wannjax.networks.gradients import Topology, no_memory, run_on_batch, step_on_batch, topology_of
from wannjax.networks.graph import graph_of, network_of
from wannjax.networks.network import Network, Observation, checked_observation
from wannjax.problems.capabilities import Episodic, Supervised
from wannjax.problems.problem import check_sizes
from wannjax.problems.registry import as_problem
from wannjax.problems.sequences import LAST

FORMAT = "wannjax ensemble"
RULES = ("vote", "probabilities", "outputs")


class Gate(NamedTuple):
    """A linear layer and a softmax: how much each of M members counts, given G numbers.

    Attributes:
        weights, bias: float32[M, G] and [M].
        centre, scale: float32[G]; the numbers are centred and divided by the scale first.
    """

    weights: Float32[Array, "M G"]
    bias: Float32[Array, " M"]
    centre: Float32[Array, " G"]
    scale: Float32[Array, " G"]

    def log_shares(self, seen: Float32[Array, "B G"]) -> Float32[Array, "B M"]:
        """The logarithm of each member's share."""
        return jax.nn.log_softmax((seen - self.centre[None]) / self.scale[None] @ self.weights.T + self.bias[None])


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Copies of one network, used together.

    Attributes:
        network: the network whose copies the members are; its own weights have no say.
        weights: float32[M, C], of each member's connections, in the order of
            `graph_of(network).connections`.
        rule: "vote": every member votes for its greatest output; "probabilities": the members'
            softmaxes are mixed, and the outputs are the mixture's logarithms; "outputs": the
            outputs are mixed.
        gate: each member's share; equal ones when None.
        context_names: what the gate sees: parameters of the episode, by name; the observation
            itself when empty.
    """

    network: Network
    weights: Float32[Array, "M C"]
    rule: str
    gate: Gate | None = None
    context_names: tuple[str, ...] = ()

    def __post_init__(self):
        require("rule", self.rule, f"one of {', '.join(RULES)}", self.rule in RULES)
        count = len(graph_of(self.network).connections)
        fits = self.weights.ndim == 2 and self.weights.shape[0] >= 1 and self.weights.shape[1] == count
        require("weights", self.weights.shape, f"of shape [members, {count}]", fits)
        require("weights", "some", "finite", bool(np.all(np.isfinite(self.weights))))
        if self.gate is not None:
            seen = len(self.context_names) or self.network.inputs
            shapes = tuple(leaf.shape for leaf in self.gate)
            require(
                "gate", shapes, f"of {self.size} members and {seen} numbers", shapes == ((self.size, seen), (self.size,), (seen,), (seen,))
            )

    def __repr__(self) -> str:
        return f"Ensemble({self.size} copies of {self.network!r}, {self.rule}{', gated' if self.gate else ''})"

    @property
    def size(self) -> int:
        """M, the number of members."""
        return self.weights.shape[0]

    @property
    def members(self) -> list[Network]:
        """The members as networks of their own."""
        graph = graph_of(self.network)
        return [network_of(graph.with_weights(own)) for own in np.asarray(self.weights).tolist()]

    @cached_property
    def _topology(self):
        return topology_of(self.network)

    @property
    def _remembered(self) -> int:
        """V, the values that one member remembers."""
        return self._topology.remembered.shape[0]

    def __call__(self, observation: Observation, context: Observation | None = None) -> Array:
        """The outputs for one `observation` [I] or a batch [B, I]: float32[O] or [B, O]. `context`
        [G] or [B, G] is what the gate sees, where it does not see the observation. Raises
        ValueError for copies of a recurrent network, which have `step`.
        """
        observation = checked_observation(observation, self.network.inputs)
        way = "of feed-forward networks to be called; one with memory takes `y, state = ensemble.step(state, x)`"
        require("ensemble", self, f"{way}, from ensemble.initial_state() on", not self._remembered)
        return self._step(None, observation, context)[0]

    def initial_state(self, batch: int | None = None) -> Float32[Array, "*B M V"]:
        """What `step` starts from: 0 for the V values that each member remembers, in as many rows
        as the observations have, if they come in a batch.
        """
        return jnp.zeros((*(() if batch is None else (require_count("batch", batch),)), self.size, self._remembered), jnp.float32)

    def step(self, state: Float32[Array, "*B M V"], observation: Observation, context: Observation | None = None) -> tuple[Array, Array]:
        """The outputs for the next observations, as in a call, and the state after them."""
        observation = checked_observation(observation, self.network.inputs)
        shape = (*observation.shape[:-1], self.size, self._remembered)
        require("state", jnp.shape(state), f"of shape {shape}, as ensemble.initial_state gives it", jnp.shape(state) == shape)
        return self._step(state, observation, context)

    def _step(self, state: Array | None, observation: Array, context: Observation | None) -> tuple[Array, Array]:
        seen = None
        if self.gate is not None and self.context_names:
            require("context", context, f"given: {', '.join(self.context_names)}", context is not None)
            rows = len(observation) if observation.ndim == 2 else 1
            seen = jnp.broadcast_to(jnp.asarray(context, jnp.float32), (rows, len(self.context_names)))
        return _step(self._topology, self.weights, self.gate, state, observation, seen, rule=self.rule)

    def evaluate(self, problem: Supervised | Episodic | str, *, episodes: int = 100, seed: int = 0) -> Score:
        """The score on fresh episodes, or `problem.metric` on the examples for reports (`split`
        "test"). `problem` may be a name for `wannjax.make`. Raises ValueError where sizes do not
        fit.
        """
        problem = cast(Supervised | Episodic, as_problem(problem))
        episodes = require_count("episodes", episodes)
        seed = require_seed(seed)
        check_sizes(self.network, problem)
        if isinstance(problem, Supervised):
            examples = problem.split("test").examples
            require("context", None, f"given: {', '.join(self.context_names)}", not self.context_names)
            said, targets = together(self._topology, self.weights, self.gate, *examples, rule=self.rule, sequences=problem.sequences)
            return Score(float(jnp.mean(problem.metric_of(said, targets))), 0.0, 1)
        returns = np.asarray(self.returns(problem, jax.random.split(key_of(seed, Purpose.COLLECTION_EVALUATION), episodes)))
        return Score(float(returns.mean()), float(returns.std()), episodes)

    def returns(self, problem: Episodic, keys: Array) -> Float32[Array, " L"]:
        """The returns of one episode per key."""
        if self.gate is not None and self.context_names:
            names = problem.context_names
            given = f"{problem.name}, which varies {', '.join(names) or 'nothing'}"
            require("problem", given, f"one that varies {', '.join(self.context_names)}", names == self.context_names)
        return _returns(
            problem, self._topology, self.weights, self.gate, keys, problem.params, rule=self.rule, by_context=bool(self.context_names)
        )

    def save(self, path: Pathlike) -> None:
        """Writes the collection as JSON: the members as networks, the gate beside them."""
        require("path", str(path), "a name that ends in .json", ending_of(path) == ".json")
        gate = None
        if self.gate is not None:
            gate = {name: np.asarray(leaf).tolist() for name, leaf in self.gate._asdict().items()}
        head = {"format": FORMAT, "version": VERSION, "rule": self.rule, "context_names": self.context_names, "gate": gate}
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in head.items())
        members = ",\n".join(network_text(graph_of(member)) for member in self.members)
        write_text(as_path(path), f'{{{lines},\n"members": [\n{members}\n]}}\n')


def load_ensemble(path: Pathlike) -> Ensemble:
    """Reads what `Ensemble.save` wrote. Raises ValueError for anything else, naming the file, and
    OSError when it cannot be read.
    """
    return read_document(path, "not a wannjax ensemble", _ensemble, FORMAT)


def _ensemble(document: Any) -> Ensemble:
    graphs = [parse_network(member) for member in document["members"]]
    bare = [graph.with_weights(None) for graph in graphs]
    if not bare or any(other != bare[0] for other in bare) or not all(graph.has_weights for graph in graphs):
        raise ValueError("its members must be copies of one network, with weights of their own")
    weights = jnp.array([graph.weights for graph in graphs], jnp.float32)
    gate = document["gate"]
    if gate is not None:
        gate = Gate(*(_numbers(gate[name]) for name in Gate._fields))
    return Ensemble(network_of(bare[0]), weights, str(document["rule"]), gate, tuple(map(str, document["context_names"])))


def _numbers(values: Any) -> Array:
    array = np.asarray(values, np.float64)
    if array.size == 0 or not np.all(np.abs(array) <= np.finfo(np.float32).max):
        raise ValueError("its gate must be made of finite numbers")
    return jnp.asarray(array, jnp.float32)


def combined(outputs: Float32[Array, "O M B"], log_shares: Float32[Array, "B M"] | None, rule: str) -> Float32[Array, "B O"]:
    """What the members say together; all count the same where `log_shares` is None."""
    outputs = jnp.moveaxis(outputs, 0, -1)  # [M, B, O]
    if log_shares is None:
        log_shares = jnp.full(outputs.shape[1::-1], -jnp.log(jnp.float32(outputs.shape[0])))
    log_shares = log_shares.T[..., None]
    if rule == "probabilities":
        return jax.nn.logsumexp(log_shares + jax.nn.log_softmax(outputs), axis=0)
    said = jax.nn.one_hot(jnp.argmax(outputs, axis=-1), outputs.shape[-1], dtype=jnp.float32) if rule == "vote" else outputs
    return jnp.sum(jnp.exp(log_shares) * said, axis=0)


def spoken(
    topology: Topology,
    weights: Float32[Array, "M C"],
    inputs: Float32[Array, "n ... I"],
    targets: Shaped[Array, "n ..."],
    sequences: str | None,
) -> tuple[Float32[Array, "O M S"], Float32[Array, "S I"], Shaped[Array, "S ..."]]:
    """The outputs of every member where they are scored, what is observed there, and the targets:
    of S single examples, of the last time step of S sequences, or of all S time steps of them. How
    much flows back from one time step to the one before is bounded.
    """
    if sequences is None:
        return run_on_batch(topology, weights, inputs), inputs, targets
    by_time = jnp.moveaxis(inputs, 1, 0)

    def advance(memory, seen):
        return step_on_batch(topology, weights, bounded_memory(1.0, memory), seen)

    outputs = jax.lax.scan(advance, no_memory(topology, len(weights), len(inputs)), by_time)[1]
    if sequences == LAST:
        return outputs[-1], by_time[-1], targets
    rows = by_time.shape[0] * by_time.shape[1]
    seen, targets = by_time.reshape(rows, -1), jnp.moveaxis(targets, 1, 0).reshape(rows, *targets.shape[2:])
    return jnp.moveaxis(outputs, 0, 2).reshape(outputs.shape[1], -1, rows), seen, targets


@partial(jax.jit, static_argnames=("rule", "sequences"))
def together(topology, weights, gate: Gate | None, inputs, targets, *, rule: str, sequences: str | None) -> tuple[Array, Array]:
    """What the members say together [S, O] where it is scored, and the targets there; for the rest
    see `spoken`.
    """
    outputs, seen, targets = spoken(topology, weights, inputs, targets, sequences)
    return combined(outputs, gate.log_shares(seen) if gate else None, rule), targets


@partial(jax.jit, static_argnames="rule")
def _step(topology, weights, gate, state, observation, seen, *, rule):
    """Outputs [*B, O] and state [*B, M, V]; where there is no state yet, it is 0. The gate sees the
    observation where it has `seen` nothing else.
    """
    batch, lead = jnp.atleast_2d(observation), observation.shape[:-1]
    memory = no_memory(topology, len(weights), len(batch)) if state is None else state.reshape(len(batch), *state.shape[-2:]).T
    memory, outputs = step_on_batch(topology, weights, memory, batch)
    outputs = combined(outputs, gate.log_shares(batch if seen is None else seen) if gate else None, rule)
    return outputs.reshape(*lead, outputs.shape[-1]), memory.T.reshape(*lead, len(weights), len(memory))


@partial(jax.jit, static_argnames=("problem", "rule", "by_context"))
def _returns(problem: Episodic, topology, weights, gate, keys, params, *, rule, by_context):
    contexts = problem.contexts(keys, params) if gate and by_context else None

    def act(state, observations):
        outputs, state = _step(topology, weights, gate, state, observations[:, 0].T, contexts, rule=rule)
        return state, outputs.T[:, None]

    state = no_memory(topology, len(weights), len(keys)).T
    return problem.run_episodes(act, state, keys, 1, params)[0][0]
