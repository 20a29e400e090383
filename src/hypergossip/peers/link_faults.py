"""Artificial faults of a link, for tests: messages that are lost or late, and a link that is cut for a time."""

import os
import random
from dataclasses import dataclass


@dataclass(frozen=True)
class LinkFaults:
    """What a link does to the messages in one direction.

    Args:
        loss: The probability that a message is lost.
        delay: The time by which every message is late, in seconds.
        jitter: The largest further delay, in seconds, drawn uniformly.
        cut_while: A file; while it exists, nothing passes, as if the network were divided here.
        seed: The seed of the draws.
    """

    loss: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    cut_while: str | None = None
    seed: int = 0

    def draws(self) -> "Draws":
        """Returns the faults of one message after another."""
        return Draws(self)


class Draws:
    """The faults of one message after another."""

    def __init__(self, faults: LinkFaults) -> None:
        """Begins.

        Args:
            faults: The faults.
        """
        self._faults, self._random = faults, random.Random(faults.seed)

    def next(self) -> float | None:
        """Returns the delay of the next message, in seconds, or None if it is lost."""
        lost, late = self._random.random() < self._faults.loss, self._random.random()
        if lost or (self._faults.cut_while is not None and os.path.exists(self._faults.cut_while)):
            return None
        return self._faults.delay + late * self._faults.jitter
