"""What a search needs to know of a task: the contract that every problem fulfils."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int32, Key

from wannjax.graph import default_names
from wannjax.network import ALL_ACTIVATIONS, Network
from wannjax.validation import require


class Evaluation(NamedTuple):
    """The scores of a population over a sweep of shared weights, with the counts that go on record; of the populations of several runs,
    with a leading axis on everything.

    Attributes:
        scores: float32[P, W], higher is better; not finite where the problem gave something else.
        steps: int32[P, W], how many steps (or samples) each score rests on: environment steps that were still alive.
        computed_steps: float32[], all steps that were computed, those of finished episodes and of padding included.
    """

    scores: Float32[Array, "*runs P W"]
    steps: Int32[Array, "*runs P W"]
    computed_steps: Float32[Array, "*runs"]


@runtime_checkable
class Problem(Protocol):
    """A task: it scores networks. A problem of your own subclasses this, with the attributes and `evaluate` at the least.

    Attributes:
        name: for people and for files.
        inputs, outputs: I and O, what the networks must have.
        input_names, output_names: for people.
        output_activation: the name of the activation that suits its outputs.
        metric: what `measure` gives, for people; higher is better.
        stochastic: whether `measure` differs from key to key.
    """

    name: str
    inputs: int
    outputs: int
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    output_activation: str
    metric: str = "score"
    stochastic: bool = True

    def evaluate(
        self, key: Key[Array, ""], networks: Network, weights: Float[Array, " W"], *, episodes: int, among: tuple[int, ...] = ...
    ) -> Evaluation:
        """Scores a population. Every network and every weight sees the same `episodes` episodes (or samples), drawn from `key`.

        `among` are the activation ids that the networks can contain.
        """
        ...

    def measure(
        self, keys: Key[Array, " L"], networks: Network, gain: Float[Array, " L"], *, among: tuple[int, ...] = ...
    ) -> Float32[Array, "P L"]:
        """What reports show of every network on every lane: one episode, or all examples of a data set.

        Args:
            keys: the episode of each lane; equal keys mean equal episodes, for all networks alike.
            networks: P networks; their individual weights, if any, may differ from lane to lane.
            gain: the shared weight of each lane.
        """
        raise NotImplementedError(f"{self.name} has no `measure`, which reports need")

    def evaluate_many(
        self,
        keys: Key[Array, " runs"],
        networks: Network,
        weights: Float[Array, " W"],
        *,
        wanted: Bool[np.ndarray, " runs"],
        episodes: int,
        among: tuple[int, ...] = ALL_ACTIVATIONS,
    ) -> Evaluation:
        """`evaluate` for the populations of several runs, each with its own key, to the same scores. Here one after the other.

        Args:
            networks: P networks a run, with a leading axis for the runs.
            wanted: the runs that are to be scored, at least one; of others everything is 0.
        """
        found: list[Any] = [None] * len(wanted)
        for run in np.flatnonzero(wanted).tolist():
            population = jax.tree.map(lambda leaf, run=run: leaf[run], networks)
            found[run] = self.evaluate(keys[run], population, weights, episodes=episodes, among=among)
        nothing = jax.tree.map(np.zeros_like, next(each for each in found if each is not None))
        return jax.tree.map(lambda *leaves: np.stack(leaves), *(nothing if each is None else each for each in found))

    def split(self, name: str) -> "Problem":
        """This problem for "train", "validation" (to choose) or "test" (to report). Where keys draw fresh episodes: itself."""
        return self

    def score_copies(
        self, key: Key[Array, ""], networks: Network, *, episodes: int, among: tuple[int, ...] = ALL_ACTIVATIONS
    ) -> Float32[Array, " P"]:
        """As `evaluate`, of P copies of one network that differ in their individual weights only."""
        return self.evaluate(key, networks, jnp.ones(1), episodes=episodes, among=among).scores[:, 0]


def check_population(networks: Network, problem: Problem) -> None:
    """Raises ValueError unless `networks` are a population of the sizes that `problem` needs."""
    require("networks", networks, "a population: add a leading axis to a single network", networks.activations.ndim == 2)
    check_sizes(networks, problem)


def check_populations(keys: Array, networks: Network, wanted: np.ndarray, problem: Problem) -> None:
    """Raises ValueError unless `networks` are the populations of as many runs as there are `keys`, of the sizes that `problem` needs."""
    lead = networks.activations.shape[:-2]
    require("networks", f"leading axes {lead}", f"populations of {len(keys)} runs, one for each key", lead == (len(keys),))
    require("wanted", wanted.shape, f"one truth value for each of {len(keys)} runs", wanted.shape == (len(keys),))
    check_sizes(networks, problem)


def alone(function: Callable[..., Any], own: Any, networks: Network, *shared: Any) -> Any:
    """`function` of several runs, (own, networks, *shared, wanted) → results, for a single one: no leading axes."""
    own, networks = jax.tree.map(lambda leaf: leaf[None], (own, networks))
    return jax.tree.map(lambda leaf: leaf[0], function(own, networks, *shared, jnp.ones(1, bool)))


def check_single(network: Network) -> None:
    """Raises ValueError unless `network` is one network."""
    require("network", network, "one network, not a population", network.activations.ndim == 1)


def check_sizes(networks: Network, problem: Problem) -> None:
    """Raises ValueError unless `networks`, one or many, have the inputs and outputs that `problem` needs."""
    require(
        "networks",
        f"{networks.inputs} inputs and {networks.outputs} outputs",
        f"of {problem.inputs} inputs and {problem.outputs} outputs, as {problem.name} needs",
        (networks.inputs, networks.outputs) == (problem.inputs, problem.outputs),
    )


def checked_names(argument: str, names: tuple[str, ...], count: int, default: str) -> tuple[str, ...]:
    """`names`, or default ones where there are none. Raises ValueError unless they are `count`."""
    if not names:
        return default_names(count, default)
    require(argument, names, f"{count} names", len(names) == count)
    return names
