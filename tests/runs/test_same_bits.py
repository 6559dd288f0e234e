"""What "the same result" means: every column of the history, every score and every network, to the last bit."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import on_devices
import pytest
from bridge import assert_same_bits
from saved_run import outcome

import wannjax
from wannjax.common import hosts
from wannjax.networks.network import take
from wannjax.problems.sharding import put_together

KEY = jax.random.key(0)
SEARCHES = {"neat": wannjax.NeatConfig(population=7, add_node=0.3), "wann": wannjax.WannConfig(population=7, recurrent=True)}


def population(config):
    """Networks that have grown for a while, and the ids of their activations."""
    algorithm = config.algorithm(inputs=5, outputs=1)
    state = algorithm.init(KEY)
    for _ in range(12):
        size = np.asarray(state.sizes.connections, np.float32)
        state = algorithm.enlarge(algorithm.tell(state, np.repeat(size[:, None], len(config.weights), axis=1))[0])
    return jax.device_get(algorithm.ask(state)), algorithm.activation_ids


@pytest.fixture(scope="module", params=SEARCHES)
def evaluated(request):
    """Scores of the first networks of a population on so many devices."""
    config = SEARCHES[request.param]
    networks, ids = population(config)
    problem = wannjax.make("CartPoleSwingUp-v0", max_steps=150)
    weights = jnp.array(config.weights, jnp.float32)

    def scores(count, shares):
        some = take(networks, np.arange(count))
        parts = problem._evaluate.apart(KEY, some, weights, problem.params, shares=shares, episodes=4, activation_ids=ids)
        return put_together(jax.device_get(parts))[0]

    return scores


@pytest.mark.slow
def test_a_network_scores_the_same_beside_any_others_on_one_and_two_devices(evaluated):
    expected = evaluated(7, 1)
    for count, shares in [(2, 1), (2, 2), (3, 2), (7, 2)]:
        assert_same_bits(evaluated(count, shares), jax.tree.map(lambda leaf, count=count: leaf[:count], expected))


def test_no_process_has_a_single_network_unless_all_have(monkeypatch):
    monkeypatch.setattr(hosts, "count", lambda: 3)
    assert [hosts.shares_of(np.arange(count)).shape for count in (1, 2, 3, 6, 7)] == [(3, 1), (3, 2), (3, 2), (3, 2), (3, 3)]


@pytest.mark.nightly
def test_several_runs_are_each_what_evolve_gives():
    config = wannjax.WannConfig(population=32, generations=8)
    many = wannjax.evolve_many(on_devices.SWING_UP, config, seeds=range(3), progress=False)
    for result in many.results:
        assert outcome(result) == outcome(wannjax.evolve(on_devices.SWING_UP, config, seed=result.seed, progress=False))


@pytest.mark.slow
@pytest.mark.nightly
def test_the_number_of_devices_changes_nothing_that_a_search_finds():
    """But for the steps that are computed, which are costs: those of networks that fill up chunks are among them."""
    commands = [[sys.executable, on_devices.__file__, str(devices)] for devices in (1, 3)]
    runs = [subprocess.run(command, capture_output=True, text=True, timeout=300) for command in commands]
    assert runs[0].returncode == 0, runs[0].stderr
    one, *more = (run.stdout.splitlines() for run in runs)
    assert one[0] == "neat"
    assert len(one) > 30
    assert all(other == one for other in more)
