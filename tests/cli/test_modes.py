"""JAX's modes: with 64-bit types on, results are the same but for rounding, since an environment's parameters, which are plain numbers, are
combined in float64 there; and nothing counts on implicit promotion of types.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

PROGRAM = Path(__file__).parents[1] / "support" / "mode_program.py"
MODES = {"64 bits": {"JAX_ENABLE_X64": "1"}, "strict promotion": {"JAX_NUMPY_DTYPE_PROMOTION": "strict"}}
PARTS = ("gymnax", "search", "neat", "data", "network", "own")  # the command line, which sets up the devices, first


def found(directory, parts, mode):
    """What the program prints of `parts`, in a process of its own."""
    subprocess.run([sys.executable, PROGRAM, directory, *parts], env=os.environ | mode, check=True, timeout=600)
    return json.loads((directory / "found.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_small_searches_run_in_every_mode(tmp_path, mode):
    (scores,) = found(tmp_path, ["quick"], MODES[mode]).values()
    assert np.isfinite(scores).all()


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return found(tmp_path_factory.mktemp("usual"), PARTS, {})


@pytest.mark.nightly
@pytest.mark.parametrize("mode", MODES)
def test_results_are_those_of_the_usual_mode(tmp_path, usual, mode):
    results = found(tmp_path, PARTS, MODES[mode])
    assert results.keys() == usual.keys()
    for part, values in usual.items():
        pairs = zip(jax.tree.leaves(results[part]), jax.tree.leaves(values), strict=True)
        assert all(a == b if isinstance(b, str) else a == pytest.approx(b, rel=1e-3, abs=1e-4) for a, b in pairs), part
