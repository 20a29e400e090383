"""Every agent's data as one array, agents with fewer rows padded."""

import warnings
from typing import Any

import jax
import numpy as np

from hypergossip.problem_data import count_rows, to_default_floating

Tree = Any
LARGE = 100_000_000  # bytes: padded data above this are worth a word where they are much more than was given


def same_arrays(one: Tree, other: Tree) -> bool:
    """Are two levels' data the same arrays, so that one copy will do?"""
    if jax.tree.structure(one) != jax.tree.structure(other):
        return False
    return all(a is b for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def stack(agents: list[Tree], repeat: int, name: str) -> Tree:
    """Stacks the agents' data, leaves (agents, rows + repeat, ...), filled up with real rows taken cyclically.

    For sampling by blocks the rows are shuffled once (alike for equal sizes, whatever the agent's place) and the
    first ones repeated behind the last, so that every row begins as many blocks as any other.

    Args:
        agents: One pytree an agent, leaves (rows, ...).
        repeat: How many rows are repeated: one fewer than a block has; 0 where no blocks are drawn.
        name: Of the data, for a warning where padding takes much memory.
    """
    counts = [count_rows(agent) for agent in agents]
    rows = max(counts)

    def fill(leaf: np.ndarray) -> np.ndarray:
        order = np.random.default_rng(len(leaf)).permutation(len(leaf)) if repeat else np.arange(len(leaf))
        return leaf[order[np.arange(rows + repeat) % len(leaf)]]

    given = sum(leaf.nbytes for agent in agents for leaf in jax.tree.leaves(agent))
    padded = given // sum(counts) * len(agents) * (rows + repeat)
    if padded > LARGE and padded > 4 * given:
        warnings.warn(
            f"{name}: {given / 1e6:.1f} MB are given, and padded to the {rows:,} samples of agent "
            f"{int(np.argmax(counts))} they take {padded / 1e6:,.0f} MB. Divide that agent's samples among several "
            "agents where memory is short.",
            stacklevel=3,
        )
    return to_default_floating(jax.tree.map(lambda *leaves: np.stack([fill(leaf) for leaf in leaves]), *agents))
