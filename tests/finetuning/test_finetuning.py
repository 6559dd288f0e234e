"""Fine-tuning: the driver on a problem that is known in closed form, and what is refused."""

import os
import signal
from dataclasses import dataclass, replace
from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from bridge import assert_same_bits
from training_support import BALANCING, ES, LINE, SORTING, TARGET, Quadratic, distance, points_to_sort, tune, weights_of

import wannjax
from wannjax import EvolutionStrategy, Gradient, PolicyGradient
from wannjax.finetuning import METHODS, Trainer, finetune
from wannjax.finetuning.method import settings_of
from wannjax.networks.graph import Graph, graph_of, network_of
from wannjax.runs.records import TrainingRecord

WORSE = optax.sgd(-1.0)
"""Leads away from whatever is better."""


@pytest.fixture(scope="module")
def sorted_points():
    return points_to_sort()


# The driver


def test_the_result_is_the_best_of_all_checks_and_its_score_is_its_own():
    tuned = tune(steps=60)
    assert tuned.score > -0.05
    assert tuned.score == pytest.approx(distance(weights_of(tuned.network)), abs=1e-5)
    assert tuned.score == pytest.approx(tuned.member_scores.max())
    assert graph_of(tuned.network).with_weights(None) == graph_of(LINE)
    assert (tuned.problem_name, tuned.method, tuned.seed, tuned.interrupted) == ("quadratic", ES, 0, False)


def test_the_seed_decides_the_result():
    first, again, other = (tune(starts=3, seed=seed) for seed in (1, 1, 2))
    assert_same_bits(first.network, again.network)
    np.testing.assert_array_equal(first.history["held_out_score"], again.history["held_out_score"])
    assert np.all(weights_of(first.network) != weights_of(other.network))


def test_training_that_only_makes_it_worse_returns_the_best_start():
    tuned = tune(optimizer=WORSE, starts=(-2.0, 0.5, 1.0))
    np.testing.assert_array_equal(weights_of(tuned.network), [0.5] * 3)
    assert tuned.start == 0.5
    np.testing.assert_allclose(tuned.member_scores, [distance([start] * 3) for start in (-2.0, 0.5, 1.0)], rtol=1e-5)
    assert tuned.history["held_out_score"][-1] < tuned.history["held_out_score"][0]


def test_a_number_of_starts_is_drawn_between_minus_two_and_two():
    tuned = tune(optimizer=WORSE, starts=5)
    weights = weights_of(tuned.network)
    assert tuned.start == "random"
    assert len(tuned.member_scores) == 5
    assert len(np.unique(weights)) == 3
    assert np.all(np.abs(weights) <= 2)


def test_a_network_with_weights_starts_from_them():
    own = network_of(graph_of(LINE).with_weights((0.9, -0.25, 1.25)))
    tuned = tune(own, method=Interrupting(0), steps=1)
    assert len(tuned.member_scores) == 1
    np.testing.assert_array_equal(weights_of(tuned.network), weights_of(own))
    assert tuned.start == "own"
    assert tune(own, starts=(1.0,)).start == 1.0


def test_a_network_without_weights_starts_from_the_sweep():
    tuned = tune(method=Interrupting(0), steps=1)
    assert len(tuned.member_scores) == 6
    assert tuned.start in (0.5, 1.0)


@pytest.mark.parametrize(
    "optimizer",
    [optax.sgd(0.2), optax.adamw(0.1), optax.chain(optax.clip(0.5), optax.scale_by_adam(), optax.scale(-0.1)), None],
    ids=["sgd", "adamw", "chain", "default"],
)
def test_any_optimizer_improves_it(optimizer):
    tuned = tune(optimizer=optimizer, starts=(-1.0, 2.0), steps=20)
    assert tuned.score > 0.5 * max(distance([-1.0] * 3), distance([2.0] * 3))


def test_history_has_one_entry_per_check_from_before_the_first_step_to_after_the_last():
    tuned = tune(steps=3)
    assert set(tuned.history) == set(TrainingRecord._fields)
    assert {array.shape for array in tuned.history.values()} == {(4,)}
    np.testing.assert_array_equal(tuned.history["step"], [0, 1, 2, 3])
    assert np.isnan(tuned.history["training_score"][0])
    assert np.all(np.isfinite(tuned.history["training_score"][1:]))
    assert np.all(tuned.history["median_score"] <= tuned.history["held_out_score"])
    assert np.all(np.diff(tuned.history["seconds"]) > 0)


def test_a_long_run_is_not_checked_after_every_step():
    checked = tune(steps=151, starts=(0.5,), method=EvolutionStrategy(population=4)).history["step"]
    np.testing.assert_array_equal(checked, [*range(0, 151, 4), 151])


def test_a_callback_ends_training_by_a_true_value():
    seen = []

    def stop(record):
        seen.append(record)
        return record.step >= 2

    tuned = tune(callbacks=[stop])
    assert [record.step for record in seen] == [0, 1, 2]
    assert tuned.interrupted
    np.testing.assert_array_equal(tuned.history["step"], [0, 1, 2])


def test_a_callback_can_end_it_before_the_first_step():
    tuned = tune(callbacks=[lambda record: True])
    assert tuned.interrupted
    assert tuned.start in (0.5, 1.0)
    np.testing.assert_array_equal(weights_of(tuned.network), [tuned.start] * 3)


def test_patience_ends_training_and_keeps_the_best():
    tuned = tune(optimizer=WORSE, starts=(0.5, 1.0), steps=100, patience=2)
    np.testing.assert_array_equal(tuned.history["step"], [0, 2, 4])
    assert not tuned.interrupted
    np.testing.assert_array_equal(weights_of(tuned.network), [0.5] * 3)


def test_patience_counts_from_the_last_check_that_was_better():
    scores = tune(steps=100, patience=3).history["held_out_score"]
    assert 4 < len(scores) < 51
    assert len(scores) - 1 - np.argmax(scores) == 3


def test_training_whose_patience_ran_out_is_resumed_to_the_same_result(tmp_path):
    whole = tune(steps=100, patience=3)
    tune(steps=100, patience=3, run_dir=tmp_path, callbacks=[lambda record: record.step >= 2])
    for _ in range(2):  # the second one finds it finished
        resumed = tune(steps=100, patience=3, run_dir=tmp_path, resume=True)
        assert_same_bits(resumed.network, whole.network)
        np.testing.assert_array_equal(resumed.history["held_out_score"], whole.history["held_out_score"])
        assert not resumed.interrupted
    with pytest.raises(ValueError, match=r"^run_dir: must be of a run with patience 4, got 3"):
        tune(steps=100, patience=4, run_dir=tmp_path, resume=True)


@dataclass(frozen=True)
class Interrupting:
    """A method that changes nothing and presses Ctrl-C in step number `step`."""

    step: int
    name, learning_rate, updates = "interrupting", 1.0, 1

    def trainer(self, problem, topology, optimizer):
        def step(key, state):
            if state["number"] + 1 == self.step:
                os.kill(os.getpid(), signal.SIGINT)
            return {**state, "number": state["number"] + 1}, jnp.zeros(len(state["weights"]))

        return Trainer(lambda key, weights: {"weights": weights, "number": 0}, step, lambda state: state["weights"])


@pytest.mark.parametrize(("step", "checked"), [(3, [0, 3]), (4, [0, 4]), (6, [0, 4, 6])])
def test_ctrl_c_ends_training_after_the_step_with_a_last_check(step, checked):
    before, seen = signal.getsignal(signal.SIGINT), []
    tuned = tune(method=Interrupting(step), steps=151, callbacks=[lambda record: seen.append(record.step)])
    np.testing.assert_array_equal(tuned.history["step"], checked)
    assert seen == checked
    assert tuned.interrupted
    assert signal.getsignal(signal.SIGINT) is before


DATA = {"tuned.json", "training.csv", "training.json", "training-checkpoints"}


@pytest.mark.slow
def test_training_leaves_its_data_in_the_directory_and_the_public_function_pictures_too(tmp_path):
    for name, train, options, expected in (
        ("inner", finetune, {}, DATA),
        ("without", wannjax.finetune, {"finish": None}, DATA),
        ("public", wannjax.finetune, {}, DATA | {"tuned.png", "training.png"}),
    ):
        directory = tmp_path / name
        train(LINE, Quadratic(), method=ES, steps=2, progress=False, run_dir=directory, **options)
        assert {path.name for path in directory.iterdir() if not path.name.startswith(".")} == expected


def test_what_finishes_a_training_finds_its_files(tmp_path):
    found = []
    tune(run_dir=tmp_path, finish=lambda directory: found.append({path.name for path in directory.iterdir()}))
    assert found[0] >= DATA


def test_members_whose_scores_are_not_finite_are_never_chosen():
    tuned = tune(problem=Quadratic(lambda weights: weights[..., 0] > 0), steps=6)
    assert np.isfinite(tuned.score)
    assert weights_of(tuned.network)[0] <= 0
    assert np.isneginf(tuned.member_scores).any()


def test_no_finite_score_at_all_is_an_error():
    with pytest.raises(ValueError, match=r"^problem: must be one that gives finite scores, got 'quadratic'"):
        tune(problem=Quadratic(lambda weights: True), steps=1)


# Arguments

CMA_ES = EvolutionStrategy(strategy="CMA_ES")
LARGE = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), replace(LINE, input_names=(), output_names=()))


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("method: must be one of gradient, policy_gradient, evolution, got 'adam'", {"method": "adam"}),
        ("method: .*gradient for CartPole-v1", {"network": BALANCING, "problem": "CartPole-v1", "method": "gradient"}),
        ("method: .*gradient for quadratic", {"method": "gradient"}),
        ("method: .*policy_gradient for data", {"network": SORTING, "problem": "data", "method": "policy_gradient"}),
        ("steps: must be an integer >= 1, got 0", {"steps": 0}),
        ("decay: must be finite and >= 0, got -0.1", {"decay": -0.1}),
        ("decay: must be 0 where an optimizer is given, got 0.1", {"decay": 0.1, "optimizer": WORSE}),
        ("decay: must be 0 for evolution with a learning rate of 0, got 0.1", {"decay": 0.1, "method": "evolution"}),
        ("strategy: must be one that follows .*, such as Open_ES, got 'CMA_ES'", {"optimizer": WORSE, "method": CMA_ES}),
        ("patience: must be None or an integer >= 1, got 0", {"patience": 0}),
        ("starts: must be finite shared weights", {"starts": ()}),
        ("starts: must be finite shared weights", {"starts": (1.0, float("nan"))}),
        ("starts: must be shared weights, or a number of random starts >= 1, got 0", {"starts": 0}),
        ("network: must be one network, not a population", {"network": LARGE}),
        ("network: must be a network with connections", {"network": network_of(Graph(("a", "b", "c"), ("d",), (1,), ()))}),
        ("networks: must be of 5 inputs and 1 output", {"problem": "CartPoleSwingUp-v0"}),
        ("seed: must be an integer from 0", {"seed": -1}),
        ("save_every: must be seconds >= 0, got -1.0", {"save_every": -1.0}),
        ("resume: must be False without a run_dir, got True", {"resume": True}),
    ],
)
def test_a_bad_argument_is_named_in_one_line(sorted_points, message, arguments):
    problem = arguments.pop("problem", None) if (arguments := dict(arguments)) else None
    problem = sorted_points if problem == "data" else wannjax.make(problem) if problem else None
    with pytest.raises(ValueError, match=f"^{message}") as error:
        tune(**{"problem": problem, **arguments})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("optimizer: must be an optax transformation, got 0.1", {"optimizer": 0.1}),
        ("steps: must be an integer >= 1, got 1.5", {"steps": 1.5}),
        ("finish: must be a function, or None, got 3", {"finish": 3}),
        (r"environment: 'digit' is unknown; did you mean digits\?", {"problem": "digit"}),
    ],
)
def test_an_argument_of_another_type_is_named_too_where_types_are_not_checked(message, arguments):
    with pytest.raises(ValueError, match=f"^{message}"):
        unwrap(finetune)(**{"network": LINE, "problem": Quadratic(), "progress": False, "method": ES, "steps": 1, **arguments})


@pytest.mark.parametrize(
    ("settings", "field", "value"),
    [
        *((settings, "learning_rate", value) for settings in METHODS.values() for value in (-1.0, float("nan"), float("inf"))),
        *((settings, "learning_rate", 0.0) for settings in (Gradient, PolicyGradient)),
        *((settings, "episodes", 0) for settings in METHODS.values()),
        (Gradient, "batch", -1),
        (Gradient, "clip", 0.0),
        (Gradient, "clip", float("nan")),
        (Gradient, "surrogate", -1.0),
        (EvolutionStrategy, "strategy", "CMAES"),
        (EvolutionStrategy, "population", 2),
        (EvolutionStrategy, "population", 31),
        (EvolutionStrategy, "deviation", 0.0),
        (PolicyGradient, "horizon", 0),
        (PolicyGradient, "epochs", 0),
        (PolicyGradient, "minibatches", 0),
        (PolicyGradient, "minibatches", 3),
        (PolicyGradient, "discount", 1.0),
        (PolicyGradient, "discount", -0.1),
        (PolicyGradient, "trace", 1.1),
        (PolicyGradient, "clip", 0.0),
        (PolicyGradient, "deviation", float("inf")),
        (PolicyGradient, "entropy", float("nan")),
        (PolicyGradient, "surrogate", -1.0),
    ],
)
def test_a_bad_setting_is_named_in_one_line(settings, field, value):
    with pytest.raises(ValueError, match=f"^{field}: must be ") as error:
        settings(**{field: value})
    assert "\n" not in str(error.value)


def test_settings_in_files_are_what_json_can_hold():
    @dataclass(frozen=True)
    class Settings:
        rate: np.floating
        table: np.ndarray
        function: object

    found = settings_of(Settings(np.float32(0.5), np.arange(3), len))
    assert found == {"rate": 0.5, "table": [0, 1, 2], "function": "builtin_function_or_method"}
    assert settings_of(object()) == {}


def test_a_method_of_ones_own_trains_as_the_others_do(tmp_path):
    class Halving:
        name, learning_rate, updates = "halving", 1.0, 1

        def trainer(self, problem, topology, optimizer):
            return Trainer(
                lambda key, weights: weights, lambda key, state: ((state + TARGET[None]) / 2, jnp.zeros(len(state))), lambda state: state
            )

    for options in ({}, {"run_dir": tmp_path}):
        assert tune(method=Halving(), starts=(-1.0,), steps=10, **options).score == pytest.approx(0.0, abs=1e-4)
