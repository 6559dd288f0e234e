"""What a search needs to know of a task: the contract that every problem fulfils."""

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array, Float, Float32, Int32, Key

from wannjax.network import Network


class Evaluation(NamedTuple):
    """The scores of a population over a sweep of shared weights, with the counts that go on record.

    Attributes:
        scores: float32[P, W], higher is better; not finite where the problem gave something else.
        steps: int32[P, W], how many steps (or samples) each score rests on: environment steps that were still alive.
        computed_steps: float32[], all steps that were computed, those of finished episodes and of padding included.
    """

    scores: Float32[Array, "P W"]
    steps: Int32[Array, "P W"]
    computed_steps: Float32[Array, ""]


@runtime_checkable
class Problem(Protocol):
    """A task: it scores networks.

    Attributes:
        name: for people and for files.
        inputs, outputs: I and O, what the networks must have.
        input_names, output_names: for people.
        output_activation: the name of the activation that suits its outputs.
    """

    name: str
    inputs: int
    outputs: int
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    output_activation: str

    def evaluate(
        self, key: Key[Array, ""], networks: Network, weights: Float[Array, " W"], *, episodes: int, among: tuple[int, ...] = ...
    ) -> Evaluation:
        """Scores a population. Every network and every weight sees the same `episodes` episodes (or samples), drawn from `key`.

        `among` are the activation ids that the networks can contain.
        """
        ...
