"""What users give as features and labels, checked: one sentence for each thing that a classifier cannot use."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float, Int32, Shaped

FAR = 2  # times the number of classes: a single value so far above the others is likely a mark, as 255 is
NUMBERED = "`classes, numbers = np.unique(labels, return_inverse=True)` numbers them"


def read_features(features: Any, owner: str) -> Float[np.ndarray, "samples features"]:
    """Take features as they are where they are floating, and as float32 where they are others.

    Args:
        features: one row a sample.
        owner: what they belong to, for the messages.

    Raises:
        ValueError: they are no table of finite real numbers.
    """
    array = _array(features, f"{owner}: the features")
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"{owner}: the features have type {array.dtype}, and must be real numbers: number the categories, "
            "leave out what is no number, and write .astype(np.float32)."
        )
    if array.ndim != 2:
        way = "features.reshape(len(features), -1)" + (
            f" and shape={(*array.shape[1:], 1)[:3]}" if array.ndim in (3, 4) else ""
        )
        raise ValueError(f"{owner}: the features have shape {array.shape}, not one row a sample: write {way}.")
    array = array if array.dtype.kind == "f" else array.astype(np.float32)
    # Two passes without an array of flags; and no comparison with NaN is true.
    if array.size and not (np.isfinite(array.min()) and np.isfinite(array.max())):
        sample, feature = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(
            f"{owner}: feature {feature} of sample {sample} is {array[sample, feature]}: remove or impute what is "
            "missing first."
        )
    return array


def read_labels(labels: Any, classes: int, owner: str) -> Int32[np.ndarray, " samples"]:
    """Number labels from 0 to classes - 1, where they are that already in another form.

    Whole numbers, floating ones among them, bool, a single column, and one-hot rows of a column a class are taken.

    Args:
        labels: one a sample.
        classes: how many classes there are.
        owner: what they belong to, for the messages.

    Raises:
        ValueError: they are others.
    """
    array = class_labels(labels, f"{owner}: the labels")
    if array.ndim == 2:
        hot = array.shape[1] == classes and np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()
        if not hot:
            raise ValueError(
                f"{owner}: the labels have shape {array.shape} and are not one-hot rows of {classes} classes: give one "
                "label a sample, such as np.argmax(labels, axis=1)."
            )
        array = array.argmax(axis=1)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{owner}: the labels are text, and must be numbers: {NUMBERED} from 0.")
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    if low < 0 or high >= classes:
        raise ValueError(f"{owner}: {_misnumbered(array, low, high, classes)}")
    return array.astype(np.int32, copy=False)


def class_labels(labels: Any, what: str) -> Shaped[np.ndarray, "samples *columns"]:
    """Take labels that name classes: whole numbers or text, one a sample or one-hot rows.

    Args:
        labels: one a sample.
        what: what they are called, for the messages.

    Returns:
        Whole numbers or text, (samples,), or whole numbers (samples, columns).

    Raises:
        ValueError: they name no classes.
    """
    array = _array(labels, what)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2):
        raise ValueError(f"{what} have shape {array.shape}: give one label a sample, (samples,).")
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
            raise ValueError(f"{what} hold NaN or infinity (sample {sample}): leave out samples without a label.")
        fractions = np.argwhere(array != np.rint(array))
        if len(fractions):
            where = tuple(fractions[0])
            way = (
                "take the likeliest class, np.argmax(labels, axis=1)"
                if array.ndim == 2
                else "number the classes from 0; for a regression write a loss of your own, with hypergossip.Problem"
            )
            raise ValueError(
                f"{what} hold fractions ({array[where]:g}, sample {where[0]}), and must name classes: {way}."
            )
        array = array.astype(np.int64)
    if array.dtype.kind in "iu" or (array.dtype.kind in "UST" and array.ndim == 1):
        return array
    raise ValueError(f"{what} have type {array.dtype}, and must be whole numbers: {NUMBERED} from 0.")


def _misnumbered(labels: np.ndarray, low: int, high: int, classes: int) -> str:
    """Say how labels are numbered, and what to do."""
    if low == -1 and high == 1 and not (labels == 0).any():
        return "the labels are -1 and 1, and must count the classes from 0: write (labels > 0).astype(int)."
    if low == 1 and high == classes:
        return f"the labels count from 1 to {classes}, and must count the classes from 0: write labels - 1."
    sample = int(np.argmin(labels) if low < 0 else np.argmax(labels))
    if low < 0:
        return (
            f"label {low} (sample {sample}) is below 0, and labels count the classes from 0: leave out samples without "
            f"a label; {NUMBERED}."
        )
    if high >= FAR * classes and (labels[labels >= classes] == high).all():
        return (
            f"label {high} (sample {sample}) is far above all others and classes = {classes}: if it marks samples "
            f"without a label, leave these out (keep labels < {classes}), or mask them in a loss of your own; "
            f"if labels have gaps, {NUMBERED}."
        )
    return (
        f"label {high} (sample {sample}) is not below classes = {classes}: give classes = {high + 1}, or number the "
        f"labels from 0 without gaps; {NUMBERED}."
    )


def _array(values: Any, what: str) -> np.ndarray:
    """Make an array of what a user gave, without losing anything."""
    if hasattr(values, "todense") and hasattr(values, "shape"):
        way = ".toarray()" if hasattr(values, "toarray") else ".todense()"
        size = math.prod(values.shape) * 4 / 1e6
        filled = f"{size:,.0f}" if size >= 10 else f"{size:.2g}"
        raise ValueError(f"{what} are a sparse matrix: make it an array by {way}, which will fill {filled} MB.")
    if np.ma.getmaskarray(values).any() if isinstance(values, np.ma.MaskedArray) else False:
        raise ValueError(f"{what} have masked entries, and the mask would be lost: remove or impute them first.")
    try:
        array = np.asarray(values)
    except Exception as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ValueError(f"{what} cannot be read as an array ({reason}): give a NumPy array.") from error
    if array.dtype.kind == "V" and not array.dtype.names:  # floating types that NumPy does not know, such as bfloat16
        array = array.astype(np.float32)
    return array
