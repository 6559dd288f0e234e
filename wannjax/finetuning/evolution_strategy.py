"""Evolution strategies (Salimans et al. 2017, arXiv 1703.03864): a gradient estimated from scores
alone, for any problem.

Every member is scored at pairs of opposite random displacements; the displacements, weighted by the
ranks of their scores among the member's, estimate the gradient, which feeds the optimizer as any
other would.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import optax

from wannjax.common.settings import Settings, count, positive
from wannjax.finetuning.method import Trainer, climber
from wannjax.networks.gradients import Topology, copies
from wannjax.problems.problem import Problem


@dataclass(frozen=True)
class EvolutionStrategy(Settings):
    """Settings of antithetic evolution strategies. Raises ValueError, naming the field, its value
    and what is allowed.
    """

    name = "evolution"
    updates = 1

    pairs: int = count(32, "pairs of opposite displacements, per member")
    deviation: float = positive(0.05, "standard deviation of a displacement")
    episodes: int = count(8, "episodes of each displacement, the same for all; mini-batches for data")
    learning_rate: float = positive(0.03, "of Adam, where no optimizer is given")

    def trainer(self, problem: Problem, topology: Topology, optimizer: optax.GradientTransformation) -> Trainer:
        def climb(key, weights):
            noise_key, episode_key = jax.random.split(key)
            displacements, networks = _displace(noise_key, weights, topology, self.pairs, self.deviation)
            scores = score(episode_key, networks)
            return _estimate(displacements, scores, self.deviation)

        score = partial(problem.score_copies, episodes=self.episodes, activation_ids=topology.activation_ids)
        return climber(climb, optimizer)


# Compiled once for all trainings of the same settings and sizes.


@partial(jax.jit, static_argnames=("pairs", "deviation"))
def _displace(key, weights, topology, pairs, deviation):
    half = deviation * jax.random.normal(key, (weights.shape[0], pairs, weights.shape[1]), jnp.float32)
    displacements = jnp.concatenate([half, -half], axis=1)
    displaced = (weights[:, None] + displacements).reshape(-1, weights.shape[1])
    return displacements, copies(topology, displaced)


@partial(jax.jit, static_argnames="deviation")
def _estimate(displacements, scores, deviation):
    scores = scores.reshape(displacements.shape[:2])
    # Ranks from -0.5 to 0.5. Equal scores share theirs, so that a plateau gives no gradient.
    comparable = jnp.where(jnp.isfinite(scores), scores, -jnp.inf)
    own, other = comparable[:, :, None], comparable[:, None]
    utilities = (jnp.sum(own > other, axis=2) - jnp.sum(own < other, axis=2)) / (2 * (scores.shape[1] - 1))
    gradient = jnp.mean(utilities[..., None] * displacements, axis=1) / deviation**2
    return gradient, jnp.mean(scores, axis=1)
