"""The terms of all agents in the network's conserved sum, as they spread from neighbour to neighbour.

An agent's entry says what the agent's term was after a round, and which links it counted there. Each link of an agent
has a mark, a number that one end adds and the other end subtracts. Marks of entries that belong together sum to zero:
then every link that one agent has counted is counted at its other end, too, and nobody is missing. So nobody need know
which agents take part. An agent that has left is counted by nobody, one that is only late makes the round incomplete,
and so does a link of which only one end has noticed that it opened or closed.
"""

import hashlib
import math
import struct
from collections.abc import Iterable
from typing import NamedTuple

from hypergossip.peers.message import Malformed

# agent, round, started, marks, term, size, rounding
_FORM = struct.Struct("<IIQQddd")
MOST = 256  # entries of one message
KEPT = 8  # rounds of an agent
MODULUS = 2**64
LATEST = 2**63  # of `started`
# Rounding that has grown as a random walk stays below a few times its deviation; 64 leaves room for more operations.
FACTOR = 64.0


class Entry(NamedTuple):
    """An agent's term of the conserved sum after a round.

    Attributes:
        agent: The agent's identity.
        round: The number of the round.
        started: When the agent's process started; entries of an earlier process are no longer used.
        marks: The sum of the marks of the links that are counted, modulo 2^64.
        term: The term, projected onto a direction that all agents know, with what is under way to this agent.
        size: The largest norm so far of what the term consists of.
        rounding: How far from zero rounding may have brought the term, as a standard deviation.
    """

    agent: int
    round: int
    started: int
    marks: int
    term: float
    size: float
    rounding: float


class Found(NamedTuple):
    """The network's conserved sum after a round.

    Attributes:
        round: The number of the round.
        agents: The number of agents whose terms it is the sum of.
        value: Its magnitude, relative to the size of the terms.
        limit: The largest value that rounding explains.
    """

    round: int
    agents: int
    value: float
    limit: float


def mark(first: tuple[int, bytes], second: tuple[int, bytes], epoch: int) -> int:
    """Returns the mark of a link at its first end; that at its second end is the negative, modulo 2^64.

    Args:
        first: The identity and the incarnation of the agent.
        second: Those of its neighbour.
        epoch: The number of the link's opening.
    """
    (i, one), (j, other) = sorted((first, second))
    digest = hashlib.sha256(struct.pack("<III", i, j, epoch) + one + other).digest()
    value = int.from_bytes(digest[:8], "little")
    return value if first[0] == i else -value % MODULUS


def pack_entries(entries: Iterable[Entry]) -> bytes:
    """Returns entries as bytes.

    Args:
        entries: At most `MOST` entries.
    """
    return b"".join(_FORM.pack(*entry) for entry in entries)


def unpack_entries(content: bytes, agents: int, rounds: int) -> list[Entry]:
    """Returns the entries in some bytes.

    Args:
        content: The bytes.
        agents: The number of agents of the network.
        rounds: The number of rounds of the run.

    Raises:
        Malformed: If anything is not as expected; then none of the entries is used.
    """
    count, rest = divmod(len(content), _FORM.size)
    if rest or not 1 <= count <= MOST:
        raise Malformed("wrong size")
    entries = [Entry(*fields) for fields in _FORM.iter_unpack(content)]
    for entry in entries:
        if entry.agent >= agents:
            raise Malformed("an entry of no agent")
        if entry.round >= rounds:
            raise Malformed("an entry of no round")
        if not (math.isfinite(entry.term) and 0 <= entry.size < math.inf and 0 <= entry.rounding < math.inf):
            raise Malformed("not finite")
        if entry.started >= LATEST:
            raise Malformed("an entry of no process")
    return entries


class Table:
    """The newest entries of all agents: of each at most `KEPT` rounds."""

    def __init__(self) -> None:
        """Makes an empty table."""
        self._entries: dict[int, dict[int, Entry]] = {}

    @property
    def agents(self) -> int:
        """The number of agents of which it has entries."""
        return len(self._entries)

    def add(self, entry: Entry) -> bool:
        """Takes an entry in; returns whether it is new.

        Args:
            entry: The entry.
        """
        known = self._entries.setdefault(entry.agent, {})
        started = next((other.started for other in known.values()), 0)
        if entry.started < started:
            return False
        if entry.started > started:
            known.clear()
        if entry.round in known or (len(known) == KEPT and entry.round < min(known)):
            return False
        known[entry.round] = entry
        if len(known) > KEPT:
            del known[min(known)]
        return True

    def __contains__(self, entry: Entry) -> bool:
        return self._entries.get(entry.agent, {}).get(entry.round) == entry

    def found(self) -> Found | None:
        """Returns the sum after the last round of which no entry is missing; None if there is no such round."""
        rounds = {round for known in self._entries.values() for round in known}
        for round in sorted(rounds, reverse=True):
            entries = [known[round] for known in self._entries.values() if round in known]
            if any(entry.marks for entry in entries) and sum(entry.marks for entry in entries) % MODULUS == 0:
                return summed(entries)
        return None


def summed(entries: list[Entry]) -> Found:
    """Returns the sum of the terms in some entries.

    Args:
        entries: All agents' entries of one round.
    """
    size = math.hypot(*(entry.size for entry in entries)) or 1.0
    total = math.fsum(entry.term for entry in entries)
    rounding = math.hypot(*(entry.rounding for entry in entries))
    return Found(entries[0].round, len(entries), abs(total) / size, FACTOR * rounding / size)
