"""What a disturbed run of agents has reached, from the points that the agents have recorded (`studies.chaos`)."""

from pathlib import Path
from typing import Any

import numpy as np

EVERY = 5  # rounds between two records of an agent's point
ROW = 3 + 5 + 4  # the round, the time, the largest entry of the agent's term of the conserved sum, x and y


def points(folder: Path, agents: int, rounds: int, from_round: int) -> tuple[list[int], list[np.ndarray], float]:
    """Returns recorded rounds, all agents' points at each, and the largest term of the conserved sum at the end."""
    tables = []
    for number in range(agents):
        raw = np.fromfile(folder / f"points-{number}")
        tables.append(raw[: len(raw) // ROW * ROW].reshape(-1, ROW))
    chosen = [r for r in range(from_round, rounds + 1) if r % EVERY == 0 or r == rounds]
    found = []
    for r in chosen:
        rows = [table[np.searchsorted(table[:, 0], r, side="right") - 1] for table in map(by_round, tables)]
        found.append(np.stack([row[3:] for row in rows]))
    return chosen, found, max(float(by_round(table)[-1, 2]) for table in tables)


def by_round(table: np.ndarray) -> np.ndarray:
    """Returns an agent's records in the order of the rounds; of a round that was run twice, the later one."""
    last = {int(row[0]): row for row in table}
    return np.stack([last[r] for r in sorted(last)])


def compared(folder: Path, algorithm: Any, problem: Any, network: Any, rounds: int, seed: int) -> dict[str, Any]:
    """Compares the last fifth of a run with that of the run that nobody disturbs."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import hypergossip as hg

    begin = int(0.8 * rounds)
    chosen, found, invariant = points(folder, network.agents, rounds, begin)
    options: Any = {"progress": False, "check": False, "measure": ("metric",)}
    values = []
    for table in found:
        row = hg.solve(algorithm, problem, network, rounds=0, x0=table[:, :5], y0=table[:, 5:], **options)
        values.append(float(row.history["metric"].iloc[0]))
    whole = hg.solve(
        algorithm, problem, network, rounds=rounds, seed=seed, observe_every=EVERY,
        channel=hg.channels.EdgeSums(), **options,
    )  # fmt: skip
    rows = whole.history[whole.history["round"] >= begin]
    return {
        "metric": float(np.mean(values)),
        "undisturbed": float(rows["metric"].mean()),
        "ratio": float(np.mean(values) / rows["metric"].mean()),
        "last metric": values[-1],
        "invariant": invariant,
        "rounds compared": len(chosen),
    }
