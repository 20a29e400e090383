"""Hyper-cleaning of labels that are noisy already, with clean validation samples of one's own."""

import re

import numpy as np
import pytest

from hypergossip.data import Dataset
from hypergossip.problems import corruption, data_cleaning, sample_weights
from hypergossip.problems.cleaning_samples import checked_validation, divide_apart

CLASSES = 4


def named(samples, name="named", first=0, label=np.int32):
    """Every sample has its own number as a feature, which says nothing of its label; a seventh is the test set."""
    numbers = np.arange(first, first + samples)
    features = np.stack([numbers, np.ones(samples), np.zeros(samples)], axis=1).astype(np.float32)
    labels = np.random.default_rng([samples, first]).integers(0, CLASSES, samples)
    return Dataset(name, features, labels.astype(label), CLASSES, test_samples=samples // 7)


def held(problem, level):
    """The features and labels of every agent, (agents, samples, ...)."""
    data = getattr(problem.oracles, f"{level}_data")
    return np.asarray(data["features"]), np.asarray(data["labels"])


def labels_as_given(problem, level, dataset, first=0):
    features, labels = held(problem, level)
    numbers = features[..., 0].astype(int) - first
    np.testing.assert_array_equal(labels, dataset.labels[numbers])
    assert numbers.size == np.unique(numbers).size
    return numbers


@pytest.mark.parametrize("zero", [0.0, 0])
@pytest.mark.parametrize("label", [np.int32, np.int64, np.uint8])
@pytest.mark.parametrize("weights", ["sample", "source"])
def test_with_no_corruption_no_label_is_touched(weights, label, zero):
    mine = named(280, label=label)
    problem = data_cleaning(mine, 3, weights=weights, sources=2, corrupted=zero, batch_size=4)
    numbers = [labels_as_given(problem, level, mine) for level in ("lower", "upper")]
    assert [part.shape for part in numbers] == [(3, 40), (3, 40)]
    assert max(part.max() for part in numbers) < 240  # the published test set is left alone
    assert set(problem.observe) == {"test_accuracy", "test_loss"}
    np.testing.assert_array_equal(sample_weights(problem, np.zeros((3, problem.upper.size))), np.full((3, 40), 0.5))
    with pytest.raises(ValueError, match=r"were not changed \(corrupted=0\).* sample_weights shows"):
        corruption(problem)


@pytest.mark.parametrize("corrupted", [0, 0.4])
@pytest.mark.parametrize("share", ["lower", "both"])
def test_validation_of_ones_own_leaves_all_the_data_to_be_weighed(share, corrupted):
    mine, clean = named(280), named(33, "clean", first=1000)
    problem = data_cleaning(mine, 3, share=share, validation=clean, corrupted=corrupted, batch_size=4)
    assert labels_as_given(problem, "upper", clean, 1000).shape == (3, 11)  # all, whatever its test set
    features, labels = held(problem, "lower")
    numbers = features[..., 0].astype(int)
    assert sorted(numbers.ravel()) == list(range(240))
    assert problem.upper.size == (240 if share == "both" else 80)
    wrong = labels != mine.labels[numbers]
    np.testing.assert_array_equal(wrong.sum(axis=1), round(corrupted * 80))
    assert ("weight_clean" in problem.observe) == bool(corrupted)
    if corrupted:
        np.testing.assert_array_equal(corruption(problem), wrong)


def test_samples_are_of_both_and_dirichlet_of_the_data_alone():
    mine, clean = named(280), named(33, "clean", first=1000)
    options = {"validation": clean, "corrupted": 0, "batch_size": 4}
    few = data_cleaning(mine, 3, samples=(20, 5), **options)
    assert [held(few, level)[1].shape for level in ("lower", "upper")] == [(3, 20), (3, 5)]
    unlike = data_cleaning(mine, 3, dirichlet=0.5, **options)
    counts = np.asarray(unlike.oracles.lower_count)
    assert counts.sum() == 240
    assert len(set(counts)) > 1
    np.testing.assert_array_equal(unlike.oracles.upper_count, 11)


def test_every_sample_goes_to_one_agent():
    training, validation = (np.random.default_rng(0).integers(0, CLASSES, count) for count in (91, 31))
    for dirichlet, samples, counts in ((None, None, (90, 30)), (0.5, None, (91, 30)), (0.5, (20, 4), (60, 12))):
        for part, count in zip(divide_apart(training, validation, 3, samples, dirichlet, 2, 1), counts, strict=True):
            rows = np.concatenate(part)
            assert len(rows) == len(set(rows)) == count
            assert min(map(len, part)) >= 2


CLEAN = named(33, "clean")


def from_one(samples, name="named"):
    data = named(samples, name)
    return data._replace(labels=data.labels + 1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"validation": CLEAN._replace(classes=CLASSES + 1)},
            "validation ('clean') has 3 features and 5 classes, and data ('named') 3 features and 4 classes",
        ),
        (
            {"validation": CLEAN._replace(features=np.ones((33, 2), np.float32))},
            "validation ('clean') has 2 features and 4 classes, and data ('named') 3 features",
        ),
        (
            {"validation": from_one(33, "clean")},
            "Data set 'clean': the labels count from 1 to 4, and must count the classes from 0",
        ),
        ({"data": from_one(280)}, "the labels count from 1 to 4"),
        ({"validation": CLEAN._replace(labels=np.full(33, 0.5))}, "Data set 'clean': the labels hold fractions"),
        (
            {"validation": CLEAN.rows(np.arange(2))},
            "1 validation samples each need 3 samples, but there are 2",
        ),
        ({"validation": CLEAN.rows(np.arange(9))}, "batch_size is 4"),
        ({"samples": (100, 5)}, "3 agents with 100 training samples each need 300 samples, but there are 240"),
        ({"samples": (20, 50)}, "3 agents with 50 validation samples each need 150 samples, but there are 33"),
        ({"samples": (20,)}, "give the numbers of an agent"),
        ({"samples": (3, 5), "dirichlet": 1.0}, "cannot all hold a batch of 4"),
    ],
)
def test_data_and_validation_that_do_not_fit_get_a_sentence(options, sentence):
    with pytest.raises(ValueError, match=re.escape(sentence)):
        data_cleaning(**{"data": named(280), "agents": 3, "validation": CLEAN, "batch_size": 4, **options})


@pytest.mark.parametrize(
    ("given", "named_as"), [("digits", "'digits'"), (np.zeros((3, 2)), "of type ndarray"), ([1], "of type list")]
)
def test_validation_that_is_no_data_set_gets_a_sentence(given, named_as):
    """A name in a configuration file arrives as text."""
    with pytest.raises(ValueError, match=f"validation is {named_as}; give a hypergossip.data.Dataset .* from Python"):
        checked_validation(given, named(280))
