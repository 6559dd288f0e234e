"""Memory on data is bounded, however many networks and examples there are."""

import subprocess
import sys

import large_data
import pytest

LIMIT = 4096
"""MiB."""


@pytest.mark.nightly
@pytest.mark.parametrize("what", ["evaluate", "search"])
def test_4096_networks_and_60000_examples_take_less_than_4_gib(what):
    found = subprocess.run([sys.executable, large_data.__file__, what], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert float(found.stdout) < LIMIT
