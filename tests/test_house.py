"""The rooms of the package: imports go down, and nothing runs in a circle."""

import builtins
import dis
import pkgutil
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import CodeType

import wannjax
from wannjax.problems.libraries import LIBRARIES, needed

ROOT = Path(wannjax.__file__).parent
LINT = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def test_imports_go_down_the_rooms_and_not_in_circles():
    found = subprocess.run([sys.executable, "-c", LINT], cwd=ROOT.parent, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


def test_nothing_but_the_front_door_stands_at_the_root():
    assert {path.name for path in ROOT.iterdir() if path.is_file()} == {"__init__.py", "__main__.py", "py.typed"}


def globals_in(code: CodeType) -> set[str]:
    """The global names that are read in `code`, and in what is defined there."""
    read = {each.argval for each in dis.get_instructions(code) if each.opname == "LOAD_GLOBAL"}
    return read.union(*(globals_in(constant) for constant in code.co_consts if isinstance(constant, CodeType)))


def test_every_name_is_defined():
    """Which linters cannot tell from the dimensions in annotations."""
    missing = [f"wannjax.problems.adapters.{library}" for library in LIBRARIES if needed(library)]
    if find_spec("torch") is None:
        missing += ["wannjax.export.torch_network", "wannjax.export.torch_recurrent_network"]
    for found in pkgutil.walk_packages(wannjax.__path__, "wannjax."):
        if found.name in ("wannjax.__main__", *missing):
            continue
        module = import_module(found.name)
        code = compile(Path(module.__file__).read_text("utf-8"), module.__file__, "exec")
        assert globals_in(code) <= {*vars(module), *vars(builtins)}, found.name
