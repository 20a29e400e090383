"""What an agent has sent in its last rounds, for neighbours that ask for it again and for links that open anew."""

from collections import deque
from typing import NamedTuple

import numpy as np

from hypergossip.peers.mailbox import Place
from hypergossip.peers.message import Body


class SentVector(NamedTuple):
    """A vector that was sent.

    Attributes:
        round: The number of the round.
        vector: What was sent.
        own: What the agent compares the neighbours' vectors with.
        body: The vector as the buffer of a message.
    """

    round: int
    vector: np.ndarray
    own: np.ndarray
    body: Body


class SentVectors:
    """The vectors of the last rounds, apart for each seed and call."""

    def __init__(self, rounds: int) -> None:
        """Keeps nothing yet.

        Args:
            rounds: The number of rounds that are kept.
        """
        self._rounds = rounds
        self._kept: dict[tuple[int, int], deque[SentVector]] = {}

    def keep(self, place: Place, vector: np.ndarray, own: np.ndarray, body: Body) -> None:
        """Keeps a vector.

        Args:
            place: Its place.
            vector: What is sent.
            own: What the agent compares the neighbours' vectors with.
            body: The vector as the buffer of a message.
        """
        kept = self._kept.setdefault(place[:2], deque(maxlen=self._rounds))
        kept.append(SentVector(place.round, vector, own, body))

    def last(self, place: Place) -> SentVector:
        """Returns the last vector of a place's seed and call.

        Args:
            place: The place.
        """
        return self._kept[place[:2]][-1]

    def at(self, place: Place) -> SentVector | None:
        """Returns the vector of a place, or None if it is no longer kept; another thread may be adding one.

        Args:
            place: The place.
        """
        found = (sent for sent in tuple(self._kept.get(place[:2], ())) if sent.round == place.round)
        return next(found, None)
