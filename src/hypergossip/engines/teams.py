"""Distributes large runs over the cores of a CPU."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def cores() -> int:
    """Returns the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def divide(runs: Any, teams: int, prepare: Callable[..., Callable[[], Any]]) -> Any:
    """Splits runs into shares and computes them at the same time, one thread for each share.

    XLA's CPU client executes the calls of one thread in turn, so more cores need more threads.

    Args:
        runs: A tuple of trees, with leaves (runs, ...).
        teams: The number of shares, which differ in size by at most one run; at most the number of runs.
        prepare: A function that maps a share to the call that computes it, a compiled program on its arguments. It is
            called in the caller's thread, because options that a `with` sets in JAX hold in that thread alone.

    Returns:
        The results of all calls, concatenated; leaves (runs, ...).
    """
    count = jax.tree.leaves(runs)[0].shape[0]
    bounds = np.linspace(0, count, teams + 1).round().astype(int).tolist()
    calls = [prepare(*_cut(runs, slice(*ends))) for ends in pairwise(bounds)]
    with ThreadPoolExecutor(teams) as pool:
        parts = list(pool.map(lambda call: jax.block_until_ready(call()), calls))
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *parts)


def _cut(runs: Any, share: slice) -> Any:
    return jax.tree.map(lambda leaf: leaf[share], runs)
