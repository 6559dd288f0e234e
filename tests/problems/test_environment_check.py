"""An environment of one's own: it is scored as a slow loop scores it, and what breaks the contract is named before anything is compiled."""

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import wannjax
from wannjax.common.keys import Purpose
from wannjax.networks.network import take
from wannjax.problems import registry

CONFIG = wannjax.WannConfig(population=8)


class Walk(wannjax.Environment):
    """A walk to the right or left with noise: it fails beyond 3, and is cut short after 9 steps of 20 for those who start above 0."""

    name, inputs, max_steps = "walk", 2, 20
    actions = wannjax.Discrete(2)
    params = 0.3

    def reset(self, key, params):
        place = jax.random.normal(key)
        return jnp.stack([place, jnp.float32(1.0)]), {"place": place, "left": jnp.where(place > 0, 9, 99)}

    def step(self, key, state, action, params):
        place = state["place"] + jnp.where(action == 1, 0.5, -0.5) + params * jax.random.normal(key)
        left = state["left"] - 1
        return wannjax.Transition(
            observation=jnp.stack([place, jnp.float32(1.0)]),
            state={"place": place, "left": left},
            reward=1.0 - jnp.abs(place) / 3,
            terminated=jnp.abs(place) > 3,
            truncated=left == 0,
        )


def test_an_environment_of_ones_own_is_scored_as_by_a_slow_loop():
    problem, walk = wannjax.EnvironmentProblem(Walk()), Walk()
    algorithm = CONFIG.algorithm(inputs=2, outputs=2)
    networks = algorithm.ask(algorithm.init(jax.random.key(0)))
    keys = jax.random.split(jax.random.key(1), 3)
    rollouts = problem.rollout(keys, networks, jnp.ones(3))
    reset, step = jax.jit(walk.reset), jax.jit(walk.step)
    for i in range(2):
        network = take(networks, i)
        for lane, key in enumerate(keys):
            (observation, state), total, time, over = reset(jax.random.fold_in(key, Purpose.EPISODE_START), walk.params), 0.0, 0, False
            while not over and time < walk.max_steps:
                action = jnp.argmax(network(observation)).astype(jnp.int32)
                after = step(jax.random.fold_in(key, time), state, action, walk.params)
                observation, state, total, time = after.observation, after.state, total + float(after.reward), time + 1
                over = bool(after.terminated) or bool(after.truncated)
            assert rollouts.steps[i, lane] == time
            np.testing.assert_allclose(rollouts.returns[i, lane], total, rtol=1e-4, atol=1e-4)
    assert len(np.unique(rollouts.steps)) > 2


def changed(**parts):
    return type("Changed", (Walk,), parts)()


def stepping(**parts):
    return changed(step=lambda self, *arguments: Walk.step(self, *arguments)._replace(**parts))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ("walk", r"environment: must be an Environment with name, .* \(gymnax's go into GymnaxProblem\), got 'walk'"),
        (gymnax.make("CartPole-v1")[0], "environment: must be an Environment with inputs, actions, max_steps, params"),
        (changed(name=None), "name: must be a string of whole characters that is not empty, got None"),
        (changed(inputs="2"), "inputs: must be an integer >= 1, got '2'"),
        (changed(max_steps=0), "max_steps: must be an integer >= 1, got 0"),
        (changed(actions=2), "actions: must be a Discrete, a MultiDiscrete, a MultiBinary or a Box, got 2"),
        (changed(inputs=3), r"one whose observation of its reset has shape \[3\] and holds floats, got 'walk with float32\[2\]'"),
        (changed(reset=lambda self, key, params: key + params), "environment: reset of walk fails: "),
        (changed(reset=lambda self, key, params: jnp.zeros(3)), "one whose reset returns an observation and a state, got"),
        (changed(step=lambda self, *_: (1, 2)), "one whose step returns a wannjax.Transition, got 'walk with a tuple of 2'"),
        (changed(step=lambda self, *_: tuple(Walk.step(self, *_))), "returns a wannjax.Transition, got 'walk with a tuple of 5'"),
        (stepping(observation=jnp.zeros(3)), r"one whose observation of its step has shape \[2\]"),
        (stepping(reward=1), r"one whose reward has shape \[\] and holds floats, got 'walk with int32\[\]'"),
        (stepping(terminated=0.0), r"one whose terminated has shape \[\] and holds bools"),
        (stepping(truncated=jnp.zeros(2, bool)), r"one whose truncated has shape \[\] and holds bools, got 'walk with bool\[2\]'"),
        (stepping(state={"place": jnp.zeros(2)}), "one whose step keeps the shapes and types of the state"),
    ],
)
def test_what_breaks_the_contract_is_named(environment, message):
    with pytest.raises(ValueError, match=message) as caught:
        wannjax.EnvironmentProblem(environment)
    assert "\n" not in str(caught.value)


def test_an_environment_of_our_own_is_found_by_its_name(monkeypatch):
    monkeypatch.setattr(registry, "_own", lambda: {"walk": Walk})
    assert "walk" in wannjax.environment_names()
    assert isinstance(wannjax.make("walk").environment, Walk)
    assert (wannjax.make("walk").max_steps, wannjax.make("walk", max_steps=3).max_steps) == (Walk.max_steps, 3)
    with pytest.raises(ValueError, match="max_steps: must be an integer >= 1, got 0"):
        wannjax.make("walk", max_steps=0)
