"""Processes that exchange bytes over Zenoh and do nothing else: what a round of `Peers` is compared with."""

import secrets
import socket
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import hypergossip as hg
from benchmarks.process_group import ProcessGroup, asked
from hypergossip.core.algorithm import Algorithm, Cost, Mix, Oracles, register
from hypergossip.peers.certificates import Authority
from hypergossip.peers.link_settings import Certificates, key_to, settings


class Point(NamedTuple):
    """One agent's x (p,) and y (q,)."""

    x: Any
    y: Any


@register
class Averaging(Algorithm):
    """Averages x and computes nothing else."""

    def init(self, agent: Oracles, x: Any, y: Any, key: Any) -> Point:
        """Returns the start."""
        return Point(x, y)

    def step(self, agent: Oracles, mix: Mix, round: Any, state: Point, key: Any) -> tuple[Point, Cost]:
        """Averages."""
        return Point(mix(upper=state.x), state.y), Cost()


def averaged(agents: int, entries: int) -> tuple[Averaging, Any]:
    """Returns the method, and a problem whose x has that many entries in float32.

    Args:
        agents: The number of agents.
        entries: The number of entries.
    """
    problem = hg.problems.quadratic(agents, 2, 2, noise=0.0)
    x0, y0 = np.zeros(entries, np.float32), np.zeros(2, np.float32)
    return Averaging(), hg.Problem.from_oracles(problem.oracles, x0=x0, y0=y0)


def bare_exchange(neighbours: list[list[int]], size: int, folder: Path) -> ProcessGroup:
    """Returns one process for each agent, under the settings and the mutual TLS of `Peers`.

    Args:
        neighbours: Every agent's neighbours.
        size: The number of bytes of a message.
        folder: Where the certificates are written.
    """
    authority, run = Authority.create("this benchmark"), secrets.token_hex(16)
    sockets = [socket.socket() for _ in neighbours]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    places = [f"tls/127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    given = []
    for i, who in enumerate(neighbours):
        files = authority.issue(f"agent-{i}", ["127.0.0.1"], folder, f"agent-{i}")
        given.append((i, who, places[i], [places[j] for j in who], run, files, size))
    return ProcessGroup(_exchange, given)


def _exchange(
    pipe: Connection,
    i: int,
    who: list[int],
    listen: str,
    connect: list[str],
    run: str,
    files: Certificates,
    size: int,
) -> None:
    import zenoh

    names = {f"agent-{j}": j for j in who}
    session = zenoh.open(settings([listen], connect, run=run, certificates=files, names=names, loopback=True))
    arrived, changed = dict.fromkeys(who, 0), threading.Condition()

    def receive(sample: Any) -> None:
        data = sample.payload.to_bytes()
        with changed:
            arrived[int.from_bytes(data[:4], "little")] = int.from_bytes(data[4:8], "little")
            changed.notify()

    subscriber = session.declare_subscriber(key_to(run, "*", i), receive)
    block = zenoh.CongestionControl.BLOCK
    publishers = [session.declare_publisher(key_to(run, i, j), congestion_control=block, express=True) for j in who]
    rest, round = bytes(size - 8), 0

    def send() -> None:
        message = i.to_bytes(4, "little") + round.to_bytes(4, "little") + rest
        for publisher in publishers:
            publisher.put(message)

    def all_here() -> bool:
        return min(arrived.values()) >= round

    round = 1
    while True:  # until the others listen
        send()
        with changed:
            if changed.wait_for(all_here, 0.2):
                break
    time.sleep(1.0)
    send()
    for count in asked(pipe):
        for _ in range(count):
            round += 1
            send()
            with changed:
                changed.wait_for(all_here, 30)
    del subscriber
    session.close()
