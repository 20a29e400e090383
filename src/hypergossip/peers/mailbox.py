"""What has come from the neighbours and is not used yet: checked, numbered, and bounded in memory."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import NamedTuple

import numpy as np

from hypergossip.peers.message import Envelope, Expected, Kind, Malformed, is_vector, unpack

MOST_HANDED_OVER = 64  # messages that wait for the computing thread; more only come if somebody floods it


class Place(NamedTuple):
    """A place in the course of a run: which of its seeds, and which message of which round.

    Attributes:
        seed: The index of the seed among those that run together.
        call: The place of the message among those of a round.
        round: The number of the round.
    """

    seed: int
    call: int
    round: int


@dataclass
class Incoming:
    """What has come over one link.

    Attributes:
        epoch: How often the link has been opened; messages of another opening are not used.
        pending: The messages that are not used yet: epoch and place -> numbers.
        used: The last round that was used: seed and call -> round.
        last_round: The last round of which a message has come, -1 before the first.
        received: The number of messages that have been used.
        dropped: How often a message was dropped, by reason.
    """

    epoch: int = 0
    pending: dict[tuple[int, Place], np.ndarray] = field(default_factory=dict)
    used: dict[tuple[int, int], int] = field(default_factory=dict)
    last_round: int = -1
    received: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


class Mailbox:
    """The messages from all neighbours; Zenoh's threads put them in, and the computing thread takes them out.

    While the computing thread waits, it checks the messages itself, as soon as there may be enough of them: a change of
    threads costs more than the check.
    """

    def __init__(
        self, expected: Expected, ahead: int, control: Callable[[Envelope, bytes], None], clock: Callable[[], float]
    ) -> None:
        """Makes an empty mailbox.

        Args:
            expected: What is accepted.
            ahead: The number of rounds by which a neighbour's message may be ahead of the agent.
            control: A function that is called with the header and the content of every other message.
            clock: The time in seconds.
        """
        self._expected, self._control, self._clock = expected, control, clock
        self._ahead, self._rounds = ahead, [0] * expected.seeds
        # All that may come before a message that is asked for again must fit, so that there is room for that one, too.
        self._most = (ahead + 3) * max(1, len(expected.sizes)) * expected.seeds
        self.links = {number: Incoming() for number in expected.senders}
        self.dropped: Counter[str] = Counter()
        self.changed = threading.RLock()
        self._waiting: int | None = None  # the thread that waits
        self._handed_over: list[bytes] = []
        self._needed = 0  # how many messages it needs at least
        self._wake: SimpleQueue[None] = SimpleQueue()
        self.arrivals: dict[int, float] = {}

    def receive(self, message: bytes) -> None:
        """Takes a message in, or hands it over to the thread that waits for it.

        Args:
            message: The message.
        """
        if is_vector(message):
            with self.changed:
                if self._waiting is not None and len(self._handed_over) < MOST_HANDED_OVER:
                    self._handed_over.append(message)
                    if len(self._handed_over) == self._needed:
                        self._wake.put(None)
                    return
        self.accept(message)

    def accept(self, message: bytes) -> None:
        """Takes a message in, or drops and counts it.

        Args:
            message: The message.
        """
        try:
            envelope, numbers = unpack(message, self._expected)
        except Malformed as error:
            self.dropped[str(error)] += 1
            return
        try:
            if envelope.kind == Kind.VECTOR:
                self._keep(envelope, numbers)
            else:
                self._control(envelope, numbers.tobytes())
        except Malformed as error:
            self.links[envelope.sender].dropped[str(error)] += 1

    def _keep(self, e: Envelope, numbers: np.ndarray) -> None:
        place = Place(e.seed, e.call, e.round)
        with self.changed:
            link = self.links[e.sender]
            if e.epoch not in (link.epoch, link.epoch + 1):
                raise Malformed("of another opening of the link")
            used = link.used.get(place[:2], -1) if e.epoch == link.epoch else -1
            if e.epoch == link.epoch and e.round < self._rounds[e.seed]:
                raise Malformed("too late")
            if e.round <= used:
                raise Malformed("repeated" if e.round == used else "too late")
            if (e.epoch, place) in link.pending:
                raise Malformed("repeated")
            if e.epoch == link.epoch and e.round > self._rounds[e.seed] + self._ahead + 2:
                raise Malformed("too far ahead")
            if len(link.pending) >= self._most:
                here = [at for epoch, at in link.pending if epoch == e.epoch]
                if len(here) >= self._most:
                    last = max(here, key=lambda at: at.round)
                    link.dropped["more than fit in memory"] += 1
                    if last.round <= e.round:
                        return
                    del link.pending[e.epoch, last]  # the later one is asked for again in its round
            link.pending[e.epoch, place] = numbers
            link.last_round = max(link.last_round, e.round)
            self.arrivals.setdefault(e.sender, self._clock())
            if self._waiting not in (None, threading.get_ident()):
                self._wake.put(None)

    def reopen(self, number: int, epoch: int, first: int) -> None:
        """Begins a new opening of a link; what has already come for it is kept, and everything else is forgotten.

        Args:
            number: The neighbour's identity.
            epoch: The number of the opening.
            first: The first round in which the link counts.
        """
        with self.changed:
            link = self.links[number]
            link.epoch, link.used = epoch, {}
            link.pending = {key: numbers for key, numbers in link.pending.items() if key[0] >= epoch}
            link.last_round = max((at.round for key, at in link.pending if key == epoch), default=first - 1)

    def restart(self, round: int) -> None:
        """Notes that the agent begins again from another state, perhaps at an earlier round.

        Args:
            round: The round.
        """
        with self.changed:
            self._rounds = [round] * len(self._rounds)

    def begin(self, place: Place) -> None:
        """Notes that the agent itself is now at a place. Messages of earlier rounds are superseded and forgotten.

        Args:
            place: The place.
        """
        now = self._clock()
        with self.changed:
            self._rounds[place.seed] = place.round
            here = {j for j, link in self.links.items() if (link.epoch, place) in link.pending}
            self.arrivals = dict.fromkeys(here, now)  # they were here before the agent itself
            for link in self.links.values():  # a link may have been closed, or not yet confirmed, in earlier rounds
                for key in [key for key in link.pending if key[0] == link.epoch and key[1].seed == place.seed]:
                    if key[1].round < place.round:
                        del link.pending[key]

    def wait(
        self, place: Place, numbers: Iterable[int], seconds: float, enough: int | None = None, overtaken: bool = False
    ) -> list[int]:
        """Waits until messages have come, or a time has passed; returns those neighbours whose has not.

        Args:
            place: The place of the message.
            numbers: The neighbours' identities.
            seconds: The longest time to wait.
            enough: How many messages suffice; None: all.
            overtaken: Whether not to wait for a message that a later one has overtaken, because it is probably lost.
        """
        wanted = list(numbers)
        until = time.monotonic() + seconds
        while True:
            with self.changed:
                absent = self._absent(place, wanted)
                awaited = [j for j in absent if not overtaken or self.links[j].last_round <= place.round]
                left = until - time.monotonic()
                if not awaited or left <= 0 or (enough is not None and len(wanted) - len(absent) >= enough):
                    return absent
                self._waiting = threading.get_ident()
                missing = len(awaited) if enough is None else enough - len(wanted) + len(absent)
                self._needed = 1 if overtaken else missing
            self._accept_handed_over(left)

    def _accept_handed_over(self, seconds: float) -> None:
        """Waits until messages are handed over, or a time has passed, and takes them in."""
        with suppress(Empty):
            self._wake.get(timeout=seconds)
        with self.changed:
            self._waiting = None
            messages, self._handed_over = self._handed_over, []
        for message in messages:
            self.accept(message)

    def take(self, place: Place, number: int) -> np.ndarray | None:
        """Takes out a neighbour's message.

        Args:
            place: The place of the message.
            number: The neighbour's identity.

        Returns:
            Its numbers, or None if it has not come.
        """
        with self.changed:
            link = self.links[number]
            numbers = link.pending.pop((link.epoch, place), None)
            link.used[place[:2]] = place.round
            link.received += numbers is not None
            return numbers

    def _absent(self, place: Place, numbers: Iterable[int]) -> list[int]:
        return [j for j in numbers if (self.links[j].epoch, place) not in self.links[j].pending]
