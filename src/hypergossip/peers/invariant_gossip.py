"""The terms of the network's conserved sum on their way: what an agent tells its neighbours, and what it has received.

An entry whose links have something under way waits for the neighbours' projections. Complete entries spread through the
network (`invariant_table`). A message that is lost is sent again a few times; if it stays away, the sum of that round
remains unknown.
"""

import math
import struct
import threading
import time
from typing import Any, NamedTuple

from hypergossip.peers.agent_links import AgentLinks
from hypergossip.peers.agent_settings import AgentSettings
from hypergossip.peers.invariant_table import KEPT, MOST, Entry, Found, Table, pack_entries, unpack_entries
from hypergossip.peers.message import Envelope, Kind, Malformed, body_of, pack
from hypergossip.peers.snapshot import UnderWay

TICK = 0.25  # seconds between two messages to a neighbour
REPEATS = 4  # how often an entry is sent to each neighbour
PROJECTION_REPEATS = 8  # a projection has no other way than this one
LATER = 1000  # agents that may join while this one runs, above those that it knows of
_PROJECTION = struct.Struct("<d")


class Waiting(NamedTuple):
    """An entry that is complete when the projections of some neighbours have come.

    Attributes:
        entry: The entry, without what is under way.
        links: The neighbours -> the number of the link's opening, and what is known of it.
    """

    entry: Entry
    links: dict[int, tuple[int, UnderWay]]


class Projection(NamedTuple):
    """A projection for a neighbour.

    Attributes:
        round: The number of the round.
        epoch: The number of the link's opening.
        value: The projection.
        left: How often it is still to be sent.
    """

    round: int
    epoch: int
    value: float
    left: int = PROJECTION_REPEATS


class InvariantGossip:
    """What an agent tells and hears of the network's conserved sum; a thread of its own sends it."""

    def __init__(self, settings: AgentSettings, links: AgentLinks) -> None:
        """Begins to listen.

        Args:
            settings: The agent.
            links: Its links.
        """
        self._settings, self._links, self._run = settings, links, bytes.fromhex(settings.run)
        self.started = time.time_ns()
        self._lock, self._table = threading.Lock(), Table()
        self._waiting: dict[int, Waiting] = {}
        self._projections: dict[int, Projection] = {}
        names = tuple(links.greetings.names)
        self._received: dict[int, dict[int, tuple[int, float]]] = {j: {} for j in names}
        self._news: dict[int, dict[Entry, int]] = {j: {} for j in names}  # entry -> how often it is still to be sent
        self.found: Found | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._gossip, daemon=True)
        links.on_invariant = self.receive

    def start(self) -> None:
        """Begins to send."""
        self._thread.start()

    def close(self) -> None:
        """Ends it."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def publish(self, waiting: Waiting, projections: dict[int, Projection]) -> None:
        """Takes in the agent's own entry, and what its neighbours need to complete theirs.

        Args:
            waiting: The entry.
            projections: The neighbours' identities -> the projections for them.
        """
        with self._lock:
            self._waiting[waiting.entry.round] = waiting
            _newest(self._waiting)
            self._projections.update(projections)
            self._complete(waiting.entry.round)

    def receive(self, envelope: Envelope, content: bytes) -> None:
        """Takes in a projection or entries.

        Args:
            envelope: The header of the message.
            content: Its content.

        Raises:
            Malformed: If it cannot be used.
        """
        if envelope.kind == Kind.PROJECTION:
            self._receive_projection(envelope, content)
            return
        entries = unpack_entries(content, self._settings.agents + LATER, self._settings.rounds)
        with self._lock:
            for entry in entries:
                self._news[envelope.sender].pop(entry, None)  # the sender knows it already
                if entry.agent != self._settings.number:
                    self._spread(entry, envelope.sender)
                elif entry.started > self.started:  # of an earlier process, whose clock was ahead
                    self.started = entry.started + 1

    def _receive_projection(self, envelope: Envelope, content: bytes) -> None:
        if len(content) != _PROJECTION.size:
            raise Malformed("wrong size")
        if envelope.round >= self._settings.rounds:
            raise Malformed("of no round of this run")
        (value,) = _PROJECTION.unpack(content)
        if not math.isfinite(value):
            raise Malformed("not finite")
        with self._lock:
            received = self._received[envelope.sender]
            received[envelope.round] = envelope.epoch, value
            _newest(received)
            self._complete(envelope.round)

    def _complete(self, round: int) -> None:
        """Completes this agent's entry of a round, if all projections that it needs have come."""
        waiting = self._waiting.get(round)
        if waiting is None:
            return
        term = waiting.entry.term
        for j, (epoch, link) in waiting.links.items():
            received = self._received[j].get(round)
            if received is None or received[0] != epoch:
                return
            term += link.missing(received[1])
        del self._waiting[round]
        if math.isfinite(term):
            self._spread(waiting.entry._replace(term=term), None)

    def _spread(self, entry: Entry, source: int | None) -> None:
        if not self._table.add(entry):
            return
        for j, news in self._news.items():
            if j != source:
                news[entry] = REPEATS
                if len(news) > KEPT * self._table.agents:
                    del news[next(iter(news))]

    def _gossip(self) -> None:
        while not self._closed.wait(TICK):
            for j in self._news:
                for message in self._messages(j, self._links.greetings.connected(j)):
                    self._links.transport.send(j, message)
            with self._lock:
                found = self._table.found()
            if found is not None and (self.found is None or found.round >= self.found.round):
                self.found = found

    def _messages(self, j: int, connected: bool) -> list[bytes]:
        """Returns what is to be sent to a neighbour now; one that is not there is not told later either."""
        messages = []
        with self._lock:
            if not connected:
                self._projections.pop(j, None)
                self._news[j].clear()
            projection, entries = self._projections.pop(j, None), self._to_send(self._news[j])
            if projection is not None and projection.left > 1:
                self._projections[j] = projection._replace(left=projection.left - 1)
        at = self._run, 0
        ends = self._settings.number, j
        if projection is not None:
            head = Envelope(Kind.PROJECTION, *at, projection.round, 0, projection.epoch, *ends)
            messages.append(pack(head, body_of(_PROJECTION.pack(projection.value))))
        if entries:
            head = Envelope(Kind.ENTRIES, *at, entries[0].round, 0, 0, *ends)
            messages.append(pack(head, body_of(pack_entries(entries))))
        return messages

    def _to_send(self, news: dict[Entry, int]) -> list[Entry]:
        for entry in [entry for entry in news if entry not in self._table]:
            del news[entry]
        entries = list(news)[:MOST]
        for entry in entries:
            news[entry] -= 1
            if not news[entry]:
                del news[entry]
        return entries


def _newest(rounds: dict[int, Any]) -> None:
    """Leaves only the newest rounds in a dictionary."""
    while len(rounds) > KEPT:
        del rounds[min(rounds)]
