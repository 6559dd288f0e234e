"""Environments of other libraries by name, which is `library:name`. To add a library, add a line to
`LIBRARIES`, an adapter and an extra in pyproject.toml, both called as the library is.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from wannjax.common.files import reason_of
from wannjax.common.wording import suggestion


class Library(NamedTuple):
    """A library of environments.

    Attributes:
        adapter: the class, in the module of `adapters` that is called as the library is. It is
            called with a name of the library's, `max_steps`, which may be None, and options of the
            library's own; its static method `names` lists what the library has.
        package: what Python imports.
    """

    adapter: str
    package: str


LIBRARIES = {
    "brax": Library("BraxEnvironment", "brax"),
    "craftax": Library("CraftaxEnvironment", "craftax"),
    "envpool": Library("EnvpoolEnvironment", "envpool"),
    "gymnasium": Library("GymnasiumEnvironment", "gymnasium"),
    "jumanji": Library("JumanjiEnvironment", "jumanji"),
    "playground": Library("PlaygroundEnvironment", "mujoco_playground"),
}


def needed(library: str) -> str:
    """The command that installs a library; empty where it is installed."""
    return "" if find_spec(LIBRARIES[library].package) else f'pip install "wannjax[{library}]"'


def library_names(library: str) -> list[str]:
    """The names of all environments of a library, `library:` included. Raises ValueError for a
    library that is unknown or cannot be imported.
    """
    return sorted(f"{library}:{name}" for name in _adapter(library).names())


def is_of_a_library(name: str) -> bool:
    """Whether `name` is one of those of a library that is installed."""
    library, colon, _ = name.partition(":")
    return bool(colon) and library in LIBRARIES and not needed(library) and name in library_names(library)


def library_environment(name: str, max_steps: int | None, options: dict[str, Any]) -> Any:
    """The environment called `name`, which is `library:name`. Raises ValueError, in one line, for
    what is unknown and for what the library cannot make: options that it does not take, files that
    it cannot download.
    """
    library, _, within = name.partition(":")
    adapter, known = _adapter(library), library_names(library)
    if name not in known:
        raise ValueError(f"environment: {name!r} is unknown; {suggestion(name, known)}")
    try:
        return adapter(within, max_steps=max_steps, **options)
    except Exception as error:  # whatever a library's code raises
        raise ValueError(f"environment: {name} cannot be made: {reason_of(error)}") from error


def _adapter(library: str) -> Any:
    """The class of a library's environments."""
    if library not in LIBRARIES:
        raise ValueError(f"environment: {library!r} is no library; {suggestion(library, LIBRARIES)}")
    if needed(library):
        raise ValueError(f"environment: {library} is not installed: {needed(library)}")
    try:
        return getattr(import_module(f"wannjax.problems.adapters.{library}"), LIBRARIES[library].adapter)
    except ImportError as error:
        raise ValueError(f"environment: {library} cannot be imported, perhaps in this version: {reason_of(error)}") from error
