"""Every agent's oracles as one pytree: which of its arrays have an axis of agents, and how some agents are taken."""

from typing import Any

import jax

from hypergossip.core.agent_data.packed import Packed


def number_of_agents(oracles: Any) -> int:
    """Returns how many agents there are.

    Args:
        oracles: Every agent's oracles: leaves (agents, ...), or `Packed`.
    """
    node = jax.tree.leaves(oracles, is_leaf=_is_packed)[0]
    return (node.start if _is_packed(node) else node).shape[0]


def axes_of_agents(oracles: Any) -> Any:
    """Returns what of all agents' oracles is mapped over the agents, for `jax.vmap`."""
    if not is_packed(oracles):
        return 0
    return jax.tree.map(lambda node: node.axes() if _is_packed(node) else 0, oracles, is_leaf=_is_packed)


def take_agents(oracles: Any, index: Any) -> Any:
    """Returns the oracles of one agent, or of several, of all.

    Args:
        oracles: Every agent's.
        index: Which: a number, or an array of numbers.
    """
    return jax.tree.map(lambda node: node.take(index) if _is_packed(node) else node[index], oracles, is_leaf=_is_packed)


def dealt(oracles: Any, agents: Any) -> Any:
    """Returns all agents' oracles laid out for devices with equally many agents each, in order.

    Args:
        oracles: Every agent's.
        agents: (devices, block) which agents each device has: all of them, once and in order.
    """
    return jax.tree.map(lambda node: node.dealt(agents) if _is_packed(node) else node, oracles, is_leaf=_is_packed)


def is_packed(oracles: Any) -> bool:
    """Do the agents' rows lie end to end, without an axis of agents?"""
    return any(map(_is_packed, jax.tree.leaves(oracles, is_leaf=_is_packed)))


def _is_packed(node: Any) -> bool:
    return isinstance(node, Packed)
