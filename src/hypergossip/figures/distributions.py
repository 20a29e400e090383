"""How numbers are spread: agents side by side, and groups in bins; the same for a still picture and for a page."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

SLOT = 0.8  # the share of a method's place that its agents fill
BINS = 40


class Strip(NamedTuple):
    """A method's agents side by side about its place.

    Attributes:
        across: Where the agents lie, (agents,).
        half: Half the width that an agent has.
        values: (seeds, agents).
        medians: Every agent's median over the seeds, (agents,); NaN where a seed's is not finite.
    """

    across: np.ndarray
    half: float
    values: np.ndarray
    medians: np.ndarray


class Bins(NamedTuple):
    """Groups counted in the same bins.

    Attributes:
        edges: (bins + 1,).
        shares: Group -> the share of its numbers in every bin, (bins,).
        names: Group -> its name, with how many numbers it has and their median.
        medians: Group -> the median of its numbers.
    """

    edges: np.ndarray
    shares: dict[str, np.ndarray]
    names: dict[str, str]
    medians: dict[str, float]


def strips(values: Mapping[str, np.ndarray]) -> dict[str, Strip]:
    """Returns every method's agents, about 0 for the first method, 1 for the second, and so on.

    Args:
        values: Method -> (seeds, agents).

    Raises:
        ValueError: If a method's values have another shape.
    """
    found = {}
    for place, (name, numbers) in enumerate(values.items()):
        numbers = np.asarray(numbers, np.float64)
        if numbers.ndim != 2 or not numbers.size:
            raise ValueError(
                f"the values of {name} have shape {numbers.shape}; pass one row a seed, one column an agent."
            )
        agents = numbers.shape[1]
        across = place + SLOT * ((np.arange(agents) + 0.5) / agents - 0.5)
        medians = np.median(np.where(np.isfinite(numbers), numbers, np.nan), axis=0)
        found[name] = Strip(across, 0.42 * SLOT / agents, numbers, medians)
    return found


def range_in_words(strip: Strip) -> str:
    """Returns the lowest and the highest agent's median: "0.912 to 0.934"; empty where none is finite."""
    medians = strip.medians[np.isfinite(strip.medians)]
    if not medians.size:
        return ""
    least, most = (f"{end:#.3g}".removesuffix(".") for end in (medians.min(), medians.max()))
    return (least if least == most else f"{least} to {most}").replace("-", "−")


def bins(values: Mapping[str, np.ndarray]) -> Bins:
    """Returns groups counted in forty bins from the least to the largest number of all.

    Args:
        values: Group -> its numbers, of any shape; those that are not finite are left out.

    Raises:
        ValueError: If a group has no finite number.
    """
    finite = {}
    for name, numbers in values.items():
        flat = np.asarray(numbers, np.float64).ravel()
        finite[name] = flat[np.isfinite(flat)]
        if not finite[name].size:
            raise ValueError(f"the group {name} has no finite number; leave it out.")
    if not finite:
        raise ValueError("there is no group to show; pass at least one, as {name: numbers}.")
    edges = np.histogram_bin_edges(np.concatenate(list(finite.values())), BINS)
    medians = {name: float(np.median(numbers)) for name, numbers in finite.items()}
    return Bins(
        edges,
        {name: np.histogram(numbers, edges)[0] / numbers.size for name, numbers in finite.items()},
        {name: f"{name} ({numbers.size:,}, median {medians[name]:.3g})" for name, numbers in finite.items()},
        medians,
    )
