"""The rooms of the package: imports go down, and nothing runs in a circle."""

import subprocess
import sys
from pathlib import Path

import wannjax

ROOT = Path(wannjax.__file__).parent
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def test_imports_go_down_the_rooms_and_not_in_circles():
    found = subprocess.run([sys.executable, "-c", LINT], cwd=ROOT.parent, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


def test_nothing_but_the_front_door_stands_at_the_root():
    assert {path.name for path in ROOT.iterdir() if path.is_file()} == {"__init__.py", "__main__.py", "py.typed"}
