"""Environments on the host: scored as the same ones in JAX are, lane by lane, and in order when they break."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from host_support import Boat, BoatInJax, Boats

import wannjax
from wannjax.common.keys import Purpose, key_of
from wannjax.networks.network import individual_weights, take
from wannjax.problems.host_problem import HostProblem, seeds_of

CONFIG = wannjax.WannConfig(population=40, generations=3, episodes=2, confirm_episodes=2, candidates=2, weights=(-1.0, 1.0))
KEYS = jax.random.split(jax.random.key(0), 6)
FILM_KEY = key_of(0, Purpose.FILM)
GAIN = jnp.array([-2.0, -0.5, 0.3, 0.5, 1.0, 2.0])


@pytest.fixture(scope="module")
def networks():
    algorithm = CONFIG.replace(output_activation="tanh", initial_density=0.9, delete_connection=0.0, delete_node=0.0).algorithm(
        inputs=2, outputs=1
    )
    state = algorithm.init(jax.random.key(1))
    for _ in range(6):
        state = algorithm.enlarge(algorithm.tell(state, np.random.default_rng(0).normal(size=(40, 2)))[0])
    return algorithm.ask(state)


@pytest.fixture(scope="module")
def in_jax():
    return wannjax.EnvironmentProblem(BoatInJax())


@pytest.mark.slow
def test_scores_are_those_of_the_same_environment_in_jax(networks, in_jax):
    host, jax_ones = HostProblem(Boats()).rollout(KEYS, networks, GAIN), in_jax.rollout(KEYS, networks, GAIN)
    np.testing.assert_array_equal(host.steps, jax_ones.steps)
    np.testing.assert_allclose(host.returns, jax_ones.returns, rtol=1e-5, atol=1e-5)
    assert len(np.unique(host.steps)) > 5
    assert host.computed_steps == host.steps.sum()
    weights = jnp.array([-1.0, 0.5])
    one, other = (problem.evaluate(KEYS[0], networks, weights, episodes=3) for problem in (HostProblem(Boats()), in_jax))
    np.testing.assert_array_equal(one.steps, other.steps)
    np.testing.assert_allclose(one.scores, other.scores, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.nightly
def test_weights_of_every_lane_are_its_own(networks, in_jax):
    table = jax.random.normal(jax.random.key(2), (*networks.sources.shape, len(KEYS)))
    own = replace(networks, weights=individual_weights(networks, table))
    np.testing.assert_allclose(HostProblem(Boats()).measure(KEYS, own, GAIN), in_jax.measure(KEYS, own, GAIN), rtol=1e-5, atol=1e-5)
    one_each = replace(networks, weights=own.weights[..., 0])
    expected = in_jax.score_copies(KEYS[0], jax.tree.map(lambda leaf: leaf[:1].repeat(3, axis=0), one_each), episodes=2)
    found = HostProblem(Boats()).score_copies(KEYS[0], jax.tree.map(lambda leaf: leaf[:1].repeat(3, axis=0), one_each), episodes=2)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_scores_do_not_depend_on_how_many_run_side_by_side_nor_on_who_steps_them(networks):
    expected = HostProblem(Boats()).rollout(KEYS, networks, GAIN)
    for problem in (HostProblem(Boats(), lanes=50), HostProblem(wannjax.SideBySide(Boat))):
        for found, of in zip(problem.rollout(KEYS, networks, GAIN), expected, strict=True):
            np.testing.assert_array_equal(found, of)


@pytest.mark.slow
def test_copies_in_other_processes_give_the_same_scores_and_what_breaks_there_is_told_here(networks):
    environment = wannjax.SideBySide(Boat, workers=2)
    problem = HostProblem(environment)
    for found, of in zip(problem.rollout(KEYS, networks, GAIN), HostProblem(Boats()).rollout(KEYS, networks, GAIN), strict=True):
        np.testing.assert_array_equal(found, of)
    environment.close()
    with pytest.raises(ValueError, match="environment: step of boats fails: OverflowError: the sea"):
        HostProblem(wannjax.SideBySide(Sinking, workers=2)).rollout(KEYS, networks, GAIN)


class Sinking(Boat):
    def step(self, action):
        raise OverflowError("the sea")


def test_an_action_that_is_no_number_ends_its_episode_without_a_score(networks):
    found = HostProblem(Boats()).rollout(KEYS[:2], networks, jnp.array([1.0, jnp.nan]))
    fine = HostProblem(Boats()).rollout(KEYS[:1], networks, jnp.array([1.0]))
    np.testing.assert_array_equal(found.returns[:, :1], fine.returns)
    assert np.isnan(found.returns[:, 1]).mean() > 0.5
    assert (np.asarray(found.steps[:, 1])[np.isnan(found.returns[:, 1])] == 1).all()


class Breaking(Boats):
    """Breaks in the `after`-th batch of episodes."""

    def __init__(self, after):
        self.after = after

    def reset(self, seeds):
        self.after -= 1
        return super().reset(seeds)

    def step(self, actions, lanes):
        if self.after == 0:
            raise ZeroDivisionError("a hole in the hull")
        return super().step(actions, lanes)


@pytest.mark.slow
def test_what_breaks_in_an_environment_ends_the_run_in_order_and_it_goes_on_from_its_checkpoint(tmp_path):
    options = {"seed": 1, "progress": False, "finish": None, "run_dir": tmp_path / "run"}
    with pytest.raises(ValueError, match="environment: step of boats fails: ZeroDivisionError: a hole in the hull") as caught:
        wannjax.evolve(HostProblem(Breaking(after=4)), CONFIG, save_every=3600.0, **options)
    (note,) = caught.value.__notes__
    assert "is saved in" in note
    resumed = wannjax.evolve(HostProblem(Boats()), CONFIG, resume=True, **options)
    whole = wannjax.evolve(HostProblem(Boats()), CONFIG, seed=1, progress=False)
    assert resumed.champion == whole.champion
    np.testing.assert_array_equal(resumed.history["best_score"], whole.history["best_score"])


@pytest.mark.slow
@pytest.mark.nightly
def test_a_champion_is_measured_trained_and_filmed(networks, tmp_path):
    problem = HostProblem(wannjax.SideBySide(Boat))
    network = take(networks, 3)
    tuned = wannjax.finetune(network, problem, method=wannjax.EvolutionStrategy(population=4, episodes=1), steps=1, progress=False)
    assert tuned.network.weights is not None
    report = wannjax.evaluate(network, problem, episodes=2)
    assert report.tuned_shared.mean > report.random_weights.mean - 100
    for each in (problem, HostProblem(Boats())):
        seen = wannjax.watch(network, each, tmp_path / "film.gif", weights=(0.5, 1.0))
        rollout = each.rollout(jnp.stack([FILM_KEY] * 2), jax.tree.map(lambda leaf: leaf[None], network), jnp.array([0.5, 1.0]))
        np.testing.assert_array_equal(seen.steps, rollout.steps[0])
        np.testing.assert_allclose(seen.rewards.sum(axis=0), rollout.returns[0], rtol=1e-5)
    assert seen.states is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reset": lambda self, seeds: np.zeros((len(seeds), 3))}, "one whose reset returns observations"),
        ({"step": lambda self, actions, lanes: np.zeros(3)}, "one whose step returns observations, rewards, terminated and truncated"),
        ({"step": lambda self, actions, lanes: (np.zeros((len(lanes), 2)), 0.0, False, False)}, "with shapes"),
        ({"actions": 2}, "actions: must be a Discrete"),
        ({"max_steps": 0}, "max_steps: must be an integer >= 1"),
        ({"input_names": ("a",)}, "input_names: must be 2 names"),
    ],
)
def test_what_does_not_keep_to_the_contract_is_one_line(networks, change, message):
    with pytest.raises(ValueError, match=message) as caught:
        HostProblem(type("Odd", (Boats,), change)()).rollout(KEYS, networks, GAIN)
    assert "\n" not in str(caught.value)


def test_what_is_no_environment_on_the_host_is_told_how_to_become_one():
    with pytest.raises(TypeError, match="make: must be a function or class that makes an environment"):
        wannjax.SideBySide(Boat())
    with pytest.raises(ValueError, match="make: must be what makes an environment with name, inputs, actions, max_steps, reset, step"):
        wannjax.SideBySide(object)
    for thing, message in ((Boat(), "SideBySide makes one"), (type("Bare", (Boats,), {"inputs": property()})(), "with inputs")):
        with pytest.raises(ValueError, match=f"environment: must be a HostEnvironment .*{message}"):
            HostProblem(thing)
    with pytest.raises(TypeError, match="HostProblem"):
        wannjax.evolve(Boats(), CONFIG)


def test_equal_keys_have_equal_seeds():
    seeds = seeds_of(jnp.concatenate([KEYS, KEYS]))
    np.testing.assert_array_equal(seeds[:6], seeds[6:])
    assert len(np.unique(seeds)) == 6
    assert ((seeds >= 0) & (seeds < 2**31)).all()
