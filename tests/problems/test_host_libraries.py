"""Every adapter of a library on the host keeps to the contract of an environment there, and gymnasium's and envpool's environments are
scored as a plain loop over their own API scores them. Skipped where they are missing.
"""

from importlib import import_module

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from library_cases import ON_HOST, ON_THE_HOST, library_of

import wannjax
from wannjax.networks.network import take
from wannjax.problems.host_problem import seeds_of

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

CONFIG = wannjax.WannConfig(population=12, generations=2, episodes=1, confirm_episodes=1, candidates=1, weights=(-1.0, 1.0))
KEYS, GAIN = jax.random.split(jax.random.key(0), 3), jnp.array([-1.0, 0.5, 1.0])


@pytest.fixture(params=ON_THE_HOST)
def library(request):
    library_of(f"{request.param}:BipedalWalker-v3")
    return request.param, import_module(request.param)


each = pytest.mark.parametrize("name", ON_HOST)


def played(name, seeds, steps=40):
    """What an environment gives, step by step, for actions that are drawn; lanes that have ended stand still."""
    environment = wannjax.make(name, max_steps=10).environment
    draws = np.random.default_rng(0).uniform(-1, 1, (steps, len(seeds), environment.actions.outputs)).astype(np.float32)
    found, lanes = [environment.reset(np.asarray(seeds))], np.arange(len(seeds))
    for time in range(steps):
        actions = np.asarray(jax.vmap(environment.actions.action)(draws[time, lanes]))
        found.append(environment.step(actions, lanes))
        lanes = lanes[~(np.asarray(found[-1][2]) | np.asarray(found[-1][3]))]
        if not len(lanes):
            break
    environment.close()
    return environment, found


@each
def test_shapes_and_types_are_the_contracts_and_equal_seeds_give_equal_episodes(name):
    library_of(name)
    (environment, found), (_, again), (_, other) = (played(name, seeds) for seeds in ([3, 4], [3, 4], [5, 6]))
    for parts, others in zip(found, again, strict=True):
        for part, of in zip(jax.tree.leaves(parts), jax.tree.leaves(others), strict=True):
            np.testing.assert_array_equal(part, of)
    assert np.any(found[0] != other[0])
    assert np.shape(found[0]) == (2, environment.inputs)
    assert environment.inputs == 96 * 96 * 3 or "CarRacing" not in name
    for observations, rewards, terminated, truncated in found[1:]:
        assert np.shape(observations) == (len(rewards), environment.inputs)
        assert np.isfinite(observations).all()
        assert np.shape(rewards) == np.shape(terminated) == np.shape(truncated)
        assert np.asarray(terminated).dtype == np.asarray(truncated).dtype == bool
    assert len(environment.input_names) in (0, environment.inputs)
    assert len(environment.output_names) in (0, environment.actions.outputs)


@each
def test_a_problem_keeps_the_limit_and_gymnasium_has_none_of_its_own(name):
    if library_of(name) == "gymnasium":  # envpool's tasks read theirs: rewards and observations of some depend on it
        _, found = played(name, [3, 4])
        assert not any(np.any(truncated) for *_, truncated in found[1:]), "though max_steps is 10"
        assert len(found) > 11
    problem = wannjax.make(name, max_steps=10)
    steps = np.asarray(problem.rollout(KEYS, networks_for(problem, 2), GAIN).steps)
    assert (steps <= 10).all()


@pytest.mark.parametrize("max_steps", [20, 100])
def test_envpool_pays_by_the_limit_of_the_problem_where_rewards_depend_on_it(max_steps):
    library_of("envpool:MiniGrid-Empty-5x5-v0")
    environment = wannjax.make("envpool:MiniGrid-Empty-5x5-v0", max_steps=max_steps).environment
    environment.reset(np.array([0]))
    forward, right = 2, 1
    steps = [environment.step(np.array([action]), np.array([0])) for action in (forward, forward, right, forward, forward)]
    assert [bool(terminated[0]) for _, _, terminated, _ in steps] == [False] * 4 + [True]
    np.testing.assert_allclose([reward[0] for _, reward, *_ in steps], [0] * 4 + [1 - 0.9 * 5 / max_steps], rtol=1e-6)
    environment.close()


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


def test_failing_terminates_and_ends_that_lane_alone(library):
    environment = wannjax.make(f"{library[0]}:CartPole-v1", max_steps=15).environment
    environment.reset(np.array([3, 4]))
    ends = {}
    for time in range(1, 16):
        lanes = np.array([lane for lane in (0, 1) if lane not in ends])
        actions = np.where(lanes == 0, 0, time % 2)  # one is pushed over, one is kept up for a while
        _, _, terminated, truncated = environment.step(actions, lanes)
        ends |= {lane: (bool(terminated[i]), bool(truncated[i])) for i, lane in enumerate(lanes) if terminated[i] or truncated[i]}
    at_the_limit = {"envpool": {1: (False, True)}, "gymnasium": {}}[library[0]]  # envpool is given it
    assert ends == {0: (True, False), **at_the_limit}


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
        ("BipedalWalker-v3", {"max_episode_steps": 9}, "max_episode_steps: must be given as max_steps, got 9"),
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
