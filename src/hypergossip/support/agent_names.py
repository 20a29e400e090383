"""The agents' names, as given by users, and how messages refer to agents: by names, or by numbers."""

from collections.abc import Hashable, Iterable, Mapping, MappingView, Sequence, Set
from typing import Any

MOST_NAMED = 5


def read_names(names: Iterable[Any] | None, agents: int) -> tuple[Hashable, ...] | None:
    """Returns the names as a tuple, or None if there are none.

    Args:
        names: one for each agent, in agents' order, or None.
        agents: the number of agents.

    Raises:
        ValueError: they have no order, their number is not that of the agents, one cannot be a name, or two are equal
            as text.
    """
    if names is None:
        return None
    # Views of a dict and a NetworkX graph's nodes are sets by type, but have an order.
    if isinstance(names, Set) and not isinstance(names, Mapping | MappingView):
        raise ValueError(
            f"The names are a {type(names).__name__}, whose order changes from process to process; give a list with "
            "one name for each agent, in agents' order."
        )
    if isinstance(names, str) or not isinstance(names, Iterable):
        what = "the text " if isinstance(names, str) else ""
        raise ValueError(f"The names are {what}{names!r}; give a sequence with one name for each agent.")
    given = tuple(names)
    if len(given) != agents:
        raise ValueError(f"There are {len(given)} names for {agents} agents; give one name for each agent.")
    for name in given:
        if not isinstance(name, Hashable):
            raise ValueError(f"{name!r} cannot be an agent's name; give a string or a number.")
    if repeated := repetitions(given):
        raise ValueError(f"The name {repeated[0]!r} occurs more than once; give every agent a different name.")
    return given


def repetitions(names: Iterable[Any]) -> list[str]:
    """Returns the names that occur more than once, as text and in order."""
    times: dict[str, int] = {}
    for name in names:
        times[str(name)] = times.get(str(name), 0) + 1
    return [text for text, count in times.items() if count > 1]


def called(agent: int | float, names: Sequence[Any] | None) -> str:
    """Returns an agent's name in quotation marks, or its number if agents have no names."""
    if names is not None:
        return repr(str(names[int(agent)]))
    return f"{agent:g}" if isinstance(agent, float) else str(agent)


def listed(agents: Sequence[int] | Sequence[float], names: Sequence[Any] | None = None) -> str:
    """Names at most five agents: "agent 3", "agents 1, 4 and 7", "agents 'a', 'b', 'c', 'd', 'e' and 95 more".

    Args:
        agents: their numbers.
        names: the names of all agents, in agents' order, or None.
    """
    labels = [called(agent, names) for agent in agents[: MOST_NAMED + 1]]
    if len(labels) == 1:
        return f"agent {labels[0]}"
    if len(labels) > MOST_NAMED:
        return f"agents {', '.join(labels[:MOST_NAMED])} and {len(agents) - MOST_NAMED} more"
    return f"agents {', '.join(labels[:-1])} and {labels[-1]}"


def agent_label(agent: int, names: Sequence[Any] | None) -> str:
    """Returns "agent 3", or "agent 3 ('Paris')" if agents have names.

    Args:
        agent: The agent's number.
        names: Every agent's name, or None.
    """
    return f"agent {agent}" if names is None else f"agent {agent} ({str(names[agent])!r})"
