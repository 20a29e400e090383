"""Directed networks, and networks that change from round to round, as operators on the agents' vectors.

Every operator has `at`, its form in a round, and `of`, its form for the weights that a message asks for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse
from jax import lax
from jaxtyping import Array, Float

from hypergossip.engines.drawn import Drawn
from hypergossip.engines.mixing import Constant, Dense, Edges, Neighbours, OnOneDevice, neighbour_lists
from hypergossip.support.pytree import register_pytree

UNEVEN = 4  # lists that are this many times as long as the entries are replaced by entries
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
class PushEdges(Constant):
    """B as a list of its entries, for graphs whose degrees differ widely.

    Attributes:
        rows: The receiver of each entry of B off the diagonal, (entries,), sorted; agent i is row i of the table.
        columns: The sender's row of the table, (entries,).
        weights: The weights B_ij, (entries,).
        kept: B_ii, (agents,).
    """

    rows: Any
    columns: Any
    weights: Any
    kept: Any

    def apply(self, table: Float[Array, "table entries"]) -> Float[Array, "agents entries"]:
        """Returns B table."""
        agents = self.kept.shape[0]
        sent = self.weights.astype(table.dtype)[:, None] * table[self.columns]
        received = jax.ops.segment_sum(sent, self.rows, agents, indices_are_sorted=True)
        return self.kept.astype(table.dtype)[:, None] * table[:agents] + received


class Pattern(NamedTuple):
    """The neighbours of a graph.

    Attributes:
        here: The agents' numbers: (agents,) for lists, or sorted, (entries,), for a list of entries.
        there: The neighbours' numbers, (degree, agents) or (entries,); an agent's own number where there is none.
        rows: The rows of `there` in the table.
    """

    here: np.ndarray
    there: np.ndarray
    rows: np.ndarray

    @property
    def listed(self) -> bool:
        """Whether these are lists of neighbours, and not entries."""
        return self.there.ndim == 2


@register_pytree("both")
@dataclass(frozen=True)
class TwoWays(OnOneDevice):
    """The weights with which values are pulled and those with which they are pushed, on the same edges.

    Attributes:
        pull: A, whose rows sum to one.
        push: B, whose columns sum to one.
        both: Whether A is doubly stochastic. Static.
    """

    pull: Any
    push: Any
    both: bool

    def of(self, weights: str | None) -> Any:
        """Returns A or B.

        Args:
            weights: "pull" or "push"; None if A is doubly stochastic.

        Raises:
            ValueError: If no weights are given, and A is not doubly stochastic.
        """
        if weights is None and not self.both:
            raise ValueError(f"{NO_WEIGHTS}.")
        return self.push if weights == "push" else self.pull

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
        """The lists of the agents' senders in the first round; under a channel they hold those of all rounds."""
        return self.at(0).lists


def is_plain(network: Any) -> bool:
    """Returns whether a network has one mixing matrix, the same in every round and for every message."""
    return network.schedule is None and network.one_matrix


def operator(network: Any, linked: bool) -> Any:
    """Returns the operator of a network that is directed or changes, for all agents on one device.

    Args:
        network: The network.
        linked: Whether there must be lists of all neighbours in every round, because links have a state.
    """
    if network.agents == 1:
        return Dense(jnp.ones((1, 1)))
    schedule = network.schedule
    if schedule is not None and schedule.kind == "in_turn" and not linked:
        # Every turn has neighbours of its own, because those of a round are often few of all.
        listed = not any(_is_uneven(one) for one in schedule.networks)
        patterns = _of_one_size([_pattern(one, listed) for one in schedule.networks])
        return Turns(_stacked([_fixed(one, own, network) for one, own in zip(schedule.networks, patterns)]))
    graph = network if schedule is None else network.graph
    return on_pattern(network, _pattern(graph, linked or not _is_uneven(graph)), alone=not linked)


def on_pattern(network: Any, pattern: Pattern, alone: bool = False) -> Any:
    """Returns the operator of a network that is directed or changes, from all its neighbours.

    Args:
        network: The network.
        pattern: The neighbours in all rounds together.
        alone: As for `Drawn`.
    """
    schedule = network.schedule
    if schedule is None:
        return _fixed(network, pattern, network)
    if schedule.kind == "in_turn":
        return Turns(_stacked([_fixed(one, pattern, network) for one in schedule.networks]))
    return Drawn(
        _one_way(network.graph, pattern),
        jnp.asarray(pattern.here, jnp.int32),
        jnp.asarray(pattern.there, jnp.int32),
        jnp.asarray(network.numbers, jnp.int32),
        jnp.asarray(network.drawn_edges, jnp.int32),
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
    nothing = jnp.zeros(drawn.agents, jnp.int32)
    return lax.fori_loop(first, last, lambda round, total: total + drawn.sent(round), nothing)


def _is_uneven(graph: Any) -> bool:
    """Returns whether lists padded to the largest degree would consist mostly of padding."""
    entries = graph.mixing.nnz
    return int(np.diff(graph.mixing.indptr).max()) * graph.agents > UNEVEN * entries


def _pattern(graph: Any, listed: bool) -> Pattern:
    """Returns the neighbours of a graph on one device, as lists or as entries."""
    if listed:
        there = np.asarray(neighbour_lists(graph.mixing).indices)
        return Pattern(np.arange(graph.agents, dtype=np.int32), there, there)
    entries = graph.mixing.tocoo()
    kept = (entries.row != entries.col) & (entries.data != 0)
    rows, columns = entries.row[kept], entries.col[kept]
    order = np.lexsort((columns, rows))
    return Pattern(rows[order], columns[order], columns[order])


def _of_one_size(patterns: Sequence[Pattern]) -> list[Pattern]:
    """Returns the patterns padded to one shape by neighbours that are the agents themselves."""
    size = max(len(one.there) for one in patterns)
    padded = []
    for here, there, _ in patterns:
        missing = size - len(there)
        if there.ndim == 2:
            there = np.concatenate([there, np.tile(here, (missing, 1))])
        else:  # of the last agent, so that rows stay sorted
            last = np.full(missing, here.max(initial=0), here.dtype)
            here, there = np.concatenate([here, last]), np.concatenate([there, last])
        padded.append(Pattern(here, there, there))
    return padded


def _fixed(network: Any, pattern: Pattern, whole: Any) -> Any:
    """Returns the operator of one network; it has two kinds of weights if some round of the whole network has."""
    pull = _one_way(network, pattern)
    if whole.one_matrix:
        return pull
    B = network.mixing if network.push is None else network.push
    weights, kept = _of_pairs(B, pattern), B.diagonal()
    if pattern.listed:
        push: Any = Push(pull.indices, weights, jnp.asarray(kept[pattern.here], jnp.result_type(float)))
    else:
        push = PushEdges(pull.rows, pull.columns, weights, jnp.asarray(kept, jnp.result_type(float)))
    return TwoWays(pull, push, whole.doubly_stochastic)


def _one_way(network: Any, pattern: Pattern) -> Any:
    weights, rows = _of_pairs(network.mixing, pattern), jnp.asarray(pattern.rows)
    if pattern.listed:
        return Neighbours(rows, weights)
    return Edges(jnp.asarray(pattern.here), rows, weights, network.agents)


def _of_pairs(matrix: scipy.sparse.csr_array, pattern: Pattern) -> Any:
    """Returns the weights that agents give to others, of the shape of `there`, and zero for themselves."""
    here, there = pattern.here, pattern.there
    rows = np.broadcast_to(here, there.shape).ravel()
    weights = matrix[rows, there.ravel()]
    weights = weights.toarray() if scipy.sparse.issparse(weights) else np.asarray(weights)
    return jnp.asarray(np.where(there != here, weights.reshape(there.shape), 0.0), jnp.result_type(float))


def _stacked(operators: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *operators)
