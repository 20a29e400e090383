"""The loop of rounds in compiled chunks: timed, watched for numbers that are no longer finite, interruptible."""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from hypergossip.core.algorithm import Cost
from hypergossip.engines.engine import Session, State

Label = Callable[[int], str]
CHUNK_SECONDS = 0.3  # the longest time between two looks at the clock, the signals and the numbers
FIRST_CHUNK = 16


class Chunk(NamedTuple):
    """Some rounds that were run.

    Attributes:
        state: After them.
        cost: Every agent's costs in them, host arrays (runs, agents).
        round: Rounds done after them.
        seconds: Their running time.
        pace: Rounds that would fill the time of one chunk.
    """

    state: State
    cost: Cost
    round: int
    seconds: float
    pace: int


class NotFinite(ArithmeticError):
    """Something is no longer finite; the sentence names round, agent and quantity."""


def run_chunk(session: Session, state: State, round: int, target: int, pace: int, label: Label) -> Chunk:
    """Runs towards the target round, for about `CHUNK_SECONDS` at most.

    Args:
        session: Where it runs.
        state: After `round` rounds.
        round: Rounds done.
        target: Rounds wanted.
        pace: Rounds that the last chunk allows.
        label: Agent's number -> what messages call it.

    Raises:
        NotFinite: If a number of the state is no longer finite.
    """
    last = min(target, round + pace)
    begin = time.perf_counter()
    after, cost = session.advance(state, round, last)
    seconds = float(session.all_gather(time.perf_counter() - begin)[0, 0])
    if session.unfinished(after) is not None:
        raise NotFinite(_explain(session, state, round, last, label))
    possible = int(CHUNK_SECONDS / max(seconds, 1e-9) * (last - round))
    return Chunk(after, session.to_host(cost), last, seconds, max(1, min(possible, 4 * pace)))


def _explain(session: Session, state: State, good: int, bad: int, label: Label) -> str:
    """Finds the first round after which something is not finite, by running halves of the chunk again."""
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
            "In the first round nothing has moved yet: a gradient or product on its batch is likely not finite at the "
            "starting point (a label out of range, a logarithm of zero, 0/0, the norm of a zero vector)"
        )
    else:
        why = (
            "The steps are likely too large for the losses (halve them), or a loss is undefined where the iterates "
            "went (a logarithm or a root of something negative)"
        )
    return (
        f"round {good}{seed}: {quantity} of {who} is {still} finite"
        f"{f', and of {others} more agents' if others else ''}. {why}; Debug() runs the round again without "
        "compilation."
    )


class Interrupts:
    """While active, Ctrl-C and SIGTERM set `pending` instead of ending the process; a second one ends it."""

    def __init__(self, active: bool) -> None:
        """Prepares to listen, in the main thread only."""
        self.pending: int | None = None
        self._active = active and threading.current_thread() is threading.main_thread()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interrupts":
        """Starts to listen."""
        if self._active:
            self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        """Gives the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.pending is not None:
            raise KeyboardInterrupt
        self.pending = number
