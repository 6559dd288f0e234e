"""Environments of which networks see a part: the plain environment's observations, without the rest."""

import jax
import numpy as np
import pytest

import wannjax
from wannjax.problems.registry import make_environment

SWING_UP = "CartPoleSwingUp-v0"


@pytest.mark.parametrize("observe", [("x", "sin θ", "cos θ"), (0, 3, 2), ["x", 3, np.int64(2)]])
def test_the_parts_are_those_of_the_whole_observation(observe):
    part, whole = (make_environment(SWING_UP, **options) for options in ({"observe": observe}, {}))
    assert (part.inputs, part.input_names) == (3, ("x", "sin θ", "cos θ"))
    key, action = jax.random.key(0), np.array([0.5], np.float32)
    (seen, state), (all_of_it, plain) = (each.environment.reset(key, each.params) for each in (part, whole))
    for _ in range(3):
        np.testing.assert_array_equal(seen, np.asarray(all_of_it)[[0, 3, 2]])
        after, expected = (each.environment.step(key, before, action, each.params) for each, before in ((part, state), (whole, plain)))
        assert (after.reward, after.ended) == (expected.reward, expected.ended)
        seen, state, all_of_it, plain = after.observation, after.state, expected.observation, expected.state


def test_parameters_may_vary_besides():
    problem = make_environment(SWING_UP, vary={"pole_length": (0.3, 0.9)}, observe=("cos θ",), max_steps=9)
    assert (problem.inputs, problem.context_names, problem.max_steps) == (1, ("pole_length",), 9)
    assert problem.with_gradients().environment.environment.environment.env.transition_gradients_enabled


@pytest.mark.parametrize("observe", [(), ("x", "x"), ("x", 0), ("speed",), (5,), (-1,), "x", 3, (0.5,)])
def test_other_parts_are_refused_in_one_line(observe):
    with pytest.raises(ValueError, match=r"^observe: must be names of x, dx, .*, or numbers from 0 to 4, each once, at least one, got .*$"):
        wannjax.make(SWING_UP, observe=observe)
