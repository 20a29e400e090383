"""What is the same for every method: the problem, the two groups, the grid of steps, the seeds."""

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import hypergossip as hg

BATCH = 32
TERMS, LIPSCHITZ = 10, 4.0  # of every Neumann series


class Settings(NamedTuple):
    """How much is run.

    Attributes:
        upper_scales: The grid: scales of the upper step's schedule. The least is that of Qiu et al. 2023, section VI.
        lower_scales: Scales of the lower step's.
        seeds: Reported runs of a method: seeds 0, 1, ...
        tuning_seeds: Runs a point of the grid: seeds 1 000 000, 1 000 001, ...
        most_rounds: No method runs longer.
    """

    upper_scales: tuple[float, ...] = (5.0, 15.0, 45.0)
    lower_scales: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0)
    seeds: int = 10
    tuning_seeds: int = 2
    most_rounds: int = 1_000_000


QUICK = Settings(lower_scales=(0.3, 1.0), upper_scales=(5.0, 15.0), seeds=2, tuning_seeds=1, most_rounds=40)


class Group(NamedTuple):
    """Methods that are compared with one another.

    Attributes:
        title: Above its part of the page.
        agents: How many; one agent holds the pooled data.
        values: Of M_t, to which costs are counted.
        papers: Methods of the two papers (DIAMOND, SLAM) in it -> what they are called in a sentence.
        about: What M_t sums here.
    """

    title: str
    agents: int
    values: tuple[float, ...]
    papers: dict[str, str]
    about: str

    def network(self) -> Any:
        """Returns the group's network."""
        if self.agents == 1:
            return hg.networks.single()
        return hg.networks.erdos_renyi(self.agents, 0.5, seed=0, weights="laplacian")


NETWORK = Group(
    "Five agents",
    5,
    (3.0, 1.0, 0.2),
    {"Diamond": "DIAMOND", "Slam": "SLAM"},
    "The network is an Erdős–Rényi graph with p_c = 0.5 and Laplacian weights. The partition of the data is IID. The "
    "lower error in M_t is a sum over the five agents, each of which fits its own model to a fifth of the data.",
)
POOLED = Group(
    "One agent with all the data",
    1,
    (0.3, 0.1, 0.05),
    {"Sustain": "SUSTAIN (DIAMOND with one agent)"},
    "The network has one agent, so nothing is sent. The lower error in M_t is that of one model, fitted to all the "
    "data. `BSA` is the cold one of its paper. Public implementations are warm with a fixed number of lower steps, "
    "which is `ALSET` but for the schedule of the lower step.",
)
GROUPS = {"network": NETWORK, "pooled": POOLED}


@cache
def problem(agents: int, data_dir: Path | None) -> hg.Problem:
    """Returns the a9a hyper-parameter problem (experiment diamond-fig4), divided among so many agents."""
    return hg.problems.hyperparameter("a9a", agents, batch_size=BATCH, data_dir=data_dir)


def looks(rounds: int) -> list[int]:
    """Returns the rounds that are measured: 0, about ten times the powers of the root of 2, and the last."""
    points, point = {0, rounds}, 10.0
    while point < 0.9 * rounds:
        points.add(round(point))
        point *= 2**0.5
    return sorted(points)
