"""The benchmark of scoring on data: all of its ways give the same scores."""

import pytest

from benchmarks.data_throughput import search
from wannjax.problems.registry import make


@pytest.mark.slow
@pytest.mark.nightly
def test_all_ways_agree_and_have_a_rate():
    (row,) = search("digits", make("digits", batch=1000), population=48, generations=[2], repeats=1)
    assert max(row["difference to tape"], row["difference to published"]) < 1e-5
    assert min(row["tape"], row["distinct"], row["published"]) > 0
