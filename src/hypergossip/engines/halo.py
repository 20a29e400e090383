"""W over several devices: each sends the rows that other devices need, and averages the rows that it has received."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
from jax import lax
from jaxtyping import Array, Float, Int

from hypergossip.engines.mixing import Dense, Edges, Mixing, Neighbours, choose
from hypergossip.engines.over_time import Pattern, is_plain, on_pattern
from hypergossip.support.devices import AXIS
from hypergossip.support.pytree import register_pytree


@register_pytree("pairs")
@dataclass(frozen=True)
class Halo:
    """W as lists of rows to send, one permutation of blocks for each offset between devices, and local rows of W.

    Outside `jax.shard_map` every array has a leading axis (devices,), which `on_device` removes.

    Attributes:
        local: This device's rows of W, on the table [own rows; rows received at the first offset; at the second; ...].
        sends: For each offset, the device's own rows, (rows,), that the device at this offset averages.
        pairs: For each offset, the pairs (from, to) of devices that exchange rows. Static.
    """

    local: Mixing
    sends: tuple[Any, ...]
    pairs: tuple[tuple[tuple[int, int], ...], ...]

    def apply(self, table: Float[Array, "block entries"]) -> Float[Array, "block entries"]:
        """Returns this device's block of W times every device's rows; inside `jax.shard_map` over the devices."""
        return self.local.apply(self.table(table))

    def at(self, round: Any) -> "Halo":
        """Returns the operator of a round."""
        return Halo(self.local.at(round), self.sends, self.pairs)

    def of(self, weights: str | None) -> "Halo":
        """Returns the operator for the weights that a message asks for."""
        return Halo(self.local.of(weights), self.sends, self.pairs)

    @property
    def lists(self) -> Neighbours:
        """The lists of this device's agents' neighbours in the table, if that is the form of its rows."""
        return self.local.lists

    def table(self, vectors: Array) -> Array:
        """Returns this device's own rows, followed by those received; inside `jax.shard_map` over the devices."""
        exchanges = zip(self.sends, self.pairs, strict=True)
        received = [lax.ppermute(vectors[rows], AXIS, pairs) for rows, pairs in exchanges]
        return jnp.concatenate([vectors, *received])

    def gather(self, vectors: Array, agents: int) -> Array:
        """Returns every device's agents' vectors, (agents, ...); inside `jax.shard_map` over the devices."""
        everywhere = lax.all_gather(vectors, AXIS)  # (devices, block, ...)
        once = np.unique(deal(agents, everywhere.shape[0]), return_index=True)[1]
        return everywhere.reshape(-1, *vectors.shape[1:])[once]

    def on_device(self) -> "Halo":
        """Returns the part of one device, inside `jax.shard_map`."""
        return jax.tree.map(lambda leaf: leaf[0], self)

    @property
    def rows_sent(self) -> int:
        """The largest number of rows that a device sends in a round: the sum of the offsets' padded blocks."""
        return sum(rows.shape[-1] for rows in self.sends)


def deal(agents: int, devices: int) -> Int[np.ndarray, "devices block"]:
    """Distributes the agents over the devices, evenly and in order.

    A device with one agent fewer than the others runs its last agent twice. The copy computes exactly what the agent
    computes, and no agent averages it, so it can neither diverge separately nor affect the others.

    Args:
        agents: The number of agents, at least the number of devices.
        devices: The number of devices.

    Returns:
        The agent of each row.
    """
    parts = np.array_split(np.arange(agents), devices)
    return np.stack([np.pad(part, (0, len(parts[0]) - len(part)), mode="edge") for part in parts])


def halo_of(network: Any, rows: Int[np.ndarray, "devices block"], form: str) -> Halo:
    """Splits a network over devices.

    Args:
        network: The network.
        rows: The agent of each row of each device, as `deal` returns it.
        form: As for `make_halo`; a network that is directed or changes has lists of neighbours.

    Returns:
        The halo, its arrays with a leading axis (devices,).
    """
    if is_plain(network):
        return make_halo(network.mixing, rows, form)
    graph = network if network.schedule is None else network.graph
    if network.agents == 1:
        return make_halo(graph.mixing, rows, "dense")
    halo, tables = _split(graph.mixing, rows, "neighbours")
    lists = np.asarray(halo.local.indices)  # (devices, degree, block)
    parts = [on_pattern(network, Pattern(rows[k], tables[k][own], own)) for k, own in enumerate(lists)]
    return Halo(jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts), halo.sends, halo.pairs)


def make_halo(mixing: scipy.sparse.csr_array, rows: Int[np.ndarray, "devices block"], form: str = "auto") -> Halo:
    """Splits a mixing matrix over devices.

    Args:
        mixing: (agents, agents) W.
        rows: The agent of each row of each device, as `deal` returns it.
        form: The form of the local part, as for `hypergossip.engines.mixing.choose`.

    Returns:
        The halo, its arrays with a leading axis (devices,).
    """
    return _split(mixing, rows, form)[0]


def _split(
    mixing: scipy.sparse.csr_array, rows: Int[np.ndarray, "devices block"], form: str
) -> tuple[Halo, Int[np.ndarray, "devices width"]]:
    """Returns the halo, and the agent of each row of each device's table."""
    devices, block = rows.shape
    owner, slot = np.empty(rows.max() + 1, int), np.empty(rows.max() + 1, int)
    owner[rows] = np.arange(devices)[:, None]
    slot[rows[:, ::-1]] = np.arange(block)[::-1]  # backwards, so that an agent's first row wins over its copies
    entries = [mixing[own].tocoo() for own in rows]
    wanted = [np.unique(part.col[owner[part.col] != device]) for device, part in enumerate(entries)]

    places = np.tile(slot, (devices, 1))  # the position of each agent's row in each device's table
    width, sends, pairs = block, [], []
    for offset in range(1, devices):
        sources = (np.arange(devices) - offset) % devices
        needs = [want[owner[want] == source] for want, source in zip(wanted, sources, strict=True)]
        size = max(map(len, needs))
        if size == 0:
            continue
        send = np.zeros((devices, size), np.int32)
        for device, (need, source) in enumerate(zip(needs, sources, strict=True)):
            send[source, : len(need)] = slot[need]
            places[device, need] = width + np.arange(len(need))
        sends.append(jnp.asarray(send))
        pairs.append(tuple((int(s), d) for d, (s, need) in enumerate(zip(sources, needs, strict=True)) if len(need)))
        width += size

    tables = np.zeros((devices, width), int)  # the agent of each row of each device's table
    tables[:, :block] = rows
    for table, place, want in zip(tables, places, wanted, strict=True):
        table[place[want]] = want

    parts = []
    for own, entry, place in zip(rows, entries, places, strict=True):
        columns = np.where(entry.col == own[entry.row], entry.row, place[entry.col])  # a copy weights its own row
        parts.append(scipy.sparse.csr_array((entry.data, (entry.row, columns)), shape=(block, width)))
    local = _stack(parts, form)
    ordered = _in_order(local, tables) if isinstance(local, Neighbours) else local
    return Halo(ordered, tuple(sends), tuple(pairs)), tables


def _in_order(lists: Neighbours, tables: Int[np.ndarray, "devices width"]) -> Neighbours:
    """Sorts every agent's list by the neighbours' numbers; the padding behind them names the agent itself.

    What a channel keeps for each link then has its place whatever the number of devices.

    Args:
        lists: The lists of every device, on its table, with a leading axis (devices,).
        tables: The agent of each row of each device's table.
    """
    indices, weights = np.asarray(lists.indices), np.asarray(lists.weights)  # (devices, degree, block)
    agents = np.stack([table[index] for table, index in zip(tables, indices, strict=True)])
    order = np.argsort(np.where(weights != 0, agents, agents.max() + 1), axis=1, kind="stable")
    indices, weights = (np.take_along_axis(values, order, axis=1) for values in (indices, weights))
    own = np.arange(indices.shape[2], dtype=indices.dtype)
    return Neighbours(jnp.asarray(np.where(weights != 0, indices, own)), jnp.asarray(weights))


def _stack(parts: list[scipy.sparse.csr_array], form: str) -> Mixing:
    """Brings every device's rows into one form, padded to one shape, because one program runs on all devices."""
    chosen = [choose(part, form) for part in parts]
    kinds = {type(one) for one in chosen}
    if len(kinds) > 1:
        sparsest = "edges" if Edges in kinds else "neighbours"
        chosen = [choose(part, sparsest) for part in parts]

    def stacked(name: str, mode: Any = "edge") -> Any:
        leaves = [np.asarray(getattr(one, name)) for one in chosen]
        size = max(len(leaf) for leaf in leaves)
        padded = [np.pad(leaf, ((0, size - len(leaf)), *((0, 0),) * (leaf.ndim - 1)), mode) for leaf in leaves]
        return jnp.asarray(np.stack(padded))

    weights = stacked("weights", "constant")  # padding has weight zero and repeats the last entry, so rows stay sorted
    if isinstance(chosen[0], Dense):
        return Dense(weights)
    if isinstance(chosen[0], Neighbours):
        return Neighbours(stacked("indices"), weights)
    return Edges(stacked("rows"), stacked("columns"), weights, chosen[0].agents)
