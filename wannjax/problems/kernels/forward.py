"""The forward pass of a population as one kernel, for a GPU that runs environments step by step:
one launch, where XLA launches several for every step of the tape.

Inputs are read where they stand and not brought into the table of values, since an observation may
have hundreds and a network reads few.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import pallas
from jax.experimental.pallas import triton
from jaxtyping import Array, Float32

from wannjax.networks.network import FIRST_INPUT
from wannjax.problems.kernels.cells import LANES, vector
from wannjax.problems.kernels.tape import Tapes, cells, of_network_and_lanes


def forward_in_kernel(
    tapes: Tapes, observations: Float32[Array, "I N L"], gain: Float32[Array, " L"], *, interpret: bool = False
) -> Float32[Array, "O N L"]:
    """The outputs of N networks on L lanes. Traceable, not differentiable.

    Args:
        interpret: have XLA run the kernel, on any device; for tests.
    """
    inputs, count, lanes = observations.shape

    def program(tape, gain, observations, outputs_of, table):
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

    outputs = jax.ShapeDtypeStruct((tapes.outputs, count, lanes), jnp.float32)
    table = jax.ShapeDtypeStruct((count, tapes.rows, tapes.width), jnp.float32)
    return pallas.pallas_call(
        program,
        grid=(count, tapes.width // LANES),
        in_specs=[tapes.specs, pallas.BlockSpec((LANES,), lambda _, b: (b,)), on_lanes(inputs)],
        out_specs=[on_lanes(tapes.outputs), of_network_and_lanes(table)],
        out_shape=[outputs, table],
        interpret=interpret,
        compiler_params=triton.CompilerParams(num_warps=1, num_stages=1),
        name="forward",
    )(tapes.operands, gain, observations)[0]
