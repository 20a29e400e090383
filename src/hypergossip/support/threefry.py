"""The hash of Threefry-2x32 (Salmon et al. 2011), for arrays of NumPy and of JAX."""

from typing import Any

import numpy as np

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = np.uint32(0x1BD11BDA)


def threefry_words(key: Any, first: Any, second: Any) -> tuple[Any, Any]:
    """Returns the two words of Threefry-2x32 with 20 rounds, unrolled.

    Args:
        key: The key, (2,) in uint32.
        first: The first words of the counters, an array of uint32.
        second: The second words, of the same shape.
    """
    schedule = key[0], key[1], key[0] ^ key[1] ^ PARITY
    a, b = first + schedule[0], second + schedule[1]
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            a = a + b
            b = (b << np.uint32(rotation)) | (b >> np.uint32(32 - rotation))
            b = a ^ b
        a, b = a + schedule[(group + 1) % 3], b + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return a, b
