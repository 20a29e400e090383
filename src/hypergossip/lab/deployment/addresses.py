"""The agents' names and addresses: which are valid, and which a plan without them gets."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from hypergossip.lab.configuration import Source
from hypergossip.support.ports import LOOPBACK, free_ports

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
RESERVED = ("watch", "authority.key", "authority.pem", "compose.yaml", "deployment.toml")
LARGEST_PORT = 65_535
_LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_HOST = re.compile(rf"(?:{_LABEL}\.)*(?![0-9]+$){_LABEL}")
_ENDPOINT = re.compile(r"tls/(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:/]+)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True)
class Place:
    """An agent and where it is reached.

    Attributes:
        name: Its name, which is also that of its folder and the common name of its certificate.
        number: Its number among all agents, counted from 0.
        host: The host name or address at which its neighbours reach it.
        port: Its port.
    """

    name: str
    number: int
    host: str
    port: int

    @property
    def address(self) -> str:
        """Its endpoint, such as "tls/paris.example.org:7450"."""
        return endpoint(self.host, self.port)

    @property
    def listen(self) -> str:
        """The endpoint at which it listens: of this machine alone, or at all of the machine's addresses."""
        if is_loopback(self.host):
            return self.address
        return endpoint("::" if ":" in self.host else "0.0.0.0", self.port)


def endpoint(host: str, port: int) -> str:
    """Returns an endpoint of a `host` and a `port`."""
    return f"tls/[{host}]:{port}" if ":" in host else f"tls/{host}:{port}"


def is_loopback(host: str) -> bool:
    """Returns whether a `host` is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def check_endpoint(text: str, where: str) -> None:
    """Raises ValueError if a text is no endpoint such as "tls/paris.example.org:7450".

    Args:
        text: The text.
        where: What it is and where it stands, as the beginning of the message.
    """
    found = _ENDPOINT.fullmatch(text)
    if not found or not _is_host(found["six"] or found["host"]) or not 1 <= int(found["port"]) <= LARGEST_PORT:
        raise ValueError(
            f'{where} is {text!r}, which is no endpoint; write "tls/", a host name or an address, and a port, such as '
            '"tls/paris.example.org:7450".'
        )


def check_names(names: Sequence[str], source: Source) -> None:
    """Raises ValueError if a name cannot name a folder and a certificate, or two are equal.

    Args:
        names: The names, in agents' order.
        source: The plan, for the line.
    """
    seen: dict[str, str] = {}
    for i, name in enumerate(names):
        line = source.at("agents", str(i), "name") or source.at("network")
        if not NAME.fullmatch(name):
            raise ValueError(
                f"an agent has the name {name!r}, which cannot name a folder and a certificate; use at most 63 letters "
                f"(a to z), digits, and - _ . and begin with a letter or a digit{line}."
            )
        if name.casefold() in RESERVED or re.fullmatch(r"hypergossip-.*\.service", name.casefold()):
            raise ValueError(
                f"an agent has the name {name!r}, which a file of the deployment has; choose another{line}."
            )
        if name.casefold() in seen:
            raise ValueError(
                f"two agents have the names {seen[name.casefold()]!r} and {name!r}; give every agent its own name, "
                f"different in more than upper and lower case{line}."
            )
        seen[name.casefold()] = name


def give_ports(agents: Sequence[tuple[str, str, int | None]], first: int, source: Source) -> tuple[Place, ...]:
    """Returns the agents with their ports; an agent without one gets the next free port of its host.

    Args:
        agents: The name, host and port of every agent, in order.
        first: The first port that is given.
        source: The plan, for the line.

    Raises:
        ValueError: If a host is neither a name nor an address, two agents have the same address, or an agent could not
            be reached from the others.
    """
    for i, (name, host, _) in enumerate(agents):
        _check_host(name, host, source.at("agents", str(i), "host"))
    taken: dict[tuple[str, int], str] = {}
    for i, (name, host, port) in enumerate(agents):
        if port is not None and (other := taken.setdefault((_machine(host), port), name)) != name:
            raise ValueError(
                f"{other} and {name} both have the address {host}:{port}; give one of them another port"
                f"{source.at('agents', str(i), 'port')}."
            )
    places = []
    for i, (name, host, port) in enumerate(agents):
        if port is None:
            free = (port for port in range(first, LARGEST_PORT + 1) if (_machine(host), port) not in taken)
            if (port := next(free, None)) is None:
                raise ValueError(
                    f"there is no port for {name}: those from {first} to {LARGEST_PORT} are taken; choose a smaller "
                    f"first port{source.at('peers', 'port')}."
                )
            taken[_machine(host), port] = name
        places.append(Place(name, i, host, port))
    near = [place for place in places if is_loopback(place.host)]
    if near and len(near) < len(places):
        raise ValueError(
            f"{near[0].name} has the host {near[0].host}, at which the agents of other machines cannot reach it; give "
            f"the host name or address of its machine{source.at('agents', str(near[0].number))}."
        )
    return tuple(places)


def on_this_machine(names: Sequence[str]) -> tuple[Place, ...]:
    """Returns the agents of the given `names` on this machine, at ports that are free now."""
    ports = free_ports(len(names))
    return tuple(Place(name, i, LOOPBACK, port) for i, (name, port) in enumerate(zip(names, ports, strict=True)))


def _machine(host: str) -> str:
    return LOOPBACK if host.lower() == "localhost" else host.lower()


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return len(host) <= 253 and _HOST.fullmatch(host) is not None
    return True


def _check_host(name: str, host: str, line: str) -> None:
    if not _is_host(host):
        raise ValueError(
            f"{name} has the host {host!r}, which is neither a host name nor an address; write it without a port, "
            f"such as paris.example.org or 192.0.2.7{line}."
        )
    try:
        unspecified = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return
    if unspecified:
        raise ValueError(
            f"{name} has the host {host}, which is no address of a machine; give the one at which others reach "
            f"it, and it listens at all of the machine's addresses by itself{line}."
        )
