"""The rooms of the package: imports go down, and nothing runs in a circle."""

from pathlib import Path

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

import wannjax


def test_imports_go_down_the_rooms_and_not_in_circles(capsys):
    assert lint_imports(no_cache=True) == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_nothing_but_the_front_door_stands_at_the_root():
    root = Path(wannjax.__file__).parent
    assert {path.name for path in root.iterdir() if path.is_file()} == {"__init__.py", "__main__.py", "py.typed"}
