"""What the machine offers: how many devices, how large a chunk of networks suits one, which form
its loops take.

Nothing else in the package asks which backend runs. Chunks are measured on a CPU (see
`chunk_size`); on an accelerator they are bounded by memory alone.
"""

import errno
import os
from pathlib import Path

import jax

from wannjax.common.files import reason_of

_CPU_VALUES_PER_STEP = 1536
"""Values (networks × lanes) that one tape step should produce on a CPU core: enough to hide the
cost of starting an operation, few enough that a chunk ends soon after most of its episodes. 768 run
at 0.98 of the speed, 3072 at 1.04 (`python -m benchmarks.chunks`).
"""

_MEMORY_SHARE = 0.25
"""The share of a device's memory that one chunk may take; the rest is for the population,
temporaries and other programs.
"""

_TEMPORARIES = 32
"""Copies of a genome's bytes that mutating or expressing it takes, at the most."""

_CPU_GENOME_BYTES = 1 << 21
"""Bytes of genomes that a CPU should mutate or express side by side: what is made of them on the
way then stays in its caches and in memory that it has had before. 50 MB at once take twice as long.
"""

_CPU_CACHED_BYTES = 1 << 18
"""Bytes of genomes that leave room in a core's second-level cache for what is made of them: with
weights, 32 of 50 slots side by side are expressed in half the time of 1000.
"""

_UNKNOWN_MEMORY = 8 << 30


def available_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def use_all_cores() -> None:
    """Makes every CPU core a JAX device, so that populations spread over all of them. Call it
    first, before any JAX computation.

    XLA runs the small operations of a rollout on one core, so cores must be devices to be used. The
    command line does this by itself; importing wannjax changes no global setting. Raises
    RuntimeError when JAX has already started its backend.
    """
    jax.config.update("jax_num_cpu_devices", available_cores())


def cache_compilations() -> None:
    """Keeps compiled programs on disk, so that the next start is quick: in
    JAX_COMPILATION_CACHE_DIR, or the user's cache folder; nowhere for a user who has none.

    Raises OSError, and keeps nothing, where that folder cannot be written to.
    """
    named = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    jax.config.update("jax_compilation_cache_dir", None)
    try:
        folder = Path(named or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wannjax")
    except RuntimeError:  # no HOME, and no entry in the list of users
        return
    if "://" not in str(named):  # not the address of a bucket, which JAX takes as well
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    jax.config.update("jax_compilation_cache_dir", named or str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def require_devices() -> None:
    """Starts JAX's backend. Raises ValueError where there is none, as JAX_PLATFORMS=cuda without a
    GPU.
    """
    try:
        jax.local_devices()
    except (RuntimeError, AssertionError) as error:  # of JAX, the latter for a platform of which it has no plugin
        asked = f"JAX_PLATFORMS={platforms}: " if (platforms := os.environ.get("JAX_PLATFORMS")) else ""
        raise ValueError(f"{asked}JAX finds no device to run on ({reason_of(error)})") from None


def local_mesh(axis: str) -> jax.sharding.Mesh:
    """All devices of this process along one axis."""
    devices = jax.local_devices()
    return jax.make_mesh((len(devices),), (axis,), axis_types=(jax.sharding.AxisType.Auto,), devices=devices)


def describe() -> str:
    """One line about the devices in use, such as `2 x cpu` or `4 processes with 8 x NVIDIA A100
    each`.
    """
    devices, processes = jax.local_devices(), jax.process_count()
    kinds = f"{len(devices)} x {devices[0].device_kind}"
    return kinds if processes == 1 else f"{processes} processes with {kinds} each"


def idle_cores() -> int:
    """Cores that a run leaves unused because they are not JAX devices."""
    return max(available_cores() - len(jax.local_devices()), 0) if on_cpu() else 0


def on_cpu() -> bool:
    """Whether computations run on CPU devices."""
    return jax.default_backend() == "cpu"


def on_gpu() -> bool:
    """Whether computations run on GPUs."""
    return jax.default_backend() == "gpu"


def writes_kernels() -> bool:
    """Whether Pallas writes kernels for GPUs by Triton, which later versions of JAX may not. To ask
    is quick, where to import Pallas takes a while.
    """
    return (Path(jax.__file__).parent / "experimental" / "pallas" / "triton.py").exists()


def chunk_size(lanes: int, bytes_each: int) -> int:
    """How many things of so many `lanes` one device should run side by side: networks, or examples
    or copies of one network.

    Args:
        lanes: of each; a network's are weights × episodes, an example's and a copy's are those that
            it adds to a network's.
        bytes_each: what the values (and environment states) of one of them take.
    """
    if on_cpu():
        return max(_CPU_VALUES_PER_STEP // lanes, 1)
    return max(int(_memory() * _MEMORY_SHARE) // bytes_each, 1)


def compiler_options() -> dict[str, str] | None:
    """Options for compiling rollouts. On a CPU, XLA must not split the operations of one device
    over threads: the cores are devices already, and the split alone makes chunks of more than 384
    values half as fast. Nor must it hand their sums to a library, as it does from some 1,000
    values on: then a tape runs at half the speed, too.
    """
    return {"xla_disable_hlo_passes": "cpu-parallel-task-assigner,dot-library-rewriter"} if on_cpu() else None


def genomes_per_chunk(bytes_per_genome: int, *, cached: bool = False) -> int:
    """How many genomes one device should mutate or express side by side: on a CPU as many as its
    caches hold, of the second-level cache with `cached`, for work that reads them in no order; on
    an accelerator all, unless they and their temporaries fill the memory.
    """
    if on_cpu():
        return max((_CPU_CACHED_BYTES if cached else _CPU_GENOME_BYTES) // bytes_per_genome, 1)
    return max(int(_memory() * _MEMORY_SHARE) // (_TEMPORARIES * bytes_per_genome), 1)


def _memory() -> int:
    """Bytes of memory of one device."""
    if on_cpu():
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else _UNKNOWN_MEMORY
    statistics = jax.local_devices()[0].memory_stats() or {}
    return statistics.get("bytes_limit", _UNKNOWN_MEMORY)
