"""Real data sets, and their partition among the agents of a network.

This package uses only NumPy and does not need JAX. Only the loader that uses scikit-learn imports it.
"""

from hypergossip.data.catalogue import load, names
from hypergossip.data.dataset import Dataset, hold_out, split, standardize, standardize_images
from hypergossip.data.partition import partition
from hypergossip.data.sources import DataUnavailable

__all__ = [
    "DataUnavailable",
    "Dataset",
    "hold_out",
    "load",
    "names",
    "partition",
    "split",
    "standardize",
    "standardize_images",
]
