"""Fine-tuning: all methods on easy tasks, and that several processes train as one does."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from as_threads import in_processes
from marking import nightly, slow
from training_support import BALANCING, LINE, QUADRATIC, SORTING, SWINGING, points_to_sort, tune, weights_of

import wannjax
from wannjax import EvolutionStrategy, Gradient, PolicyGradient
from wannjax.networks import gradients
from wannjax.networks.graph import graph_of
from wannjax.problems.data import DataProblem


def best_start(problem, network, starts, seed=0):
    """The best mean score of the starts on the episodes of the final comparison."""
    topology = gradients.topology_of(network)
    weights = jnp.broadcast_to(jnp.array(starts)[:, None], (len(starts), topology.connections))
    key = jax.random.split(jax.random.key(seed), 5)[3]
    population = gradients.copies(topology, weights)
    return float(problem.split("validation").score_copies(key, population, episodes=128, activation_ids=topology.activation_ids).max())


SHORT_PPO = PolicyGradient(episodes=8, horizon=32, epochs=2, minibatches=2, learning_rate=0.1)
EASY = {
    "gradient on data": ("data", SORTING, Gradient(learning_rate=0.1), 25, (-1.0, 0.5), 0.3),
    "evolution on data": ("data", SORTING, EvolutionStrategy(population=16), 25, (-1.0, 0.5), 0.2),
    "gradient on swing-up": ("swing-up", SWINGING, Gradient(episodes=4, learning_rate=0.1), 10, (-0.5, 0.5), 0.2),
    "evolution on swing-up": ("swing-up", SWINGING, EvolutionStrategy(population=16), 10, (-0.5, 0.5), 0.2),
    "policy gradient on CartPole": ("cart-pole", BALANCING, SHORT_PPO, 25, (-0.5, -1.0), 10.0),
    "evolution on CartPole": ("cart-pole", BALANCING, EvolutionStrategy(population=16, deviation=1.0), 15, (-0.5,), 10.0),
}


@pytest.fixture(scope="module")
def tasks():
    sorted_points = points_to_sort()
    return {
        "quadratic": QUADRATIC,
        "data": sorted_points,
        "small batches": DataProblem(sorted_points.examples.inputs, sorted_points.examples.targets, batch=7),
        "swing-up": wannjax.make("CartPoleSwingUp-v0", max_steps=50),
        "cart-pole": wannjax.make("CartPole-v1", max_steps=60),
    }


@pytest.mark.parametrize("case", ["gradient on data", "evolution on data", *nightly(*(case for case in EASY if "data" not in case))])
def test_a_method_improves_on_every_start_on_held_out_episodes(tasks, case):
    task, network, method, steps, starts, gain = EASY[case]
    tuned = tune(network, tasks[task], method=method, steps=steps, starts=starts)
    assert tuned.score > best_start(tasks[task], network, starts) + gain
    assert np.nanmax(tuned.history["training_score"]) > tuned.history["training_score"][1]
    assert graph_of(tuned.network).with_weights(None) == graph_of(network)
    assert np.all(np.isfinite(weights_of(tuned.network)))


@pytest.mark.parametrize("case", ["gradient on data", *nightly(*(case for case in EASY if case != "gradient on data"))])
def test_several_processes_train_as_one_does(tasks, case):
    task, network, method, *_ = EASY[case]
    train = partial(tune, network, tasks[task], method=method, steps=2, starts=(-1.0, 0.5, 1.0), seed=3)
    alone = train()
    for count in (2, 3):
        for found in in_processes(count, lambda _: train()):
            np.testing.assert_array_equal(weights_of(found.network), weights_of(alone.network))
            np.testing.assert_array_equal(found.member_scores, alone.member_scores)
            np.testing.assert_array_equal(found.history["training_score"], alone.history["training_score"])


@pytest.mark.slow
@pytest.mark.nightly
def test_several_processes_race_end_early_and_resume_as_one_does(tmp_path):
    train = partial(tune, method=EvolutionStrategy(population=4, episodes=1), steps=12, starts=None, seed=1)
    alone = train()
    assert len(alone.member_scores) == 8
    ended = in_processes(
        2, lambda process: train(run_dir=tmp_path, save_every=0.0, callbacks=[lambda record: process == 1 and record.step == 5])
    )
    assert [found.interrupted for found in ended] == [True, True]
    assert [int(found.history["step"][-1]) for found in ended] == [5, 5]
    for found in in_processes(3, lambda _: train(run_dir=tmp_path, resume=True)):
        np.testing.assert_array_equal(weights_of(found.network), weights_of(alone.network))
        np.testing.assert_array_equal(found.history["held_out_score"], alone.history["held_out_score"])
        assert not found.interrupted


def test_patience_and_a_single_start_are_those_of_one_process():
    train = partial(tune, steps=100, patience=3, starts=(0.5,))
    alone = train()
    for found in in_processes(2, lambda _: train()):
        np.testing.assert_array_equal(found.history["held_out_score"], alone.history["held_out_score"])


def test_processes_that_are_given_different_trainings_say_so(tasks):
    def train(process):
        tune(SORTING, tasks["data"], method=Gradient(), steps=2, starts=(0.5, 1.0 + process))

    with pytest.raises(ValueError, match="processes: must be given the same problem and settings"):
        in_processes(2, train)


@pytest.mark.parametrize(
    ("task", "network", "method"),
    [
        ("small batches", SORTING, Gradient()),
        pytest.param("small batches", SORTING, EvolutionStrategy(population=8), marks=pytest.mark.nightly),
        pytest.param("cart-pole", BALANCING, SHORT_PPO, marks=pytest.mark.nightly),
        pytest.param("swing-up", SWINGING, SHORT_PPO, marks=pytest.mark.nightly),
        pytest.param("swing-up", SWINGING, Gradient(episodes=4), marks=pytest.mark.nightly),
        pytest.param("swing-up", SWINGING, EvolutionStrategy(population=16), marks=pytest.mark.nightly),
    ],
)
def test_a_method_is_reproducible_by_seed(tasks, task, network, method):
    first, again, other = (tune(network, tasks[task], method=method, steps=2, starts=(-0.5, 0.5), seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.member_scores, again.member_scores)
    np.testing.assert_array_equal(first.history["training_score"], again.history["training_score"])
    assert np.any(first.history["training_score"][1:] != other.history["training_score"][1:])


@pytest.mark.parametrize(
    ("task", "network", "method"),
    [
        ("quadratic", LINE, EvolutionStrategy()),
        ("data", SORTING, Gradient()),
        ("cart-pole", BALANCING, PolicyGradient()),
        *slow(("swing-up", SWINGING, EvolutionStrategy())),
    ],
)
def test_the_method_suits_the_problem_where_none_is_given(tasks, task, network, method):
    tuned = tune(network, tasks[task], method=None, starts=(0.5,), callbacks=[lambda record: True])
    assert tuned.method == method
