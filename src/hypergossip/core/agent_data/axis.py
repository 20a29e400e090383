"""The oracles of all agents as one pytree: which arrays have an axis of agents, and how to select agents."""

from typing import Any

import jax

from hypergossip.core.agent_data.packed_rows import Packed


def number_of_agents(oracles: Any) -> int:
    """Returns the number of agents.

    Args:
        oracles: Every agent's oracles: leaves (agents, ...), or `Packed`.
    """
    node = jax.tree.leaves(oracles, is_leaf=_is_packed)[0]
    return (node.start if _is_packed(node) else node).shape[0]


def axes_of_agents(oracles: Any) -> Any:
    """Returns the axes of all agents' oracles that `jax.vmap` over the agents maps."""
    if not is_packed(oracles):
        return 0
    return jax.tree.map(lambda node: node.axes() if _is_packed(node) else 0, oracles, is_leaf=_is_packed)


def take_agents(oracles: Any, index: Any) -> Any:
    """Returns the oracles of one agent or of several agents.

    Args:
        oracles: Every agent's oracles.
        index: The agent's number, or an array of numbers.
    """
    return jax.tree.map(lambda node: node.take(index) if _is_packed(node) else node[index], oracles, is_leaf=_is_packed)


def dealt(oracles: Any, agents: Any) -> Any:
    """Returns all agents' oracles, arranged in order for devices with equally many agents.

    Args:
        oracles: Every agent's oracles.
        agents: (devices, block) the agents of each device. Together they are all agents, once and in order.
    """
    return jax.tree.map(lambda node: node.dealt(agents) if _is_packed(node) else node, oracles, is_leaf=_is_packed)


def is_packed(oracles: Any) -> bool:
    """Returns whether the agents' rows are stored end to end, without an axis of agents."""
    return any(map(_is_packed, jax.tree.leaves(oracles, is_leaf=_is_packed)))


def _is_packed(node: Any) -> bool:
    return isinstance(node, Packed)
