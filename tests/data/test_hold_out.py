"""The held-out samples, published or drawn, and images standardised by channel."""

import numpy as np
import pytest

from hypergossip.data import Dataset, hold_out, load, split, standardize, standardize_images


def numbered(samples: int, **more: object) -> Dataset:
    numbers = np.arange(samples, dtype=np.float32)[:, None]
    return Dataset("numbers", numbers, np.zeros(samples, np.int32), 2, **more)


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
    with pytest.raises(ValueError, match="no training samples"):
        standardize_images(data.rows(np.arange(0)), data)
    with pytest.raises(ValueError, match="has 2"):
        standardize(data._replace(features=np.zeros((10, 2), np.float32)), data)
    with pytest.raises(ValueError, match="not \\(rows, columns, channels\\)"):
        standardize_images(numbered(10))


def test_the_bundled_digits_are_images():
    digits = load("digits")
    assert digits.shape == (8, 8, 1)
    (scaled,) = standardize_images(digits)
    assert scaled.features.mean(dtype=np.float64) == pytest.approx(0, abs=1e-6)
    assert scaled.features.std(dtype=np.float64) == pytest.approx(1, rel=1e-6)
    assert load("breast_cancer").shape == ()
