"""Greets the neighbours until both sides know each other, and from time to time afterwards."""

import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from hypergossip.peers.greeting import FINISHED, LEAVING, Greeting
from hypergossip.peers.message import Envelope, Kind, body_of, pack

UNANSWERED, ANSWERED = 0.1, 1.0  # seconds between two greetings


class Known(NamedTuple):
    """What an agent knows of a neighbour.

    Attributes:
        greeting: Its last greeting.
        there: Whether its session is open.
    """

    greeting: Greeting
    there: bool


class Stand(NamedTuple):
    """Where an agent stands on a link.

    Attributes:
        round: The number of rounds that it has completed.
        epoch: The number of the link's opening.
        opening: The round from which it counts, or `NO_ROUND`.
    """

    round: int
    epoch: int
    opening: int


class Greetings:
    """The greetings of an agent. `known` is written by Zenoh's threads and read by the agent's."""

    def __init__(
        self,
        number: int,
        run: bytes,
        digest: bytes,
        neighbours: Mapping[int, str],
        send: Callable[[int, bytes], None],
        session: Callable[[], bytes],
        stand: Callable[[int], Stand],
        weights: Mapping[int, float | None],
    ) -> None:
        """Prepares the greetings.

        Args:
            number: The agent's identity.
            run: The identifier of the run.
            digest: A digest of what all agents must have in common, 16 bytes.
            neighbours: The neighbours' identities and names.
            send: Queues a message to a neighbour.
            session: Returns the identifier of the agent's own session.
            stand: Returns where the agent stands on the link to a neighbour.
            weights: W_ij of links whose weights are given.
        """
        self._number, self._run, self._digest, self.names = number, run, digest, dict(neighbours)
        self._send, self._session, self._stand = send, session, stand
        self._weights = {j: math.nan if (weight := weights.get(j)) is None else weight for j in neighbours}
        self.incarnation = os.urandom(8)
        self.known: dict[int, Known] = {}
        self.mismatched: dict[int, str] = {}  # neighbours with which no link can open -> why
        self.changed = threading.Condition()
        self.flags = 0
        self._open = True
        self._thread = threading.Thread(target=self._greet, daemon=True)

    def start(self) -> None:
        """Begins to greet."""
        self._thread.start()

    def receive(self, envelope: Envelope, content: bytes) -> None:
        """Takes a greeting, and answers one that does not know this agent yet.

        Args:
            envelope: Its header.
            content: Its content.

        Raises:
            Malformed: If it cannot be read.
        """
        j, greeting = envelope.sender, Greeting.unpack(content)
        with self.changed:
            if why := self._mismatch(j, greeting):
                self.mismatched[j] = why
            else:
                self.mismatched.pop(j, None)
                before = self.known.get(j)
                self.known[j] = Known(greeting, not greeting.flags & LEAVING)
                if before is None or before.greeting.incarnation != greeting.incarnation or not before.there:
                    self.send(j)
            self.changed.notify_all()
        if greeting.heard != self.incarnation:
            self.send(j)

    def _mismatch(self, j: int, greeting: Greeting) -> str:
        """Returns why no link to a neighbour can open, as a sentence, or ""."""
        if greeting.digest != self._digest:
            return (
                f"{self.names[j]} runs another configuration (method, channel, seed, rounds or sizes); deploy all "
                "agents from the same plan."
            )
        here, there = self._weights[j], greeting.weight
        if (math.isnan(here) and math.isnan(there)) or math.isclose(here, there):
            return ""
        here, there = ("the Metropolis rule" if math.isnan(w) else f"{w:.6g}" for w in (here, there))
        return (
            f"the weight of the link to {self.names[j]} is {here} in this agent's file and {there} in that of "
            f"{self.names[j]}, so the network's average would be wrong; deploy all agents from the same plan, and "
            "restart those whose files have changed."
        )

    def gone(self, session: bytes) -> None:
        """Notes that a session has closed or fallen silent.

        Args:
            session: Its identifier.
        """
        with self.changed:
            for j, known in self.known.items():
                if known.greeting.session == session:
                    self.known[j] = known._replace(there=False)
            self.changed.notify_all()

    def connected(self, j: int) -> bool:
        """Returns whether a neighbour is there and both sides know each other.

        Args:
            j: The neighbour's identity.
        """
        known = self.known.get(j)
        return known is not None and known.there and known.greeting.heard == self.incarnation

    def round_of(self, j: int) -> int:
        """Returns the number of rounds that a neighbour had completed when it last greeted; 0 if it never has.

        Args:
            j: The neighbour's identity.
        """
        known = self.known.get(j)
        return 0 if known is None else known.greeting.round

    def has_finished(self, j: int) -> bool:
        """Returns whether a neighbour has completed its last round.

        Args:
            j: The neighbour's identity.
        """
        known = self.known.get(j)
        return known is not None and bool(known.greeting.flags & FINISHED)

    def finished(self, j: int) -> bool:
        """Returns whether a neighbour needs nothing more.

        Args:
            j: The neighbour's identity.
        """
        known = self.known.get(j)
        return known is None or not known.there or bool(known.greeting.flags & (FINISHED | LEAVING))

    def unconnected(self, seconds: float) -> list[int]:
        """Waits until all neighbours are there; returns those that are not.

        Args:
            seconds: The longest time to wait.
        """
        until = time.monotonic() + seconds
        with self.changed:
            while True:
                absent = [j for j in self.names if not self.connected(j)]
                left = until - time.monotonic()
                if not absent or left <= 0:
                    return absent
                self.changed.wait(min(left, 0.25))

    def send(self, j: int) -> None:
        """Greets a neighbour.

        Args:
            j: The neighbour's identity.
        """
        known, stand = self.known.get(j), self._stand(j)
        heard = bytes(8) if known is None else known.greeting.incarnation
        who = self._session(), self.incarnation, heard, self._digest, len(self.names)
        greeting = Greeting(*who, stand.round, stand.epoch, stand.opening, self.flags, self._weights[j])
        kind = Kind.FAREWELL if self.flags else Kind.GREETING
        envelope = Envelope(kind, self._run, 0, stand.round, 0, stand.epoch, self._number, j)
        self._send(j, pack(envelope, body_of(greeting.pack())))

    def send_to_all(self) -> None:
        """Greets all neighbours."""
        for j in self.names:
            self.send(j)

    def close(self) -> None:
        """Ends the greetings."""
        with self.changed:
            self._open = False
            self.changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def _greet(self) -> None:
        last = dict.fromkeys(self.names, 0.0)
        while self._open:
            now = time.monotonic()
            for j in self.names:
                if now - last[j] >= (ANSWERED if self.connected(j) else UNANSWERED):
                    self.send(j)
                    last[j] = now
            time.sleep(UNANSWERED / 2)
