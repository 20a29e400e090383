"""CIFAR-10's 60,000 real images: read, kept unpacked, and not believed once a bit of the copy has changed."""

import io
from pathlib import Path

import numpy as np
import pytest

from hypergossip.data import DataUnavailable, load
from hypergossip.data.sources import cache_folder


def test_real_images_and_their_cache(real_data: Path, no_files: list[str]):
    if not any(real_data.glob("cifar*10*")):
        pytest.skip("the images of CIFAR-10 are not among the real data files")
    first = load("cifar10", real_data)
    assert first.features.shape == (60000, 3072)
    assert first.features.dtype == np.float32
    assert np.bincount(first.labels[:50000]).tolist() == [5000] * 10
    assert np.bincount(first.labels[50000:]).tolist() == [1000] * 10
    means = first.features[:50000].mean(axis=0, dtype=np.float64).reshape(-1, 3).mean(axis=0)
    assert np.round(means, 4).tolist() == [0.4914, 0.4822, 0.4465]

    # From here on only the unpacked copy can answer, and only while it is whole.
    again = load("cifar10")
    assert np.array_equal(again.features[::100], first.features[::100])  # its checksum has seen the others
    assert np.array_equal(again.labels, first.labels)
    assert type(again.features) is type(again.labels) is np.ndarray
    assert no_files == []
    with (cache_folder() / "cifar10" / "pixels.npy").open("r+b") as file:
        file.seek(100_000_000)
        byte = file.read(1)
        file.seek(-1, io.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(DataUnavailable, match=r"cifar-10-binary\.tar\.gz failed"):
        load("cifar10")
