"""Runs rounds in compiled chunks, measures their time, and detects values that are not finite."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from hypergossip.core.algorithm import Cost
from hypergossip.engines.engine import Session, State

Label = Callable[[int], str]
CHUNK_SECONDS = 0.3  # the target time between two checks of the clock, the signals and the state
FIRST_CHUNK = 16


class Chunk(NamedTuple):
    """The result of a chunk of rounds.

    Attributes:
        state: The state after the chunk.
        cost: Every agent's costs in the chunk, host arrays (runs, agents).
        round: The number of rounds completed after the chunk.
        seconds: The running time of the chunk.
        pace: The number of rounds for the next chunk.
    """

    state: State
    cost: Cost
    round: int
    seconds: float
    pace: int


class NotFinite(ArithmeticError):
    """A quantity is no longer finite; the message names round, agent and quantity."""


def run_chunk(
    session: Session, state: State, round: int, target: int, pace: int, label: Label, channel: str = ""
) -> Chunk:
    """Runs towards the target round, for about `CHUNK_SECONDS` at most.

    Args:
        session: The session.
        state: The state after `round` rounds.
        round: The number of completed rounds.
        target: The round at which to stop.
        pace: The largest number of rounds in this chunk, from the previous chunk.
        label: A function that maps an agent's number to its name in messages.
        channel: The stages of the channel, for messages; empty for the ideal one.

    Raises:
        NotFinite: If a number of the state is no longer finite.
    """
    last = min(target, round + pace)
    begin = time.perf_counter()
    after, cost = session.advance(state, round, last)
    seconds = float(session.all_gather(time.perf_counter() - begin)[0, 0])
    if session.unfinished(after) is not None:
        raise NotFinite(_explain(session, state, round, last, label, channel))
    possible = int(CHUNK_SECONDS / max(seconds, 1e-9) * (last - round))
    return Chunk(after, session.to_host(cost), last, seconds, max(1, min(possible, 4 * pace)))


def _explain(session: Session, state: State, good: int, bad: int, label: Label, channel: str) -> str:
    """Finds the first round after which the state is not finite, by bisection of the chunk."""
    while bad - good > 1:
        middle = (good + bad) // 2
        after, _ = session.advance(state, good, middle)
        if session.unfinished(after) is None:
            state, good = after, middle
        else:
            bad = middle
    broken, _ = session.advance(state, good, bad)
    quantity, flags = (session.unfinished(broken) or [("something", np.zeros((1, 1), bool))])[0]
    run, agent = np.argwhere(~flags)[0]
    others = int((~flags[run]).sum()) - 1
    seed = f" of run {run}" if flags.shape[0] > 1 else ""
    who, still = label(int(agent)), "not" if good == 0 else "no longer"
    if good == 0:
        why = (
            "In the first round nothing has moved yet, so a gradient or product on a batch is probably not finite at "
            "the starting point (a label out of range, a logarithm of zero, 0/0, the norm of a zero vector)"
        )
        why += f", or what the channel ({channel}) makes of a message overflows" if channel else ""
    else:
        why = (
            "Either the step sizes are too large for the losses (halve them), or a loss is undefined at the current "
            "iterates (a logarithm or a root of a negative number)"
        )
        why += f", or the channel ({channel}) makes the agents' vectors grow" if channel else ""
    return (
        f"round {good}{seed}: {quantity} of {who} is {still} finite"
        f"{f', and of {others} more agents' if others else ''}. {why}; Debug() runs the round again without "
        "compilation."
    )
