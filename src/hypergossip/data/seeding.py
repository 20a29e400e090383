"""Seeds of what NumPy draws."""

from typing import Any

import numpy as np


def generator(seed: Any, *stream: int) -> np.random.Generator:
    """NumPy's generator of a seed.

    Args:
        seed: a whole number, at least 0, as large as you like.
        stream: further numbers, for draws that are independent of others of the same seed.

    Raises:
        ValueError: `seed` is something else. (NumPy would draw other numbers at every call for None.)
    """
    number = isinstance(seed, int | float | np.integer | np.floating) and not isinstance(seed, bool)
    if not number or not seed >= 0 or seed // 1 != seed:
        raise ValueError(f"seed is {seed!r}; give a whole number, at least 0.")
    return np.random.default_rng([int(seed), *stream] if stream else int(seed))
