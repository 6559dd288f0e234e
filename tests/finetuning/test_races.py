"""Which members of a training go on: races, restarts, and that both are resumed."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from bridge import assert_same_bits
from marking import nightly
from training_support import LINE, QUADRATIC, distance

from wannjax import EvolutionStrategy
from wannjax.finetuning import Trainer, finetune
from wannjax.finetuning.training import better_half
from wannjax.networks.gradients import topology_of
from wannjax.networks.graph import graph_of, network_of

RNG = np.random.default_rng(3)


@dataclass(frozen=True)
class Standing:
    """Leaves all weights where they are, and notes what it is asked to do."""

    restarts: bool = False
    seen: list = field(default_factory=list)
    name, learning_rate, updates = "standing", 1.0, 1

    def trainer(self, problem, topology, optimizer):
        def step(key, state):
            self.seen.append(("step", len(state)))
            return state, jnp.zeros(len(state))

        def restart(key, state, weights):
            self.seen.append(("restart", np.asarray(weights)))
            return state

        keep = lambda state, places: state[places]  # noqa: E731
        return Trainer(lambda key, weights: weights, step, lambda state: state, keep, restart if self.restarts else None)


def tune(method, steps, **options):
    return finetune(LINE, QUADRATIC, method=method, steps=steps, progress=False, **options)


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_the_worse_half_is_dropped_at_a_quarter_and_at_half_of_the_steps(count):
    method, starts = Standing(), RNG.normal(size=(count, 3)).astype(np.float32)
    tuned = tune(method, 12, starts=starts)
    left = sorted((distance(start) for start in starts), reverse=True)
    medians = [np.median(left)] * 4
    for checks in (3, 6):
        left = left[: (len(left) + 1) // 2]
        medians += [np.median(left)] * checks
    np.testing.assert_allclose(tuned.history["median_score"], medians, rtol=1e-5)
    np.testing.assert_allclose(tuned.member_scores, [distance(start) for start in starts], rtol=1e-5)


def test_the_better_half_keeps_its_order_and_of_equals_the_first():
    for count in range(1, 10):
        scores = RNG.integers(0, 4, count).astype(np.float32)
        left = list(range(count))
        while len(left) > (count + 1) // 2:
            left.remove(max(left, key=lambda place: (-scores[place], place)))
        assert better_half(scores).tolist() == left


def test_a_training_that_stalls_is_restarted_from_its_best_weights():
    method = Standing(restarts=True)
    tune(method, 40, starts=(0.5, -2.0))
    stopped = [number for number, (what, _) in enumerate(method.seen) if what == "restart"]
    assert [number - before for before, number in enumerate(stopped)] == [10, 21, 32]
    for number in stopped:
        np.testing.assert_array_equal(method.seen[number][1], np.full((1, 3), 0.5))


@pytest.mark.slow
@pytest.mark.nightly
def test_populations_grow_as_members_are_dropped_and_double_up_to_eight_of_the_first():
    trainer = EvolutionStrategy(population=6).trainer(QUADRATIC, topology_of(LINE), None)
    state = trainer.init(jax.random.key(0), jnp.zeros((9, 3)))
    found = [state.scores.shape[1]]
    for places in ([0, 1, 2, 3, 8], [0, 3, 4]):
        state = trainer.keep(state, np.array(places))
        found.append(state.scores.shape[1])
    for left in (3, 1, 1):
        state = trainer.keep(state, np.arange(left))
        state = trainer.restart(jax.random.key(1), state, jnp.ones((left, 3)))
        found.append(state.scores.shape[1])
        np.testing.assert_array_equal(trainer.weights(state), np.ones((left, 3)))
    assert found == [6, 10, 16, 16, 48, 48]
    state = trainer.init(jax.random.key(0), jnp.zeros((1, 3)))
    for population in (12, 24, 48, 48):
        state = trainer.restart(jax.random.key(1), state, jnp.ones((1, 3)))
        assert state.scores.shape[1] == population


def test_evolution_starts_from_the_sweep_its_own_weights_and_random_ones():
    own = network_of(graph_of(LINE).with_weights((0.9, -0.25, 1.25)))
    for network, count, best in ((LINE, 8, 0.5), (own, 9, "own")):
        tuned = finetune(network, QUADRATIC, method="evolution", steps=1, progress=False, callbacks=[lambda record: True])
        assert len(tuned.member_scores) == count
        assert tuned.start == best


@pytest.mark.parametrize("step", [20, *nightly(1, 31)])
def test_races_and_restarts_are_resumed_to_the_last_bit(tmp_path, step):
    method = EvolutionStrategy(population=4, deviation=1e-3)  # too little to find anything for long
    whole = tune(method, 40)
    tune(method, 40, run_dir=tmp_path, save_every=0, callbacks=[lambda record: record.step >= step])
    resumed = tune(method, 40, run_dir=tmp_path, resume=True)
    assert_same_bits(resumed.network, whole.network)
    np.testing.assert_array_equal(resumed.member_scores, whole.member_scores)
    for column in ("held_out_score", "training_score"):
        np.testing.assert_array_equal(resumed.history[column], whole.history[column])
