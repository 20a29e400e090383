"""An agent's own file: what it holds, and how it is read."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from hypergossip.lab.configuration import Section, Source, read, validated
from hypergossip.lab.deployment.addresses import check_endpoint
from hypergossip.lab.deployment.sections import RulesSection, TaskSection, WorkSections

FILE = "agent.toml"
STEM = "agent"  # of the names of its certificate's files
STATE = "state"
OBSERVER = "watch"
WATCH_FILE = "watch.toml"
RUN = r"[0-9a-f]{32}"


class AgentPart(Section):
    """The section ``[agent]``; see `hypergossip.peers.agent_settings.AgentSettings`.

    Attributes:
        name: Its name, which is the common name of its certificate.
        number: Its number among all agents, counted from 0.
        agents: The number of agents.
        run: The identifier of the run, 32 hexadecimal digits, the same for all agents.
        listen: The endpoint at which it listens.
        observers: The common names that may read its reports.
        state: The folder of its checkpoint and its log, relative to the folder of the file.
    """

    name: str = Field(min_length=1)
    number: int = Field(ge=0)
    agents: int = Field(ge=1)
    run: str = Field(pattern=rf"^{RUN}$")
    listen: str
    observers: list[str] = Field(default_factory=list)
    state: str | None = STATE


class CertificatesPart(Section):
    """The section ``[certificates]``: files, relative to the folder of this one.

    Attributes:
        authority: The certificate of the network's authority.
        certificate: The agent's certificate.
        key: Its private key.
    """

    authority: str
    certificate: str
    key: str


class NeighbourPart(Section):
    """A section ``[[neighbours]]``.

    Attributes:
        name: Its name, which is the common name of its certificate.
        number: Its number among all agents.
        address: Its endpoint.
        weight: W_ij; without it, both ends compute that of Metropolis.
    """

    name: str = Field(min_length=1)
    number: int = Field(ge=0)
    address: str
    weight: float | None = Field(default=None, allow_inf_nan=False)


class AgentRun(Section):
    """The section ``[run]``, the same for all agents.

    Attributes:
        rounds: The number of rounds.
        seed: The seed.
        precision: The precision of x, y and the messages.
    """

    rounds: int = Field(ge=0)
    seed: int = Field(default=0, ge=0, lt=2**32)
    precision: Literal["float32", "float64"]


class AgentFile(WorkSections[TaskSection]):
    """The file of one agent.

    Attributes:
        agent: ``[agent]``, who it is.
        certificates: ``[certificates]``, its files.
        run: ``[run]``.
        peers: ``[peers]``, what it does when a message has not come.
        neighbours: ``[[neighbours]]``, one section for each.
    """

    agent: AgentPart
    certificates: CertificatesPart
    run: AgentRun
    peers: RulesSection = Field(default_factory=RulesSection)
    neighbours: list[NeighbourPart] = Field(default_factory=list)


def certificate_table(stem: str) -> dict[str, str]:
    """Returns the section ``[certificates]`` for files that begin with `stem`."""
    return {"authority": "authority.pem", "certificate": f"{stem}.pem", "key": f"{stem}.key"}


def read_agent(path: Path) -> tuple[AgentFile, Source]:
    """Reads and checks an agent's file.

    Args:
        path: The file.

    Raises:
        ValueError: If an option is unknown, missing or invalid; the message names its section and line.
    """
    raw, source = read(path)
    file = validated(AgentFile, raw, source)
    file.check_work(source)
    file.peers.rules(source)
    me = file.agent
    if me.number >= me.agents:
        raise ValueError(
            f"[agent] number = {me.number}, but the numbers of {me.agents} agents are 0 to {me.agents - 1}"
            f"{source.at('agent', 'number')}."
        )
    check_endpoint(me.listen, f"[agent] listen{source.at('agent', 'listen')}")
    _check_neighbours(file, source)
    return file, source


def _check_neighbours(file: AgentFile, source: Source) -> None:
    me = file.agent
    names, numbers = {me.name}, {me.number}
    if not file.neighbours and me.agents > 1:
        raise ValueError(
            f"{source.name} has no section [[neighbours]], so that {me.name} would learn nothing from the other "
            f"{me.agents - 1} agents; add one for each neighbour, or run `hypergossip deploy` again."
        )
    for i, one in enumerate(file.neighbours):
        line = source.at("neighbours", str(i)) or source.at("neighbours")
        check_endpoint(one.address, f"the address of {one.name}{line}")
        if one.name in names or one.number in numbers or one.number >= me.agents:
            raise ValueError(
                f"the neighbour {one.name} has the name or number of this agent or another neighbour, or a number "
                f"above {me.agents - 1}; every agent has its own{line}."
            )
        names.add(one.name)
        numbers.add(one.number)
        if (one.weight is None) != (file.neighbours[0].weight is None):
            raise ValueError(
                f"{one.name} and {file.neighbours[0].name} do not both have a weight; give all neighbours one, or none "
                f"for Metropolis weights{line}."
            )
