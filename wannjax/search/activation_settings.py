"""The settings on activations, which every search has."""

from wannjax.common.settings import setting
from wannjax.networks.activations import LINEAR, NAMES

AUTO = "auto"


def activation_names(default: tuple[str, ...], meaning: str):
    def check(names):
        return 0 < len(names) == len(set(names)) and set(names) <= set(NAMES[1:])

    return setting(default, meaning, f"different names from {', '.join(NAMES[1:])}", check, names=NAMES[1:])


def output_activation_id(name: str) -> int:
    """The activation id of the outputs; linear where `AUTO` was left to no problem."""
    return LINEAR if name == AUTO else NAMES.index(name)
