"""The action spaces of other libraries, by what they have and not by their class: gymnax's and
gymnasium's have the same attributes.
"""

from typing import Any

import numpy as np

from wannjax.common.validation import require
from wannjax.problems.spaces import ActionSpace, Box, Discrete, MultiBinary, MultiDiscrete


def action_space_of(space: Any, name: str) -> ActionSpace:
    """The action space that `space` of the environment `name` is.

    Raises ValueError, naming both, for anything but a Discrete, a MultiDiscrete, a MultiBinary or a
    Box, such as a Dict or a Tuple of spaces.
    """
    described = f"{name} with {' '.join(repr(space).split())}"
    wanted = "an environment whose action space is a Discrete, a MultiDiscrete, a MultiBinary or a Box"
    require("env", described, wanted, any(hasattr(space, part) for part in ("nvec", "n", "low")))
    try:
        return _translated(space)
    except ValueError as error:
        raise ValueError(f"env: {described} has no action space that a network can choose from ({error})") from error


def _translated(space: Any) -> ActionSpace:
    if hasattr(space, "nvec"):
        return MultiDiscrete(space.nvec, space.dtype, getattr(space, "start", 0))
    if hasattr(space, "n"):
        if space.shape == ():
            return Discrete(int(space.n), space.dtype, int(getattr(space, "start", 0)))
        return MultiBinary(tuple(space.shape), space.dtype)
    low, high = (np.broadcast_to(np.asarray(bound), space.shape) for bound in (space.low, space.high))
    return Box(low, high, space.dtype)
