"""The experiments by name."""

from hypergossip.lab.experiments.actor_critic import SLAM_FIG1, SLAM_FIG2
from hypergossip.lab.experiments.data_cleaning import HYPERCLEANING_SAMPLES, HYPERCLEANING_SOURCES
from hypergossip.lab.experiments.hyperparameter import DIAMOND_FIG4
from hypergossip.lab.experiments.meta_learning import DIAMOND_FIG1, DIAMOND_FIG2, DIAMOND_FIG3
from hypergossip.lab.experiments.reproduction import Reproduction
from hypergossip.lab.experiments.rivals import RIVALS_PERSONAL, RIVALS_SHARED
from hypergossip.support.registry import nearest

_EXPERIMENTS = (
    *(DIAMOND_FIG1, DIAMOND_FIG2, DIAMOND_FIG3, DIAMOND_FIG4, SLAM_FIG1, SLAM_FIG2),
    *(HYPERCLEANING_SAMPLES, HYPERCLEANING_SOURCES),
    *(RIVALS_SHARED, RIVALS_PERSONAL),
)
# The names of version 0.1.0.
_ALIASES: dict[str, Reproduction] = dict(
    zip(("d1", "d2", "d3", "d4", "s1", "s2", "c1", "c2"), _EXPERIMENTS, strict=False)
)


def names() -> dict[str, str]:
    """Returns the name of every experiment with its title and source."""
    return {experiment.name: f"{experiment.title} ({experiment.source})" for experiment in _EXPERIMENTS}


def find(name: str) -> Reproduction:
    """Returns the experiment with this `name`, in upper or lower case; D1 to D4, S1, S2, C1 and C2 are earlier names.

    Raises:
        ValueError: If there is none; the message suggests the most similar name.
    """
    for experiment in _EXPERIMENTS:
        if experiment.name.lower() == name.lower():
            return experiment
    if name.lower() in _ALIASES:
        return _ALIASES[name.lower()]
    raise ValueError(f"there is no experiment {name!r}; {nearest(name, names())}")
