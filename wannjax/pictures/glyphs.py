"""What an activation looks like: a colour, and a small picture of its own curve, so that it can be
told without colour.

To change how activations look, edit `COLOURS` and `_REACH`.
"""

from functools import cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from wannjax.networks.activations import NAMES, activate

COLOURS: dict[str, str] = {
    "linear": "#5b6270",
    "step": "#8c510a",
    "sin": "#1f6fb4",
    "gaussian": "#6a3d9a",
    "tanh": "#c0392b",
    "sigmoid": "#a61e61",
    "inverse": "#3a3f4a",
    "abs": "#1b7a43",
    "relu": "#b8600b",
    "cos": "#12777f",
    "square": "#7a6a00",
}
"""By activation; dark enough for a white curve."""

_REACH = {"linear": 1.0, "sin": 1.0, "inverse": 1.0, "abs": 1.0, "relu": 1.0, "cos": 1.5, "square": 1.0, "gaussian": 2.6, "step": 1.0}
"""The part of the x axis that is shown, where it is not from -3 to 3."""

_NEVER_NEGATIVE = {name: -0.45 for name in ("step", "gaussian", "abs", "relu", "square")} | {"sigmoid": -0.08}
"""Where y = 0 is drawn, where it is not in the middle; a sigmoid differs from tanh by standing on
it.
"""


@cache
def curve_of(activation: int) -> tuple[Float[np.ndarray, "points 2"], float]:
    """The curve of an activation, by id, within the unit circle, and the height of its y = 0."""
    reach = _REACH.get(NAMES[activation], 3.0)
    x = np.linspace(-reach, reach, 49, dtype=np.float32)
    y = np.asarray(activate(jnp.full(x.shape, activation), jnp.asarray(x)))
    zero = _NEVER_NEGATIVE.get(NAMES[activation], 0.0)
    scale = (0.5 - zero) / np.abs(y).max()
    return np.stack([0.62 * x / reach, zero + scale * y], axis=1), zero
