"""Problems: what scores a network. `make` finds one by name."""

import difflib
import socket

from wannjax.problems.environment import GymnaxProblem
from wannjax.problems.problem import Evaluation, Problem

__all__ = ["Evaluation", "GymnaxProblem", "Problem", "environment_names", "make"]


DOWNLOAD_SECONDS = 10.0
"""How long an environment that downloads data may wait for an answer."""


def environment_names() -> list[str]:
    """The names that `make` knows: every registered gymnax environment, and our swing-up."""
    import gymnax

    from wannjax.problems import swing_up

    if swing_up.NAME not in gymnax.registered_envs:
        gymnax.register(swing_up.NAME, swing_up.CartPoleSwingUp)
    return list(gymnax.registered_envs)


def make(name: str, **options) -> GymnaxProblem:
    """The problem called `name`, any registered gymnax environment; `options` go to `GymnaxProblem`.

    Raises ValueError for an unknown name, with near matches, and for an environment that cannot be built.
    """
    import gymnax

    known = environment_names()
    if name not in known:
        by_lower = {other.lower(): other for other in known}
        near = [by_lower[match] for match in difflib.get_close_matches(str(name).lower(), by_lower, n=3, cutoff=0.4)]
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known)}"
        raise ValueError(f"environment: {name!r} is unknown; {hint}")
    patience = socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(DOWNLOAD_SECONDS)
        env, params = gymnax.make(name)
    except OSError as error:
        raise ValueError(f"environment: {name} downloads data that could not be fetched ({error})") from error
    finally:
        socket.setdefaulttimeout(patience)
    return GymnaxProblem(env, params, name=name, **options)
