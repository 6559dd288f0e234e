"""MuJoCo Playground's environments, by their own reset and step, computed by JAX: Playground's
wrappers, and its other implementation, which runs on NVIDIA's GPUs only, are left out.
"""

from typing import Any

from mujoco_playground import dm_control_suite, registry
from mujoco_playground._src import mjx_env

from wannjax.common.validation import require, require_count
from wannjax.problems.adapters.library import StatefulEnvironment

_CART_POLE = ("x", "cos θ", "sin θ", "dx", "dθ"), ("force",)
_NAMES = {name: _CART_POLE for name in ("CartpoleBalance", "CartpoleBalanceSparse", "CartpoleSwingup", "CartpoleSwingupSparse")}
"""Names of an observation's parts and of the outputs, by environment."""


class PlaygroundEnvironment(StatefulEnvironment):
    """The environment that Playground calls `name`; `options` override entries of its
    configuration.

    Raises ValueError where the robots are needed, which Playground would download.
    """

    def __init__(self, name: str, *, max_steps: int | None = None, **options: Any):
        there = name in dm_control_suite.ALL_ENVS or mjx_env.MENAGERIE_PATH.exists()
        wanted = "one whose files are there; mujoco_playground._src.mjx_env.ensure_menagerie_exists() downloads those of robots"
        require("name", name, wanted, there)
        config = registry.get_default_config(name)
        self.env = registry.load(name, config_overrides={"impl": "jax", **options})
        self.name = f"playground:{name}"
        self.max_steps = require_count("max_steps", config.episode_length if max_steps is None else max_steps)
        inputs, self.output_names = _NAMES.get(name, ((), ()))
        self.describe()
        self.input_names = inputs or self.input_names

    @staticmethod
    def names() -> list[str]:
        return list(registry.ALL_ENVS)
