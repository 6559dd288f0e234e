"""The policy gradient on environments of the host: whole episodes, what is made of them, and what comes of it; and inputs in any units."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest
from bridge import assert_same_bits
from host_support import Boat, BoatInJax, Boats
from training_support import weights_of

import wannjax
from wannjax import EnvironmentProblem, HostProblem, PolicyGradient
from wannjax.finetuning import finetune
from wannjax.finetuning.host_episodes import whole_episodes
from wannjax.finetuning.policy_gradient import inputs_of
from wannjax.finetuning.transitions import batch_of, places_of, taken
from wannjax.networks.gradients import topology_of
from wannjax.networks.graph import Connection, Graph, graph_of, network_of

STEER = network_of(Graph(("place", "drift"), ("rudder",), (5,), (Connection(1, 3), Connection(2, 3), Connection(0, 3))))
SEEDS = np.array([0, 4, 9, 502, 17, 733, 1022, 501])
MEMBERS = 2


def act(time, observations):
    """What member 0 does brings its boat back, what member 1 does drives it off."""
    choice = np.array([-0.4, 2.0], np.float32)[:, None, None] * observations[..., :1] + np.float32(0.01 * time)
    return choice, choice[..., 0] - 1, np.clip(choice, -1.2, 1.0)


@pytest.fixture(scope="module")
def episodes():
    return whole_episodes(HostProblem(Boats()), SEEDS, act, MEMBERS)


def test_episodes_are_those_of_single_boats(episodes):
    lengths = set()
    for member in range(MEMBERS):
        for lane, seed in enumerate(SEEDS):
            boat, over = Boat(), False
            seen = boat.reset(seed)
            for time in range(Boats.max_steps):
                choice, likely, actions = act(time, np.tile(seen, (MEMBERS, 1, 1)))
                np.testing.assert_array_equal(episodes.observations[time, member, lane], seen)
                np.testing.assert_allclose(episodes.choice[time, member, lane], choice[member, 0], rtol=1e-6)
                assert episodes.log_probability[time, member, lane] == pytest.approx(likely[member, 0])
                seen, reward, terminated, truncated = boat.step(actions[member, 0].astype(np.float32))
                assert episodes.reward[time, member, lane] == pytest.approx(reward, rel=1e-5)
                over = terminated or truncated
                if over:
                    break
            assert episodes.steps[member, lane] == time + 1
            assert episodes.terminated[member, lane] == terminated
            np.testing.assert_allclose(episodes.beyond[member, lane], seen, rtol=1e-5)
            assert not np.any(episodes.observations[time + 1 :, member, lane])
            assert not np.any(episodes.reward[time + 1 :, member, lane])
            lengths.add("limit" if not over else "terminated" if terminated else "truncated")
    assert lengths == {"limit", "terminated", "truncated"}
    assert len(episodes.reward) == 32


@pytest.mark.parametrize("lanes", [1, 5, 6])
def test_as_many_run_side_by_side_as_the_problem_allows(episodes, lanes):
    class Few(Boats):
        def reset(self, seeds):
            assert len(seeds) <= max(lanes, MEMBERS)
            return super().reset(seeds)

    found = whole_episodes(HostProblem(Few(), lanes=lanes), SEEDS, act, MEMBERS)
    running = episodes.running
    for name in episodes._fields:
        one, other = (getattr(each, name) for each in (found, episodes))
        if name in ("choice", "log_probability"):
            one, other = one[running], other[running]
        np.testing.assert_array_equal(one, other)


def test_advantages_are_those_of_a_loop_over_each_episode(episodes):
    discount, trace = 0.9, 0.8

    def values(seen):
        return 3 * seen[..., 0] + seen[..., 1]

    batch, found = batch_of(episodes, values, discount, trace)
    for member, lane in np.ndindex(MEMBERS, len(SEEDS)):
        length = episodes.steps[member, lane]
        value = [float(values(seen)) for seen in episodes.observations[:length, member, lane]]
        value.append(0.0 if episodes.terminated[member, lane] else float(values(episodes.beyond[member, lane])))
        advantage = 0.0
        for time in reversed(range(length)):
            error = (1 - discount) * episodes.reward[time, member, lane] + discount * value[time + 1] - value[time]
            advantage = error + discount * trace * advantage
            assert found[time, member, lane] == pytest.approx(advantage, rel=1e-4, abs=1e-5)
            assert batch.value[time, member, lane] == pytest.approx(value[time], rel=1e-5)


def test_what_is_learned_from_are_all_steps_of_every_episode_and_no_others():
    steps = np.array([[3, 1, 2], [5, 5, 4]], np.int32)
    for parts in (1, 3, 4):
        chosen = places_of(np.arange(8)[:, None, None] < steps, parts)
        assert chosen.shape[1] % parts == 0
        assert chosen.shape[1] < 2 * 14 + parts
        for member in range(2):
            running = {time * 3 + lane for time in range(8) for lane in range(3) if time < steps[member, lane]}
            assert set(chosen[member]) == running
        numbers = jnp.arange(8 * 2 * 3).reshape(8, 2, 3)
        np.testing.assert_array_equal(taken(numbers, chosen)[:, 1, 0], [place // 3 * 6 + 3 + place % 3 for place in chosen[1]])
    assert places_of(np.ones((1, 1, 1), bool), 4).shape == (1, 4)


UNITS = np.array([1 / 32, 64], np.float32)


class Strange(Boats):
    """The same boats, seen in other units."""

    def reset(self, seeds):
        return super().reset(seeds) * UNITS

    def step(self, actions, lanes):
        observations, *rest = super().step(actions, lanes)
        return observations * UNITS, *rest


class StrangeInJax(BoatInJax):
    def reset(self, key, params):
        observation, state = super().reset(key, params)
        return observation * UNITS, state

    def step(self, key, state, action, params):
        after = super().step(key, state, action, params)
        return after._replace(observation=after.observation * UNITS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("usual", "strange"),
    [(HostProblem(Boats()), HostProblem(Strange())), (EnvironmentProblem(BoatInJax()), EnvironmentProblem(StrangeInJax()))],
    ids=["host", "jax"],
)
@pytest.mark.nightly
def test_normalised_inputs_may_come_in_any_units(usual, strange):
    """Units are powers of two, so that all is the same to the last bit."""
    places = np.array([connection.source - 1 for connection in graph_of(STEER).connections])
    units = np.where(places < 0, 1, UNITS[places])
    starts = np.array([[0.5, 1.0, 0.25], [-0.5, 0.75, 1.0]], np.float32)
    method = PolicyGradient(episodes=6, horizon=16, minibatches=2, learning_rate=0.1, normalise=True)
    train = partial(finetune, STEER, method=method, steps=3, progress=False)
    expected, found = train(problem=usual, starts=starts), train(problem=strange, starts=starts / units)
    np.testing.assert_array_equal(found.history["training_score"], expected.history["training_score"])
    np.testing.assert_array_equal(weights_of(found.network) * units, weights_of(expected.network))
    assert np.any(weights_of(expected.network) != starts[0])
    plain = finetune(STEER, usual, method=method.replace(normalise=False), steps=3, starts=starts, progress=False)
    assert np.any(weights_of(plain.network) != weights_of(expected.network))


def test_the_input_that_a_connection_reads_is_known():
    graph = Graph(("a", "b"), ("c",), (5, 1), tuple(Connection(*pair) for pair in ((0, 3), (2, 3), (1, 4), (3, 4), (3, 3))))
    network = network_of(graph)
    sources = [connection.source for connection in graph_of(network).connections]
    expected = [source - 1 if source in (1, 2) else 2 for source in sources]
    np.testing.assert_array_equal(inputs_of(topology_of(network)), expected)
    without = Graph(("a", "b"), ("c",), (1,), (Connection(0, 3),))
    np.testing.assert_array_equal(inputs_of(topology_of(network_of(without))), [2])


@pytest.mark.slow
@pytest.mark.nightly
def test_boats_learn_to_stay_and_resume_to_the_same_bits(tmp_path):
    method = PolicyGradient(learning_rate=0.1)
    train = partial(finetune, STEER, HostProblem(Boats()), method=method, starts=(0.5, 1.0), progress=False)
    whole = train(steps=40)
    assert whole.history["held_out_score"][0] < 5
    assert whole.score > 20
    train(steps=40, run_dir=tmp_path, save_every=0.0, callbacks=[lambda record: record.step == 20])
    resumed = train(steps=40, run_dir=tmp_path, resume=True)
    assert_same_bits(weights_of(resumed.network), weights_of(whole.network))
    np.testing.assert_array_equal(resumed.history["training_score"], whole.history["training_score"])


def test_networks_with_memory_are_refused():
    remembers = network_of(Graph(("place", "drift"), ("rudder",), (5, 5), (Connection(1, 3), Connection(3, 3), Connection(3, 4))))
    told = "^network: must be feed-forward for policy_gradient on boats, which lives on the host, got 'one with memory'$"
    with pytest.raises(ValueError, match=told):
        finetune(remembers, HostProblem(Boats()), method="policy_gradient", steps=1, progress=False)


@pytest.mark.slow
@pytest.mark.nightly
def test_actions_of_a_choice_are_learned_too():
    class Beacon(wannjax.HostEnvironment):
        """Earns 1 for the greater of two numbers."""

        name, inputs, max_steps, actions = "beacon", 2, 3, wannjax.Discrete(2)

        def reset(self, seeds):
            self.seen = np.random.default_rng(int(seeds[0])).normal(size=(len(seeds), 2)).astype(np.float32)
            return self.seen

        def step(self, actions, lanes):
            right = actions == np.argmax(self.seen[lanes], axis=1)
            none = np.zeros(len(lanes), bool)
            return self.seen[lanes], right.astype(np.float32), none, none

    pairs = [Connection(source, target) for source in (1, 2) for target in (3, 4)]
    network = network_of(Graph(("a", "b"), ("first", "second"), (1, 1), tuple(pairs)))
    method = PolicyGradient(learning_rate=0.1)
    tuned = finetune(network, HostProblem(Beacon()), method=method, starts=(0.5,), steps=30, progress=False)
    assert tuned.score > 2.8
