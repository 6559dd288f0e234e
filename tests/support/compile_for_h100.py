"""Compiles a generation's rollouts for an H100, by XLA's and NVIDIA's own compilers and without a GPU: what becomes of each problem that
is named on the command line, a line of JSON each.

Needs jax-cuda12-plugin and nvidia-cuda-nvcc-cu12.
"""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

POPULATION, STEPS, EPISODES, WEIGHTS = 1024, 64, 4, 6
CUDA = Path(next(iter(find_spec("nvidia.cuda_nvcc").submodule_search_locations)))


def compiled(name: str, target) -> str:
    """The scheduled program of a generation."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import SingleDeviceSharding

    import wannjax

    def shaped(shape, dtype):
        return jax.ShapeDtypeStruct(shape, dtype, sharding=SingleDeviceSharding(target))

    problem = wannjax.make(name)
    steps = STEPS + problem.outputs
    tapes = shaped((POPULATION, steps, 3), jnp.int32), shaped((POPULATION, steps), jnp.int8), shaped((POPULATION,), jnp.int32)
    networks = wannjax.Network(*tapes, None, problem.inputs, problem.outputs)

    def evaluate(words, networks, weights, params):
        key = jax.random.wrap_key_data(words)
        return problem.with_params(params).evaluate(key, networks, weights, episodes=EPISODES, activation_ids=tuple(range(1, 11)))

    arguments = shaped((2,), jnp.uint32), networks, shaped((WEIGHTS,), jnp.float32), problem.params
    return jax.jit(evaluate).lower(*arguments).compile().as_text()


def assembled(dump: Path) -> dict[str, int]:
    """What the assembler says of the kernel of episodes."""
    (path,) = (path for path in dump.glob("*.ptx") if ".entry episodes" in path.read_text())
    text = path.read_text()
    command = [CUDA / "bin" / "ptxas", "-arch=sm_90a", "-v", path, "-o", os.devnull]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    said = said[said.index("'episodes'") :]
    stack, stores, loads = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", said).groups()
    return {
        "registers": int(re.search(r"Used (\d+) registers", said)[1]),
        "stack_bytes": int(stack),
        "spilled_bytes": int(stores) + int(loads),
        "ptx_lines": len(text.splitlines()),
        "shared_columns": len(re.findall(r"(?:ld|st)\.global\.v\d|bar\.sync|shared", text)),
    }


def main(names: list[str]) -> None:
    for name in [name for name in os.environ if name.startswith("JAX_")]:  # those of tests, which compile quickly and keep programs
        del os.environ[name]
    with TemporaryDirectory() as dump:
        os.environ.update(CUDA_VISIBLE_DEVICES="-1", JAX_SKIP_CUDA_CONSTRAINTS_CHECK="1", JAX_PLATFORMS="cpu")
        os.environ["XLA_FLAGS"] = f"--xla_gpu_autotune_level=0 --xla_gpu_cuda_data_dir={CUDA} --xla_dump_to={dump}"
        from jax.experimental import topologies

        from wannjax.common import devices

        devices.on_cpu, devices.on_gpu = lambda: False, lambda: True
        config = Path(__file__).with_name("h100.pbtxt").read_text()
        (target,) = topologies.get_topology_desc(platform="cuda", target_config=config, topology="1x1x1").devices
        for name in names:
            for path in Path(dump).glob("*.ptx"):
                path.unlink()
            program = compiled(name, target)
            launches = re.findall(r" (?:custom-call|fusion|copy|sort|dynamic-slice|dynamic-update-slice)\(", program)
            kernels = program.count('custom_call_target="__gpu$xla.gpu.triton"')
            counts = {"kernels": kernels, "loops": program.count(" while("), "launches": len(launches)}
            print(json.dumps({"name": name, **counts, **assembled(Path(dump))}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
