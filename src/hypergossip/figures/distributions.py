"""Computes distributions for figures: agents side by side, and histograms of groups."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

SLOT = 0.8  # of the width of a method, taken up by its agents
BINS = 40


class Strip(NamedTuple):
    """The agents of a method, side by side around the position of the method.

    Attributes:
        x: The x positions of the agents, (agents,).
        half: Half the width of an agent.
        values: (seeds, agents).
        medians: The median of every agent over the seeds, (agents,); NaN where a seed is not finite.
    """

    x: np.ndarray
    half: float
    values: np.ndarray
    medians: np.ndarray


class Bins(NamedTuple):
    """Histograms of several groups with common bins.

    Attributes:
        edges: (bins + 1,).
        shares: Group -> the share of its numbers in each bin, (bins,).
        names: Group -> its label: the name, the size of the group and its median.
        medians: Group -> the median of its numbers.
    """

    edges: np.ndarray
    shares: dict[str, np.ndarray]
    names: dict[str, str]
    medians: dict[str, float]


def strips(values: Mapping[str, np.ndarray]) -> dict[str, Strip]:
    """Returns the agents of every method, around x = 0 for the first method, x = 1 for the second, and so on.

    Args:
        values: Method -> (seeds, agents).

    Raises:
        ValueError: If the values of a method have another shape.
    """
    found = {}
    for index, (name, numbers) in enumerate(values.items()):
        numbers = np.asarray(numbers, np.float64)
        if numbers.ndim != 2 or not numbers.size:
            raise ValueError(
                f"the values of {name} have shape {numbers.shape}; pass one row per seed and one column per agent."
            )
        agents = numbers.shape[1]
        x = index + SLOT * ((np.arange(agents) + 0.5) / agents - 0.5)
        medians = np.median(np.where(np.isfinite(numbers), numbers, np.nan), axis=0)
        found[name] = Strip(x, 0.42 * SLOT / agents, numbers, medians)
    return found


def range_text(strip: Strip) -> str:
    """Returns the range of the medians of the agents, as "0.912 to 0.934"; empty where none is finite."""
    medians = strip.medians[np.isfinite(strip.medians)]
    if not medians.size:
        return ""
    low, high = (f"{end:#.3g}".removesuffix(".") for end in (medians.min(), medians.max()))
    return (low if low == high else f"{low} to {high}").replace("-", "−")


def bins(values: Mapping[str, np.ndarray]) -> Bins:
    """Returns histograms with forty common bins over the range of all groups.

    Args:
        values: Group -> its numbers, of any shape; numbers that are not finite are left out.

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
