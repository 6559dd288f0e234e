"""Settings that must stand before JAX starts its backend and before wannjax is imported."""

import os
from importlib.util import find_spec
from pathlib import Path

import jax
from hypothesis import settings
from jaxtyping import install_import_hook

jax.config.update("jax_num_cpu_devices", 2)

# Every module by its own name, since a package's name would include all below it. The swing-up's dataclasses are left out: as is
# gymnax's custom their fields are annotated as plain numbers, while JAX rebuilds them with tracers and shapes inside.
_PACKAGE = Path(find_spec("wannjax").origin).parent
_MODULES = [
    ".".join(("wannjax", *path.relative_to(_PACKAGE).with_suffix("").parts))
    for path in sorted(_PACKAGE.rglob("*.py"))
    if path.name not in ("__init__.py", "swing_up.py")
]
install_import_hook(_MODULES, "beartype.beartype")

settings.register_profile("default", max_examples=30, deadline=None)
settings.register_profile("ci", max_examples=200, deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "default")
