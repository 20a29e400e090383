"""Checks a method's requirements against a problem and a network; the one place that words the error messages."""

from typing import Any

from hypergossip.core.algorithm import Facts, Needs


def refuse_unmet(name: str, needs: Needs, facts: Facts) -> None:
    """Raises ValueError if a problem or a network does not meet the requirements of a method.

    Args:
        name: The method's name.
        needs: Its requirements.
        facts: The facts known before the run.
    """
    if needs.personal_lower and facts.lower_shared:
        raise ValueError(
            f"{name} solves problems with personal lower levels, but this problem shares its lower level: the agents "
            'would never agree on y. Use Slam, or share="upper".'
        )
    if needs.upper_where_lower and facts.lower_shared and not facts.upper_shared:
        raise ValueError(
            f"{name} computes one adjoint for the network, but this problem shares only its lower level, so that every "
            'agent minimises its own loss and needs its own adjoint. Use Slam, or share="both".'
        )
    if not (facts.upper_shared or facts.lower_shared):
        return
    _check_network(name, needs, facts.network)


def _check_network(name: str, needs: Needs, network: Any) -> None:
    """Raises ValueError if a network lacks a fact that a method needs.

    Args:
        name: The method's name.
        needs: Its requirements.
        network: The network.
    """
    both = "pass the graph with its edges in both directions (graph.to_undirected() in NetworkX)"
    undirected = f'{both} and weights="metropolis"' if network.directed else 'use weights="metropolis"'
    if needs.doubly_stochastic and not network.doubly_stochastic:
        raise ValueError(
            f"{name} needs doubly stochastic weights, whose rows and columns sum to one, but those of this network are "
            f"not ({network.fault('doubly_stochastic')}): the agents would agree on a point that is not the optimum. "
            f"If neighbours can use both directions, {undirected}; otherwise use a method for directed networks, such "
            "as GTSGDPushPull."
        )
    if not network.pushes:
        raise ValueError(
            f"{name} asks for weights whose columns sum to one, and this network has none "
            f"({network.fault('doubly_stochastic')}); give them as networks.from_mixing(W, push=...), or make the "
            "network from its graph (networks.from_networkx, networks.from_edges(..., directed=True))."
        )
    if needs.symmetric and not network.symmetric:
        raise ValueError(
            f"{name} needs symmetric weights, but those of this network are not ({network.fault('symmetric')}): its "
            f"dual variables would not sum to zero; {undirected}."
        )
    if needs.connected and not network.connected:
        over_time = "" if network.schedule is None else " over its rounds together"
        raise ValueError(
            f"{name} needs a connected graph, but this network is not connected{over_time}: "
            f"{network.fault('connected')}, so that the agents would never agree. Add edges between the parts, or keep "
            f"the largest one (networkx.{'strongly_' if network.directed else ''}connected_components)."
        )
    if needs.connected and not network.averages:
        raise ValueError(
            f"{name} needs agents that agree in the long run, but with these weights they never do: "
            f"{network.fault('averages')}. Use (I + W) / 2 in the place of W, or a named choice of weights, such as "
            '"metropolis".'
        )
