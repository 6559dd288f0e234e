"""Action spaces: which action the outputs of a network choose, and which spaces of other libraries are understood."""

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnax.environments import spaces as gymnax_spaces

import wannjax
from wannjax import Box, Discrete, MultiBinary, MultiDiscrete, PolicyGradient
from wannjax.networks.graph import Connection, Graph, network_of
from wannjax.pictures.rendering import Film
from wannjax.problems.adapters.action_spaces import action_space_of


def chosen(space, *outputs):
    action = space.action(jnp.array(outputs, jnp.float32))
    return action.tolist(), action.dtype.name


def test_a_discrete_action_counts_from_its_start():
    assert Discrete(3).outputs == 3
    assert chosen(Discrete(3), 0, 1, 2) == (2, "int32")
    assert chosen(Discrete(3, start=5), 9, 1, 2) == (5, "int32")
    assert chosen(Discrete(3, jnp.int8, -4), 0, 1, 2) == (-2, "int8")


def test_several_discrete_actions_are_chosen_by_groups_of_outputs():
    space = MultiDiscrete([[2, 1], [1, 3]], start=[[0, 5], [0, -1]])
    assert (space.outputs, space.groups) == (7, (2, 1, 1, 3))
    assert chosen(space, 0, 1, 0, 0, 7, 8, 9) == ([[1, 5], [0, 1]], "int32")


def test_switches_are_on_where_an_output_is_positive():
    space = MultiBinary((2, 2))
    assert space.outputs == 4
    assert chosen(space, 1, -1, 0, 0.1) == ([[1, 0], [0, 1]], "int8")
    assert MultiBinary(3).shape == (3,)


@pytest.mark.parametrize(("low", "high", "dtype"), [(0, 1, "int32"), (-3, 3, "int8"), (0, 255, "uint8"), (2**31 - 5, 2**31 - 1, "int64")])
def test_every_value_of_a_box_of_integers_has_an_equal_share_of_the_outputs(low, high, dtype):
    space = Box([low], [high], dtype)
    count = high - low + 1
    centres = (np.arange(count) + 0.5) / count * 2 - 1
    actions = jax.vmap(space.action)(jnp.asarray(centres[:, None], jnp.float32))
    assert actions[:, 0].tolist() == list(range(low, high + 1))
    assert actions.dtype == jax.dtypes.canonicalize_dtype(dtype)
    ends = jax.vmap(space.action)(jnp.array([[-1.0], [1.0], [-9.0], [9.0]]))
    assert ends[:, 0].tolist() == [low, high, low, high]
    assert low <= int(space.action(jnp.array([jnp.nan]))[0]) <= high


def test_bounds_may_be_whatever_numpy_makes_arrays_of():
    for low, high in [((-1, 0), (3, 0.5)), ([-1, 0], np.array([3, 0.5])), (jnp.array([-1.0, 0.0]), (3.0, 0.5))]:
        assert chosen(Box(low, high), 1, -1) == ([3, 0], "float32")
    assert (Box(-1, 1).outputs, chosen(Box(-2, 2), 0.5)) == (1, (1.0, "float32"))
    assert Box((-1, -2, -3), 1).low.dtype == Box((-1, -2, -3), 1).high.dtype == np.float32
    assert Box((-1, -2, -3), 1).high.tolist() == [1, 1, 1]


@pytest.mark.parametrize("most", [3.4e38, float(np.finfo(np.float32).max), 1e308, np.inf])
def test_the_largest_numbers_are_no_bounds(most):
    assert chosen(Box([-most, 0], [most, most]), 7, -7) == ([7, 0], "float32")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Discrete(0), "n: must be an integer >= 1, got 0"),
        (lambda: Discrete(2.0), "n: must be an integer >= 1, got 2.0"),
        (lambda: Discrete(2, start=0.5), "start: must be an integer, got 0.5"),
        (lambda: Discrete(300, jnp.int8), "dtype: must be one that reaches from 0 to 299, got 'int8'"),
        (lambda: Discrete(2, jnp.float32), "dtype: must be one of integers, got 'float32'"),
        (lambda: MultiDiscrete([]), "nvec: must be integers >= 1, at least one"),
        (lambda: MultiDiscrete([2, 0]), "nvec: must be integers >= 1"),
        (lambda: MultiDiscrete([2, 2], start=[1, 2, 3]), "start: must be an integer, or one for each part of nvec"),
        (lambda: MultiBinary(0), "n: must be an integer >= 1, or a shape"),
        (lambda: MultiBinary(()), "n: must be an integer >= 1, or a shape"),
        (lambda: Box(1, -1), "low, high: must be bounds with low <= high, got '1 to -1'"),
        (lambda: Box([0, np.nan], 1), "low, high: must be bounds with low <= high"),
        (lambda: Box([0, 1], [1, 2, 3]), "low, high: must be arrays of numbers of one shape"),
        (lambda: Box("left", "right"), "low, high: must be arrays of numbers of one shape"),
        (lambda: Box([], []), "low, high: must be bounds of at least one number"),
        (lambda: Box(1e39, 2e39), "low, high: must be bounds with numbers between them"),
        (lambda: Box(0, 1, bool), "dtype: must be one of floats or integers"),
        (lambda: Box(0.5, 2, int), "low, high: must be whole and finite, in a box of integers"),
        (lambda: Box(0, np.inf, int), "low, high: must be whole and finite, in a box of integers"),
        (lambda: Box(0, 300, jnp.uint8), "dtype: must be one that reaches from 0 to 300, got 'uint8'"),
        (lambda: Box(0, 2**30, int), "low, high: must be bounds of at most 16777216 integers"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused_as_it_is_made(make, message):
    with pytest.raises(ValueError, match="^" + message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_spaces_of_gymnax_and_gymnasium_are_understood():
    of = gymnasium.spaces
    assert action_space_of(gymnax_spaces.Discrete(3), "x") == Discrete(3)
    found = action_space_of(of.Discrete(3, start=-1), "x")
    assert (found.n, found.start, found.action(jnp.array([0.0, 1.0, 2.0])).dtype) == (3, -1, jnp.int32)
    found = action_space_of(of.MultiDiscrete([2, 3], start=[1, 0]), "x")
    assert (found.groups, found.start.tolist()) == ((2, 3), [1, 0])
    assert action_space_of(of.MultiBinary((2, 2)), "x").shape == (2, 2)
    assert action_space_of(of.MultiBinary(1), "x").shape == (1,)
    for box in (gymnax_spaces.Box(0, 9, (2,), jnp.int32), of.Box(0, 9, (2,), np.int64)):
        assert chosen(action_space_of(box, "x"), -1, 1) == ([0, 9], "int32")
    box = action_space_of(of.Box(-np.inf, 2.0, (1,), np.float64), "x")
    assert chosen(box, 1.5) == ([1.5], "float32")


@pytest.mark.parametrize(
    "space",
    [
        gymnasium.spaces.Dict({"a": gymnasium.spaces.Discrete(2), "b": gymnasium.spaces.Box(-1, 1, (9, 9))}),
        gymnasium.spaces.Tuple([gymnasium.spaces.Discrete(2)]),
        gymnasium.spaces.Text(3),
        gymnax_spaces.Tuple([gymnax_spaces.Discrete(2)]),
        gymnax_spaces.Discrete(0),
        gymnax_spaces.Box(1.0, 0.0, (2,)),
    ],
)
def test_another_space_is_refused_in_one_line_that_names_it(space):
    with pytest.raises(ValueError, match=rf"^env: .*boat with {type(space).__name__}\(") as caught:
        action_space_of(space, "boat")
    assert "\n" not in str(caught.value)


class Lock(wannjax.Environment):
    """Three wheels that should stand at 1, 0, 2: each that does is a reward of 1, in two steps."""

    name, inputs, max_steps = "lock", 1, 2
    actions = MultiDiscrete((2, 2, 3))

    def reset(self, key, params):
        return jnp.ones(1), jnp.int32(0)

    def step(self, key, state, action, params):
        reward = jnp.sum(action == jnp.array([1, 0, 2]), dtype=jnp.float32)
        return wannjax.Transition(jnp.ones(1), state, reward, jnp.array(False), jnp.array(False))


LOCK = network_of(Graph(("one",), tuple("abcdefg"), (1,) * 7, tuple(Connection(0, 2 + output) for output in range(7))))
"""The bias, through a weight of its own, is each output."""


@pytest.mark.slow
@pytest.mark.nightly
def test_the_policy_gradient_chooses_in_every_group():
    problem = wannjax.EnvironmentProblem(Lock())
    assert (problem.outputs, problem.output_activation, problem.discrete) == (7, "linear", False)
    method = PolicyGradient(episodes=16, horizon=8, learning_rate=0.1)
    tuned = wannjax.finetune(LOCK, problem, method=method, starts=np.zeros((1, 7)), steps=30, progress=False)
    assert tuned.history["held_out_score"][0] < 6
    assert tuned.score == 6


def test_gradients_do_not_flow_through_choices():
    environment = type("Smooth", (Lock,), {"differentiable": True})()
    with pytest.raises(ValueError, match=r"^differentiable: must be False where actions are not real"):
        wannjax.EnvironmentProblem(environment)


def test_a_film_shows_choices_as_they_are_and_pushes_from_minus_1_to_1():
    def actions(space, outputs):
        environment = type("Changed", (Lock,), {"actions": space})()
        return Film(environment, None, None, np.zeros((1, 1)), np.array([outputs], np.float32), ("one",)).actions.tolist()

    assert actions(Discrete(2, start=7), [0, 1]) == [1]
    assert actions(MultiDiscrete((2, 2)), [0, 1, 1, 0]) == [[1, 0]]
    assert actions(MultiBinary(2), [-3, 3]) == [[0, 1]]
    assert actions(Box((0, 0), 9, int), [-3, 0.5]) == [[-1, 0.5]]
