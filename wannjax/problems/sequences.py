"""Networks on series of observations, whose values live on from one to the next."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32, Shaped

LAST, ALL = "last", "all"
"""Which outputs of a sequence are scored: those after the last observation, or after each."""

Run = Callable[[Array, Array], tuple[Array, Array]]
"""(values, observations [I, B] of one time step) → values, outputs."""


def over_time(
    run: Run, score: Callable[[Array, Array], Array], values: Array, observations: Float32[Array, "T I B"], targets: Shaped[Array, "B ..."]
) -> Array:
    """The scores of sequences by their last outputs. `score` is (outputs, targets) → scores.
    Traceable.
    """
    values, _ = lax.scan(lambda values, seen: (run(values, seen)[0], None), values, observations[:-1])
    return score(run(values, observations[-1])[1], targets)


def at_each_time(
    run: Run,
    score: Callable[[Array, Array], Array],
    values: Array,
    observations: Float32[Array, "T I B"],
    targets: Shaped[Array, "B T ..."],
) -> Array:
    """As `over_time`, the mean of the scores after each observation."""
    by_time = jnp.moveaxis(targets, 1, 0)

    def step(carry, now):
        values, total = carry
        values, outputs = run(values, now[0])
        return (values, total + score(outputs, now[1])), None

    values, outputs = run(values, observations[0])
    (_, total), _ = lax.scan(step, (values, score(outputs, by_time[0])), (observations[1:], by_time[1:]))
    return total / len(observations)
