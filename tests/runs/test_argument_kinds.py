"""Arguments of another kind: one line that names the argument, what it must be and how to get one; and names where a problem is taken."""

import gymnasium
import gymnax
import numpy as np
import pytest
from runs_support import Larger

import wannjax
from wannjax.analysis.canonical import canonical
from wannjax.networks.graph import Connection, Graph, network_of
from wannjax.problems.environments.swing_up import CartPoleSwingUp
from wannjax.problems.registry import as_problem

NETWORK = network_of(Graph(("a", "b"), ("first",), (5,), (Connection(1, 3),)))


class Own(wannjax.Environment):
    name, inputs, actions, max_steps = "own", 1, wannjax.Discrete(2), 3

    def reset(self, key, params): ...

    def step(self, key, state, action, params): ...


class Found:
    champion = NETWORK


def with_problem(problem):
    """Every call that takes a problem."""
    return (
        lambda: wannjax.evolve(problem),
        lambda: wannjax.evolve_many(problem, seeds=[0]),
        lambda: wannjax.evaluate(NETWORK, problem),
        lambda: wannjax.finetune(NETWORK, problem),
        lambda: wannjax.ensemble(NETWORK, problem),
        lambda: wannjax.explain(NETWORK, problem),
        lambda: wannjax.prune(NETWORK, problem, tolerance=1.0),
        lambda: wannjax.weight_curve(NETWORK, problem),
        lambda: wannjax.watch(NETWORK, problem, "film.gif"),
    )


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        (NETWORK, "a Problem, which comes after the network, got a Network"),
        (gymnasium.make("CartPole-v1"), r'such as wannjax.make\("gymnasium:NAME"\), or HostProblem .*, got a TimeLimit'),
        (gymnax.make("CartPole-v1")[0], r"such as GymnaxProblem\(env\), got a CartPole"),
        (CartPoleSwingUp, r"such as GymnaxProblem\(env\), got the class CartPoleSwingUp and not an instance"),
        (Own, r"such as EnvironmentProblem\(environment\), got the class Own and not an instance"),
        (Own(), r"such as EnvironmentProblem\(environment\), got an Own"),
        (Larger, r"got the class Larger and not an instance"),
        (None, r"such as wannjax.make\(name\), GymnaxProblem\(env\) or DataProblem\(x, y\), or a name, got None"),
        (np.zeros((3, 2)), "or a name, got a ndarray"),
    ],
)
def test_what_is_no_problem_says_how_to_get_one(problem, message):
    for call in with_problem(problem):
        with pytest.raises(TypeError, match=f"^problem: must be .*{message}") as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Larger(), "a Network, which comes before the problem, got a Larger"),
        ("runs/one/champion.json", r"what wannjax.load\(path\) reads from a file, got the str 'runs/one/champion.json'"),
        (Found(), "a Network, such as its champion: result.champion, got a Found"),
        (None, r"result.champion.*, got None"),
        ([NETWORK], "got a list"),
    ],
)
def test_what_is_no_network_says_how_to_get_one(network, message, tmp_path):
    problem = Larger()
    for call in (
        lambda: wannjax.evaluate(network, problem),
        lambda: wannjax.finetune(network, problem),
        lambda: wannjax.ensemble(network, problem),
        lambda: wannjax.explain(network, problem),
        lambda: wannjax.prune(network, problem, tolerance=1.0),
        lambda: wannjax.weight_curve(network, problem),
        lambda: wannjax.watch(network, problem, tmp_path / "film.gif"),
        lambda: wannjax.draw(network),
        lambda: wannjax.formula(network),
        lambda: wannjax.save(tmp_path / "network.json", network),
        lambda: canonical(network),
        lambda: wannjax.export.to_python(network),
    ):
        with pytest.raises(TypeError, match=f"^network: must be .*{message}") as caught:
            call()
        assert "\n" not in str(caught.value)


def test_swapped_arguments_of_save_are_named():
    with pytest.raises(TypeError, match=r"^network: must be a Network, .* got the str 'network.json'"):
        wannjax.save(NETWORK, "network.json")


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (lambda record: None, r"a list of functions: callbacks=\[function\], got the function <lambda>"),
        (wannjax.JsonLines("log.jsonl"), r"a list of functions: callbacks=\[function\], got a JsonLines"),
        (True, r"a list of functions: callbacks=\[function\], got the bool True"),
        ([1], "a list of functions that take a record, got the int 1"),
    ],
)
def test_callbacks_are_a_list_of_functions(callbacks, message):
    for call in (
        lambda: wannjax.evolve(Larger(), callbacks=callbacks),
        lambda: wannjax.finetune(NETWORK, Larger(), callbacks=callbacks),
        lambda: wannjax.ensemble(NETWORK, Larger(), callbacks=callbacks),
    ):
        with pytest.raises(TypeError, match=f"^callbacks: must be {message}"):
            call()


@pytest.mark.parametrize("config", ["thorough", {"population": 8}, wannjax.WannConfig, 96])
def test_settings_of_another_kind_are_named(config):
    with pytest.raises(TypeError, match=r"^config: must be settings, such as WannConfig"):
        wannjax.evolve(Larger(), config)
    with pytest.raises(TypeError, match=r"^config: must be settings, such as WannConfig"):
        wannjax.evolve_many(Larger(), config, seeds=[0])
    with pytest.raises(TypeError, match=r"^config: must be settings, such as WannConfig"):
        wannjax.evolve_many(Larger(), [wannjax.WannConfig(), config], seeds=[0])


def test_seeds_are_several():
    with pytest.raises(TypeError, match=r"^seeds: must be several integers, such as range\(8\), got the int 8"):
        wannjax.evolve_many(Larger(), seeds=8)


def test_classes_of_environments_are_named():
    with pytest.raises(TypeError, match=r"^environment: must be an Environment, got the class Own"):
        wannjax.EnvironmentProblem(Own)
    with pytest.raises(TypeError, match=r"^env: must be a gymnax environment, got the class CartPoleSwingUp"):
        wannjax.GymnaxProblem(CartPoleSwingUp)


def test_a_name_is_made_wherever_a_problem_is_taken():
    for call in with_problem("CartPole-v2"):
        with pytest.raises(ValueError, match=r"^environment: 'CartPole-v2' is unknown; did you mean CartPole-v1"):
            call()
    assert repr(as_problem("CartPole-v1")) == repr(wannjax.make("CartPole-v1"))


def test_a_problem_is_itself():
    problem = Larger()
    assert as_problem(problem) is problem
