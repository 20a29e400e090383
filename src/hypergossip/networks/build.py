"""Makes a network from a list of edges, as every constructor does."""

import operator
from collections.abc import Hashable

import numpy as np
from jaxtyping import Int
from scipy.sparse import csr_array

from hypergossip.networks.network import Network, check_connected
from hypergossip.networks.weights import mixing_matrix


def assemble(
    agents: int,
    edges: Int[np.ndarray, "edges 2"],
    name: str,
    weights: str,
    seed: int | None = None,
    names: tuple[Hashable, ...] | None = None,
    advice: str = "Add edges between the parts.",
) -> Network:
    """The network with these edges.

    Args:
        agents: the number of agents, n.
        edges: pairs of agents from 0 to n - 1, each pair once in either order, without self-loops.
        name: the name of the network.
        weights: see `mixing_matrix`.
        seed: the seed whose draw was used.
        names: the agents' names, or None.
        advice: what to do if the graph is not connected.

    Raises:
        ValueError: the graph is not connected (the message names a small component), or the weights' name is unknown.
    """
    adjacency = adjacency_matrix(agents, edges)
    check_connected(adjacency, names, advice)
    return Network(mixing_matrix(adjacency, weights), name, weights, seed, names)


def adjacency_matrix(agents: int, edges: Int[np.ndarray, "edges 2"]) -> csr_array:
    """The adjacency matrix, with ones at (i, j) and (j, i) for every edge; (agents, agents), float64, sorted."""
    here, there = np.concatenate([edges, edges[:, ::-1]]).T
    adjacency = csr_array((np.ones(len(here)), (here, there)), shape=(agents, agents))
    adjacency.sort_indices()
    return adjacency


def distinct(agents: int, pairs: Int[np.ndarray, "pairs 2"]) -> Int[np.ndarray, "edges 2"]:
    """The edges i < j among pairs that may repeat, occur in both orders, or be self-loops."""
    low, high = pairs.min(axis=1), pairs.max(axis=1)
    codes = np.unique((low * agents + high)[low < high])
    return np.stack([codes // agents, codes % agents], axis=1)


def whole(value: int, what: str, least: int = 1) -> int:
    """`value` as a Python int, for an argument called `what` that must be at least `least`.

    Raises:
        TypeError: it is not an integer.
        ValueError: it is below `least`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} must be a whole number; got {value!r}.") from None
    if number < least:
        raise ValueError(f"{what} must be at least {least}; got {number}.")
    return number
