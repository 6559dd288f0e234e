"""Problems by name."""

import math
import os
import socket
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from inspect import signature
from typing import Any, NamedTuple

from wannjax.common.validation import require, require_count, require_one_of, require_text, require_type
from wannjax.common.wording import suggestion
from wannjax.networks.activations import NAMES
from wannjax.networks.network import Network
from wannjax.problems.adapters.gymnax import GymnaxEnvironment
from wannjax.problems.adapters.library import usual_types
from wannjax.problems.data import DataProblem
from wannjax.problems.environment import Environment
from wannjax.problems.environment_problem import EnvironmentProblem
from wannjax.problems.host_environment import HostEnvironment
from wannjax.problems.host_problem import HostProblem
from wannjax.problems.kernels.step import in_words, obstacle
from wannjax.problems.libraries import LIBRARIES, is_of_a_library, library_environment, library_names, needed
from wannjax.problems.problem import Problem

DATA_SETS = ("digits", "mnist")
_DECIDED = ("name", "x_test", "y_test")
"""What a data set decides by itself."""
_DOWNLOADED = ("MNISTBandit-bsuite",)
"""Environments that fetch data when they are made."""
_ATTRIBUTES = ("name", "inputs", "outputs", "input_names", "output_names", "output_activation")
"""What a `Problem` must have."""
DOWNLOAD_SECONDS = 10.0
"""How long an environment that downloads data may wait for an answer."""


def environment_names() -> list[str]:
    """The environments that `make` knows without a library before the name: every registered gymnax
    environment, our swing-up and double pole. Those of a library: `library_names`.
    """
    import gymnax

    return [*gymnax.registered_envs, *(name for name in _own() if name not in gymnax.registered_envs)]


def _own() -> dict[str, Callable[[], Environment]]:
    """What makes each environment of our own, by its name. To add one, add a line."""
    from wannjax.problems.environments import double_pole, swing_up

    return {
        swing_up.NAME: lambda: GymnaxEnvironment(swing_up.CartPoleSwingUp()),
        double_pole.NAME: lambda: GymnaxEnvironment(double_pole.DoublePole()),
    }


def make(name: str, **options: Any) -> EnvironmentProblem | HostProblem | DataProblem:
    """The problem called `name`: any registered gymnax environment; one of another library, such as
    "brax:inverted_pendulum"; "digits" (8×8 images, from scikit-learn); or "mnist" (16×16, from the
    files at `path`, see `datasets.mnist`). Further `options` go to `make_environment`,
    `EnvironmentProblem`, `HostProblem` or `DataProblem`, and those that none of them takes to the
    library.

    Raises ValueError for an unknown name or option, with near matches, and for a problem that
    cannot be built.
    """
    make, problem = (_data_set, DataProblem) if name in DATA_SETS else (_environment_problem, EnvironmentProblem)
    for option in () if ":" in str(name) else options:
        require_one_of("option", option, [each for each in (*_keywords(make), *_keywords(problem)) if each not in _DECIDED])
    return make(name, **options)


def _keywords(function: Callable[..., Any]) -> list[str]:
    return [each.name for each in signature(function).parameters.values() if each.kind is each.KEYWORD_ONLY]


class Entry(NamedTuple):
    """What is known of a problem before it is made; None where that is not known."""

    name: str
    inputs: int | None
    outputs: int | None
    max_steps: int | None
    needs: str = ""
    """What must be installed, downloaded or given."""
    on_a_gpu: str = ""
    """How an episode runs on a GPU."""


def entries(library: str | None = None) -> list[Entry]:
    """Everything that `make` knows: environments by name, libraries, then data sets; or the
    environments of one library, whose sizes are known once they are made. Downloads nothing.
    """
    if library is not None:
        return [Entry(name, None, None, None) for name in library_names(library)]
    found = []
    for name in sorted(environment_names()):
        if name in _DOWNLOADED:
            found.append(Entry(name, None, None, None, "downloads its data when it is made"))
            continue
        environment = _environment(name)
        sizes = environment.inputs, environment.actions.outputs, environment.max_steps
        found.append(Entry(name, *sizes, on_a_gpu=in_words(obstacle(environment))))
    for each in LIBRARIES:
        found.append(Entry(f"{each}:…", None, None, None, needed(each) or f"nothing; see wannjax environments {each}"))
    digits = "" if find_spec("sklearn") else 'scikit-learn: pip install "wannjax[data]"'
    return [*found, Entry("digits", 64, 10, None, digits), Entry("mnist", 256, 10, None, "its files: --data PATH, or path= in Python")]


def is_known(name: str) -> bool:
    """Whether `make` makes a problem of that name without more ado than files."""
    return name in DATA_SETS or name in environment_names() or is_of_a_library(name)


def as_problem(problem: object) -> Problem:
    """`problem` itself, or what `make` gives for its name. Raises TypeError, which says how to get
    one, for anything else, and ValueError as `make` does.
    """
    if isinstance(problem, str):
        return make(problem)
    if not isinstance(problem, type) and isinstance(problem, Problem):
        _check_own(problem)
        return problem
    if isinstance(problem, Network):
        way = "which comes after the network"
    elif hasattr(problem, "step_env"):
        way = "such as GymnaxProblem(env)"
    elif isinstance(problem, Environment) or (isinstance(problem, type) and issubclass(problem, Environment)):
        way = "such as EnvironmentProblem(environment)"
    elif isinstance(problem, HostEnvironment) or (isinstance(problem, type) and issubclass(problem, HostEnvironment)):
        way = "such as HostProblem(environment)"
    elif hasattr(problem, "action_space"):
        way = 'such as wannjax.make("gymnasium:NAME"), or HostProblem of an environment on the host'
    else:
        way = "such as wannjax.make(name), GymnaxProblem(env) or DataProblem(x, y), or a name"
    require_type("problem", problem, f"a Problem, {way}", False)
    raise AssertionError("unreachable")


def _check_own(problem: Problem) -> None:
    """Raises ValueError for a problem of one's own that lacks an attribute, or has one that makes
    no sense.
    """
    missing = [name for name in _ATTRIBUTES if not hasattr(problem, name)]
    require("problem", type(problem).__name__, f"one with {', '.join(missing)}", not missing)
    for name in ("inputs", "outputs"):
        require_count(name, getattr(problem, name))
    for name in ("name", "metric"):
        require_text(name, getattr(problem, name))
    require_one_of("output_activation", problem.output_activation, NAMES[1:])


def _data_set(name: str, *, path: str | os.PathLike | None = None, **options) -> DataProblem:
    from wannjax.problems import datasets

    require("path", path, "given for mnist, and for nothing else: its files, see `datasets.mnist`", (path is None) == (name != "mnist"))
    data = datasets.digits() if path is None else datasets.mnist(path)
    options = {"name": name, "input_names": data.input_names, **options}
    side = math.isqrt(data.x_train.shape[1])
    images, x_test = data.x_train.reshape(-1, side, side), data.x_test.reshape(-1, side, side)
    return DataProblem(images, data.y_train, x_test=x_test, y_test=data.y_test, **options)


def make_environment(name: str, **options: Any) -> EnvironmentProblem:
    """As `make`, of environments that are written in JAX only."""
    problem = _environment_problem(name, **options)
    require("environment", name, "one that is written in JAX", isinstance(problem, EnvironmentProblem))
    assert isinstance(problem, EnvironmentProblem)
    return problem


def _environment_problem(
    name: str,
    *,
    vary: dict[str, tuple[float, float]] | None = None,
    observe: Sequence[str | int] | None = None,
    max_steps: int | None = None,
    **options: Any,
) -> EnvironmentProblem | HostProblem:
    """As `make`, of environments only. `vary` names parameters of the environment that every
    episode draws anew, with their bounds; of an observation only the parts that `observe` names or
    numbers are seen, all when None; `max_steps` is the length limit of an episode, the
    environment's own when None.
    """
    if ":" in str(name):
        ours = {*_keywords(EnvironmentProblem), *_keywords(HostProblem)}
        environment = library_environment(name, max_steps, {option: options.pop(option) for option in set(options) - ours})
        if isinstance(environment, HostEnvironment):
            for option, value in (("vary", vary), ("observe", observe)):
                require(option, value, f"None for {name}, which is not written in JAX", value is None)
            for option in options:
                require_one_of("option", option, _keywords(HostProblem))
            return HostProblem(environment, **options)
    else:
        known = environment_names()
        if name not in known:
            raise ValueError(f"environment: {name!r} is unknown; {suggestion(str(name), (*known, *DATA_SETS))}")
        environment = _environment(name, max_steps)
    if vary is not None:
        from wannjax.problems.environments.varied import varied

        environment = varied(environment, vary)
    if observe is not None:
        from wannjax.problems.environments.observed import observed

        environment = observed(environment, observe)
    return EnvironmentProblem(environment, **options)


def _environment(name: str, max_steps: int | None = None) -> Environment:
    """The environment called `name`, our own or gymnax's."""
    if name not in _own():
        return GymnaxEnvironment(*_gymnax(name), name=name, max_steps=max_steps)
    environment = _own()[name]()
    environment.max_steps = environment.max_steps if max_steps is None else max_steps
    return environment


def _gymnax(name: str) -> tuple[Any, Any]:
    """The environment that gymnax calls `name`, and its parameters."""
    import gymnax

    patience = socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(DOWNLOAD_SECONDS)
        with usual_types():
            return gymnax.make(name)
    except OSError as error:
        raise ValueError(f"environment: {name} downloads data that could not be fetched ({error})") from error
    finally:
        socket.setdefaulttimeout(patience)
