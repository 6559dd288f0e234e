"""What a search is to whoever drives it: four functions on a state that it alone looks into.

The driver asks for networks, scores them, tells the scores, and puts the info on record:

    state = algorithm.init(key)
    for _ in range(generations):
        networks = algorithm.ask(state)
        state, info = algorithm.tell(state, scores_of(networks))
        state = algorithm.enlarge(state)

A state is a pytree, so that a checkpoint can hold it; what its arrays do not show, such as
capacities, are static fields of a dataclass.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np
from jaxtyping import Array, Float, Float32, Int32, Key

from wannjax.common.validation import require
from wannjax.networks.network import Network
from wannjax.search.racing import Race


class Info(NamedTuple):
    """What goes on record of a generation that was scored.

    Attributes:
        hidden: int32[P], hidden nodes of every genome.
        connections: int32[P], enabled connections of every genome, those that no output depends on
            included.
        figures: what else the search counts, by name, each a number, such as the species that there
            are; where there are islands, one for each.
    """

    hidden: Int32[Array, " P"]
    connections: Int32[Array, " P"]
    figures: dict[str, Float32[Array, "*islands"] | Int32[Array, "*islands"]]


class Init(Protocol):
    """Begins a search."""

    def __call__(self, key: Key[Array, ""], /) -> Any:
        """The state of the first generation, with room for the next."""
        ...


class Ask(Protocol):
    """What is to be scored."""

    def __call__(self, state: Any, /) -> Network:
        """The P networks of this generation. The same state gives the same ones."""
        ...


class Tell(Protocol):
    """Selects and breeds."""

    def __call__(self, state: Any, scores: Float[Array | np.ndarray, "P W"] | Float[Array | np.ndarray, "P W R"], /) -> tuple[Any, Info]:
        """The next generation's state, given a row of `scores` for every network of this one, and
        what goes on record of this one.

        Higher is better; rows that are not finite rank last. Those of every episode are told only
        to an algorithm that goes by them. Raises ValueError for scores of another shape.
        """
        ...


class Enlarge(Protocol):
    """Makes room between generations; outside of jit, since shapes change."""

    def __call__(self, state: Any, /) -> Any:
        """The same state with capacity for the generation after it: itself where there is
        enough.
        """
        ...


class Algorithm(NamedTuple):
    """A search.

    Attributes:
        init: key → the first state.
        ask: state → networks [P] to be scored.
        tell: (state, scores [P, W]) → the next generation's state, and an `Info` on this one.
        enlarge: state → the same state with room for the next generation.
        activation_ids: those that its networks can contain.
        by_episode: whether `tell` wants the scores of every episode, [P, W, R], where there are any
            (see `Evaluation`).
        race: says, after the first episodes, which networks get the others; of the rest nan is
            told. None: all get all.
    """

    init: Init
    ask: Ask
    tell: Tell
    enlarge: Enlarge
    activation_ids: tuple[int, ...]
    by_episode: bool = False
    race: Race | None = None


def require_scores(scores: Array | np.ndarray, population: int, *, by_episode: bool = False) -> None:
    """Raises ValueError unless there is a row of scores for every genome; of every episode, if they
    may be told `by_episode`.
    """
    fits = scores.ndim in ((2, 3) if by_episode else (2,)) and scores.shape[0] == population and scores.size > 0
    allowed = f"of shape [{population}, number of shared weights{' (, episodes)' if by_episode else ''}]"
    require("scores", scores.shape, allowed, fits)
