"""How many messages an agent sends, to whom at once, and which of its threads checks what comes."""

import threading
import time

import numpy as np
import pytest
from forged import EXPECTED, FLOAT64, ME, NEIGHBOURS, RUN, envelope, numbers, vector

from hypergossip.peers.agent_settings import Policy
from hypergossip.peers.exchange import FEWEST_MEASURED, Exchange
from hypergossip.peers.mailbox import MOST_HANDED_OVER, Mailbox, Place
from hypergossip.peers.message import ALL, Expected, Kind, body_of, pack, unpack

ONE, OTHER = NEIGHBOURS
ALL_OF_THEM = Policy("wait")
ALONE = Expected(RUN, ME, frozenset(NEIGHBOURS), ((5, FLOAT64),))


class Sent:
    """An exchange whose messages are noted, each with its receiver."""

    def __init__(self, possible: bool = True, policy: Policy = ALL_OF_THEM, dated: bool = False):
        self.box = Mailbox(ALONE, 2, lambda *_: None, time.monotonic)
        self.messages, self._possible = [], possible
        self.exchange = Exchange(ME, RUN, self.box, self._to_one, self._to_all, NEIGHBOURS, 2, policy, dated)

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
    sent.box.reopen(ONE, 1, 1)
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


def in_the_rounds_after_the_first(policy):
    """An exchange that has measured delays, and gives up after ten seconds."""
    sent, until = Sent(policy=policy, dated=True), time.monotonic() + 10
    sent.exchange.stopping = lambda: time.monotonic() > until
    for round in range(FEWEST_MEASURED):
        sent.round(round)
        came(sent, round, ONE, OTHER)
        assert sent.exchange.transfer(0, round).collect(0)[2].all()
    return sent


@pytest.mark.parametrize("policy", [Policy("wait"), Policy("deadline"), Policy("quorum"), Policy("quorum", 1.0)])
def test_nobody_waits_for_messages_that_are_no_longer_kept(policy):
    # An agent joins while the others, who do not wait for it until it confirms, are many rounds ahead.
    sent = in_the_rounds_after_the_first(policy)
    sent.exchange.round_of = lambda _: 1_000
    for round in range(FEWEST_MEASURED, FEWEST_MEASURED + 10):
        sent.round(round)
        assert not sent.exchange.transfer(0, round).collect(0)[2].any()
        assert sent.exchange.waiting_for == ()


@pytest.mark.parametrize("policy", [Policy("wait"), Policy("quorum"), Policy("quorum", 1.0)])
def test_an_agent_says_for_whom_it_waits(policy):
    sent = in_the_rounds_after_the_first(policy)
    sent.round(FEWEST_MEASURED)
    waits = []

    def arrive():
        waits.append(sent.exchange.waiting_for)
        came(sent, FEWEST_MEASURED, ONE, OTHER)

    threading.Timer(1.0, arrive).start()
    assert sent.exchange.transfer(0, FEWEST_MEASURED).collect(0)[2].any()
    assert waits == [NEIGHBOURS]
    assert sent.exchange.waiting_for == ()


def test_what_came_before_an_opening_was_agreed_is_its_last_message():
    sent = Sent()
    for round in (3, 4):
        sent.box.accept(pack(envelope(round=round, epoch=1), body_of(numbers())))
    sent.box.reopen(ONE, 1, 3)
    sent.box.reopen(OTHER, 1, 3)
    assert (sent.box.links[ONE].last_round, sent.box.links[OTHER].last_round) == (4, 2)


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
