"""An agent's connections: one Zenoh session, and one queue and one thread for each neighbour.

The computing thread never sends: a neighbour that reads slowly would hold it up. A `put` that returns is no receipt:
Zenoh drops messages in silence where a receiver has stopped reading, so that rounds are numbered and asked for again.
"""

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from hypergossip.peers.link_faults import LinkFaults
from hypergossip.peers.link_settings import key_of_status, key_to, threads_for
from hypergossip.support.extras import require

LONGEST_QUEUE = 256  # messages; the oldest gives way, as a later one pays for it or it is asked for again


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

        self._subscriber = self._session.declare_subscriber(key_to(run, "*", number), on_sample)
        self._listener = self._session.info.declare_transport_events_listener(on_event, history=False)
        self._status = self._session.declare_publisher(key_of_status(run, number))
        self._queues = {j: _Queue(self._publisher(key_to(run, number, j)), (faults or {}).get(j)) for j in neighbours}
        atexit.register(self.close)  # a process with an open session and a subscriber would not end

    @property
    def bytes_sent(self) -> int:
        """The bytes of all messages handed to the network."""
        return sum(queue.bytes for queue in self._queues.values())

    @property
    def session(self) -> bytes:
        """The identifier of the session, 16 bytes."""
        return identifier(self._session.zid())

    def send(self, neighbour: int, message: bytes) -> None:
        """Queues a message and returns at once.

        Args:
            neighbour: The neighbour's identity.
            message: The message.
        """
        self._queues[neighbour].put(message)

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
        return self._session.declare_publisher(key, congestion_control=block, express=True)


class _Queue:
    """The messages to one neighbour, and the thread that sends them."""

    def __init__(self, publisher: Any, faults: LinkFaults | None) -> None:
        self._publisher, self.bytes = publisher, 0
        self._faults = faults and faults.draws()
        self._waiting: deque[tuple[float, bytes]] = deque(maxlen=LONGEST_QUEUE)
        self._ready, self._open = threading.Condition(), True
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, message: bytes) -> None:
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
            self.bytes += len(message)


def identifier(zid: Any) -> bytes:
    """Returns the identifier of a Zenoh session as 16 bytes.

    Args:
        zid: Zenoh's own form of it.
    """
    return bytes.fromhex(str(zid).rjust(32, "0"))
