"""Several processes of one run: exchange of numbers, and failures that end all of them."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

Found = TypeVar("Found")


def gather(numbers: Any) -> np.ndarray:
    """Returns the numbers of every process, (processes, ...), process 0 first. All processes must call it.

    Args:
        numbers: An array of numbers, which is exchanged bit for bit.
    """
    mine = np.asarray(numbers)
    if jax.process_count() == 1:
        return mine[None]
    # As bytes, because without JAX's x64 switch numbers of 64 bits would be rounded.
    received = multihost_utils.process_allgather(np.frombuffer(mine.tobytes(), np.uint8))
    return np.frombuffer(np.ascontiguousarray(received).tobytes(), mine.dtype).reshape(-1, *mine.shape)


def agreed(function: Callable[[], Found]) -> Found:
    """Calls a function in every process, and fails in all if it fails in one, so that no process waits for another.

    Args:
        function: The function, which must not communicate with other processes.

    Raises:
        RuntimeError: If it failed in another process.
    """
    found: list[Found] = []
    error = None
    try:
        found.append(function())
    except Exception as failure:  # the other processes must learn of any failure
        error = failure
    failed = gather(error is not None)
    if error is not None:
        raise error
    if failed.any():
        raise RuntimeError(f"process {int(np.argmax(failed))} has failed; see the message of that process.")
    return found[0]
