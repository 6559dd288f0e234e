"""gymnasium's and envpool's environments are scored as a plain loop over their own API scores them. Skipped where they are missing."""

from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import wannjax
from wannjax.networks.network import take
from wannjax.problems.host_problem import seeds_of

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

CONFIG = wannjax.WannConfig(population=12, generations=2, episodes=1, confirm_episodes=1, candidates=1, weights=(-1.0, 1.0))
KEYS, GAIN = jax.random.split(jax.random.key(0), 3), jnp.array([-1.0, 0.5, 1.0])


NEEDED = {"gymnasium": ("Box2D", "pygame"), "envpool": ("envpool",)}


@pytest.fixture(params=NEEDED)
def library(request):
    for package in NEEDED[request.param]:
        pytest.importorskip(package, reason=f'needs pip install "wannjax[{request.param}]" "gymnasium[box2d]"')
    return request.param, import_module(request.param)


def networks_for(problem, count=4):
    algorithm = CONFIG.replace(output_activation=problem.output_activation, initial_density=0.9)
    algorithm = algorithm.algorithm(inputs=problem.inputs, outputs=problem.outputs)
    return take(algorithm.ask(algorithm.init(jax.random.key(1))), np.arange(count))


def alone(name, module, seed, max_steps):
    """One episode, as the library's own users write it: reset and step, both for plain numbers."""
    if module.__name__ == "gymnasium":
        env = module.make(name, max_episode_steps=max_steps)
        return lambda: env.reset(seed=seed)[0], lambda action: env.step(action)[:4]
    pool = module.make_gymnasium(name, num_envs=1, num_threads=1, seed=[seed], max_episode_steps=max_steps)
    return lambda: pool.reset()[0][0], lambda action: tuple(part[0] for part in pool.step(np.asarray(action)[None])[:4])


@pytest.mark.parametrize(("name", "max_steps"), [("BipedalWalker-v3", 60), ("CartPole-v1", 40), ("Pendulum-v1", 20)])
def test_returns_are_those_of_a_plain_loop(library, name, max_steps):
    prefix, module = library
    problem = wannjax.make(f"{prefix}:{name}", max_steps=max_steps)
    networks = networks_for(problem)
    rollouts = problem.rollout(KEYS, networks, GAIN)
    for i in range(2):
        network = take(networks, i)
        for lane, seed in enumerate(seeds_of(KEYS).tolist()):
            reset, step = alone(name, module, seed, max_steps)
            observation, total, time, over = reset(), 0.0, 0, False
            while not over:
                outputs = np.asarray(network(observation, weight=float(GAIN[lane])))
                action = int(np.argmax(outputs)) if name == "CartPole-v1" else np.clip(outputs, -1, 1) * (2 if "Pend" in name else 1)
                observation, reward, terminated, truncated = step(action)
                total, time, over = total + float(reward), time + 1, terminated or truncated
            assert rollouts.steps[i, lane] == time
            np.testing.assert_allclose(rollouts.returns[i, lane], total, rtol=1e-3, atol=1e-3)
    assert problem.input_names[0] in ("tilt", "x", "cos θ")


def test_equal_keys_have_equal_episodes_whatever_went_before(library):
    problem = wannjax.make(f"{library[0]}:BipedalWalker-v3", max_steps=200)
    networks = networks_for(problem, 12)
    first = problem.rollout(KEYS, networks, GAIN)
    problem.rollout(KEYS[::-1], networks, GAIN)
    for found, of in zip(problem.rollout(KEYS, networks, GAIN), first, strict=True):
        np.testing.assert_array_equal(found, of)


def test_the_time_limit_truncates_and_failing_terminates(library):
    environment = wannjax.make(f"{library[0]}:CartPole-v1", max_steps=15).environment
    environment.reset(np.array([3, 4]))
    ends = {}
    for time in range(1, 16):
        lanes = np.array([lane for lane in (0, 1) if lane not in ends])
        actions = np.where(lanes == 0, 0, time % 2)  # one is pushed over, one is kept up for a while
        _, _, terminated, truncated = environment.step(actions, lanes)
        ends |= {lane: (bool(terminated[i]), bool(truncated[i])) for i, lane in enumerate(lanes) if terminated[i] or truncated[i]}
    assert ends == {0: (True, False), 1: (False, True)}


def test_a_search_runs_on_it_and_the_same_seed_gives_the_same(library, tmp_path):
    problem = wannjax.make(f"{library[0]}:CartPole-v1", max_steps=30)
    first, second = (wannjax.evolve(problem, CONFIG, seed=5, progress=False) for _ in range(2))
    assert first.champion == second.champion
    np.testing.assert_array_equal(first.champion_scores, second.champion_scores)
    seen = wannjax.watch(first.champion, problem, tmp_path / "walk.gif", weights=(1.0,))
    assert seen.states[0, 0].startswith(b"\x89PNG")


def test_observations_of_several_parts_are_flattened_as_gymnasium_does(library):
    prefix, _ = library
    if prefix == "gymnasium":
        problem = wannjax.make("gymnasium:Blackjack-v1", max_steps=5)
        assert problem.inputs == 32 + 11 + 2
        assert problem.environment.reset(np.array([1])).sum() == 3
    else:
        problem = wannjax.make("envpool:FrozenLake-v1")
        assert problem.environment.reset(np.array([1])).tolist() == [[1.0] + [0.0] * 15]


def test_what_a_network_cannot_choose_from_and_bad_options_are_one_line(library):
    prefix = library[0]
    for name, options, message in (
        ("BipedalWalker-v3", {"max_steps": 0}, "max_steps: must be an integer >= 1"),
        ("BipedalWalker-v3", {"polynomials": False}, "option: must be one of input_names, output_names, lanes"),
        ("BipedalWalker-v3", {"vary": {"a": (0.0, 1.0)}}, "vary: must be None"),
        ("BipedalWalker-v3", {"observe": (0, 1)}, "observe: must be None"),
        ("BipedalWalker-v3", {"bogus": 3}, "cannot be made"),
        ("BipedalWalker-v33", {}, "did you mean"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            wannjax.make(f"{prefix}:{name}", **options)
        assert "\n" not in str(caught.value)


def test_scores_of_networks_that_are_ahead_in_a_race_are_those_of_all_episodes(library):
    problem = wannjax.make(f"{library[0]}:BipedalWalker-v3", max_steps=60)
    networks, weights = networks_for(problem, 6), jnp.array([-1.0, 1.0])
    first = problem.evaluate_after(KEYS[0], networks, weights, np.zeros((6, 2, 0), np.float32), episodes=1)
    ahead = np.array([0, 2, 5])
    found = problem.evaluate_after(KEYS[0], take(networks, ahead), weights, np.asarray(first.by_episode)[ahead], episodes=3)
    expected = problem.evaluate(KEYS[0], take(networks, ahead), weights, episodes=3)
    np.testing.assert_array_equal(found.scores, expected.scores)
    np.testing.assert_array_equal(found.by_episode, expected.by_episode)
    np.testing.assert_array_equal(np.asarray(first.steps)[ahead] + found.steps, expected.steps)
