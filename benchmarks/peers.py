"""Agents as processes: a round beside a bare exchange of the same bytes, and 32 agents; options: 9, 8, 32 (all)."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

import hypergossip as hg
from benchmarks.bare_exchange import Averaging, BareExchange
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


def beside_bare(title: str, network: Any, entries: int, rounds: int) -> None:
    """Prints the time of a round beside that of a bare exchange."""
    agents = network.agents
    problem = hg.problems.quadratic(agents, 2, 2, noise=0.0)
    problem = hg.Problem.from_oracles(problem.oracles, x0=np.zeros(entries, np.float32), y0=np.zeros(2, np.float32))
    W = network.mixing.toarray()
    neighbours = [[j for j in range(agents) if j != i and W[i, j] != 0] for i in range(agents)]
    session, state = opened(Averaging(), problem, network)
    bare = BareExchange(neighbours, 4 * entries + HEADER.size)
    done = 0

    def peers(count: int) -> float:
        nonlocal state, done
        begin = time.perf_counter()
        state, _ = session.advance(state, done, done + count)
        done += count
        return time.perf_counter() - begin

    peers(5), bare.rounds(5)
    found: dict[str, list[float]] = {"peers": [], "bare": []}
    passed = 0
    for _ in range(TURNS):  # the difference of two lengths leaves out what a call costs
        short, middle = peers(rounds // 5), loopback()
        long = peers(rounds)
        passed += loopback() - middle
        found["peers"].append((long - short) / (rounds - rounds // 5))
        short, long = bare.rounds(rounds // 5), bare.rounds(rounds)
        found["bare"].append((long - short) / (rounds - rounds // 5))
    counts = session.counts()
    session.close(), bare.close()
    seconds = {name: np.array(values) for name, values in found.items()}
    middle, low, high = median_ratio(seconds["peers"], seconds["bare"])
    payload = TURNS * rounds * 4 * entries * sum(map(len, neighbours))
    handed = sum(count["sent"] for count in counts) / (done * 4 * entries * sum(map(len, neighbours)))
    rows = [(name, f"{np.median(values) * 1e3:.3f} ms a round") for name, values in seconds.items()]
    report(
        title,
        [
            *rows,
            ("ratio", f"{middle:.2f} ({low:.2f} to {high:.2f}; at most 1.25)"),
            ("bytes on the loopback interface", f"{passed / payload:.4f} of the payload, with TLS and IP headers"),
            ("bytes handed to Zenoh", f"{handed:.4f} of the payload, with the messages' headers"),
            ("dropped", str({k: v for count in counts for k, v in count["dropped"].items()})),
        ],
    )


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
        beside_bare("8 agents on a ring, 1 MB", hg.networks.ring(8), 250_000, 25)
    if not wanted or "32" in wanted:
        many()


if __name__ == "__main__":
    main()
