"""A network: its graph, its mixing weights, its speed of averaging, and the facts that methods require."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int
from scipy.sparse import csr_array, eye_array, triu

from hypergossip.networks import faults
from hypergossip.networks.spectrum import agents_of, algebraic_connectivity, largest_eigenvalue, second_magnitude
from hypergossip.networks.weights import graph_laplacian
from hypergossip.support.agent_names import read_names
from hypergossip.support.extras import require


@dataclass(frozen=True, eq=False)
class Network:
    """A graph of agents and the weights with which they average.

    The constructors of this package make networks. A network states facts, such as whether its weights are symmetric
    and whether it is connected, and a method requires those that it needs. Two networks are equal only if they are the
    same object.

    Attributes:
        mixing: W, shape (agents, agents), float64, in agents' order: W_ij is the weight that agent i gives to agent j.
            Rows sum to one.
        name: its name, such as "erdos_renyi(9, 0.3)".
        weights: the name of the weights, such as "metropolis"; "given" if the matrix was given.
        seed: the seed whose draw was used, or None for a graph that is not random.
        names: the agents' names, in their order, if they were given, as by a NetworkX graph or a file; None if agents
            only have numbers. ``dataclasses.replace(network, names=...)`` sets other names, or removes them by None.
        push: for a directed network, the weights with which values are pushed, shape (agents, agents), float64, nonzero
            where `mixing` is: push_ij is the share of agent j's value that it sends to agent i. Columns sum to one.
            None if the columns of `mixing` sum to one, or if the network cannot push.

    Raises:
        TypeError: `mixing` or `push` is not a `scipy.sparse.csr_array` of float64.
        ValueError: `mixing` is not square and finite with rows that sum to one, `push` does not fit to it, or `names`
            are not one for each agent, all different; the message names the agents at fault.
    """

    mixing: csr_array
    name: str
    weights: str
    seed: int | None = None
    names: tuple[Hashable, ...] | None = None
    push: csr_array | None = None

    def __post_init__(self) -> None:
        for matrix in (self.mixing, self.push):
            if matrix is not None and (not isinstance(matrix, csr_array) or matrix.dtype != np.float64):
                raise TypeError(
                    "A network's mixing must be a csr_array of float64 (SciPy); from_mixing converts others."
                )
        if self.names is not None:  # the dataclass is frozen
            object.__setattr__(self, "names", read_names(self.names, agents_of(self.mixing)))
        faults.check_weights(self.mixing, self.push, self.names)

    @property
    def schedule(self) -> None:
        """None: the weights are the same in every round. See `networks.over_time`."""
        return None

    def at(self, round: int) -> "Network":
        """The network of a round, which is this one in every round.

        Args:
            round: the round.
        """
        return self

    @cached_property
    def symmetric(self) -> bool:
        """Whether W_ij = W_ji for all pairs of agents."""
        return faults.not_symmetric(self) is None

    @cached_property
    def doubly_stochastic(self) -> bool:
        """Whether the columns of W sum to one, as its rows do, so that mixing preserves the average."""
        return faults.not_doubly_stochastic(self) is None

    @property
    def pushes(self) -> bool:
        """Whether there are weights whose columns sum to one, with which values are pushed."""
        return self.push is not None or self.doubly_stochastic

    @property
    def digested(self) -> tuple[Any, ...]:
        """The arrays that identify the network."""
        matrices = [self.mixing] if self.push is None else [self.mixing, self.push]
        return tuple(part for W in matrices for part in (W.data, W.indices, W.indptr))

    @property
    def one_matrix(self) -> bool:
        """Whether one matrix serves all messages, because there are no other weights with which values are pushed."""
        return self.push is None

    @cached_property
    def directed(self) -> bool:
        """Whether some agent receives from another that does not receive from it."""
        return bool((self._adjacency != self._adjacency.T).nnz)

    @cached_property
    def connected(self) -> bool:
        """Whether there is a path from every agent to every other, along the edges' direction."""
        return faults.not_connected(self) is None

    @cached_property
    def averages(self) -> bool:
        """Whether mixing over and over makes all agents agree: the graph is connected and lambda is below 1."""
        return self.connected and faults.not_averaging(self) is None

    def fault(self, fact: str) -> str | None:
        """Why a fact does not hold, in words that name the agents at fault, or None if it holds.

        Args:
            fact: "symmetric", "doubly_stochastic", "connected" or "averages".
        """
        return faults.FAULTS[fact](self)

    @property
    def agents(self) -> int:
        """The number of agents, n."""
        return agents_of(self.mixing)

    @property
    def degrees(self) -> Int[np.ndarray, " agents"]:
        """The number of agents to which each agent sends: the nonzero entries of its column of W off the diagonal."""
        return np.bincount(self._adjacency.indices, minlength=self.agents).astype(np.int64)

    @property
    def edges(self) -> Int[np.ndarray, "edges 2"]:
        """The pairs of neighbours i < j, in ascending order; in a directed network, the pairs (sender, receiver)."""
        if self.directed:
            receiver, sender = self._adjacency.tocoo().coords
            order = np.lexsort((receiver, sender))
            return np.stack([sender, receiver], axis=1).astype(np.int64)[order]
        upper = triu(self._adjacency, k=1, format="csr").tocoo()
        return np.stack([upper.row, upper.col], axis=1).astype(np.int64)

    @property
    def density(self) -> float:
        """The share of ordered pairs that are neighbours, between 0 and 1; 0 for a single agent."""
        return self._adjacency.nnz / (self.agents * (self.agents - 1)) if self.agents > 1 else 0.0

    @cached_property
    def lambda_(self) -> float:
        """The second largest eigenvalue of W in magnitude; 0 for a single agent, 1 if the graph is not connected.

        In the long run a round of mixing shrinks the agents' disagreement by this factor. If W is symmetric it is
        max(|l2|, |ln|), and every round shrinks the disagreement by at least this factor. The error is about 1e-14 if
        it is l2 and below 1e-10 if it is ln.
        """
        if self.agents == 1:
            return 0.0
        if not self.connected:
            return 1.0
        if not self.symmetric:
            return second_magnitude([self.mixing])
        second = 1.0 - algebraic_connectivity(self._averaging_laplacian)
        # Gershgorin: ln is at least min_i (W_ii - sum_j |W_ij|). Often this bound suffices.
        diagonal = self.mixing.diagonal()
        bound = float((diagonal + np.abs(diagonal) - abs(self.mixing).sum(axis=1)).min())
        return second if -bound <= second else max(abs(second), abs(self.smallest_eigenvalue))

    @property
    def spectral_gap(self) -> float:
        """1 - lambda_."""
        return 1.0 - self.lambda_

    @cached_property
    def smallest_eigenvalue(self) -> float:
        """The smallest eigenvalue ln of W, or of (W + W') / 2 if W is not symmetric; 1 for a single agent.

        The error is below 1e-10.
        """
        matrix = self._averaging_laplacian
        return 1.0 - largest_eigenvalue(matrix if self.symmetric else csr_array((matrix + matrix.T) / 2))

    @property
    def laplacian(self) -> csr_array:
        """The unweighted graph Laplacian L = D - A, shape (agents, agents), float64; D counts an agent's senders."""
        return graph_laplacian(self._adjacency)

    def relabelled(self, order: Sequence[int] | Int[np.ndarray, " agents"]) -> "Network":
        """The same network with its agents renumbered.

        Args:
            order: a permutation, shape (agents,): the new agent k is the old agent order[k].

        Returns:
            A network with mixing `W[order][:, order]`, the agents' names, and the same name, weights and seed.

        Raises:
            ValueError: `order` is not a permutation of the agents.
        """
        permutation = self._permutation(order)
        names = None if self.names is None else tuple(self.names[old] for old in permutation)
        moved = [None if matrix is None else _reordered(matrix, permutation) for matrix in (self.mixing, self.push)]
        return replace(self, mixing=moved[0], names=names, push=moved[1])

    def named(self, names: tuple[Hashable, ...] | None) -> "Network":
        """The same network with other names of the agents, or without names.

        Args:
            names: the agents' names, in agents' order, or None.
        """
        return replace(self, names=names)

    def to_networkx(self) -> Any:
        """A `networkx.Graph` with the mixing weight W_ij as each edge's "weight".

        Its nodes are the agents' names, in agents' order, or 0 to agents - 1 if they have none. A directed network, or
        one whose weights are not symmetric, is a `networkx.DiGraph`, whose edge (j, i) has the weight W_ij.
        """
        networkx = require("networkx", "networks", "to_networkx")
        graph = networkx.Graph(name=self.name) if self.symmetric else networkx.DiGraph(name=self.name)
        nodes = range(self.agents) if self.names is None else self.names
        graph.add_nodes_from(nodes)
        entries = (triu(self.mixing, k=1, format="csr") if self.symmetric else self.mixing).tocoo()
        rows = zip(entries.row.tolist(), entries.col.tolist(), entries.data.tolist(), strict=True)
        joined = ((i, j, weight) for i, j, weight in rows if weight != 0 and i != j)
        graph.add_weighted_edges_from(
            (nodes[i], nodes[j], weight) if self.symmetric else (nodes[j], nodes[i], weight) for i, j, weight in joined
        )
        return graph

    @cached_property
    def _adjacency(self) -> csr_array:
        """Ones at the nonzero entries of W off the diagonal."""
        entries = self.mixing.tocoo()
        kept = (entries.row != entries.col) & (entries.data != 0)
        return csr_array((np.ones(kept.sum()), (entries.row[kept], entries.col[kept])), shape=self.mixing.shape)

    def _permutation(self, order: Any) -> np.ndarray:
        permutation = np.asarray(order)
        if permutation.shape != (self.agents,) or not np.array_equal(np.sort(permutation), np.arange(self.agents)):
            raise ValueError(
                f"The order must hold each agent from 0 to {self.agents - 1} exactly once; "
                f"got {len(permutation.ravel())} entries, such as {permutation.ravel()[:5].tolist()}."
            )
        return permutation

    @cached_property
    def _averaging_laplacian(self) -> csr_array:
        """I - W."""
        return csr_array(eye_array(self.agents) - self.mixing)


def _reordered(matrix: csr_array, order: np.ndarray) -> csr_array:
    moved = csr_array(matrix[order][:, order])
    moved.sort_indices()
    return moved
