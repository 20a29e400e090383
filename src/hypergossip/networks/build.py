"""Makes a network from a list of edges, as every constructor does."""

import operator
from collections.abc import Hashable

import numpy as np
from jaxtyping import Int
from scipy.sparse import csr_array

from hypergossip.networks.network import Network
from hypergossip.networks.weights import DIRECTED, directed_weights, mixing_matrix


def assemble(
    agents: int,
    edges: Int[np.ndarray, "edges 2"],
    name: str,
    weights: str,
    seed: int | None = None,
    names: tuple[Hashable, ...] | None = None,
) -> Network:
    """The network with these edges, in both directions.

    Args:
        agents: the number of agents, n.
        edges: pairs of agents from 0 to n - 1, each pair once in either order, without self-loops.
        name: the name of the network.
        weights: see `mixing_matrix`.
        seed: the seed whose draw was used.
        names: the agents' names, or None.

    Raises:
        ValueError: the weights' name is unknown.
    """
    return Network(mixing_matrix(adjacency_matrix(agents, edges), weights), name, weights, seed, names)


def assemble_directed(
    agents: int,
    edges: Int[np.ndarray, "edges 2"],
    name: str,
    weights: str,
    seed: int | None = None,
    names: tuple[Hashable, ...] | None = None,
) -> Network:
    """The network with these edges, each in its own direction.

    Args:
        agents: the number of agents, n.
        edges: pairs (sender, receiver) from 0 to n - 1, each pair once, without self-loops.
        name: the name of the network.
        weights: see `directed_weights`.
        seed: the seed whose draw was used.
        names: the agents' names, or None.

    Raises:
        ValueError: the weights' name is unknown.
    """
    sender, receiver = edges.T
    adjacency = csr_array((np.ones(len(edges)), (receiver, sender)), shape=(agents, agents))
    adjacency.sort_indices()
    pull, push = directed_weights(adjacency, weights)
    different = csr_array(pull - push)
    different.eliminate_zeros()
    return Network(pull, name, weights, seed, names, push if different.nnz else None)


def from_pairs(
    agents: int, pairs: Int[np.ndarray, "pairs 2"], name: str, names: tuple[Hashable, ...] | None = None
) -> Network:
    """The network with these directed edges, which is undirected if all occur in both directions.

    Args:
        agents: the number of agents, n.
        pairs: pairs (sender, receiver) from 0 to n - 1, each pair once, without self-loops.
        name: the name of the network.
        names: the agents' names, or None.
    """
    both = distinct(agents, pairs)
    if 2 * len(both) == len(pairs):
        return assemble(agents, both, name, "metropolis", names=names)
    return assemble_directed(agents, pairs, name, DIRECTED, names=names)


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
