"""A gate that is told nothing, and is evolved on what the whole collection scores: its environment
is the members', and its outputs are what they count.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from wannjax.ensembles.ensemble import Gate, combined
from wannjax.finetuning import Callback, finetune
from wannjax.networks.activations import LINEAR
from wannjax.networks.gradients import no_memory, step_on_batch, topology_of
from wannjax.networks.graph import Connection, Graph, graph_of, network_of
from wannjax.networks.network import Network
from wannjax.problems.capabilities import Episodic
from wannjax.problems.environment import Environment, Transition
from wannjax.problems.environment_problem import EnvironmentProblem
from wannjax.problems.environments.wrapped import WrappedEnvironment
from wannjax.problems.spaces import Box


class GatedState(NamedTuple):
    """The environment's own state, what is seen of it, and what the members remember."""

    inner: Any
    observation: Float32[Array, "... I"]
    memory: Float32[Array, "... V M 1"]


class GatedEnvironment(WrappedEnvironment):
    """`environment`, in which M copies of `network` with `weights` act. An action is the logarithm
    of each one's share, up to a constant.
    """

    def __init__(self, environment: Environment, network: Network, weights: Float32[Array, "M C"]):
        super().__init__(environment)
        self.differentiable = False
        self.topology, self.weights = topology_of(network), weights
        self.actions = Box(np.full(len(weights), -np.inf), np.inf)
        self.output_names = tuple(f"member {i + 1}" for i in range(len(weights)))

    def reset(self, key, params: Any):
        observation, inner = self.environment.reset(key, params)
        return observation, GatedState(inner, observation.astype(jnp.float32), no_memory(self.topology, len(self.weights), 1))

    def step(self, key, state: GatedState, action, params: Any) -> Transition:
        memory, outputs = step_on_batch(self.topology, self.weights, state.memory, state.observation[None])
        said = combined(outputs, jax.nn.log_softmax(action)[None], "outputs")[0]
        after = self.environment.step(key, state.inner, self.environment.actions.action(said), params)
        return after._replace(state=GatedState(after.state, after.observation.astype(jnp.float32), memory))

    def drawn_as(self, states: GatedState, params: Any):
        return self.environment.drawn_as(states.inner, params)


def gate_by_evolution(
    network: Network,
    problem: Episodic,
    weights: Float32[Array, "M C"],
    steps: int,
    seed: int,
    callbacks: list[Callback],
    progress: bool,
) -> Gate:
    """The gate of copies of `network` with `weights` that sees the observation, evolved from equal
    shares. For the other arguments see `ensemble`.
    """
    environment = GatedEnvironment(problem.environment, network, weights)
    environment.params = problem.params
    inputs, members = environment.inputs, len(weights)
    together = EnvironmentProblem(environment)
    connections = [Connection(source, 1 + inputs + member) for member in range(members) for source in range(1 + inputs)]
    layer = network_of(Graph(together.input_names, together.output_names, (LINEAR,) * members, tuple(connections)))
    starts = np.zeros((1, len(connections)), np.float32)
    tuned = finetune(
        layer,
        together,
        method="evolution",
        steps=steps,
        starts=starts,
        seed=seed,
        callbacks=callbacks,
        progress=progress,
    )
    numbers = jnp.asarray(graph_of(tuned.network).weights, jnp.float32).reshape(members, 1 + inputs)
    return Gate(numbers[:, 1:], numbers[:, 0], jnp.zeros(inputs, jnp.float32), jnp.ones(inputs, jnp.float32))
