"""Which examples of a data set are for training, which for choosing among networks, and which for
reports; and which of them are drawn.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32, Key, Shaped

from wannjax.common.keys import Purpose, generator_of
from wannjax.common.validation import plain, require
from wannjax.common.wording import counted

SPLITS = ("train", "validation", "test")
VALIDATION = 0.2
"""The share of the examples that is kept for choosing, unless another one is given."""
FEW = 20
"""Of fewer examples none is kept: they are a truth table, or too few to spare any."""
MOST_PERMUTED = 1 << 14
"""Up to so many examples some are drawn by a permutation of all."""


Validation = float | Sequence[bool] | np.ndarray | None
"""The share of the examples that is kept for choosing, or for each of them whether it is."""


class Examples(NamedTuple):
    """n examples.

    Attributes:
        inputs: float32[n, I]; of sequences float32[n, T, I].
        targets: [n, ...]; for cross-entropy the probability of each class, float32[n, O].
    """

    inputs: Float32[Array, "n *T I"]
    targets: Shaped[Array, "n ..."]


def is_share(validation: Validation) -> TypeGuard[float | None]:
    """Whether it is no choice of examples one by one."""
    return not isinstance(validation, Sequence | np.ndarray | jax.Array) or isinstance(validation, str) or np.ndim(validation) == 0


def require_share(name: str, validation: float | None) -> None:
    """Raises ValueError unless `validation` is a share of examples to keep, or None."""
    found = plain(validation)
    require(name, validation, "None or in [0, 1)", found is None or (isinstance(found, int | float) and 0 <= found < 1))


def held_out_of(name: str, validation: float | None, examples: int, kind: str = "example") -> int:
    """How many of so many examples, for people of that `kind`, a share keeps from training. Raises
    ValueError where it keeps none or all.
    """
    if validation is None:
        validation = VALIDATION if examples >= FEW else 0
    count = round(validation * examples)
    allowed = f"0, or a share that keeps some of {counted(examples, kind)} and leaves some"
    require(name, validation, allowed, validation == 0 or 0 < count < examples)
    return count


def split_of(inputs: np.ndarray, targets: np.ndarray, validation: Validation, seed: int) -> dict[str, Examples]:
    """The examples of each split, of which "test" is that for validation. Raises ValueError where
    that or the training split would be empty.
    """
    count = len(inputs)
    if is_share(validation):
        require_share("validation", validation)
        held_out = held_out_of("validation", validation, count)
        if held_out == 0:
            return dict.fromkeys(SPLITS, examples_of(inputs, targets))
        order = generator_of(seed, Purpose.SPLIT).permutation(count)
        kept, others = order[:held_out], order[held_out:]
    else:
        chosen = np.asarray(validation)
        fits = chosen.dtype == bool and chosen.shape == (count,) and len(np.unique(chosen)) == 2
        require("validation", validation, f"None, in [0, 1), or for each of {counted(count, 'example')} a bool, not all equal", fits)
        kept, others = np.flatnonzero(chosen), np.flatnonzero(~chosen)
    validating = examples_of(inputs[kept], targets[kept])
    return {"train": examples_of(inputs[others], targets[others]), "validation": validating, "test": validating}


def examples_of(inputs: np.ndarray, targets: np.ndarray) -> Examples:
    return Examples(jax.device_put(inputs), jax.device_put(targets))


def sample(key: Key[Array, ""], size: int, count: int) -> Int32[Array, " count"]:
    """`count` different numbers below `size`, of which there must be so many, each drawn equally
    often. Traceable.

    Of many, a permutation of all costs more than scoring those drawn: 38 ms of 54,000 on a CPU. So
    the circle of all is cut into `count` equal parts, from a random place on, of which each gives
    one: near numbers are seldom drawn together.
    """
    if size <= MOST_PERMUTED:
        return jax.random.choice(key, size, (count,), replace=False)
    turn, within = jax.random.split(key)
    cuts = np.arange(count + 1) * size // count
    first = jax.random.randint(turn, (), 0, size, jnp.int32)
    chosen = jax.random.randint(within, (count,), cuts[:-1].astype(np.int32), cuts[1:].astype(np.int32), jnp.int32)
    return (first + chosen) % size
