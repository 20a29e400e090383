"""Rows of agents with different numbers of rows, end to end in one array without padding to the largest agent."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Int

from hypergossip.core.oracles import at_rows
from hypergossip.support.float64 import in_precision
from hypergossip.support.pytree import register_pytree

Tree = Any


@register_pytree("repeat", "cast")
@dataclass(frozen=True)
class Packed:
    """The rows of all agents at one level, end to end, and which of them belong to one agent.

    When mapped over the agents, `values` is common to all, and `start` and `count` differ.

    Attributes:
        values: A pytree, leaves (rows of all agents, ...).
        start: The agent's first row, a scalar.
        count: The agent's number of rows, a scalar.
        repeat: How many of an agent's first rows are repeated after its last one, for sampling by blocks.
        cast: The precision in which rows are returned, "float64" or "float32"; None: that in which they are stored.
            They are cast when they are selected, never all at once.
    """

    values: Tree
    start: Any
    count: Any
    repeat: int = 0
    cast: str | None = None

    def in_precision(self, name: str) -> "Packed":
        """Returns the same rows, which will be returned in this precision."""
        return dataclasses.replace(self, cast=name)

    def take(self, index: Any) -> "Packed":
        """Returns one agent or several agents."""
        return dataclasses.replace(self, start=self.start[index], count=self.count[index])

    def axes(self) -> "Packed":
        """Returns the axes that `jax.vmap` over the agents maps."""
        return dataclasses.replace(self, values=None, start=0, count=0)

    def dealt(self, agents: Int[np.ndarray, "devices block"]) -> "Packed":
        """Returns the rows arranged for devices: blocks of equal size, with starts relative to the device's block.

        Args:
            agents: The agents of each device.
        """
        lengths = (np.asarray(self.count) + self.repeat)[agents]
        starts = np.cumsum(lengths, axis=1) - lengths
        before, block = np.asarray(self.start)[agents], int(lengths.sum(axis=1).max())
        places = np.zeros((len(agents), block), np.int64)
        for device, (own, firsts, olds) in enumerate(zip(lengths, starts, before, strict=True)):
            for length, first, old in zip(own, firsts, olds, strict=True):
                places[device, first : first + length] = old + np.arange(length)
        values = jax.tree.map(lambda leaf: np.asarray(leaf)[places.ravel()], self.values)
        count = np.asarray(self.count)[agents.ravel()]
        return dataclasses.replace(self, values=values, start=starts.ravel().astype(count.dtype), count=count)

    def rows(self, places: Any) -> Tree:
        """Returns the agent's rows at these positions, relative to its first row."""
        return self._cast(at_rows(self.values, self._from_start(places)))

    def block(self, first: Any, size: int) -> Tree:
        """Returns `size` of the agent's rows, beginning at its row `first`."""
        at = self._from_start(first)
        cut = lambda leaf: lax.dynamic_slice_in_dim(leaf, at, size)
        return self._cast(jax.tree.map(cut, self.values))

    def _from_start(self, places: Any) -> Any:
        return self.start + jnp.asarray(places, self.start.dtype)

    def _cast(self, rows: Tree) -> Tree:
        return rows if self.cast is None else in_precision(rows, self.cast)
