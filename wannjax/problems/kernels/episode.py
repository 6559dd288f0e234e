"""Whole episodes in one kernel, for a GPU: one launch, where XLA launches hundreds of kernels for
every step of the environment.

One program, a warp, runs one network on 32 lanes, from reset to the end of its last lane:

    registers, a thread a lane              memory, a column a lane
    ┌───────────────────────────────┐       ┌─────────────────────────┐
    │ state, tally, the observation ├──────▶│ 0                       │
    │      ▲                        │       │ 1, the bias             │
    │      │ step: traced, on lanes │       │ observation             │
    │      │                        │       │ steps of the tape       │
    │      └────────────────────────┼───────┤ outputs                 │
    └───────────────────────────────┘       └─────────────────────────┘
      again while a lane is alive             see `tape`

Lanes beyond the last are never alive.

No environment is described here: its step is traced, and evaluated on lanes (see `step` and
`lanes`).
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas
from jax.experimental.pallas import triton
from jaxtyping import Array, Float32, Int32, Key

from wannjax.networks.network import Network
from wannjax.networks.tape import FIRST_INPUT
from wannjax.problems.environment import Environment
from wannjax.problems.kernels.cells import LANES, Cells, is_key, keys_of, vector, vectors_of
from wannjax.problems.kernels.step import step_on_lanes
from wannjax.problems.kernels.tape import Tapes, cells, of_all, of_lanes, of_network_and_lanes


def run_episodes(
    environment: Environment,
    networks: Network,
    observations: Float32[Array, "I L"],
    state: Any,
    keys: Key[Array, " L"],
    gain: Float32[Array, " L"],
    params: Any,
    *,
    max_steps: int,
    activation_ids: tuple[int, ...],
    polynomials: bool,
    interpret: bool = False,
) -> tuple[Float32[Array, "N L"], Int32[Array, "N L"], Float32[Array, ""]]:
    """Episodes of N networks on L lanes. Traceable.

    Args:
        observations, state: what the episode of each lane starts with; the state's leaves have the
            leading axis L.
        polynomials: see `EnvironmentProblem`.
        interpret: have XLA run the kernel, on any device; for tests.

    Returns the returns, the lengths, and how many steps of an environment were computed, those of
    lanes that have ended or only fill up a warp included.
    """
    lanes, count = len(gain), networks.activations.shape[0]
    tapes = Tapes(networks, lanes, activation_ids)
    blocks = tapes.width // LANES

    key_type, state_type = jax.eval_shape(partial(jax.tree.map, lambda leaf: leaf[0]), (keys, state))
    advance_on_lanes, types = step_on_lanes(environment, key_type, state_type, params, polynomials=polynomials)
    needs_key, *_, needed_params = advance_on_lanes.used
    observation_type = _type((networks.inputs,), jnp.float32)
    start_type = (_type((1,), jnp.float32), key_type if needs_key else None, observation_type, state_type)
    carried_type = (types.tally, observation_type, state_type)

    def program(tape, start, params, returns_of, steps_of, table):
        gain, key, observation, state = _read(start, start_type)
        params = _read(params, types.params)

        def running(carry):
            time, ((alive,), *_) = carry
            return (time < max_steps) & (jnp.max(lax.select(alive, vector(1, jnp.int32), vector(0, jnp.int32))) > 0)

        def advance(carry):
            time, vectors = carry
            tally, observation, state = _restored(vectors, carried_type)
            for row, value in enumerate(observation.values, FIRST_INPUT):
                table[row, :] = value
            outputs = tapes.run(tape, table, gain)
            after = advance_on_lanes(key, cells((), jnp.int32, [time]), tally, state, outputs, params)
            return time + 1, list(map(vectors_of, jax.tree.leaves(after)))

        tapes.begin(table)
        lane = pallas.program_id(1) * LANES + lax.iota(jnp.int32, LANES)
        tally = (cells((), jnp.bool_, [lane < lanes]), *(cells((), dtype, [0]) for dtype in (jnp.float32, jnp.int32)))
        first = list(map(vectors_of, jax.tree.leaves((tally, observation, state))))
        _, (_, (returns,), (steps,), *_) = lax.while_loop(running, advance, (jnp.int32(0), first))
        returns_of[:], steps_of[:] = returns, steps

    starts = (gain[:, None], keys if needs_key else None, observations.T, state)
    start = [_in_rows(leaf, tapes.width) for leaf in jax.tree.leaves(starts)]
    lines = [_in_line(leaf) if needed else None for leaf, needed in zip(*map(jax.tree.leaves, (params, needed_params)), strict=True)]
    results = [*(_type((count, tapes.width), dtype) for dtype in (jnp.float32, jnp.int32)), tapes.table]
    returns, steps, _ = pallas.pallas_call(
        program,
        grid=(count, blocks),
        in_specs=[tapes.specs, jax.tree.map(of_lanes, start), jax.tree.map(of_all, lines)],
        out_specs=list(map(of_network_and_lanes, results)),
        out_shape=results,
        interpret=interpret,
        compiler_params=triton.CompilerParams(num_warps=1, num_stages=1),
        name="episodes",
    )(tapes.operands, start, lines)
    computed = LANES * jnp.sum(jnp.max(steps.reshape(count, blocks, LANES), axis=2), dtype=jnp.float32)
    return returns[:, :lanes], steps[:, :lanes], computed


def _type(shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)


def _restored(vectors: list[list[Any]], types: Any) -> Any:
    """The pytree of cells that has these vectors."""
    leaves, form = jax.tree.flatten(types)
    return jax.tree.unflatten(form, [Cells(leaf.shape, leaf.dtype, tuple(own)) for leaf, own in zip(leaves, vectors, strict=True)])


# Arrays on their way into a kernel: in rows of lanes, or in a line if all lanes have the same.


def _words(leaf: Any) -> Array:
    """What memory holds of an array: bools as integers, keys as their words."""
    leaf = jax.random.key_data(leaf) if is_key(jnp.result_type(leaf)) else jnp.asarray(leaf)
    return leaf.astype(jnp.int32) if leaf.dtype == bool else leaf


def _in_rows(leaf: Array, width: int) -> Array | None:
    """[cells, width] of [L, ...]: the last lane is repeated. None for no cells."""
    words = _words(leaf)
    return jnp.pad(words.reshape(len(words), -1).T, ((0, 0), (0, width - len(words))), mode="edge") if words.size else None


def _in_line(leaf: Any) -> Array | None:
    """[cells] of an array. None for no cells."""
    words = _words(leaf)
    return words.reshape(-1) if words.size else None


def _read(lines: list[Any], types: Any) -> Any:
    """The pytree of cells that memory holds; None where it was not brought in."""
    leaves, form = jax.tree.flatten(types)
    return jax.tree.unflatten(form, [_read_leaf(line, leaf) for line, leaf in zip(lines, leaves, strict=True)])


def _read_leaf(line: Any, leaf: Any) -> Cells | None:
    if leaf.size == 0:
        return Cells(leaf.shape, leaf.dtype, ())
    if line is None:
        return None
    vectors = [vector(line[i], line.dtype) for i in range(line.shape[0])]
    if is_key(leaf.dtype):
        return keys_of(cells((*leaf.shape, 2), jnp.uint32, vectors), leaf.dtype)
    return cells(leaf.shape, leaf.dtype, [each != vector(0, each.dtype) for each in vectors] if leaf.dtype == bool else vectors)
