"""Splits are disjoint, complete and reproducible; standardisation uses the training part alone."""

import numpy as np
import pytest

from hypergossip.data import Dataset, split, standardize


def numbered(samples: int) -> Dataset:
    """A data set whose only feature and whose label both tell the sample's number."""
    labels = np.arange(samples, dtype=np.int32)
    return Dataset("numbered", labels[:, None].astype(np.float32), labels, samples)


@pytest.mark.parametrize("samples", [5, 101, 48842])
def test_a_split_is_disjoint_complete_and_of_the_right_sizes(samples: int):
    parts = split(numbered(samples), (0.4, 0.4, 0.2), seed=1)
    assert np.array_equal(np.sort(np.concatenate([part.labels for part in parts])), np.arange(samples))
    for part, fraction in zip(parts, (0.4, 0.4, 0.2), strict=True):
        assert abs(len(part.labels) - fraction * samples) <= 1
        assert np.array_equal(part.features[:, 0], part.labels)
        assert (part.name, part.classes, part.features.dtype) == ("numbered", samples, np.float32)


def test_the_seed_alone_decides_the_shuffle():
    first, again, other = (split(numbered(100), seed=seed)[0].labels for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(np.sort(first), np.sort(other))


def test_fractions_below_one_leave_samples_out():
    parts = split(numbered(1000), (0.1, 0.2))
    assert [len(part.labels) for part in parts] == [100, 200]
    assert len(np.unique(np.concatenate([part.labels for part in parts]))) == 300


@pytest.mark.parametrize("fractions", [(), (0.5, 0.6), (0.5, 0.0), (-0.1, 0.5), (float("nan"), 0.1)])
def test_impossible_fractions_are_refused(fractions: tuple[float, ...]):
    with pytest.raises(ValueError, match="sum is at most 1"):
        split(numbered(10), fractions)


def test_an_empty_part_is_refused():
    with pytest.raises(ValueError, match="only 2 samples"):
        split(numbered(2))


def test_standardise_by_the_training_part():
    generator = np.random.default_rng(0)
    features = (generator.normal(size=(400, 3)) * [1, 50, 0.01] + [5, -300, 2]).astype(np.float32)
    features = np.column_stack([features, np.full(400, 0.1, np.float32)])
    whole = Dataset("normal", features, np.zeros(400, np.int32), 1)
    train, test = split(whole, (0.5, 0.5))
    test.features[:, 3] = 7
    ours, other = standardize(train, test)
    np.testing.assert_allclose(ours.features[:, :3].mean(axis=0, dtype=np.float64), 0, atol=1e-6)
    np.testing.assert_allclose(ours.features[:, :3].std(axis=0, dtype=np.float64), 1, atol=1e-6)
    assert (ours.features[:, 3] == np.float32(0.1)).all()
    assert (other.features[:, 3] == 7).all()
    for column in range(3):
        slope, intercept = np.polyfit(train.features[:, column], ours.features[:, column], 1)
        np.testing.assert_allclose(other.features[:, column], slope * test.features[:, column] + intercept, atol=1e-3)
    assert ours.features.dtype == other.features.dtype == np.float32
    assert abs(other.features[:, :3].mean()) > 1e-4


def test_data_of_another_width_is_refused():
    narrow, wide = numbered(4), numbered(4)._replace(features=np.zeros((4, 2), np.float32))
    with pytest.raises(ValueError, match="has 2 features but the training set 'numbered' has 1"):
        standardize(narrow, wide)
    with pytest.raises(ValueError, match="no training samples"):
        standardize(narrow._replace(features=np.zeros((0, 1), np.float32), labels=np.zeros(0, np.int32)))
