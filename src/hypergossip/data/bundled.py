"""The data sets that are part of scikit-learn, which need neither files nor internet access."""

import numpy as np

from hypergossip.data.dataset import Dataset, standardize
from hypergossip.support.extras import require


def load_digits() -> Dataset:
    """Handwritten digits: 1797 samples of 8 x 8 pixels, 10 classes; pixels from 0 to 1 (0..16 divided by 16).

    Source: the test part of "Optical Recognition of Handwritten Digits" (Alpaydin and Kaynak, UCI, 1998), as
    bundled with scikit-learn.
    """
    datasets = require("sklearn.datasets", "data", "The data set digits")
    pixels, labels = map(np.asarray, datasets.load_digits(return_X_y=True))
    return Dataset("digits", (pixels / 16).astype(np.float32), labels.astype(np.int32), 10, shape=(8, 8, 1))


def load_breast_cancer() -> Dataset:
    """Breast cancer diagnoses: 569 samples of 30 features, 2 classes (0 malignant, 1 benign).

    Each feature has zero mean and unit variance over all 569 samples. To use only the statistics of the
    training part, apply `standardize` after `split`; the result is the same as from the unscaled features.

    Source: "Breast Cancer Wisconsin (Diagnostic)" (Wolberg, Mangasarian, Street and Street, UCI, 1993), as bundled
    with scikit-learn.
    """
    datasets = require("sklearn.datasets", "data", "The data set breast_cancer")
    features, labels = map(np.asarray, datasets.load_breast_cancer(return_X_y=True))
    return standardize(Dataset("breast_cancer", features.astype(np.float32), labels.astype(np.int32), 2))[0]
