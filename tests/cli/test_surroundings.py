"""The command in real processes where something is missing: a home, a GPU, a reader, room, signs, time."""

import os
import subprocess
import sys

import pytest

import wannjax
from wannjax.common import devices
from wannjax.networks.graph import Connection, Graph, network_of

NAMELESS = """
import os, pwd, sys
os.environ.pop("HOME", None)
def unknown(_): raise KeyError("no such user")
pwd.getpwuid = unknown
from wannjax.cli import main
sys.exit(main(sys.argv[1:]))
"""

WHILE_IMPORTED = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
sys.argv[0], *sys.orig_argv[1:] = os.environ["PROGRAM"].split()
import wannjax.cli
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("networks") / "run[seed=1].json"
    wannjax.save(path, network_of(Graph(("speed [m/s]", "θ"), ("a",), (5,), (Connection(1, 3), Connection(2, 3)))))
    return path


def command(*arguments, module=("-m", "wannjax"), **environment):
    return subprocess.run(
        [sys.executable, *module, *map(str, arguments)], capture_output=True, timeout=120, env={**os.environ, **environment}
    )


@pytest.mark.slow
def test_no_home_and_no_user_is_no_cache(file):
    without = {name: "" for name in ("JAX_COMPILATION_CACHE_DIR", "XDG_CACHE_HOME")}
    process = command("formula", file, module=("-c", NAMELESS), **without)
    assert process.returncode == 0, process.stderr
    assert process.stderr == b""


def test_a_cache_that_cannot_be_written_is_one_line_and_no_cache(monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/dev/null/programs")
    before = devices.jax.config.jax_compilation_cache_dir
    try:
        with pytest.raises(OSError, match="'/dev/null/programs'"):
            devices.cache_compilations()
        assert devices.jax.config.jax_compilation_cache_dir is None
    finally:
        devices.jax.config.update("jax_compilation_cache_dir", before)


@pytest.mark.slow
def test_an_encoding_without_the_signs_stops_nothing(file):
    process = command("formula", file, PYTHONIOENCODING="ascii", JAX_COMPILATION_CACHE_DIR="/dev/null/θ")
    assert process.returncode == 0, process.stderr
    assert process.stdout.decode().strip() == "a = tanh(w*(speed_m_s + ?))"
    assert process.stderr.decode().strip().endswith("compiled programs are not kept: [Errno 20] Not a directory: '/dev/null/?'")


@pytest.mark.slow
def test_a_platform_that_is_not_here_is_one_line(file):
    process = command("formula", file, JAX_PLATFORMS="cuda")
    assert process.returncode == 2
    assert process.stderr.startswith(b"wannjax: JAX_PLATFORMS=cuda: JAX finds no device to run on")
    assert process.stderr.count(b"\n") == 1


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(file):
    with subprocess.Popen([sys.executable, "-m", "wannjax", "formula", file], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("program", ["-m -m wannjax", "-m -X dev -m wannjax", "-m -mwannjax", "/usr/local/bin/wannjax wannjax"])
def test_ctrl_c_while_the_command_is_imported_is_one_line(program):
    process = command(module=("-c", WHILE_IMPORTED), PROGRAM=program)
    assert (process.stderr, process.returncode) == (b"wannjax: interrupted\n", 130)


@pytest.mark.usefixtures("ctrl_c")
def test_importing_the_package_while_another_program_is_imported_leaves_ctrl_c_alone():
    process = command(module=("-c", WHILE_IMPORTED), PROGRAM="-m -m package.train")
    assert b"KeyboardInterrupt" in process.stderr


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.slow
def test_ctrl_c_that_is_lost_in_a_callback_comes_again():
    """As when JAX runs one while garbage is collected."""
    code = """
import os, signal, sys, time, weakref
sys.argv[0] = "wannjax"
from wannjax.cli import main
from wannjax.common import starting
starting.started()
class Thing: pass
thing = Thing()
reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT) or time.sleep(0.1))
try:
    del thing
    time.sleep(20)
except KeyboardInterrupt:
    print("came")
"""
    process = command(module=("-c", code))
    assert (process.stdout, process.stderr) == (b"came\n", b"")


@pytest.mark.usefixtures("ctrl_c")
def test_importing_the_package_leaves_ctrl_c_alone():
    code = "import signal, wannjax; assert signal.getsignal(signal.SIGINT) is signal.default_int_handler"
    assert command(module=("-c", code)).returncode == 0
