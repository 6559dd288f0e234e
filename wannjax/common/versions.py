"""Which versions of packages there are, for files that say what they were made with."""

from importlib.metadata import PackageNotFoundError, version

UNKNOWN = "unknown"
"""The version of what was not installed, as of a source tree that is on Python's path."""


def versions_of(*packages: str) -> dict[str, str]:
    """The version of each package."""
    return {package: _version_of(package) for package in packages}


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return UNKNOWN
