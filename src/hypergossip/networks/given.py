"""Who talks: graphs and mixing matrices that the user brings."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int
from scipy.sparse import csr_array, issparse

from hypergossip.networks.assembly import assemble, whole
from hypergossip.networks.network import Network, check_doubly_stochastic, listed
from hypergossip.networks.spectrum import agents_of


def from_edges(n: int, edges: Iterable[Any], weights: str = "metropolis") -> Network:
    """The network with these edges.

    Args:
        n: the number of agents, at least 1.
        edges: pairs of agents from 0 to n - 1, shape (edges, 2); undirected, so (2, 5) and (5, 2) are the same edge.
        weights: see `mixing_matrix`.

    Raises:
        ValueError: an edge is not a pair of whole numbers from 0 to n - 1, joins an agent with itself, or comes twice,
            or the graph is not connected; the sentence names the agents at fault.
    """
    n = whole(n, "n")
    return assemble(n, _checked(n, edges), f"from_edges({n})", weights)


def from_networkx(graph: Any, weights: str = "metropolis") -> Network:
    """The network with a NetworkX graph's nodes and edges; attributes, edge weights among them, are not looked at.

    Args:
        graph: a `networkx.Graph`, undirected and connected. If its nodes are the numbers 0 to n - 1, node i is agent i;
            otherwise agents are numbered in the order of `graph.nodes`.
        weights: see `mixing_matrix`.

    Raises:
        TypeError: it is no NetworkX graph.
        ValueError: the graph is directed, empty or not connected, or has a self-loop or parallel edges; the sentence
            names the agents at fault.
    """
    import networkx  # here, because it takes longer to load than all the rest of this folder

    if not isinstance(graph, networkx.Graph):
        raise TypeError(f"from_networkx takes a networkx.Graph; got {type(graph).__name__}. See also from_edges.")
    nodes = list(graph.nodes)
    n = len(nodes)
    if n == 0:
        raise ValueError("The graph has no nodes, and a network has at least one agent.")
    numbered = set(nodes) == set(range(n))
    agent_of = {node: node if numbered else place for place, node in enumerate(nodes)}
    if graph.is_directed():
        one_way = next(((i, j) for i, j in graph.edges() if not graph.has_edge(j, i)), None)
        fault = (
            "" if one_way is None else f": agents {agent_of[one_way[0]]} and {agent_of[one_way[1]]} join one way only"
        )
        raise ValueError(
            f"The graph is directed{fault}. Mixing needs both ways; if neighbours may talk both ways, pass "
            f"graph.to_undirected()."
        )
    edges = [(agent_of[i], agent_of[j]) for i, j in graph.edges()]
    return assemble(n, _checked(n, edges), f"from_networkx({n})", weights)


def from_mixing(matrix: Any) -> Network:
    """The network with this mixing matrix, whose nonzero entries off the diagonal are its edges.

    Args:
        matrix: W, shape (agents, agents), dense or sparse, real: symmetric, rows and columns summing to one (both to
            1e-9), connected, lambda below 1. Negative weights are allowed.

    Returns:
        A network whose `weights` are called "given".

    Raises:
        TypeError: the matrix does not hold real numbers.
        ValueError: it is not a mixing matrix; the sentence names the agents at fault.
    """
    values = matrix if issparse(matrix) else np.asarray(matrix)
    if values.dtype.kind not in "fiu":
        raise TypeError(f"A mixing matrix holds real numbers; got {values.dtype}.")
    if values.ndim != 2:
        raise ValueError(f"A mixing matrix has one row and one column for each agent; got shape {values.shape}.")
    mixing = csr_array(values, dtype=np.float64)
    mixing.sum_duplicates()
    mixing.eliminate_zeros()
    check_doubly_stochastic(mixing)
    # Symmetric to the last bit, as every other network is.
    mixing = csr_array((mixing + mixing.T) / 2.0)
    return Network(mixing=mixing, name=f"from_mixing({agents_of(mixing)})", weights="given")


def _checked(n: int, edges: Iterable[Any]) -> Int[np.ndarray, "edges 2"]:
    """The edges as i < j, or the sentence that says which of them is wrong."""
    array = edges if isinstance(edges, np.ndarray) else _stacked(list(edges))
    if array.size == 0:
        return np.empty((0, 2), dtype=np.int64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"Edges are pairs of agents, shape (edges, 2); got shape {array.shape}.")
    if array.dtype.kind not in "iuf":
        raise ValueError(f"Agents are whole numbers from 0 to {n - 1}; got an edge {tuple(array[0].tolist())}.")
    wrong = (array != np.floor(array)) | (array < 0) | (array >= n)
    if wrong.any():
        raise ValueError(
            f"There is no {listed(np.unique(array[wrong]).tolist())}, as in the edge "
            f"{tuple(array[wrong.any(axis=1)][0].tolist())}: agents are whole numbers from 0 to {n - 1}."
        )
    whole_numbers = array.astype(np.int64)
    low, high = whole_numbers.min(axis=1), whole_numbers.max(axis=1)
    if (low == high).any():
        raise ValueError(
            f"Self-loops at {listed(np.unique(low[low == high]).tolist())}: leave them out, an agent's weight on its "
            f"own value follows from the others."
        )
    codes, times = np.unique(low * n + high, return_counts=True)
    if (times > 1).any():
        code = codes[times > 1][0]
        raise ValueError(
            f"The edge between agents {code // n} and {code % n} comes {times[times > 1][0]} times; edges are "
            f"undirected, so give each pair once."
        )
    return np.stack([codes // n, codes % n], axis=1)


def _stacked(edges: Sequence[Any]) -> np.ndarray:
    try:
        return np.asarray(edges)
    except ValueError:
        odd = next(edge for edge in edges if np.shape(edge) != (2,))
        raise ValueError(f"Edges are pairs of agents; got {odd!r}.") from None
