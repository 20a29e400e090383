"""Malformed, forged and repeated messages change nothing: no result, and no memory."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged import with_field

from hypergossip.peers.agent_links import AgentLinks
from hypergossip.peers.agent_settings import Policy
from hypergossip.peers.certificates import Authority
from hypergossip.peers.link_settings import key_to, settings
from hypergossip.peers.message import HEADER, Envelope, Kind, body_of, pack
from hypergossip.support.ports import free_ports

RUN, ENTRIES, ROUNDS = "0f" * 16, 40, 300
FRAMES, OVER_THE_NETWORK = 100_000, 4_000
SENDER = 8  # the place of the sender in a header


class Pair:
    """Two neighbours in this process, over loopback under mutual TLS."""

    def __init__(self, folder: Path) -> None:
        self.ports = free_ports(2)
        authority = Authority.create("this test")
        self.links = [self._links(i, authority, folder) for i in (0, 1)]
        assert all(not links.greetings.unconnected(20.0) for links in self.links)

    def _links(self, i: int, authority: Authority, folder: Path) -> AgentLinks:
        other, (mine, theirs) = 1 - i, (f"tls/127.0.0.1:{self.ports[k]}" for k in (i, 1 - i))
        files = authority.issue(f"agent-{i}", ["127.0.0.1"], folder, f"agent-{i}")
        names = {f"agent-{other}": other}
        return AgentLinks(
            number=i,
            run=RUN,
            config=settings([mine], [theirs], run=RUN, certificates=files, names=names, loopback=True),
            neighbours={other: f"agent-{other}"},
            sizes=((ENTRIES, np.dtype("<f8")),),
            degree=1,
            seeds=1,
            digest=bytes(16),
            policy=Policy("wait"),
            dated=False,
            opening=0,
        )

    def close(self) -> None:
        for links in self.links:
            links.close()

    def run(self, first: int, last: int) -> np.ndarray:
        """Both agents' numbers after rounds in which each takes a part of the other's; the same for equal rounds."""
        points = np.random.default_rng(first).standard_normal((2, ENTRIES))

        def rounds(i: int) -> None:
            for round in range(first, last):
                post = self.links[i].exchange.transfer(0, round)
                post.send(0, points[i], points[i])
                points[i] += 0.3 * (post.collect(0)[0][0] - points[i]) + np.sin(round + points[i])

        threads = [threading.Thread(target=rounds, args=(i,)) for i in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
        return points


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.close()


def resident() -> float:
    """This process's memory in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def expected(folder: Path) -> np.ndarray:
    """The result of a pair that nobody disturbs."""
    folder.mkdir()
    made = Pair(folder)
    try:
        return made.run(0, ROUNDS)
    finally:
        made.close()


def frames(random: Any) -> Callable[[], bytes]:
    """Returns what makes one wrong message after another for agent 0."""
    numbers = body_of(random.standard_normal(ENTRIES))
    head = Envelope(Kind.VECTOR, bytes.fromhex(RUN), 0, 2**31, 0, 0, sender=1, receiver=0)  # far ahead
    good = [pack(head._replace(kind=kind), numbers if kind == Kind.VECTOR else body_of(b"x" * 50)) for kind in Kind]
    nan = pack(head._replace(round=0), body_of(np.full(ENTRIES, np.nan)))

    def flipped() -> bytes:
        message = bytearray(good[random.integers(len(good))])
        place = int(random.integers(8 * len(message)))
        message[place // 8] ^= 1 << place % 8
        return bytes(message)

    makers = (
        lambda: random.bytes(int(random.integers(0, 2 * len(nan)))),
        flipped,
        lambda: good[0],
        lambda: good[0][: random.integers(len(good[0]))],
        lambda: nan,
        lambda: pack(head._replace(round=int(random.integers(2**32)), epoch=7), numbers),
        lambda: with_field(good[0], SENDER, int(random.integers(2, 2**32))),
        lambda: with_field(nan, len(HEADER.unpack_from(nan)) - 2, 2**40),
        lambda: good[2],  # a greeting of a wrong size
    )
    return lambda: makers[random.integers(len(makers))]()


def test_malformed_and_forged_messages_change_neither_the_result_nor_memory(pair, tmp_path):
    undisturbed = expected(tmp_path / "other")
    box, make = pair.links[0].mailbox, frames(np.random.default_rng(0))
    for _ in range(2_000):
        box.accept(make())
    before, session = resident(), pair.links[1].transport._session
    ready = threading.Event()

    def directly() -> None:
        for k in range(FRAMES):
            box.accept(make())
            if k == 1_000:
                ready.set()

    def over_the_network() -> None:
        forge = frames(np.random.default_rng(1))
        for k in range(OVER_THE_NETWORK):
            session.put(key_to(RUN, 1 if k % 4 else 5, 0), forge())  # its own name, and that of another agent

    threads = [threading.Thread(target=work) for work in (directly, over_the_network)]
    for thread in threads:
        thread.start()
    ready.wait(60)
    disturbed = pair.run(0, ROUNDS)
    for thread in threads:
        thread.join(120)
    np.testing.assert_array_equal(disturbed, undisturbed)
    dropped = sum(box.dropped.values()) + sum(box.links[1].dropped.values())
    assert dropped > FRAMES + OVER_THE_NETWORK // 2
    assert len(box.dropped) + len(box.links[1].dropped) < 40
    assert resident() - before < 50
    pair.run(ROUNDS, ROUNDS + 50)


def test_replayed_messages_of_a_neighbour_are_dropped(pair, tmp_path):
    undisturbed = expected(tmp_path / "other")
    box, heard = pair.links[0].mailbox, []
    accept = box.accept

    def twice(message: bytes) -> None:
        heard.append(message)
        accept(message)
        accept(message)
        accept(heard[len(heard) // 2])

    box.accept = twice
    np.testing.assert_array_equal(pair.run(0, ROUNDS), undisturbed)
    assert box.links[1].dropped["repeated"] + box.links[1].dropped["too late"] > ROUNDS
