"""Labels and features that users bring: each form is numbered rightly, or refused with what to do."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from hypergossip.data import Dataset, hold_out, partition
from hypergossip.data.catalogue import read
from hypergossip.problems import hyperparameter

N, CLASSES = 12, 3
NUMBERS = np.arange(N) % CLASSES
FEATURES = np.random.default_rng(0).standard_normal((N, 4)).astype(np.float32)
WORDS = np.array(["ant", "bee", "cat"])[NUMBERS]


def of(labels, classes=CLASSES, features=FEATURES, **more):
    return Dataset("mine", features, labels, classes, **more)


SAME = {
    "int64": NUMBERS,
    "uint8": NUMBERS.astype(np.uint8),
    "floating": NUMBERS.astype(float),
    "a column": NUMBERS[:, None],
    "one-hot": np.eye(CLASSES)[NUMBERS],
    "one-hot bool": np.eye(CLASSES, dtype=bool)[NUMBERS],
    "a list": NUMBERS.tolist(),
    "objects": NUMBERS.astype(object),
    "a series": pd.Series(NUMBERS),
    "categories": pd.Series(NUMBERS).astype("category"),
    "nothing masked": np.ma.array(NUMBERS, mask=False),
}


@pytest.mark.parametrize("form", SAME)
def test_labels_of_all_forms_are_numbered(form):
    data = of(SAME[form])
    assert data.labels.dtype == np.int32
    np.testing.assert_array_equal(data.labels, NUMBERS)
    for one, other in zip(partition(data.labels, 3, 1, 0.5), partition(NUMBERS, 3, 1, 0.5), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_problem_of_one_hot_labels_is_that_of_their_numbers():
    random = np.random.default_rng(1)
    features, labels = random.standard_normal((60, 4)).astype(np.float32), random.integers(0, 3, 60)
    one, other = (
        hyperparameter(of(given, 3, features), 3, batch_size=None, dirichlet=1.0)
        for given in (labels, np.eye(3)[labels])
    )
    for level in ("upper_data", "lower_data"):
        mine, theirs = getattr(one.oracles, level), getattr(other.oracles, level)
        np.testing.assert_array_equal(mine["labels"], theirs["labels"])
        np.testing.assert_array_equal(mine["features"], theirs["features"])


HALF, MISSING, SOFT = NUMBERS + 0.5 * (NUMBERS > 1), NUMBERS.astype(float), np.full((N, CLASSES), 1 / CLASSES)
MISSING[5] = np.nan
WRONG = {
    "signs": (lambda: of(2 * (NUMBERS > 0) - 1, 2), ["-1 and 1", "(labels > 0).astype(int)"]),
    "floating signs": (lambda: of(2.0 * (NUMBERS > 0) - 1, 2), ["-1 and 1", "(labels > 0).astype(int)"]),
    "from one": (lambda: of(NUMBERS + 1), ["from 1 to 3", "labels - 1"]),
    "too few classes": (lambda: of(NUMBERS, 2), ["label 2 (sample 2)", "classes = 2", "classes = 3"]),
    "gaps": (lambda: of(10 * NUMBERS), ["label 20 (sample 2)", "np.unique"]),
    "far too few classes": (lambda: of(np.arange(N), 2), ["label 11 (sample 11)", "give classes = 12"]),
    "a mark of what has no label": (
        lambda: of(np.where(NUMBERS == 1, 255, NUMBERS), 21),
        ["label 255 (sample 1)", "classes = 21", "remove these", "labels < 21", "mask"],
    ),
    "negative": (lambda: of(NUMBERS - 2), ["label -2 (sample 0)", "below 0"]),
    "fractions": (lambda: of(HALF), ["fractions (2.5, sample 2)", "hypergossip.Problem"]),
    "NaN": (lambda: of(MISSING), ["NaN", "sample 5", "remove"]),
    "probabilities": (lambda: of(SOFT), ["fractions (0.333333, sample 0)", "np.argmax(labels, axis=1)"]),
    "one-hot of fewer classes": (lambda: of(np.eye(3)[NUMBERS], 4), ["(12, 3)", "4 classes", "np.argmax"]),
    "counts": (lambda: of(np.ones((N, CLASSES), int)), ["one-hot rows of 3 classes", "np.argmax"]),
    "text": (lambda: of(WORDS), ["text", "np.unique(labels, return_inverse=True)"]),
    "text as objects": (lambda: of(WORDS.astype(object)), ["text", "np.unique"]),
    "bytes": (lambda: of(WORDS.astype(bytes)), ["text", "np.unique"]),
    "objects and text": (lambda: of(np.array([0, "a", None] * 4, object)), ["type object", "np.unique"]),
    "complex": (lambda: of(NUMBERS * 1j), ["type complex128", "whole numbers"]),
    "dates": (lambda: of(NUMBERS.astype("datetime64[D]")), ["type datetime64[D]", "np.unique"]),
    "masked": (lambda: of(np.ma.masked_equal(NUMBERS, 2)), ["masked entries"]),
    "sparse": (lambda: of(scipy.sparse.csr_array(np.eye(3)[NUMBERS])), ["labels are a sparse matrix", ".toarray()"]),
    "a number": (lambda: of(3), ["shape ()", "one label for each sample"]),
    "fewer labels": (lambda: of(NUMBERS[:-1]), ["12 samples", "11 labels"]),
    "no classes": (lambda: of(NUMBERS, 0), ["classes is 0", "at least 1"]),
    "features with NaN": (
        lambda: of(NUMBERS, features=np.where(np.arange(48).reshape(N, 4) == 9, np.nan, FEATURES)),
        ["feature 1 of sample 2 is nan", "impute"],
    ),
    "text features": (lambda: of(NUMBERS, features=WORDS[:, None]), ["features have type <U3", "categories"]),
    "sparse features": (
        lambda: of(NUMBERS, features=scipy.sparse.csr_matrix(FEATURES)),
        ["features are a sparse matrix", ".toarray()", "0.00019 MB"],
    ),
    "images": (
        lambda: of(NUMBERS, features=np.zeros((N, 2, 2))),
        ["(12, 2, 2)", "features.reshape(len(features), -1)", "shape=(2, 2, 1)"],
    ),
    "one feature": (lambda: of(NUMBERS, features=FEATURES[:, 0]), ["(12,)", "reshape(len(features), -1)"]),
    "another shape": (lambda: of(NUMBERS, shape=(3, 3, 1)), ["4 features", "(3, 3, 1)", "have 9"]),
    "nothing but test samples": (lambda: hold_out(of(NUMBERS, test_samples=N)), ["12 samples", "test_samples = 12"]),
    "arrays for a data set": (lambda: read((FEATURES, NUMBERS)), ["tuple", "digits", "hypergossip.data.Dataset("]),
}
SHARES = {
    "NaN to divide": (MISSING, ["labels hold NaN", "sample 5"]),
    "fractions to divide": (HALF, ["fractions (2.5, sample 2)"]),
    "one-hot rows to divide": (np.eye(3)[NUMBERS], ["shape (12, 3)", "np.argmax(labels, axis=1)"]),
}
WRONG |= {name: (lambda labels=labels: partition(labels, 3, 0, 0.5), words) for name, (labels, words) in SHARES.items()}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_label_or_feature_is_told_what_to_be(name):
    call, words = WRONG[name]
    with pytest.raises(ValueError) as error:
        call()
    text = str(error.value)
    assert all(word in text for word in words), text
    assert len(text) < 300, text
    assert "\n" not in text
    assert text.endswith("."), text


@pytest.mark.parametrize("labels", [WORDS, WORDS.astype(object), 2 * NUMBERS - 1, (10.0 * NUMBERS)[:, None]])
def test_a_partition_needs_only_to_tell_classes_apart(labels):
    """The draw is class by class in their order, which these labels share with the numbers."""
    for one, other in zip(partition(labels, 3, 5, 0.3), partition(NUMBERS, 3, 5, 0.3), strict=True):
        np.testing.assert_array_equal(one, other)


def test_features_are_floating_and_otherwise_as_they_were_and_bool_labels_are_two_classes():
    for given, kind in ((np.uint8, np.float32), (bool, np.float32), (np.int64, np.float32), (np.float16, np.float16)):
        values = (FEATURES > 0).astype(given)
        seen = of(NUMBERS, features=values).features
        assert seen.dtype == kind
        np.testing.assert_array_equal(seen, values)
    np.testing.assert_array_equal(of(NUMBERS > 0, 2).labels, NUMBERS > 0)
    for values in (FEATURES, FEATURES.astype(float)):
        assert of(NUMBERS, features=values).features is values
    np.testing.assert_array_equal(of(NUMBERS, features=pd.DataFrame(FEATURES)).features, FEATURES)


def test_a_data_set_is_still_its_fields():
    data = of(NUMBERS, shape=[2, 2, 1], test_samples=2)
    assert data._fields == ("name", "features", "labels", "classes", "shape", "test_samples")
    assert (data.shape, data.rows(np.arange(3)).test_samples) == ((2, 2, 1), 0)
    again = pickle.loads(pickle.dumps(data))
    assert type(again) is type(data._replace(name="other")) is Dataset
    np.testing.assert_array_equal(again.features, data.features)
