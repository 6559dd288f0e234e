"""A network as a flax module, whose weights a training loop of one's own can change.

The topology is static and the weights are one vector with a value per connection, so that no
optimiser, decay or noise can touch an absent connection or a link between partial sums. Gradients
are those of `wannjax.networks.gradients`, steps' surrogate included.
"""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Float32

from wannjax.common.validation import require
from wannjax.common.wording import counted
from wannjax.export.weights import weighted_graph
from wannjax.networks.gradients import Topology, no_memory, step_on_batch, topology_of
from wannjax.networks.graph import Graph, network_of
from wannjax.networks.network import Network, Observation, checked_observation


class NetworkModule(nnx.Module):
    """A network with trainable weights. Made by `to_flax`.

    Attributes:
        graph: the topology, without weights; static.
        weights: nnx.Param of float32[connections], in the order of `graph.connections`; the only
            variable.
    """

    def __init__(self, graph: Graph, weights: Float[Array, " connections"]):
        self.graph = graph
        self.weights = nnx.Param(weights)

    def __call__(self, observation: Observation) -> Array:
        """The raw outputs for one `observation` [I] or a batch [B, I]: float32[O] or [B, O]. Raises
        ValueError for other shapes, and for a recurrent network, which has `step`.
        """
        observation = checked_observation(observation, self.graph.inputs)
        way = "feed-forward to be called; one with memory takes `y, state = module.step(state, x)`, from module.initial_state() on"
        require("module", self, way, not self.graph.recurrent)
        return _step(_topology(self.graph), self.weights[...], None, observation)[0]

    def initial_state(self, batch: int | None = None) -> Float32[Array, "*B V"]:
        """What `step` starts from: 0 for each of `graph.remembered`, in as many rows as the
        observations have, if they come in a batch.
        """
        return jnp.zeros((*(() if batch is None else (batch,)), len(self.graph.remembered)), jnp.float32)

    def step(self, state: Float32[Array, "*B V"], observation: Observation) -> tuple[Array, Array]:
        """The raw outputs for the next observations, as in a call, and the state after them: what
        each node of `graph.remembered` has computed.
        """
        observation = checked_observation(observation, self.graph.inputs)
        shape = (*observation.shape[:-1], len(self.graph.remembered))
        require("state", jnp.shape(state), f"of shape {shape}, as module.initial_state gives it", jnp.shape(state) == shape)
        return _step(_topology(self.graph), self.weights[...], state, observation)

    def __repr__(self) -> str:
        sizes = ((self.graph.inputs, "input"), (self.graph.outputs, "output"), (len(self.graph.connections), "connection"))
        return f"NetworkModule({', '.join(counted(*size) for size in sizes)})"


def to_flax(network: Network, *, weight: float = 1.0) -> NetworkModule:
    """A flax module that computes what `network` computes when called, or stepped, with `weight`,
    and can be trained.

    Every connection starts at `weight` times its own weight, or at `weight` where the network has
    one shared weight.

    Raises ValueError for a population, for weights that differ from lane to lane, and for a weight
    that is not finite.

    >>> from wannjax.networks.graph import Connection, Graph
    >>> graph = Graph(("x",), ("y",), (1,), (Connection(0, 2), Connection(1, 2)))
    >>> module = to_flax(network_of(graph), weight=0.5)
    >>> module
    NetworkModule(1 input, 1 output, 2 connections)
    >>> loss, gradient = nnx.value_and_grad(lambda module: module(jnp.array([3.0])).sum())(module)
    >>> float(loss), gradient.weights[...].tolist()
    (2.0, [1.0, 3.0])
    """
    graph = weighted_graph(network, weight)
    return NetworkModule(graph.with_weights(None), jnp.array(graph.weights, jnp.float32))


def from_flax(module: nnx.Module) -> Network:
    """The network of a module that `to_flax` made, with the weights that the module has now as
    individual ones.

    Raises ValueError for another module, and for weights that are not finite.
    """
    if not isinstance(module, NetworkModule):
        raise ValueError(f"module: must be a NetworkModule, which to_flax makes, got {type(module).__name__}")
    weights = np.asarray(module.weights[...], np.float32).tolist()
    return network_of(module.graph.with_weights(weights))


@jax.jit
def _step(topology: Topology, weights: Float[Array, " connections"], state: Float[Array, "*B V"] | None, observation: Float[Array, "*B I"]):
    weights, batch = weights.astype(jnp.float32)[None], jnp.atleast_2d(observation)
    memory = no_memory(topology, 1, len(batch)) if state is None else jnp.atleast_2d(state).T[:, None]
    memory, outputs = step_on_batch(topology, weights, memory, batch)
    return tuple(each[:, 0].T.reshape(*observation.shape[:-1], each.shape[0]) for each in (outputs, memory))


@lru_cache(maxsize=64)
def _topology(graph: Graph) -> Topology:
    with jax.ensure_compile_time_eval():  # the first call may be inside a jit, whose tracers must not stay in the cache
        return topology_of(network_of(graph))
