"""Environments as problems: scores are those of a slow loop over gymnax, however the population is cut into chunks."""

from functools import cache
from typing import Any

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import assert_same_bits, networks_of
from flax import struct
from gymnax.environments import environment, spaces
from oracle import Genes

from wannjax.common.keys import Purpose
from wannjax.networks.network import take
from wannjax.problems.adapters.gymnax import GymnaxProblem
from wannjax.problems.registry import environment_names, make

WEIGHTS = (-1.0, 0.5)
EPISODES = 2
KEY = jax.random.key(5)


def random_networks(problem, count, seed=0, *, recurrent=False):
    rng = np.random.default_rng(seed)
    shape = dict(inputs=problem.inputs, outputs=problem.outputs, ids=(1, 5, 6, 9), density=0.5)
    genes = [oracle.random_genes(rng, nodes=int(rng.integers(0, 6)), slots=6, recurrent=recurrent, **shape) for _ in range(count)]
    return networks_of(genes, 24, recurrent=recurrent)


def slow_scores(problem, key, networks, weights, episodes):
    """One network, weight, episode and step at a time; a step's key is the episode's, folded with the time."""
    env, params, scores = problem.environment.env, problem.params, []
    reset, step = jax.jit(env.reset_env), jax.jit(env.step_env)
    for index in range(len(networks.activations)):
        network, scores_of_network = take(networks, index), []
        for weight in weights:
            returns = []
            for episode in jax.random.split(key, episodes):
                observation, state = reset(jax.random.fold_in(episode, Purpose.EPISODE_START), params)
                total, ended, time, memory = 0.0, False, 0, network.initial_state()
                while not ended and time < problem.max_steps:
                    outputs, memory = network.step(memory, observation, weight)
                    action = jnp.argmax(outputs) if problem.discrete else jnp.clip(outputs, -1.0, 1.0)
                    observation, state, reward, terminated, _ = step(jax.random.fold_in(episode, time), state, action, params)
                    total, ended, time = total + float(reward), bool(terminated), time + 1
                returns.append(total)
            scores_of_network.append(np.mean(returns))
        scores.append(scores_of_network)
    return np.array(scores)


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("name", ["CartPole-v1", "CartPoleSwingUp-v0"])
def test_scores_are_those_of_a_slow_loop(name, recurrent):
    problem = make(name, max_steps=80)
    networks = random_networks(problem, 3, recurrent=recurrent)
    evaluation = problem.evaluate(KEY, networks, jnp.array(WEIGHTS), episodes=EPISODES)
    want = slow_scores(problem, KEY, networks, WEIGHTS, EPISODES)
    np.testing.assert_allclose(evaluation.scores, want, rtol=1e-4, atol=1e-3)
    assert evaluation.by_episode.shape == (3, len(WEIGHTS), EPISODES)
    np.testing.assert_allclose(np.mean(evaluation.by_episode, axis=2), want, rtol=1e-4, atol=1e-3)
    assert len(np.unique(want)) > 1


@pytest.fixture(scope="module")
def swing_up_scores():
    """Evaluations of seven networks by network_chunk."""

    @cache
    def problem_of(chunk):
        return make("CartPoleSwingUp-v0", max_steps=40, network_chunk=chunk)

    def evaluate(chunk, networks=None):
        problem = problem_of(chunk)
        networks = random_networks(problem, 7) if networks is None else networks
        return problem.evaluate(KEY, networks, jnp.array(WEIGHTS), episodes=EPISODES)

    return evaluate


@pytest.mark.parametrize("chunk", [1, 3, 16])
def test_the_chunk_size_changes_no_bit(swing_up_scores, chunk):
    got, want = swing_up_scores(chunk), swing_up_scores(None)
    assert_same_bits((got.scores, got.steps), (want.scores, want.steps))


def test_the_order_of_the_population_changes_no_bit(swing_up_scores):
    problem = make("CartPoleSwingUp-v0", max_steps=40)
    networks, order = random_networks(problem, 7), np.array([3, 0, 6, 1, 5, 2, 4])
    assert_same_bits(swing_up_scores(3, take(networks, order)).scores, swing_up_scores(3, networks).scores[order])


@struct.dataclass
class CounterState(environment.EnvState):
    key: Any = None


@struct.dataclass
class CounterParams(environment.EnvParams):
    max_steps_in_episode: int = 5


class Counter(environment.Environment[CounterState, CounterParams]):
    """Observation 1. `reward` makes the reward of (key, time, action); the episode ends after step `last`, if that is given."""

    def __init__(self, reward, *, space=None, last=None):
        super().__init__()
        self.reward, self.space, self.last = reward, space or spaces.Box(-1.0, 1.0, (1,), jnp.float32), last

    @property
    def default_params(self):
        return CounterParams()

    def reset_env(self, key, params):
        return jnp.ones(1), CounterState(time=0, key=key)

    def step_env(self, key, state, action, params):
        reward = self.reward(key, state.time, action)
        ended = jnp.bool_(False) if self.last is None else state.time >= self.last
        return jnp.ones(1), state.replace(time=state.time + 1), reward, ended, {}

    def action_space(self, params):
        return self.space


def constants(*values):
    """Networks with one constant output each, through linear bias connections; or tuples of several outputs."""
    rows = [np.atleast_1d(value) for value in values]
    outputs = len(rows[0])
    connections = np.zeros((1 + 1 + 1, 1 + outputs), np.int8)
    connections[0, 1:] = 1
    genes = Genes(connections, np.array([0] + [1] * outputs, np.int8), 1, outputs)
    weights = np.zeros((len(rows), *connections.shape), np.float32)
    weights[:, 0, 1:] = rows
    return networks_of([genes] * len(rows), 2, jnp.asarray(weights))


def score(reward, networks, *, weights=(1.0,), episodes=2, key=KEY, **settings):
    problem = GymnaxProblem(Counter(reward, **settings))
    return problem.evaluate(key, networks, jnp.array(weights), episodes=episodes)


def test_episode_keys_are_split_from_the_key_and_folded_with_the_time():
    got = score(lambda key, time, action: jax.random.uniform(key), constants(0.0), weights=(1.0, 2.0), episodes=3).scores
    want = [sum(jax.random.uniform(jax.random.fold_in(lane, t)) for t in range(5)) for lane in jax.random.split(KEY, 3)]
    np.testing.assert_allclose(got, [[np.mean(want)] * 2], rtol=1e-6)


def test_all_networks_and_weights_see_the_same_episodes():
    scores = score(lambda key, time, action: jax.random.normal(key), constants(0.0, 0.5, -3.0), weights=(1.0, 2.0)).scores
    assert_same_bits(scores, np.broadcast_to(scores[:1, :1], scores.shape))


def test_a_nan_reward_reaches_only_the_score_of_its_network_and_weight():
    reward = lambda key, time, action: jnp.where(action[0] > 0.6, jnp.nan, action[0])  # noqa: E731
    scores = np.asarray(score(reward, constants(0.1, 0.5, 0.8), weights=(1.0, -1.0, 1.5)).scores)
    np.testing.assert_array_equal(np.isnan(scores), [[False, False, False], [False, False, True], [True, False, True]])
    np.testing.assert_allclose(scores[0], [0.5, -0.5, 0.75], rtol=1e-5)


def test_what_comes_after_the_end_of_an_episode_never_reaches_the_score():
    """One network ends at once, another never does: the first is stepped on, and its rewards are NaN from then on."""

    class EndsByAction(Counter):
        def step_env(self, key, state, action, params):
            observation, state, _, _, info = super().step_env(key, state, action, params)
            reward = jnp.where((action[0] > 0) & (state.time > 1), jnp.nan, 1.0)
            return observation * reward, state, reward, action[0] > 0, info

    problem = GymnaxProblem(EndsByAction(lambda *_: 0.0), network_chunk=2)
    evaluation = problem.evaluate(KEY, constants(1.0, -1.0, 1.0, -1.0), jnp.ones(1), episodes=2)
    np.testing.assert_array_equal(evaluation.scores, [[1], [5], [1], [5]])
    np.testing.assert_array_equal(evaluation.steps, [[2], [10], [2], [10]])


def test_steps_count_the_living_and_computed_steps_all():
    evaluation = score(lambda *_: 1.0, constants(*[0.0] * 4), last=2, episodes=3, weights=(1.0, 2.0))
    np.testing.assert_array_equal(evaluation.steps, np.full((4, 2), 9))
    assert int(evaluation.computed_steps) == 4 * 6 * 3


def test_the_limit_of_the_parameters_ends_an_episode():
    assert score(lambda *_: 1.0, constants(0.0)).scores.tolist() == [[5.0]]


def test_a_discrete_action_is_the_index_of_the_greatest_output():
    networks = constants((0.1, 0.3, 0.2), (0.5, 0.3, 0.2), (-3.0, -2.0, -1.0), (0.2, 0.2, 0.1))
    scores = score(lambda key, time, action: action * 1.0, networks, space=spaces.Discrete(3)).scores
    np.testing.assert_array_equal(scores, [[5], [0], [10], [0]])


def test_a_continuous_action_is_the_outputs_clipped_and_stretched_to_the_bounds():
    box = spaces.Box(jnp.array([-1.0, 0.0]), jnp.array([3.0, 0.5]), (2,), jnp.float32)
    networks = constants((9.0, 9.0), (-9.0, -9.0), (0.5, 0.0), (-0.5, 1.0))
    scores = score(lambda key, time, action: action[0] + 16 * action[1], networks, space=box).scores
    np.testing.assert_array_equal(scores, 5 * np.array([[3 + 8], [-1], [2 + 4], [8]]))


def test_a_continuous_action_never_leaves_its_bounds_by_rounding():
    low, high = np.random.default_rng(2).uniform([[-5], [0.1]], [[0], [9]], (2, 40)).astype(np.float32)
    box = spaces.Box(jnp.asarray(low), jnp.asarray(high), (40,), jnp.float32)
    outside = lambda key, time, action: jnp.sum((action < low) | (action > high), dtype=jnp.float32)  # noqa: E731
    np.testing.assert_array_equal(score(outside, constants([9.0] * 40, [-9.0] * 40), space=box).scores, [[0], [0]])


def test_a_continuous_action_without_bounds_is_the_outputs():
    box = spaces.Box(-np.inf, np.inf, (1,), jnp.float32)
    scores = score(lambda key, time, action: action[0], constants(9.0, -0.5, 0.0), space=box).scores
    np.testing.assert_array_equal(scores, [[45], [-2.5], [0]])


def test_a_single_network_is_refused():
    problem = GymnaxProblem(Counter(lambda *_: 1.0))
    with pytest.raises(ValueError, match=r"^networks: .*population"):
        problem.evaluate(KEY, take(constants(0.0), 0), jnp.ones(1), episodes=1)


def test_networks_of_another_shape_are_refused_and_both_shapes_named():
    problem = GymnaxProblem(Counter(lambda *_: 1.0))
    with pytest.raises(ValueError, match=r"^networks: .*1 input and 1 output.*1 input and 3 outputs"):
        problem.evaluate(KEY, constants((0.0, 1.0, 2.0)), jnp.ones(1), episodes=1)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("max_steps", 0),
        ("max_steps", 1.5),
        ("max_steps", "ten"),
        ("polynomials", 1),
        ("network_chunk", 0),
        ("network_chunk", 1.5),
        ("network_chunk", "8"),
        ("input_names", ("a", "b")),
        ("input_names", (1,)),
        ("name", 3),
    ],
)
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(ValueError, match=rf"^{argument}(\[0\])?: "):
        GymnaxProblem(Counter(lambda *_: 1.0), **{argument: value})


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "Reacher-misc"])
def test_sines_of_a_step_are_polynomials_and_left_to_xla_where_that_is_asked_for(name):
    def program_and_step(**options):
        problem = make(name, **options)
        _, state = problem.reset(jax.random.split(KEY, 3), 2, problem.params)
        arguments = jax.random.split(KEY, 3), 0, state, jnp.full((problem.outputs, 2, 3), 0.5), problem.params
        lowered = jax.jit(problem.step).lower(*arguments)
        return lowered.as_text(), lowered.compile()(*arguments)

    (program, step), (by_xla, want) = program_and_step(), program_and_step(polynomials=np.bool_(False))
    assert "stablehlo.cosine" in by_xla
    assert "stablehlo.cosine" not in program
    assert "stablehlo.sine" not in program
    for part, other in zip(jax.tree.leaves(step), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(part, other, rtol=1e-5, atol=1e-5)


def test_known_environments_have_names_for_people():
    problem = make("CartPoleSwingUp-v0")
    assert problem.input_names == ("x", "dx", "cos θ", "sin θ", "dθ")
    assert problem.output_names == ("force",)
    assert make("CartPole-v1").output_names == ("left", "right")


def test_unknown_environments_have_numbered_names_and_given_ones_win():
    assert GymnaxProblem(Counter(lambda *_: 1.0, space=spaces.Discrete(2))).output_names == ("output 0", "output 1")
    assert GymnaxProblem(Counter(lambda *_: 1.0)).input_names == ("input",)
    assert make("CartPole-v1", output_names=("west", "east")).output_names == ("west", "east")


def test_our_environments_and_every_one_of_gymnax_are_known_and_nothing_is_registered_there():
    registered = [*gymnax.registered_envs]
    assert [*registered, "CartPoleSwingUp-v0", "DoublePole-v0"] == environment_names()
    assert registered == [*gymnax.registered_envs]


@pytest.mark.parametrize(("name", "meant"), [("CartPole-v0", "CartPole-v1"), ("cartpoleswingup", "CartPoleSwingUp-v0")])
def test_an_unknown_name_gets_near_matches_in_one_line(name, meant):
    with pytest.raises(ValueError, match=rf"^environment: '{name}' is unknown; did you mean .*{meant}") as error:
        make(name)
    assert "\n" not in str(error.value)


def test_a_name_like_nothing_known_gets_the_list():
    with pytest.raises(ValueError, match=r"known are .*CartPole-v1.*CartPoleSwingUp-v0"):
        make("zzzzzz")


def test_an_environment_whose_data_cannot_be_fetched_is_reported(monkeypatch):
    def no_network(name):
        raise OSError("no route to host")

    monkeypatch.setattr(gymnax, "make", no_network)
    with pytest.raises(ValueError, match=r"^environment: MNISTBandit-bsuite downloads .*no route to host"):
        make("MNISTBandit-bsuite")
