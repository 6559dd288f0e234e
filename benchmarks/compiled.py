"""Programs compiled for an accelerator by the compilers that belong to it, on a machine that has
none: what they launch there, what memory they take, and what a kernel's threads execute.

For an H100 that needs jax-cuda12-plugin (of JAX's own version), nvidia-cuda-nvcc-cu12, and for
instructions nvidia-cuda-nvdisasm; for a TPU v5e libtpu (see `docs/accelerators.md`).
"""

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest.mock import patch

import jax
from jax.experimental import topologies
from jax.sharding import SingleDeviceSharding

from wannjax.common import devices

GIB = 1 << 30
MEMORY = {"H100": 80 * GIB, "v5e": 16 * GIB}
"""Bytes of each accelerator that programs can be compiled for."""

_NEEDS = {"H100": ("jax_cuda12_plugin", "nvidia.cuda_nvcc"), "v5e": ("libtpu",)}
_FREE = ["parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "partition-id", "while", "conditional", "call"]
"""Operations of a scheduled program that start nothing on the device by themselves."""

_BYTES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s16": 2, "u16": 2, "s64": 8, "u64": 8, "f64": 8}


class Work(NamedTuple):
    """What part of a program does.

    Attributes:
        launches: kernels and copies that are started.
        bytes: that they read and write, at the most.
        waits: how often the host of a GPU waits for a value, to know what to start next.
    """

    launches: float
    bytes: float
    waits: float

    def plus(self, other: "Work", times: float = 1) -> "Work":
        return Work(*(mine + times * theirs for mine, theirs in zip(self, other, strict=True)))


class Loop(NamedTuple):
    """A loop whose length is known only once it runs: how often it is entered, and what one turn
    does.
    """

    entered: float
    turn: Work


class Kernel(NamedTuple):
    """A kernel of ours on an H100.

    Attributes:
        registers: of a thread.
        spilled, stack: bytes of a thread.
        shared: instructions by which threads would wait for, or touch the data of, each other.
        instructions: of one turn of each loop besides those within it, the outermost first; empty
            without a disassembler.
    """

    name: str
    registers: int
    spilled: int
    stack: int
    shared: int
    instructions: tuple[float, ...]


class Program(NamedTuple):
    """A compiled program.

    Attributes:
        once: what is done once, loops of known length included.
        loops: the others, the one whose turn launches most first.
        memory: bytes of arguments, results and temporaries.
        calls: the targets of its custom calls.
        kernels: those of ours.
    """

    once: Work
    loops: tuple[Loop, ...]
    memory: int
    calls: tuple[str, ...]
    kernels: tuple[Kernel, ...]


class Compiler:
    """Compiles for an accelerator. One for a process, made before JAX computes anything."""

    def __init__(self, accelerator: str):
        """Raises ModuleNotFoundError, with what to install, where it cannot."""
        if missing := missing_packages(accelerator):
            raise ModuleNotFoundError(f"compiling for {accelerator} needs {', '.join(missing)} (see docs/accelerators.md)")
        self.accelerator = accelerator
        self._dump = TemporaryDirectory()
        jax.config.update("jax_platforms", "cpu")
        jax.config.update("jax_disable_most_optimizations", False)  # which tests do without
        jax.config.update("jax_enable_compilation_cache", False)  # which keeps no machine code to be read
        if accelerator == "H100":
            os.environ.update(CUDA_VISIBLE_DEVICES="-1", JAX_SKIP_CUDA_CONSTRAINTS_CHECK="1")
            flags = f"--xla_gpu_autotune_level=0 --xla_gpu_cuda_data_dir={_folder('nvidia.cuda_nvcc')} --xla_dump_to={self._dump.name}"
            os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}"
            config = Path(__file__).with_name("h100.pbtxt").read_text()
            described = topologies.get_topology_desc(platform="cuda", target_config=config, topology="1x1x1")
        else:
            os.environ.update(TPU_SKIP_MDS_QUERY="1", TPU_ACCELERATOR_TYPE="v5litepod-4")
            described = topologies.get_topology_desc(platform="tpu", topology_name="v5e:2x2")
        self._target = described.devices[0]

    @contextmanager
    def in_charge(self) -> Iterator[None]:
        """Within it, wannjax chooses as on the accelerator."""
        on_gpu, memory = self.accelerator == "H100", MEMORY[self.accelerator]
        chosen: dict[str, Any] = {"on_cpu": lambda: False, "on_gpu": lambda: on_gpu, "_memory": lambda: memory}
        with patch.multiple(devices, **chosen):
            yield

    def compile(self, function: Callable[..., Any], *arguments: Any) -> Program:
        """`function`, traceable, of `arguments`: pytrees of arrays, or of what has their shapes."""
        for path in Path(self._dump.name).iterdir():
            if path.is_file():
                path.unlink()
        sharding = SingleDeviceSharding(self._target)

        def placed(leaf):
            leaf = leaf if hasattr(leaf, "dtype") else jax.numpy.asarray(leaf)
            return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)

        with self.in_charge():
            compiled = jax.jit(function).lower(*jax.tree.map(placed, arguments)).compile()
        text, needed = compiled.as_text(), compiled.memory_analysis()
        assert text is not None
        assert needed is not None
        memory = needed.argument_size_in_bytes + needed.output_size_in_bytes + needed.temp_size_in_bytes
        once, loops = _work(text)
        calls = tuple(sorted(set(re.findall(r'custom_call_target="([^"]*)"', text))))
        kernels = tuple(map(_kernel, sorted(Path(self._dump.name).glob("*.ptx")))) if self.accelerator == "H100" else ()
        return Program(once, loops, memory, calls, tuple(kernel for kernel in kernels if kernel))


def missing_packages(accelerator: str) -> list[str]:
    """What must be installed to compile for `accelerator`."""
    return [name.replace("nvidia.cuda_nvcc", "nvidia-cuda-nvcc-cu12") for name in _NEEDS[accelerator] if not _found(name)]


def _found(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of its parent
        return False


def _folder(name: str) -> Path:
    return Path(next(iter(find_spec(name).submodule_search_locations)))  # type: ignore[union-attr,arg-type]


# A scheduled program, as XLA prints it: computations with an operation a line.


def _work(text: str) -> tuple[Work, tuple[Loop, ...]]:
    computations: dict[str, list[str]] = {}
    entry, lines = "", []
    for line in text.splitlines():
        if head := re.match(r"(ENTRY )?%([\w.\-]+) .*\{$", line):
            lines = computations[head[2]] = []
            entry = head[2] if head[1] else entry
        elif " = " in line:
            lines.append(line)
    loops: list[Loop] = []

    def work_of(name: str, times: float) -> Work:
        total, sizes = Work(0, 0, 0), {}
        for line in computations[name]:
            found = re.match(r"\s*(?:ROOT )?%([\w.\-]+) = (.*?) ([a-z][\w\-]*)\((.*)", line)
            if not found:
                continue
            result, shape, operation, rest = found.groups()
            sizes[result] = _bytes(shape)
            called = re.findall(r"(?:body|condition|to_apply|true_computation|false_computation)=%([\w.\-]+)", rest)
            branches = re.search(r"branch_computations=\{([^}]*)\}", rest)
            if operation == "while":
                known = re.search(r'"known_trip_count":\{"n":"(\d+)"', rest)
                trips = int(known[1]) if known else 1
                turn = Work(0, 0, 0 if known else 1)
                for part in called:
                    turn = turn.plus(work_of(part, times * trips))
                if known:
                    total = total.plus(turn, trips)
                else:
                    loops.append(Loop(times, turn))
            elif operation == "conditional":
                names = branches[1].replace("%", "").split(", ") if branches else called
                total = total.plus(Work(*map(max, zip(*(work_of(name, times) for name in names), strict=True)))).plus(Work(0, 0, 1))
            elif operation == "call":
                total = total.plus(work_of(called[0], times))
            elif operation not in _FREE and not operation.endswith("-done"):
                operands = {name for name in re.findall(r"%([\w.\-]+)", rest.split("), ")[0]) if name in sizes}
                total = total.plus(Work(1, sizes[result] + sum(sizes[name] for name in operands), 0))
        return total

    once = work_of(entry, 1)
    return once, tuple(sorted(loops, key=lambda loop: -loop.turn.launches))


def _bytes(shape: str) -> float:
    """Of an array, or of a tuple of them."""
    total = 0.0
    for kind, dimensions in re.findall(r"([a-z]+\d*)\[([\d,]*)\]", shape):
        cells = 1
        for dimension in filter(None, dimensions.split(",")):
            cells *= int(dimension)
        total += cells * _BYTES.get(kind, 4)
    return total


# A kernel's machine code.


def _kernel(path: Path) -> Kernel | None:
    """What NVIDIA's assembler says of a kernel of ours."""
    text = path.read_text()
    named = re.search(r"\.entry (episodes|forward|fronts)\b", text)
    if not named:
        return None
    binary = path.with_suffix(".cubin")
    command = [str(_folder("nvidia.cuda_nvcc") / "bin" / "ptxas"), "-arch=sm_90a", "-v", str(path), "-o", str(binary)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    said = said[said.index(f"'{named[1]}'") :]
    stack, stores, loads = map(int, re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", said).groups())  # type: ignore[union-attr]
    registers = int(re.search(r"Used (\d+) registers", said)[1])  # type: ignore[index]
    shared = len(re.findall(r"(?:ld|st)\.global\.v\d|bar\.sync|shared", text))
    return Kernel(named[1], registers, stores + loads, stack, shared, _instructions(binary))


def _instructions(binary: Path) -> tuple[float, ...]:
    disassembler = _folder("nvidia") / "cu13" / "bin" / "nvdisasm"
    if not disassembler.exists():
        return ()
    code = subprocess.run([disassembler, "-c", binary], capture_output=True, text=True, check=True).stdout
    return instructions_of_loops(code)


@dataclass
class _Block:
    """A run of instructions: how many, and the blocks that follow, each as likely as the others."""

    count: int
    following: list[int]


def instructions_of_loops(code: str) -> tuple[float, ...]:
    """The expected instructions of one turn of each loop of nested ones besides those within it,
    the outermost first, where a branch goes either way half of the time.

    Args:
        code: as `nvdisasm -c` prints it, of one kernel.
    """
    blocks = _blocks(code)
    # A loop is what lies between a block and one behind it that goes back to it.
    loops: dict[int, int] = {}
    for number, block in enumerate(blocks):
        for target in block.following:
            if target <= number and target != number:
                loops[target] = max(number, loops.get(target, 0))
    loops = {first: last for first, last in loops.items() if last < len(blocks)}
    nest = _deepest_nest(sorted(loops.items(), key=lambda loop: loop[0] - loop[1]))
    return tuple(_expected(blocks, *loop, nest[depth + 1 :]) for depth, loop in enumerate(nest))


def _deepest_nest(loops: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest chain of loops each within the one before; of those the one with most blocks."""
    best: list[tuple[int, int]] = []
    for i, (first, last) in enumerate(loops):
        inner = [loop for loop in loops[i + 1 :] if first <= loop[0] and loop[1] <= last]
        chain = [(first, last), *_deepest_nest(inner)]
        best = max(best, chain, key=len)
    return best


def _expected(blocks: list[_Block], first: int, last: int, within: list[tuple[int, int]]) -> float:
    """Of one turn of a loop, where inner loops cost nothing."""
    known: dict[int, float] = {}
    inner = within[0] if within else (len(blocks), -1)

    def following(number: int) -> list[int]:
        if inner[0] <= number <= inner[1]:
            outside = {t for i in range(inner[0], inner[1] + 1) for t in blocks[i].following if not inner[0] <= t <= inner[1]}
            return [t for t in outside if number < t <= last]
        return [t for t in blocks[number].following if number < t <= last]

    for number in range(last, first - 1, -1):
        after = following(number)
        own = 0 if inner[0] <= number <= inner[1] else blocks[number].count
        known[number] = own + (sum(known[t] for t in after) / len(after) if after else 0.0)
    return known[first]


def _blocks(code: str) -> list[_Block]:
    runs: list[tuple[int, list[str], bool]] = []  # instructions, targets, whether it goes on to the next
    place: dict[str, int] = {}
    count, started = 0, False

    def end(targets: list[str], goes_on: bool) -> None:
        nonlocal count, started
        runs.append((count, targets, goes_on))
        count, started = 0, False

    for line in code.splitlines():
        if label := re.match(r"(\.L_x_\d+):", line):
            if started or not runs or runs[-1][2]:
                end([], True)
            place[label[1]] = len(runs)
            started = False
            continue
        instruction = re.match(r"\s*/\*[0-9a-f]+\*/\s+(@!?U?P\d+ )?([A-Z][\w.]*)(.*);?", line)
        if not instruction:
            continue
        predicate, name, rest = instruction.groups()
        count, started = count + 1, True
        if name.startswith(("BRA", "BRX", "EXIT", "RET")):
            targets = re.findall(r"\.L_x_\d+", rest) if name != "EXIT" else []
            end(targets, bool(predicate))
    end([], False)
    return [
        _Block(count, list(dict.fromkeys([*(place[t] for t in targets if t in place), *([number + 1] if goes_on else [])])))
        for number, (count, targets, goes_on) in enumerate(runs)
    ]
