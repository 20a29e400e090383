"""a9a, the census-income data of DIAMOND's hyperparameter experiment (Fig. 4)."""

from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np

from hypergossip.data.dataset import Dataset
from hypergossip.data.sources import Source, obtain, read_checked
from hypergossip.support.extras import require

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
    datasets = require("sklearn.datasets", "data", "The data set a9a")
    read = partial(datasets.load_svmlight_file, n_features=_FEATURES, dtype=np.float32, zero_based=False)
    contents = [obtain(source, partial(read_checked, sha256=source.sha256), data_dir) for source in (_TRAIN, _TEST)]
    parts = [read(BytesIO(content)) for content in contents]
    features = np.concatenate([features.toarray() for features, _ in parts])
    labels = np.concatenate([labels for _, labels in parts])
    return Dataset("a9a", features, (labels > 0).astype(np.int32), 2, test_samples=len(parts[1][1]))
