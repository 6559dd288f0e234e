"""One step of an episode on lanes, and whether it fits into a kernel.

What does not fit runs step by step by XLA. To let more of it in, give `moves` or `arithmetic` the
rule that is missing, or raise a limit here if a GPU's compiler copes (`episode`).
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from wannjax.common import devices
from wannjax.common.keys import Purpose, key_of
from wannjax.problems.environment import Environment, Tally, led_to
from wannjax.problems.kernels.cells import Cells, UnfitError, is_key, vectors_of
from wannjax.problems.kernels.lanes import OnLanes

MOST_REGISTERS = 64
"""Cells of a state and an observation, at the most: each is a register of every thread."""

MOST_OPERATIONS = 6000
"""Operations of one step of an environment, at the most: more take long to compile."""


class StepTypes(NamedTuple):
    """The shapes and types of what a step is given, in the order of its arguments."""

    key: Any
    time: Any
    tally: Any
    state: Any
    outputs: Any
    params: Any


def step_on_lanes(environment: Environment, key: Any, state: Any, params: Any, *, polynomials: bool) -> tuple[OnLanes, StepTypes]:
    """One step of one episode: (key, time, tally, state, outputs, params) → tally, observation,
    state.

    Args:
        key, state, params: of one episode, or their shapes and types.
        polynomials: see `EnvironmentProblem`.
    """
    key, state, params = jax.eval_shape(lambda *trees: trees, key, state, params)
    tally = jax.eval_shape(lambda: Tally(jnp.bool_(True), jnp.float32(0), jnp.int32(0)))
    outputs = jax.ShapeDtypeStruct((environment.actions.outputs,), jnp.float32)
    types = StepTypes(key, jax.ShapeDtypeStruct((), jnp.int32), tally, state, outputs, params)
    return OnLanes(partial(_advance, environment, polynomials), *types), types


def _advance(environment: Environment, polynomials: bool, key, time, tally: Tally, state, outputs, params):
    after = led_to(environment, jax.random.fold_in(key, time), state, outputs, params, polynomials=polynomials)
    return tally.after(after), after.observation, after.state


def obstacle(environment: Environment, *, polynomials: bool = True) -> str:
    """Why episodes of `environment` do not fit into a kernel, in words; empty where they do."""
    if not devices.writes_kernels():
        return "this JAX writes no kernels by Triton"
    key, params = key_of(0, Purpose.ABSTRACT), environment.params

    def on_vectors(state):
        on_lanes, types = step_on_lanes(environment, key, state, params, polynomials=polynomials)
        return [vectors_of(leaf) for leaf in jax.tree.leaves(on_lanes(*jax.tree.map(_zeros, types)))]

    with jax.numpy_rank_promotion("allow"):  # which has no part in what fits
        observation, state = jax.eval_shape(environment.reset, key, params)
        cells = sum(leaf.size for leaf in jax.tree.leaves((observation, state)))
        if cells > MOST_REGISTERS:
            return f"state and observation have {cells} cells, more than {MOST_REGISTERS}"
        try:
            operations = len(jax.make_jaxpr(on_vectors)(state).eqns)
        except UnfitError as unfit:
            return f"a step needs {unfit}"
    return f"a step takes {operations} operations, more than {MOST_OPERATIONS}" if operations > MOST_OPERATIONS else ""


def form_of(reason: str | None) -> str:
    """The form that episodes take on a GPU, given their `obstacle`; None is that of other devices.
    See `EnvironmentProblem`.
    """
    if reason is None or not devices.writes_kernels():
        return "XLA"
    return "forward kernel" if reason else "episode kernel"


def in_words(reason: str) -> str:
    """How an episode runs on a GPU, in words, given its `obstacle`."""
    return f"step by step: {reason}" if reason else "as one kernel"


def _zeros(leaf: Any) -> Cells:
    return Cells(leaf.shape, leaf.dtype, ((0, 0) if is_key(leaf.dtype) else 0,) * leaf.size)
