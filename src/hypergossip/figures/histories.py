"""Reads histories for figures and tables: their columns, and medians with spreads over the seeds."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

ERRORS = ("metric", "stationarity", "consensus_error", "lower_error", "lower_consensus_error")
COSTS = (
    "bytes_sent",
    "bytes_sent_max",
    "exchanges",
    "samples",
    "upper_gradients",
    "lower_gradients",
    "hessian_products",
    "jacobian_products",
)
CONSERVED = "conserved"
"""The size of a sum that a method keeps at zero; a column of the methods with such a sum, under a channel."""

KNOWN_COLUMNS = ("seed", "round", "seconds", *ERRORS, CONSERVED, "upper_loss", "relative_residual", *COSTS)
"""The columns that every history may have; any other numeric column is an observation of the problem."""

RETURN = "return"
"""The observation of a game, in whose histories samples are steps of the environment."""

MANY_SEEDS = 10
"""From this number of seeds on, a spread is the 10th to 90th percentile, otherwise smallest to largest."""

LAST_FIFTH = 0.8
"""The last fifth of the rounds begins after this share of them."""


class Spread(NamedTuple):
    """Three numbers over the seeds, each (...). They are NaN where any seed is not finite, so no failure is hidden.

    Attributes:
        median: The median over the seeds.
        low: The 10th percentile, or the smallest of fewer than ten seeds.
        high: The 90th percentile, or the largest of fewer than ten seeds.
    """

    median: np.ndarray
    low: np.ndarray
    high: np.ndarray


def spread(values: Float[np.ndarray, "*rows seeds"]) -> Spread:
    """Returns median, low and high over the last axis."""
    values = np.where(np.isfinite(values), values, np.nan)
    edge = 0.1 if values.shape[-1] >= MANY_SEEDS else 0.0
    low, median, high = np.quantile(values, (edge, 0.5, 1 - edge), axis=-1)
    return Spread(median, low, high)


def check(histories: dict[str, pd.DataFrame]) -> None:
    """Raises a ValueError unless there is at least one history and all can be drawn.

    Args:
        histories: Method -> history.
    """
    if not histories:
        raise ValueError("there is no history to show; pass at least one, as {name: result.history}.")
    for name, history in histories.items():
        # A game has no losses on given data and hence no metric: its observations are shown.
        measured = () if "metric" not in history and observations([history]) else ERRORS[:4]
        missing = [column for column in ("round", *measured, "samples") if column not in history]
        if missing:
            raise ValueError(
                f"the history of {name} has no column {', '.join(missing)}; pass the frame that solve returned."
            )
        if history.empty:
            raise ValueError(f"the history of {name} has no rows; run it, or leave it out.")
        if history.duplicated([column for column in ("seed", "round") if column in history]).any():
            raise ValueError(
                f"the history of {name} has two rows for one seed and round; if several runs were joined, "
                "give each of them its own value in the column seed."
            )


def seeds(history: pd.DataFrame) -> int:
    """Returns the number of seeds in a history."""
    return len(set(history["seed"])) if "seed" in history else 1


def observations(histories: Iterable[pd.DataFrame]) -> list[str]:
    """Returns the observations of the problem: every numeric column that is not known, in order."""
    found: dict[str, None] = {}
    for history in histories:
        numeric = history.select_dtypes("number").columns
        found |= dict.fromkeys(str(name) for name in numeric if name not in KNOWN_COLUMNS)
    return list(found)


def leading(histories: Iterable[pd.DataFrame]) -> str:
    """Returns the main column: the metric, or the first observation where no history has a metric.

    Raises:
        ValueError: If there is neither.
    """
    histories = list(histories)
    if any("metric" in history for history in histories):
        return "metric"
    if not (own := observations(histories)):
        raise ValueError(
            "the histories have neither a metric nor an observation; add an observation to the problem with observe."
        )
    return own[0]


def errors(histories: Iterable[pd.DataFrame], seen: bool = False) -> list[str]:
    """Returns the errors in the histories, without the metric.

    Args:
        histories: The histories.
        seen: Leave out errors that are zero in all histories, as a consensus error of variables that are not shared.
    """
    histories = list(histories)
    there = [name for name in ERRORS[1:] if any(name in history for history in histories)]
    if not seen:
        return there
    return [name for name in there if any(name in history and history[name].any() for history in histories)]


def rounds_shown(histories: Iterable[pd.DataFrame]) -> str:
    """Returns the column of communication rounds: "exchanges" where a method communicates several times a round."""
    return "exchanges" if any("exchanges" in history for history in histories) else "round"


def by_seed(history: pd.DataFrame, column: str) -> pd.DataFrame:
    """Returns a column as a table with rounds as index and one column per seed; NaN where a seed has no row."""
    seeded = history if "seed" in history else history.assign(seed=0)
    return seeded.pivot(index="round", columns="seed", values=column).sort_index()


def means_from(history: pd.DataFrame, column: str | list[str], share: float) -> np.ndarray:
    """Returns the mean of every seed over its last rows, (seeds,); NaN if one of these is NaN.

    Args:
        history: The history of several seeds, or of one seed and then without a seed column.
        column: A column of the history, or several; the result is then (seeds, columns).
        share: The share of rounds to skip: 1 for the last round alone, 0.8 for the last fifth, 0 for all.
    """
    seeds = [rows for _, rows in history.groupby("seed")] if "seed" in history else [history]
    tolerance = 1e-9  # 0.8 of 35 is not an integer in floating point
    late = [rows.loc[rows["round"] >= share * rows["round"].max() - tolerance, column] for rows in seeds]
    return np.array([values.to_numpy(np.float64).mean(axis=0) for values in late])


def spread_description(histories: dict[str, pd.DataFrame]) -> str:
    """Returns a sentence that explains lines and bands; empty where every method has a single seed."""
    counts = sorted({seeds(history) for history in histories.values()})
    if counts[-1] == 1:
        return ""
    number = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    if counts[0] >= MANY_SEEDS:
        band = "10th to 90th percentile"
    elif counts[-1] < MANY_SEEDS:
        band = "smallest to largest"
    else:
        band = f"10th to 90th percentile, of fewer than {MANY_SEEDS} seeds smallest to largest"
    return f"Lines: median over {number} seeds. Bands: {band}."
