"""Links that open and close while the rounds go on: when both ends begin to count, and what a closed link takes along.

Both ends of a link count from the same round on, and what each has sent before is its base, which it subtracts from
what it sends and from what it compares with. The end with the smaller number proposes the round; the other one agrees
if it has not passed that round, or still knows what it sent then.
"""

import logging
from collections.abc import Mapping

import numpy as np

from hypergossip.peers.agent_links import AgentLinks
from hypergossip.peers.greeting import NO_ROUND, Greeting

LOG = logging.getLogger("hypergossip.agent")
SMALLEST_MARGIN = 2  # rounds between a proposal and the opening


class Openings:
    """The openings of an agent's links, looked at between two rounds.

    Attributes:
        degrees: The neighbours with which an opening was ever agreed -> the numbers of their neighbours.
        incarnations: The same neighbours -> which process of theirs the last opening was agreed with.
    """

    def __init__(self, number: int, links: AgentLinks, first: int) -> None:
        """Begins with closed links.

        Args:
            number: The agent's identity.
            links: Its links.
            first: The first round that it runs.
        """
        self._number, self._links, self._first = number, links, first
        self.incarnations: dict[int, bytes] = {}
        self.degrees: dict[int, int] = {}
        self._margins = dict.fromkeys(links.exchange.links, SMALLEST_MARGIN)
        self._based: set[int] = set()

    def update(self, round: int) -> list[int]:
        """Opens and closes links before a round; returns the neighbours whose links have closed.

        Args:
            round: The round.
        """
        links = self._links.exchange.links
        closed = [j for j, link in links.items() if link.opening is not None and self.disconnected(j)]
        for j in closed:
            self._margins[j] *= 2 if self._refused(j) else 1
            self.close(j)
        for j, link in links.items():
            if link.opening is None and self._links.greetings.connected(j) and not self._links.greetings.finished(j):
                self._open(j, round)
            if link.opening is not None and link.opening <= round and j not in self._based:
                self._set_base(j)
        return closed

    def close(self, j: int) -> None:
        """Closes a link.

        Args:
            j: The neighbour's identity.
        """
        link = self._links.exchange.links[j]
        link.opening, link.bases = None, {}
        self._based.discard(j)

    def disconnected(self, j: int) -> bool:
        """Returns whether a neighbour is no longer the one to whom the link was opened, or has closed it itself.

        Args:
            j: The neighbour's identity.
        """
        known = self._links.greetings.known[j]
        if not known.there or known.greeting.incarnation != self.incarnations[j]:
            return True
        epoch = self._links.mailbox.links[j].epoch
        ended = self._links.greetings.has_finished(j) and known.greeting.epoch != epoch
        return ended or self._refused(j) or known.greeting.epoch > epoch

    def not_awaited(self, j: int) -> bool:
        """Returns whether a round must not wait for a neighbour: it is lost, or has not confirmed the opening.

        A neighbour that waits for others, and through them for this agent, cannot confirm.

        Args:
            j: The neighbour's identity.
        """
        box, link = self._links.mailbox.links[j], self._links.exchange.links[j]
        confirmed = self._number > j or self._links.greetings.known[j].greeting.epoch == box.epoch
        return self.disconnected(j) or not (confirmed or (link.opening is not None and box.last_round >= link.opening))

    def _refused(self, j: int) -> bool:
        """Returns whether a neighbour has closed the link, or cannot open it at the proposed round."""
        theirs = self._links.greetings.known[j].greeting
        return theirs.epoch == self._links.mailbox.links[j].epoch and theirs.opening == NO_ROUND

    def _open(self, j: int, round: int) -> None:
        theirs = self._links.greetings.known[j].greeting
        epoch = self._links.mailbox.links[j].epoch
        if self._number < j:
            begin = 0 if round == theirs.round == 0 else max(round, theirs.round) + self._margins[j]
            self._agree(j, max(epoch, theirs.epoch) + 1, begin, theirs)
        elif theirs.epoch > epoch and theirs.opening != NO_ROUND:
            known = theirs.opening >= round or self._knows(theirs.opening)
            self._agree(j, theirs.epoch, theirs.opening if known else None, theirs)
        else:
            return
        self._links.greetings.send(j)

    def _agree(self, j: int, epoch: int, opening: int | None, theirs: Greeting) -> None:
        self._links.mailbox.reopen(j, epoch, 0 if opening is None else opening)
        link = self._links.exchange.links[j]
        link.opening, link.bases = opening, {}
        self.incarnations[j], self.degrees[j] = theirs.incarnation, theirs.degree
        self._based.discard(j)
        if opening is not None:
            LOG.info("the link to %s opens at round %d", self._links.greetings.names[j], opening)

    def _knows(self, opening: int) -> bool:
        """Returns whether the agent still knows what it had sent before a round."""
        if opening <= self._first:
            return opening == self._first
        calls = range(len(self._links.sizes))
        return all(self._links.exchange.own_at(0, call, opening - 1) is not None for call in calls)

    def _set_base(self, j: int) -> None:
        link = self._links.exchange.links[j]
        assert link.opening is not None
        self._based.add(j)
        if link.opening == self._first or not self._links.sums:
            return  # nothing was sent before, or messages are no sums
        bases: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
        for call in range(len(self._links.sizes)):
            kept = self._links.exchange.own_at(0, call, link.opening - 1)
            assert kept is not None
            bases[0, call] = kept
        link.bases = bases


def metropolis_weights(degree: int, degrees: Mapping[int, int], given: Mapping[int, float | None]) -> np.ndarray:
    """Returns W_ij of an agent's neighbours, 1 / (1 + max(d_i, d_j)) unless given (Xiao, Boyd and Lall, 2005).

    Both ends of a link must have the same weight, so a neighbour of which no degree is known yet has none.

    Args:
        degree: The number of the agent's neighbours.
        degrees: The neighbours' identities -> the numbers of their neighbours.
        given: The neighbours' identities, in the order of the links -> their weights, or None.
    """
    rule = lambda j: 1 / (1 + max(degree, degrees[j])) if j in degrees else 0.0
    return np.asarray([rule(j) if weight is None else weight for j, weight in given.items()], np.float64)
