"""The messages by which agents compute the network's invariant: what is accepted, kept, and taken together."""

import math
import struct
from collections import Counter
from typing import Any

import pytest
from several_agents import SeveralAgents

from hypergossip.peers.invariant_gossip import LATER, Projection, Waiting
from hypergossip.peers.invariant_table import (
    FACTOR,
    KEPT,
    LATEST,
    MODULUS,
    MOST,
    Entry,
    Table,
    mark,
    pack_entries,
    unpack_entries,
)
from hypergossip.peers.message import Envelope, Kind, Malformed, body_of, pack
from hypergossip.peers.snapshot import UnderWay

RUN = bytes.fromhex("5c" * 16)
AGENTS, ROUNDS = 4, 100_000


def entry(agent: int = 0, round: int = 7, **changed: Any) -> Entry:
    """An entry of an agent without links."""
    return Entry(agent, round, started=5, marks=0, term=0.25, size=2.0, rounding=1e-16)._replace(**changed)


def linked(*links: tuple[int, int], round: int = 7, terms: Any = None, **changed: Any) -> dict[int, Entry]:
    """The entries of agents that count these links."""
    marks: Counter[int] = Counter()
    for i, j in links:
        for one, other in ((i, j), (j, i)):
            marks[one] += mark((one, bytes([one] * 8)), (other, bytes([other] * 8)), 3)
    return {i: entry(i, round, marks=m % MODULUS, term=(terms or {}).get(i, 0.0), **changed) for i, m in marks.items()}


def table_of(*entries: Entry) -> Table:
    """A table of entries."""
    table = Table()
    for one in entries:
        assert table.add(one)
    return table


def test_the_marks_of_the_two_ends_of_a_link_cancel_if_both_mean_the_same_opening():
    one, other = (3, b"a" * 8), (7, b"b" * 8)
    assert (mark(one, other, 4) + mark(other, one, 4)) % MODULUS == 0
    assert 0 <= mark(other, one, 4) < MODULUS
    assert (mark(one, other, 4) + mark(other, one, 5)) % MODULUS != 0
    assert (mark(one, other, 4) + mark((7, b"c" * 8), one, 4)) % MODULUS != 0


def test_a_sum_is_known_when_no_agent_is_missing():
    whole = linked((0, 1), (1, 2), (2, 3), terms={0: 3.0, 1: -1.0, 2: 0.5})
    for left_out in range(4):
        assert table_of(*(one for i, one in whole.items() if i != left_out)).found() is None
    found = table_of(*whole.values()).found()
    assert (found.round, found.agents) == (7, 4)
    assert found.value == pytest.approx(2.5 / 4)  # four agents of size 2
    assert found.limit == pytest.approx(FACTOR * 2e-16 / 4)


def test_an_agent_that_has_left_is_not_missed_and_a_later_round_counts():
    table = table_of(*linked((0, 1), (1, 2), (2, 3)).values(), *linked((0, 1), (1, 2), round=15).values())
    assert (table.found().round, table.found().agents) == (15, 3)
    for one in list(linked((0, 1), (1, 2), (2, 3), round=23).values())[:3]:
        table.add(one)
    assert table.found().round == 15


def test_a_link_of_which_only_one_end_has_noticed_that_it_closed_makes_a_round_incomplete():
    before, after = linked((0, 1), (1, 2), (2, 0)), linked((0, 1), (1, 2))
    assert table_of(before[0], after[1], after[2]).found() is None


def test_a_table_keeps_few_rounds_and_forgets_an_earlier_process():
    table = table_of(*(entry(0, round) for round in range(100)))
    assert [round for round in range(100) if entry(0, round) in table] == list(range(100 - KEPT, 100))
    assert not table.add(entry(0, 50))
    assert not table.add(entry(0, 99, term=1.0))
    assert not table.add(entry(0, 150, started=4))
    assert table.add(entry(0, 50, started=6))
    assert entry(0, 99) not in table


WRONG = {
    "wrong size": [b"", b"x", pack_entries([entry()])[:-1], pack_entries([entry()] * (MOST + 1)), b"x" * 60_000],
    "an entry of no agent": [pack_entries([entry(), entry(AGENTS + LATER)])],
    "an entry of no round": [pack_entries([entry(round=ROUNDS)])],
    "an entry of no process": [pack_entries([entry(started=LATEST)])],
    "not finite": [
        pack_entries([entry(**{name: value})])
        for name, value in (
            ("term", math.nan), ("term", math.inf), ("size", -1.0), ("size", math.nan), ("size", math.inf),
            ("rounding", -1.0), ("rounding", math.inf), ("rounding", math.nan),
        )
    ],
}  # fmt: skip


@pytest.mark.parametrize("reason", WRONG)
def test_malformed_entries_are_refused(reason):
    for content in WRONG[reason]:
        with pytest.raises(Malformed, match=reason):
            unpack_entries(content, AGENTS, ROUNDS)


def test_entries_are_read_as_they_were_sent():
    entries = [entry(agent, round, marks=2**64 - 1) for agent in range(AGENTS) for round in (0, ROUNDS - 1)]
    assert unpack_entries(pack_entries(entries), AGENTS, ROUNDS) == entries


@pytest.fixture
def agent(tmp_path):
    made = SeveralAgents(tmp_path).make(0)
    yield made
    made.close()


def sent(agent: Any, kind: Kind, content: bytes, round: int = 7, epoch: int = 0, sender: int = 1) -> None:
    """Gives an agent a message."""
    agent.links.mailbox.accept(pack(Envelope(kind, RUN, 0, round, 0, epoch, sender, 0), body_of(content)))


def test_malformed_messages_are_dropped_and_counted_and_fill_no_memory(agent):
    gossip, dropped = agent._invariant._gossip, agent.links.mailbox.links[1].dropped
    for reason, contents in WRONG.items():
        before = dropped[reason]
        for content in contents:
            sent(agent, Kind.ENTRIES, content)
        assert dropped[reason] == before + len(contents)
    before = dropped.total()
    sent(agent, Kind.PROJECTION, bytes(7))
    sent(agent, Kind.PROJECTION, struct.pack("<d", math.inf))
    sent(agent, Kind.PROJECTION, bytes(8), round=ROUNDS)
    assert dropped.total() == before + 3
    assert not any(gossip._received.values())
    assert not any(gossip._news.values())
    for round in range(3_000):
        sent(agent, Kind.PROJECTION, bytes(8), round=round)
        sent(agent, Kind.ENTRIES, pack_entries([entry(i, round, started=round) for i in range(AGENTS)]))
    assert len(gossip._received[1]) == KEPT
    assert sum(map(len, gossip._table._entries.values())) <= AGENTS * KEPT
    assert all(len(news) <= AGENTS * KEPT for news in gossip._news.values())
    assert not gossip._news[1]  # who has sent an entry is not told it
    assert dropped.total() == before + 3
    sent(agent, Kind.ENTRIES, pack_entries([entry()]), sender=2)  # no neighbour
    assert agent.links.mailbox.dropped["not a neighbour"] == 1


def test_an_entry_waits_for_what_is_under_way_on_the_same_opening(agent):
    gossip = agent._invariant._gossip
    own = entry(0, 7, started=gossip.started)
    gossip.publish(Waiting(own, {1: (3, UnderWay(weight=0.5, own=1.0, added=2.0))}), {1: Projection(7, 3, 1.0)})
    assert not any(gossip._news.values())
    sent(agent, Kind.PROJECTION, struct.pack("<d", 100.0), round=7, epoch=2)
    sent(agent, Kind.PROJECTION, struct.pack("<d", 100.0), round=6, epoch=3)
    assert not any(gossip._news.values())
    sent(agent, Kind.PROJECTION, struct.pack("<d", 7.0), round=7, epoch=3)
    assert own._replace(term=0.25 + 0.5 * (7 - 1 - 2)) in gossip._table
    assert all(gossip._news.values())


def test_what_is_news_is_sent_a_few_times(agent):
    gossip = agent._invariant._gossip
    gossip.publish(Waiting(entry(0, 7), {}), {1: Projection(7, 3, 1.0, left=3)})
    counts = [len(gossip._messages(1, True)) for _ in range(6)]
    assert counts == [2, 2, 2, 1, 0, 0]
    assert len(gossip._messages(3, True)) == 1
    gossip._messages(3, False)  # is no longer there
    assert gossip._messages(3, True) == []


def test_an_agent_whose_clock_was_set_back_is_still_heard(agent):
    gossip = agent._invariant._gossip
    later = gossip.started + 10**12
    sent(agent, Kind.ENTRIES, pack_entries([entry(0, started=later)]))
    assert gossip.started == later + 1
    assert entry(0, started=later) not in gossip._table


def test_other_agents_do_not_expect_these_messages(agent):
    from hypergossip.peers.agent_links import _not_expected

    agent.links.on_invariant = _not_expected
    sent(agent, Kind.ENTRIES, pack_entries([entry()]))
    assert agent.links.mailbox.links[1].dropped == {"no invariant is computed here": 1}
