"""The cost of a run: bytes from the shapes of the messages and the graph, oracle calls as counted by the algorithm."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hypergossip.channels.layout import layouts
from hypergossip.channels.stack import Stack
from hypergossip.core.algorithm import Cost
from hypergossip.core.flat_messages import Spaces
from hypergossip.core.messages import Message


def bytes_per_neighbour(messages: Sequence[Message], spaces: Spaces, channel: Stack | None = None) -> int:
    """Returns the bytes that an agent sends to each neighbour in a round: its messages' payloads.

    What a channel encodes is counted, and a lost message counts as sent.

    Args:
        messages: The messages of a round, which `hypergossip.core.messages` finds by tracing the step.
        spaces: The spaces of x and y.
        channel: What the messages pass, or None.
    """
    if channel is None:
        sizes = [message.bytes for message in messages]
    else:
        sizes = [channel.message_bytes(layout) for layout in layouts(messages, spaces)]
    return sum(message.times * size for message, size in zip(messages, sizes, strict=True))


def bytes_per_round(
    messages: Sequence[Message], degrees: Any, spaces: Spaces, channel: Stack | None = None
) -> np.ndarray:
    """Returns the bytes that each agent sends in a round, (agents,): those to a neighbour times its neighbours.

    Args:
        messages: The messages of a round.
        degrees: The number of agents to which each agent sends, (agents,).
        spaces: The spaces of x and y.
        channel: What the messages pass, or None.
    """
    return bytes_per_neighbour(messages, spaces, channel) * np.asarray(degrees, np.int64)


def nothing(runs: int, agents: int) -> Cost:
    """Returns the counts before the first round: zeros, 64-bit integers (runs, agents)."""
    return Cost(*(np.zeros((runs, agents), np.int64) for _ in Cost._fields))


def add(total: Cost, cost: Cost) -> Cost:
    """Adds the 32-bit counts of a chunk of rounds to the 64-bit counts on the host, each (runs, agents)."""
    return Cost(*(old + np.asarray(new, np.int64) for old, new in zip(total, cost, strict=True)))


def columns(cost: Cost, sent: np.ndarray) -> dict[str, Any]:
    """Returns the cumulative columns after a number of rounds: means over the agents, each (runs,) or a number.

    Args:
        cost: Every agent's counts, each (runs, agents).
        sent: The bytes that each agent has sent, (agents,).
    """
    counts = {name: count.mean(axis=1) for name, count in cost._asdict().items()}
    return {"bytes_sent": sent.mean(), "bytes_sent_max": int(sent.max()), **counts}
