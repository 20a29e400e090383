"""What one agent on a network is told before it starts, and what it reports while it runs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from hypergossip.peers.link_settings import Certificates

POLICIES = ("wait", "deadline", "quorum")


@dataclass(frozen=True)
class Policy:
    """What an agent does in a round in which a neighbour's message has not come.

    Args:
        name: "wait": for every neighbour that is there. "deadline": it continues without those that are later than the
            measured rounds let expect. "quorum": it continues as soon as a share of its neighbours has been received.
        quorum: The share of the neighbours that must have been received under "quorum", above 0 and at most 1.
        ahead: The largest number of rounds in a row in which an agent continues without a neighbour that is there. Then
            it waits for that neighbour, so that nobody is left behind and what is paid later stays small.

    Raises:
        ValueError: If a field is out of its range.
    """

    name: str = "wait"
    quorum: float = 0.5
    ahead: int = 2

    def __post_init__(self) -> None:
        if self.name not in POLICIES:
            raise ValueError(f'policy is {self.name!r}; give one of "wait", "deadline" and "quorum".')
        if not 0 < self.quorum <= 1:
            raise ValueError(f"quorum is {self.quorum}; give a share of the neighbours, above 0 and at most 1.")
        if not 1 <= self.ahead <= 1000:
            raise ValueError(f"ahead is {self.ahead}; give a number of rounds from 1 to 1,000.")


class Neighbour(NamedTuple):
    """A neighbour of an agent.

    Attributes:
        name: Its name, which is the common name of its certificate.
        number: Its identity, its number among all agents, counted from 0.
        address: Its endpoint, such as "tls/paris.example.org:7450".
        weight: W_ij, or None for Metropolis weights, which both ends compute from their numbers of neighbours.
    """

    name: str
    number: int
    address: str
    weight: float | None = None


@dataclass(frozen=True)
class AgentSettings:
    """One agent of a network.

    Attributes:
        name: Its name, which is the common name of its certificate.
        number: Its identity, its number among all agents, counted from 0.
        agents: The number of agents of the network.
        run: The identifier of the run, 32 hexadecimal digits, the same for all agents.
        listen: The endpoint at which it listens, such as "tls/0.0.0.0:7450".
        neighbours: Its neighbours.
        algorithm: The agent's program, the same for all agents.
        problem: A problem that holds this agent's data: of this agent alone, or of all agents.
        rounds: The number of rounds.
        seed: The seed, the same for all agents.
        policy: What it does when a message has not come.
        channel: The stages that its messages pass, as for `solve`.
        certificates: Its certificates; None: no encryption, for a test on one machine.
        loopback: Whether all agents are on this machine, so that the certificates' host names are not checked.
        observers: The common names that may read its reports, such as ("watch",).
        state: The folder of its checkpoint and its log; None: it keeps nothing.
        checkpoint_every: The time between two checkpoints, in seconds.
    """

    name: str
    number: int
    agents: int
    run: str
    listen: str
    neighbours: tuple[Neighbour, ...]
    algorithm: Any
    problem: Any
    rounds: int
    seed: int = 0
    policy: Policy = field(default_factory=Policy)
    channel: Any = None
    certificates: Certificates | None = None
    loopback: bool = False
    observers: tuple[str, ...] = ()
    state: Path | None = None
    checkpoint_every: float = 5.0


@dataclass(frozen=True)
class LinkStatus:
    """A link of an agent, as it reports it.

    Attributes:
        name: The neighbour's name.
        number: The neighbour's identity.
        open: Whether the neighbour is there and counts.
        round: The last round of which a message has come, -1 before the first.
        lag: How many rounds that is behind the agent's own.
        weight: W_ij.
        received: The number of messages that have been used.
        missed: The number of rounds in which the agent continued without the neighbour.
        dropped: How often a message was dropped, by reason.
    """

    name: str
    number: int
    open: bool
    round: int
    lag: int
    weight: float
    received: int
    missed: int
    dropped: Mapping[str, int]


@dataclass(frozen=True)
class Status:
    """What an agent reports on itself, about twice a second, as JSON under `key_of_status`.

    Attributes:
        name: Its name.
        number: Its identity.
        state: "starting", "running", "waiting" (for a neighbour), "finished" or "failed".
        round: The number of completed rounds.
        rounds: The number of rounds of the run.
        seconds: The time since the first round, in seconds.
        upper_loss: f of its own data at its own point; None if the problem has no losses.
        lower_loss: g likewise.
        bytes_sent: The bytes handed to the network, headers included.
        bytes_received: The bytes received from the network, headers included.
        policy: The policy's name.
        invariant: The network's conserved sum, relative to its terms, as gossip has it so far; None if unknown.
        invariant_round: The round after which the sum had that value; None if unknown.
        conserves: Whether there is such a sum; None: the agent does not say.
        alarm: A sentence if something is wrong, or "".
        dropped: How often a message of no known neighbour was dropped, by reason.
        links: Its links.
    """

    name: str
    number: int
    state: str
    round: int
    rounds: int
    seconds: float
    upper_loss: float | None
    lower_loss: float | None
    bytes_sent: int
    bytes_received: int
    policy: str
    invariant: float | None
    alarm: str
    dropped: Mapping[str, int]
    links: tuple[LinkStatus, ...]
    invariant_round: int | None = None
    conserves: bool | None = None

    def as_dict(self) -> dict[str, Any]:
        """Returns it as JSON's types."""
        return asdict(self)
