"""A labelled data set in memory, its split into parts, and its standardisation."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int32

from hypergossip.data.arrays import read_features, read_labels
from hypergossip.data.seeding import generator


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
        features: one row a sample, shape (samples, features), in the units that the loader states; float32, or whatever
            floating type was given.
        labels: shape (samples,), int32, from 0 to classes - 1.
        classes: how many classes there are; a part may lack some of them.
        shape: of a sample that is an image, (rows, columns, channels), the order in which its features lie; () where
            they have no such arrangement.
        test_samples: how many samples, the last ones, are the published test set; 0 where there is none.
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
        """Make a data set of what a user has.

        Args:
            name: how to call it.
            features: (samples, features), finite real numbers.
            labels: (samples,), whole numbers from 0 to classes - 1 of whatever type; or one-hot rows, (samples,
                classes).
            classes: how many classes there are.
            shape: of a sample that is an image, (rows, columns, channels).
            test_samples: how many samples, the last ones, are the test set; 0: it is drawn by those who need one.

        Raises:
            ValueError: the features are no finite numbers, the labels are others, or the sizes do not fit.
        """
        owner = f"Data set {name!r}"
        for what, number, least in (("classes", classes, 1), ("test_samples", test_samples, 0)):
            if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < least:
                raise ValueError(f"{owner}: {what} is {number!r}; give a whole number, at least {least}.")
        features, labels = read_features(features, owner), read_labels(labels, int(classes), owner)
        if len(features) != len(labels):
            raise ValueError(
                f"{owner} has features of {len(features)} samples and labels of {len(labels)}: give one label a sample."
            )
        if shape and math.prod(shape) != features.shape[1]:
            raise ValueError(
                f"{owner} has {features.shape[1]} features a sample, and images of shape {tuple(shape)} have "
                f"{math.prod(shape)}: give (rows, columns, channels), or () where samples are no images."
            )
        return super().__new__(cls, name, features, labels, int(classes), tuple(shape), int(test_samples))

    def _replace(self, /, **changes: Any) -> "Dataset":
        """The data set with other fields, looked at as those of a new one are."""
        return Dataset(**(self._asdict() | changes))

    def rows(self, indices: Int[np.ndarray, " _"]) -> "Dataset":
        """The samples of these `indices`, without a published test set of their own."""
        return self._replace(features=self.features[indices], labels=self.labels[indices], test_samples=0)


def split(dataset: Dataset, fractions: Sequence[float] = (0.4, 0.4, 0.2), seed: int = 0) -> tuple[Dataset, ...]:
    """Shuffle a data set by a seed, then cut it into consecutive parts.

    The default is the training, validation and test split of the hyper-parameter experiment of DIAMOND (Fig. 4).
    The cuts lie at the rounded cumulative fractions, so that fractions which sum to one use every sample.

    Args:
        dataset: what to split.
        fractions: the share of each part, positive, with a sum of at most one.
        seed: a whole number, at least 0; equal seeds give equal splits.

    Returns:
        One data set a fraction, disjoint, in the order of the fractions.

    Raises:
        ValueError: a fraction is not positive, the sum exceeds one, a part would be empty, or the seed is no whole
            number.
    """
    ends = np.cumsum(np.asarray(fractions, np.float64))
    if not len(fractions) or not min(fractions) > 0 or not ends[-1] <= 1 + 1e-9:
        raise ValueError(
            f"The fractions {tuple(fractions)} cannot be cut from one data set: "
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
    """Separate the test samples: the published test set, or a random share where none is published.

    Args:
        dataset: the whole of it.
        fraction: the share to hold out where no test set is published.
        seed: of that choice; a published test set does not depend on it.

    Returns:
        The rest and the test set. A published one is cut off without copying the features.

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
            "where there is no published test set."
        )
    whole = dataset._replace(test_samples=0)
    return (
        whole._replace(features=dataset.features[:-count], labels=dataset.labels[:-count]),
        whole._replace(features=dataset.features[-count:], labels=dataset.labels[-count:]),
    )


def standardize(train: Dataset, *others: Dataset) -> tuple[Dataset, ...]:
    """Give every feature zero mean and unit variance over the training samples.

    The same affine map, made from the training samples alone, is applied to all the data sets, so that nothing of a
    test set leaks into the training. Columns that are constant over the training samples are left as they are.

    Args:
        train: the data set that supplies the means and the standard deviations.
        others: further data sets with the same features, such as a validation and a test set.

    Returns:
        The standardised data sets, the training set first.

    Raises:
        ValueError: a data set has another number of features than the training set, or the training set is empty.
    """
    _check_alike(train, others)
    # Constancy is decided on the stored values: the computed variance of a constant column may be a round-off above 0.
    varies = train.features.min(axis=0) < train.features.max(axis=0)
    mean = np.where(varies, train.features.mean(axis=0, dtype=np.float64), 0.0)
    deviation = np.where(varies, train.features.std(axis=0, dtype=np.float64), 1.0)
    return tuple(
        part._replace(features=((part.features - mean) / deviation).astype(np.float32)) for part in (train, *others)
    )


def standardize_images(train: Dataset, *others: Dataset) -> tuple[Dataset, ...]:
    """Give every channel zero mean and unit variance over all pixels of the training samples.

    One mean and one deviation a channel, so one pair for grey images: pixel by pixel, as `standardize` has it, those at
    the rim that are hardly ever inked would be blown up. As there, the statistics are those of the training samples.

    Args:
        train: the images that supply the means and the standard deviations.
        others: further images of the same shape, such as a validation and a test set.

    Returns:
        The standardised data sets, the training set first.

    Raises:
        ValueError: the samples are not images, a data set has another number of features than the training set, or the
            training set is empty.
    """
    _check_alike(train, others)
    if len(train.shape) != 3:
        raise ValueError(
            f"Data set {train.name!r} has samples of shape {train.shape}, not (rows, columns, channels): "
            "standardise it by features, or give its shape."
        )
    channels = train.shape[-1]
    pixels = train.features.reshape(-1, channels)
    varies = pixels.min(axis=0) < pixels.max(axis=0)
    mean = pixels.mean(axis=0, dtype=np.float64)
    # Of the whole CIFAR-10 a copy in float64 would fill 1.5 GB, so nothing here is as large as the data but the result.
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


def _check_alike(train: Dataset, others: Sequence[Dataset]) -> None:
    """Refuses an empty training set, and data sets whose features are not those of the training set."""
    samples, width = train.features.shape
    if samples == 0:
        raise ValueError(
            f"Data set {train.name!r} has no training samples to take means and deviations from: check the split."
        )
    for other in others:
        if other.features.shape[1] != width:
            raise ValueError(
                f"Data set {other.name!r} has {other.features.shape[1]} features but the training set "
                f"{train.name!r} has {width}: standardise together only parts of the same data."
            )
