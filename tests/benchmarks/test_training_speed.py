"""The benchmark of training: its networks and MLPs have the sizes that it says, and each way has a time."""

import pytest

from benchmarks.training_speed import WAYS, compare, random_network


@pytest.mark.slow
@pytest.mark.nightly
def test_each_way_has_its_size_and_a_time():
    inputs, outputs, hidden = 8, 3, 6
    row = compare("small", random_network(inputs, outputs, hidden, connections=40), batch=32, members=2, repeats=1)
    assert row["weights"] == 40
    assert abs(row["weights of MLP"] - 40) <= 1 + inputs + outputs
    assert row["weights of wide MLP"] == hidden * (1 + inputs) + outputs * (1 + hidden)
    assert min(row[way] for way in WAYS) > 0
