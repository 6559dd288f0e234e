"""What compiled programs do is read from their text: launches, bytes and waits of XLA's, instructions of a kernel's machine code."""

import pytest

from benchmarks import compiled, kernels
from benchmarks.compiled import Kernel, Loop, Program, Work, instructions_of_loops

PROGRAM = """HloModule jit_f, is_scheduled=true

%body (p: (s32[], f32[8,4])) -> (s32[], f32[8,4]) {
  %p = (s32[], f32[8,4]) parameter(0)
  %x = f32[8,4]{1,0} get-tuple-element(%p), index=1
  %y = f32[8,4]{1,0} fusion(%x), kind=kLoop, calls=%fused
  %z = f32[8,4]{1,0} custom-call(%y), custom_call_target="__gpu$xla.gpu.triton"
  ROOT %t = (s32[], f32[8,4]) tuple(%i, %z)
}

%condition (p: (s32[], f32[8,4])) -> pred[] {
  %p.1 = (s32[], f32[8,4]) parameter(0)
  ROOT %c = pred[] fusion(%p.1), kind=kLoop, calls=%fused.1
}

%inner (q: s32[]) -> s32[] {
  ROOT %q.1 = s32[] copy(%q)
}

ENTRY %main (a: f32[8,4]) -> f32[8,4] {
  %a = f32[8,4]{1,0} parameter(0)
  %b = f32[8,4]{1,0} fusion(%a), kind=kLoop, calls=%fused.2
  %w = (s32[], f32[8,4]) while(%b), condition=%condition, body=%body, metadata={}
  %v = s32[] while(%a), condition=%inner, body=%inner, backend_config={"known_trip_count":{"n":"5"}}
  ROOT %r = f32[8,4]{1,0} get-tuple-element(%w), index=1
}
"""

CODE = """
        /*0000*/                   MOV R1, c[0x0][0x28] ;
.L_x_0:
        /*0010*/                   FADD R1, R1, R2 ;
        /*0020*/                   FADD R1, R1, R2 ;
.L_x_1:
        /*0030*/                   FMUL R1, R1, R2 ;
        /*0040*/              @P0 BRA `(.L_x_2) ;
        /*0050*/                   FMUL R1, R1, R2 ;
        /*0060*/                   FMUL R1, R1, R2 ;
.L_x_2:
        /*0070*/                   FMUL R1, R1, R2 ;
        /*0080*/              @P1 BRA `(.L_x_1) ;
        /*0090*/                   FADD R1, R1, R2 ;
        /*00a0*/              @P2 BRA `(.L_x_0) ;
        /*00b0*/                   EXIT ;
.L_x_3:
        /*00c0*/                   BRA `(.L_x_3);
"""


def test_launches_bytes_and_waits_are_counted_loop_by_loop():
    once, loops = compiled._work(PROGRAM)
    size = 8 * 4 * 4
    assert once == Work(1 + 5 * 2, 2 * size + 5 * 2 * 4, 0)  # copies of one integer, that they read and write
    assert loops == (Loop(1, Work(3, 2 * size + 2 * size + 1 + 4 + size, 1)),)


def test_instructions_are_counted_loop_by_loop():
    """Two and two around the inner loop; in it two, half of the time two more, and two."""
    assert instructions_of_loops(CODE) == (4.0, 5.0)


def test_the_model_takes_the_longest_of_waiting_and_issuing():
    sample = kernels.Sample(tape=10, longest=100, most=200, alive=50, rate=1.0)
    kernel = Kernel("episodes", 64, 0, 0, 0, (100.0, 40.0))
    program = Program(Work(10, 3.35e6, 0), (), 0, (), (kernel,))
    cycles = 4 * 500 + 10 * 2 * 33
    alone = kernels.of_program(program, 1, sample) - (10 * 3e-6 + 1e-6)
    assert alone == pytest.approx(200 * cycles / 1.755e9), "one network waits for itself"
    many = kernels.of_program(program, 1 << 20, sample) - (10 * 3e-6 + 1e-6)
    assert many == pytest.approx((1 << 20) * 100 * 500 / (132 * 4) / 1.755e9), "many keep the schedulers busy"


def test_what_is_missing_is_named():
    found = {name: compiled.missing_packages(name) for name in compiled.MEMORY}
    assert found["H100"] in ([], ["jax_cuda12_plugin", "nvidia-cuda-nvcc-cu12"], ["jax_cuda12_plugin"])
    assert found["v5e"] in ([], ["libtpu"])
