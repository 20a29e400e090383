"""Checks of users' features and labels, with a message for each kind of input that a classifier cannot use."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float, Int32, Shaped

FAR = 2  # times the number of classes: a single label this far above the others is likely a marker, such as 255
NUMBERED = "`classes, numbers = np.unique(labels, return_inverse=True)` numbers them"


def read_features(features: Any, owner: str) -> Float[np.ndarray, "samples features"]:
    """Return floating features unchanged, and other numbers as float32.

    Args:
        features: one row for each sample.
        owner: the name of the data set, for the messages.

    Raises:
        ValueError: they are not a table of finite real numbers.
    """
    array = _array(features, f"{owner}: the features")
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"{owner}: the features have type {array.dtype}, but they must be real numbers: encode the categories "
            "as numbers, drop everything else, and write .astype(np.float32)."
        )
    if array.ndim != 2:
        way = "features.reshape(len(features), -1)" + (
            f" and shape={(*array.shape[1:], 1)[:3]}" if array.ndim in (3, 4) else ""
        )
        raise ValueError(f"{owner}: the features have shape {array.shape}, not one row for each sample: write {way}.")
    array = array if array.dtype.kind == "f" else array.astype(np.float32)
    # Two passes that need no array of flags. Comparisons with NaN are false.
    if array.size and not (np.isfinite(array.min()) and np.isfinite(array.max())):
        sample, feature = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(
            f"{owner}: feature {feature} of sample {sample} is {array[sample, feature]}: remove or impute missing "
            "values first."
        )
    return array


def read_labels(labels: Any, classes: int, owner: str) -> Int32[np.ndarray, " samples"]:
    """Return labels from 0 to classes - 1 as int32.

    Integers, whole floating numbers, bool, a single column, and one-hot rows with one column for each class are
    accepted.

    Args:
        labels: one for each sample.
        classes: the number of classes.
        owner: the name of the data set, for the messages.

    Raises:
        ValueError: the labels have another form or range.
    """
    array = class_labels(labels, f"{owner}: the labels")
    if array.ndim == 2:
        hot = array.shape[1] == classes and np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()
        if not hot:
            raise ValueError(
                f"{owner}: the labels have shape {array.shape} and are not one-hot rows of {classes} classes: give one "
                "label for each sample, such as np.argmax(labels, axis=1)."
            )
        array = array.argmax(axis=1)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{owner}: the labels are text, and must be numbers: {NUMBERED} from 0.")
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    if low < 0 or high >= classes:
        raise ValueError(f"{owner}: {_misnumbered(array, low, high, classes)}")
    return array.astype(np.int32, copy=False)


def class_labels(labels: Any, what: str) -> Shaped[np.ndarray, "samples *columns"]:
    """Read labels that name classes: integers or text, one for each sample, or one-hot rows.

    Args:
        labels: one for each sample.
        what: their name, for the messages.

    Returns:
        Integers or text, (samples,), or integers, (samples, columns).

    Raises:
        ValueError: they do not name classes.
    """
    array = _array(labels, what)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2):
        raise ValueError(f"{what} have shape {array.shape}: give one label for each sample, (samples,).")
    if array.dtype.kind == "O":
        kinds = {type(label) for label in array.flat}
        if kinds and all(issubclass(kind, str) for kind in kinds):
            array = array.astype(str)
        elif kinds and all(issubclass(kind, int | np.integer | np.bool_) for kind in kinds):
            array = array.astype(np.int64)
    if array.dtype.kind == "b":
        array = array.astype(np.int32)
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            sample = np.argwhere(~np.isfinite(array))[0][0]
            raise ValueError(f"{what} hold NaN or infinity (sample {sample}): remove samples without a label.")
        fractions = np.argwhere(array != np.rint(array))
        if len(fractions):
            where = tuple(fractions[0])
            way = (
                "use the most likely class, np.argmax(labels, axis=1)"
                if array.ndim == 2
                else "number the classes from 0; for a regression write your own loss, with hypergossip.Problem"
            )
            raise ValueError(
                f"{what} hold fractions ({array[where]:g}, sample {where[0]}), but they must name classes: {way}."
            )
        array = array.astype(np.int64)
    if array.dtype.kind in "iu" or (array.dtype.kind in "UST" and array.ndim == 1):
        return array
    raise ValueError(f"{what} have type {array.dtype}, but they must be whole numbers: {NUMBERED} from 0.")


def _misnumbered(labels: np.ndarray, low: int, high: int, classes: int) -> str:
    """Return how labels are misnumbered and what to do, as the end of a sentence."""
    if low == -1 and high == 1 and not (labels == 0).any():
        return "the labels are -1 and 1, and must count the classes from 0: write (labels > 0).astype(int)."
    if low == 1 and high == classes:
        return f"the labels count from 1 to {classes}, and must count the classes from 0: write labels - 1."
    sample = int(np.argmin(labels) if low < 0 else np.argmax(labels))
    if low < 0:
        return (
            f"label {low} (sample {sample}) is below 0, and labels count the classes from 0: remove samples without "
            f"a label; {NUMBERED}."
        )
    if high >= FAR * classes and (labels[labels >= classes] == high).all():
        return (
            f"label {high} (sample {sample}) is far above all others and classes = {classes}: if it marks samples "
            f"without a label, remove these (keep labels < {classes}), or mask them in your own loss; "
            f"if labels have gaps, {NUMBERED}."
        )
    return (
        f"label {high} (sample {sample}) is not below classes = {classes}: give classes = {high + 1}, or number the "
        f"labels from 0 without gaps; {NUMBERED}."
    )


def _array(values: Any, what: str) -> np.ndarray:
    """Convert a user's values to an array without loss of information."""
    if hasattr(values, "todense") and hasattr(values, "shape"):
        way = ".toarray()" if hasattr(values, "toarray") else ".todense()"
        size = math.prod(values.shape) * 4 / 1e6
        filled = f"{size:,.0f}" if size >= 10 else f"{size:.2g}"
        raise ValueError(f"{what} are a sparse matrix: convert it to an array by {way}, which takes {filled} MB.")
    if np.ma.getmaskarray(values).any() if isinstance(values, np.ma.MaskedArray) else False:
        raise ValueError(f"{what} have masked entries, and the mask would be lost: remove or impute them first.")
    try:
        array = np.asarray(values)
    except Exception as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ValueError(f"{what} cannot be read as an array ({reason}): give a NumPy array.") from error
    if array.dtype.kind == "V" and not array.dtype.names:  # floating types that NumPy does not have, such as bfloat16
        array = array.astype(np.float32)
    return array
