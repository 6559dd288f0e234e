"""Which examples of a data set are for training, which for choosing among networks, and which for
reports.
"""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float32, Shaped

from wannjax.common.keys import Purpose, generator_of
from wannjax.common.validation import plain, require
from wannjax.common.wording import counted

SPLITS = ("train", "validation", "test")
VALIDATION = 0.2
"""The share of the examples that is kept for choosing, unless another one is given."""
FEW = 20
"""Of fewer examples none is kept: they are a truth table, or too few to spare any."""


class Examples(NamedTuple):
    """n examples.

    Attributes:
        inputs: float32[n, I]; of sequences float32[n, T, I].
        targets: [n, ...]; for cross-entropy the probability of each class, float32[n, O].
    """

    inputs: Float32[Array, "n *T I"]
    targets: Shaped[Array, "n ..."]


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


def split_of(inputs: np.ndarray, targets: np.ndarray, validation: float | None, seed: int) -> dict[str, Examples]:
    """The examples of each split, of which "test" is that for validation."""
    held_out = held_out_of("validation", validation, len(inputs))
    if held_out == 0:
        return dict.fromkeys(SPLITS, examples_of(inputs, targets))
    order = generator_of(seed, Purpose.SPLIT).permutation(len(inputs))
    kept = examples_of(inputs[order[:held_out]], targets[order[:held_out]])
    return {"train": examples_of(inputs[order[held_out:]], targets[order[held_out:]]), "validation": kept, "test": kept}


def examples_of(inputs: np.ndarray, targets: np.ndarray) -> Examples:
    return Examples(jax.device_put(inputs), jax.device_put(targets))
