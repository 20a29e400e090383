"""Several processes of one run: what each tells the others, and failures that all of them learn of."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

Found = TypeVar("Found")


def gather(numbers: Any) -> np.ndarray:
    """Returns what every process told, (processes, ...), process 0 first; all processes must call it alike.

    Args:
        numbers: An array of numbers, bit for bit as they are.
    """
    mine = np.asarray(numbers)
    if jax.process_count() == 1:
        return mine[None]
    # As bytes, because without JAX's x64 switch numbers of 64 bits would be rounded on their way.
    told = multihost_utils.process_allgather(np.frombuffer(mine.tobytes(), np.uint8))
    return np.frombuffer(np.ascontiguousarray(told).tobytes(), mine.dtype).reshape(-1, *mine.shape)


def agreed(function: Callable[[], Found]) -> Found:
    """Calls a function in every process, and fails in all where it fails in one: the others would wait for it.

    Args:
        function: What each process does by itself.

    Raises:
        RuntimeError: Where it failed in another process.
    """
    found: list[Found] = []
    error = None
    try:
        found.append(function())
    except Exception as failure:  # whatever it is, the others must hear of it
        error = failure
    failed = gather(error is not None)
    if error is not None:
        raise error
    if failed.any():
        raise RuntimeError(f"process {int(np.argmax(failed))} has failed; its own message says why.")
    return found[0]
