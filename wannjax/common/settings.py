"""What settings are made of: one line a setting, with its meaning, its default and what is allowed.

Command line options, validation and error messages all come from these lines; the settings
themselves are in the `config.py` of a search, and beside a method of training. To add a kind of
setting, add a function beside `count`.
"""

from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, ClassVar, Self

from wannjax.common.validation import is_whole, plain, require, require_one_of
from wannjax.common.wording import did_you_mean


def setting(
    default,
    meaning: str,
    allowed: str,
    check: Callable[[Any], bool],
    load: Callable[[Any], Any] | None = None,
    names: tuple[str, ...] = (),
):
    """A field of `Settings`: its meaning, and what is allowed, in words and as a check; `load` if
    the command line names a file of it, and `names` if it is one of these or several.
    """
    return field(default=default, metadata={"meaning": meaning, "allowed": allowed, "check": check, "load": load, "names": names})


def count(default: int, meaning: str, least: int = 1):
    def check(value):
        return is_whole(value) and value >= least

    return setting(default, meaning, f"an integer >= {least}", check)


def share(default: float, meaning: str):
    return setting(default, meaning, "in [0, 1]", lambda value: 0 <= value <= 1)


def rate(default: float, meaning: str):
    return setting(default, meaning, "finite and >= 0", lambda value: 0 <= value < float("inf"))


def positive(default: float, meaning: str):
    return setting(default, meaning, "finite and > 0", lambda value: 0 < value < float("inf"))


def switch(meaning: str):
    return setting(False, meaning, "True or False", lambda value: isinstance(value, bool))


def choice(default: str, meaning: str, names: tuple[str, ...]):
    return setting(default, meaning, f"one of {', '.join(names)}", names.__contains__, names=names)


def _require_names(setting: Field, value: Any) -> None:
    """Raises ValueError, with near matches, for the first of one or several names that is
    unknown.
    """
    known = setting.metadata["names"]
    for name in value if isinstance(value, tuple) else (value,):
        question = did_you_mean(name, known) if isinstance(name, str) and name not in known else ""
        if question:
            raise ValueError(f"{setting.name}: must be {setting.metadata['allowed']}, got {name!r} ({question})")


@dataclass(frozen=True)
class Settings:
    """Frozen settings, checked when they are made, and kept as Python's own numbers and tuples.
    Raises ValueError, naming the field, its value and what is allowed.

    Attributes:
        name: of the search, or the method of training, that they are for.
        presets: named settings, as what differs from the defaults.
    """

    name: ClassVar[str]
    presets: ClassVar[dict[str, dict]] = {"default": {}}

    def __post_init__(self):
        for each in fields(self):
            given = getattr(self, each.name)
            value = plain(given)
            if value is not given:
                object.__setattr__(self, each.name, value)
            try:
                fine = each.metadata["check"](value)
            except (TypeError, ValueError):
                fine = False
            if not fine and each.metadata["names"]:
                _require_names(each, value)
            require(each.name, given, each.metadata["allowed"], fine)
            if isinstance(each.default, float):
                object.__setattr__(self, each.name, float(value))

    def replace(self, **changes) -> Self:
        """These settings with some fields changed; raises as the constructor does, also for an
        unknown field.
        """
        known = [f.name for f in fields(self)]
        for name in changes:
            require_one_of("field", name, known)
        return replace(self, **changes)

    @classmethod
    def preset(cls, name: str, **changes) -> Self:
        """The settings called `name`, one of `presets`, with `changes` applied. Raises ValueError
        for an unknown name.
        """
        require_one_of("preset", name, cls.presets)
        return cls(**{**cls.presets[name], **changes})
