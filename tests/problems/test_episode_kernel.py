"""An episode in one kernel is the episode that XLA runs step by step: the same returns and lengths, whatever is rolled out."""

from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from bridge import assert_same_bits, networks_of
from hypothesis import given
from hypothesis import strategies as st
from jax import lax
from marking import nightly

from benchmarks.kernels import CLASSIC
from wannjax.common import devices
from wannjax.networks.network import take
from wannjax.problems.environment import Environment, Transition
from wannjax.problems.environment_problem import EnvironmentProblem
from wannjax.problems.kernels import step
from wannjax.problems.kernels.cells import LANES
from wannjax.problems.kernels.step import obstacle
from wannjax.problems.registry import environment_names, make
from wannjax.problems.spaces import Box

KEY = jax.random.key(5)
IDS = (1, 2, 5, 9)
"""Of activations that are rounded alike however they are fused: an unstable pole would show the difference."""
DOWNLOADED = "MNISTBandit-bsuite"


def both(make_problem, form="episode kernel"):
    """The same problem twice: step by step by XLA, and by a kernel."""
    problem, kernel = make_problem(), make_problem()
    assert problem.form == "XLA"
    kernel.form, kernel.interpret = form, True
    return problem, kernel


def random_networks(problem, count, seed=0, ids=IDS, *, recurrent=False):
    """Of many lengths."""
    rng = np.random.default_rng(seed)
    shape = dict(inputs=problem.inputs, outputs=problem.outputs, ids=ids, density=0.5)
    genes = [oracle.random_genes(rng, nodes=int(rng.integers(0, 6)), slots=6, recurrent=recurrent, **shape) for _ in range(count)]
    room = 32 if problem.inputs <= 8 else 160 if problem.inputs < 100 else 1024
    assert max(map(oracle.tape_steps, genes)) <= room
    return networks_of(genes, room, recurrent=recurrent)


def assert_same_rollouts(problem, kernel, networks, lanes, ids=IDS):
    keys, gain = jax.random.split(KEY, lanes), jnp.linspace(-2.0, 2.0, lanes)
    want, got = (each.rollout(keys, networks, gain, activation_ids=ids) for each in (problem, kernel))
    assert_same(got.returns, want.returns)
    assert_same_bits(got.steps, want.steps)
    return got


def assert_same(got, want):
    """But for roundings, which depend on what XLA fuses."""
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [*CLASSIC[:2], *nightly(*CLASSIC[2:])])
def test_episodes_are_those_of_xla(name):
    problem, kernel = both(lambda: make(name, max_steps=30))
    rollouts = assert_same_rollouts(problem, kernel, random_networks(problem, 3), 5)
    assert len(np.unique(rollouts.returns)) > 1 or name in ("MountainCar-v0", "Acrobot-v1")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in environment_names() if name not in (*CLASSIC, DOWNLOADED)])
@pytest.mark.nightly
def test_episodes_of_whatever_fits_are_those_of_xla(name):
    problem, kernel = both(lambda: make(name, max_steps=12))
    if reason := obstacle(problem.environment):
        pytest.skip(reason)
    with jax.numpy_rank_promotion("allow"):
        assert_same_rollouts(problem, kernel, random_networks(problem, 3), 5)


@pytest.mark.parametrize("form", ["episode kernel", "forward kernel"])
def test_recurrent_networks_remember_in_kernels_what_they_do_in_xla(form):
    problem, kernel = both(lambda: make("Pendulum-v1", max_steps=12), form)
    networks = random_networks(problem, 5, recurrent=True)
    rollouts = assert_same_rollouts(problem, kernel, networks, 5)
    forgetful = problem.rollout(jax.random.split(KEY, 5), random_networks(problem, 5), jnp.linspace(-2.0, 2.0, 5), activation_ids=IDS)
    assert not np.allclose(forgetful.returns, rollouts.returns)


@pytest.mark.slow
def test_all_activations_are_computed_as_by_xla():
    problem, kernel = both(lambda: make("Pendulum-v1", max_steps=20))
    ids = tuple(range(1, 12))
    assert_same_rollouts(problem, kernel, random_networks(problem, 8, ids=ids), 6, ids)


class HopState(NamedTuple):
    place: Any
    time: Any
    ended: Any
    key: Any


class Hops(Environment):
    """A place that outputs push about, with noise. An episode ends by leaving [-limit, limit]; what comes after it is NaN."""

    name, inputs, actions, max_steps = "hops", 3, Box((-1.0,), 1.0), 9

    def __init__(self):
        self.params = {"limit": 2.0, "pushes": jnp.array([0.5, 1.0]), "nobody_reads": jnp.zeros(700)}

    def reset(self, key, params):
        state = HopState(jax.random.normal(key), jnp.int32(0), jnp.bool_(False), key)
        return self._seen(state), state

    def step(self, key, state, action, params):
        noise = 0.1 * jax.random.normal(key) + 0.1 * jax.random.uniform(state.key)
        place = state.place + params["pushes"][state.time % 2] * action[0] + noise
        ended = abs(place) > params["limit"]
        state = HopState(place, state.time + 1, ended, jax.random.split(state.key)[0])
        reward = jnp.where(state.ended, jnp.nan, place)
        return Transition(self._seen(state), state, jnp.where(ended, -1.0, reward), ended, jnp.bool_(False))

    def _seen(self, state):
        return jnp.stack([jnp.where(state.ended, jnp.nan, state.place), jnp.sin(state.place), 1.0 * state.time])


class WholeHops(Hops):
    """From one whole number to another: what nothing rounds."""

    def reset(self, key, params):
        _, state = super().reset(key, params)
        state = state._replace(place=jnp.round(state.place))
        return self._seen(state), state

    def step(self, key, state, action, params):
        after = super().step(key, state, action, params)
        place = state.place + jnp.sign(action[0]) + jax.random.randint(key, (), -1, 2)
        state = after.state._replace(place=place, ended=abs(place) > params["limit"])
        return Transition(self._seen(state), state, place, state.ended, jnp.bool_(False))

    def _seen(self, state):
        return jnp.stack([jnp.where(state.ended, jnp.nan, state.place), 1.0 * (state.time % 2), 1.0])


@pytest.fixture(scope="module")
def hops():
    return both(lambda: EnvironmentProblem(Hops(), network_chunk=3))


@pytest.fixture(scope="module")
def whole_hops():
    return both(lambda: EnvironmentProblem(WholeHops(), network_chunk=3))


@pytest.mark.parametrize("lanes", [LANES + 1, *nightly(1, 2, 31, LANES, 64, 65)])
def test_every_number_of_lanes_gives_what_xla_does(hops, lanes):
    rollouts = assert_same_rollouts(*hops, random_networks(hops[0], 5), lanes)
    assert not np.isnan(rollouts.returns).any()
    assert lanes == 1 or len(np.unique(rollouts.steps)) > 2


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1))
def test_random_tapes_give_what_xla_does_to_the_last_bit(whole_hops, seed):
    ids = (1, 2, 7, 8, 9)
    networks = random_networks(whole_hops[0], 5, seed, ids=ids)
    keys, gain = jax.random.split(jax.random.key(seed), 4), jnp.array([-1.0, -0.5, 0.5, 1.0])
    want, got = (each.rollout(keys, networks, gain, activation_ids=ids) for each in whole_hops)
    assert_same_bits((got.returns, got.steps), (want.returns, want.steps))


def test_each_block_of_lanes_stops_when_its_last_has_ended(hops):
    problem, kernel = hops
    networks = random_networks(problem, 5)
    rollouts = assert_same_rollouts(problem, kernel, networks, LANES + 1)
    blocks = np.pad(np.asarray(rollouts.steps), ((0, 0), (0, LANES - 1))).reshape(5, 2, LANES)
    longest = blocks.max(axis=2).sum(axis=1)
    # Chunks are of equal length on both devices, so the shortest network runs more than once.
    least, most = LANES * longest.sum(), LANES * (longest.sum() + 4 * longest.max())
    assert least <= rollouts.computed_steps <= most


@pytest.mark.slow
def test_a_sweep_is_scored_as_by_xla(hops):
    networks, weights = random_networks(hops[0], 5), jnp.array([-1.0, 0.5])
    want, got = (each.evaluate(KEY, networks, weights, episodes=2, activation_ids=IDS) for each in hops)
    assert_same(got.scores, want.scores)
    assert_same_bits(got.steps, want.steps)


def with_weights(networks, *lanes):
    own = np.random.default_rng(0).normal(size=(*networks.sources.shape, *lanes)).astype(np.float32)
    return replace(networks, weights=own)


@pytest.mark.parametrize("lanes", [pytest.param((), marks=pytest.mark.slow), (4,)], ids=["of networks", "of lanes"])
def test_individual_weights_are_those_of_xla(hops, lanes):
    assert_same_rollouts(*hops, with_weights(random_networks(hops[0], 5), *lanes), 4)


@pytest.mark.slow
def test_copies_are_scored_as_by_xla(hops):
    copies = with_weights(take(random_networks(hops[0], 1), np.zeros(4, int)))
    want, got = (each.score_copies(KEY, copies, episodes=3, activation_ids=IDS) for each in hops)
    assert_same(got, want)


def test_a_nan_reaches_only_the_score_of_its_lane(hops):
    """What bounds and compares must not drop it, as a GPU's own minimum does."""
    gain = jnp.ones(LANES + 1).at[3].set(jnp.nan).at[LANES].set(jnp.inf)
    networks, keys = random_networks(hops[0], 5), jax.random.split(KEY, len(gain))
    want, got = (each.rollout(keys, networks, gain, activation_ids=IDS) for each in hops)
    assert_same(got.returns, want.returns)
    assert_same_bits(got.steps, want.steps)
    assert set(np.flatnonzero(np.isnan(got.returns).any(axis=0))) == {3, LANES}


@pytest.fixture(scope="module")
def forward_hops():
    return both(lambda: EnvironmentProblem(Hops(), network_chunk=3), "forward kernel")


@pytest.mark.parametrize("own", [pytest.param(None, marks=pytest.mark.slow), pytest.param((), marks=pytest.mark.slow), (LANES + 1,)])
def test_networks_in_a_kernel_give_step_by_step_what_xla_does(forward_hops, own):
    networks = random_networks(forward_hops[0], 5)
    assert_same_rollouts(*forward_hops, networks if own is None else with_weights(networks, *own), LANES + 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Breakout-MinAtar", "CartPole-v1"])
def test_networks_in_a_kernel_read_what_an_environment_shows(name):
    problem, kernel = both(lambda: make(name, max_steps=12), "forward kernel")
    assert_same_rollouts(problem, kernel, random_networks(problem, 3), 5)


@pytest.mark.slow
def test_copies_in_a_forward_kernel_are_scored_as_by_xla(forward_hops):
    copies = with_weights(take(random_networks(forward_hops[0], 1), np.zeros(4, int)))
    want, got = (each.score_copies(KEY, copies, episodes=3, activation_ids=IDS) for each in forward_hops)
    assert_same(got, want)


class Sorting(Hops):
    def step(self, key, state, action, params):
        return super().step(key, state, jnp.sort(jnp.stack([action[0], action[0]])), params)


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        (make("Breakout-MinAtar").environment, "state and observation have 509 cells, more than 64"),
        (Sorting(), "a step needs `sort`"),
        (Hops(), ""),
    ],
    ids=["size", "primitive", "fits"],
)
def test_what_does_not_fit_says_why_and_runs_step_by_step(monkeypatch, environment, reason):
    assert obstacle(environment) == reason
    monkeypatch.setattr(devices, "on_gpu", lambda: True)
    problem = EnvironmentProblem(environment)
    assert problem.form == ("forward kernel" if reason else "episode kernel")
    assert problem.form_in_words() == (f"step by step: {reason}" if reason else "as one kernel")


def test_a_step_of_too_many_operations_does_not_fit(monkeypatch):
    monkeypatch.setattr(step, "MOST_OPERATIONS", 100)
    assert obstacle(Hops()).endswith("operations, more than 100")


def test_keys_of_another_generator_run_step_by_step(hops):
    networks, keys = random_networks(hops[0], 5), jax.random.split(jax.random.key(0, impl="rbg"), 2)
    want, got = (each.rollout(keys, networks, jnp.ones(2), activation_ids=IDS) for each in hops)
    assert_same_bits((got.returns, got.steps), (want.returns, want.steps))


def test_on_a_cpu_episodes_run_step_by_step():
    problem = make("CartPole-v1")
    assert (problem.form, problem.form_in_words()) == ("XLA", "")


BESIDE_A_GPU = pytest.mark.skipif(jax.__version_info__ >= (0, 11), reason="from JAX 0.11 on, a kernel is lowered beside a GPU only")


def for_a_gpu(function, *arguments):
    """`function` as it is lowered for a GPU."""
    return jax.jit(function).trace(*arguments).lower(lowering_platforms=("cuda",)).as_text()


@BESIDE_A_GPU
@pytest.mark.parametrize("name", [CLASSIC[0], *nightly(*CLASSIC[1:])])
def test_a_generation_lowers_to_one_kernel_of_a_gpu(monkeypatch, name):
    monkeypatch.setattr(devices, "on_cpu", lambda: False)
    monkeypatch.setattr(devices, "on_gpu", lambda: True)
    problem = make(name)
    networks, weights = random_networks(problem, 4), jnp.array([-1.0, 0.5])

    def evaluate(key, networks, weights, params):
        return problem.with_params(params).evaluate(key, networks, weights, episodes=2)

    lowered = for_a_gpu(evaluate, KEY, networks, weights, problem.params)
    assert lowered.count("@__gpu$xla.gpu.triton") == 1
    assert "callback" not in lowered


class Everything(Hops):
    """Every operation that lanes know."""

    def step(self, key, state, action, params):
        x, places = action[0], jnp.int32(action[0] * 8)
        bits = lax.bitcast_convert_type(x, jnp.uint32)
        floats = [jnp.sin, jnp.cos, jnp.tan, jnp.arcsin, jnp.arccos, jnp.arctan, jnp.sinh, jnp.cosh, jnp.tanh, jnp.arcsinh, jnp.arccosh]
        floats += [jnp.arctanh, jnp.exp, jnp.exp2, jnp.expm1, jnp.log, jnp.log1p, jnp.sqrt, lax.rsqrt, jnp.cbrt, jnp.floor, jnp.ceil]
        floats += [jnp.sign, jnp.round, lax.round, jnp.isfinite, jax.nn.sigmoid, jax.scipy.special.erfinv, lambda x: jnp.arctan2(x, 0.5)]
        floats += [lambda x: x**0.3, lambda x: x**-3, lambda x: x % 0.7, lambda x: jnp.clip(x, 0.1, 0.2), jnp.square, jnp.abs]
        whole = [places // 3, places % 3, ~places, places << 1, places >> 1, places ^ 5, jnp.sign(places), jnp.abs(places)]
        whole += [lax.shift_right_logical(bits, jnp.uint32(3)), bits.astype(jnp.int8), jnp.maximum(bits, 7), jnp.arange(3)[places % 3]]
        branch = lax.cond(x > 0, lambda: x, lambda: -x) + lax.switch(places % 3, [jnp.sin, jnp.cos, jnp.tan], x)
        total = branch + sum(function(x).astype(jnp.float32) for function in floats) + sum(value.astype(jnp.float32) for value in whole)
        return super().step(key, state, action + 0.0 * total, params)


@pytest.mark.slow
@BESIDE_A_GPU
def test_every_operation_of_lanes_lowers_for_a_gpu():
    assert obstacle(Everything()) == ""
    problem = EnvironmentProblem(Everything())
    problem.form = "episode kernel"
    networks = random_networks(problem, 2)

    def rollout(keys, networks, gain, params):
        return problem.with_params(params).rollout(keys, networks, gain)

    assert "@__gpu$xla.gpu.triton" in for_a_gpu(rollout, jax.random.split(KEY, 2), networks, jnp.ones(2), problem.params)


def test_without_a_compiler_for_kernels_an_episode_runs_step_by_step(monkeypatch):
    monkeypatch.setattr(devices, "writes_kernels", lambda: False)
    assert step.form_of("any") == "XLA"
    assert step.in_words(obstacle(make("CartPole-v1").environment)) == "step by step: this JAX writes no kernels by Triton"
