"""A program with a loop of its own: it scores copies of a network on all cores, beside an operation that takes their threads."""

import sys

import jax
import jax.numpy as jnp

import wannjax
from wannjax.networks.gradients import copies, topology_of
from wannjax.networks.graph import Connection, Graph, network_of

HIDDEN = 9


@jax.jit
def ask(key, covariance):
    values, vectors = jnp.linalg.eigh(covariance)
    return jax.random.normal(key, (64, len(covariance))) @ (vectors * jnp.sqrt(jnp.maximum(values, 1e-3)))


@jax.jit
def tell(covariance, members, scores):
    weights = jax.nn.softmax(scores / 100)
    return 0.9 * covariance + 0.1 * (members * weights[:, None]).T @ members


def main(iterations: int) -> None:
    wannjax.use_all_cores() if len(sys.argv) < 3 else jax.config.update("jax_num_cpu_devices", int(sys.argv[2]))
    problem = wannjax.make("CartPoleSwingUp-v0")
    hidden = range(6, 6 + HIDDEN)
    connections = [Connection(source, target) for target in hidden for source in range(5)] + [Connection(h, 6 + HIDDEN) for h in hidden]
    topology = topology_of(network_of(Graph(("x", "dx", "cos", "sin", "dθ"), ("force",), (5,) * (HIDDEN + 1), tuple(connections))))
    covariance = jnp.eye(topology.connections)
    for i in range(iterations):
        members = ask(jax.random.key(i), covariance)
        scores = problem.score_copies(jax.random.key(i), copies(topology, members), episodes=16, activation_ids=topology.activation_ids)
        covariance = tell(covariance, members, scores)
    print("ended", topology.connections, bool(jnp.all(jnp.isfinite(covariance))))


if __name__ == "__main__":
    main(int(sys.argv[1]))
