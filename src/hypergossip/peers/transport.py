"""An agent's connections: one Zenoh session, and one queue and one thread for each neighbour.

The computing thread sends only short messages itself, and only to neighbours that keep up, as their last messages
show; any other neighbour would hold it up. A `put` that returns is no receipt: Zenoh drops messages in silence where a
receiver has stopped reading, so that rounds are numbered and asked for again.
"""

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from hypergossip.peers.link_faults import LinkFaults
from hypergossip.peers.link_settings import key_of_status, key_to, key_to_all, threads_for
from hypergossip.support.extras import require

LONGEST_QUEUE = 256  # messages; the oldest gives way, as a later one pays for it or it is asked for again
SHORT = 65_536  # bytes; what Zenoh takes over without waiting for the network


class Transport:
    """Sends and receives messages as bytes."""

    def __init__(
        self,
        config: Any,
        run: str,
        number: int,
        neighbours: tuple[int, ...],
        receive: Callable[[bytes], None],
        gone: Callable[[bytes], None],
        faults: Mapping[int, LinkFaults] | None = None,
    ) -> None:
        """Opens the session. Neighbours need not be there yet.

        Args:
            config: Zenoh's configuration, from `settings`.
            run: The identifier of the run, hexadecimal.
            number: The agent's identity.
            neighbours: The neighbours' identities.
            receive: A function that is called with every message, in a thread of Zenoh.
            gone: A function that is called with the identifier of a session that has closed or fallen silent.
            faults: Artificial faults of the messages to a neighbour, for tests.

        Raises:
            ValueError: If the session cannot be opened.
        """
        self._zenoh = require("zenoh", "peers", "an agent on a network")
        self.bytes_received = 0
        self._closed = False
        try:
            with threads_for(len(neighbours)):
                self._session = self._zenoh.open(config)
        except self._zenoh.ZError as error:
            raise ValueError(
                f"agent {number} cannot listen at its address: another process may be using the port, or a certificate "
                f"cannot be read ({str(error).splitlines()[0]})."
            ) from error

        def on_sample(sample: Any) -> None:
            data = sample.payload.to_bytes()
            self.bytes_received += len(data)
            receive(data)

        def on_event(event: Any) -> None:
            if event.kind == self._zenoh.SampleKind.DELETE:
                gone(identifier(event.transport.zid))

        keys = key_to(run, "*", number), key_to_all(run, "*")
        remote = self._zenoh.Locality.REMOTE  # what an agent sends to all would otherwise come back to it
        self._subscribers = [self._session.declare_subscriber(key, on_sample, allowed_origin=remote) for key in keys]
        self._listener = self._session.info.declare_transport_events_listener(on_event, history=False)
        self._status = self._session.declare_publisher(key_of_status(run, number))
        self._queues = {j: _Queue(self._publisher(key_to(run, number, j)), (faults or {}).get(j)) for j in neighbours}
        self._to_all = None if faults else self._publisher(key_to_all(run, number))
        self._sent_to_all = 0
        atexit.register(self.close)  # a process with an open session and a subscriber would not end

    @property
    def bytes_sent(self) -> int:
        """The bytes of all messages handed to the network."""
        return self._sent_to_all * len(self._queues) + sum(queue.sent_bytes for queue in self._queues.values())

    @property
    def session(self) -> bytes:
        """The identifier of the session, 16 bytes."""
        return identifier(self._session.zid())

    def send(self, neighbour: int, message: bytes, keeps_up: bool = False) -> None:
        """Sends a message without waiting for the network.

        Args:
            neighbour: The neighbour's identity.
            message: The message.
            keeps_up: Whether the neighbour is known to read what it is sent.
        """
        self._queues[neighbour].put(message, keeps_up and len(message) <= SHORT)

    def send_to_all(self, message: bytes) -> bool:
        """Sends a short message to all neighbours, of which each is known to read what it is sent.

        Args:
            message: The message.

        Returns:
            Whether it was sent; if not, it must be sent to each of them.
        """
        if self._to_all is None or len(message) > SHORT or any(queue.waiting for queue in self._queues.values()):
            return False
        self._to_all.put(message)
        self._sent_to_all += len(message)
        return True

    def report(self, status: bytes) -> None:
        """Sends a report to whoever observes.

        Args:
            status: The report.
        """
        self._status.put(status)

    def close(self) -> None:
        """Sends what is queued, for at most a second, and closes the session."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        for queue in self._queues.values():
            queue.close()
        self._session.close()

    def _publisher(self, key: str) -> Any:
        block = self._zenoh.CongestionControl.BLOCK
        remote = self._zenoh.Locality.REMOTE
        return self._session.declare_publisher(key, congestion_control=block, express=True, allowed_destination=remote)


class _Queue:
    """The messages to one neighbour, and the thread that sends them."""

    def __init__(self, publisher: Any, faults: LinkFaults | None) -> None:
        self._publisher = publisher
        self._sent_at_once = self._sent = 0  # bytes, each counted by one thread
        self._faults = faults and faults.draws()
        self._waiting: deque[tuple[float, bytes]] = deque(maxlen=LONGEST_QUEUE)
        self._ready, self._open = threading.Condition(), True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    @property
    def sent_bytes(self) -> int:
        return self._sent_at_once + self._sent

    def put(self, message: bytes, at_once: bool) -> None:
        if at_once and self._faults is None and not self._waiting:
            self._publisher.put(message)
            self._sent_at_once += len(message)
            return
        due = 0.0
        if self._faults is not None:
            delay = self._faults.next()
            if delay is None:
                return
            due = time.monotonic() + delay
        with self._ready:
            self._waiting.append((due, message))
            self._ready.notify()

    def close(self) -> None:
        with self._ready:
            self._open = False
            self._ready.notify()
        self._thread.join(1.0)

    def _run(self) -> None:
        while True:
            with self._ready:
                while not self._waiting and self._open:
                    self._ready.wait()
                if not self._waiting:
                    return
                number = min(range(len(self._waiting)), key=lambda k: self._waiting[k][0]) if self._faults else 0
                due, message = self._waiting[number]
                late = due - time.monotonic()
                if late > 0 and self._open:
                    self._ready.wait(late)
                    continue
                del self._waiting[number]
            try:
                self._publisher.put(message)
            except Exception:
                if self._open:
                    raise
                return  # the session was closed meanwhile
            self._sent += len(message)


def identifier(zid: Any) -> bytes:
    """Returns the identifier of a Zenoh session as 16 bytes.

    Args:
        zid: Zenoh's own form of it.
    """
    return bytes.fromhex(str(zid).rjust(32, "0"))
