"""The loop of rounds in compiled chunks: timed, watched for numbers that are no longer finite, interruptible."""

import signal
import threading
import time
from types import FrameType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hypergossip.algorithm import Algorithm, Cost
from hypergossip.engines.engine import Engine
from hypergossip.engines.lifting import Placed, Spaces
from hypergossip.naming import agent_label

CHUNK_SECONDS = 0.3  # the longest time between two looks at the clock, the signals and the numbers
FIRST_CHUNK = 16


class Program(NamedTuple):
    """What does not change during a run.

    Attributes:
        engine: Where it runs.
        algorithm: The agent's program; its numbers with a leading axis (runs,) where swept.
        swept: Are they?
        placed: The problem on its network.
        spaces: The spaces of x and y.
        keys: (runs,) the runs' keys.
        names: The agents' names, or None.
    """

    engine: Engine
    algorithm: Algorithm
    swept: bool
    placed: Placed
    spaces: Spaces
    keys: Any
    names: tuple[str, ...] | None = None

    def advance(self, state: Any, first: int, last: int) -> tuple[Any, Cost]:
        """Runs the rounds first..last-1 and waits for them."""
        return jax.block_until_ready(
            self.engine.advance(self.algorithm, self.swept, self.placed, self.spaces, state, self.keys, first, last)
        )


class Chunk(NamedTuple):
    """Some rounds that were run.

    Attributes:
        state: After them.
        spent: What each agent spent in them.
        round: Rounds done after them.
        seconds: Their running time.
        pace: Rounds that would fill the time of one chunk.
    """

    state: Any
    spent: Cost
    round: int
    seconds: float
    pace: int


class NotFinite(ArithmeticError):
    """Something is no longer finite; the sentence names round, agent and quantity."""


def run_chunk(program: Program, state: Any, round: int, target: int, pace: int) -> Chunk:
    """Runs towards the target round, for about `CHUNK_SECONDS` at most.

    Args:
        program: What runs.
        state: After `round` rounds.
        round: Rounds done.
        target: Rounds wanted.
        pace: Rounds that the last chunk allows.

    Raises:
        NotFinite: If a number of the state is no longer finite.
    """
    last = min(target, round + pace)
    begin = time.perf_counter()
    after, spent = program.advance(state, round, last)
    seconds = float(program.engine.tell(time.perf_counter() - begin)[0, 0])
    if not bool(program.engine.fetch(_all_finite(after))):
        raise NotFinite(_explain(program, state, round, last))
    possible = int(CHUNK_SECONDS / max(seconds, 1e-9) * (last - round))
    return Chunk(after, spent, last, seconds, max(1, min(possible, 4 * pace)))


@jax.jit
def _all_finite(state: Any) -> Any:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(state)]))


@jax.jit
def _finite_by_agent(state: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.all(jnp.isfinite(leaf), axis=tuple(range(2, leaf.ndim))), state)


def _explain(program: Program, state: Any, good: int, bad: int) -> str:
    """Finds the first round after which something is not finite, by running halves of the chunk again."""
    while bad - good > 1:
        middle = (good + bad) // 2
        after, _ = program.advance(state, good, middle)
        if bool(program.engine.fetch(_all_finite(after))):
            state, good = after, middle
        else:
            bad = middle
    broken, _ = program.advance(state, good, bad)
    for path, flags in jax.tree_util.tree_leaves_with_path(program.engine.fetch(_finite_by_agent(broken))):
        if not flags.all():
            run, agent = np.argwhere(~flags)[0]
            others = int((~flags[run]).sum()) - 1
            quantity = jax.tree_util.keystr(path).lstrip(".")
            seed = f" of run {run}" if flags.shape[0] > 1 else ""
            who, still = agent_label(int(agent), program.names), "not" if good == 0 else "no longer"
            if good == 0:
                why = (
                    "In the first round nothing has moved yet: a gradient or product on its batch is likely not finite "
                    "at the starting point (a label out of range, a logarithm of zero, 0/0, the norm of a zero vector)"
                )
            else:
                why = (
                    "The steps are likely too large for the losses (halve them), or a loss is undefined where the "
                    "iterates went (a logarithm or a root of something negative)"
                )
            return (
                f"round {good}{seed}: {quantity} of {who} is {still} finite"
                f"{f', and of {others} more agents' if others else ''}. {why}; Debug() runs the round again without "
                "compilation."
            )
    return f"round {good}: something is no longer finite."


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
