"""Large runs on a processor: the cores divide them among themselves."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def cores() -> int:
    """Returns how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def divide(runs: Any, teams: int, prepare: Callable[..., Callable[[], Any]]) -> Any:
    """Cuts runs into shares and works on all of them at once, one thread a share.

    XLA's processor client takes the calls of one thread in turn, so more cores need more threads.

    Args:
        runs: A tuple of trees, leaves (runs, ...).
        teams: How many shares, as equal as they can be; at most as many as runs.
        prepare: A share -> the call that does its work, a compiled program on its arguments. It is made in the caller's
            thread, since what JAX is told by a `with` holds in that thread alone.

    Returns:
        What the calls return, put together, leaves (runs, ...).
    """
    count = jax.tree.leaves(runs)[0].shape[0]
    bounds = np.linspace(0, count, teams + 1).round().astype(int).tolist()
    calls = [prepare(*_cut(runs, slice(*ends))) for ends in pairwise(bounds)]
    with ThreadPoolExecutor(teams) as pool:
        parts = list(pool.map(lambda call: jax.block_until_ready(call()), calls))
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)


def _cut(runs: Any, share: slice) -> Any:
    return jax.tree.map(lambda leaf: leaf[share], runs)
