"""The sum that the network conserves, computed by its agents alone: when its terms are taken, and what the sum says."""

import math
import time
from typing import Any

import numpy as np

from hypergossip.peers.agent_links import AgentLinks
from hypergossip.peers.agent_settings import AgentSettings
from hypergossip.peers.invariant_gossip import InvariantGossip, Projection, Waiting
from hypergossip.peers.invariant_table import MODULUS, Entry, Found, mark
from hypergossip.peers.openings import Openings
from hypergossip.peers.own_program import OwnProgram
from hypergossip.peers.round_program import Transfer
from hypergossip.peers.snapshot import Snapshot, taken

SECONDS = 4.0  # between two snapshots, at least, so that the terms of one can spread before those of the next
LARGEST_SPACING = 2**20  # rounds


class Invariant:
    """The network's conserved sum, as one agent knows it.

    Snapshots are taken after numbers of rounds that are multiples of a power of two, so that agents that choose
    different powers still share all multiples of the larger one. The power follows from the time that a round takes.
    Further ones are taken after the agent's first 1, 2, 4, 8 and so on rounds, in which the terms are often largest:
    rounding is relative to these.
    """

    def __init__(self, settings: AgentSettings, links: AgentLinks, program: OwnProgram) -> None:
        """Compiles the terms.

        Args:
            settings: The agent.
            links: Its links.
            program: Its programs.
        """
        self._settings, self._links, self._program = settings, links, program
        self._run = bytes.fromhex(settings.run)
        self._openings: Openings | None = None
        self._first, self._spacing, self._size = 0, LARGEST_SPACING, 0.0
        self._last = 0, time.monotonic()
        state = program.begin()
        program.conserved(state)
        program.effect(state, [np.zeros(entries, dtype) for entries, dtype in program.sizes])
        self._epsilon = max(float(np.finfo(dtype).eps) for _, dtype in program.sizes)
        self._gossip = InvariantGossip(settings, links)

    @property
    def found(self) -> Found | None:
        """The sum after the last round of which this agent knows all terms."""
        return self._gossip.found

    @property
    def alarm(self) -> str:
        """A sentence if the sum is larger than rounding explains, or ""."""
        found = self.found
        if found is None or found.value <= found.limit:
            return ""
        return (
            f"after round {found.round + 1} the sum that the network conserves is {found.value:.1e} of its terms, and "
            f"rounding explains only {found.limit:.1e}: the two ends of a link have different weights, or an agent has "
            "lost or changed what a link has added. The result will be wrong. Check that both ends of every link have "
            "the same weight in their configurations, then stop and start one agent after the other, which sets their "
            "terms to zero."
        )

    def begin(self, openings: Openings, first: int) -> None:
        """Begins, with the agent's first round.

        Args:
            openings: The openings of the agent's links.
            first: The number of the round.
        """
        self._openings, self._first, self._last = openings, first, (first, time.monotonic())
        self._gossip.start()

    def close(self) -> None:
        """Ends it."""
        self._gossip.close()

    def due(self, round: int) -> bool:
        """Returns whether there is a snapshot after a round.

        Args:
            round: The number of the round.
        """
        done, since = round + 1, round + 1 - self._first
        return done % self._spacing == 0 or not done & (done - 1) or not since & (since - 1)

    def round(self, number: int, state: Any) -> Any:
        """Runs a round that ends with a snapshot, and returns the state after it.

        Args:
            number: The number of the round.
            state: The agent's state before it.
        """
        exchange, arrived = self._links.exchange, {}
        transfer = exchange.transfer(0, number)

        def collect(call: int) -> tuple[np.ndarray, ...]:
            come = transfer.collect(call)
            arrived[call] = come[-1]
            return come

        after = self._program.round(number, state, Transfer(transfer.send, collect))
        self._choose_spacing(number)
        self._publish(number, taken(self._program, exchange, arrived, self._run, number, (state, after)))
        exchange.pause()  # the neighbours' deadlines must not follow from a round that takes longer
        return after

    def _publish(self, round: int, shot: Snapshot) -> None:
        openings, greetings, boxes = self._openings, self._links.greetings, self._links.mailbox.links
        assert openings is not None
        self._size = max(self._size, shot.size)
        rounding = self._epsilon * (math.sqrt(round + 1) * self._size + shot.rounding)
        if not all(map(math.isfinite, (shot.term, rounding, *shot.own.values()))):
            return
        epochs = {j: boxes[j].epoch for j in shot.own}
        me = self._settings.number, greetings.incarnation
        marks = sum(mark(me, (j, openings.incarnations[j]), epoch) for j, epoch in epochs.items()) % MODULUS
        entry = Entry(me[0], round, self._gossip.started, marks, shot.term, self._size, rounding)
        links = {j: (epochs[j], link) for j, link in shot.under_way.items()}
        projections = {j: Projection(round, epochs[j], own) for j, own in shot.own.items()}
        self._gossip.publish(Waiting(entry, links), projections)

    def _choose_spacing(self, round: int) -> None:
        now, (before, at) = time.monotonic(), self._last
        self._last = round, now
        if round > before:
            wanted = SECONDS * (round - before) / max(now - at, 1e-6)
            self._spacing = min(2 ** max(0, math.ceil(math.log2(wanted))), LARGEST_SPACING)
