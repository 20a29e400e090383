"""The data sets by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hypergossip.data.a9a import load_a9a
from hypergossip.data.bundled import load_breast_cancer, load_digits
from hypergossip.data.cifar10 import load_cifar10
from hypergossip.data.dataset import Dataset
from hypergossip.data.mnist import load_mnist


class _Entry(NamedTuple):
    description: str
    read: Callable[[Path | None], Dataset]


_ENTRIES = {
    "digits": _Entry("8 x 8 handwritten digits, 1797 samples, 10 classes; bundled", lambda _: load_digits()),
    "breast_cancer": _Entry("tumour diagnoses, 569 samples of 30, 2 classes; bundled", lambda _: load_breast_cancer()),
    "a9a": _Entry("census income, 48842 samples of 123 binary features, 2 classes; 3.5 MB file", load_a9a),
    "mnist": _Entry("28 x 28 handwritten digits, 70000 samples, 10 classes; 12 MB file", load_mnist),
    "cifar10": _Entry("32 x 32 colour photographs, 60000 samples, 10 classes; 170 MB file", load_cifar10),
}


def names() -> dict[str, str]:
    """The names that `load` knows, each with a description of one line."""
    return {name: entry.description for name, entry in _ENTRIES.items()}


def load(name: str, data_dir: Path | str | None = None) -> Dataset:
    """Load a real data set.

    "digits" and "breast_cancer" are part of scikit-learn. The others are read from the first of these locations that
    has an intact copy: `data_dir`, the cache ($XDG_CACHE_HOME/hypergossip, or ~/.cache/hypergossip), the folder named
    by $HYPERGOSSIP_DATA, or a download into the cache. Only content with the known SHA-256 is used.

    Args:
        name: one of `names()`.
        data_dir: a folder to look in before all others, for the data sets in files.

    Returns:
        The full data set, features of shape (samples, features), in the order of its source.

    Raises:
        ValueError: there is no data set of this name.
        DataUnavailable: no location has the files, or those in `data_dir` are damaged.
    """
    if name not in _ENTRIES:
        raise ValueError(f"There is no data set {name!r}: choose one of {', '.join(_ENTRIES)}.")
    return _ENTRIES[name].read(None if data_dir is None else Path(data_dir).expanduser())


def read(data: Any, data_dir: Path | str | None = None) -> Dataset:
    """Load a data set by its name, or check and return a given one.

    Args:
        data: one of `names()`, or a `Dataset`.
        data_dir: as for `load`.

    Raises:
        ValueError: it is neither, or there is no data set of this name.
        DataUnavailable: as for `load`.
    """
    if isinstance(data, Dataset):
        return Dataset(*data)  # also checks fields set by `_replace`
    if not isinstance(data, str):
        raise ValueError(
            f"data is of type {type(data).__name__}: give one of the names {', '.join(_ENTRIES)}, or your own as "
            "hypergossip.data.Dataset(name, features, labels, classes)."
        )
    return load(data, data_dir)
