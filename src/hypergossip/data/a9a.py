"""a9a, the census-income data of DIAMOND's hyper-parameter experiment (Fig. 4), and a reader of its text format."""

from codecs import BOM_UTF8
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from hypergossip.data.dataset import Dataset
from hypergossip.data.sources import Source, obtain, read_checked

_FEATURES = 123
_PAGE = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/binary"
# The page serves plain text, so its checksums also apply to the content of compressed copies.
_TRAIN = Source(
    "a9a",
    ("a9a.gz", "a9a"),
    "",
    f"{_PAGE}/a9a",
    "f5d5ffd8d865ff41328e7ee043e4b020816914ff6843ff15b98905ddbedce906",
)
_TEST = Source(
    "a9a",
    ("a9a.t.gz", "a9a.t"),
    "",
    f"{_PAGE}/a9a.t",
    "1f448a153f0320399a7e40836eb207655b0bde0f21fc941cc472193daa9f5de9",
)


def load_a9a(data_dir: Path | None = None) -> Dataset:
    """Census income in 123 binary features: 48842 samples, label 1 if the income exceeds 50000 dollars a year.

    The published training file (32561 samples) and test file (16281) are pooled, in this order.

    Source: "Adult" (Kohavi, UCI, 1996) in the binary encoding of Platt (1998), from the LIBSVM data page (Chang and
    Lin). The files are `a9a` and `a9a.t`, plain or compressed as `.gz`.

    Args:
        data_dir: the folder to look in first.

    Raises:
        DataUnavailable: no location has an intact copy of the files.
    """
    parts = [
        parse_libsvm(obtain(source, partial(read_checked, sha256=source.sha256), data_dir), _FEATURES)
        for source in (_TRAIN, _TEST)
    ]
    features = np.concatenate([features for features, _ in parts])
    labels = np.concatenate([labels for _, labels in parts])
    return Dataset("a9a", features, (labels > 0).astype(np.int32), 2, test_samples=len(parts[1][1]))


def parse_libsvm(
    text: bytes, features: int
) -> tuple[Float32[np.ndarray, "samples {features}"], Float64[np.ndarray, " samples"]]:
    """Read the LIBSVM text format, with one sample on each line as `label index:value index:value ...`.

    Args:
        text: the whole file, with or without a UTF-8 byte order mark; every line ends in a line feed, indices count
            from 1 and absent features are 0.
        features: the width of the result, which the text need not determine.

    Returns:
        The dense features, shape (samples, features), and the labels as written, shape (samples,).

    Raises:
        ValueError: the text is not in this format, or an index lies outside 1 to `features`.
    """
    text = text.removeprefix(BOM_UTF8)
    numbers = np.array(text.replace(b":", b" ").split(), dtype=np.float64)
    characters = np.frombuffer(text, np.uint8)
    line_ends = np.flatnonzero(characters == ord("\n"))
    pairs = np.diff(np.searchsorted(np.flatnonzero(characters == ord(":")), line_ends), prepend=0)
    if len(numbers) != len(pairs) + 2 * pairs.sum():
        raise ValueError(
            "The text is not in the LIBSVM format: it needs one label and then pairs index:value on every line, "
            "and every line must end in a line feed."
        )
    lengths = 1 + 2 * pairs
    label_positions = np.cumsum(lengths) - lengths
    stored = np.delete(numbers, label_positions).reshape(-1, 2)
    columns = stored[:, 0].astype(np.int64) - 1
    if len(columns) and (columns.min() < 0 or columns.max() >= features):
        raise ValueError(
            f"The text has the feature index {columns.max() + 1 if columns.max() >= features else columns.min() + 1}, "
            f"outside 1 to {features}: give the width of the data set, and check that indices count from 1."
        )
    dense = np.zeros((len(pairs), features), np.float32)
    dense[np.repeat(np.arange(len(pairs)), pairs), columns] = stored[:, 1]
    return dense, numbers[label_positions]
