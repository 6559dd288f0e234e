"""The table of tasks: medians and quartiles tell apart what the runs tell apart."""

from benchmarks.tasks import quartiles


def test_quartiles_have_the_digits_that_their_distance_is_worth():
    assert quartiles([98.9522, 96.9944, 98.9453, 98.9063, 98.7340]) == "98.91 [98.73, 98.95]"
    assert quartiles([35, 29, 19, 27, 26]) == "27 [26, 29]"
    assert quartiles([500, 500, 500]) == "500 [500, 500]"
