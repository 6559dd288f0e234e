"""The benchmark of building blocks: its control and its statistics."""

from benchmarks.building_blocks import comparison, random_library
from wannjax import Block

LIBRARY = (
    Block(("tanh", "step"), ((0, 1),)),
    Block(("abs", "relu", "tanh"), ((0, 2), (1, 2))),
    Block(("abs",) * 5, ((0, 4), (1, 4), (2, 4), (3, 4))),
)


def test_random_blocks_have_the_sizes_of_the_mined_ones_and_are_others():
    drawn = random_library(LIBRARY, seed=0)
    sizes = [(block.size, len(block.connections)) for block in LIBRARY]
    assert [(block.size, len(block.connections)) for block in drawn] == sizes
    assert not {*drawn} & {*LIBRARY}
    assert random_library(LIBRARY, seed=0) == drawn != random_library(LIBRARY, seed=1)


def test_a_comparison_is_paired_and_two_sided():
    better, worse = [2.0, 3.0, 5.0, 9.0, 6.0, 1.0], [1.0, 1.0, 2.0, 5.0, 1.0, 1.0]
    # Differences 1 to 5 and a tie: of the 32 ways to sign five ranks two are as extreme, for both tests; the error is sd / √6.
    assert comparison(better, worse) == ["+2.5 ± 0.8", "5 of 6", "0.062", "0.062"]


def test_equal_searches_differ_by_nothing():
    assert comparison([1.0, 2.0], [1.0, 2.0]) == ["+0.0 ± 0.0", "0 of 2", "1.000", "1.000"]
