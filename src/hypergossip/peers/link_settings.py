"""The settings of Eclipse Zenoh for an agent: its addresses, mutual TLS, and who may send what."""

import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypergossip.support.extras import require

# Every message travels under a key that names its sender, so that a certificate can be bound to it.
ROOT = "hypergossip"
# The parts of Zenoh that report a refused handshake, and a certificate of this authority that is not a neighbour's.
REFUSALS = "zenoh_link_tls::unicast=warn,zenoh::net::routing::interceptor::access_control=info"
LEASE_MILLISECONDS = 4_000  # a neighbour that is silent for this long is lost; its own setting decides
RETRY_MILLISECONDS = 500, 1_000  # the first and the longest time between two attempts to reach a neighbour


def key_to(run: str, sender: int | str, receiver: int) -> str:
    """Returns the key of the messages from one agent to another.

    Args:
        run: The identifier of the run, hexadecimal.
        sender: The sender's identity; "*" stands for all agents.
        receiver: The receiver's identity.
    """
    return f"{ROOT}/{run}/{sender}/to/{receiver}"


def key_to_all(run: str, sender: int | str) -> str:
    """Returns the key of the messages from one agent to all its neighbours; "*" stands for all agents.

    Args:
        run: The identifier of the run, hexadecimal.
        sender: The sender's identity.
    """
    return f"{ROOT}/{run}/{sender}/to/all"


def key_of_status(run: str, sender: int | str) -> str:
    """Returns the key of an agent's reports on itself; "*" stands for all agents.

    Args:
        run: The identifier of the run, hexadecimal.
        sender: The agent's identity.
    """
    return f"{ROOT}/{run}/{sender}/status"


def log_refusals() -> None:
    """Lets Zenoh report on standard output whom it has refused; $RUST_LOG replaces this choice."""
    zenoh, before = require("zenoh", "peers", "an agent on a network"), os.environ.get("NO_COLOR")
    os.environ["NO_COLOR"] = "1"  # is read once, here; journals and files hold no colours
    try:
        zenoh.init_log_from_env_or(REFUSALS)
    finally:
        del os.environ["NO_COLOR"]
        if before is not None:
            os.environ["NO_COLOR"] = before


@dataclass(frozen=True)
class Certificates:
    """The files that prove who an agent is.

    Attributes:
        authority: The certificate of the network's own authority (PEM).
        certificate: The agent's certificate, whose common name is the agent's name.
        key: Its private key, which nobody else may read.
    """

    authority: Path
    certificate: Path
    key: Path

    def check(self) -> None:
        """Raises ValueError if a file is missing, or others can read the private key."""
        for path in (self.authority, self.certificate, self.key):
            if not path.is_file():
                raise ValueError(f"{path} does not exist; `hypergossip deploy` writes it for every agent.")
        mode = stat.S_IMODE(os.stat(self.key).st_mode)
        if mode & 0o077:
            raise ValueError(
                f"{self.key} can be read by other users (mode {mode:04o}), so that they could pass for this agent; "
                f"run: chmod 600 {self.key}"
            )


def settings(
    listen: Sequence[str],
    connect: Sequence[str],
    *,
    run: str,
    certificates: Certificates | None = None,
    names: Mapping[str, int] | None = None,
    observers: Sequence[str] = (),
    loopback: bool = False,
) -> Any:
    """Returns a configuration of Zenoh: a peer that talks to the given addresses only, and forwards nothing.

    Args:
        listen: The endpoints at which it listens, such as "tls/0.0.0.0:7450".
        connect: The endpoints of its neighbours.
        run: The identifier of the run, hexadecimal.
        certificates: The agent's certificates; None: no encryption, which only a test on one machine may have.
        names: The neighbours' names, which are the common names of their certificates, and their identities. A
            certificate may only send under its own identity.
        observers: The common names that may read the agent's reports, and may send nothing.
        loopback: Whether all agents are on this machine, where certificates name no host.

    Raises:
        ValueError: If a file of the certificates is missing or badly protected.
    """
    zenoh = require("zenoh", "peers", "an agent on a network")
    given: dict[str, Any] = {
        "mode": "peer",
        "listen/endpoints": list(listen),
        "connect/endpoints": list(connect),
        "scouting/multicast/enabled": False,
        "scouting/gossip/enabled": False,
        # Two sessions of one machine would otherwise pass large messages around the network.
        "transport/shared_memory/enabled": False,
        "transport/link/tx/lease": LEASE_MILLISECONDS,
        "connect/retry": {
            "period_init_ms": RETRY_MILLISECONDS[0],
            "period_max_ms": RETRY_MILLISECONDS[1],
            "period_increase_factor": 2.0,
        },
    }
    if certificates is not None:
        certificates.check()
        given["transport/link/tls"] = {
            "root_ca_certificate": str(certificates.authority),
            "listen_private_key": str(certificates.key),
            "listen_certificate": str(certificates.certificate),
            "connect_private_key": str(certificates.key),
            "connect_certificate": str(certificates.certificate),
            "enable_mtls": True,
            "verify_name_on_connect": not loopback,
            "close_link_on_expiration": True,
        }
        given["access_control"] = _access(run, names or {}, observers)
    config = zenoh.Config()
    for path, value in given.items():
        config.insert_json5(path, json.dumps(value))
    return config


@contextmanager
def threads_for(neighbours: int) -> Iterator[None]:
    """Gives Zenoh so many threads that links to lost machines do not hold up the others; for its first session.

    A link on which something is left to send is closed in up to 10 seconds, for which it blocks one of the threads that
    receive, by default two for the whole process (https://github.com/eclipse-zenoh/zenoh/issues/2718). A neighbour has
    up to two links, as both ends connect. A user's own $ZENOH_RUNTIME is respected; this one is not left to processes
    that begin later, which may have more neighbours.

    Args:
        neighbours: The number of neighbours.
    """
    if "ZENOH_RUNTIME" in os.environ:
        yield
        return
    os.environ["ZENOH_RUNTIME"] = f"(rx: (worker_threads: {2 + 2 * neighbours}))"
    try:
        yield
    finally:
        os.environ.pop("ZENOH_RUNTIME", None)


def _access(run: str, names: Mapping[str, int], observers: Sequence[str]) -> dict[str, Any]:
    """Returns rules by which each certificate sends under its own key alone."""
    both, everything = ["ingress", "egress"], f"{ROOT}/{run}/**"
    allow = lambda name, messages, flows, keys: {
        "id": name, "permission": "allow", "flows": flows, "messages": messages, "key_exprs": keys
    }  # fmt: skip
    rules = [
        allow("subscribe", ["declare_subscriber"], both, [everything]),
        allow("send", ["put"], ["egress"], [everything]),
        *(allow(f"from {i}", ["put"], ["ingress"], [f"{ROOT}/{run}/{i}/**"]) for i in names.values()),
    ]
    subjects = [{"id": f"agent {i}", "cert_common_names": [name]} for name, i in names.items()]
    policies = [{"rules": ["subscribe", "send", f"from {i}"], "subjects": [f"agent {i}"]} for i in names.values()]
    if observers:
        rules.append(allow("reports", ["put"], ["egress"], [key_of_status(run, "*")]))
        subjects.append({"id": "observers", "cert_common_names": list(observers)})
        policies.append({"rules": ["subscribe", "reports"], "subjects": ["observers"]})
    return {"enabled": True, "default_permission": "deny", "rules": rules, "subjects": subjects, "policies": policies}
