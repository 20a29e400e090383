"""The figures and the channels that they compare."""

from typing import Any, NamedTuple

import numpy as np

from hypergossip.channels import (
    CommonCopy,
    Delay,
    EdgeSums,
    Fading,
    GilbertElliott,
    Loss,
    Noise,
    Quantize,
    RandomK,
    TopK,
)
from hypergossip.networks.over_time import links_up, random_edge, random_matchings
from studies.channels.setting import NETWORK

ROUNDS, SEEDS = 2500, 8


class Panel(NamedTuple):
    """One channel under which every method runs.

    Attributes:
        title: The title.
        channel: The stages.
        random: Whether the channel is random, so that there are several runs.
        dimension: The number of entries of x.
        rounds: The number of rounds.
        limits: Of the distance, on the logarithmic axis.
        network: The network; None for the setting's, which is the same in every round.
    """

    title: str
    channel: tuple[Any, ...]
    random: bool = True
    dimension: int = 5
    rounds: int = ROUNDS
    limits: tuple[float, float] = (1e-33, 1e3)
    network: Any = None


class Case(NamedTuple):
    """A figure.

    Attributes:
        panels: Name -> panel.
        law: The name of the law that is drawn in a panel of its own, or "".
        columns: The number of columns.
    """

    panels: dict[str, Panel]
    law: str = ""
    columns: int = 2


NEAR = (1e-5, 1e1)  # the limits where no method is exact
_LOSS = Loss(0.2, symmetric=False)
_BURSTS = GilbertElliott(0.1, 0.4, symmetric=False)
_LATTICE = Quantize(16, rounding="stochastic", width=0.01)

CASES = {
    "loss_symmetric": Case(
        {
            "perfect": Panel("perfect channel", (), random=False),
            "symmetric": Panel("symmetric loss: Loss(0.2)", (Loss(0.2),)),
        },
    ),
    "changing": Case(
        {
            "half": Panel("links_up: every edge up with 0.5", (), False, network=links_up(NETWORK, 0.5)),
            "pairs": Panel("random_matchings", (), False, network=random_matchings(NETWORK)),
            "edge": Panel("random_edge: one edge a round", (), False, rounds=8000, network=random_edge(NETWORK)),
        },
        columns=3,
    ),
    "loss_one_sided": Case(
        {
            "own": Panel("one-sided loss 0.2, own value", (_LOSS,), limits=NEAR),
            "last": Panel("one-sided loss 0.2, last value", (Loss(0.2, symmetric=False, replace="last"),), limits=NEAR),
            "sums": Panel("remedy: EdgeSums, one-sided loss 0.2", (EdgeSums(), _LOSS)),
        },
        law="loss",
    ),
    "bursts": Case(
        {
            "own": Panel("bursts, one-sided, own value", (_BURSTS,), limits=NEAR),
            "sums": Panel("remedy: EdgeSums, the same bursts", (EdgeSums(), _BURSTS)),
        },
    ),
    "noise": Case(
        {
            "noise": Panel("noise: Noise(0.01)", (Noise(0.01),), limits=(1e-7, 1e1)),
            "sums": Panel("remedy: EdgeSums, Noise(0.01)", (EdgeSums(), Noise(0.01)), limits=(1e-7, 1e1)),
        },
        law="noise",
        columns=3,
    ),
    "fading": Case(
        {
            "none": Panel("gains 1 ± 0.3, no pilot", (Fading(0.3),), limits=NEAR),
            "mean": Panel("gains of mean 0.9, no pilot", (Fading(0.0, mean=0.9),), random=False, limits=NEAR),
            "pilot": Panel("gains 1 ± 0.3, pilot", (Fading(0.3, pilot=True),), limits=NEAR),
            "reciprocal": Panel("remedy: pilot and reciprocal gains", (Fading(0.3, pilot=True, reciprocal=True),)),
        },
    ),
    "delay": Case(
        {
            "fresh": Panel('one round late, own="fresh"', (Delay(1),), random=False),
            "same": Panel('one round late, own="same"', (Delay(1, own="same"),), random=False),
            "sums": Panel("remedy: EdgeSums, one round late", (EdgeSums(), Delay(1)), random=False),
        },
        law="delay",
    ),
    "rounding": Case(
        {
            "range": Panel("8 bits of the vector's range", (Quantize(8),), random=False, limits=(1e-7, 1e1)),
            "lattice": Panel("fixed lattice 0.01, random rounding", (_LATTICE,), limits=(1e-7, 1e1)),
            "copy": Panel("remedy: CommonCopy, 8 bits of the range", (CommonCopy(), Quantize(8)), random=False),
        },
        law="lattice",
    ),
    "common_copy": Case(
        {
            "bits8": Panel("CommonCopy, 8 bits", (CommonCopy(), Quantize(8)), False, 20, 8000),
            "bits4": Panel("CommonCopy, 4 bits", (CommonCopy(), Quantize(4)), False, 20, 8000),
            "top4": Panel("CommonCopy(0.2), TopK(4)", (CommonCopy(0.2), TopK(4)), False, 20, 8000),
        },
        columns=3,
    ),
}

CODES: dict[str, tuple[Any, ...]] = {
    "float64": (),
    "8 bits": (CommonCopy(), Quantize(8)),
    "4 bits": (CommonCopy(), Quantize(4)),
    "largest 4 of 20": (CommonCopy(0.2), TopK(4)),
    "random 4 of 20": (CommonCopy(0.2), RandomK(4)),
}

# Channels of the table that no figure shows.
OTHERS = {
    "EdgeSums, Fading(0.3, pilot=True)": Panel("", (EdgeSums(), Fading(0.3, pilot=True))),
    "EdgeSums, Loss(0.5, symmetric=False)": Panel("", (EdgeSums(), Loss(0.5, symmetric=False))),
    "EdgeSums, Loss(0.8, symmetric=False)": Panel("", (EdgeSums(), Loss(0.8, symmetric=False))),
    'Loss(0.2, symmetric=False, replace="renormalise")': Panel(
        "", (Loss(0.2, symmetric=False, replace="renormalise"),)
    ),
    "CommonCopy, Quantize(4), Loss(0.01)": Panel("", (CommonCopy(), Quantize(4), Loss(0.01))),
    "Delay(3)": Panel("", (Delay(3),), random=False),
    "EdgeSums, Delay(3)": Panel("", (EdgeSums(), Delay(3)), random=False),
    'Quantize(8, rounding="stochastic")': Panel("", (Quantize(8, rounding="stochastic"),)),
    "CommonCopy, lattice 0.01": Panel("", (CommonCopy(), _LATTICE)),
    "EdgeSums, lattice 0.01": Panel("", (EdgeSums(), _LATTICE)),
    "EdgeSums, Quantize(8)": Panel("", (EdgeSums(), Quantize(8)), random=False),
}


def looks(rounds: int, count: int = 60) -> np.ndarray:
    """Returns the rounds that are observed, the first and the last among them."""
    return np.unique(np.linspace(0, rounds, count + 1).astype(int))
