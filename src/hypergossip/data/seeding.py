"""Seeds for NumPy's random generators."""

from typing import Any

import numpy as np

from hypergossip.support.arguments import whole_number


def generator(seed: Any, *stream: int) -> np.random.Generator:
    """NumPy's random generator for a seed.

    Args:
        seed: a whole number, at least 0, of any size.
        stream: further numbers, for draws that are independent of other draws with the same seed.

    Raises:
        ValueError: `seed` is not such a number. (For None, NumPy would draw different numbers at every call.)
    """
    number = whole_number("seed", seed, 0)
    return np.random.default_rng([number, *stream] if stream else number)
