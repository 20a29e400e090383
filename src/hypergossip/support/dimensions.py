"""Sizes of arrays in a traced loss, which may be symbolic."""

from typing import Any


def at_most(size: Any, limit: int) -> bool:
    """Returns whether a size of an array is a number of at most `limit`; a symbolic size is not.

    The loss on all rows of agents that hold different numbers of rows is traced once, with a symbolic number of rows
    (`core.agent_data.masking`). A comparison with it raises an error, and the loss is then compiled for every number.

    Args:
        size: The size of an array or of one of its axes.
        limit: The limit.
    """
    return isinstance(size, int) and size <= limit
