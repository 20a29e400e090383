"""Connections of strangers to a running agent: `python -m studies.strangers --connections 1000`.

Two agents run over mutual TLS. One of them is sent connections without a certificate, with a certificate of another
authority, and without TLS. All must be refused and logged, and the agents' memory and run must not change.
"""

import argparse
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from hypergossip.lab.deployment.folder import deploy
from hypergossip.lab.deployment.plan import read_plan
from hypergossip.peers.certificates import Authority
from hypergossip.peers.link_settings import Certificates

PLAN = """\
[problem]
name = "quadratic"
noise = 0.0

[network]
name = "path"
n = 2

[run]
rounds = 1_000_000_000

[methods.diamond]
upper_step = 0.05
lower_step = 0.2
upper_momentum = 0.1
lower_momentum = 0.1
hypergradient = "exact"

[peers]
policy = "wait"
"""
LOGGED = {  # what Zenoh writes of each kind
    "no certificate": "peer sent no certificates",
    "another authority": "invalid peer certificate",
    "no TLS": "received corrupt message",
}


class Seen(NamedTuple):
    """What became of the connections.

    Attributes:
        refused: The number of refused connections of each kind.
        logged: The number of lines in the agent's log of each kind.
        megabytes: The agent's resident memory before and after.
        ended: Whether an agent had ended before it was asked to.
    """

    refused: dict[str, int]
    logged: dict[str, int]
    megabytes: tuple[float, float]
    ended: bool


def refused(port: int, certificates: Certificates | None) -> bool:
    """Returns whether a connection by TLS is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # a stranger trusts everybody
    if certificates is not None:
        context.load_cert_chain(certificates.certificate, certificates.key)
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
            context.wrap_socket(plain) as connection,
        ):
            connection.sendall(b"hello")
            return connection.recv(16) == b""
    except (ssl.SSLError, ConnectionError):
        return True


def without_tls(port: int) -> bool:
    """Returns whether a connection that does not speak TLS is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        try:
            while connection.recv(1024):
                pass
        except ConnectionError:
            pass
    return True


def resident(process: int) -> float:
    """Returns the resident memory of a process, in MB."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def strangers(connections: int, folder: Path) -> Seen:
    """Runs two agents and sends one of them so many connections, a third of each kind.

    Args:
        connections: Their number.
        folder: A folder for the deployment.
    """
    (folder / "plan.toml").write_text(PLAN)
    checked = read_plan(folder / "plan.toml", None).on_this_machine()
    deploy(checked, folder / "network", one_machine=True)
    files = sorted((folder / "network").glob("*/agent.toml"))
    ports = [int(line.split(":")[-1].strip(' "')) for line in _listen(files)]
    stranger = Authority.create("strangers").issue("agent-1", ["127.0.0.1"], folder, "stranger")
    command = [sys.executable, "-m", "hypergossip", "agent", "--config"]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    agents: list[Any] = []
    logs = [folder / f"log-{k}" for k in range(len(files))]
    try:
        for path, log in zip(files, logs, strict=True):
            with log.open("w") as out:
                agents.append(subprocess.Popen([*command, str(path)], stdout=out, stderr=out, env=environment))
        until = time.monotonic() + 120
        while not all("begins at round" in log.read_text() for log in logs):
            if time.monotonic() > until or any(agent.poll() is not None for agent in agents):
                raise RuntimeError("the agents did not begin:\n" + "\n".join(log.read_text() for log in logs))
            time.sleep(0.2)
        found = dict.fromkeys(LOGGED, 0)
        for attempt in ("no certificate", "no TLS"):  # the first of each kind may load what the agent needs for it
            refused(ports[0], None) if attempt == "no certificate" else without_tls(ports[0])
        refused(ports[0], stranger)
        before = resident(agents[0].pid)
        for k in range(connections):
            kind = list(LOGGED)[k % 3]
            tried = without_tls(ports[0]) if kind == "no TLS" else refused(ports[0], stranger if k % 3 else None)
            found[kind] += tried
        after, ended = resident(agents[0].pid), any(agent.poll() is not None for agent in agents)
    finally:
        for agent in agents:
            agent.terminate()
        for agent in agents:
            agent.wait(30)
    text = logs[0].read_text()
    return Seen(found, {kind: text.count(words) for kind, words in LOGGED.items()}, (before, after), ended)


def _listen(files: list[Path]) -> list[str]:
    return [next(line for line in path.read_text().splitlines() if line.startswith("listen")) for path in files]


def main() -> None:
    """Prints what was seen; ends with 1 if a connection was accepted, memory grew, or an agent ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seen = strangers(given.connections, Path(folder))
    print(f"refused: {seen.refused}; logged: {seen.logged}")
    print(f"resident memory {seen.megabytes[0]:.1f} MB before, {seen.megabytes[1]:.1f} MB after")
    grown = seen.megabytes[1] - seen.megabytes[0]
    sys.exit(sum(seen.refused.values()) < given.connections or grown > 50 or seen.ended)


if __name__ == "__main__":
    main()
