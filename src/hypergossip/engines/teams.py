"""Distributes runs over the cores of a CPU.

Runs whose rounds are long enough are computed on one core each, side by side. For a single run, XLA can distribute
single operations over the cores. It does so for every operation on much data, even if it reads little of it: the 64
rows that a batch takes from a large array are copied by two threads, which takes three times as long as by one. Such
programs are compiled for one core.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.support.cores import cores
from hypergossip.support.float64 import calls_python

OWN_CORE_ENTRIES = 10_000  # a run whose round reads more is worth a core of its own
# A program whose states and batches have at most this many entries is faster on one core.
ONE_CORE_STATE_ENTRIES, ONE_CORE_BATCH_ENTRIES = 100_000, 500_000


class Division(NamedTuple):
    """How the runs of a job are distributed over the cores.

    Attributes:
        teams: The number of shares into which the runs are split, one thread for each.
        one_core: Whether each share's program is compiled for one core.
    """

    teams: int
    one_core: bool


def divided(oracles: Any, state: Any, runs: int) -> Division:
    """Returns how runs are distributed over the cores.

    It depends on sizes alone, not on measured times, so that a run can be repeated bit for bit on the same machine.

    Args:
        oracles: Every agent's oracles.
        state: The state, with leaves (runs, agents, ...).
        runs: The number of runs.
    """
    if jax.default_backend() != "cpu":
        return Division(1, False)
    entries = sum(leaf.size for leaf in jax.tree.leaves(state)) // runs
    drawn = None if calls_python(oracles) else getattr(oracles, "batch_entries", None)
    teams = min(runs, cores()) if entries + (drawn or 0) > OWN_CORE_ENTRIES else 1
    if teams > 1:
        return Division(teams, teams == cores())
    few = entries * runs <= ONE_CORE_STATE_ENTRIES
    return Division(1, drawn is not None and few and drawn * runs <= ONE_CORE_BATCH_ENTRIES)


def divide(runs: Any, teams: int, prepare: Callable[..., Callable[[], Any]]) -> Any:
    """Splits runs into shares and computes them at the same time, one thread for each share.

    XLA's CPU client executes the calls of one thread in turn, so more cores need more threads. The shares are of one
    size, for which one program is compiled. If the number of runs is not a multiple, neighbouring shares have a run in
    common, and the later copy is dropped.

    Args:
        runs: A tuple of trees, with leaves (runs, ...).
        teams: The number of shares, at most the number of runs.
        prepare: A function that maps a share to the call that computes it, a compiled program on its arguments. It is
            called in the caller's thread, because options that a `with` sets in JAX hold in that thread alone.

    Returns:
        The results of all calls, concatenated; leaves (runs, ...).
    """
    count = jax.tree.leaves(runs)[0].shape[0]
    size = -(-count // teams)
    firsts = tuple(np.linspace(0, count - size, teams).round().astype(int).tolist())
    calls = [prepare(*share) for share in _shares(runs, firsts, size)]
    with ThreadPoolExecutor(teams) as pool:
        parts = list(pool.map(lambda call: jax.block_until_ready(call()), calls))
    return _together(parts, firsts, size)


@partial(jax.jit, static_argnums=(1, 2))
def _shares(runs: Any, firsts: tuple[int, ...], size: int) -> list[Any]:
    return [jax.tree.map(lambda leaf, first=first: leaf[first : first + size], runs) for first in firsts]


@partial(jax.jit, static_argnums=(1, 2))
def _together(parts: list[Any], firsts: tuple[int, ...], size: int) -> Any:
    common = [0, *(before + size - first for before, first in pairwise(firsts))]
    own = [jax.tree.map(lambda leaf, drop=drop: leaf[drop:], part) for part, drop in zip(parts, common)]
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *own)
