"""Pairs the nodes of a network with the agents of a problem: by name if both have names, by position otherwise."""

from typing import Any

from hypergossip.networks.changing import AnyNetwork
from hypergossip.support.agent_names import MOST_NAMED


def paired(problem: Any, network: AnyNetwork) -> Any:
    """Returns the network in the problem's order.

    They are paired by name if both have names. Names are compared as text. If a network has no names, and the problem's
    names are the numbers 0 to n - 1, the network's numbers are its names. Otherwise node k is agent k.

    Args:
        problem: the problem; its `names` are one for each agent, in order, or None.
        network: the network.

    Returns:
        The network in the new order, or the same object if the order does not change.

    Raises:
        ValueError: both have names, and these are not the same; the message says which names are missing.
    """
    if problem.names is None:
        return network
    wanted = [str(name) for name in problem.names]
    if network.names is None:
        there = [str(agent) for agent in range(network.agents)]
        if set(there) != set(wanted):
            return network
    else:
        there = [str(name) for name in network.names]
    if set(there) != set(wanted):
        raise ValueError(_different_names(there, wanted))
    if there == wanted:
        return network
    place = {name: k for k, name in enumerate(there)}
    moved = network.relabelled([place[name] for name in wanted])
    return moved if network.names is not None else moved.named(tuple(wanted))


def _different_names(there: list[str], wanted: list[str]) -> str:
    """The message about names that are not the same on both sides."""
    sides = (("problem", wanted, set(there)), ("network", there, set(wanted)))
    alone = [(side, [name for name in names if name not in others]) for side, names, others in sides]
    only = ", and ".join(f"only the {side} has {_shown(names)}" for side, names in alone if names)
    return (
        f"The problem's agents and the network's nodes have different names: {only}. Give both the same names, or pair "
        "them by position: network.named(None)."
    )


def _shown(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:MOST_NAMED]))
    return shown if len(names) <= MOST_NAMED else f"{shown} and {len(names) - MOST_NAMED} more"
