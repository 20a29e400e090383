"""Mixing matrices of graphs: symmetric and doubly stochastic, or one each for pull and push if graphs are directed."""

import numpy as np
from scipy.sparse import csr_array, diags_array, eye_array
from scipy.sparse.csgraph import connected_components

from hypergossip.networks.fdla import fastest_mixing
from hypergossip.networks.spectrum import agents_of, largest_eigenvalue

WEIGHTS = ("metropolis", "laplacian", "max-degree", "fastest")
"""The names of the weights; "lazy-" may precede each of them."""

DIRECTED = "uniform"
"""The name of the weights of directed graphs; "lazy-" may precede it."""


def mixing_matrix(adjacency: csr_array, weights: str = "metropolis") -> csr_array:
    """The mixing matrix W of a graph.

    - `metropolis`: W_ij = 1 / (1 + max(d_i, d_j)) on edges, for which an agent needs only its neighbours' degrees
      (Xiao, Boyd and Lall, 2005).
    - `laplacian`: W = I - 2 L / (3 l_max(L)), as in DIAMOND's experiments; its eigenvalues lie in [1/3, 1].
    - `max-degree`: W = I - L / (1 + d_max), the same weight on every edge.
    - `fastest`: the smallest lambda that symmetric weights on the edges can have; see `fastest_mixing`.
    - `lazy-...`: (I + W) / 2 of any of these, whose eigenvalues are positive.

    Args:
        adjacency: a connected graph, shape (agents, agents): symmetric, ones on the edges, no diagonal.
        weights: one of `WEIGHTS`, or one of them after "lazy-".

    Returns:
        W, float64, shape (agents, agents), exactly symmetric; rows and columns sum to one.

    Raises:
        ValueError: the name is unknown (the message lists the names), or the graph is too large for `fastest`, or not
            connected.
    """
    name = weights.removeprefix("lazy-")
    if name == DIRECTED:
        raise ValueError(f"{DIRECTED!r} weights are those of directed graphs; choose one of {', '.join(WEIGHTS)}.")
    if name not in WEIGHTS:
        raise ValueError(
            f"There are no weights called {weights!r}; choose one of {', '.join(WEIGHTS)}, or prepend 'lazy-' to one."
        )
    if name == "metropolis":
        mixing = _metropolis(adjacency)
    elif name == "laplacian":
        mixing = _laplacian(adjacency)
    elif name == "max-degree":
        mixing = _max_degree(adjacency)
    else:
        if connected_components(adjacency, directed=False, return_labels=False) > 1:
            raise ValueError("The fastest weights need a connected graph, but this one has several parts; add edges.")
        mixing = fastest_mixing(adjacency)
    return _lazy(mixing) if weights != name else mixing


def directed_weights(adjacency: csr_array, weights: str = DIRECTED) -> tuple[csr_array, csr_array]:
    """The weights of a directed graph with which values are pulled, and those with which they are pushed.

    - `uniform`: agent i gives itself and each of its senders the weight 1 / (1 + their number); and agent j keeps the
      share 1 / (1 + the number of its receivers) of its value and sends each of them as much. An agent needs to know
      only its own number of senders and of receivers.
    - `lazy-uniform`: (I + W) / 2 of both.

    Args:
        adjacency: shape (agents, agents), ones at (i, j) where i receives from j, no diagonal.
        weights: "uniform" or "lazy-uniform".

    Returns:
        Two matrices, float64, shape (agents, agents): the rows of the first sum to one, and the columns of the second.

    Raises:
        ValueError: the name is unknown, or its weights are those of undirected graphs.
    """
    name = weights.removeprefix("lazy-")
    if name != DIRECTED:
        reason = f"{weights!r} weights need edges in both directions" if name in WEIGHTS else f"no weights {weights!r}"
        raise ValueError(f"The graph is directed, and {reason}; choose {DIRECTED!r} or 'lazy-{DIRECTED}'.")
    joined = csr_array(_identity(adjacency) + adjacency)
    pull = csr_array(diags_array(1.0 / joined.sum(axis=1)) @ joined)
    push = csr_array(joined @ diags_array(1.0 / joined.sum(axis=0)))
    return (_lazy(pull), _lazy(push)) if weights != name else (pull, push)


def graph_laplacian(adjacency: csr_array) -> csr_array:
    """The unweighted graph Laplacian L = D - A.

    Args:
        adjacency: shape (agents, agents): symmetric, ones on the edges, no diagonal.

    Returns:
        L, float64, shape (agents, agents).
    """
    degrees = np.diff(adjacency.indptr).astype(np.float64)
    return csr_array(diags_array(degrees) - adjacency)


def _metropolis(adjacency: csr_array) -> csr_array:
    degrees = np.diff(adjacency.indptr)
    here = np.repeat(np.arange(agents_of(adjacency)), degrees)
    shared = 1.0 / (1.0 + np.maximum(degrees[here], degrees[adjacency.indices]))
    between = csr_array((shared, adjacency.indices, adjacency.indptr), shape=adjacency.shape)
    return csr_array(between + diags_array(1.0 - between.sum(axis=1)))


def _laplacian(adjacency: csr_array) -> csr_array:
    if adjacency.nnz == 0:  # one agent: l_max = 0
        return _identity(adjacency)
    laplacian = graph_laplacian(adjacency)
    return csr_array(_identity(adjacency) - laplacian * (2.0 / (3.0 * largest_eigenvalue(laplacian))))


def _max_degree(adjacency: csr_array) -> csr_array:
    largest = int(np.diff(adjacency.indptr).max())
    return csr_array(_identity(adjacency) - graph_laplacian(adjacency) / (1.0 + largest))


def _lazy(mixing: csr_array) -> csr_array:
    return csr_array((_identity(mixing) + mixing) / 2.0)


def _identity(matrix: csr_array) -> csr_array:
    return csr_array(eye_array(agents_of(matrix)))
