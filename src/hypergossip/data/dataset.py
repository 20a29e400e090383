"""A labelled data set in memory, and functions to split and standardise it."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int32

from hypergossip.data.arrays import read_features, read_labels
from hypergossip.data.seeding import generator
from hypergossip.support.arguments import whole_number


class _Fields(NamedTuple):
    name: str
    features: Float[np.ndarray, "samples features"]
    labels: Int32[np.ndarray, " samples"]
    classes: int
    shape: tuple[int, ...]
    test_samples: int


class Dataset(_Fields):
    """A classification data set.

    Attributes:
        name: the name by which it was loaded; its parts keep it.
        features: one row for each sample, shape (samples, features), in the units of the loader; float32, or the
            floating type that was given.
        labels: shape (samples,), int32, from 0 to classes - 1.
        classes: the number of classes; a part may lack some of them.
        shape: the shape (rows, columns, channels) of a sample that is an image, in the order of its features; ()
            otherwise.
        test_samples: the number of samples at the end that are the published test set; 0 if there is none.
    """

    __slots__ = ()

    def __new__(
        cls,
        name: str,
        features: Any,
        labels: Any,
        classes: int | np.integer,
        shape: Sequence[int] = (),
        test_samples: int | np.integer = 0,
    ) -> "Dataset":
        """Make a data set from a user's arrays.

        Args:
            name: its name.
            features: (samples, features), finite real numbers.
            labels: (samples,), whole numbers from 0 to classes - 1 of any type; or one-hot rows, (samples, classes).
            classes: the number of classes.
            shape: the shape (rows, columns, channels) of a sample that is an image.
            test_samples: the number of samples at the end that are the test set; 0: experiments draw a test set.

        Raises:
            ValueError: the features are not finite numbers, the labels are invalid, or the sizes do not match.
        """
        owner = f"Data set {name!r}"
        for what, number, least in (("classes", classes, 1), ("test_samples", test_samples, 0)):
            whole_number(f"{owner}: {what}", number, least)
        features, labels = read_features(features, owner), read_labels(labels, int(classes), owner)
        if len(features) != len(labels):
            raise ValueError(
                f"{owner} has features of {len(features)} samples and {len(labels)} labels: give one for each sample."
            )
        if shape and math.prod(shape) != features.shape[1]:
            raise ValueError(
                f"{owner} has {features.shape[1]} features for each sample, but images of shape {tuple(shape)} have "
                f"{math.prod(shape)}: give (rows, columns, channels), or () if samples are not images."
            )
        return super().__new__(cls, name, features, labels, int(classes), tuple(shape), int(test_samples))

    def rows(self, indices: Int[np.ndarray, " _"]) -> "Dataset":
        """The samples with these `indices`, without a published test set."""
        return self._replace(features=self.features[indices], labels=self.labels[indices], test_samples=0)


def split(dataset: Dataset, fractions: Sequence[float] = (0.4, 0.4, 0.2), seed: int = 0) -> tuple[Dataset, ...]:
    """Shuffle a data set by a seed, and split it into consecutive parts.

    The default is the training, validation and test split of the hyper-parameter experiment of DIAMOND (Fig. 4).
    The boundaries are the rounded cumulative fractions, so fractions that sum to one use every sample.

    Args:
        dataset: the data set to split.
        fractions: the fraction of each part, positive, with a sum of at most one.
        seed: a whole number, at least 0; equal seeds give equal splits.

    Returns:
        One data set for each fraction, disjoint, in the order of the fractions.

    Raises:
        ValueError: a fraction is not positive, the sum exceeds one, a part would be empty, or the seed is not a whole
            number.
    """
    ends = np.cumsum(np.asarray(fractions, np.float64))
    if not len(fractions) or not min(fractions) > 0 or not ends[-1] <= 1 + 1e-9:
        raise ValueError(
            f"The fractions {tuple(fractions)} are not a valid split: "
            "give positive numbers whose sum is at most 1, such as (0.4, 0.4, 0.2)."
        )
    samples = len(dataset.labels)
    cuts = np.rint(ends * samples).astype(np.int64)
    if np.diff(cuts, prepend=0).min() == 0:
        raise ValueError(
            f"A part of the split {tuple(fractions)} would be empty, since data set {dataset.name!r} has only "
            f"{samples} samples: give larger fractions or more data."
        )
    order = generator(seed).permutation(samples)
    parts = np.split(order, cuts)[: len(cuts)]
    return tuple(map(dataset.rows, parts))


def hold_out(dataset: Dataset, fraction: float = 0.2, seed: int = 0) -> tuple[Dataset, Dataset]:
    """Separate the test samples: the published test set, or a random fraction if none is published.

    Args:
        dataset: the full data set.
        fraction: the fraction to hold out if no test set is published.
        seed: the seed of the random choice; a published test set does not depend on it.

    Returns:
        The rest and the test set. A published test set is separated without copying the features.

    Raises:
        ValueError: the fraction or the published test set leaves one of the two empty.
    """
    count = dataset.test_samples
    if not count:
        rest, test = split(dataset, (1 - fraction, fraction), seed)
        return rest, test
    if count >= len(dataset.labels):
        raise ValueError(
            f"Data set {dataset.name!r} has {len(dataset.labels)} samples and test_samples = {count}: give fewer, or 0 "
            "if there is no published test set."
        )
    whole = dataset._replace(test_samples=0)
    return (
        whole._replace(features=dataset.features[:-count], labels=dataset.labels[:-count]),
        whole._replace(features=dataset.features[-count:], labels=dataset.labels[-count:]),
    )


def standardize(train: Dataset, *others: Dataset) -> tuple[Dataset, ...]:
    """Give every feature zero mean and unit variance over the training samples.

    The same affine map, computed only from the training samples, is applied to all data sets, so that no information
    from a test set leaks into the training. Columns that are constant over the training samples are unchanged.

    Args:
        train: the data set that supplies the means and the standard deviations.
        others: further data sets with the same features, such as a validation and a test set.

    Returns:
        The standardised data sets, the training set first.

    Raises:
        ValueError: the number of features differs between the data sets, or the training set is empty.
    """
    _check_features(train, others)
    # Constant columns are detected by their values, as round-off may make their computed variance positive.
    varies = train.features.min(axis=0) < train.features.max(axis=0)
    mean = np.where(varies, train.features.mean(axis=0, dtype=np.float64), 0.0)
    deviation = np.where(varies, train.features.std(axis=0, dtype=np.float64), 1.0)
    return tuple(
        part._replace(features=((part.features - mean) / deviation).astype(np.float32)) for part in (train, *others)
    )


def standardize_images(train: Dataset, *others: Dataset) -> tuple[Dataset, ...]:
    """Give every channel zero mean and unit variance over all pixels of the training samples.

    Each channel has one mean and one standard deviation, so grey images have one pair. Standardising each pixel, as
    `standardize` does, would amplify pixels at the border that are almost always empty. The statistics are those of the
    training samples, as for `standardize`.

    Args:
        train: the images that supply the means and the standard deviations.
        others: further images of the same shape, such as a validation and a test set.

    Returns:
        The standardised data sets, the training set first.

    Raises:
        ValueError: the samples are not images, the number of features differs between the data sets, or the training
            set is empty.
    """
    _check_features(train, others)
    if len(train.shape) != 3:
        raise ValueError(
            f"Data set {train.name!r} has samples of shape {train.shape}, not (rows, columns, channels): "
            "standardise it by features, or give its shape."
        )
    channels = train.shape[-1]
    pixels = train.features.reshape(-1, channels)
    varies = pixels.min(axis=0) < pixels.max(axis=0)
    mean = pixels.mean(axis=0, dtype=np.float64)
    # A float64 copy of CIFAR-10 would take 1.5 GB, so only the result is as large as the data.
    squares = np.einsum("pc,pc->c", pixels, pixels, dtype=np.float64) / len(pixels)
    deviation = np.sqrt(np.maximum(squares - mean**2, 0.0))
    mean, deviation = (
        np.where(varies, value, neutral).astype(np.float32) for value, neutral in ((mean, 0.0), (deviation, 1.0))
    )

    def scaled(part: Dataset) -> Dataset:
        values = part.features.reshape(-1, channels) - mean
        values /= deviation
        return part._replace(features=values.reshape(part.features.shape))

    return tuple(map(scaled, (train, *others)))


def _check_features(train: Dataset, others: Sequence[Dataset]) -> None:
    """Refuses an empty training set, and data sets whose features are not those of the training set."""
    samples, width = train.features.shape
    if samples == 0:
        raise ValueError(
            f"Data set {train.name!r} has no training samples to compute means and deviations: check the split."
        )
    for other in others:
        if other.features.shape[1] != width:
            raise ValueError(
                f"Data set {other.name!r} has {other.features.shape[1]} features but the training set "
                f"{train.name!r} has {width}: only standardise parts of the same data together."
            )
