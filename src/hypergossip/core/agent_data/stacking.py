"""Stores every agent's rows in arrays: agents with fewer rows are padded, or all rows are stored end to end."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.core.agent_data.packed import PackedOracles
from hypergossip.core.agent_data.packed_rows import Packed
from hypergossip.core.agent_data.reading import count_rows
from hypergossip.core.oracles import AutodiffOracles, Form

Tree = Any
PADDED = 1.5  # if padding needs more than this multiple of the given bytes, rows are stored end to end
ALIGNED = 64  # bytes: JAX uses an array that begins at a multiple of this without a copy
LITTLE = 1_000_000  # bytes of padding that are acceptable, as agents computed side by side are fastest


def same_arrays(one: Tree, other: Tree) -> bool:
    """Returns whether the data of two levels are the same arrays, so that one copy is enough."""
    if jax.tree.structure(one) != jax.tree.structure(other):
        return False
    return all(a is b for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


def hold(upper: list[Tree], lower: list[Tree], same: bool, form: Form) -> AutodiffOracles | PackedOracles:
    """Returns every agent's oracles on these rows.

    Args:
        upper: One pytree of NumPy arrays for each agent, leaves (rows, ...).
        lower: Likewise.
        same: Whether both levels are the same arrays, of which one copy is then held.
        form: What all agents have in common.
    """
    repeat, levels = repeated_rows(form), [upper] if same else [upper, lower]
    counts = [np.array([count_rows(agent) for agent in agents]) for agents in (upper, lower)]
    if any(is_wasteful(own, bytes_of_a_row(agents[0]), repeat) for own, agents in zip(counts, levels)):
        packed = [pack(agents, repeat) for agents in levels]
        return PackedOracles(packed[0], packed[-1], form, same)
    held = [stack(agents, repeat) for agents in levels]
    return AutodiffOracles(held[0], held[-1], jnp.asarray(counts[0]), jnp.asarray(counts[1]), form, same)


def repeated_rows(form: Form) -> int:
    """Returns how many of an agent's first rows are repeated after its last one: the size of a block minus one."""
    return form.batch_size - 1 if form.batch_size and form.sampling == "blocks" else 0


def is_wasteful(counts: np.ndarray, row: float, repeat: int) -> bool:
    """Returns whether padding the agents to the largest would take much more memory than the given data.

    Args:
        counts: (agents,) their numbers of rows.
        row: The size of a row in bytes.
        repeat: How many rows are repeated, as for `stack`.
    """
    given, padded = row * counts.sum(), row * len(counts) * (counts.max() + repeat)
    return bool(padded > PADDED * given and padded - given > LITTLE)


def bytes_of_a_row(agent: Tree) -> float:
    """Returns the bytes of a row of an agent's data, over all leaves."""
    return sum(leaf.nbytes / len(leaf) for leaf in jax.tree.leaves(agent))


def stack(agents: list[Tree], repeat: int) -> Tree:
    """Stacks the agents' data, leaves (agents, rows + repeat, ...), padded cyclically with the agent's own rows.

    Args:
        agents: One pytree for each agent, leaves (rows, ...).
        repeat: How many rows are repeated after the last: the size of a block minus one, or 0 without blocks.
    """
    rows = max(map(count_rows, agents)) + repeat
    return jax.tree.map(lambda *leaves: jnp.asarray(stacked(leaves, rows, repeat)), *agents)


def pack(agents: list[Tree], repeat: int) -> Packed:
    """Stores the agents' rows end to end, and repeats each agent's first rows after its last.

    Args:
        agents: One pytree for each agent, leaves (rows, ...).
        repeat: How many rows are repeated, as for `stack`.
    """
    counts = np.array([count_rows(agent) for agent in agents])
    ends = np.cumsum(counts + repeat)
    values = jax.tree.map(lambda *leaves: jnp.asarray(end_to_end(leaves, int(ends[-1]), repeat)), *agents)
    return Packed(values, jnp.asarray(ends - counts - repeat), jnp.asarray(counts), repeat)


def stacked(leaves: Sequence[np.ndarray], rows: int, repeat: int) -> np.ndarray:
    """Returns the same leaf of several agents in one array, (agents, rows, ...), with padding.

    Args:
        leaves: One for each agent, (rows, ...).
        rows: The number of rows of every agent in the result.
        repeat: As for `stack`.
    """
    filled = _empty((len(leaves), rows, *leaves[0].shape[1:]), leaves[0].dtype)
    for agent, leaf in zip(filled, leaves, strict=True):
        _fill(agent, leaf, repeat)
    return filled


def end_to_end(leaves: Sequence[np.ndarray], rows: int, repeat: int) -> np.ndarray:
    """Returns the same leaf of several agents in one array, (rows, ...), end to end, followed by zeros.

    Args:
        leaves: One for each agent, (rows, ...).
        rows: The number of rows of the result, repeated rows included.
        repeat: As for `stack`.
    """
    filled, first = _empty((rows, *leaves[0].shape[1:]), leaves[0].dtype), 0
    for leaf in leaves:
        last = first + len(leaf) + repeat
        _fill(filled[first:last], leaf, repeat)
        first = last
    filled[first:] = 0
    return filled


def _empty(shape: tuple[int, ...], given: Any) -> np.ndarray:
    """Returns an uninitialised array of the type in which JAX holds a given one; JAX can use it without a copy."""
    floating = jnp.issubdtype(given, jnp.floating)
    held = np.dtype(jnp.result_type(float) if floating else jax.dtypes.canonicalize_dtype(given))
    size = math.prod(shape) * held.itemsize
    memory = np.empty(size + ALIGNED, np.uint8)
    first = -memory.ctypes.data % ALIGNED
    return memory[first : first + size].view(held).reshape(shape)


def _fill(rows: np.ndarray, leaf: np.ndarray, repeat: int) -> None:
    """Copies an agent's rows to their places, and pads cyclically with its own rows.

    For sampling by blocks, the rows are shuffled once (in the same way for equal counts, independently of the agent's
    position). Every row begins equally many blocks, because the first rows are repeated after the last one.
    """
    count = len(leaf)
    if repeat:
        order = np.random.default_rng(count).permutation(count)
        rows[...] = leaf[order[np.arange(len(rows)) % count]]
        return
    rows[:count] = leaf
    if len(rows) > count:
        rows[count:] = leaf[np.arange(count, len(rows)) % count]


def held_rows(oracles: AutodiffOracles | PackedOracles, level: str) -> list[Tree]:
    """Returns every agent's own rows as pytrees of NumPy arrays, in the order in which they are stored.

    Args:
        oracles: Every agent's oracles.
        level: "upper" or "lower".
    """
    if isinstance(oracles, PackedOracles):
        packed = getattr(oracles, level)
        bounds = [(first, first + count) for first, count in zip(*map(np.asarray, (packed.start, packed.count)))]
        values = jax.tree.map(np.asarray, packed.values)
        return [jax.tree.map(lambda leaf, a=a, b=b: leaf[a:b], values) for a, b in bounds]
    data = jax.tree.map(np.asarray, getattr(oracles, f"{level}_data"))
    counts = np.asarray(getattr(oracles, f"{level}_count"))
    return [jax.tree.map(lambda leaf, i=i, n=n: leaf[i, :n], data) for i, n in enumerate(counts)]
