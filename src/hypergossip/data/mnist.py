"""MNIST, the handwritten digits of DIAMOND's meta-learning experiments (Fig. 1 to 3)."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hypergossip.data.dataset import Dataset
from hypergossip.data.sources import Source, obtain, read_checked

# The original site no longer serves the files. The PyTorch project hosts this identical copy.
_MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist"


class _Part(NamedTuple):
    name: str
    packed_sha256: str
    content_sha256: str
    header_bytes: int


_IMAGES = (
    _Part(
        "train-images-idx3-ubyte",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        16,
    ),
    _Part(
        "t10k-images-idx3-ubyte",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        16,
    ),
)
_LABELS = (
    _Part(
        "train-labels-idx1-ubyte",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        8,
    ),
    _Part(
        "t10k-labels-idx1-ubyte",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        8,
    ),
)


def load_mnist(data_dir: Path | None = None) -> Dataset:
    """Handwritten digits: 70000 samples of 28 x 28 pixels, 10 classes; pixels from 0 to 1.

    The pixels are the original 0..255 divided by 255. The first 60000 samples are the published training set, and the
    last 10000 are the published test set. A row of the features holds an image row by row.

    Source: LeCun, Cortes and Burges; LeCun et al., "Gradient-based learning applied to document recognition" (1998).
    The files are the four `...-ubyte`, plain or compressed as `.gz`, in a folder `mnist` or without one.

    Args:
        data_dir: the folder to look in first.

    Raises:
        DataUnavailable: no location has an intact copy of the files.
    """
    images, labels = (
        np.concatenate([np.frombuffer(_content(part, data_dir), np.uint8, offset=part.header_bytes) for part in parts])
        for parts in (_IMAGES, _LABELS)
    )
    features = np.divide(images.reshape(len(labels), -1), 255, dtype=np.float32)
    return Dataset("mnist", features, labels.astype(np.int32), 10, shape=(28, 28, 1), test_samples=10000)


def _content(part: _Part, data_dir: Path | None) -> bytes:
    packed = f"{part.name}.gz"
    source = Source("mnist", (packed, part.name), "mnist", f"{_MIRROR}/{packed}", part.packed_sha256)
    return obtain(source, partial(read_checked, sha256=part.content_sha256), data_dir)
