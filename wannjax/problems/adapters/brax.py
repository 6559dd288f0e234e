"""brax's environments, by their own reset and step: brax's wrappers are left out."""

from typing import Any

from brax import envs

from wannjax.common.validation import require_count
from wannjax.problems.adapters.library import StatefulEnvironment

MAX_STEPS = 1000
"""What brax's own wrapper for episodes has by default."""
_DIFFERENTIABLE = ("generalized", "positional", "spring")
_NAMES = {
    "inverted_pendulum": (("x", "θ", "dx", "dθ"), ("force",)),
    "inverted_double_pendulum": (("x", "sin θ1", "sin θ2", "cos θ1", "cos θ2", "dx", "dθ1", "dθ2"), ("force",)),
}
"""Names of an observation's parts and of the outputs, by environment."""


class BraxEnvironment(StatefulEnvironment):
    """The environment that brax calls `name`, with `options` of its own, such as `backend`."""

    def __init__(self, name: str, *, max_steps: int | None = None, **options: Any):
        self.env, self.name = envs.get_environment(name, **options), f"brax:{name}"
        self.max_steps = MAX_STEPS if max_steps is None else require_count("max_steps", max_steps)
        self.differentiable = self.env.backend in _DIFFERENTIABLE
        observation, _ = self.describe()
        inputs, self.output_names = _NAMES.get(name, ((), ()))
        self.input_names = inputs if len(inputs) == observation.size else self.input_names

    @staticmethod
    def names() -> list[str]:
        return list(envs._envs)
