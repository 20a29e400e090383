"""Networks from graphs and mixing matrices given by the user."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int
from scipy.sparse import csr_array, issparse

from hypergossip.networks.build import assemble, assemble_directed, distinct, whole
from hypergossip.networks.faults import TOLERANCE
from hypergossip.networks.network import Network
from hypergossip.networks.spectrum import agents_of
from hypergossip.networks.weights import DIRECTED
from hypergossip.support.agent_names import called, listed, read_names
from hypergossip.support.extras import require


class Remedies(NamedTuple):
    """The advice of messages about edges that cannot be used.

    Attributes:
        loops: The advice for self-loops.
        parallel: The advice for parallel edges.
    """

    loops: str
    parallel: str


FOR_EDGES = Remedies("omit them", "give each pair once")


def from_edges(
    n: int,
    edges: Iterable[Any],
    weights: str | None = None,
    names: Iterable[Any] | None = None,
    directed: bool = False,
) -> Network:
    """The network with these edges.

    Args:
        n: the number of agents, at least 1.
        edges: pairs of agents, shape (edges, 2); undirected, so (2, 5) and (5, 2) are the same edge, unless `directed`.
            Agents are given by their numbers from 0 to n - 1, or by their names if `names` is given.
        weights: see `mixing_matrix`, and `directed_weights` if `directed`; None: "metropolis", or "uniform" for a
            directed graph.
        names: the n agents' names, in agents' order.
        directed: whether a pair is (sender, receiver). If all pairs occur in both directions, the network is
            undirected all the same.

    Raises:
        ValueError: an edge is not a pair of agents, is a self-loop, or occurs twice; the message names the agents at
            fault.
    """
    n = whole(n, "n")
    called_so = read_names(names, n)
    pairs = _numbers(n, edges) if called_so is None else _by_name(called_so, edges)
    return _network(n, pairs, f"from_edges({n})", weights, called_so, FOR_EDGES, directed)


def from_networkx(graph: Any, weights: str | None = None) -> Network:
    """The network with a NetworkX graph's nodes and edges. Attributes, including edge weights, are ignored.

    The nodes are the agents' names, and agents are numbered in the order of `graph.nodes`. If the nodes are the whole
    numbers 0 to n - 1, node i is agent i and there are no names; if they are the strings "0" to "n - 1", as readers
    of files return them, node "i" is agent i and the strings are the names.

    Args:
        graph: a `networkx.Graph`, or a `networkx.DiGraph`, whose edge (j, i) means that i receives from j.
        weights: as for `from_edges`.

    Raises:
        TypeError: it is not a NetworkX graph.
        ValueError: the graph is empty, or has a self-loop or parallel edges; the message names the nodes at fault, and
            the NetworkX function that corrects it.
    """
    networkx = require("networkx", "networks", "from_networkx")
    if not isinstance(graph, networkx.Graph):
        raise TypeError(f"from_networkx takes a networkx.Graph; got {type(graph).__name__}. See also from_edges.")
    return of_graph(graph, f"from_networkx({len(graph)})", weights)


def of_graph(graph: Any, name: str, weights: str | None, where: str = "") -> Network:
    """The network with a NetworkX graph's nodes and edges.

    Args:
        graph: a `networkx.Graph`.
        name: the name of the network.
        weights: as for `from_edges`.
        where: the definition of `graph` for messages that advise a call with it.

    Raises:
        ValueError: as for `from_networkx`.
    """
    remedies = Remedies(
        f"graph.remove_edges_from(networkx.selfloop_edges(graph)) removes them{where}",
        f"networkx.{'DiGraph' if graph.is_directed() else 'Graph'}(graph) keeps one edge of each pair{where}",
    )
    if len(graph) == 0:
        raise ValueError("The graph has no nodes, but a network needs at least one agent.")
    nodes, names = _numbered(list(graph.nodes))
    names = read_names(names, len(nodes))
    agent_of = {node: agent for agent, node in enumerate(nodes)}
    pairs = np.array([(agent_of[i], agent_of[j]) for i, j in graph.edges()], dtype=np.int64).reshape(-1, 2)
    return _network(len(nodes), pairs, name, weights, names, remedies, graph.is_directed())


def from_mixing(matrix: Any, names: Iterable[Any] | None = None, push: Any = None) -> Network:
    """The network with this mixing matrix, whose nonzero entries off the diagonal are its edges.

    Args:
        matrix: W, shape (agents, agents), dense or sparse, real; W_ij is the weight that agent i gives to agent j. Rows
            sum to one (to 1e-9), and most methods need symmetric weights, or columns that sum to one, too. Negative
            weights are allowed. The index of a pandas DataFrame holds the agents' names, and its columns the same
            names in the same order; nodes 0 to n - 1 are ordered and named as by `from_networkx`.
        names: the agents' names, in agents' order; None: those of a DataFrame, or no names.
        push: for methods on directed networks, the weights with which values are pushed, a matrix of the same shape and
            with the same edges whose columns sum to one: push_ij is the share of agent j's value that it sends to i.

    Returns:
        A network with `weights` "given".

    Raises:
        TypeError: the matrix does not hold real numbers.
        ValueError: it is not a mixing matrix; the message names the agents at fault.
    """
    given = names
    if hasattr(matrix, "index") and hasattr(matrix, "columns"):
        matrix, names = _of_frame(matrix, given)
    if hasattr(push, "index") and hasattr(push, "columns"):
        push, own = _of_frame(push, given)
        if names is not None and own is not None:
            push = _aligned(push, list(map(str, own)), list(map(str, names)))
    mixing, pushing = _sparse(matrix), None if push is None else _sparse(push)
    called_so = read_names(names, agents_of(mixing))
    if pushing is not None and pushing.shape == mixing.shape and not np.any(csr_array(pushing - mixing).data):
        # Doubly stochastic weights serve both; others are refused below, as the second matrix.
        pushing = None if np.abs(mixing.sum(axis=0) - 1.0).max() <= TOLERANCE else pushing
    network = Network(mixing, f"from_mixing({agents_of(mixing)})", "given", names=called_so, push=pushing)
    # Exactly symmetric, as every other network.
    return replace(network, mixing=csr_array((mixing + mixing.T) / 2.0)) if network.symmetric else network


def _sparse(matrix: Any) -> csr_array:
    values = matrix if issparse(matrix) else np.asarray(matrix)
    if values.dtype.kind not in "fiu":
        raise TypeError(f"A mixing matrix holds real numbers; got {values.dtype}.")
    if values.ndim != 2:
        raise ValueError(f"A mixing matrix has one row and one column for each agent; got shape {values.shape}.")
    mixing = csr_array(values, dtype=np.float64)
    mixing.sum_duplicates()
    mixing.eliminate_zeros()
    return mixing


def _aligned(matrix: np.ndarray, own: list[str], wanted: list[str]) -> np.ndarray:
    """The matrix in the order of other names. Raises ValueError if the names are not the same."""
    if sorted(own) != sorted(wanted):
        raise ValueError(
            f"The weights with which values are pushed are those of other agents ({', '.join(own[:5])}, ...) than "
            f"the mixing matrix ({', '.join(wanted[:5])}, ...); give both matrices the same names."
        )
    order = [own.index(name) for name in wanted]
    return matrix[np.ix_(order, order)]


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


def _network(
    n: int,
    pairs: Int[np.ndarray, "edges 2"],
    name: str,
    weights: str | None,
    names: tuple[Hashable, ...] | None,
    remedies: Remedies,
    directed: bool,
) -> Network:
    """The network with these pairs of agents, undirected if all occur in both directions."""
    if not directed:
        return assemble(n, _simple(n, pairs, names, remedies), name, weights or "metropolis", names=names)
    pairs = _simple(n, pairs, names, remedies, directed=True)
    both = distinct(n, pairs)
    if 2 * len(both) == len(pairs) and (weights is None or weights.removeprefix("lazy-") != DIRECTED):
        return assemble(n, both, name, weights or "metropolis", names=names)
    return assemble_directed(n, pairs, name, weights or DIRECTED, names=names)


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
    n: int, pairs: Int[np.ndarray, "edges 2"], names: Sequence[Any] | None, remedies: Remedies, directed: bool = False
) -> Int[np.ndarray, "edges 2"]:
    """The edges, as i < j unless they are directed. Raises ValueError for self-loops and parallel edges."""
    low, high = pairs.T if directed else (pairs.min(axis=1), pairs.max(axis=1))
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
        joined, kind = ("from agent", "to") if directed else ("between agents", "and")
        undirected = "" if directed else "are undirected and "
        raise ValueError(
            f"The edge {joined} {called(i, names)} {kind} {called(j, names)} occurs {count} times{also}; edges "
            f"{undirected}have one weight, so {remedies.parallel}."
        )
    return np.stack([codes // n, codes % n], axis=1)


def _stacked(edges: Sequence[Any]) -> np.ndarray:
    try:
        return np.asarray(edges)
    except ValueError:
        odd = next(edge for edge in edges if np.shape(edge) != (2,))
        raise ValueError(f"Edges are pairs of agents; got {odd!r}.") from None
