"""CIFAR-10, the small colour images of DIAMOND's meta-learning experiments (Fig. 1 to 3), with an unpacked cache.

Unpacking takes about ten seconds, so the cache keeps the unpacked bytes as `.npy` files (184 MB), which later loads map
into memory. Their checksums are verified at every load, which takes a tenth of a second.
"""

import hashlib
import os
import tarfile
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from hypergossip.data.dataset import Dataset
from hypergossip.data.sources import Source, cache_folder, obtain

_TRAIN_SAMPLES = 50000
# Checksums of the raw bytes: images in the order (sample, row, column, channel), and labels; training, then test part.
_IMAGE_SHA256 = (
    "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
    "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
)
_LABEL_SHA256 = (
    "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
    "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
)
# The published binary form is used, since reading the Python form would unpickle a downloaded file.
_SOURCE = Source(
    "cifar10",
    ("cifar10.npz", "cifar-10-binary.tar.gz"),
    "",
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
_BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")


class Images(NamedTuple):
    """Images as published.

    Attributes:
        pixels: shape (samples, 3072), uint8: rows of 32 x 32 x 3 in the order row, column, channel (red, green, blue).
        labels: shape (samples,), uint8, from 0 to 9.
    """

    pixels: UInt8[np.ndarray, "samples 3072"]
    labels: UInt8[np.ndarray, " samples"]


def load_cifar10(data_dir: Path | None = None) -> Dataset:
    """Colour photographs of 10 classes: 60000 samples of 32 x 32 x 3 values from 0 to 1.

    The values are the original 0..255 divided by 255. The first 50000 samples are the published training set, and the
    last 10000 are the published test set. A row of the features, reshaped to (32, 32, 3), is an image by row, column
    and channel. The features take 740 MB.

    The unpacked copy in the cache is tried first, even before `data_dir`, because its checksum identifies the data.

    Source: Krizhevsky, "Learning multiple layers of features from tiny images" (2009). The file is the published
    `cifar-10-binary.tar.gz`, or a `cifar10.npz` with the arrays x_train, y_train, x_test and y_test.

    Args:
        data_dir: the folder to look in for the archive first.

    Raises:
        DataUnavailable: no location has an intact copy of the file.
    """
    folder = cache_folder() / "cifar10"
    images = _read_cache(folder)
    if images is None:
        images = obtain(_SOURCE, _unpack, data_dir)
        _write_cache(folder, images)
    features = np.divide(images.pixels, 255, dtype=np.float32)
    labels = np.asarray(images.labels, np.int32)
    return Dataset("cifar10", features, labels, 10, shape=(32, 32, 3), test_samples=len(labels) - _TRAIN_SAMPLES)


def read_binary_archive(path: Path) -> Images:
    """Read the published binary form: records of one label byte and then 1024 red, 1024 green and 1024 blue bytes.

    Args:
        path: a `.tar.gz` with the six files of the folder cifar-10-batches-bin, each with any number of records.

    Returns:
        The images of the five training files and then of the test file.

    Raises:
        OSError, EOFError, KeyError, ValueError, tarfile.TarError, zlib.error: the archive is damaged or has other
        contents.
    """
    contents = []
    with tarfile.open(path, "r:gz") as archive:
        for batch in _BATCHES:
            member = archive.extractfile(f"cifar-10-batches-bin/{batch}.bin")
            if member is None:
                raise ValueError(f"its {batch}.bin is not a file")
            contents.append(member.read())
    records = np.frombuffer(b"".join(contents), np.uint8).reshape(-1, 1 + 3 * 32 * 32)
    channels_last = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Images(channels_last.reshape(len(records), -1), records[:, 0].copy())


def _read_arrays(path: Path) -> Images:
    with path.open("rb") as file, np.load(file) as arrays:
        pixels = np.concatenate([arrays["x_train"], arrays["x_test"]])
        labels = np.concatenate([arrays["y_train"], arrays["y_test"]])
    return Images(pixels.reshape(len(labels), -1), labels)


def _unpack(path: Path) -> Images:
    return _checked(_read_arrays(path) if path.suffix == ".npz" else read_binary_archive(path))


def _checked(images: Images) -> Images:
    for array, expected in zip(images, (_IMAGE_SHA256, _LABEL_SHA256), strict=True):
        if array.dtype != np.uint8:  # the same bytes in another type
            raise ValueError(f"its type is {array.dtype}, not uint8")
        parts = (array[:_TRAIN_SAMPLES], array[_TRAIN_SAMPLES:])
        if tuple(hashlib.sha256(part.reshape(-1).data).hexdigest() for part in parts) != expected:
            raise ValueError("the SHA-256 of its content is not that of the published data")
    return images


def _read_cache(folder: Path) -> Images | None:
    """The unpacked copy, mapped into memory, or None if it is absent or damaged; it is then created again."""
    try:
        return _checked(Images(*(np.load(folder / f"{field}.npy", mmap_mode="r") for field in Images._fields)))
    except Exception:  # a damaged header may raise any exception of its parser
        return None


def _write_cache(folder: Path, images: Images) -> None:
    """Store an unpacked copy atomically. If the cache cannot be written, only time is lost."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for field, array in zip(Images._fields, images, strict=True):
            with tempfile.TemporaryDirectory(dir=folder) as aside:
                unfinished = Path(aside) / f"{field}.npy"
                np.save(unfinished, array)
                os.replace(unfinished, folder / unfinished.name)
    except OSError as error:
        warnings.warn(
            f"CIFAR-10 was read, but could not be stored unpacked in {folder} ({error}), so each load will take about "
            "ten seconds: free some space there, or set XDG_CACHE_HOME to a writable folder.",
            stacklevel=2,
        )
