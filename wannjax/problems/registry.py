"""Problems by name."""

import difflib
import os
import socket
from collections.abc import Callable
from typing import Any

from wannjax.common.validation import require
from wannjax.problems.adapters.gymnax import GymnaxEnvironment
from wannjax.problems.data import DataProblem
from wannjax.problems.environment import Environment
from wannjax.problems.environment_problem import EnvironmentProblem

DATA_SETS = ("digits", "mnist")
DOWNLOAD_SECONDS = 10.0
"""How long an environment that downloads data may wait for an answer."""


def environment_names() -> list[str]:
    """The environments that `make` knows: every registered gymnax environment, our swing-up and
    double pole.
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


def make(name: str, **options: Any) -> EnvironmentProblem | DataProblem:
    """The problem called `name`: any registered gymnax environment; "digits" (8×8 images, from
    scikit-learn); or "mnist" (16×16, from the files at `path`, see `datasets.mnist`). Further
    `options` go to `make_environment`, `EnvironmentProblem` or `DataProblem`.

    Raises ValueError for an unknown name, with near matches, and for a problem that cannot be
    built.
    """
    if name in DATA_SETS:
        return _data_set(name, **options)
    return make_environment(name, **options)


def _data_set(name: str, path: str | os.PathLike | None = None, **options) -> DataProblem:
    from wannjax.problems import datasets

    require("path", path, "given for mnist, and for nothing else: its files, see `datasets.mnist`", (path is None) == (name != "mnist"))
    data = datasets.digits() if path is None else datasets.mnist(path)
    options = {"name": name, "input_names": data.input_names, **options}
    return DataProblem(data.x_train, data.y_train, x_test=data.x_test, y_test=data.y_test, **options)


def make_environment(
    name: str, *, vary: dict[str, tuple[float, float]] | None = None, max_steps: int | None = None, **options: Any
) -> EnvironmentProblem:
    """As `make`, of environments only. `vary` names parameters of the environment that every
    episode draws anew, with their bounds; `max_steps` is the length limit of an episode, the
    environment's own when None.
    """
    known = environment_names()
    if name not in known:
        by_lower = {other.lower(): other for other in (*known, *DATA_SETS)}
        near = [by_lower[match] for match in difflib.get_close_matches(str(name).lower(), by_lower, n=3, cutoff=0.4)]
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join((*known, *DATA_SETS))}"
        raise ValueError(f"environment: {name!r} is unknown; {hint}")
    environment: Environment
    if name in _own():
        environment = _own()[name]()
        environment.max_steps = environment.max_steps if max_steps is None else max_steps
    else:
        environment = GymnaxEnvironment(*_gymnax(name), name=name, max_steps=max_steps)
    if vary is not None:
        from wannjax.problems.environments.varied import varied

        environment = varied(environment, vary)
    return EnvironmentProblem(environment, **options)


def _gymnax(name: str) -> tuple[Any, Any]:
    """The environment that gymnax calls `name`, and its parameters."""
    import gymnax

    patience = socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(DOWNLOAD_SECONDS)
        return gymnax.make(name)
    except OSError as error:
        raise ValueError(f"environment: {name} downloads data that could not be fetched ({error})") from error
    finally:
        socket.setdefaulttimeout(patience)
