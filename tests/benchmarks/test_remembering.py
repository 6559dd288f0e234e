"""What searches have to remember: the sequences' answers against plain sums, and what networks of known wiring make of them."""

import numpy as np
import pytest

import wannjax
from benchmarks.common import Results, accuracies, whole
from benchmarks.remembering import LENGTH, LONGER, sequences
from wannjax.networks.activations import NAMES
from wannjax.networks.graph import Connection, Graph, network_of

LINEAR, STEP = NAMES.index("linear"), NAMES.index("step")


def graph(activations, *connections):
    return network_of(Graph(("bit", "first"), ("zero", "one"), activations, tuple(Connection(*each) for each in connections)))


@pytest.mark.parametrize(("task", "answer"), [("parity", lambda ones: sum(ones) % 2), ("recall", lambda ones: ones[0])])
def test_answers_are_those_of_the_bits(task, answer):
    problem = sequences(task, LENGTH, seed=3)
    inputs, targets = problem.split("test").examples
    bits = (np.asarray(inputs)[:, :, 0] > 0).astype(int)
    assert bits.shape == (1000, LENGTH)
    np.testing.assert_array_equal(np.asarray(inputs)[:, :, 1], np.broadcast_to([1] + [0] * (LENGTH - 1), bits.shape))
    np.testing.assert_array_equal(np.argmax(np.asarray(targets), axis=1), [answer(ones.tolist()) for ones in bits])


@pytest.mark.slow
def test_a_loop_that_keeps_the_first_bit_recalls_it_and_a_wire_does_not():
    """A latch: the marked bit enters as step(bit + mark - 1.5), and stays as step of itself."""
    into, latch = ((0, 3, -1.5), (1, 3, 1.0), (2, 3, 1.0)), ((3, 4, 1.0), (4, 4, 1.0))
    out = ((0, 6, -0.5), (4, 6, 1.0))
    kept = graph((STEP, STEP, LINEAR, LINEAR), *into, *latch, *out)
    wire = graph((LINEAR, LINEAR), (1, 4, 1.0))
    for length in (LENGTH, LONGER):
        problem = sequences("recall", length, seed=4)
        assert accuracies(problem, kept, (1.0,), "test") == pytest.approx(100)
        assert 40 < accuracies(problem, wire, (1.0,), "test") < 60


@pytest.mark.slow
def test_a_search_that_was_ended_early_is_not_kept(tmp_path):
    def run(seed, generations):
        return {"generations": len(whole(searched(generations)).history["generation"])}

    def searched(generations):
        config = wannjax.WannConfig(population=8, generations=2, episodes=1, confirm_episodes=1, candidates=1)
        return wannjax.evolve("CartPole-v1", config, progress=False, callbacks=[lambda record: record.generation == generations])

    results = Results(tmp_path / "runs.json")
    with pytest.raises(SystemExit, match="ended early: nothing of this search goes on record"):
        results.of(run, 1, generations=1)
    assert not results.path.exists()
    assert results.of(run, 1, generations=3) == [{"generations": 2}]
    assert results.path.exists()
