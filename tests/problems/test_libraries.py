"""Every adapter of a JAX library keeps to the contract of an environment: what it gives is the library's own raw reset and step, past the
end of an episode too. Skipped where the library is missing.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from library_cases import CASES, IN_JAX, library_of, split

import wannjax
from wannjax.common import devices
from wannjax.networks.network import take
from wannjax.problems.adapters.library import LibraryEnvironment, Moved
from wannjax.problems.kernels.step import obstacle
from wannjax.problems.libraries import LIBRARIES, library_names
from wannjax.problems.registry import is_known
from wannjax.problems.spaces import Discrete


class Raw(NamedTuple):
    """A library's own functions: reset(key) → state, observation; step(key, state, action) → state, observation, reward, terminated,
    truncated. An observation is a list of arrays."""

    reset: Callable[..., Any]
    step: Callable[..., Any]


def raw_gymnax(name):
    import gymnax

    env, params = gymnax.make(name)

    def step(key, state, action):
        observation, state, reward, terminated, _ = env.step_env(key, state, action, params)
        return state, [observation], reward, terminated, env.is_truncated(state, params)

    return Raw(lambda key: (lambda observation, state: (state, [observation]))(*env.reset_env(key, params)), step)


def raw_brax(name):
    from brax import envs

    return of_mujoco(envs.get_environment(name))


def raw_playground(name):
    from mujoco_playground import registry

    return of_mujoco(registry.load(name, config_overrides={"impl": "jax"}))


def of_mujoco(env):
    def parts(state):
        return state, jax.tree.leaves(state.obs)

    def step(_key, state, action):
        after = env.step(state, action)
        return *parts(after), after.reward, after.done > 0, False

    return Raw(lambda key: parts(env.reset(key)), step)


def raw_jumanji(name):
    import jumanji

    env = jumanji.make(name)

    def step(_key, state, action):
        state, now = env.step(state, action)
        end = now.step_type == 2
        goes_on = jnp.any(now.discount > 0)
        return state, jax.tree.leaves(now.observation), jnp.sum(now.reward), end & ~goes_on, end & goes_on

    return Raw(lambda key: (lambda state, first: (state, jax.tree.leaves(first.observation)))(*env.reset(key)), step)


def raw_craftax(name):
    from craftax.craftax_env import make_craftax_env_from_name

    env = make_craftax_env_from_name(name, auto_reset=False)
    params = env.default_params

    def step(key, state, action):
        observation, state, reward, done, _ = env.step_env(key, state, action, params)
        return state, [observation], reward, done, False

    return Raw(lambda key: (lambda observation, state: (state, [observation]))(*env.reset_env(key, params)), step)


RAW = {"": raw_gymnax, "brax": raw_brax, "craftax": raw_craftax, "jumanji": raw_jumanji, "playground": raw_playground}
MASKED = ("jumanji:Connector-v3", "jumanji:LevelBasedForaging-v0", "jumanji:Snake-v1", "jumanji:Tetris-v0")
STEPS = 120


slow = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
each = pytest.mark.parametrize("name", [pytest.param(name, marks=slow if ":" in name else ()) for name in IN_JAX])


@cache
def compiled(name):
    environment = wannjax.make(name).environment
    return environment, jax.jit(environment.reset), jax.jit(environment.step), jax.jit(environment.actions.action)


def played(name, seed):
    """The start and the transitions of STEPS steps, whether or not the episode ends, and the actions, which are drawn."""
    environment, reset, step, action = compiled(name)
    start = reset(jax.random.key(seed), environment.params)
    state = start[1]
    draws = np.random.default_rng(seed).uniform(-1, 1, (STEPS, environment.actions.outputs)).astype(np.float32)
    transitions, actions = [], []
    for time in range(STEPS):
        actions.append(action(draws[time]))
        transitions.append(step(jax.random.key(time), state, actions[-1], environment.params))
        state = transitions[-1].state
    return start, transitions, actions


@each
def test_an_episode_is_the_librarys_own_past_its_end_too(name):
    """So nothing resets, nothing is cut off, and the ends are what the library says they are."""
    library = library_of(name)
    environment, *_ = compiled(name)
    raw = RAW[library](split(name)[1])
    reset, step = jax.jit(raw.reset), jax.jit(raw.step)
    (observation, _), transitions, actions = played(name, 3)
    with jax.numpy_rank_promotion("allow"):
        state, parts = reset(jax.random.key(3))
        np.testing.assert_allclose(observation, flat(parts), rtol=1e-5, atol=1e-5)
        for time, (after, action) in enumerate(zip(transitions, actions, strict=True)):
            if name in MASKED:  # checked for itself below
                _, mask = transitions[time - 1].state if time else compiled(name)[1](jax.random.key(3), None)[1]
                action = environment._allowed(action, mask)
            state, parts, reward, terminated, truncated = step(jax.random.key(time), state, action)
            np.testing.assert_allclose(after.observation, flat(parts), rtol=1e-3, atol=1e-3)
            np.testing.assert_allclose(after.reward, reward, rtol=1e-3, atol=1e-3)
            assert (bool(after.terminated), bool(after.truncated)) == (bool(terminated), bool(truncated)), time


def flat(parts):
    return np.concatenate([np.asarray(part, np.float32).reshape(-1) for part in parts])


def kinds_of(state):
    """In words, since the parts of some states have an equality of their own."""
    return str(jax.tree.map(lambda leaf: f"{leaf.dtype}{leaf.shape}", state))


@each
def test_shapes_and_types_are_the_contracts_and_equal_keys_give_equal_episodes(name):
    library_of(name)
    environment, *_ = compiled(name)
    (observation, state), transitions, _ = played(name, 0)
    again = played(name, 0)
    for found, other in zip(jax.tree.leaves((observation, transitions)), jax.tree.leaves((again[0][0], again[1])), strict=True):
        assert found.dtype == other.dtype
        if not jax.dtypes.issubdtype(found.dtype, jax.dtypes.prng_key):
            np.testing.assert_array_equal(found, other)
    assert (observation.shape, observation.dtype) == ((environment.inputs,), jnp.float32)
    kinds = kinds_of(state)
    for after in transitions:
        assert (after.observation.shape, after.observation.dtype) == ((environment.inputs,), jnp.float32)
        assert [(part.shape, part.dtype) for part in after[2:]] == [((), jnp.float32), ((), jnp.bool_), ((), jnp.bool_)]
        assert kinds_of(after.state) == kinds
    assert len(environment.input_names) in (0, environment.inputs)
    assert len(environment.output_names) in (0, environment.actions.outputs)


@each
def test_a_problem_keeps_the_limit_and_lowers_for_accelerators(name, monkeypatch):
    library_of(name)
    problem = wannjax.make(name, max_steps=6)
    algorithm = wannjax.WannConfig(population=8).algorithm(inputs=problem.inputs, outputs=problem.outputs)
    networks = take(algorithm.ask(algorithm.init(jax.random.key(0))), np.arange(2))
    keys = jax.random.split(jax.random.key(1), 2)
    rollouts = problem.rollout(keys, networks, jnp.ones(2))
    assert np.isfinite(rollouts.returns).all()
    assert (np.asarray(rollouts.steps) <= 6).all()
    assert isinstance(obstacle(problem.environment), str)  # which a GPU asks for
    monkeypatch.setattr(devices, "on_cpu", lambda: False)
    function = jax.jit(lambda keys, networks: problem._rollout(keys, networks, jnp.ones(2), problem.params, activation_ids=(1, 2, 3)))
    exported = jax.export.export(function, platforms=["cuda", "tpu"])(keys, networks)
    assert "callback" not in exported.mlir_module()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MASKED)
def test_what_the_mask_forbids_is_never_chosen_however_much_it_is_preferred(name):
    library_of(name)
    environment, *_ = compiled(name)
    allowed = jax.jit(environment._allowed)
    _, transitions, _ = played(name, 1)
    masks = [np.asarray(after.state[1]) for after in transitions]
    draws = np.random.default_rng(0)
    for mask in (mask for mask in masks if not mask.all() and mask.any(axis=-1).all()):
        preferences = draws.normal(size=mask.shape).astype(np.float32)
        preferences[~mask] += 100
        action = np.asarray(allowed(preferences.reshape(-1), mask))
        of_agents = name not in ("jumanji:Snake-v1", "jumanji:Tetris-v0")
        chosen = np.take_along_axis(mask, action[:, None], 1) if of_agents else mask[tuple(np.atleast_1d(action))]
        best = np.where(mask, preferences, -np.inf)
        assert chosen.all()
        np.testing.assert_array_equal(action, best.argmax(1) if of_agents else np.squeeze(np.unravel_index(best.argmax(), mask.shape)))
    assert any(not mask.all() for mask in masks)


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
def test_gradients_are_promised_where_they_are_those_of_small_differences():
    library_of("brax:inverted_pendulum")
    environment = wannjax.make("brax:inverted_pendulum").environment.with_gradients()

    def last(push):
        _, state = environment.reset(jax.random.key(0), None)
        for _ in range(3):
            after = environment.step(jax.random.key(0), state, jnp.full(1, push), None)
            state = after.state
        return jnp.sum(after.observation**2)

    value = jax.jit(last)
    difference = (value(jnp.float32(0.11)) - value(jnp.float32(0.09))) / 0.02
    np.testing.assert_allclose(jax.jit(jax.grad(last))(jnp.float32(0.1)), difference, rtol=1e-2)
    assert not wannjax.make("brax:inverted_pendulum", backend="mjx").differentiable


class Careless(LibraryEnvironment):
    """Writes into the state that it steps, as some of brax's do."""

    name, params, actions, max_steps = "careless", None, Discrete(2), 5

    def begin(self, key, params):
        return jnp.zeros(2), {"count": jnp.int32(0), "bonus": jnp.float32(0)}

    def advance(self, key, state, action, params):
        state.update(count=state["count"] + 1, bonus=1.0)
        return Moved(jnp.full(2, state["count"]), state, 1.0, False)


def test_a_library_may_write_into_a_state():
    environment = Careless()
    environment.describe()
    _, state = environment.reset(jax.random.key(0), None)
    after = environment.step(jax.random.key(0), state, 0, None)
    assert {name: float(leaf) for name, leaf in state.items()} == {"count": 0, "bonus": 0}
    assert {name: (float(leaf), leaf.dtype) for name, leaf in after.state.items()} == {"count": (1, jnp.int32), "bonus": (1, jnp.float32)}


def test_every_library_has_a_case():
    assert {split(name)[0] for name in CASES} - {""} == set(LIBRARIES)


def test_a_missing_library_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("wannjax.problems.libraries.find_spec", lambda _name: None)
    for library in LIBRARIES:
        with pytest.raises(ValueError, match=rf'^environment: {library} is not installed: pip install "wannjax\[{library}\]"$'):
            wannjax.make(f"{library}:Snake-v1")
        assert not is_known(f"{library}:Snake-v1")


def test_an_unknown_library_is_named_with_what_is_near():
    with pytest.raises(ValueError, match=r"^environment: 'brux' is no library; did you mean brax\?$"):
        wannjax.make("brux:ant")
    assert not is_known("brux:ant")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("brax:inverted_pendulm", {}, r"environment: 'brax:inverted_pendulm' is unknown; did you mean brax:inverted_pendulum"),
        ("brax:ant", {"backen": "mjx"}, r"environment: brax:ant cannot be made: .*unexpected keyword argument 'backen'"),
        ("brax:ant", {"max_steps": 0}, r"environment: brax:ant cannot be made: max_steps: must be an integer >= 1, got 0"),
        ("jumanji:Snake", {}, r"environment: 'jumanji:Snake' is unknown; did you mean jumanji:Snake-v1"),
        (
            "playground:Go1JoystickFlatTerrain",
            {},
            r"environment: playground:Go1JoystickFlatTerrain cannot be made: name: must be one",
        ),
    ],
)
def test_what_cannot_be_had_is_one_line(name, options, message):
    library = library_of(name)
    with pytest.raises(ValueError, match="^" + message) as caught:
        wannjax.make(name, **options)
    assert "\n" not in str(caught.value)
    assert all(is_known(other) for other in library_names(library))
