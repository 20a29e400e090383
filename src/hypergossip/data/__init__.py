"""Real data sets, and the ways in which a network of agents divides them.

Everything here is NumPy: nothing needs JAX, and scikit-learn is imported only by the loader that uses it.
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
