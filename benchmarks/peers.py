"""Agents as processes: a round beside a bare exchange of the same bytes, and 32 agents; options: 9, 8, 32 (all)."""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

import hypergossip as hg
from benchmarks.bare_exchange import averaged, bare_exchange
from benchmarks.gloo_ring import gloo_ring
from benchmarks.own_rounds import own_rounds
from benchmarks.timing import median_ratio, report
from hypergossip.engines.engine import Job
from hypergossip.peers.message import HEADER
from hypergossip.running.preflight import sent_in_a_round

TURNS = 9


def opened(algorithm: Any, problem: Any, network: Any) -> tuple[Any, Any]:
    """Starts the agents; returns the session and the state before round 0."""
    sent = sent_in_a_round(algorithm, problem)
    session = hg.Peers().open(Job(algorithm, problem, network, jax.random.key(0)[None], messages=sent))
    x, y = (np.broadcast_to(v, (1, problem.agents, v.size)) for v in (problem.x0, problem.y0))
    return session, session.start(x, y)


def loopback() -> int:
    """Returns the bytes that have passed the loopback interface, headers and acknowledgements included."""
    lines = Path("/proc/net/dev").read_text().splitlines()
    return next(int(line.split(":")[1].split()[0]) for line in lines if line.strip().startswith("lo:"))


class Rounds:
    """The rounds of a session, as a `ProcessGroup` does them."""

    def __init__(self, algorithm: Any, problem: Any, network: Any) -> None:
        """Starts the agents."""
        self.session, self._state = opened(algorithm, problem, network)
        self.done = 0

    def rounds(self, count: int) -> float:
        """Does so many rounds; returns the seconds."""
        begin = time.perf_counter()
        self._state, _ = self.session.advance(self._state, self.done, self.done + count)
        self.done += count
        return time.perf_counter() - begin

    def close(self) -> None:
        """Ends the agents."""
        self.session.close()


def processor_seconds() -> dict[int, float]:
    """Returns the processor time of every process that this one, or a process that it has started, has started."""
    parent, spent = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            tasks = [task.read_text() for task in stat.parent.glob("task/*/schedstat")]
        except OSError:
            continue
        parent[int(stat.parent.name)] = int(fields[1])
        spent[int(stat.parent.name)] = sum(int(text.split()[0]) for text in tasks) * 1e-9
    ours = {p for p, its in parent.items() if os.getpid() in (its, parent.get(its))}
    return {p: spent[p] for p in ours}


def beside_bare(title: str, network: Any, entries: int, rounds: int, gloo: bool = False) -> None:
    """Prints the time of a round beside that of a bare exchange, and what the agents compute for themselves."""
    method, problem = averaged(network.agents, entries)
    W = network.mixing.toarray()
    neighbours = [[j for j in range(network.agents) if j != i and W[i, j] != 0] for i in range(network.agents)]
    messages = sum(map(len, neighbours))
    with tempfile.TemporaryDirectory() as folder:
        groups = {
            "peers": Rounds(method, problem, network),
            "bare exchange": bare_exchange(neighbours, 4 * entries + HEADER.size, Path(folder)),
            "own computing": own_rounds(network.agents, len(neighbours[0]), entries),
        }
        if gloo:
            groups["gloo, without TLS"] = gloo_ring(network.agents, entries)
        for group in groups.values():
            group.rounds(5)
        seconds: dict[str, list[float]] = {name: [] for name in groups}
        processor: dict[str, list[float]] = {name: [] for name in groups}
        passed = 0
        for _ in range(TURNS):  # the difference of two lengths leaves out what a call costs
            for name, group in groups.items():
                short, begin, middle = group.rounds(rounds // 5), processor_seconds(), loopback()
                long = group.rounds(rounds)
                passed += (loopback() - middle) * (name == "peers")
                spent = sum(after - begin.get(process, 0.0) for process, after in processor_seconds().items())
                seconds[name].append((long - short) / (rounds - rounds // 5))
                processor[name].append(spent / rounds)
        counts = groups["peers"].session.counts()
        done = groups["peers"].done
        for group in groups.values():
            group.close()
    payload = TURNS * rounds * 4 * entries * messages
    handed = sum(count["sent"] for count in counts) / (done * 4 * entries * messages)
    report(
        title,
        [
            *(
                (name, f"{np.median(seconds[name]) * 1e3:.3f} ms a round, {np.median(processor[name]) * 1e3:.3f} ms of "
                 "processors")
                for name in groups
            ),
            ("ratio of times", _ratio(seconds)),
            ("ratio of processor times", _ratio(processor)),
            ("bytes on the loopback interface", f"{passed / payload:.4f} of the payload, with TLS and IP headers"),
            ("bytes handed to Zenoh", f"{handed:.4f} of the payload, with the messages' headers"),
            ("dropped", str({k: v for count in counts for k, v in count["dropped"].items()})),
        ],
    )  # fmt: skip


def _ratio(found: dict[str, list[float]]) -> str:
    peers, bare, own = (np.array(found[name]) for name in ("peers", "bare exchange", "own computing"))
    beyond = median_ratio(peers - own, bare)
    middle, low, high = beyond
    whole = median_ratio(peers, bare)[0]
    return f"{middle:.2f} beyond own computing ({low:.2f} to {high:.2f}; at most 1.25); with it {whole:.2f}"


def proportional_sizes() -> list[float]:
    """Returns the proportional set sizes of the agents' processes, in MB."""
    parent, found = {}, []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    servers = {p for p, its in parent.items() if its == os.getpid()}
    for process in (p for p, its in parent.items() if its in servers):
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        found.append(next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024)
    return found


def many(agents: int = 32, rounds: int = 200) -> None:
    """Prints the start of many agents, their rounds and their memory."""
    problem, network = hg.problems.quadratic(agents, 20, 10, noise=0.1), hg.networks.exponential(agents)
    times = [time.perf_counter()]
    session, state = opened(hg.Diamond(0.05, 0.1, 0.3, 0.3, hg.Neumann(4, 5.0)), problem, network)
    times.append(time.perf_counter())
    state, _ = session.advance(state, 0, 1)
    times.append(time.perf_counter())
    session.advance(state, 1, rounds)
    times.append(time.perf_counter())
    sizes = proportional_sizes()
    session.close()
    spans = np.diff(times)
    report(
        f"{agents} agents, DIAMOND, {network.degrees.mean():.0f} neighbours each",
        [
            ("started and met", f"{spans[0]:.1f} s"),
            ("first round, after", f"{spans[0] + spans[1]:.1f} s (at most 60)"),
            (f"{rounds} rounds", f"{spans[2]:.2f} s, {spans[2] / (rounds - 1) * 1e3:.2f} ms each"),
            ("proportional set size", f"{np.mean(sizes):.0f} MB an agent, at most {max(sizes):.0f} (at most 300)"),
        ],
    )


def main() -> None:
    """Prints all tables."""
    wanted = sys.argv[1:] if __name__ == "__main__" else []
    if not wanted or "9" in wanted:
        edges = [(i, (i + step) % 9) for i in range(9) for step in (1, 2)]
        beside_bare("9 agents, 4 neighbours each, 10 kB", hg.networks.from_edges(9, edges), 2_500, 200)
    if not wanted or "8" in wanted:
        beside_bare("8 agents on a ring, 1 MB", hg.networks.ring(8), 250_000, 25, gloo=True)
    if not wanted or "32" in wanted:
        many()


if __name__ == "__main__":
    main()
