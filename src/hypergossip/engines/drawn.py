"""Links that are drawn in every round, as operators on the agents' vectors."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Int, UInt

from hypergossip.core.random_keys import threefry
from hypergossip.engines.mixing import Edges, Neighbours, OnOneDevice
from hypergossip.support.pytree import register_pytree


@register_pytree("kind", "agents", "alone")
@dataclass(frozen=True)
class Drawn(OnOneDevice):
    """Lists of neighbours whose weights are drawn in every round (`hypergossip.networks.schedules`).

    Attributes:
        lists: All neighbours and their weights in a round in which all edges are up: lists, or a list of entries; where
            partners are drawn and `alone`, nothing reads it.
        here: The agents' numbers, (agents,) for lists and (entries,) for entries.
        there: The neighbours' numbers, (degree, agents) or (entries,).
        numbers: All agents' numbers in the numbering in which links are drawn, (all agents,).
        edges: The pairs of all neighbours in the whole network, (edges, 2), in the order in which they are drawn.
        key: The two words of the seed, (2,) in uint32.
        last: An edge is up if its random word is at most this number, uint32.
        kind: "links_up", "random_edge" or "random_matchings". Static.
        agents: The number of agents of the whole network. Static.
        alone: Whether all agents are on this device and nothing else reads `lists`. Static.
    """

    lists: Any
    here: Any
    there: Any
    numbers: Any
    edges: Any
    key: Any
    last: Any
    kind: str
    agents: int
    alone: bool

    def at(self, round: Any) -> Any:
        """Returns the operator of a round."""
        lists, round = self.lists, jnp.asarray(round, jnp.uint32)
        if self.kind == "links_up":
            up = self._words(round, self.here, self.there) <= self.last
            return replace(lists, weights=jnp.where(up, lists.weights, 0))
        partners = self._partners(round)
        halves = lambda met: jnp.where(met, 0.5, 0.0).astype(lists.weights.dtype)
        if self.alone:
            return Neighbours(partners[None], halves(partners != jnp.arange(self.agents, dtype=jnp.int32))[None])
        met = (partners[self.here] == self.there) & (self.there != self.here)
        return Neighbours(lists.indices, halves(met))

    def sent(self, round: Any) -> Int[Array, " agents"]:
        """Returns the number of neighbours to which each agent of this device sends in a round."""
        here = self.at(round)
        there = (here.weights != 0).astype(jnp.int32)  # weights are symmetric, so as many are sent as are received
        return (
            jax.ops.segment_sum(there, here.rows, self.agents)
            if isinstance(here, Edges)
            else there.sum(axis=0, dtype=jnp.int32)
        )

    def _words(self, round: Any, one: Any, other: Any) -> UInt[Array, "*shape"]:
        """Returns the random words of edges in a round, the same in both directions."""
        one, other = self.numbers[one], self.numbers[other]
        first, second = jnp.minimum(one, other), jnp.maximum(one, other)
        key = jnp.stack(threefry(self.key, round, jnp.zeros_like(round)))
        return threefry(key, first.astype(jnp.uint32), second.astype(jnp.uint32))[0]

    def _partners(self, round: Any) -> Int[Array, " agents"]:
        """Returns the agent with which each agent of the whole network averages, or itself."""
        partners = jnp.arange(self.agents, dtype=jnp.int32)
        first, second = self.edges[:, 0], self.edges[:, 1]
        if self.edges.shape[0] == 0:
            return partners
        if self.kind == "random_edge":
            index = threefry(self.key, round, jnp.zeros_like(round))[0] % np.uint32(self.edges.shape[0])
            i, j = first[index], second[index]
            return partners.at[i].set(j).at[j].set(i)
        # In every turn, an edge that comes before all others of its two agents is taken; the result is that of taking
        # the edges one after another.
        last = np.int32(self.edges.shape[0])
        order = jnp.argsort(self._words(round, first, second), stable=True)
        first, second, place = first[order], second[order], jnp.arange(last)

        def take(carry: tuple[Any, Any]) -> tuple[Any, Any]:
            partners, left = carry
            turn = jnp.where(left, place, last)
            earliest = jnp.full(self.agents, last).at[first].min(turn).at[second].min(turn)
            taken = left & (turn == earliest[first]) & (turn == earliest[second])
            nobody = jnp.int32(self.agents)  # outside the array, so that nothing is set
            partners = partners.at[jnp.where(taken, first, nobody)].set(second, mode="drop")
            partners = partners.at[jnp.where(taken, second, nobody)].set(first, mode="drop")
            free = partners == jnp.arange(self.agents, dtype=jnp.int32)
            return partners, left & free[first] & free[second]

        return lax.while_loop(lambda carry: carry[1].any(), take, (partners, jnp.ones(order.shape, bool)))[0]
