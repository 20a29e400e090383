"""Several agents in this process, each with its own thread and its own links over loopback."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import hypergossip as hg
from hypergossip.peers.agent_settings import AgentSettings, Neighbour, Policy
from hypergossip.peers.exchange import Stopped
from hypergossip.peers.invariant_table import Found
from hypergossip.peers.link_faults import LinkFaults
from hypergossip.peers.standalone import RunningAgent
from hypergossip.support.ports import free_ports

DIAMOND = hg.Diamond(0.05, 0.1, 0.3, 0.3, hg.Exact())
RING = ((1, 3), (0, 2), (1, 3), (0, 2))


class SeveralAgents:
    """Agents on a graph.

    Attributes:
        agents: Those that run, by number.
        terms: The largest entry of each agent's own term, with what its links have added taken out.
        found: Each agent's last invariant.
        worst: For each agent, the largest ratio of an invariant and what rounding explains.
    """

    def __init__(
        self, folder: Path, method: Any = DIAMOND, graph: Sequence[Sequence[int]] = RING, *, loss: float = 0.0,
        pause: float = 0.005, weights: dict[tuple[int, int], float] | None = None, **more: Any,
    ) -> None:  # fmt: skip
        self.graph, self.loss, self.pause, self.folder = graph, loss, pause, folder
        self.agents: dict[int, RunningAgent] = {}
        self.terms: dict[int, float] = {}
        self._threads: dict[int, threading.Thread] = {}
        self._ports, self._stopping = free_ports(len(graph)), set()
        self._given = {
            "agents": len(graph), "run": "5c" * 16, "algorithm": method, "rounds": 100_000,
            "problem": hg.problems.quadratic(len(graph), 4, 3, noise=0.1, share="both"), "policy": Policy("deadline"),
        } | more  # fmt: skip
        self._weights = weights or {}
        self.worst: dict[int, float] = {}

    def make(self, number: int) -> RunningAgent:
        """An agent that has not begun."""
        address = lambda j: f"tcp/127.0.0.1:{self._ports[j]}"
        neighbours = tuple(
            Neighbour(f"agent-{j}", j, address(j), self._weights.get((number, j))) for j in self.graph[number]
        )
        settings = AgentSettings(
            name=f"agent-{number}", number=number, listen=address(number), neighbours=neighbours,
            state=self.folder / str(number), checkpoint_every=0.2, **self._given,
        )  # fmt: skip
        faults = {j: LinkFaults(loss=self.loss, seed=10 * number + j) for j in self.graph[number]}

        def after_a_round(round: int, state: Any, program: Any) -> None:
            time.sleep(self.pause)
            if (term := program.term(state)) is not None:
                self.terms[number] = float(np.abs(term).max())
            if (found := agent._invariant and agent._invariant.found) is not None:
                ratio = found.value / found.limit if found.value else 0.0
                self.worst[number] = max(self.worst.get(number, 0.0), ratio)

        agent = RunningAgent(settings, faults, after_a_round)
        return agent

    def start(self, number: int, tampered: Callable[[RunningAgent], object] = lambda _: None) -> None:
        """Starts an agent; a function may change it before it begins."""
        agent = self.make(number)
        self._stopping.discard(number)
        agent.links.exchange.stopping = lambda: number in self._stopping
        tampered(agent)
        self.agents[number] = agent

        def run() -> None:
            with contextlib.suppress(Stopped):
                agent.run()

        self._threads[number] = threading.Thread(target=run, daemon=True)
        self._threads[number].start()

    def stop(self, number: int) -> None:
        """Stops an agent, which says farewell."""
        self._stopping.add(number)
        self._threads.pop(number).join(20)
        self.agents.pop(number).close()

    def stop_all(self) -> None:
        """Stops all agents at once, so that none waits for another."""
        self._stopping |= set(self.agents)
        for number in list(self.agents):
            self.stop(number)

    @property
    def found(self) -> dict[int, Found | None]:
        """What each agent that runs knows of the invariant."""
        return {i: agent._invariant and agent._invariant.found for i, agent in self.agents.items()}

    def all_know(self, after: int = 0) -> bool:
        """Whether every agent knows the invariant after some round."""
        return all(one is not None and one.round >= after for one in self.found.values())

    @property
    def alarms(self) -> dict[int, str]:
        """What each agent that runs reports to be wrong."""
        return {i: json.loads(agent._reports._status())["alarm"] for i, agent in self.agents.items()}

    @property
    def round(self) -> int:
        """The largest number of completed rounds."""
        return max(agent.links.round for agent in self.agents.values())


@contextlib.contextmanager
def running(
    made: SeveralAgents, tampered: dict[int, Callable[[RunningAgent], object]] | None = None
) -> Iterator[SeveralAgents]:
    """Starts all agents, some of them changed, and stops them at the end."""
    try:
        for number in range(len(made.graph)):
            made.start(number, (tampered or {}).get(number, lambda _: None))
        yield made
    finally:
        made.stop_all()
