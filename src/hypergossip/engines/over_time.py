"""Directed networks, and networks that change from round to round, as operators on the agents' vectors.

Every operator has `at`, its form in a round, and `of`, its form for the weights that a message asks for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
from jax import lax
from jaxtyping import Array, Bool, Float, Int, UInt

from hypergossip.core.random_keys import threefry
from hypergossip.engines.mixing import Constant, Dense, Neighbours, OnOneDevice, neighbour_lists
from hypergossip.support.pytree import register_pytree

MOST_COUNTED = 100_000  # rounds at once, so that 32-bit counts do not overflow

NO_WEIGHTS = (
    "mix is called without weights on a directed network, whose weights of pulling and of pushing differ; use "
    'mix(..., weights="pull") and mix(..., weights="push"), or a network with doubly stochastic weights'
)


@register_pytree()
@dataclass(frozen=True)
class Push(Constant):
    """B, whose columns sum to one, as lists of senders: an agent keeps a share of its vector and receives the others'.

    Attributes:
        indices: The senders' rows of the table, (degree, agents); agent i is row i.
        weights: The weights B_ij of these senders, (degree, agents).
        kept: B_ii, (agents,).
    """

    indices: Any
    weights: Any
    kept: Any

    def apply(self, table: Float[Array, "table entries"]) -> Float[Array, "agents entries"]:
        """Returns B table."""
        degree, agents = self.indices.shape
        total = self.kept.astype(table.dtype)[:, None] * table[:agents]
        for k in range(degree):
            total = total + self.weights[k].astype(table.dtype)[:, None] * table[self.indices[k]]
        return total


@register_pytree()
@dataclass(frozen=True)
class TwoWays(OnOneDevice):
    """The weights with which values are pulled and those with which they are pushed, on the same edges.

    Attributes:
        pull: A, whose rows sum to one.
        push: B, whose columns sum to one.
    """

    pull: Neighbours
    push: Push

    def of(self, weights: str | None) -> Neighbours | Push:
        """Returns A or B.

        Args:
            weights: "pull" or "push".

        Raises:
            ValueError: If no weights are given.
        """
        if weights is None:
            raise ValueError(f"{NO_WEIGHTS}.")
        return self.pull if weights == "pull" else self.push

    def at(self, round: Any) -> "TwoWays":
        """Returns the same operator, which serves every round."""
        return self

    @property
    def lists(self) -> Neighbours:
        """The lists of the agents' senders in the table."""
        return self.pull


@register_pytree()
@dataclass(frozen=True)
class Turns(OnOneDevice):
    """One operator a round, again from the first after the last.

    Attributes:
        stacked: Operators of one shape; leaves (turns, ...).
    """

    stacked: Any

    def at(self, round: Any) -> Any:
        """Returns the operator of a round."""
        return jax.tree.map(lambda leaf: leaf[round % leaf.shape[0]], self.stacked)

    @property
    def lists(self) -> Any:
        """The lists of the agents' senders in the first round, which are those of every round if `indices` is one."""
        return self.at(0).lists


@register_pytree("kind", "agents", "alone")
@dataclass(frozen=True)
class Drawn(OnOneDevice):
    """Lists of neighbours whose weights are drawn in every round (`hypergossip.networks.schedules`).

    Attributes:
        lists: The lists of all neighbours and their weights in a round in which all edges are up.
        here: The agents' numbers, (agents,).
        there: The neighbours' numbers, (degree, agents).
        edges: The pairs of all neighbours i < j in the whole network, (edges, 2).
        key: The two words of the seed, (2,) in uint32.
        last: An edge is up if its random word is at most this number, uint32.
        kind: "links_up", "random_edge" or "random_matchings". Static.
        agents: The number of agents of the whole network. Static.
        alone: Whether all agents are on this device and nothing else reads `lists`. Static.
    """

    lists: Neighbours
    here: Any
    there: Any
    edges: Any
    key: Any
    last: Any
    kind: str
    agents: int
    alone: bool

    def at(self, round: Any) -> Neighbours:
        """Returns the operator of a round."""
        lists, round = self.lists, jnp.asarray(round, jnp.uint32)
        if self.kind == "links_up":
            return Neighbours(lists.indices, jnp.where(self._up(round), lists.weights, 0))
        partners = self._partners(round)
        if self.alone:
            indices, met = partners[None], (partners != self.here)[None]
        else:
            indices, met = lists.indices, (partners[self.here] == self.there) & (self.there != self.here)
        return Neighbours(indices, jnp.where(met, 0.5, 0.0).astype(lists.weights.dtype))

    def sent(self, round: Any) -> Int[Array, " agents"]:
        """Returns the number of neighbours to which each agent of this device sends in a round."""
        return jnp.sum(self.at(round).weights != 0, axis=0, dtype=jnp.int32)

    def _up(self, round: Any) -> Bool[Array, "degree agents"]:
        """Returns whether the edge to each neighbour is up."""
        first, second = jnp.minimum(self.here, self.there), jnp.maximum(self.here, self.there)
        return self._words(round, first, second) <= self.last

    def _words(self, round: Any, first: Any, second: Any) -> UInt[Array, "*shape"]:
        """Returns the random words of edges i < j in a round."""
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


def is_plain(network: Any) -> bool:
    """Returns whether a network has one mixing matrix, the same in every round and for every message."""
    return network.schedule is None and network.one_matrix


def operator(network: Any, linked: bool) -> Any:
    """Returns the operator of a network that is directed or changes, for all agents on one device.

    Args:
        network: The network.
        linked: Whether the lists must be those of all neighbours in every round, because links have a state.
    """
    if network.agents == 1:
        return Dense(jnp.ones((1, 1)))
    schedule, here = network.schedule, np.arange(network.agents, dtype=np.int32)
    if schedule is not None and schedule.kind == "in_turn" and not linked:
        # Every turn has lists of its own, because all neighbours of a round are often few of all neighbours.
        lists = [_neighbours(one) for one in schedule.networks]
        degree = max(len(own) for own in lists)
        padded = [np.concatenate([own, np.tile(here, (degree - len(own), 1))]) for own in lists]
        return Turns(_stacked([_fixed(one, own, here, own, network) for one, own in zip(schedule.networks, padded)]))
    indices = _neighbours(network if schedule is None else network.graph)
    return on_lists(network, indices, here, indices, alone=not linked)


def on_lists(network: Any, indices: np.ndarray, here: np.ndarray, there: np.ndarray, alone: bool = False) -> Any:
    """Returns the operator of a network that is directed or changes, on lists of all neighbours.

    Args:
        network: The network.
        indices: The neighbours' rows of the table, (degree, agents), padded by the agents' own rows.
        here: The agents' numbers, (agents,).
        there: The numbers of these neighbours, (degree, agents).
        alone: As for `Drawn`.
    """
    schedule = network.schedule
    if schedule is None:
        return _fixed(network, indices, here, there, network)
    if schedule.kind == "in_turn":
        return Turns(_stacked([_fixed(one, indices, here, there, network) for one in schedule.networks]))
    return Drawn(
        _one_way(network.graph, indices, here, there),
        jnp.asarray(here, jnp.int32),
        jnp.asarray(there, jnp.int32),
        jnp.asarray(network.edges, jnp.int32),
        jnp.asarray(schedule.key, jnp.uint32),
        jnp.asarray(schedule.last_up, jnp.uint32),
        schedule.kind,
        network.agents,
        alone,
    )


def links_used(network: Any) -> Callable[[int, int], np.ndarray]:
    """Returns a function of two rounds: to how many neighbours each agent sends in the rounds first..last-1 in all.

    Args:
        network: The network; its result is (agents,), 64-bit integers.
    """
    if network.schedule is None or network.agents == 1:
        return lambda first, last: np.asarray(network.degrees, np.int64) * (last - first)
    if network.schedule.kind == "in_turn":
        degrees = np.stack([one.degrees for one in network.schedule.networks]).astype(np.int64)
        turns = len(degrees)
        until = lambda last: degrees.sum(axis=0) * (last // turns) + degrees[: last % turns].sum(axis=0)
        return lambda first, last: until(last) - until(first)
    drawn = operator(network, linked=False)
    count = lambda first, last: np.asarray(_count(drawn, np.int32(first), np.int32(last)), np.int64)
    return lambda first, last: sum(
        (count(start, min(last, start + MOST_COUNTED)) for start in range(first, last, MOST_COUNTED)),
        np.zeros(network.agents, np.int64),
    )


@jax.jit
def _count(drawn: Drawn, first: Any, last: Any) -> Any:
    nothing = jnp.zeros(drawn.here.shape, jnp.int32)
    return lax.fori_loop(first, last, lambda round, total: total + drawn.sent(round), nothing)


def _neighbours(network: Any) -> np.ndarray:
    return np.asarray(neighbour_lists(network.mixing).indices)


def _fixed(network: Any, indices: np.ndarray, here: np.ndarray, there: np.ndarray, whole: Any) -> Any:
    """Returns the operator of one network; it has two kinds of weights if some round of the whole network has."""
    pull = _one_way(network, indices, here, there)
    if whole.one_matrix:
        return pull
    B = network.mixing if network.push is None else network.push
    kept = jnp.asarray(B.diagonal()[here], jnp.result_type(float))
    return TwoWays(pull, Push(pull.indices, _of_pairs(B, here, there), kept))


def _one_way(network: Any, indices: np.ndarray, here: np.ndarray, there: np.ndarray) -> Neighbours:
    return Neighbours(jnp.asarray(indices), _of_pairs(network.mixing, here, there))


def _of_pairs(matrix: scipy.sparse.csr_array, here: np.ndarray, there: np.ndarray) -> Any:
    """Returns the weights that agents give to others, (degree, agents), and zero for themselves."""
    rows = np.broadcast_to(here, there.shape).ravel()
    weights = matrix[rows, there.ravel()]
    weights = weights.toarray() if scipy.sparse.issparse(weights) else np.asarray(weights)
    return jnp.asarray(np.where(there != here, weights.reshape(there.shape), 0.0), jnp.result_type(float))


def _stacked(operators: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *operators)
