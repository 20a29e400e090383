"""What a run has spent: bytes from the messages' shapes and the graph, oracle calls as the algorithms count them."""

from typing import Any

import jax
import numpy as np

from hypergossip.algorithm import Algorithm, Cost
from hypergossip.space import Space


def payload(message: Any, spaces: tuple[Space, Space], agent_state: Any) -> int:
    """Returns the bytes of one message: the shared entries of what a `mix` sends.

    Args:
        message: State -> the message, such as ``algorithm.message``.
        spaces: The spaces of x and y.
        agent_state: One agent's state, or its shapes and types.
    """
    message = jax.eval_shape(message, agent_state)
    return sum(
        space.shared_size * vector.dtype.itemsize
        for level, space in zip(("upper", "lower"), spaces, strict=True)
        for vector in jax.tree.leaves(message.get(level, ()))
    )


def bytes_per_round(algorithm: Algorithm, spaces: tuple[Space, Space], agent_state: Any, degrees: Any) -> np.ndarray:
    """Returns the bytes that each agent sends in a round, (agents,): its messages' payloads, times its neighbours.

    A method whose messages after the first are others than the first says so by a ``later_message(state)``.

    Args:
        algorithm: The agent's program.
        spaces: The spaces of x and y.
        agent_state: One agent's state, or its shapes and types.
        degrees: (agents,) each agent's number of neighbours.
    """
    first = payload(algorithm.message, spaces, agent_state)
    later = payload(getattr(algorithm, "later_message", algorithm.message), spaces, agent_state)
    return (first + (algorithm.messages_per_round - 1) * later) * np.asarray(degrees, np.int64)


def nothing(runs: int, agents: int) -> Cost:
    """Returns the counts of a run that has not begun, 64-bit integers (runs, agents)."""
    return Cost(*(np.zeros((runs, agents), np.int64) for _ in Cost._fields))


def add(spent: Cost, cost: Cost) -> Cost:
    """Adds to 64-bit counts on the host what a chunk of rounds counted in 32 bits, each (runs, agents)."""
    return Cost(*(old + np.asarray(new, np.int64) for old, new in zip(spent, cost, strict=True)))


def columns(spent: Cost, sent: np.ndarray, round: int) -> dict[str, Any]:
    """Returns the cumulative columns after so many rounds: means over the agents, each (runs,) or a number.

    Args:
        spent: Every agent's counts, each (runs, agents).
        sent: (agents,) bytes each agent sends in a round.
        round: Rounds done.
    """
    total = sent * round
    counts = {name: count.mean(axis=1) for name, count in spent._asdict().items()}
    return {"bytes_sent": total.mean(), "bytes_sent_max": int(total.max()), **counts}
