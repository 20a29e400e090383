"""Seeds for NumPy's random generators."""

from typing import Any

import numpy as np


def generator(seed: Any, *stream: int) -> np.random.Generator:
    """NumPy's random generator for a seed.

    Args:
        seed: a whole number, at least 0, of any size.
        stream: further numbers, for draws that are independent of other draws with the same seed.

    Raises:
        ValueError: `seed` is not such a number. (For None, NumPy would draw different numbers at every call.)
    """
    number = isinstance(seed, int | float | np.integer | np.floating) and not isinstance(seed, bool)
    if not number or not seed >= 0 or seed // 1 != seed:
        raise ValueError(f"seed is {seed!r}; give a whole number, at least 0.")
    return np.random.default_rng([int(seed), *stream] if stream else int(seed))
