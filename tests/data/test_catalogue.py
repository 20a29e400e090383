"""The data sets by name: shapes, units and label counts of the real thing."""

import gzip
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hypergossip.data import Dataset, DataUnavailable, load, names, split, standardize


def assert_well_formed(dataset: Dataset, name: str, samples: int, width: int, classes: int) -> None:
    assert dataset.name == name
    assert dataset.features.shape == (samples, width)
    assert dataset.features.dtype == np.float32
    assert dataset.labels.shape == (samples,)
    assert dataset.labels.dtype == np.int32
    assert dataset.classes == classes
    assert np.array_equal(np.unique(dataset.labels), np.arange(classes))


def test_names_have_one_line_each_and_an_unknown_one_is_answered_with_them():
    assert list(names()) == ["digits", "breast_cancer", "a9a", "mnist", "cifar10"]
    assert all(line and "\n" not in line for line in names().values())
    with pytest.raises(ValueError, match="no data set 'a8a': choose one of digits, breast_cancer, a9a, mnist, cifar10"):
        load("a8a")


def test_bundled_data_needs_no_files(no_files: list[str]):
    digits = load("digits")
    assert_well_formed(digits, "digits", 1797, 64, 10)
    assert digits.features.min() == 0
    assert digits.features.max() == 1
    assert np.array_equal(digits.features * 16, np.rint(digits.features * 16))

    cancer = load("breast_cancer")
    assert_well_formed(cancer, "breast_cancer", 569, 30, 2)
    np.testing.assert_allclose(cancer.features.mean(axis=0, dtype=np.float64), 0, atol=1e-6)
    np.testing.assert_allclose(cancer.features.std(axis=0, dtype=np.float64), 1, atol=1e-6)
    assert np.bincount(cancer.labels).tolist() == [212, 357]
    assert no_files == []


def test_standardising_after_the_split_undoes_the_scaling_of_the_whole(no_files: list[str]):
    from sklearn.datasets import load_breast_cancer

    scaled = load("breast_cancer")
    features, _ = map(np.asarray, load_breast_cancer(return_X_y=True))
    raw = scaled._replace(features=features.astype(np.float32))
    for ours, theirs in zip(standardize(*split(scaled)), standardize(*split(raw)), strict=True):
        np.testing.assert_allclose(ours.features, theirs.features, atol=2e-5)


def test_a9a_equals_a_loop_over_its_lines_and_has_the_published_counts(real_data: Path, no_files: list[str]):
    if not (real_data / "a9a.gz").is_file():
        pytest.skip("a9a is not among the real data files")
    begin = time.perf_counter()
    ours = load("a9a", str(real_data))
    seconds = time.perf_counter() - begin
    assert seconds < 5
    assert_well_formed(ours, "a9a", 32561 + 16281, 123, 2)

    lines = []
    for file in ("a9a.gz", "a9a.t.gz"):
        with gzip.open(real_data / file, "rt") as text:
            lines += [line.split() for line in text]
    features = np.zeros((len(lines), 123), np.float32)
    for row, (_, *pairs) in enumerate(lines):
        for index, value in (pair.split(":") for pair in pairs):
            features[row, int(index) - 1] = float(value)
    assert np.array_equal(ours.features, features)
    assert np.array_equal(ours.labels, [label == "+1" for label, *_ in lines])
    train, test = slice(0, 32561), slice(32561, None)
    assert np.bincount(ours.labels[train]).tolist() == [24720, 7841]
    assert np.bincount(ours.labels[test]).tolist() == [12435, 3846]
    assert (features[train].sum(dtype=np.int64), features[test].sum(dtype=np.int64)) == (451592, 225731)
    assert not features[test, 122].any()
    assert no_files == []


def test_mnist_counts(real_data: Path, no_files: list[str]):
    if not (real_data / "mnist").is_dir():
        pytest.skip("MNIST is not among the real data files")
    mnist = load("mnist", real_data)
    assert_well_formed(mnist, "mnist", 70000, 784, 10)
    train, test = slice(0, 60000), slice(60000, None)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(mnist.labels[train]).tolist() == counts
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(mnist.labels[test]).tolist() == counts
    assert mnist.features.min() == 0
    assert mnist.features.max() == 1
    moments = [function(mnist.features[train], dtype=np.float64) for function in (np.mean, np.std)]
    assert [round(float(value), 4) for value in moments] == [0.1307, 0.3081]


def test_a_truncated_file_in_the_named_folder_is_refused_in_one_sentence(tmp_path: Path, no_files: list[str]):
    packed = gzip.compress(b"-1 3:1\n" * 1000)
    (tmp_path / "a9a.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(DataUnavailable) as caught:
        load("a9a", tmp_path)
    message = str(caught.value)
    assert message.startswith(f"The file {tmp_path / 'a9a.gz'} is damaged or unreadable (EOFError")
    assert "download it again" in message
    assert "\n" not in message
    assert message.count(". ") == 0
    assert no_files == []


def test_missing_files_are_answered_with_every_place_tried(
    tmp_path: Path, no_files: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HYPERGOSSIP_DATA", str(tmp_path / "shared"))
    for name in ("a9a", "mnist", "cifar10"):
        with pytest.raises(DataUnavailable) as caught:
            load(name, tmp_path / "named")
        message = str(caught.value)
        for part in (f"{tmp_path / 'named'} (data_dir)", f"{tmp_path / 'cache' / 'hypergossip'} (the cache)",
                     f"{tmp_path / 'shared'} ($HYPERGOSSIP_DATA)", no_files[-1], "Network is unreachable"):  # fmt: skip
            assert part in message
        assert "\n" not in message
        assert message.count(". ") == 0  # one sentence
        assert message.endswith("or connect to the internet.")
    assert len(no_files) == 3

    monkeypatch.delenv("HYPERGOSSIP_DATA")
    with pytest.raises(DataUnavailable, match=r"\$HYPERGOSSIP_DATA is not set"):
        load("a9a")


def test_the_import_leaves_scikit_learn_alone():
    code = "import sys, hypergossip.data; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
