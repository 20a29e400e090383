"""The file `watch.toml`: the run, its agents and their addresses, and the certificate of the observer."""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hypergossip.lab.toml_text import line_of, read_utf8
from hypergossip.lab.watching import certificate
from hypergossip.peers.link_settings import Certificates

MAX_AGENTS = 1_000

Number = Annotated[int, Field(ge=0, lt=2**32)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
FORMS = {
    "run": "32 hexadecimal digits in lower case",
    "tls": "a table with the paths authority, certificate and key",
    "loopback": "true or false",
    "agents": f"one or more sections [[agents]], at most {MAX_AGENTS:,}",
    "name": "a text of 1 to 100 characters",
    "number": "a whole number from 0",
    "address": 'an endpoint such as "tls/paris.example.org:7450"',
    "neighbours": "a list of the neighbours' numbers",
}


class WatchedAgent(NamedTuple):
    """An agent of the network.

    Attributes:
        name: Its name, which is the common name of its certificate.
        number: Its identity.
        address: Its endpoint, such as "tls/paris.example.org:7450".
        neighbours: The identities of its neighbours.
    """

    name: str
    number: int
    address: str
    neighbours: tuple[int, ...]


class WatchPlan(NamedTuple):
    """A network to watch.

    Attributes:
        run: The identifier of the run, 32 hexadecimal digits.
        agents: Its agents, by number.
        certificates: The observer's certificates; None: no encryption, for a test on one machine.
        loopback: Whether all agents are on this machine, so that certificates name no host.
    """

    run: str
    agents: tuple[WatchedAgent, ...]
    certificates: Certificates | None = None
    loopback: bool = False

    def edges(self) -> list[tuple[int, int]]:
        """Returns the pairs of neighbours, each once, the smaller number first."""
        pairs = {(min(a.number, j), max(a.number, j)) for a in self.agents for j in a.neighbours}
        return sorted(pairs)

    def name_of(self, number: int) -> str:
        """Returns the name of the agent with a `number`."""
        return next(agent.name for agent in self.agents if agent.number == number)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Tls(_Strict):
    authority: str
    certificate: str
    key: str


class _Agent(_Strict):
    name: Name
    number: Number
    address: Annotated[str, Field(pattern=r"^[a-z]+/[^\s/]+:\d{1,5}$", max_length=300)]
    neighbours: list[Number]


class _File(_Strict):
    run: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    tls: _Tls | None = None
    loopback: bool = False
    agents: Annotated[list[_Agent], Field(min_length=1, max_length=MAX_AGENTS)]


def read(path: Path) -> WatchPlan:
    """Returns the network that a file describes.

    Args:
        path: The file; the paths in its table [tls] are relative to its folder.

    Raises:
        ValueError: If the file does not exist or is not valid.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist; `hypergossip deploy` writes watch.toml beside the agents' files.")
    text = read_utf8(path)
    try:
        file = _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name} is not valid TOML: {error}.") from None
    except ValidationError as error:
        raise ValueError(_advice(error.errors(include_url=False)[0], path.name, text)) from None
    agents = tuple(WatchedAgent(a.name, a.number, a.address, tuple(a.neighbours)) for a in file.agents)
    _check_agents(agents, path.name)
    tls = file.tls
    places = None if tls is None else [path.parent / each for each in (tls.authority, tls.certificate, tls.key)]
    certificates = None if places is None else Certificates(*places)
    if certificates is not None:
        certificates.check()
        certificate.check(certificates)
    return WatchPlan(file.run, tuple(sorted(agents, key=lambda a: a.number)), certificates, file.loopback)


def _check_agents(agents: tuple[WatchedAgent, ...], file: str) -> None:
    for what in ("name", "number"):
        count = Counter(getattr(agent, what) for agent in agents)
        if twice := [value for value, times in count.items() if times > 1]:
            raise ValueError(f"{file} has two agents of the {what} {twice[0]!r}; give each agent a {what} of its own.")
    known = {a.number for a in agents}
    for agent in agents:
        if agent.number in agent.neighbours or not set(agent.neighbours) <= known:
            wrong = next(j for j in agent.neighbours if j == agent.number or j not in known)
            raise ValueError(f"{file}: {agent.name} has the neighbour {wrong}; give the numbers of other agents.")


def _advice(problem: Any, file: str, text: str) -> str:
    path = tuple(map(str, problem["loc"]))
    option = next((part for part in reversed(path) if not part.isdigit()), "")
    line = line_of(text, path)
    where = f"{file}, line {line}" if line else file
    if problem["type"] == "extra_forbidden":
        return f"{where}: there is no option {option!r} here; the options are run, [tls], loopback and [[agents]]."
    lacks = problem["type"] == "missing"
    return f"{where}: {option!r} {'is missing' if lacks else 'is not valid'}; give {FORMS.get(option, 'a path')}."
