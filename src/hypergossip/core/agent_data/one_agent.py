"""The restriction of a program to the data of one agent, as on that agent's own machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class Only:
    """The one agent whose data a program may load, and for which networks it made problems.

    Attributes:
        agent: The agent's number.
        numbers: The number of agents of each problem that was made, in order.
    """

    agent: int
    numbers: list[int] = field(default_factory=list)


_chosen: ContextVar[Only | None] = ContextVar("chosen", default=None)


@contextmanager
def only(i: int) -> Iterator[Only]:
    """Makes `Problem.from_agents` load the data of agent i alone.

    Args:
        i: The agent's number.
    """
    token = _chosen.set(chosen := Only(i))
    try:
        yield chosen
    finally:
        _chosen.reset(token)


def chosen_agent() -> Only | None:
    """Returns the agent of `only`, or None outside it."""
    return _chosen.get()
