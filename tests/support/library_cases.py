"""The one registry of environments that the adapters' contract tests go through."""

from importlib.util import find_spec

import pytest

from wannjax.problems.libraries import needed

ON_THE_HOST = ("envpool", "gymnasium")
CASES = (
    "CartPole-v1",
    "brax:hopper",
    "brax:inverted_pendulum",
    "craftax:Craftax-Classic-Pixels-v1",
    "craftax:Craftax-Classic-Symbolic-v1",
    "envpool:BipedalWalker-v3",
    "envpool:CartPole-v1",
    "envpool:Pendulum-v1",
    "gymnasium:BipedalWalker-v3",
    "gymnasium:CarRacing-v3",
    "gymnasium:CartPole-v1",
    "gymnasium:Pendulum-v1",
    "jumanji:Connector-v3",
    "jumanji:LevelBasedForaging-v0",
    "jumanji:RubiksCube-partly-scrambled-v0",
    "jumanji:SearchAndRescue-v0",
    "jumanji:Snake-v1",
    "jumanji:Tetris-v0",
    "playground:CartpoleSwingup",
)


def split(name):
    """The library of an environment, "" where it is gymnax, and what that calls it."""
    library, _, own = name.rpartition(":")
    return library, own


ON_HOST, IN_JAX = ([name for name in CASES if (split(name)[0] in ON_THE_HOST) == on_host] for on_host in (True, False))


def library_of(name):
    """The library of an environment. Skips the test where it, or what gymnasium needs for its worlds, is missing."""
    library = split(name)[0]
    if library and needed(library):
        pytest.skip(needed(library))
    if library == "gymnasium" and not (find_spec("Box2D") and find_spec("pygame")):
        pytest.skip('needs pip install "gymnasium[box2d]"')
    return library
