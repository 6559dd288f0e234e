"""The forward pass of a population as one kernel, for a GPU that runs environments step by step:
one launch, where XLA launches several for every step of the tape.

Inputs are read where they stand and not brought into the table of values, since an observation may
have hundreds and a network reads few. The table is scratch, and of recurrent networks what they
remember: then it is handed from one launch to the next, and written in place.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas
from jax.experimental.pallas import triton
from jaxtyping import Array, Float32

from wannjax.networks.tape import FIRST_INPUT
from wannjax.problems.kernels.cells import LANES, vector
from wannjax.problems.kernels.tape import Tapes, cells, of_network_and_lanes


def forward_in_kernel(
    tapes: Tapes,
    table: Float32[Array, "N rows width"] | None,
    observations: Float32[Array, "I N L"],
    gain: Float32[Array, " L"],
    *,
    interpret: bool = False,
) -> tuple[Float32[Array, "N rows width"] | None, Float32[Array, "O N L"]]:
    """The table of values after a time step, and the outputs, of N networks on L lanes. Traceable,
    not differentiable.

    Args:
        table: what the last time step left, 0 before the first. None, and None after it too, of
            networks that do not remember.
        interpret: have XLA run the kernel, on any device; for tests.
    """
    inputs, count, lanes = observations.shape

    def program(tape, gain, observations, before, outputs_of, table):
        del before  # which is the table
        own = pallas.program_id(1) * LANES + lax.iota(jnp.int32, LANES)
        there = own < lanes

        def read(row):
            def observed():
                return triton.load(observations.at[row - FIRST_INPUT, :], mask=there, other=0.0)

            return lax.cond((row >= FIRST_INPUT) & (row < FIRST_INPUT + inputs), observed, lambda: table[row, :])

        table[0, :], table[1, :] = vector(0, jnp.float32), vector(1, jnp.float32)
        lane_gain = cells((1,), jnp.float32, [triton.load(gain.at[:], mask=there, other=0.0)])
        for i, values in enumerate(tapes.run(tape, table, lane_gain, read).values):
            triton.store(outputs_of.at[jnp.int32(i), :], values, mask=there)

    def on_lanes(rows):
        return pallas.BlockSpec((rows, None, LANES), lambda n, b: (0, n, b))

    found = jax.ShapeDtypeStruct((tapes.outputs, count, lanes), jnp.float32)
    of_table = of_network_and_lanes(tapes.table)
    outputs, after = pallas.pallas_call(
        program,
        grid=(count, tapes.width // LANES),
        in_specs=[tapes.specs, pallas.BlockSpec((LANES,), lambda _, b: (b,)), on_lanes(inputs), None if table is None else of_table],
        out_specs=[on_lanes(tapes.outputs), of_table],
        out_shape=[found, tapes.table],
        input_output_aliases={} if table is None else {len(tapes.operands) + 2: 1},
        interpret=interpret,
        compiler_params=triton.CompilerParams(num_warps=1, num_stages=1),
        name="forward",
    )(tapes.operands, gain, observations, table)
    return None if table is None else after, outputs
