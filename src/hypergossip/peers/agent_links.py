"""An agent's links, put together: what it sends, what it receives, and whom it knows."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hypergossip.peers.agent_settings import Policy
from hypergossip.peers.exchange import Exchange
from hypergossip.peers.greeting import NO_ROUND
from hypergossip.peers.greetings import Greetings, Stand
from hypergossip.peers.link_faults import LinkFaults
from hypergossip.peers.mailbox import Mailbox, Place
from hypergossip.peers.message import Envelope, Expected, Kind, Malformed
from hypergossip.peers.transport import Transport


class AgentLinks:
    """The links of one agent.

    Attributes:
        mailbox: What has come.
        exchange: Sends and collects the vectors of the rounds.
        meeting: The greetings.
        transport: The connections.
        sizes: The number of entries and the type of each of a round's messages.
        sums: Whether the messages are running sums.
        round: The number of completed rounds, which the owner keeps up to date.
        on_invariant: Takes the messages for the network's invariant; at first they are not expected.
    """

    def __init__(
        self,
        *,
        number: int,
        run: str,
        config: Any,
        neighbours: Mapping[int, str],
        sizes: Sequence[tuple[int, np.dtype]],
        degree: int,
        seeds: int,
        digest: bytes,
        policy: Policy,
        dated: bool,
        opening: int | None,
        sums: bool = True,
        faults: Mapping[int, LinkFaults] | None = None,
        weights: Mapping[int, float | None] | None = None,
    ) -> None:
        """Opens the links.

        Args:
            number: The agent's identity.
            run: The identifier of the run, hexadecimal.
            config: Zenoh's configuration.
            neighbours: The neighbours' identities and names, in the order of the agent's links.
            sizes: The number of entries and the type of each of a round's messages.
            degree: The number of links, at least that of the neighbours.
            seeds: The number of seeds that run together.
            digest: A digest of what all agents must have in common, 16 bytes.
            policy: What to do when a message has not come.
            dated: As for `traced_round`.
            opening: The round from which the links count; None: they are closed at first.
            sums: Whether the messages are running sums.
            faults: Artificial faults of the messages to a neighbour.
            weights: W_ij of links whose weights are given, which must be the same at both ends.
        """
        identifier = bytes.fromhex(run)
        expected = Expected(identifier, number, frozenset(neighbours), tuple(sizes), seeds)
        self.sizes, self.sums = tuple(sizes), sums
        self.round, self._ready = 0, False
        self.on_invariant: Callable[[Envelope, bytes], None] = _not_expected
        self.mailbox = Mailbox(expected, policy.ahead, self._control, time.monotonic)
        send = self._send, self._send_to_all
        self.exchange = Exchange(number, identifier, self.mailbox, *send, tuple(neighbours), degree, policy, dated)
        for link in self.exchange.links.values():
            link.opening = opening
        self.greetings = Greetings(
            number, identifier, digest, neighbours, self._send, lambda: self.transport.session, self._stand,
            weights or {},
        )  # fmt: skip
        self.transport = Transport(config, run, number, tuple(neighbours), self._receive, self.greetings.gone, faults)
        self._ready = True
        self.greetings.start()

    def open_anew(self, epoch: int, round: int) -> None:
        """Opens all links anew from a round on, without sums from before.

        Args:
            epoch: The number of the opening.
            round: The round.
        """
        self.mailbox.restart(round)
        for j, link in self.exchange.links.items():
            self.mailbox.reopen(j, epoch, round)
            link.opening, link.bases = round, {}

    def close(self) -> None:
        """Closes the links."""
        self.greetings.close()
        self.transport.close()

    def _receive(self, message: bytes) -> None:
        if self._ready:  # what comes before is a greeting, which will come again
            self.mailbox.receive(message)

    def _send(self, number: int, message: bytes, keeps_up: bool = False) -> None:
        self.transport.send(number, message, keeps_up)

    def _send_to_all(self, message: bytes) -> bool:
        return self.transport.send_to_all(message)

    def _stand(self, number: int) -> Stand:
        opening = self.exchange.links[number].opening
        return Stand(self.round, self.mailbox.links[number].epoch, NO_ROUND if opening is None else opening)

    def _control(self, envelope: Envelope, content: bytes) -> None:
        if envelope.kind == Kind.RESEND:
            self.exchange.resend(envelope.sender, Place(envelope.seed, envelope.call, envelope.round))
        elif envelope.kind in (Kind.PROJECTION, Kind.ENTRIES):
            self.on_invariant(envelope, content)
        else:
            self.greetings.receive(envelope, content)


def _not_expected(envelope: Envelope, content: bytes) -> None:
    raise Malformed("no invariant is computed here")
