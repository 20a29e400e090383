"""What lost messages cost with and without the remedies: `python -m studies.loss_without_remedies`.

Nine agents exchange their messages over loopback and mutual TLS; a fifth of all messages is lost, requests to send
again included. The library refuses the two variants without a remedy; they are made here to show why.
"""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import jax
import numpy as np

import hypergossip as hg
from hypergossip.channels.edge_sums import EdgeSums
from hypergossip.peers import LinkFaults, engine
from hypergossip.peers.exchange import Exchange, Stopped
from hypergossip.peers.worker import Worker
from hypergossip.problems.quadratic import solution

AGENTS, LOSS = 9, 0.2
ROUNDS, WAITING_ROUNDS = 600, 60  # a round that waits takes as long as its most unlucky message
PATIENCE = 15.0  # seconds until a run counts as stalled
METHODS = {
    "DIAMOND": hg.Diamond(0.1, 0.3, 1.0, 1.0, hg.Exact()),
    "SLAM": hg.Slam(0.1, 0.3, 1.0, 1.0, hg.Exact()),
}


class AgentThreads:
    """The agents of `Peers` as threads of this process, so that a study can change how they exchange messages."""

    def __init__(self, count: int, _: Any) -> None:
        """Prepares the agents."""
        self.workers: list[Worker] = []

    def begin(self, duties: Sequence[Any]) -> None:
        """Opens every agent's links."""
        self.workers = [Worker(duty) for duty in duties]

    def call(self, name: str, arguments: Sequence[tuple], first: int = 0) -> list[Any]:
        """Calls a method of several agents at once; raises Stopped if they wait for each other for too long."""
        workers = self.workers[first : first + len(arguments)]
        answers: dict[int, Any] = {}

        def answer(k: int) -> None:
            try:
                answers[k] = getattr(workers[k], name)(*arguments[k])
            except Stopped as stopped:
                answers[k] = stopped

        threads = [threading.Thread(target=answer, args=(k,), daemon=True) for k in range(len(workers))]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)
                if name == "advance" and self._stalled():
                    for worker in workers:
                        worker.links.exchange.stopping = lambda: True
        if any(isinstance(found, Stopped) for found in answers.values()):
            raise Stopped(max(self._rounds()))
        return [answers[k] for k in range(len(workers))]

    def close(self) -> None:
        """Closes the links."""
        for worker in self.workers:
            worker.close()

    def _rounds(self) -> tuple[int, ...]:
        return tuple(link.last_round for worker in self.workers for link in worker.links.mailbox.links.values())

    def _stalled(self) -> bool:
        """Returns whether no agent has received a message of a later round for a long time."""
        rounds, now = self._rounds(), time.monotonic()
        before, since = getattr(self, "_seen", (None, now))
        self._seen = (rounds, since if rounds == before else now)
        return now - self._seen[1] > PATIENCE


@contextmanager
def without(*parts: str) -> Iterator[None]:
    """Leaves remedies out: "requests" for lost messages, or "sums" of the edges, which the engine asks for."""
    with ExitStack() as stack:
        stack.enter_context(patch.object(engine, "AgentProcesses", AgentThreads))
        if "requests" in parts:
            stack.enter_context(patch.object(Exchange, "_ask", lambda *_: None))
        if "sums" in parts:
            stack.enter_context(patch.object(engine, "_check", lambda *_: None))
        yield


def distance(found: Any, problem: Any) -> float:
    """Returns the largest difference of an entry of an agent from the optimum."""
    best = solution(problem)
    return float(max(np.abs(found.x - best.x).max(), np.abs(found.y - best.y).max()))


def say(name: str, variant: str, seen: str, right: bool) -> bool:
    """Prints a row of the table; returns whether it is as expected."""
    print(f"{name:8} {variant:40} {seen}{'' if right else ': NOT AS EXPECTED'}", flush=True)
    return right


def main() -> None:
    """Prints the table; ends with 1 if a remedy fails, or its absence does no harm."""
    jax.config.update("jax_enable_x64", True)
    problem = hg.problems.quadratic(AGENTS, 3, 4, noise=0.0)
    network = hg.networks.erdos_renyi(AGENTS, 0.4, seed=1)
    good = True
    for name, method in METHODS.items():

        def run(policy: str, rounds: int, channel: Any = None, *left_out: str, method: Any = method) -> Any:
            options: Any = {"check": False, "progress": False, "observe_every": rounds, "measure": ()}
            peers = hg.Peers(policy=policy, faults=LinkFaults(loss=LOSS)) if policy else hg.Simulated()
            with without(*left_out):
                return hg.solve(method, problem, network, rounds=rounds, engine=peers, channel=channel, **options)

        waited, simulated = run("wait", WAITING_ROUNDS), run("", WAITING_ROUNDS)
        apart = float(max(np.abs(waited.x - simulated.x).max(), np.abs(waited.y - simulated.y).max()))
        good &= say(name, "wait", f"{apart:.1e} from Simulated after {WAITING_ROUNDS} rounds", apart < 1e-12)
        try:
            run("wait", WAITING_ROUNDS, None, "requests")
            good &= say(name, "wait, lost messages not requested again", "ends", False)
        except Stopped as stopped:
            good &= say(name, "wait, lost messages not requested again", f"stalls in round {stopped}", True)
        end = distance(run("deadline", ROUNDS, [EdgeSums()]), problem)
        good &= say(name, "deadline, edge sums", f"{end:.1e} from the optimum after {ROUNDS} rounds", end < 1e-12)
        end = distance(run("deadline", ROUNDS, None, "sums"), problem)
        good &= say(name, "deadline, no edge sums", f"{end:.1e} from the optimum after {ROUNDS} rounds", end > 1e-3)
    sys.exit(not good)


if __name__ == "__main__":
    main()
