"""How many messages an agent sends, to whom at once, and which of its threads checks what comes."""

import threading
import time

import numpy as np
import pytest
from forged import EXPECTED, FLOAT64, ME, NEIGHBOURS, RUN, envelope, numbers, vector

from hypergossip.peers.agent_settings import Policy
from hypergossip.peers.exchange import Exchange
from hypergossip.peers.mailbox import MOST_HANDED_OVER, Mailbox, Place
from hypergossip.peers.message import ALL, Expected, Kind, body_of, pack, unpack

ONE, OTHER = NEIGHBOURS
ALONE = Expected(RUN, ME, frozenset(NEIGHBOURS), ((5, FLOAT64),))


class Sent:
    """An exchange whose messages are noted, each with its receiver."""

    def __init__(self, possible: bool = True):
        self.box = Mailbox(ALONE, 2, lambda *_: None, time.monotonic)
        self.messages, self._possible = [], possible
        self.exchange = Exchange(
            ME, RUN, self.box, self._to_one, self._to_all, NEIGHBOURS, 2, Policy("wait"), dated=False
        )  # fmt: skip

    def _to_one(self, number, message, keeps_up):
        self.messages.append((number, keeps_up, message))

    def _to_all(self, message):
        if self._possible:
            self.messages.append((ALL, True, message))
        return self._possible

    def round(self, round, vector=None):
        """Sends the vector of a round; returns to whom, and whether at once."""
        self.messages.clear()
        vector = numbers() if vector is None else vector
        self.exchange.transfer(0, round).send(0, vector, vector)
        return [(number, keeps_up) for number, keeps_up, _ in self.messages]


def came(sent, round, *senders):
    for sender in senders:
        sent.box.accept(pack(envelope(round=round, sender=sender), body_of(numbers())))


def test_one_message_to_all_where_all_keep_up():
    sent = Sent()
    sent.round(0)
    came(sent, 0, ONE, OTHER)
    assert sent.round(1) == [(ALL, True)]
    message = sent.messages[0][2]
    for receiver, sender in ((8, ME), (9, ME)):
        head, found = unpack(message, Expected(RUN, receiver, frozenset({sender}), ((5, FLOAT64),)))
        assert (head.receiver, head.round) == (ALL, 1)
        np.testing.assert_array_equal(found, numbers())


def test_a_neighbour_whose_last_message_has_not_come_gets_its_own_from_the_queue():
    sent = Sent()
    sent.round(0)
    came(sent, 0, ONE, OTHER)
    sent.round(1)
    came(sent, 1, OTHER)
    assert sent.round(2) == [(ONE, False), (OTHER, True)]


def test_links_that_were_opened_anew_get_messages_of_their_own():
    sent = Sent()
    sent.round(0)
    came(sent, 0, ONE, OTHER)
    sent.box.reopen(ONE, 1)
    assert sorted(sent.round(1)) == sorted([(ONE, True), (OTHER, True)])
    assert {unpack(m, Expected(RUN, n, frozenset({ME}), ((5, FLOAT64),)))[0].epoch for n, _, m in sent.messages} == {
        0,
        1,
    }


def test_a_closed_link_gets_nothing():
    sent = Sent()
    sent.exchange.links[ONE].opening = None
    came(sent, 0, OTHER)
    assert sent.round(1) == [(OTHER, True)]


def test_what_cannot_go_to_all_goes_to_each():
    sent = Sent(possible=False)
    came(sent, 0, ONE, OTHER)
    assert sorted(sent.round(1)) == sorted([(ONE, True), (OTHER, True)])


def test_a_request_is_answered_from_the_queue():
    sent = Sent()
    came(sent, 0, ONE, OTHER)
    sent.round(1)
    sent.messages.clear()
    sent.exchange.resend(OTHER, Place(0, 0, 1))
    assert [(number, keeps_up) for number, keeps_up, _ in sent.messages] == [(OTHER, False)]


def test_requests_are_answered_while_rounds_add_to_what_is_kept():
    sent = Sent()
    stop, errors = threading.Event(), []

    def ask():
        while not stop.is_set():
            try:
                sent.exchange.resend(ONE, Place(0, 0, 0))
            except RuntimeError as error:
                errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    for round in range(20_000):
        sent.exchange._sent.keep(Place(0, 0, round), numbers(), numbers(), body_of(b""))
    stop.set()
    thread.join()
    assert errors == []


def checked_by(monkeypatch):
    """The threads that check messages, in order."""
    threads = []
    plain = Mailbox.accept

    def accept(self, *given):
        threads.append(threading.get_ident())
        plain(self, *given)

    monkeypatch.setattr(Mailbox, "accept", accept)
    return threads


def receiving(box, messages):
    """Another thread that receives messages a moment later."""
    thread = threading.Timer(0.1, lambda: [box.receive(message) for message in messages])
    thread.start()
    return thread


def test_a_thread_that_waits_checks_the_messages_itself(monkeypatch):
    box, threads = Mailbox(EXPECTED, 2, lambda *_: None, time.monotonic), checked_by(monkeypatch)
    other = receiving(box, [vector(round=0), vector(round=0, sender=OTHER)])
    assert box.wait(Place(0, 0, 0), NEIGHBOURS, 30.0) == []
    assert set(threads) == {threading.get_ident()}
    other.join()
    receiving(box, [vector(round=1)]).join()
    assert len(threads) == 3
    assert threads[2] != threading.get_ident()
    assert box.links[ONE].last_round == 1


def test_a_flood_is_bounded_and_does_not_hold_up_who_waits(monkeypatch):
    box, threads = Mailbox(EXPECTED, 2, lambda *_: None, time.monotonic), checked_by(monkeypatch)
    forged = vector(run=bytes(16))
    begin = time.monotonic()
    other = receiving(box, [forged] * 5_000 + [vector(round=0), vector(round=0, sender=OTHER)])
    assert box.wait(Place(0, 0, 0), NEIGHBOURS, 30.0) == []
    assert time.monotonic() - begin < 20
    other.join()
    assert len(box._handed_over) <= MOST_HANDED_OVER
    assert box.dropped["another run"] + len(box._handed_over) >= 5_000
    assert len(set(threads)) <= 2


@pytest.mark.parametrize("kind", [Kind.GREETING, Kind.RESEND])
def test_other_messages_never_wait_for_the_computing_thread(kind):
    came_in = []
    box = Mailbox(EXPECTED, 2, lambda head, _: came_in.append((head.kind, threading.get_ident())), time.monotonic)
    receiving(box, [pack(envelope(kind=kind), body_of(b""))])
    box.wait(Place(0, 0, 0), NEIGHBOURS, 0.4)
    assert [k for k, _ in came_in] == [kind]
    assert came_in[0][1] != threading.get_ident()
