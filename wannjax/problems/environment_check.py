"""Whether an environment keeps to its contract: its functions are evaluated once, abstractly,
before anything is compiled.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from wannjax.common.files import reason_of
from wannjax.common.keys import Purpose, key_of
from wannjax.common.validation import require, require_count, require_text, require_type
from wannjax.problems.environment import Transition
from wannjax.problems.spaces import ActionSpace, Box

_NEEDED = ("name", "inputs", "actions", "max_steps", "params", "reset", "step")
_KINDS = {"f": "floats", "b": "bools"}


def checked_shapes(environment: Any) -> tuple[Any, Any]:
    """The shapes of an observation and of a state of `environment`.

    Raises ValueError, in words of the contract, for what is no environment and for what does not
    keep to it, and TypeError for a class.
    """
    require_type("environment", environment, "an Environment", not isinstance(environment, type))
    missing = [name for name in _NEEDED if not hasattr(environment, name)]
    wanted = f"an Environment with {', '.join(missing)} (gymnax's go into GymnaxProblem)"
    require("environment", environment, wanted, not missing)
    name, actions, max_steps = environment.name, environment.actions, environment.max_steps
    require_text("name", name)
    require_count("inputs", environment.inputs)
    require_count("max_steps", max_steps)
    wanted = "a Discrete, a MultiDiscrete, a MultiBinary or a Box"
    require("actions", actions, wanted, isinstance(actions, ActionSpace))
    real = isinstance(actions, Box) and not actions.integral
    require("differentiable", f"True with {actions!r}", "False where actions are not real", real or not environment.differentiable)

    def reset(key):
        return environment.reset(key, environment.params)

    def step(key, state, outputs):
        return environment.step(key, state, actions.action(outputs), environment.params)

    def evaluated(function: str, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            with jax.numpy_rank_promotion("allow"):  # which is nothing of the contract
                return jax.eval_shape(call, *arguments)
        except Exception as error:  # whatever a user's code raises
            raise ValueError(f"environment: {function} of {name} fails: {reason_of(error)}") from error

    key = key_of(0, Purpose.ABSTRACT)
    start = evaluated("reset", reset, key)
    pair = isinstance(start, tuple) and len(start) == 2
    require("environment", f"{name} with {_kind(start)}", "one whose reset returns an observation and a state", pair)
    observation, state = start
    after = evaluated("step", step, key, state, jax.ShapeDtypeStruct((actions.outputs,), jnp.float32))
    require("environment", f"{name} with {_kind(after)}", "one whose step returns a wannjax.Transition", isinstance(after, Transition))
    for part, found, shape, kind in (
        ("observation of its reset", observation, (environment.inputs,), "f"),
        ("observation of its step", after.observation, (environment.inputs,), "f"),
        ("reward", after.reward, (), "f"),
        ("terminated", after.terminated, (), "b"),
        ("truncated", after.truncated, (), "b"),
    ):
        fits = getattr(found, "shape", None) == shape and found.dtype.kind == kind
        require("environment", f"{name} with {_plain(found)}", f"one whose {part} has shape {list(shape)} and holds {_KINDS[kind]}", fits)
    before, behind = _plain(state), _plain(after.state)
    require("environment", f"{name} with {behind}", f"one whose step keeps the shapes and types of the state, {before}", before == behind)
    return observation, state


def _kind(result: Any) -> str:
    """What a function returned, in short."""
    return f"a {type(result).__name__}" + (f" of {len(result)}" if isinstance(result, tuple) else "")


def _plain(tree: Any) -> str:
    """Shapes and types of a pytree, in short."""
    return str(jax.tree.map(lambda leaf: f"{leaf.dtype}{list(leaf.shape)}", tree))
