"""Every compiled entry point of a run lowers for CUDA and TPU, in the form that accelerators get, without a call to the host, and
compiles for an H100 and a TPU v5e.
"""

import json
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from entry_points import ENTRY_POINTS, EPISODE_KERNEL, FORWARD_KERNEL
from marking import nightly

from benchmarks.compiled import GIB, MEMORY, missing_packages
from wannjax.common import devices

QUICK = ("ask, wann", "tell, neat", "enlarge", f"evaluate, {EPISODE_KERNEL[0]}", "evaluate, data", "training, CartPole-v1, policy gradient")


@pytest.mark.parametrize("name", [*QUICK, *nightly(*(name for name in ENTRY_POINTS if name not in QUICK))])
def test_it_lowers(monkeypatch, name):
    monkeypatch.setattr(devices, "on_cpu", lambda: False)
    function, arguments = ENTRY_POINTS[name]()
    exported = jax.export.export(jax.jit(function), platforms=["cuda", "tpu"])(*arguments)
    assert "callback" not in exported.mlir_module()


def compiled_for(accelerator):
    if missing := missing_packages(accelerator):
        pytest.skip(f"needs {', '.join(missing)}")
    program = Path(__file__).parent / "support" / "compile_entry_points.py"
    done = subprocess.run([sys.executable, str(program), accelerator], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = {entry.pop("name"): entry for entry in map(json.loads, done.stdout.splitlines())}
    assert set(found) == set(ENTRY_POINTS)
    for name, entry in found.items():
        assert entry["memory"] < MEMORY[accelerator] - GIB, name
    return found


@pytest.mark.slow
@pytest.mark.nightly
def test_everything_compiles_for_an_h100():
    found = compiled_for("H100")
    for name, entry in found.items():
        assert not [call for call in entry["calls"] if "callback" in call or "python" in call], name
        for kernel in entry["kernels"]:
            assert kernel["spilled"] == 0, name
            assert kernel["stack"] <= 64, f"{name}: where CUDA's functions reduce huge arguments"
            assert kernel["shared"] == 0, f"{name}: a thread reads and writes its own lane only"
            assert kernel["registers"] <= 128, name
    for name in ("ask, wann", "tell, wann", "tell, wann with blocks"):
        assert found[name]["turns"] == []
        assert found[name]["once"]["launches"] <= 400, f"{name}: of a whole population, some five for each case"
    for kind in ("evaluate", "evaluate recurrent", "rollout of lanes", "copies"):
        for name in EPISODE_KERNEL:
            if (entry := found.get(f"{kind}, {name}")) is not None:
                assert [kernel["name"] for kernel in entry["kernels"]] == ["episodes"]
                assert entry["turns"] == [], "nothing is launched at every step"
                assert entry["once"]["launches"] <= 40, "of a whole generation"
        for name in FORWARD_KERNEL:
            entry = found[f"{kind}, {name}"]
            assert [kernel["name"] for kernel in entry["kernels"]] == ["forward"]
            assert [turn["launches"] <= 30 for turn in entry["turns"]] == [True], "of a step of the environment"


@pytest.mark.slow
@pytest.mark.nightly
def test_everything_compiles_for_a_tpu():
    for name, entry in compiled_for("v5e").items():
        assert not [call for call in entry["calls"] if "callback" in call.lower() or "host" in call.lower()], name
