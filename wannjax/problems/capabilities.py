"""What some problems can do beside scoring: who needs it asks for it, and not for a class."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Array, Float32, Int32, Key, Shaped

from wannjax.problems.environment import Transition
from wannjax.problems.problem import Problem


@runtime_checkable
class Episodic(Problem, Protocol):
    """Its scores are returns of episodes, which can be taken step by step. All functions but the
    last four are traceable.

    Attributes:
        environment: see `Environment`.
        params: what the functions are given.
        max_steps: the length of an episode at the most.
        discrete: whether an action is one choice, the greatest output's.
        differentiable: whether gradients flow through its dynamics.
        context_names: the parameters that differ from episode to episode, by name.
    """

    environment: Any
    params: Any
    max_steps: int

    @property
    def discrete(self) -> bool: ...

    @property
    def differentiable(self) -> bool: ...

    @property
    def context_names(self) -> tuple[str, ...]: ...

    def reset(self, keys: Key[Array, " L"], count: int, params: Any) -> tuple[Float32[Array, "I N L"], Any]:
        """The first observations and states of L episodes, the same for each of `count`
        networks.
        """
        ...

    def step(self, keys: Key[Array, " L"], time, state: Any, outputs: Float32[Array, "O N L"], params: Any) -> Transition:
        """One step of N networks × L episodes."""
        ...

    def run_episodes(
        self, act: Callable[[Any, Array], tuple[Any, Array]], memory: Any, keys: Key[Array, " L"], count: int, params: Any
    ) -> tuple[Float32[Array, "N L"], Int32[Array, "N L"], Int32[Array, ""]]:
        """The returns and lengths of whole episodes, and the iterations that they took."""
        ...

    def contexts(self, keys: Key[Array, " L"], params: Any) -> Float32[Array, "L G"]:
        """The values of the parameters in `context_names` in the episodes of `keys`."""
        ...

    def rollout(self, keys: Key[Array, " L"], networks: Any, gain: Float32[Array, " L"], *, activation_ids: tuple[int, ...] = ...) -> Any:
        """One episode of every network on every lane: see `EnvironmentProblem.rollout`."""
        ...

    def with_params(self, params: Any) -> "Episodic":
        """This problem with other parameters of the environment."""
        ...

    def with_gradients(self) -> "Episodic":
        """This problem, with gradients flowing through its dynamics."""
        ...

    def form_in_words(self) -> str:
        """How an episode runs, where there are several ways; empty where there is one."""
        ...


@runtime_checkable
class Supervised(Problem, Protocol):
    """Its scores are minus the mean loss over examples.

    Attributes:
        examples: n inputs [n, I] and targets [n, ...].
        batch: examples of a mini-batch.
        size: n.
        classifies: whether outputs are logits of classes.
        regresses: whether they are the numbers that the targets are.
        example_shape: of one example, before it was flattened: of an image (height, width).
        sequences: how sequences are scored; None where examples are single ones.
    """

    batch: int
    examples: Any
    classifies: bool
    regresses: bool
    example_shape: tuple[int, ...]
    sequences: str | None

    def loss(self, outputs: Float32[Array, " O"], target: Any, /) -> Float32[Array, ""]:
        """The loss of one example."""
        ...

    @property
    def size(self) -> int: ...

    def draw(self, key: Key[Array, ""], examples: Any, count: int) -> Any:
        """`count` of the examples, without repetition."""
        ...

    def split(self, name: str) -> "Supervised":
        """The same problem on its "train", "validation" or "test" examples."""
        ...

    def metric_of(self, outputs: Float32[Array, "B O"], targets: Shaped[Array, "B ..."]) -> Float32[Array, " B"]:
        """What reports show, of every example, given outputs."""
        ...


@runtime_checkable
class Scored(Problem, Protocol):
    """Its score is a function of a key and of what maps observations to outputs.

    Attributes:
        traceable: whether the function is.
    """

    traceable: bool

    def scored(self, key: Key[Array, ""], run: Callable[[Float32[Array, "B I"]], Any]) -> Float32[Array, ""]:
        """The score of what gives outputs [B, O] for observations as `run` does."""
        ...
