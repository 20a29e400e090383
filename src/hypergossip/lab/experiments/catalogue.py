"""The experiments by name."""

from hypergossip.lab.experiments.actor_critic import S1, S2
from hypergossip.lab.experiments.data_cleaning import C1, C2
from hypergossip.lab.experiments.hyperparameter import D4
from hypergossip.lab.experiments.meta_learning import D1, D2, D3
from hypergossip.lab.experiments.reproduction import Reproduction
from hypergossip.support.registry import nearest

_EXPERIMENTS = (D1, D2, D3, D4, S1, S2, C1, C2)


def names() -> dict[str, str]:
    """Returns every experiment's name, with its title and source."""
    return {experiment.name: f"{experiment.title} ({experiment.source})" for experiment in _EXPERIMENTS}


def find(name: str) -> Reproduction:
    """Returns the experiment of a name, upper or lower case.

    Raises:
        ValueError: If there is none; the sentence names the nearest.
    """
    for experiment in _EXPERIMENTS:
        if experiment.name.lower() == name.lower():
            return experiment
    raise ValueError(f"there is no experiment {name!r}; {nearest(name, names())}")
