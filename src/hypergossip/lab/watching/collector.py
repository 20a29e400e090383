"""Collects the reports of all agents from the network, and keeps what they say in bounded memory."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple

from hypergossip.lab.watching.history import History, Sample, sample_of
from hypergossip.lab.watching.plan_file import WatchedAgent, WatchPlan
from hypergossip.lab.watching.reports import BadReport, Report, check
from hypergossip.peers import link_settings
from hypergossip.support.extras import require

SILENT_AFTER = 3.0  # seconds; agents report twice a second
QUEUE = 256  # reports that wait to be checked; older ones give way
LARGEST = 262_144  # bytes of a message that is received at all
PAUSE = 0.05  # seconds
RECENT = 20  # reports over which the speed is measured

STRANGER = "from no agent of this network"
IMPOSTOR = "under another agent's name"
NEVER, SILENT = "never heard", "silent"
ENDED = ("finished", "failed")


class AgentView(NamedTuple):
    """What is known of an agent.

    Attributes:
        agent: The agent.
        report: Its last report; None if none has come.
        age: The seconds since then; None if none has come.
        condition: The state that it reported, "silent", or "never heard".
        rate: Its rounds per second, as measured over the last reports; None if unknown.
        refused: The number of its reports that could not be used.
    """

    agent: WatchedAgent
    report: Report | None
    age: float | None
    condition: str
    rate: float | None
    refused: int


class NetworkView(NamedTuple):
    """What is known of the network at a moment.

    Attributes:
        time: The seconds since the watching began.
        agents: Its agents, by number.
        refused: How many reports could not be used, by reason.
    """

    time: float
    agents: tuple[AgentView, ...]
    refused: dict[str, int]

    @property
    def heard(self) -> int:
        """The number of agents that have reported."""
        return sum(view.report is not None for view in self.agents)

    @property
    def ended(self) -> bool:
        """Whether every agent has finished or failed."""
        return all(view.condition in ENDED for view in self.agents)


class _Kept:
    """What is kept of an agent."""

    def __init__(self) -> None:
        self.report: Report | None = None
        self.time = 0.0
        self.history = History()
        self.recent: deque[tuple[float, int]] = deque(maxlen=RECENT)
        self.refused = 0


class Collector:
    """Receives the agents' reports while it is entered.

    Args:
        plan: The network.
        clock: A clock in seconds.
    """

    def __init__(self, plan: WatchPlan, clock: Callable[[], float] = time.monotonic) -> None:
        self.plan = plan
        self._clock, self._begun = clock, clock()
        self._lock = threading.Lock()
        self._kept = {agent.number: _Kept() for agent in plan.agents}
        self._names = {agent.number: agent.name for agent in plan.agents}
        self._refused: Counter[str] = Counter()
        self._stop = threading.Event()
        self._session: Any = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Collector":
        zenoh = require("zenoh", "peers", "hypergossip watch")
        plan = self.plan
        config = link_settings.settings(
            [],
            [agent.address for agent in plan.agents],
            run=plan.run,
            certificates=plan.certificates,
            names={agent.name: agent.number for agent in plan.agents},
            loopback=plan.loopback,
        )
        config.insert_json5("transport/link/rx/max_message_size", str(LARGEST))
        try:
            self._session = zenoh.open(config)
        except zenoh.ZError as error:
            reason = str(error).split(" at ")[0].rstrip(".")
            raise ValueError(f"the network cannot be watched: {reason}; check the addresses and [tls].") from None
        key = link_settings.key_of_status(plan.run, "*")
        subscriber = self._session.declare_subscriber(key, zenoh.handlers.RingChannel(QUEUE))
        self._thread = threading.Thread(target=self._receive, args=(subscriber,), name="reports", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if self._session is not None:
            self._session.close()

    def _receive(self, subscriber: Any) -> None:
        while not self._stop.is_set():
            sample = subscriber.try_recv()
            if sample is None:
                self._stop.wait(PAUSE)
            else:
                self.take(str(sample.key_expr).split("/")[-2], sample.payload.to_bytes())

    def take(self, sender: str, payload: bytes) -> None:
        """Checks a report and keeps it, or counts it as refused.

        Args:
            sender: The identity in the key under which it came.
            payload: The report.
        """
        number = int(sender) if sender.isascii() and sender.isdigit() and len(sender) <= 10 else -1
        kept = self._kept.get(number)
        try:
            if kept is None:
                raise BadReport(STRANGER)
            report = check(payload)
            if (report.number, report.name) != (number, self._names[number]):
                raise BadReport(IMPOSTOR)
        except BadReport as error:
            with self._lock:
                self._refused[str(error)] += 1
                if kept is not None:
                    kept.refused += 1
            return
        now = self._clock() - self._begun
        with self._lock:
            kept.report, kept.time = report, now
            kept.history.append(sample_of(report, now))
            kept.recent.append((now, report.round))

    def view(self) -> NetworkView:
        """Returns what is known now."""
        with self._lock:
            now = self._clock() - self._begun
            agents = tuple(self._view(agent, now) for agent in self.plan.agents)
            return NetworkView(now, agents, dict(self._refused))

    def histories(self) -> dict[int, list[Sample]]:
        """Returns the history of every agent, by number."""
        with self._lock:
            return {number: kept.history.rows() for number, kept in self._kept.items()}

    def connections(self) -> int:
        """Returns the number of agents to which there is a connection, whether or not they report."""
        return 0 if self._session is None else len(self._session.info.peers_zid())

    def _view(self, agent: WatchedAgent, now: float) -> AgentView:
        kept = self._kept[agent.number]
        if kept.report is None:
            return AgentView(agent, None, None, NEVER, None, kept.refused)
        age = now - kept.time
        quiet = age > SILENT_AFTER and kept.report.state not in ENDED
        condition = SILENT if quiet else kept.report.state
        (first, begin), (last, end) = kept.recent[0], kept.recent[-1]
        known = last - first > 0.2 and end >= begin and condition not in (SILENT, *ENDED)
        rate = (end - begin) / (last - first) if known else None
        return AgentView(agent, kept.report, age, condition, rate, kept.refused)
