"""What a mailbox takes, what it drops and counts, and how much it holds."""

import threading
import time

import numpy as np
import pytest
from forged import EXPECTED, NEIGHBOURS, envelope, text, vector

from hypergossip.peers.mailbox import Mailbox, Place
from hypergossip.peers.message import Kind, Malformed, body_of, pack

AHEAD = 3
ONE, OTHER = NEIGHBOURS


def box(control=lambda *_: None) -> Mailbox:
    return Mailbox(EXPECTED, AHEAD, control, time.monotonic)


def numbered(round: int, **more) -> bytes:
    """A vector that consists of its round's number."""
    return pack(envelope(round=round, **more), body_of(np.full(5, float(round))))


def taken(mailbox: Mailbox, round: int, number: int = ONE):
    mailbox.begin(Place(0, 0, round))
    found = mailbox.take(Place(0, 0, round), number)
    return None if found is None else (round, found[0])


def test_a_message_is_handed_out_once():
    mailbox = box()
    mailbox.accept(numbered(0))
    assert taken(mailbox, 0, OTHER) is None
    assert taken(mailbox, 0) == (0, 0.0)
    assert taken(mailbox, 0) is None
    assert mailbox.links[ONE].received == 1


def test_a_message_of_a_later_round_waits_for_it():
    mailbox = box()
    mailbox.accept(numbered(1))
    assert taken(mailbox, 0) is None
    assert taken(mailbox, 1) == (1, 1.0)


def test_a_newer_message_supersedes_older_ones():
    mailbox = box()
    for round in (1, 0, 2):
        mailbox.accept(numbered(round))
    assert taken(mailbox, 2) == (2, 2.0)
    assert mailbox.links[ONE].pending == {}
    assert taken(mailbox, 3) is None


def test_calls_seeds_and_neighbours_do_not_supersede_each_other():
    mailbox = box()
    mailbox.accept(numbered(1))
    mailbox.accept(numbered(0, seed=1))
    mailbox.accept(numbered(0, sender=OTHER))
    mailbox.accept(vector(round=0, call=1))
    assert mailbox.take(Place(1, 0, 0), ONE)[0] == 0
    assert mailbox.take(Place(0, 1, 0), ONE) is not None
    assert taken(mailbox, 0, OTHER) == (0, 0.0)
    assert taken(mailbox, 1) == (1, 1.0)


def reasons(mailbox: Mailbox) -> dict[str, int]:
    return dict(mailbox.links[ONE].dropped)


def test_a_repeated_message_is_dropped_before_and_after_its_use():
    mailbox = box()
    mailbox.accept(numbered(0))
    mailbox.accept(numbered(0))
    assert taken(mailbox, 0) == (0, 0.0)
    mailbox.accept(numbered(0))
    assert reasons(mailbox) == {"repeated": 2}
    assert taken(mailbox, 0) is None


def test_a_message_after_a_newer_one_was_used_is_too_late():
    mailbox = box()
    mailbox.accept(numbered(2))
    assert taken(mailbox, 2) == (2, 2.0)
    mailbox.accept(numbered(1))
    assert reasons(mailbox) == {"too late": 1}
    assert taken(mailbox, 3) is None


def test_a_message_too_far_ahead_is_dropped_and_taken_later():
    mailbox = box()
    mailbox.accept(numbered(AHEAD + 2))
    mailbox.accept(numbered(AHEAD + 3))
    assert reasons(mailbox) == {"too far ahead": 1}
    mailbox.begin(Place(0, 0, 1))
    mailbox.accept(numbered(AHEAD + 3))
    assert reasons(mailbox) == {"too far ahead": 1}
    assert taken(mailbox, AHEAD + 3) == (AHEAD + 3, AHEAD + 3.0)


def test_there_is_room_for_a_lost_message_that_is_sent_again():
    mailbox = box()
    for round in range(1, AHEAD + 3):
        mailbox.accept(numbered(round))
    mailbox.accept(numbered(0))
    assert reasons(mailbox) == {}
    assert taken(mailbox, 0) == (0, 0.0)


def test_messages_that_nobody_took_leave_room_for_later_rounds():
    mailbox = box()
    for round in range(20):
        mailbox.begin(Place(0, 0, round))
        mailbox.accept(numbered(round))
    assert reasons(mailbox) == {}
    assert taken(mailbox, 19) == (19, 19.0)
    mailbox.accept(numbered(3))
    assert reasons(mailbox) == {"too late": 1}


@pytest.mark.parametrize("epoch", [0, 3, 2**32 - 1])
def test_a_message_of_another_opening_is_dropped(epoch):
    mailbox = box()
    mailbox.reopen(ONE, 1, 0)
    mailbox.accept(numbered(0, epoch=epoch))
    assert reasons(mailbox) == {"of another opening of the link": 1}
    assert taken(mailbox, 0) is None


def test_what_comes_for_the_next_opening_is_kept_for_it():
    mailbox = box()
    mailbox.accept(numbered(0))
    mailbox.accept(numbered(5, epoch=1))
    mailbox.reopen(ONE, 1, 0)
    assert taken(mailbox, 0) is None
    assert taken(mailbox, 5) == (5, 5.0)


def test_a_new_opening_may_repeat_the_rounds_of_the_last():
    mailbox = box()
    mailbox.accept(numbered(2))
    assert taken(mailbox, 2) == (2, 2.0)
    mailbox.restart(0)
    mailbox.reopen(ONE, 1, 0)
    mailbox.accept(numbered(0, epoch=1))
    assert taken(mailbox, 0) == (0, 0.0)


def test_memory_is_bounded_for_every_neighbour_by_itself():
    mailbox = box()
    most = (AHEAD + 3) * len(EXPECTED.sizes) * EXPECTED.seeds
    for round in range(most + 50):  # for the next opening, of which the mailbox does not know the rounds yet
        mailbox.accept(numbered(round, epoch=1))
    assert len(mailbox.links[ONE].pending) == most
    assert reasons(mailbox) == {"more than fit in memory": 50}
    mailbox.accept(numbered(0, sender=OTHER))
    assert taken(mailbox, 0, OTHER) == (0, 0.0)


def test_what_a_neighbour_may_send_fits():
    mailbox = box()
    for seed in range(EXPECTED.seeds):
        for round in range(AHEAD + 2):
            for call in range(len(EXPECTED.sizes)):
                mailbox.accept(vector(seed=seed, round=round, call=call))
    assert not mailbox.links[ONE].dropped


def test_nothing_malformed_is_handed_out():
    control = []
    mailbox = box(lambda *given: control.append(given))
    random = np.random.default_rng(0)
    good = [numbered(0), text(Kind.GREETING, b"hello")]
    sent = 4_000
    for k in range(sent):
        message = bytearray(good[k % 2])
        place = int(random.integers(8 * len(message)))
        message[place // 8] ^= 1 << place % 8
        mailbox.accept(bytes(message) if k % 3 else random.bytes(len(message)))
    assert taken(mailbox, 2**32 - 1) is None
    assert control == []
    assert sum(mailbox.dropped.values()) == sent
    assert len(mailbox.dropped) < 20  # the reasons are few, whatever comes


def test_other_messages_go_to_who_asked_for_them():
    came = []
    mailbox = box(lambda envelope, content: came.append((envelope.kind, content)))
    for kind, content in ((Kind.GREETING, b"a"), (Kind.RESEND, b""), (Kind.FAREWELL, b"b")):
        mailbox.accept(text(kind, content))
    assert came == [(Kind.GREETING, b"a"), (Kind.RESEND, b""), (Kind.FAREWELL, b"b")]
    assert all(not link.pending for link in mailbox.links.values())


def test_content_that_cannot_be_used_is_counted_for_its_sender():
    def control(*_):
        raise Malformed("wrong size")

    mailbox = box(control)
    mailbox.accept(text(Kind.GREETING, b"a"))
    assert reasons(mailbox) == {"wrong size": 1}


def test_waiting_ends_as_soon_as_all_is_there():
    mailbox, place = box(), Place(0, 0, 0)
    mailbox.accept(numbered(0))
    assert mailbox.wait(place, NEIGHBOURS, 0.0) == [OTHER]
    assert mailbox.wait(place, NEIGHBOURS, 0.0, enough=1) == [OTHER]
    threading.Timer(0.1, lambda: mailbox.accept(numbered(0, sender=OTHER))).start()
    begin = time.monotonic()
    assert mailbox.wait(place, NEIGHBOURS, 30.0) == []
    assert time.monotonic() - begin < 10


def test_waiting_ends_with_the_quorum():
    mailbox, place = box(), Place(0, 0, 0)
    threading.Timer(0.1, lambda: mailbox.accept(numbered(0, sender=OTHER))).start()
    begin = time.monotonic()
    assert mailbox.wait(place, NEIGHBOURS, 30.0, enough=1) == [ONE]
    assert time.monotonic() - begin < 10


def test_waiting_ends_at_its_time_whatever_else_comes():
    mailbox = box()
    stop = threading.Event()

    def others():
        while not stop.wait(0.005):
            mailbox.accept(numbered(1, sender=OTHER))

    thread = threading.Thread(target=others)
    thread.start()
    begin = time.monotonic()
    assert mailbox.wait(Place(0, 0, 0), NEIGHBOURS, 0.2) == [ONE, OTHER]
    assert 0.15 < time.monotonic() - begin < 5
    stop.set()
    thread.join()


def test_what_was_there_before_the_agent_counts_as_no_delay():
    times = iter([5.0, 9.0, 11.0])
    mailbox = Mailbox(EXPECTED, AHEAD, lambda *_: None, lambda: next(times))
    mailbox.accept(numbered(0))
    mailbox.begin(Place(0, 0, 0))
    mailbox.accept(numbered(0, sender=OTHER))
    assert mailbox.arrivals == {ONE: 9.0, OTHER: 11.0}
