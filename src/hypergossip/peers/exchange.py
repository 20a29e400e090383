"""An agent's messages of its rounds: sent to every neighbour, and awaited as the policy says."""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from hypergossip.peers.agent_settings import Policy
from hypergossip.peers.mailbox import Mailbox, Place
from hypergossip.peers.message import ALL, Body, Envelope, Kind, body_of, pack
from hypergossip.peers.round_program import Transfer
from hypergossip.peers.sent_vectors import SentVectors

FIRST_PATIENCE, LONGEST_PATIENCE = 0.02, 0.5  # seconds between two requests for a message that has not come
GROWTH = 1.5  # of that time, with each request
MEASURED = 64  # the delays from which deadlines follow
FEWEST_MEASURED = 8  # before, every round waits
SHORTEST_DEADLINE = 0.002
POLL = 0.25  # seconds between two looks at whether a link is still there


class Stopped(Exception):
    """The agent stops while it waits for its neighbours."""


@dataclass
class Outgoing:
    """A link, as its sender has it.

    Attributes:
        number: The neighbour's identity.
        row: Its row among the agent's links.
        opening: The round from which the link counts; None: it is closed.
        bases: What the messages of this opening are counted from: seed and call -> the vector that was sent and what it
            was compared with, in the last round before the opening. Empty: from zero.
        missed: The number of rounds in which the agent continued without the neighbour.
        missed_in_a_row: The number of the last rounds in which it did.
    """

    number: int
    row: int
    opening: int | None = 0
    bases: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    missed: int = 0
    missed_in_a_row: int = 0


class Exchange:
    """Sends an agent's vectors and collects those of its neighbours."""

    def __init__(
        self,
        number: int,
        run: bytes,
        mailbox: Mailbox,
        send: Callable[[int, bytes, bool], None],
        send_to_all: Callable[[bytes], bool],
        neighbours: Sequence[int],
        degree: int,
        policy: Policy,
        dated: bool,
    ) -> None:
        """Prepares an exchange.

        Args:
            number: The agent's identity.
            run: The identifier of the run.
            mailbox: What has come.
            send: Sends a message to a neighbour: its identity, the message, and whether the neighbour keeps up.
            send_to_all: Sends a message to all neighbours at once; returns whether it could.
            neighbours: The neighbours' identities, in the order of the agent's links.
            degree: The number of links, at least that of the neighbours.
            policy: What to do when a message has not come.
            dated: As for `traced_round`.
        """
        self._number, self._run, self._mailbox = number, run, mailbox
        self._send, self._send_at_once = send, send_to_all
        self._degree, self._policy, self._dated = degree, policy, dated
        self.links = {j: Outgoing(j, row) for row, j in enumerate(neighbours)}
        self._sent = SentVectors(self.kept_rounds if dated else 2)
        self._delays: deque[float] = deque(maxlen=MEASURED)
        self._busy: deque[float] = deque(maxlen=MEASURED)
        self._rounds: deque[float] = deque(maxlen=MEASURED)
        self._began = 0.0
        self._ended: float | None = None  # None: what passes now is no part of a round
        # An agent that runs by itself sets whether it stops, whom a round does not await, and others' rounds.
        self.stopping: Callable[[], bool] = lambda: False
        self.not_awaited: Callable[[int], bool] = lambda _: False
        self.round_of: Callable[[int], int] = lambda _: 0
        self.waiting_for: tuple[int, ...] = ()

    @property
    def kept_rounds(self) -> int:
        """The number of rounds whose own vectors are kept."""
        return self._policy.ahead + 6

    def transfer(self, seed: int, round: int) -> Transfer:
        """Returns how the parts of a round send and receive.

        Args:
            seed: The index of the seed.
            round: The number of the round.
        """
        return Transfer(
            lambda call, vector, own: self._send_to_all(Place(seed, call, round), vector, own),
            lambda call: self._collect(Place(seed, call, round)),
        )

    def pause(self) -> None:
        """Notes that the agent does something else between two rounds, which is not measured."""
        self._ended = None

    def resend(self, number: int, place: Place) -> None:
        """Sends a message again, if it is still kept.

        Args:
            number: The neighbour that asks for it.
            place: The place of the message.
        """
        sent = self._sent.at(place)
        if sent is not None:
            self._send_one(self.links[number], place, sent.vector, sent.body, at_once=False)

    def own_at(self, seed: int, call: int, round: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Returns what the agent sent in a round, and what it compared with, or None if it is no longer kept.

        Args:
            seed: The index of the seed.
            call: The place of the message in its round.
            round: The round.
        """
        sent = self._sent.at(Place(seed, call, round))
        return None if sent is None else (sent.vector, sent.own)

    def _send_to_all(self, place: Place, vector: np.ndarray, own: np.ndarray) -> None:
        body = body_of(vector)
        self._sent.keep(place, vector, own, body)
        self._mailbox.begin(place)
        self._began = time.monotonic()
        if self._ended is not None:
            self._busy.append(self._began - self._ended)
        epoch = self._epoch_of_all(place)
        if epoch is not None:
            at = (place.seed, place.round, place.call, epoch, self._number, ALL)
            if self._send_at_once(pack(Envelope(Kind.VECTOR, self._run, *at), body)):
                return
        for link in self.links.values():
            self._send_one(link, place, vector, body)

    def _epoch_of_all(self, place: Place) -> int | None:
        """Returns the opening that all links have in common; None if they need messages of their own, or one is late.

        A neighbour that keeps up reads what it is sent, so that sending to it never waits.
        """
        epochs = set()
        for j, link in self.links.items():
            box = self._mailbox.links[j]
            if link.opening is None or place.round < link.opening or link.bases or box.last_round < place.round - 1:
                return None
            epochs.add(box.epoch)
        return epochs.pop() if len(epochs) == 1 else None

    def _send_one(self, link: Outgoing, place: Place, vector: np.ndarray, body: Body, at_once: bool = True) -> None:
        if link.opening is None or place.round < link.opening:
            return
        if link.bases:
            body = body_of(vector - link.bases[place[:2]][0])
        box = self._mailbox.links[link.number]
        at = (place.seed, place.round, place.call, box.epoch, self._number, link.number)
        keeps_up = at_once and box.last_round >= place.round - 1
        self._send(link.number, pack(Envelope(Kind.VECTOR, self._run, *at), body), keeps_up)

    def _check_stopping(self) -> None:
        if self.stopping():
            raise Stopped

    def _ask(self, number: int, place: Place) -> None:
        epoch = self._mailbox.links[number].epoch
        at = (place.seed, place.round, place.call, epoch, self._number, number)
        self._send(number, pack(Envelope(Kind.RESEND, self._run, *at), body_of(b"")), False)

    def _counting(self, place: Place) -> list[int]:
        """Returns the neighbours that are there and whose links count in a round."""
        open_ones = [j for j, link in self.links.items() if link.opening is not None and link.opening <= place.round]
        return [j for j in open_ones if not self.not_awaited(j)]

    def _can_come(self, place: Place) -> list[int]:
        """Returns the neighbours whose messages of a round can be waited for.

        One that is so far ahead that it no longer keeps its message cannot send it again; a later one pays for it.
        """
        ahead = lambda j: max(self.round_of(j), self._mailbox.links[j].last_round) - place.round
        return [j for j in self._counting(place) if not self._dated or ahead(j) < self.kept_rounds]

    def _collect(self, place: Place) -> tuple[np.ndarray, ...]:
        if self._policy.name == "wait":
            self._wait_for(place, 1.0)
        else:
            self._wait_until_deadline(place)
        taken, now = self._taken(place), time.monotonic()
        if self._ended is not None:
            self._rounds.append(now - self._ended)
        self._ended = now
        return taken

    def _wait_for(self, place: Place, share: float, only: Callable[[int], bool] = lambda _: True) -> None:
        """Waits for a share of the neighbours, and asks them again for what does not come."""
        asked, patience = time.monotonic(), 0.0
        while True:
            wanted = [j for j in self._can_come(place) if only(j)]
            if not wanted:
                self.waiting_for = ()
                return
            enough = math.ceil(share * len(wanted))
            absent = self._mailbox.wait(place, wanted, min(POLL, patience or FIRST_PATIENCE), enough)
            self.waiting_for = tuple(absent)
            self._check_stopping()
            if len(wanted) - len(absent) >= enough:
                self.waiting_for = ()
                self._measure()
                return
            patience = patience or self._patience()  # most rounds end before this is needed
            if time.monotonic() - asked >= patience:
                for j in absent:
                    self._ask(j, place)
                asked, patience = time.monotonic(), min(GROWTH * patience, LONGEST_PATIENCE)

    def _wait_until_deadline(self, place: Place) -> None:
        """Waits as long as the measured rounds let expect, and longer for whom it has missed several times in a row."""
        if len(self._delays) < FEWEST_MEASURED:
            self._wait_for(place, 1.0)
            return
        if self._policy.name == "quorum":
            self._wait_for(place, self._policy.quorum)
        else:
            left = self._began + self.deadline() - time.monotonic()
            self._mailbox.wait(place, self._counting(place), max(0.0, left), overtaken=True)
        self._measure()
        self._wait_for(place, 1.0, lambda j: self.links[j].missed_in_a_row >= self._policy.ahead)

    def deadline(self) -> float:
        """Returns how long after its own message an agent waits for the others': what the measured rounds let expect.

        It is thrice the median of the delays and of the agent's own time for a round. Messages that were there
        before count as a delay of zero: an agent that has waited for a lost message is late for its neighbours itself,
        which must not make their deadlines longer and longer.
        """
        return max(SHORTEST_DEADLINE, 3 * (_quantile(self._delays) + _quantile(self._busy)))

    def _patience(self) -> float:
        """Returns after what time the agent asks for a message that has not come."""
        # The shortest round and the lower quartile of the delays are those of messages that nobody had to ask for.
        usual = max(_quantile(self._delays, 0.25), _quantile(self._rounds, 0.0), 0.5 * _quantile(self._busy))
        return min(max(FIRST_PATIENCE, 4 * usual), LONGEST_PATIENCE)

    def _measure(self) -> None:
        """Notes how long after the agent's own message those of its neighbours came."""
        with self._mailbox.changed:
            self._delays.extend(max(0.0, at - self._began) for at in self._mailbox.arrivals.values())
            self._mailbox.arrivals.clear()

    def _taken(self, place: Place) -> tuple[np.ndarray, ...]:
        """Returns what has come, as the traced round takes it."""
        _, vector, own, _ = self._sent.last(place)
        theirs = np.zeros((self._degree, *vector.shape), vector.dtype)
        if not self._dated:
            for j, link in self.links.items():
                theirs[link.row] = self._mailbox.take(place, j)
            return (theirs,)
        counting = set(self._counting(place))
        owns, arrived = np.broadcast_to(own, theirs.shape), np.zeros(self._degree, bool)
        for j, link in self.links.items():
            if j not in counting:
                continue
            numbers = self._mailbox.take(place, j)
            link.missed += numbers is None
            link.missed_in_a_row = link.missed_in_a_row + 1 if numbers is None else 0
            if numbers is None:
                continue
            theirs[link.row], arrived[link.row] = numbers, True
            if link.bases:
                owns = owns if owns.flags.writeable else owns.copy()
                owns[link.row] = own - link.bases[place[:2]][1]
        return theirs, owns, arrived


def _quantile(times: Sequence[float], share: float = 0.5) -> float:
    return sorted(times)[int(share * (len(times) - 1))] if times else 0.0
