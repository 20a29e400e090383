"""The processes of a job meet before JAX starts, so that a missing one is named and a refusal ends all of them."""

import json
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from hypergossip.support.launchers import Launch

PAUSE = 0.1  # seconds between two attempts to reach process 0
NAMED = 8  # at most so many missing processes are listed


def meet(launch: Launch, refusal: str | None, wait: float) -> None:
    """Waits until every process of the job has come, at the port of process 0.

    Args:
        launch: This process.
        refusal: Why this process cannot take part, or None.
        wait: The most seconds to wait.

    Raises:
        RuntimeError: If a process is missing, or one of them refuses; all processes get the same sentence.
    """
    until = time.monotonic() + wait
    verdict = (
        _receive_all(launch, refusal, wait, until) if launch.process == 0 else _visit(launch, refusal, wait, until)
    )
    if verdict:
        raise RuntimeError(verdict)


def _receive_all(launch: Launch, refusal: str | None, wait: float, until: float) -> str:
    """Process 0: waits for every other process, then sends all of them the verdict, which is empty if all is well."""
    here: dict[int, socket.socket] = {}
    refusals = {0: refusal} if refusal else {}
    try:
        with _listener(launch) as listener:
            while len(here) < launch.processes - 1 and time.monotonic() < until:
                listener.settimeout(max(until - time.monotonic(), 0.01))
                try:
                    connection, _ = listener.accept()
                    connection.settimeout(2.0)
                    received = json.loads(_line(connection))
                    number = int(received["process"])
                except (OSError, ValueError, KeyError, TypeError):
                    continue  # the time ran out, or the connection is of another program
                if (problem := _other_job(launch, received)) or number in here or not 0 < number < launch.processes:
                    _send(connection, problem or f"two processes have the number {number}; give each its own.")
                    connection.close()
                    continue
                here[number] = connection
                if received.get("refusal"):
                    refusals[number] = str(received["refusal"])
        missing = [number for number in range(1, launch.processes) if number not in here]
        verdict = ""
        if refusals:
            number = min(refusals)
            verdict = f"process {number} on {launch.launcher} cannot start: {refusals[number]}"
        elif missing:
            verdict = (
                f"{_listed(missing)} of {launch.processes} did not reach process 0 at {launch.coordinator} within "
                f"{wait:g} seconds: it was not started, ended early, or cannot connect to this address; see its "
                "output, and check that its host may connect to this port."
            )
        for connection in here.values():
            _send(connection, verdict)
        for connection in here.values():
            _line(connection)  # the others close first, which leaves the port free for JAX
        return verdict
    finally:
        for connection in here.values():
            connection.close()


def _visit(launch: Launch, refusal: str | None, wait: float, until: float) -> str:
    """Another process: connects to process 0 and returns its verdict."""
    request = {"process": launch.process, "processes": launch.processes, "job": launch.job, "refusal": refusal}
    while time.monotonic() < until:
        try:
            with socket.create_connection((launch.host, launch.port), timeout=5.0) as connection:
                _send(connection, json.dumps(request))
                connection.settimeout(max(until - time.monotonic(), 0.0) + 5.0)  # process 0 has its own clock
                line = _line(connection)
                if line.startswith("!"):
                    return line[1:]
        except OSError:
            pass
        time.sleep(PAUSE)
    if refusal:
        return refusal
    return (
        f"process 0 of {launch.processes} did not answer at {launch.coordinator} within {wait:g} seconds: it was not "
        "started, ended early, or cannot be reached from this host; see its output, and check the address."
    )


def _listener(launch: Launch) -> socket.socket:
    """The socket at which process 0 accepts the others."""
    try:
        if socket.has_dualstack_ipv6():
            return socket.create_server(
                ("", launch.port), family=socket.AF_INET6, backlog=launch.processes, dualstack_ipv6=True
            )
        return socket.create_server(("", launch.port), backlog=launch.processes)
    except OSError as error:
        raise RuntimeError(
            f"port {launch.port} of this host cannot be used by process 0 ({error.strerror}), because another program, "
            "often another job, has it; set JAX_COORDINATOR_PORT, or the port in coordinator=, to a free one."
        ) from None


def _other_job(launch: Launch, received: dict[str, Any]) -> str:
    """Returns the message to a process of another job, or an empty text."""
    if received.get("job") == launch.job and received.get("processes") == launch.processes:
        return ""
    return (
        f"another job ({launch.job}, {launch.processes} processes) has the port {launch.port} of {launch.host}; set "
        "JAX_COORDINATOR_PORT, or the port in coordinator=, to another one for one of the jobs."
    )


def _listed(numbers: Iterable[int]) -> str:
    """Names processes in a sentence."""
    names = [str(number) for number in numbers]
    rest = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"process{'es' if len(names) > 1 else ''} {', '.join(names[:NAMED])}{rest}"


def _send(connection: socket.socket, text: str) -> None:
    """Sends a line; the verdict of process 0 starts with an exclamation mark. A closed connection is ignored."""
    mark = "" if text.startswith("{") else "!"
    with suppress(OSError):
        connection.sendall(f"{mark}{text}\n".encode())


def _line(connection: socket.socket) -> str:
    """Receives a line, or its beginning if the other end closes or the time runs out."""
    received = b""
    with suppress(OSError):
        while not received.endswith(b"\n") and len(received) < 65_536 and (part := connection.recv(4096)):
            received += part
    return received.decode(errors="replace").rstrip("\n")
