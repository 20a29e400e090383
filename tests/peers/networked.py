"""Small runs of agents in processes of their own, and which processes a call has left behind."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import hypergossip as hg
from hypergossip.problems.quadratic import quadratic

AGENTS = 3
RING = hg.networks.ring(AGENTS)
DIAMOND = hg.Diamond(0.05, 0.1, 0.3, 0.3, hg.Neumann(4, 5.0))
SERVER = "hypergossip.peers.fork_server"


def small(agents: int = AGENTS, **more: Any) -> Any:
    """Heterogeneous quadratics."""
    return quadratic(agents, 3, 4, **({"seed": 3, "noise": 0.1} | more))


def run(engine: Any = None, algorithm: Any = DIAMOND, problem: Any = None, network: Any = RING, **more: Any) -> Any:
    """A run on `Peers` unless another engine is given, without the checks before a run."""
    given = {"rounds": 20, "check": False, "progress": False, "engine": engine or hg.Peers(), **more}
    with warnings.catch_warnings(action="ignore", category=hg.PreflightWarning):
        return hg.solve(algorithm, problem or small(), network, **given)


def same(one: Any, other: Any, apart: float = 1e-10) -> None:
    """Two results have the same points and the same history, times apart."""
    np.testing.assert_allclose(one.x, other.x, rtol=0, atol=apart)
    np.testing.assert_allclose(one.y, other.y, rtol=0, atol=apart)
    left = (found.history.drop(columns="seconds") for found in (one, other))
    a, b = (table.to_numpy(dtype=float) for table in left)
    np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


def parents() -> dict[int, int]:
    """Every process that has not ended, and its parent."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            found[int(stat.parent.name)] = int(fields[1])
    return found


def servers_of(parent: int) -> list[int]:
    """The processes that start the agents of a process."""
    found = []
    for process, its in parents().items():
        try:
            command = Path(f"/proc/{process}/cmdline").read_text()
        except OSError:
            continue
        if its == parent and SERVER in command:
            found.append(process)
    return found


def agents_of(parent: int) -> list[int]:
    """The agents' processes of a process, in their order."""
    servers = servers_of(parent)
    return sorted(process for process, its in parents().items() if its in servers)


def ended(processes: list[int], seconds: float = 15.0) -> bool:
    """Whether processes end within a time."""
    return within(lambda: not set(processes) & set(parents()), seconds)


def within(condition: Callable[[], Any], seconds: float) -> bool:
    """Whether a condition holds within a time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())
