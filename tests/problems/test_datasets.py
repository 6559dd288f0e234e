"""Data sets: MNIST in every form of file, damaged files, the paper's preparation of images, and the small digits."""

import gzip
import io
import pickle
import struct
import sys
import zipfile

import numpy as np
import pytest

from benchmarks.fetch_mnist import arrays_of
from wannjax.problems import datasets
from wannjax.problems.datasets import MOST_IMAGES, deskew, digits, mnist, prepare, resize

IDX_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@pytest.fixture
def raw():
    """Seven images to train and three to test on, with Keras's names."""
    generator = np.random.default_rng(0)
    return {
        "x_train": generator.integers(0, 256, (7, 28, 28), np.uint8),
        "y_train": np.array([0, 9, 1, 2, 3, 4, 5], np.uint8),
        "x_test": generator.integers(0, 256, (3, 28, 28), np.uint8),
        "y_test": np.array([6, 7, 8], np.uint8),
    }


def idx(array):
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(directory, raw, *, separator="-", compress=False):
    for name, array in zip(IDX_NAMES, raw.values(), strict=True):
        name = name.replace("-idx", f"{separator}idx")
        (directory / (name + ".gz" * compress)).write_bytes(gzip.compress(idx(array)) if compress else idx(array))
    return directory


def assert_holds(dataset, raw):
    np.testing.assert_array_equal(dataset.x_train, prepare(raw["x_train"]))
    np.testing.assert_array_equal(dataset.x_test, prepare(raw["x_test"]))
    np.testing.assert_array_equal(dataset.y_train, raw["y_train"])
    np.testing.assert_array_equal(dataset.y_test, raw["y_test"])
    assert [array.dtype for array in dataset[:4]] == [np.float32, np.int32] * 2
    assert len(set(dataset.input_names)) == 256


# Files


@pytest.mark.parametrize("separator", ["-", "."])
@pytest.mark.parametrize("compress", [False, True])
def test_mnist_reads_a_directory_of_original_files(raw, tmp_path, separator, compress):
    assert_holds(mnist(write_idx(tmp_path, raw, separator=separator, compress=compress)), raw)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_mnist_reads_an_npz_file(raw, tmp_path, write):
    write(tmp_path / "mnist.npz", **raw, another=np.array(["ignored"]))
    assert_holds(mnist(tmp_path / "mnist.npz"), raw)


def test_mnist_reads_arrays_in_any_layout(raw, tmp_path):
    layouts = {"x_train": np.asfortranarray(raw["x_train"]), "y_train": raw["y_train"].astype(">i8")}
    np.savez(tmp_path / "mnist.npz", **(raw | layouts))
    assert_holds(mnist(str(tmp_path / "mnist.npz")), raw)


@pytest.mark.parametrize("shape", [(16, 16), (256,)])
def test_mnist_takes_prepared_images_as_they_are(raw, tmp_path, shape):
    ready = {name: prepare(raw[name]).reshape(-1, *shape) for name in ("x_train", "x_test")}
    np.savez(tmp_path / "mnist16.npz", **(raw | ready))
    assert_holds(mnist(tmp_path / "mnist16.npz"), raw)


def single_error(path, match):
    with pytest.raises(ValueError, match=match) as caught:
        mnist(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_path_is_named(tmp_path):
    single_error(tmp_path / "nowhere", r"nowhere: is neither a directory")


@pytest.mark.parametrize("missing", IDX_NAMES)
def test_a_missing_original_file_is_named(raw, tmp_path, missing):
    write_idx(tmp_path, raw)
    (tmp_path / missing).unlink()
    single_error(tmp_path, f"has no file {missing}")


GOOD_LABELS = idx(np.arange(7, dtype=np.uint8))
BAD_LABELS = {
    "empty": (b"", "starts with bytes"),
    "another magic number": (b"PK\3\4" + GOOD_LABELS[4:], "starts with bytes 504b0304, not 00000801"),
    "images": (idx(np.zeros((7, 28, 28), np.uint8)), "starts with bytes 00000803"),
    "cut within the header": (GOOD_LABELS[:6], "ends within its header"),
    "cut within the data": (GOOD_LABELS[:-1], "announces 7 bytes of data, and it has 6"),
    "with bytes after the data": (GOOD_LABELS + b"\0", "announces 7 bytes of data, and it has more"),
    "no labels": (idx(np.zeros(0, np.uint8)), "claims to hold"),
    "claiming too many": (GOOD_LABELS[:4] + struct.pack(">I", 2**32 - 1), "claims to hold"),
}


@pytest.mark.parametrize(("content", "match"), BAD_LABELS.values(), ids=BAD_LABELS.keys())
@pytest.mark.parametrize("compress", [False, True])
def test_a_bad_original_file_is_one_clear_error(raw, tmp_path, content, match, compress):
    write_idx(tmp_path, raw, compress=compress)
    path = tmp_path / (IDX_NAMES[1] + ".gz" * compress)
    path.write_bytes(gzip.compress(content) if compress else content)
    single_error(tmp_path, f"{path.name}: not an MNIST file: .*{match}")


def damaged(content):
    return content[: len(content) // 2] + bytes(byte ^ 255 for byte in content[len(content) // 2 :])


@pytest.mark.parametrize("damage", [lambda c: c[:-20], damaged, lambda c: b"plain text"], ids=["truncated", "garbled", "not gzip"])
def test_a_bad_gzip_file_is_one_clear_error(raw, tmp_path, damage):
    path = write_idx(tmp_path, raw, compress=True) / f"{IDX_NAMES[0]}.gz"
    path.write_bytes(damage(path.read_bytes()))
    single_error(tmp_path, f"{path.name}: not an MNIST file: .")


def test_a_gzip_bomb_is_not_unpacked(raw, tmp_path, monkeypatch):
    write_idx(tmp_path, raw, compress=True)
    (tmp_path / f"{IDX_NAMES[1]}.gz").write_bytes(gzip.compress(GOOD_LABELS + bytes(1 << 24)))
    unpacked = 0
    read = gzip.GzipFile.read

    def counting(file, size=-1):
        nonlocal unpacked
        content = read(file, size)
        unpacked += len(content)
        return content

    monkeypatch.setattr(gzip.GzipFile, "read", counting)
    single_error(tmp_path, "it has more")
    assert unpacked < 10_000


def npz(arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def claiming(shape, dtype="|u1"):
    """An `.npy` file that is nothing but a header."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


def npz_with(raw, name, content, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for other, array in raw.items():
            packed = io.BytesIO()
            np.save(packed, array)
            archive.writestr(f"{other}.npy", content if other == name else packed.getvalue())
    return file.getvalue()


def beginning_before_the_file(content):
    """The archive claims that its directory is further in than it is, so that zipfile seeks to a negative position."""
    at = content.rindex(b"PK\5\6") + 16
    offset = int.from_bytes(content[at : at + 4], "little") + 10_000
    return content[:at] + offset.to_bytes(4, "little") + content[at + 4 :]


BAD_NPZ = {
    "empty": (lambda raw: b"", "not an .npz file"),
    "text": (lambda raw: b"plain text", "not an .npz file"),
    "truncated": (lambda raw: npz(raw)[:-100], "not an .npz file"),
    "garbled": (lambda raw: npz(raw).replace(raw["x_train"].tobytes()[:50], bytes(50)), "Bad CRC"),
    "beginning before the file": (lambda raw: beginning_before_the_file(npz(raw)), "not an .npz file"),
    "without an array": (lambda raw: npz({"x_train": raw["x_train"]}), "no array 'y_train'"),
    "with objects": (lambda raw: npz(raw | {"y_train": np.array([{}] * 7)}), "holds object"),
    "with text": (lambda raw: npz(raw | {"y_train": np.array(["1"] * 7)}), "holds <U1"),
    "with an array cut short": (lambda raw: npz_with(raw, "x_train", claiming((7, 28, 28))), "announces 5488 bytes of data, and it has 0"),
    "claiming too many": (lambda raw: npz_with(raw, "x_train", claiming((MOST_IMAGES + 1, 28, 28))), "claims to hold"),
    "claiming too large images": (lambda raw: npz_with(raw, "x_train", claiming((1, 2**40, 2**40))), "claims to hold"),
    "claiming less than nothing": (lambda raw: npz_with(raw, "x_train", claiming((-7, 28, 28))), "claims to hold"),
    "with a broken header": (lambda raw: npz_with(raw, "x_train", b"\x93NUMPY\1\0\5\0((((("), "not an .npz file"),
    "compressed otherwise": (lambda raw: npz_with(raw, "x_train", b"", zipfile.ZIP_LZMA), "'x_train' is compressed in a way"),
    "with an empty array": (lambda raw: npz_with(raw, "x_train", b""), "not an .npz file"),
}


@pytest.mark.parametrize(("build", "match"), BAD_NPZ.values(), ids=BAD_NPZ.keys())
def test_a_bad_npz_file_is_one_clear_error(raw, tmp_path, build, match):
    (tmp_path / "bad.npz").write_bytes(build(raw))
    assert "bad.npz: not an .npz file of MNIST: " in single_error(tmp_path / "bad.npz", match)


BAD_ARRAYS = {
    "other image size": ("x_train", np.zeros((7, 27, 28), np.uint8), "claims to hold"),
    "one image": ("x_train", np.zeros((28, 28), np.uint8), "claims to hold"),
    "a number": ("x_train", np.uint8(3), "claims to hold"),
    "labels as images": ("x_train", np.zeros(7, np.uint8), r"training images are uint8\[7\]"),
    "floating raw images": ("x_train", np.zeros((7, 28, 28), np.float32), r"training images are float32\[7, 28, 28\]"),
    "whole prepared images": ("x_test", np.zeros((3, 256), np.uint8), r"test images are uint8\[3, 256\]"),
    "prepared images up to 255": ("x_train", np.full((7, 256), 255.0), "from 255.0 to 255.0, not from 0 to 1"),
    "prepared images with NaN": ("x_train", np.full((7, 256), np.nan), "from nan to nan, not from 0 to 1"),
    "too few labels": ("y_test", np.zeros(2, np.uint8), "has 3 test images"),
    "one-hot labels": ("y_test", np.zeros((3, 256)), "has 3 test images"),
    "floating labels": ("y_test", np.zeros(3), "has 3 test images"),
    "a label of 10": ("y_train", np.array([10, 0, 0, 0, 0, 0, 0]), "training labels go from 0 to 10, not from 0 to 9"),
    "a label of -1": ("y_train", np.array([-1, 0, 0, 0, 0, 0, 0]), "training labels go from -1 to 0, not from 0 to 9"),
    "a label of 2**32": ("y_train", np.array([2**32, 0, 0, 0, 0, 0, 0]), "training labels go from 0 to 4294967296"),
}


@pytest.mark.parametrize(("name", "array", "match"), BAD_ARRAYS.values(), ids=BAD_ARRAYS.keys())
def test_an_unsuitable_array_is_one_clear_error(raw, tmp_path, name, array, match):
    np.savez(tmp_path / "bad.npz", **(raw | {name: array}))
    assert "bad.npz: " in single_error(tmp_path / "bad.npz", match)


# Images


def resized_pixel_by_pixel(image, side):
    """Bilinear between the four nearest pixel centres, the edge repeated."""
    height, width = image.shape
    result = np.zeros((side, side))
    for row in range(side):
        for column in range(side):
            y = min(max((row + 0.5) * height / side - 0.5, 0), height - 1)
            x = min(max((column + 0.5) * width / side - 0.5, 0), width - 1)
            top, left = min(int(y), height - 2), min(int(x), width - 2)
            dy, dx = y - top, x - left
            upper = (1 - dx) * image[top, left] + dx * image[top, left + 1]
            lower = (1 - dx) * image[top + 1, left] + dx * image[top + 1, left + 1]
            result[row, column] = (1 - dy) * upper + dy * lower
    return result


def deskewed_pixel_by_pixel(image):
    side = len(image)
    mass = sum(image[y, x] for y in range(side) for x in range(side))
    if mass == 0:
        return image
    mean_x = sum(x * image[y, x] for y in range(side) for x in range(side)) / mass
    mean_y = sum(y * image[y, x] for y in range(side) for x in range(side)) / mass
    mu11 = sum((x - mean_x) * (y - mean_y) * image[y, x] for y in range(side) for x in range(side))
    mu02 = sum((y - mean_y) ** 2 * image[y, x] for y in range(side) for x in range(side))
    if mu02 < 1e-2:
        return image
    result = np.zeros_like(image)
    for y in range(side):
        for x in range(side):
            source = x + mu11 / mu02 * (y - 0.5 * side)
            left = int(np.floor(source))
            for column, share in ((left, 1 - (source - left)), (left + 1, source - left)):
                if 0 <= column < side:
                    result[y, x] += share * image[y, column]
    return result


def leaning_bar(lean, side=16):
    """A bar through the middle, two pixels wide, that goes `lean` columns to the left a row."""
    image = np.zeros((side, side))
    for y in range(2, side - 2):
        at = side / 2 - lean * (y - side / 2)
        left = int(np.floor(at))
        image[y, left : left + 3] = (1 - (at - left), 1.0, at - left)
    return image


def lean_of(image):
    """Columns a row, by a line through the mean column of each row that has any mass."""
    rows = np.flatnonzero(image.sum(1) > 0)
    means = image[rows] @ np.arange(image.shape[1]) / image[rows].sum(1)
    return np.polyfit(rows, means, 1)[0]


@pytest.mark.parametrize(("size", "side"), [(28, 16), (16, 16), (8, 16), (28, 5)])
def test_resize_is_bilinear_between_pixel_centres(size, side):
    images = np.random.default_rng(1).random((3, size, size))
    expected = [resized_pixel_by_pixel(image, side) for image in images]
    np.testing.assert_allclose(resize(images, side), expected, atol=1e-12)


def test_resize_gives_what_opencv_gives():
    """The expected values are those of cv2.resize (OpenCV 3.4.18); averaging over areas would miss them by up to 2.3."""
    image = (np.arange(49.0) ** 2 % 11).reshape(1, 7, 7)
    expected = [[2.6719, 4.25, 3.4844, 2.9531], [6.6406, 2.7969, 5.2031, 5.6094], [3.3594, 7.5, 2.25, 1.0156], [4.0, 1.8594, 3.3906, 6.875]]
    np.testing.assert_allclose(resize(image, 4)[0], expected, atol=1e-4)


@pytest.mark.parametrize("lean", [-0.5, -0.2, 0.3, 0.6])
def test_deskew_sets_a_leaning_bar_upright(lean):
    bar = leaning_bar(lean)
    assert abs(lean_of(bar) + lean) < 1e-6
    assert abs(lean_of(deskew(bar[None])[0])) < 0.01


def test_deskew_is_the_shear_by_moments():
    generator = np.random.default_rng(2)
    blobs = generator.random((4, 16, 16)) * (generator.random((4, 16, 16)) < 0.2)
    images = np.stack([*blobs, *map(leaning_bar, (-0.5, 0.25, 0.6))])
    expected = [deskewed_pixel_by_pixel(image) for image in images]
    np.testing.assert_allclose(deskew(images), expected, atol=1e-12)


def test_deskew_shears_what_leans_extremely_out_of_the_image():
    image = np.zeros((16, 16))
    image[7, 0] = image[8, 15] = 1.0  # 15 columns in one row
    np.testing.assert_allclose(deskew(image[None])[0], deskewed_pixel_by_pixel(image), atol=1e-12)


@pytest.mark.parametrize("rows", [0, 1])
def test_deskew_leaves_images_without_vertical_extent(rows):
    image = np.zeros((1, 16, 16))
    image[0, 8 : 8 + rows, 3:9] = 1.0
    np.testing.assert_array_equal(deskew(image), image)


def test_deskew_leaves_images_that_are_all_but_empty():
    """As in the published code, the threshold is on a moment that is not divided by the mass."""
    bar = leaning_bar(0.5)[None]
    np.testing.assert_array_equal(deskew(bar * 1e-5), bar * 1e-5)


def test_prepare_resizes_deskews_and_scales(raw, monkeypatch):
    monkeypatch.setattr(datasets, "_CHUNK", 3)
    expected = [deskewed_pixel_by_pixel(resized_pixel_by_pixel(image / 255, 16)).ravel() for image in raw["x_train"]]
    np.testing.assert_allclose(prepare(raw["x_train"]), expected, atol=1e-6)


def test_prepared_images_go_from_0_to_1():
    prepared = prepare(np.full((1, 28, 28), 255, np.uint8))
    assert prepared.min() >= 0
    assert prepared.max() == 1


# The recipe


class Hostile:
    def __reduce__(self):
        return print, ("executed",)


def test_the_recipe_unpickles_nothing_but_arrays(capsys):
    with pytest.raises(pickle.UnpicklingError, match="print is not allowed"):
        arrays_of(io.BytesIO(pickle.dumps(Hostile(), protocol=2)))
    assert capsys.readouterr().out == ""


# Digits


def test_digits_are_1797_images_from_0_to_1():
    pytest.importorskip("sklearn")
    dataset = digits()
    assert [array.shape for array in dataset[:4]] == [(1437, 64), (1437,), (360, 64), (360,)]
    assert [array.dtype for array in dataset[:4]] == [np.float32, np.int32] * 2
    assert len(set(dataset.input_names)) == 64
    for images in (dataset.x_train, dataset.x_test):
        assert (images.min(), images.max()) == (0, 1)


def test_digits_are_split_alike_every_time_with_every_class_in_its_share():
    pytest.importorskip("sklearn")
    dataset, again = digits(), digits()
    for first, second in zip(dataset[:4], again[:4], strict=True):
        np.testing.assert_array_equal(first, second)
    share = np.bincount(dataset.y_test, minlength=10) / np.bincount(np.concatenate([dataset.y_train, dataset.y_test]))
    np.testing.assert_allclose(share, 0.2, atol=0.005)


def test_digits_name_the_extra_that_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ValueError, match=r"pip install \"wannjax\[data\]\""):
        digits()
