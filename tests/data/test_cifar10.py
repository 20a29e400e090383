"""CIFAR-10: the published binary form and the unpacked cache; the real images are in programs/test_real_cifar10.py."""

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest

from hypergossip.data import Dataset, DataUnavailable, cifar10, load
from hypergossip.data.cifar10 import read_binary_archive
from hypergossip.data.sources import cache_folder


def write_archive(path: Path, labels: np.ndarray, images: np.ndarray) -> None:
    """Six files of equally many records: a label byte, then the planes of red, green and blue, row by row."""
    names = [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]
    with tarfile.open(path, "w:gz") as archive:
        for name, some in zip(names, np.split(np.arange(len(labels)), 6), strict=True):
            content = b"".join(
                bytes([labels[index]]) + b"".join(images[index, :, :, channel].tobytes() for channel in range(3))
                for index in some
            )
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_the_binary_form_is_read_by_row_column_and_channel(tmp_path: Path):
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 10, 18, dtype=np.uint8)
    images = generator.integers(0, 256, (18, 32, 32, 3), dtype=np.uint8)
    write_archive(tmp_path / "small.tar.gz", labels, images)
    read = read_binary_archive(tmp_path / "small.tar.gz")
    assert np.array_equal(read.labels, labels)
    assert np.array_equal(read.pixels.reshape(images.shape), images)


def test_an_archive_of_other_images_is_refused(tmp_path: Path, no_files: list[str]):
    write_archive(tmp_path / "cifar-10-binary.tar.gz", np.zeros(6, np.uint8), np.zeros((6, 32, 32, 3), np.uint8))
    with pytest.raises(DataUnavailable, match=r"cifar-10-binary\.tar\.gz is damaged or unreadable .*SHA-256"):
        load("cifar10", tmp_path)
    (tmp_path / "cifar10.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(DataUnavailable, match=r"cifar10\.npz is damaged or unreadable"):
        load("cifar10", tmp_path)
    assert not cache_folder().exists()


@pytest.fixture
def small(tmp_path: Path, no_files: list[str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an archive of 12 images that pass for the published ones, of which the first 10 for training."""
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 10, 12, dtype=np.uint8)
    images = generator.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    monkeypatch.setattr(cifar10, "_TRAIN_SAMPLES", 10)
    for name, array in (("_IMAGE_SHA256", images), ("_LABEL_SHA256", labels)):
        parts = (array[:10], array[10:])
        monkeypatch.setattr(cifar10, name, tuple(hashlib.sha256(part.tobytes()).hexdigest() for part in parts))
    folder = tmp_path / "published"
    folder.mkdir()
    write_archive(folder / "cifar-10-binary.tar.gz", labels, images)
    return folder


def same(one: Dataset, other: Dataset) -> bool:
    return np.array_equal(one.features, other.features) and np.array_equal(one.labels, other.labels)


@pytest.mark.parametrize("field", ["pixels", "labels"])
def test_no_damage_of_the_unpacked_copy_is_believed(small: Path, field: str):
    whole = load("cifar10", small)
    assert same(load("cifar10"), whole)
    file = cache_folder() / "cifar10" / f"{field}.npy"
    kept = file.read_bytes()
    assert len(kept) == 128 + (12 * 3072 if field == "pixels" else 12)
    refused = 0
    for position in [*range(128), 128, len(kept) - 1]:  # every byte of the header, and two of the content
        damaged = bytearray(kept)
        damaged[position] ^= 1 << position % 8
        file.write_bytes(damaged)
        try:
            assert same(load("cifar10"), whole)  # one kind of white space for another
        except DataUnavailable:
            refused += 1
    assert refused >= 120
    for damaged in (b"", kept[:100], kept[:-1], kept.replace(b"|u1", b"|i1")):  # the last: the same bytes, with signs
        file.write_bytes(damaged)
        with pytest.raises(DataUnavailable):
            load("cifar10")
    assert same(load("cifar10", small), whole)
    assert file.read_bytes() == kept  # and it was made again
    assert [path.name for path in sorted(file.parent.iterdir())] == ["labels.npy", "pixels.npy"]


def test_a_cache_that_cannot_be_written_costs_a_warning(small: Path):
    cache_folder().parent.mkdir(parents=True)
    cache_folder().write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="could not be stored unpacked .* set XDG_CACHE_HOME to a writable folder"):
        assert load("cifar10", small).features.shape == (12, 3072)
