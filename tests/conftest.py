"""Settings that must stand before JAX starts its backend and before wannjax is imported; and what several files of tests need."""

import gc
import os
import signal
from importlib.util import find_spec
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

gc.set_threshold(100_000, 50, 100)  # tracing makes so many objects that looking for garbage takes a tenth of the time
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")

collect_ignore = [
    "support/saved_run.py",
    "support/compile_entry_points.py",
]  # programs that tests run, which doctest collection would import

# Slow tests check the annotations of every module but these, each listed by its own name, since a package's name includes all below it.
_UNCHECKED = (
    "swing_up.py",  # as is gymnax's custom, fields are annotated as plain numbers, while JAX rebuilds them with tracers inside
    "double_pole.py",
    "varied.py",
    "config.py",  # its own checks are what is tested
    "digits.py",  # which takes numbers of any kind, as do the next two
    "validation.py",
    "wording.py",
    "settings.py",
    "__init__.py",
)
_PACKAGE = Path(find_spec("wannjax").origin).parent
_MODULES = [
    ".".join(("wannjax", *path.relative_to(_PACKAGE).with_suffix("").parts))
    for path in sorted(_PACKAGE.rglob("*.py"))
    if path.name not in _UNCHECKED
]


def pytest_configure(config):
    """Compiles quickly what runs but once, which takes half the time; the tests that are nightly only compile as users do.

    Programs that take long are kept in pytest's cache, for all workers, for the processes that tests start, and for the next run. That
    their size is limited makes JAX lock the folder, and read it whole for every new one.
    """
    quick = not config.getoption("markexpr").startswith("nightly and not slow")
    programs = config.cache.mkdir("programs")
    if not hasattr(config, "workerinput"):  # of a process that was killed as it wrote
        for path in programs.glob("*-cache"):
            if not path.with_name(path.name.removesuffix("-cache") + "-atime").exists():
                path.unlink()
    options = {
        "jax_disable_most_optimizations": quick,
        "jax_traceback_in_locations_limit": 0,  # where each operation was traced, which only profilers read
        "jax_compilation_cache_dir": str(programs),
        "jax_compilation_cache_max_size": 500_000_000,
        "jax_persistent_cache_min_compile_time_secs": 0.3,
    }
    for name, value in options.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(int(value) if isinstance(value, bool) else value)
    if quick and jax.__version_info__ < (0, 11):  # later ones end a process over flags that they no longer know
        # Small programs are not worth dividing among threads: a tenth of all that compiling costs.
        os.environ["XLA_FLAGS"] = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    if config.getoption("markexpr").startswith("slow"):  # a fifth of the time of the others
        install_import_hook(_MODULES, "typechecker.checked")


@pytest.fixture(autouse=True)
def _drawn_alike(request):
    """What a test draws does not depend on which of its module came before."""
    rng = getattr(getattr(request.node, "module", None), "RNG", None)
    if rng is not None:
        rng.bit_generator.state = np.random.default_rng(0).bit_generator.state


@pytest.fixture
def ctrl_c():
    """Ctrl-C does what it does in the foreground, here and in processes that are started: a job in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def without_report():
    """Runs leave no report, which takes most of the time of a small one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wannjax.report.report.write", lambda directory, problem: None)
        yield


settings.register_profile("default", max_examples=30, deadline=None)
settings.load_profile("default")
