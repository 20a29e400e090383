"""The agents' names, as given by users, and the labels of agents in messages."""

from collections.abc import Iterable, Mapping, MappingView, Sequence, Set
from typing import Any


def read_names(names: Iterable[Any] | None, agents: int) -> tuple[str, ...] | None:
    """Returns the names as text, or None if there are none.

    Args:
        names: One for each agent, in agents' order, or None.
        agents: The number of agents.

    Raises:
        ValueError: If they have no order, their number is not that of the agents, or two are equal as text.
    """
    if names is None:
        return None
    # Views of a dict and a NetworkX graph's nodes are sets by type, but have an order.
    if isinstance(names, Set) and not isinstance(names, Mapping | MappingView):
        raise ValueError(
            f"names is a {type(names).__name__}, whose order changes from process to process; give a list with one "
            "name for each agent, in agents' order."
        )
    if isinstance(names, str) or not isinstance(names, Iterable):
        what = "the text " if isinstance(names, str) else ""
        raise ValueError(f"names is {what}{names!r}; give a sequence with one name for each agent.")
    texts = tuple(map(str, names))
    if len(texts) != agents:
        raise ValueError(f"names has {len(texts)} names for {agents} agents; give one name for each agent.")
    if len(set(texts)) < agents:
        twice = next(text for place, text in enumerate(texts) if text in texts[:place])
        raise ValueError(f"names has {twice!r} more than once; give every agent a different name.")
    return texts


def agent_label(agent: int, names: Sequence[str] | None) -> str:
    """Returns "agent 3", or "agent 3 ('Paris')" if agents have names.

    Args:
        agent: The agent's number.
        names: Every agent's name, or None.
    """
    return f"agent {agent}" if names is None else f"agent {agent} ({names[agent]!r})"
