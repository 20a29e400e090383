"""Networks from graphs and mixing matrices given by the user."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int
from scipy.sparse import csr_array, issparse

from hypergossip.networks.build import assemble, whole
from hypergossip.networks.network import Network, check_doubly_stochastic
from hypergossip.networks.spectrum import agents_of
from hypergossip.support.agent_names import called, listed, read_names
from hypergossip.support.extras import require


class Remedies(NamedTuple):
    """The advice of messages about edges that cannot be used.

    Attributes:
        loops: The advice for self-loops.
        parallel: The advice for parallel edges.
        parts: The advice for a graph that is not connected.
    """

    loops: str
    parallel: str
    parts: str


FOR_EDGES = Remedies("omit them", "give each pair once", "Add edges between the parts.")


def from_edges(
    n: int, edges: Iterable[Any], weights: str = "metropolis", names: Iterable[Any] | None = None
) -> Network:
    """The network with these edges.

    Args:
        n: the number of agents, at least 1.
        edges: pairs of agents, shape (edges, 2); undirected, so (2, 5) and (5, 2) are the same edge. Agents are
            given by their numbers from 0 to n - 1, or by their names if `names` is given.
        weights: see `mixing_matrix`.
        names: the n agents' names, in agents' order.

    Raises:
        ValueError: an edge is not a pair of agents, is a self-loop, or occurs twice, or the graph is not connected; the
            message names the agents at fault.
    """
    n = whole(n, "n")
    called_so = read_names(names, n)
    pairs = _numbers(n, edges) if called_so is None else _by_name(called_so, edges)
    checked = _simple(n, pairs, called_so, FOR_EDGES)
    return assemble(n, checked, f"from_edges({n})", weights, names=called_so)


def from_networkx(graph: Any, weights: str = "metropolis") -> Network:
    """The network with a NetworkX graph's nodes and edges. Attributes, including edge weights, are ignored.

    The nodes are the agents' names, and agents are numbered in the order of `graph.nodes`. If the nodes are the whole
    numbers 0 to n - 1, node i is agent i and there are no names; if they are the strings "0" to "n - 1", as readers
    of files return them, node "i" is agent i and the strings are the names.

    Args:
        graph: a `networkx.Graph`, undirected and connected.
        weights: see `mixing_matrix`.

    Raises:
        TypeError: it is not a NetworkX graph.
        ValueError: the graph is directed, empty or not connected, or has a self-loop or parallel edges; the message
            names the nodes at fault, and the NetworkX function that corrects it.
    """
    networkx = require("networkx", "networks", "from_networkx")
    if not isinstance(graph, networkx.Graph):
        raise TypeError(f"from_networkx takes a networkx.Graph; got {type(graph).__name__}. See also from_edges.")
    return of_graph(graph, f"from_networkx({len(graph)})", weights)


def of_graph(graph: Any, name: str, weights: str, where: str = "") -> Network:
    """The network with a NetworkX graph's nodes and edges.

    Args:
        graph: a `networkx.Graph`.
        name: the name of the network.
        weights: see `mixing_matrix`.
        where: the definition of `graph` for messages that advise a call with it.

    Raises:
        ValueError: as for `from_networkx`.
    """
    remedies = Remedies(
        f"graph.remove_edges_from(networkx.selfloop_edges(graph)) removes them{where}",
        f"networkx.Graph(graph) keeps one edge of each pair{where}",
        "Add edges between the parts, or keep the largest one: "
        f"graph.subgraph(max(networkx.connected_components(graph), key=len)){where}.",
    )
    if len(graph) == 0:
        raise ValueError("The graph has no nodes, but a network needs at least one agent.")
    nodes, names = _numbered(list(graph.nodes))
    names = read_names(names, len(nodes))
    agent_of = {node: agent for agent, node in enumerate(nodes)}
    pairs = np.array([(agent_of[i], agent_of[j]) for i, j in graph.edges()], dtype=np.int64).reshape(-1, 2)
    if graph.is_directed():
        raise ValueError(_directed(graph, pairs, names) + f"{where}.")
    edges = _simple(len(nodes), pairs, names, remedies)
    return assemble(len(nodes), edges, name, weights, names=names, advice=remedies.parts)


def from_mixing(matrix: Any, names: Iterable[Any] | None = None) -> Network:
    """The network with this mixing matrix, whose nonzero entries off the diagonal are its edges.

    Args:
        matrix: W, shape (agents, agents), dense or sparse, real: symmetric, rows and columns summing to one (both to
            1e-9), connected, lambda below 1. Negative weights are allowed. The index of a pandas DataFrame holds
            the agents' names, and its columns the same names in the same order; nodes 0 to n - 1 are ordered and named
            as by `from_networkx`.
        names: the agents' names, in agents' order; None: those of a DataFrame, or no names.

    Returns:
        A network with `weights` "given".

    Raises:
        TypeError: the matrix does not hold real numbers.
        ValueError: it is not a mixing matrix; the message names the agents at fault.
    """
    if hasattr(matrix, "index") and hasattr(matrix, "columns"):
        matrix, names = _of_frame(matrix, names)
    values = matrix if issparse(matrix) else np.asarray(matrix)
    if values.dtype.kind not in "fiu":
        raise TypeError(f"A mixing matrix holds real numbers; got {values.dtype}.")
    if values.ndim != 2:
        raise ValueError(f"A mixing matrix has one row and one column for each agent; got shape {values.shape}.")
    mixing = csr_array(values, dtype=np.float64)
    mixing.sum_duplicates()
    mixing.eliminate_zeros()
    called_so = read_names(names, agents_of(mixing))
    check_doubly_stochastic(mixing, called_so)
    # Exactly symmetric, as every other network.
    mixing = csr_array((mixing + mixing.T) / 2.0)
    return Network(mixing=mixing, name=f"from_mixing({agents_of(mixing)})", weights="given", names=called_so)


def _of_frame(frame: Any, names: Iterable[Any] | None) -> tuple[np.ndarray, Iterable[Any] | None]:
    """The values and the agents' names of a DataFrame. `names` may name agents that the frame only numbers."""
    rows, columns, values = list(frame.index), list(frame.columns), frame.to_numpy()
    if len(rows) != len(columns):
        return values, names  # the caller refuses its shape
    if rows != columns:
        i = next(i for i, (row, column) in enumerate(zip(rows, columns, strict=True)) if row != column)
        raise ValueError(
            f"The DataFrame's index and columns differ: row {i} is {rows[i]!r} and column {i} is {columns[i]!r}. Give "
            "both the agents' names in one order, as frame.loc[names, names] does, or only the values, "
            "frame.to_numpy()."
        )
    read_names(rows, len(rows))
    nodes, own = _numbered(rows)
    if names is not None and own is not None:
        names = read_names(names, len(rows))
        if names is not None and list(map(str, names)) != list(map(str, rows)):
            raise ValueError(
                "The DataFrame's index has other names than names=[...]; omit names, or give only the values, "
                "frame.to_numpy()."
            )
    place = {row: i for i, row in enumerate(rows)}
    order = [place[node] for node in nodes]
    return values[np.ix_(order, order)], names if own is None else own


def _numbered(nodes: list[Any]) -> tuple[list[Any], tuple[Hashable, ...] | None]:
    """The nodes in agents' order, and the agents' names: sorted if the nodes are the numbers from 0, else unchanged.

    Readers return the nodes of a numbered graph as strings, in the order in which the file's edges name them.
    """
    if set(nodes) == set(range(len(nodes))):
        return sorted(nodes), None
    if set(nodes) == set(map(str, range(len(nodes)))):
        nodes = sorted(nodes, key=int)
    return nodes, tuple(nodes)


def _directed(graph: Any, pairs: Int[np.ndarray, "edges 2"], names: Sequence[Any] | None) -> str:
    """The message about a directed graph, without its full stop."""
    joined = set(map(tuple, pairs.tolist()))
    one_way = next(([i, j] for i, j in pairs.tolist() if (j, i) not in joined), None)
    fault = "" if one_way is None else f": {listed(one_way, names)} have a one-way edge"
    both = "networkx.Graph(graph)" if graph.is_multigraph() else "graph.to_undirected()"
    return f"The graph is directed{fault}. Mixing needs both directions; if neighbours can use both, pass {both}"


def _numbers(n: int, edges: Iterable[Any]) -> Int[np.ndarray, "edges 2"]:
    """The edges between numbers. Raises ValueError for an edge that is not a pair of agents."""
    array = edges if isinstance(edges, np.ndarray) else _stacked(list(edges))
    if array.size == 0:
        return np.empty((0, 2), dtype=np.int64)
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"Edges are pairs of agents, shape (edges, 2); got shape {array.shape}.")
    if array.dtype.kind not in "iuf":
        raise ValueError(
            f"Agents are whole numbers from 0 to {n - 1}; got an edge {tuple(array[0].tolist())}. To give edges by "
            f"name, give all {n} names as names=[...]."
        )
    wrong = (array != np.floor(array)) | (array < 0) | (array >= n)
    if wrong.any():
        raise ValueError(
            f"There is no {listed(np.unique(array[wrong]).tolist())}, as in the edge "
            f"{tuple(array[wrong.any(axis=1)][0].tolist())}: agents are whole numbers from 0 to {n - 1}."
        )
    return array.astype(np.int64)


def _by_name(names: Sequence[Any], edges: Iterable[Any]) -> Int[np.ndarray, "edges 2"]:
    """The edges between names as edges between numbers. Raises ValueError for an edge that is not a pair of agents."""
    agent_of = {str(name): agent for agent, name in enumerate(names)}
    pairs = []
    for edge in edges:
        if isinstance(edge, str) or not isinstance(edge, Iterable) or len(pair := tuple(edge)) != 2:
            raise ValueError(f"Edges are pairs of agents; got {edge!r}.")
        for end in pair:
            if str(end) not in agent_of:
                raise ValueError(
                    f"There is no agent {str(end)!r}, as in the edge {tuple(map(str, pair))}: the names are those of "
                    f"{listed(range(len(names)), names)}."
                )
        pairs.append([agent_of[str(end)] for end in pair])
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _simple(
    n: int, pairs: Int[np.ndarray, "edges 2"], names: Sequence[Any] | None, remedies: Remedies
) -> Int[np.ndarray, "edges 2"]:
    """The edges as i < j. Raises ValueError for self-loops and parallel edges."""
    low, high = pairs.min(axis=1), pairs.max(axis=1)
    if (low == high).any():
        raise ValueError(
            f"Self-loops at {listed(np.unique(low[low == high]).tolist(), names)}: {remedies.loops}; an agent's weight "
            f"on its own value follows from the others."
        )
    codes, times = np.unique(low * n + high, return_counts=True)
    if (times > 1).any():
        (i, j), count = divmod(int(codes[times > 1][0]), n), int(times[times > 1][0])
        more = int((times > 1).sum()) - 1
        also = "" if more == 0 else f", and {more} more {'pair has' if more == 1 else 'pairs have'} several edges"
        raise ValueError(
            f"The edge between agents {called(i, names)} and {called(j, names)} occurs {count} times{also}; edges are "
            f"undirected and have one weight, so {remedies.parallel}."
        )
    return np.stack([codes // n, codes % n], axis=1)


def _stacked(edges: Sequence[Any]) -> np.ndarray:
    try:
        return np.asarray(edges)
    except ValueError:
        odd = next(edge for edge in edges if np.shape(edge) != (2,))
        raise ValueError(f"Edges are pairs of agents; got {odd!r}.") from None
