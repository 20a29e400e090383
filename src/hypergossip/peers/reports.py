"""What an agent reports on itself while it runs, for whoever observes and for its log."""

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from hypergossip.peers.agent_links import AgentLinks
from hypergossip.peers.agent_settings import AgentSettings, LinkStatus, Status
from hypergossip.peers.invariant import Invariant

LOG = logging.getLogger("hypergossip.agent")
REPORT_SECONDS = 0.5
LONGEST_ALARM = 1_000  # characters; watchers refuse a report with a longer one
ADVICE_SECONDS = 5.0  # after which an agent says for whom it waits


class Reports:
    """The reports of an agent, sent by a thread of their own.

    Attributes:
        phase: "starting", "running", "finished" or "failed".
        alarm: A sentence if something is wrong, or "".
        losses: The last measured losses.
    """

    def __init__(
        self, settings: AgentSettings, links: AgentLinks, weights: Callable[[], Any], invariant: Invariant | None
    ) -> None:
        """Begins to report.

        Args:
            settings: The agent.
            links: Its links.
            weights: Returns W_ij of its neighbours.
            invariant: The network's conserved sum; None: there is none.
        """
        self._settings, self._links, self._weights, self._invariant = settings, links, weights, invariant
        self._logged: dict[int, str] = {}
        self.phase, self.alarm = "starting", ""
        self.losses: tuple[float | None, float | None] = (None, None)
        self._began, self._open = time.monotonic(), True
        self._thread = threading.Thread(target=self._report, daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """Notes that the rounds begin."""
        self.phase, self._began = "running", time.monotonic()

    def close(self) -> None:
        """Sends the last report."""
        self._open = False
        self._thread.join(2 * REPORT_SECONDS)
        self._links.transport.report(self._status())
        found = None if self._invariant is None else self._invariant.found
        if found is not None:
            text = f"{found.value:.1e} of its terms after round {found.round + 1}, with {found.agents} agents"
            LOG.info("the sum that the network conserves was %s", text)

    def _report(self) -> None:
        before, since = (-1, ()), time.monotonic()
        while self._open:
            self._links.transport.report(self._status())
            self._log_alarms()
            waits = self._links.round, self._links.exchange.waiting_for
            if waits != before or not waits[1]:
                before, since = waits, time.monotonic()
            elif time.monotonic() - since > ADVICE_SECONDS:
                since = time.monotonic()
                LOG.warning("round %d: waits for %s", waits[0], ", ".join(map(self._stands, waits[1])))
            time.sleep(REPORT_SECONDS)

    def _log_alarms(self) -> None:
        """Logs once with whom no link can open, and that the network's conserved sum is too large."""
        found = dict(self._links.greetings.mismatched)
        if self._invariant is not None and self._invariant.alarm:
            found[self._settings.number] = self._invariant.alarm
        for j in found.keys() - self._logged.keys():
            LOG.warning(found[j])
        self._logged = found

    def _stands(self, j: int) -> str:
        """Returns a neighbour's name, and where it and the link stand."""
        link, box, greetings = self._links.exchange.links[j], self._links.mailbox.links[j], self._links.greetings
        known = greetings.known.get(j)
        theirs = "unknown" if known is None else f"round {known.greeting.round}, opening {known.greeting.epoch}"
        dropped = ", ".join(f"{count} {reason}" for reason, count in dict(box.dropped).items()) or "none"
        here = f"here {box.epoch} from round {link.opening}; dropped: {dropped}"
        return f"{greetings.names[j]} (its last message: round {box.last_round}; {theirs}; {here})"

    def _status(self) -> bytes:
        settings, links, exchange = self._settings, self._links, self._links.exchange
        waiting = self.phase == "running" and exchange.waiting_for
        rows = np.asarray(self._weights())
        own = []
        for j, name in links.greetings.names.items():
            box, link = links.mailbox.links[j], exchange.links[j]
            lag = max(0, links.round - 1 - box.last_round) if link.opening is not None else 0
            counts = (box.received, link.missed, dict(box.dropped))
            weight = float(rows[link.row])
            own.append(LinkStatus(name, j, link.opening is not None, box.last_round, lag, weight, *counts))
        upper, lower = self.losses
        invariant = self._invariant
        found = None if invariant is None else invariant.found
        alarms = self.alarm, *dict(links.greetings.mismatched).values(), "" if invariant is None else invariant.alarm
        status = Status(
            name=settings.name,
            number=settings.number,
            state="waiting" if waiting else self.phase,
            round=links.round,
            rounds=settings.rounds,
            seconds=time.monotonic() - self._began,
            upper_loss=upper,
            lower_loss=lower,
            bytes_sent=links.transport.bytes_sent,
            bytes_received=links.transport.bytes_received,
            policy=settings.policy.name,
            invariant=None if found is None else found.value,
            alarm=" ".join(filter(None, alarms))[:LONGEST_ALARM],
            dropped=dict(links.mailbox.dropped),
            links=tuple(own),
            invariant_round=None if found is None else found.round + 1,
            conserves=invariant is not None,
        )
        return json.dumps(status.as_dict(), allow_nan=False).encode()
