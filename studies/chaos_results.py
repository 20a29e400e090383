"""What a disturbed run of agents has reached, from the points and logs that the agents have left (`studies.chaos`)."""

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

EVERY = 5  # rounds between two records of an agent's point
IDENTIFIED = 3  # the round, the time and the largest entry of the agent's term of the conserved sum
MOST_COMPARED = 30  # points, as each needs the solution of the lower level

STARTS = r"^(\d+\.\d+) agent-\d+ starts"  # in an agent's log

Edge = tuple[int, int]


class Sizes(NamedTuple):
    """The sizes of a problem, and of a record, which is a round, a time, the agent's term, x and y.

    Attributes:
        x: The number of entries of x.
        y: The shape of y.
    """

    x: int
    y: tuple[int, ...]

    @property
    def record(self) -> int:
        """The number of numbers in a record."""
        return IDENTIFIED + self.x + math.prod(self.y)


class Division(NamedTuple):
    """When the network was divided.

    Attributes:
        begin: The time of the division, in seconds since 1970.
        end: The time of its end.
    """

    begin: float
    end: float


def table(folder: Path, agent: int, sizes: Sizes) -> np.ndarray:
    """Returns an agent's records in the order in which they were written.

    Args:
        folder: The run's folder.
        agent: The agent.
        sizes: The sizes of the problem.
    """
    raw = np.fromfile(folder / f"points-{agent}")
    return raw[: len(raw) // sizes.record * sizes.record].reshape(-1, sizes.record)


def points(
    folder: Path, agents: int, sizes: Sizes, rounds: int, from_round: int
) -> tuple[list[int], list[np.ndarray], float]:
    """Returns recorded rounds, all agents' points at each, and the largest term of the conserved sum at the end.

    Args:
        folder: The run's folder.
        agents: The number of agents.
        sizes: The sizes of the problem.
        rounds: The number of rounds.
        from_round: The first round that may be chosen.
    """
    tables = [by_round(table(folder, agent, sizes)) for agent in range(agents)]
    step = between_compared(rounds - from_round)
    chosen = [r for r in range(from_round, rounds + 1) if r % step == 0 or r == rounds]
    found = []
    for r in chosen:
        rows = [one[np.searchsorted(one[:, 0], r, side="right") - 1] for one in tables]
        found.append(np.stack([row[IDENTIFIED:] for row in rows]))
    return chosen, found, max(float(one[-1, 2]) for one in tables)


def between_compared(rounds: int) -> int:
    """Returns the number of rounds between two points that are compared.

    Args:
        rounds: The number of rounds that are compared.
    """
    return EVERY * max(1, -(-rounds // (EVERY * MOST_COMPARED)))


def network_invariant(folder: Path, agents: int) -> dict[str, float]:
    """Returns the network's last sum as the agents have logged it, how old it is, and the number of alarms."""
    logs = [(folder / f"log-{number}").read_text() for number in range(agents)]
    found = [re.findall(r"network conserves was (\S+) of its terms after round (\d+)", log) for log in logs]
    last = [(float(each[-1][0]), int(each[-1][1])) for each in found if each]
    return {
        "agents that know the network's invariant": len(last),
        "network's invariant": max((value for value, _ in last), default=float("nan")),
        "after round": min((round for _, round in last), default=0),
        "alarms": sum(log.count("and rounding explains only") for log in logs),
    }


def by_round(table: np.ndarray) -> np.ndarray:
    """Returns an agent's records in the order of the rounds; of a round that was run twice, the later one.

    Args:
        table: The records, in the order in which they were written.
    """
    last = {int(row[0]): row for row in table}
    return np.stack([last[r] for r in sorted(last)])


def compared(
    folder: Path, algorithm: Any, problem: Any, network: Any, sizes: Sizes, rounds: int, seed: int
) -> dict[str, Any]:
    """Compares the last fifth of a run with that of the run that nobody disturbs.

    Args:
        folder: The run's folder.
        algorithm: The algorithm.
        problem: The problem.
        network: The network.
        sizes: The sizes of the problem.
        rounds: The number of rounds.
        seed: The run's seed.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    import hypergossip as hg

    begin = int(0.8 * rounds)
    chosen, found, invariant = points(folder, network.agents, sizes, rounds, begin)
    options: Any = {"progress": False, "check": False, "measure": ("metric",)}
    values = []
    for point in found:
        x, y = point[:, : sizes.x], point[:, sizes.x :].reshape(-1, *sizes.y)
        result = hg.solve(algorithm, problem, network, rounds=0, x0=x, y0=y, **options)
        values.append(float(result.history["metric"].iloc[0]))
    whole = hg.solve(
        algorithm, problem, network, rounds=rounds, seed=seed, observe_every=between_compared(rounds - begin),
        channel=hg.channels.EdgeSums(), **options,
    )  # fmt: skip
    rows = whole.history[whole.history["round"].isin(chosen)]
    return {
        "metric": float(np.mean(values)),
        "undisturbed": float(rows["metric"].mean()),
        "ratio": float(np.mean(values) / rows["metric"].mean()),
        "last metric": values[-1],
        "invariant": invariant,
        **network_invariant(folder, network.agents),
        "rounds compared": len(chosen),
    }


def around_division(
    folder: Path, agents: int, sizes: Sizes, across: Sequence[Edge], first: Callable[[int], bool], division: Division
) -> dict[str, Any]:
    """Returns what happened while the network was divided, and how long after it the halves were connected again.

    Args:
        folder: The run's folder.
        agents: The number of agents.
        sizes: The sizes of the problem.
        across: The links between the halves.
        first: Whether an agent is in the first half.
        division: When the network was divided.
    """
    made: list[int] = [0, 0]
    for agent in range(agents):
        records = table(folder, agent, sizes)
        reached = [records[records[:, 1] <= at, 0].max(initial=0) for at in division]
        half = int(not first(agent))
        made[half] = max(made[half], int(reached[1] - reached[0]))
    logs = [(folder / f"log-{agent}").read_text() for agent in range(agents)]
    starts = [[float(at) for at in re.findall(STARTS, log, re.MULTILINE)] for log in logs]
    whole, restarted = [], []
    for i, j in across:
        ends = [changes(logs[a], b) for a, b in ((i, j), (j, i))]
        if not any(not is_open and division.begin < at < division.end for end in ends for at, is_open in end):
            continue
        again = max(next((at for at, is_open in end if is_open and at > division.end), np.inf) for end in ends)
        was_absent = any(division.begin < at <= again for at in (*starts[i], *starts[j]))
        (restarted if was_absent else whole).append(round(again - division.end, 2))
    return {
        "rounds while divided": made,
        "links across": len(across),
        "of which closed": len(whole) + len(restarted),
        "open again after": sorted(whole),
        "after a restart of an agent": sorted(restarted),
    }


def changes(log: str, neighbour: int) -> list[tuple[float, bool]]:
    """Returns when an agent's link to a neighbour was closed or agreed to open, and whether it was opened.

    Args:
        log: The agent's log.
        neighbour: The neighbour.
    """
    pattern = rf"^(\d+\.\d+) .*the link to agent-{neighbour} (is closed|opens)"
    return [(float(at), what == "opens") for at, what in re.findall(pattern, log, re.MULTILINE)]
