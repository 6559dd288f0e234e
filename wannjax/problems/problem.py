"""What a search needs to know of a task: the contract that every problem fulfils."""

import re
from collections.abc import Iterable
from typing import NamedTuple, Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int32, Key

from wannjax.common.validation import require, require_text
from wannjax.common.wording import counted
from wannjax.networks.graph import default_names
from wannjax.networks.network import Network, as_network, is_recurrent
from wannjax.networks.tape import ALL_ACTIVATIONS


class Evaluation(NamedTuple):
    """The scores of a population over a sweep of shared weights, with the counts that go on record.

    Attributes:
        scores: float32[P, W], higher is better; not finite where the problem gave something else.
        steps: int32[P, W], how many steps (or samples) each score rests on: environment steps that
            were still alive.
        computed_steps: float32[], all steps that were computed, those of finished episodes and of
            padding included.
        by_episode: float32[P, W, R], the scores of which those in `scores` are the means: of each
            episode, of data of groups of examples that take turns. None: there are none.
    """

    scores: Float32[Array, "P W"]
    steps: Int32[Array, "P W"]
    computed_steps: Float32[Array, ""]
    by_episode: Float32[Array, "P W R"] | None = None


@runtime_checkable
class Problem(Protocol):
    """A task: it scores networks. A problem of your own subclasses this, with the attributes and
    `evaluate` at the least.

    Attributes:
        name: for people and for files.
        inputs, outputs: I and O, what the networks must have.
        input_names, output_names: for people.
        output_activation: the name of the activation that suits its outputs.
        metric: what `measure` gives, for people; higher is better.
        stochastic: whether `measure` differs from key to key.
        sequential: whether networks are run over time and keep their values from step to step (see
            `networks.tape`), as recurrent ones need.
    """

    name: str
    inputs: int
    outputs: int
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    output_activation: str
    metric: str = "score"
    stochastic: bool = True
    sequential: bool = False

    def evaluate(
        self, key: Key[Array, ""], networks: Network, weights: Float[Array, " W"], *, episodes: int, activation_ids: tuple[int, ...] = ...
    ) -> Evaluation:
        """Scores a population. Every network and every weight sees the same `episodes` episodes (or
        samples), drawn from `key`.

        `activation_ids` are those that the networks can contain.
        """
        ...

    def evaluate_after(
        self,
        key: Key[Array, ""],
        networks: Network,
        weights: Float[Array, " W"],
        first: Float[Array | np.ndarray, "P W"] | Float[Array | np.ndarray, "P W F"],
        *,
        episodes: int,
        activation_ids: tuple[int, ...] = ALL_ACTIVATIONS,
    ) -> Evaluation:
        """As `evaluate`, where the scores over the `first` F of these episodes are known, F >= 0:
        those of every episode, or their means if `evaluate` gives no others. Steps are those that
        are done here.

        This one begins anew. A problem that can leave out episodes has one of its own.
        """
        return self.evaluate(key, networks, weights, episodes=episodes, activation_ids=activation_ids)

    def measure(
        self, keys: Key[Array, " L"], networks: Network, gain: Float[Array, " L"], *, activation_ids: tuple[int, ...] = ...
    ) -> Float32[Array, "P L"]:
        """What reports show of every network on every lane: one episode, or all examples of a data
        set.

        Args:
            keys: the episode of each lane; equal keys mean equal episodes, for all networks alike.
            networks: P networks; their individual weights, if any, may differ from lane to lane.
            gain: the shared weight of each lane.
        """
        raise NotImplementedError(f"{self.name} has no `measure`, which reports need")

    def split(self, name: str) -> "Problem":
        """This problem for "train", "validation" (to choose) or "test" (to report). Where keys draw
        the episodes: itself.
        """
        return self

    def score_copies(
        self, key: Key[Array, ""], networks: Network, *, episodes: int, activation_ids: tuple[int, ...] = ALL_ACTIVATIONS
    ) -> Float32[Array, " P"]:
        """As `evaluate`, of P copies of one network that differ in their individual weights
        only.
        """
        return self.evaluate(key, networks, jnp.ones(1, jnp.float32), episodes=episodes, activation_ids=activation_ids).scores[:, 0]


def is_measurable(problem: Problem) -> bool:
    """Whether reports can be made on `problem`: whether it has a `measure` of its own."""
    return getattr(type(problem), "measure", Problem.measure) is not Problem.measure


def check_population(networks: Network, problem: Problem) -> None:
    """Raises ValueError unless `networks` are a population of the sizes that `problem` needs."""
    require("networks", networks, "a population: add a leading axis to a single network", networks.activations.ndim == 2)
    check_sizes(networks, problem)


def check_single(network: Network) -> None:
    """Raises ValueError unless `network` is one network, and TypeError for what is none."""
    network = as_network(network)
    require("network", network, "one network, not a population", network.activations.ndim == 1)


def check_sizes(networks: Network, problem: Problem) -> None:
    """Raises ValueError unless `networks`, one or many, have the inputs and outputs that `problem`
    needs, and are feed-forward unless it is `sequential`.
    """
    require("networks", "recurrent ones", f"feed-forward for {_timeless(problem)}", problem.sequential or not is_recurrent(networks))
    require(
        "networks",
        f"{counted(networks.inputs, 'input')} and {counted(networks.outputs, 'output')}",
        f"of {counted(problem.inputs, 'input')} and {counted(problem.outputs, 'output')}, as {problem.name} needs",
        (networks.inputs, networks.outputs) == (problem.inputs, problem.outputs),
    )


def require_time(problem: Problem, recurrent: bool) -> None:
    """Raises ValueError for a `recurrent` search on a problem without time."""
    require("recurrent", recurrent, f"False for {_timeless(problem)}", problem.sequential or not recurrent)


def _timeless(problem: Problem) -> str:
    return f"{problem.name}, which has no time steps (environments have, and data of `sequences`)"


def require_single_examples(problem: Problem, what: str) -> None:
    """Raises ValueError for data of sequences, which `what`, such as "explain", does not take."""
    require("problem", problem.name, f"of single examples, and not of sequences, for {what}", problem.stochastic or not problem.sequential)


def checked_names(
    input_names: Iterable[str], output_names: Iterable[str], inputs: int, outputs: int, *, output_kind: str = "output"
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of I inputs and of O outputs; default ones, the outputs' of `output_kind`, where
    there are none.

    Raises ValueError for names that are no strings or of another number, for an empty one, and for
    one that two nodes would share: bias and hidden nodes have names too.
    """
    names = _names("input_names", input_names, inputs, "input"), _names("output_names", output_names, outputs, output_kind)
    first_with: dict[str, str] = {"bias": "the bias"}
    for argument, some in zip(("input_names", "output_names"), names, strict=True):
        for i, name in enumerate(some):
            own = f"{argument}[{i}]"
            other = "a hidden node" if _HIDDEN.fullmatch(name) else first_with.setdefault(name, own)
            require(argument, name, f"names that no two nodes share, not also that of {other}", other == own)
    return names


_HIDDEN = re.compile("hidden [1-9][0-9]*")


def as_names(argument: str, names: Iterable[str]) -> tuple[str, ...]:
    """What is given as names, as a tuple. Raises ValueError for what is no collection of any."""
    require(argument, names, "names in a tuple or a list", isinstance(names, Iterable) and not isinstance(names, str))
    return tuple(names)


def _names(argument: str, names: Iterable[str], count: int, kind: str) -> tuple[str, ...]:
    given = as_names(argument, names) or default_names(count, kind)
    require(argument, given, counted(count, "name"), len(given) == count)
    for i, name in enumerate(given):
        require_text(f"{argument}[{i}]", name)
    return tuple(str(name) for name in given)
