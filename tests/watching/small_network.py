"""A small network of agents for the tests: real sessions that publish what agents report."""

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w
import zenoh

from hypergossip.peers.agent_settings import LinkStatus, Status
from hypergossip.peers.certificates import Authority
from hypergossip.peers.link_settings import key_of_status, settings
from hypergossip.support.ports import free_ports

RUN = "0123456789abcdef" * 2
NAMES = ("paris", "rome", "oslo", "vienna", "lisbon", "athens", "dublin", "prague", "madrid")
ROUNDS = 200


def ring(agents: int) -> list[tuple[int, ...]]:
    """The neighbours in a ring with a chord."""
    neighbours = [{(i - 1) % agents, (i + 1) % agents} - {i} for i in range(agents)]
    if agents > 5:
        neighbours[0].add(agents // 2)
        neighbours[agents // 2].add(0)
    return [tuple(sorted(each)) for each in neighbours]


def status(number: int, neighbours: Sequence[int], **changed: Any) -> Status:
    """The report of an agent that runs well."""
    links = tuple(LinkStatus(NAMES[j], j, True, 49, 0, 0.25, 50, 0, {}) for j in neighbours)
    plain = Status(
        name=NAMES[number], number=number, state="running", round=50, rounds=ROUNDS, seconds=5.0, upper_loss=0.5,
        lower_loss=0.25, bytes_sent=1_500_000, bytes_received=1_400_000, policy="deadline", invariant=1e-12, alarm="",
        dropped={}, links=links,
    )  # fmt: skip
    return replace(plain, **changed)


class Agents:
    """Agents that listen with mutual TLS, and report when they are told to.

    Args:
        folder: The folder of the files, with watch.toml.
        count: The number of agents.
        tls: Whether they have certificates.
    """

    def __init__(self, folder: Path, count: int, tls: bool = True) -> None:
        self.config = folder / "watch.toml"
        self.neighbours = ring(count)
        self._sessions: list[Any] = []
        self._certificates: list[Any] = [None] * count
        protocol = "tls" if tls else "tcp"
        self.addresses = [f"{protocol}/127.0.0.1:{port}" for port in free_ports(count)]
        tables: dict[str, Any] = {"run": RUN, "loopback": True}
        if tls:
            authority = Authority.create("test")
            self._certificates = [authority.issue(NAMES[i], ["127.0.0.1"], folder, NAMES[i]) for i in range(count)]
            authority.issue("watch", ["127.0.0.1"], folder, "watch")
            tables["tls"] = {"authority": "authority.pem", "certificate": "watch.pem", "key": "watch.key"}
        tables["agents"] = [
            {"name": NAMES[i], "number": i, "address": self.addresses[i], "neighbours": list(self.neighbours[i])}
            for i in range(count)
        ]
        self.config.write_text(tomli_w.dumps(tables))

    def __enter__(self) -> "Agents":
        for number, address in enumerate(self.addresses):
            config = settings(
                [address],
                [],
                run=RUN,
                certificates=self._certificates[number],
                names={NAMES[j]: j for j in self.neighbours[number]},
                observers=("watch",),
                loopback=True,
            )
            self._sessions.append(zenoh.open(config))
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions:
            session.close()

    def status(self, number: int, **changed: Any) -> Status:
        """The report of an agent that runs well."""
        return status(number, self.neighbours[number], **changed)

    def report(self, report: Status, under: int | None = None) -> None:
        """Publishes an agent's report, under its own key or that of another."""
        self.send(report.number, json.dumps(report.as_dict()).encode(), under)

    def send(self, number: int, payload: bytes, under: int | None = None) -> None:
        """Publishes bytes as an agent's report."""
        self._sessions[number].put(key_of_status(RUN, number if under is None else under), payload)

    @contextlib.contextmanager
    def running(self, *, seconds: float = 0.1, finish: int = ROUNDS) -> Iterator[threading.Event]:
        """Publishes reports again and again: rounds grow up to the last, and losses fall."""
        stop = threading.Event()

        def publish() -> None:
            tick = 0
            while not stop.wait(seconds):
                tick += 1
                for number in range(len(self.neighbours)):
                    done = min(tick * 10 + number, finish)
                    end = done == ROUNDS
                    changed = {"upper_loss": 2.0 * 0.98**done + 0.01 * number, "lower_loss": 0.95**done}
                    state = "finished" if end else "running"
                    self.report(self.status(number, round=done, state=state, bytes_sent=done * 10_000, **changed))

        thread = threading.Thread(target=publish, daemon=True)
        thread.start()
        try:
            yield stop
        finally:
            stop.set()
            thread.join()
