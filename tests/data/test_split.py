"""Splits and held-out samples are disjoint, complete and reproducible; only the training part standardises."""

import numpy as np
import pytest

from hypergossip.data import Dataset, hold_out, load, split, standardize, standardize_images


def numbered(samples: int, **more: object) -> Dataset:
    """A data set whose only feature and whose label both tell the sample's number."""
    labels = np.arange(samples, dtype=np.int32)
    return Dataset("numbered", labels[:, None].astype(np.float32), labels, samples, **more)


@pytest.mark.parametrize("samples", [5, 101, 48842])
def test_a_split_is_disjoint_complete_and_of_the_right_sizes(samples: int):
    parts = split(numbered(samples), (0.4, 0.4, 0.2), seed=1)
    assert np.array_equal(np.sort(np.concatenate([part.labels for part in parts])), np.arange(samples))
    for part, fraction in zip(parts, (0.4, 0.4, 0.2), strict=True):
        assert abs(len(part.labels) - fraction * samples) <= 1
        assert np.array_equal(part.features[:, 0], part.labels)
        assert (part.name, part.classes, part.features.dtype) == ("numbered", samples, np.float32)


def test_fractions_below_one_leave_samples_out_and_the_seed_alone_decides_the_shuffle():
    first, again, other = (split(numbered(1000), (0.1, 0.2), seed=seed) for seed in (4, 4, 5))
    assert [len(part.labels) for part in first] == [100, 200]
    assert len(np.unique(np.concatenate([part.labels for part in first]))) == 300
    assert np.array_equal(first[0].labels, again[0].labels)
    assert not np.array_equal(np.sort(first[0].labels), np.sort(other[0].labels))


@pytest.mark.parametrize("fractions", [(), (0.5, 0.6), (0.5, 0.0), (-0.1, 0.5), (float("nan"), 0.1)])
def test_impossible_fractions_and_an_empty_part_are_refused(fractions: tuple[float, ...]):
    with pytest.raises(ValueError, match="sum is at most 1"):
        split(numbered(10), fractions)
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


def test_a_published_test_set_is_the_last_samples_uncopied():
    data = numbered(50, test_samples=15)
    for seed in (0, 1):
        rest, test = hold_out(data, 0.3, seed)
        np.testing.assert_array_equal(rest.features[:, 0], np.arange(35))
        np.testing.assert_array_equal(test.features[:, 0], np.arange(35, 50))
        assert np.shares_memory(rest.features, data.features)
        assert rest.test_samples == test.test_samples == 0


def test_without_one_a_share_is_drawn_by_the_seed():
    data = numbered(50)
    rest, test = hold_out(data, 0.3, seed=4)
    assert len(test.labels) == 15
    assert sorted(np.concatenate([rest.features, test.features])[:, 0]) == list(range(50))
    np.testing.assert_array_equal(hold_out(data, 0.3, seed=4)[1].features, test.features)
    assert not np.array_equal(hold_out(data, 0.3, seed=5)[1].features, test.features)
    with pytest.raises(ValueError, match="fractions"):
        hold_out(data, 1.0)


def test_parts_have_no_published_test_set_of_their_own():
    data = numbered(50, test_samples=15, shape=(1, 1, 1))
    for part in (*split(data), data.rows(np.arange(3))):
        assert (part.test_samples, part.shape) == (0, (1, 1, 1))


def test_images_are_standardised_by_the_training_samples_channel_by_channel():
    random = np.random.default_rng(0)
    scale, shift = np.array([1.0, 5.0, 0.1]), np.array([0.0, 100.0, -3.0])
    values = (random.standard_normal((40, 4, 2, 3)) * scale + shift).astype(np.float32)
    values[..., 0] = 7.0  # a channel without any variation keeps its values
    data = Dataset("images", values.reshape(40, -1), np.zeros(40, np.int32), 2, (4, 2, 3))
    train, test = data.rows(np.arange(30)), data.rows(np.arange(30, 40))
    ours, theirs = standardize_images(train, test)
    assert ours.features.dtype == np.float32
    exact = values[:30].astype(np.float64)
    for part, given in ((ours, values[:30]), (theirs, values[30:])):
        expected = (given - exact.mean((0, 1, 2))) / np.where(exact.std((0, 1, 2)) > 0, exact.std((0, 1, 2)), 1.0)
        expected[..., 0] = 7.0
        np.testing.assert_allclose(part.features.reshape(-1, 4, 2, 3), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(train.features, values[:30].reshape(30, -1))  # what was given is left as it was


def test_what_cannot_be_standardised_together_is_refused():
    data = numbered(10, shape=(1, 1, 1))
    for form in (standardize, standardize_images):
        with pytest.raises(ValueError, match="no training samples"):
            form(data.rows(np.arange(0)), data)
    with pytest.raises(ValueError, match="has 2 features but the training set 'numbered' has 1"):
        standardize(data, data._replace(features=np.zeros((10, 2), np.float32)))
    with pytest.raises(ValueError, match="not \\(rows, columns, channels\\)"):
        standardize_images(numbered(10))


def test_the_bundled_digits_are_images():
    digits = load("digits")
    assert digits.shape == (8, 8, 1)
    (scaled,) = standardize_images(digits)
    assert scaled.features.mean(dtype=np.float64) == pytest.approx(0, abs=1e-6)
    assert scaled.features.std(dtype=np.float64) == pytest.approx(1, rel=1e-6)
    assert load("breast_cancer").shape == ()
