"""Networks that change from round to round.

Each function returns a `NetworkOverTime`, which `solve` takes in the place of a `Network`. In a round all messages pass
the same graph. Agents that meet only now and then agree all the same, if the graphs of all rounds together are
connected.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, SupportsFloat

import numpy as np

from hypergossip.networks.build import assemble_directed, from_pairs, whole
from hypergossip.networks.changing import NetworkOverTime
from hypergossip.networks.network import Network
from hypergossip.networks.schedules import InTurn, LinksUp, RandomEdge, RandomMatchings

SEEDS = 2**64

__all__ = ["NetworkOverTime", "in_turn", "links_up", "one_peer_exponential", "random_edge", "random_matchings"]


def links_up(graph: Network, probability: float | int, seed: int = 0) -> NetworkOverTime:
    """Every edge of a network is up with a probability, in every round anew, in both directions at once.

    The weights of the edges that are up are the network's, and an agent's own value has what is left of its weight.

    Args:
        graph: an undirected network with symmetric weights.
        probability: the probability that an edge is up, above 0 and at most 1.
        seed: the seed of the draws, at least 0.

    Raises:
        ValueError: the probability is out of range, or the network is directed or itself changes.
    """
    if isinstance(probability, bool | str) or not isinstance(probability, SupportsFloat) or not 0 < probability <= 1:
        raise ValueError(f"probability is that of an edge to be up, above 0 and at most 1; got {probability!r}.")
    _check_undirected(graph, "links_up")
    name = f"links_up({graph.name}, {probability:g})"
    return NetworkOverTime(graph, LinksUp(_seed(seed), float(probability)), name)


def random_edge(graph: Network, seed: int = 0) -> NetworkOverTime:
    """One random edge a round, whose two agents take the mean of their values; the others keep theirs.

    Args:
        graph: an undirected network; its edges are used, and its weights are not.
        seed: the seed of the draws, at least 0.

    Raises:
        ValueError: the network is directed or itself changes.
    """
    _check_undirected(graph, "random_edge")
    return NetworkOverTime(graph, RandomEdge(_seed(seed)), f"random_edge({graph.name})")


def random_matchings(graph: Network, seed: int = 0) -> NetworkOverTime:
    """Random pairs of neighbours in every round, as many as fit, each of which takes the mean of its values.

    Args:
        graph: an undirected network; its edges are used, and its weights are not.
        seed: the seed of the draws, at least 0.

    Raises:
        ValueError: the network is directed or itself changes.
    """
    _check_undirected(graph, "random_matchings")
    return NetworkOverTime(graph, RandomMatchings(_seed(seed)), f"random_matchings({graph.name})")


def one_peer_exponential(n: int) -> NetworkOverTime:
    """Every agent receives from one other, at distances 1, 2, 4, ... in turn (Ying et al. 2021).

    In round t agent i averages its value with that of agent i + 2^(t mod k), where k is the number of powers of two
    below n. The weights are doubly stochastic and not symmetric. If n is a power of two, k rounds average exactly.

    Args:
        n: the number of agents, at least 1.

    Raises:
        ValueError: n is out of range.
    """
    n = whole(n, "n")
    agents = np.arange(n)
    hops = [2**k for k in range((n - 1).bit_length())]
    turns = [
        assemble_directed(n, np.stack([(agents + hop) % n, agents], axis=1), f"one peer at {hop}", "uniform")
        for hop in hops
    ]
    return replace(
        in_turn(turns or [assemble_directed(1, np.empty((0, 2), np.int64), "single()", "uniform")]),
        name=f"one_peer_exponential({n})",
    )


def in_turn(networks: Sequence[Network]) -> NetworkOverTime:
    """Several networks of the same agents, one a round, again from the first after the last.

    The network of a round need not be connected, but all together must be.

    Args:
        networks: at least one network, all with the same agents.

    Raises:
        ValueError: there is none, or they differ in the number or the names of their agents.
    """
    turns: list[Any] = list(networks) if isinstance(networks, Sequence) else [networks]
    if changing := [network for network in turns if isinstance(network, NetworkOverTime)]:
        raise ValueError(
            f"in_turn takes networks that are the same in every round, but {changing[0].name} changes; give the "
            "networks of some of its rounds, network.at(0), network.at(1), ..., instead."
        )
    if not turns or not all(isinstance(network, Network) for network in turns):
        raise ValueError("in_turn takes a list of networks, such as [networks.ring(8), networks.path(8)].")
    first = turns[0]
    for k, network in enumerate(turns):
        if network.agents != first.agents or network.names != first.names:
            what = "numbers" if network.agents != first.agents else "names"
            raise ValueError(
                f"The networks must have the same agents in the same order, but network 0 ({first.name}) and network "
                f"{k} ({network.name}) have different {what} of agents."
            )
    return NetworkOverTime(_union(turns), InTurn(tuple(turns)), f"in_turn({', '.join(one.name for one in turns)})")


def _union(turns: Sequence[Network]) -> Network:
    """The network of all edges; its weights are those of its graph, because those of the turns may cancel."""
    if all(network is turns[0] for network in turns):
        return turns[0]
    both = [
        network.edges if network.directed else np.concatenate([network.edges, network.edges[:, ::-1]])
        for network in turns
    ]
    return from_pairs(turns[0].agents, np.unique(np.concatenate(both), axis=0), "union", turns[0].names)


def _check_undirected(graph: Any, what: str) -> None:
    if isinstance(graph, NetworkOverTime):
        raise ValueError(f"{what} takes a network that is the same in every round, but {graph.name} changes.")
    if not isinstance(graph, Network):
        raise ValueError(f"{what} takes a network, such as networks.ring(8); got {type(graph).__name__}.")
    if not (graph.symmetric and graph.one_matrix):
        raise ValueError(
            f"{what} needs an undirected network with one symmetric matrix of weights, whose edges are up or down for "
            "both directions; for directed networks that change use in_turn([...])."
        )


def _seed(seed: int) -> int:
    number = whole(seed, "seed", least=0)
    if number >= SEEDS:
        raise ValueError(f"seed must be below 2**64; got {number}.")
    return number
