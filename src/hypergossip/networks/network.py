"""A network: its graph, its mixing weights and its speed of averaging."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int
from scipy.sparse import csr_array, eye_array, triu
from scipy.sparse.csgraph import connected_components, shortest_path

from hypergossip.networks.spectrum import agents_of, algebraic_connectivity, largest_eigenvalue
from hypergossip.networks.weights import graph_laplacian
from hypergossip.support.agent_names import called, listed, read_names
from hypergossip.support.extras import require

# Far above the round-off of a matrix computed in float64, and far below that of one computed in float32.
TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Network:
    """A connected, undirected graph of agents with a symmetric, doubly stochastic mixing matrix.

    The constructors of this package make networks. The matrix is always checked. Two networks are equal only if they
    are the same object.

    Attributes:
        mixing: W, shape (agents, agents), float64, in agents' order: W_ij is the weight that agent i gives to agent j.
        name: its name, such as "erdos_renyi(9, 0.3)".
        weights: the name of the weights, such as "metropolis"; "given" if the matrix was given.
        seed: the seed whose draw was used, or None for a graph that is not random.
        names: the agents' names, in their order, if they were given, as by a NetworkX graph or a file; None if agents
            only have numbers. ``dataclasses.replace(network, names=...)`` sets other names, or removes them by None.

    Raises:
        TypeError: `mixing` is not a `scipy.sparse.csr_array` of float64.
        ValueError: `mixing` is not square, finite, symmetric, doubly stochastic or connected, its lambda is not below
            1, or `names` are not one for each agent, all different; the message names the agents at fault.
    """

    mixing: csr_array
    name: str
    weights: str
    seed: int | None = None
    names: tuple[Hashable, ...] | None = None

    def __post_init__(self) -> None:
        matrix = self.mixing
        if not isinstance(matrix, csr_array) or matrix.dtype != np.float64:
            raise TypeError("A network's mixing must be a csr_array of float64 (SciPy); from_mixing converts others.")
        if self.names is not None:
            object.__setattr__(self, "names", read_names(self.names, agents_of(matrix)))  # the dataclass is frozen
        check_doubly_stochastic(matrix, self.names)
        check_connected(self._adjacency, self.names)
        _check_averages(self)

    @property
    def agents(self) -> int:
        """The number of agents, n."""
        return agents_of(self.mixing)

    @property
    def degrees(self) -> Int[np.ndarray, " agents"]:
        """Every agent's number of neighbours: the nonzero entries of its row of W off the diagonal."""
        return np.diff(self._adjacency.indptr).astype(np.int64)

    @property
    def edges(self) -> Int[np.ndarray, "edges 2"]:
        """The pairs of neighbours i < j, in ascending order."""
        upper = triu(self._adjacency, k=1, format="csr").tocoo()
        return np.stack([upper.row, upper.col], axis=1).astype(np.int64)

    @property
    def density(self) -> float:
        """The share of ordered pairs that are neighbours, between 0 and 1; 0 for a single agent."""
        return self._adjacency.nnz / (self.agents * (self.agents - 1)) if self.agents > 1 else 0.0

    @cached_property
    def lambda_(self) -> float:
        """The second largest eigenvalue of W in magnitude, max(|l2|, |ln|); 0 for a single agent.

        A round of mixing shrinks the agents' disagreement by at least this factor. The error is about 1e-14 if it is
        l2 and below 1e-10 if it is ln.
        """
        if self.agents == 1:
            return 0.0
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
        """The smallest eigenvalue ln of W, above -1, with an error below 1e-10; 1 for a single agent."""
        return 1.0 - largest_eigenvalue(self._averaging_laplacian)

    @property
    def laplacian(self) -> csr_array:
        """The unweighted graph Laplacian L = D - A, shape (agents, agents), float64."""
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
        permutation = np.asarray(order)
        if permutation.shape != (self.agents,) or not np.array_equal(np.sort(permutation), np.arange(self.agents)):
            raise ValueError(
                f"The order must hold each agent from 0 to {self.agents - 1} exactly once; "
                f"got {len(permutation.ravel())} entries, such as {permutation.ravel()[:5].tolist()}."
            )
        mixing = csr_array(self.mixing[permutation][:, permutation])
        mixing.sort_indices()
        names = None if self.names is None else tuple(self.names[old] for old in permutation)
        return Network(mixing=mixing, name=self.name, weights=self.weights, seed=self.seed, names=names)

    def to_networkx(self) -> Any:
        """A `networkx.Graph` with the mixing weight W_ij as each edge's "weight".

        Its nodes are the agents' names, in agents' order, or 0 to agents - 1 if they have none.
        """
        networkx = require("networkx", "networks", "to_networkx")
        graph = networkx.Graph(name=self.name)
        nodes = range(self.agents) if self.names is None else self.names
        graph.add_nodes_from(nodes)
        upper = triu(self.mixing, k=1, format="csr").tocoo()
        entries = zip(upper.row.tolist(), upper.col.tolist(), upper.data.tolist(), strict=True)
        graph.add_weighted_edges_from((nodes[i], nodes[j], weight) for i, j, weight in entries if weight != 0)
        return graph

    @cached_property
    def _adjacency(self) -> csr_array:
        """Ones at the nonzero entries of W off the diagonal."""
        entries = self.mixing.tocoo()
        kept = (entries.row != entries.col) & (entries.data != 0)
        return csr_array((np.ones(kept.sum()), (entries.row[kept], entries.col[kept])), shape=self.mixing.shape)

    @cached_property
    def _averaging_laplacian(self) -> csr_array:
        """I - W."""
        return csr_array(eye_array(self.agents) - self.mixing)


def check_connected(
    adjacency: csr_array, names: Sequence[Any] | None = None, advice: str = "Add edges between the parts."
) -> None:
    """Raises a ValueError that names the agents of the smallest component unless the graph is connected.

    Args:
        adjacency: shape (agents, agents), symmetric, nonzero on the edges.
        names: the agents' names, or None.
        advice: the end of the message.
    """
    components, label = connected_components(adjacency, directed=False)
    if components == 1:
        return
    smallest = np.flatnonzero(label == np.argmin(np.bincount(label)))
    noun = "is" if len(smallest) == 1 else "are"
    raise ValueError(
        f"The network is not connected: {listed(smallest.tolist(), names)} {noun} cut off from the others "
        f"({components} components). {advice}"
    )


def check_doubly_stochastic(matrix: csr_array, names: Sequence[Any] | None = None) -> None:
    """Raises a ValueError that names the agents at fault unless the matrix is symmetric and doubly stochastic.

    Args:
        matrix: any shape, float64.
        names: the agents' names, or None.
    """
    agents = agents_of(matrix)
    if agents == 0 or matrix.shape != (agents, agents):
        raise ValueError(f"A mixing matrix has one row and one column for each agent; got shape {matrix.shape}.")
    entries = matrix.tocoo()
    bad = np.flatnonzero(~np.isfinite(entries.data))
    if bad.size:
        i, j = int(entries.row[bad[0]]), int(entries.col[bad[0]])
        raise ValueError(f"{_pair(i, j, names)}: W[{i},{j}]={entries.data[bad[0]]} is not finite.")
    difference = csr_array(matrix - matrix.T).tocoo()
    if difference.nnz and np.abs(difference.data).max() > TOLERANCE:
        worst = np.abs(difference.data).argmax()
        i, j = sorted((int(difference.row[worst]), int(difference.col[worst])))
        raise ValueError(
            f"{_pair(i, j, names)}: W[{i},{j}]={matrix[i, j]:.10g} but W[{j},{i}]={matrix[j, i]:.10g}; "
            f"mixing must be symmetric."
        )
    sums = matrix.sum(axis=1)
    off = np.flatnonzero(np.abs(sums - 1.0) > TOLERANCE)
    if off.size:
        raise ValueError(
            f"{listed(off.tolist(), names)}: row and column {off[0]} of W sum to {sums[off[0]]:.12g} and not to 1; "
            f"rescale the weights in float64."
        )


def _check_averages(network: Network) -> None:
    """Refuses a connected, doubly stochastic W with lambda >= 1.

    Nonnegative weights need no eigenvalues: W is irreducible, so by the Perron-Frobenius theorem -1 is an eigenvalue
    only if no agent gives weight to itself and the graph is bipartite. Negative weights have no such criterion.
    """
    data, diagonal = network.mixing.data, network.mixing.diagonal()
    if network.agents == 1 or (data.min() >= 0 and diagonal.max() > 0):
        return
    if data.min() >= 0:
        side = shortest_path(network._adjacency, unweighted=True, indices=0) % 2
        i, j = network.edges.T
        if (side[i] != side[j]).all():
            one, other = (listed(np.flatnonzero(side == k).tolist(), network.names) for k in (0, 1))
            raise ValueError(
                f"Between {one} on one side and {other} on the other, values are exchanged, never averaged: no weight "
                f"joins agents of one side, and lambda is 1. Use (I + W) / 2."
            )
    elif not network.lambda_ < 1.0 - 1e-12:
        entries = network.mixing.tocoo()
        worst = int(entries.data.argmin())
        i, j = int(entries.row[worst]), int(entries.col[worst])
        raise ValueError(
            f"{_pair(i, j, network.names)}: W[{i},{j}]={data.min():.10g} is too negative: lambda is not below 1, "
            f"so mixing does not average. Use smaller weights, or a named choice such as 'metropolis'."
        )


def _pair(i: int, j: int, names: Sequence[Any] | None) -> str:
    return f"agent {called(i, names)}" if i == j else f"agents {called(i, names)} and {called(j, names)}"
